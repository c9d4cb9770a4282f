//! `TransactionEdge`: drives the coordinators of transactions of a shard: hands them requests and the time, carries out their appends, markers
//! and answers.
//!
//! A coordinator serves once its partition of `__transaction_state` was replayed; nothing is answered before it is durable.

mod keeper;
mod markers;
#[cfg(test)]
mod tests;
mod verified;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use engine::offset::ShardId;
use engine::shard::core::{Core, LogRef};

use self::keeper::Keeper;
pub use self::markers::is_refused_for_good;
use self::verified::Verified;
use crate::broker::{self, Broker};
use crate::catalog::{Catalog, TRANSACTIONS_TOPIC};
use crate::config::Settings;
use crate::group::partition_for;
use crate::internal_topics;
use crate::transaction::{
    Event, ProducerIdentity, ReplyToken, Response, TransactionConfig, TransactionError, VerifyRequest,
};

/// The coordinators of one shard.
pub struct TransactionEdge {
    core: Core,
    config: TransactionConfig,
    snapshot_check_interval: Duration,
    keepers: RefCell<BTreeMap<i32, Rc<Keeper>>>,
    verified: RefCell<Verified>,
}

impl TransactionEdge {
    /// No transactional ids yet: partitions come with the catalog.
    pub fn new(core: Core, settings: &Settings) -> TransactionEdge {
        TransactionEdge {
            core,
            config: TransactionConfig {
                timeout_max_ms: settings.transaction_max_timeout_ms,
                expiration_ms: settings.transactional_id_expiration_ms,
            },
            snapshot_check_interval: Duration::from_millis(settings.snapshot_check_interval_ms),
            keepers: RefCell::default(),
            verified: RefCell::default(),
        }
    }

    /// Takes over the partitions of this shard that a new view of the catalog brings.
    pub fn topics_changed(&self, new: &Catalog) {
        let Some(topic) = new.topic(TRANSACTIONS_TOPIC).filter(|topic| topic.internal) else { return };
        for (partition, log) in (0..).zip(topic.logs()) {
            let mut keepers = self.keepers.borrow_mut();
            if log.shard == self.core.shard() && !keepers.contains_key(&partition) {
                let keeper = Rc::new(Keeper::new(&self.core, self.config, partition, log));
                keepers.insert(partition, Rc::clone(&keeper));
                self.core.spawn(keeper.run(self.snapshot_check_interval));
            }
        }
    }

    /// The partitions of the topic that live here.
    pub fn partitions(&self) -> Vec<i32> {
        self.keepers.borrow().keys().copied().collect()
    }

    /// Bytes of memory of the transactional ids of a partition.
    pub fn memory_bytes(&self, partition: i32) -> usize {
        self.keepers.borrow().get(&partition).map_or(0, |keeper| keeper.memory_bytes())
    }

    /// Whether new transactional ids are refused, for want of memory.
    pub fn refuse_growth(&self, grows_no_more: bool) {
        for keeper in self.keepers.borrow().values() {
            keeper.refuse_growth(grows_no_more);
        }
    }

    /// Asks the coordinator of a transactional id, on the shard where it lives.
    pub async fn ask(
        &self,
        broker: &Broker,
        transactional_id: &str,
        event: impl FnOnce(ReplyToken) -> Event + Send + 'static,
    ) -> Result<Response, TransactionError> {
        internal_topics::ensure_transactions(broker).await.map_err(|_| TransactionError::CoordinatorNotAvailable)?;
        let (partition, log) = place_of(broker, transactional_id).ok_or(TransactionError::CoordinatorNotAvailable)?;
        if !broker.leads(log) {
            return Err(TransactionError::NotCoordinator);
        }
        self.ask_at(broker, partition, log, event).await
    }

    /// Asks whether a partition is part of a producer's open transaction, whichever node coordinates that.
    pub async fn verify(&self, broker: &Broker, request: VerifyRequest) -> Result<(), TransactionError> {
        let place = place_of(broker, &request.transactional_id);
        let (partition, log) = place.ok_or(TransactionError::InvalidProducerIdMapping)?;
        match self.ask_at(broker, partition, log, move |token| Event::Verify(token, request)).await? {
            Response::Done(outcome) => outcome,
            _ => Err(TransactionError::CoordinatorNotAvailable),
        }
    }

    /// Whether this shard knows that a partition is part of a producer's open transaction.
    pub fn is_verified(&self, producer: ProducerIdentity, log: LogRef) -> bool {
        self.verified.borrow().has(producer, log)
    }

    /// The same, where the coordinator is asked if need be. What comes in time for the end of the transaction is tried again.
    pub async fn verify_write(
        &self,
        broker: &Broker,
        request: VerifyRequest,
        log: LogRef,
    ) -> Result<(), TransactionError> {
        let producer = request.producer;
        if self.is_verified(producer, log) {
            return Ok(());
        }
        let question = self.verified.borrow_mut().ask(producer, log);
        let outcome = self.verify(broker, request).await;
        let counts = self.verified.borrow_mut().answered(producer, log, question, outcome.is_ok());
        if counts { outcome } else { outcome.and(Err(TransactionError::ConcurrentTransactions)) }
    }

    /// The transaction of a producer ends: no shard takes its batches without asking any more, and those that were taken lie in their logs or
    /// wait there for room. `verified_on` are the shards that remember partitions of it, `written` those where the partitions live. Where nobody
    /// asks (`transaction.partition.verification.enable`) any shard may have let something in.
    async fn forget_verified(
        core: &Core,
        producer_id: i64,
        verified_on: &BTreeSet<ShardId>,
        written: &Arc<BTreeSet<ShardId>>,
    ) {
        let forget = |shard: ShardId| {
            let written = Arc::clone(written);
            core.on(shard, move |core| async move {
                broker::local().transactions.verified.borrow_mut().forget(producer_id);
                // A marker comes from the coordinator's shard, and would overtake what this one has let in and sent on.
                core.arrived(&written).await;
            })
        };
        let told: Vec<_> = if broker::local().effective_settings().transaction_partition_verification {
            verified_on.iter().copied().map(forget).collect()
        } else {
            (0..core.shard_count()).map(ShardId).map(forget).collect()
        };
        for told in told {
            // A shard that is gone takes no batches.
            let _ = told.await;
        }
    }

    async fn ask_at(
        &self,
        broker: &Broker,
        partition: i32,
        log: LogRef,
        event: impl FnOnce(ReplyToken) -> Event + Send + 'static,
    ) -> Result<Response, TransactionError> {
        let asked = self.core.on(log.shard, move |_| async move {
            let keeper = broker::local().transactions.keepers.borrow().get(&partition).cloned();
            match keeper {
                Some(keeper) => keeper.ask(event).await,
                None => Err(TransactionError::CoordinatorLoadInProgress),
            }
        });
        tokio::select! {
            // A commit whose markers cannot be written must not hold up a stop.
            () = broker.drained() => Err(TransactionError::CoordinatorNotAvailable),
            answer = asked => answer.unwrap_or(Err(TransactionError::CoordinatorNotAvailable)),
        }
    }

    /// The log that holds a transactional id; none before the topic is made.
    pub fn log_of(&self, broker: &Broker, transactional_id: &str) -> Option<LogRef> {
        place_of(broker, transactional_id).map(|(_, log)| log)
    }

    /// Asks every coordinator of this node, for `ListTransactions`: whoever wants all ids asks every node.
    pub async fn ask_all(
        &self,
        broker: &Broker,
        event: impl Fn(ReplyToken) -> Event + Send + Clone + 'static,
    ) -> Vec<Result<Response, TransactionError>> {
        let ask = move || async move {
            let keepers: Vec<_> = broker::local().transactions.keepers.borrow().values().cloned().collect();
            let mut answers = Vec::with_capacity(keepers.len());
            for keeper in keepers {
                answers.push(keeper.ask(&event).await);
            }
            answers
        };
        let gone = || vec![Err(TransactionError::CoordinatorNotAvailable)];
        broker.on_shards_of_node(ask).await.into_iter().flat_map(|part| part.unwrap_or_else(gone)).collect()
    }
}

/// The partition that holds a transactional id, and its log. Ids hash as groups do.
fn place_of(broker: &Broker, transactional_id: &str) -> Option<(i32, LogRef)> {
    let catalog = broker.catalog();
    let topic = catalog.topic(TRANSACTIONS_TOPIC).filter(|topic| topic.internal)?;
    let partition = partition_for(transactional_id, topic.partition_count());
    Some((partition, topic.log(partition)?))
}
