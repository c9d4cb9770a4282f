//! `GroupEdge`: drives the group coordinators of a shard: hands them requests and the time, carries out their appends and answers.
//!
//! A coordinator serves once its partition of `__consumer_offsets` was replayed; nothing is answered before it is durable.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use engine::error::AppendError;
use engine::shard::core::{Core, LogRef, MarkerKind, TransactionMarker};
use tokio::sync::Notify;

use crate::awaited::Awaited;
use crate::broker::{self, Broker};
use crate::catalog::{Catalog, OFFSETS_TOPIC};
use crate::clock::SteadyClock;
use crate::config::Settings;
use crate::group::{
    ConsumerConfig, ContinuationId, Coordinator, Effect, EndedTransaction, Event, GroupConfig, GroupError, ReplyToken,
    Response, TopicsView, partition_for,
};
use crate::internal_topics;
use crate::limits::GROUP_MEMBERS_MAX;
use crate::state_log::{ReplayError, StateLog};
use crate::transaction_edge::is_refused_for_good;

/// The coordinators of one shard.
pub struct GroupEdge {
    core: Core,
    config: GroupConfig,
    /// The topics as they are now, and how often they changed.
    topics: RefCell<TopicsView>,
    snapshot_check_interval: Duration,
    keepers: RefCell<BTreeMap<i32, Rc<Keeper>>>,
}

impl GroupEdge {
    /// No groups yet: partitions come with the catalog.
    pub fn new(core: Core, settings: &Settings) -> GroupEdge {
        GroupEdge {
            core,
            config: group_config(settings),
            topics: RefCell::default(),
            snapshot_check_interval: Duration::from_millis(settings.snapshot_check_interval_ms),
            keepers: RefCell::default(),
        }
    }

    /// Takes over the offsets partitions of this shard that a new view of the catalog brings, and forgets what was committed for
    /// topics that it has no more.
    pub fn topics_changed(&self, old: &Catalog, new: &Arc<Catalog>) {
        let number = self.topics.borrow().number + 1;
        let view = TopicsView { catalog: Arc::clone(new), number };
        self.topics.replace(view.clone());
        for keeper in self.keepers.borrow().values() {
            keeper.handle(Event::Topics(view.clone()));
        }
        let gone = old.topics().filter(|topic| new.topic_by_id(topic.id).is_none());
        let gone: Vec<String> = gone.map(|topic| topic.name.clone()).collect();
        if !gone.is_empty() {
            for keeper in self.keepers.borrow().values() {
                keeper.handle(Event::TopicsDeleted(gone.clone()));
            }
        }
        let Some(topic) = new.topic(OFFSETS_TOPIC) else { return };
        for (partition, log) in (0..).zip(topic.logs()) {
            let mut keepers = self.keepers.borrow_mut();
            if log.shard == self.core.shard() && !keepers.contains_key(&partition) {
                let keeper = Rc::new(Keeper::new(&self.core, self.config, partition, log));
                keeper.handle(Event::Topics(view.clone()));
                keepers.insert(partition, Rc::clone(&keeper));
                self.core.spawn(keeper.run(self.snapshot_check_interval));
            }
        }
    }

    /// The partitions of the offsets topic that live here.
    pub fn partitions(&self) -> Vec<i32> {
        self.keepers.borrow().keys().copied().collect()
    }

    /// Bytes of memory of the groups of a partition.
    pub fn memory_bytes(&self, partition: i32) -> usize {
        self.keepers.borrow().get(&partition).map_or(0, |keeper| keeper.coordinator.borrow().memory_bytes())
    }

    /// Whether new groups, members and committed partitions are refused, for want of memory.
    pub fn refuse_growth(&self, grows_no_more: bool) {
        for keeper in self.keepers.borrow().values() {
            keeper.coordinator.borrow_mut().refuse_growth(grows_no_more);
        }
    }

    /// Asks the coordinator of a group, on the shard where it lives.
    pub async fn ask(
        &self,
        broker: &Broker,
        group_id: &str,
        event: impl FnOnce(ReplyToken) -> Event + Send + 'static,
    ) -> Result<Response, GroupError> {
        internal_topics::ensure_offsets(broker).await.map_err(|_| GroupError::CoordinatorNotAvailable)?;
        let (partition, log) = place_of(broker, group_id).ok_or(GroupError::CoordinatorNotAvailable)?;
        if !broker.leads(log) {
            return Err(GroupError::NotCoordinator);
        }
        let asked = self.core.on(log.shard, move |_| async move {
            let keeper = broker::local().groups.keepers.borrow().get(&partition).cloned();
            match keeper {
                Some(keeper) => keeper.ask(event).await,
                None => Err(GroupError::CoordinatorLoadInProgress),
            }
        });
        tokio::select! {
            // A member that waits for others must not hold up a stop.
            () = broker.drained() => Err(GroupError::CoordinatorNotAvailable),
            answer = asked => answer.unwrap_or(Err(GroupError::CoordinatorNotAvailable)),
        }
    }

    /// Tells the coordinator of an offsets partition of this shard how a transaction ended; done when its marker is durable.
    pub async fn end_transaction(&self, partition: i32, ended: EndedTransaction) -> Result<(), GroupError> {
        let keeper = self.keepers.borrow().get(&partition).cloned();
        let keeper = keeper.ok_or(GroupError::CoordinatorLoadInProgress)?;
        match keeper.ask(|token| Event::TransactionEnded(token, ended)).await? {
            Response::Ended(outcome) => outcome,
            _ => Err(GroupError::CoordinatorNotAvailable),
        }
    }

    /// The log that holds a group; none before the offsets topic is made.
    pub fn log_of(&self, broker: &Broker, group_id: &str) -> Option<LogRef> {
        place_of(broker, group_id).map(|(_, log)| log)
    }

    /// The partition of the offsets topic that holds a group; none before the topic is made.
    pub fn partition_of(&self, broker: &Broker, group_id: &str) -> Option<i32> {
        place_of(broker, group_id).map(|(partition, _)| partition)
    }

    /// Asks every coordinator of this node, for `ListGroups`: whoever wants all groups asks every node.
    pub async fn ask_all(
        &self,
        broker: &Broker,
        event: impl Fn(ReplyToken) -> Event + Send + Copy + 'static,
    ) -> Vec<Result<Response, GroupError>> {
        let ask = move || async move {
            let keepers: Vec<_> = broker::local().groups.keepers.borrow().values().cloned().collect();
            let mut answers = Vec::with_capacity(keepers.len());
            for keeper in keepers {
                answers.push(keeper.ask(event).await);
            }
            answers
        };
        let gone = || vec![Err(GroupError::CoordinatorNotAvailable)];
        broker.on_shards_of_node(ask).await.into_iter().flat_map(|part| part.unwrap_or_else(gone)).collect()
    }
}

/// The partition of the offsets topic that holds a group, and its log.
fn place_of(broker: &Broker, group_id: &str) -> Option<(i32, LogRef)> {
    let catalog = broker.catalog();
    let topic = catalog.topic(OFFSETS_TOPIC)?;
    let partition = partition_for(group_id, topic.partition_count());
    Some((partition, topic.log(partition)?))
}

/// One coordinator with its log.
struct Keeper {
    core: Core,
    partition: i32,
    log: StateLog,
    coordinator: RefCell<Coordinator>,
    clock: SteadyClock,
    awaited: Awaited<Response>,
    /// The next deadline may be another one.
    changed: Notify,
}

impl Keeper {
    fn new(core: &Core, config: GroupConfig, partition: i32, log: LogRef) -> Keeper {
        Keeper {
            core: core.clone(),
            partition,
            log: StateLog::new(core.clone(), log),
            coordinator: RefCell::new(Coordinator::new(config)),
            clock: SteadyClock::start(),
            awaited: Awaited::default(),
            changed: Notify::new(),
        }
    }

    async fn ask(self: &Rc<Self>, event: impl FnOnce(ReplyToken) -> Event) -> Result<Response, GroupError> {
        let (token, answer) = self.awaited.question();
        self.handle(event(token));
        answer.await.map_err(|_| GroupError::CoordinatorNotAvailable)
    }

    fn handle(self: &Rc<Self>, event: Event) {
        let effects = self.coordinator.borrow_mut().handle(event, self.clock.now_ms());
        for effect in effects {
            match effect {
                Effect::Reply(token, response) => self.awaited.answer(token, response),
                Effect::Append { batch, then } => {
                    // Queued here, in order; only the waiting is a task.
                    let append = self.log.append(vec![Bytes::from(batch)]);
                    let is_fenced = |error: &AppendError| matches!(error, AppendError::InvalidProducerEpoch { .. });
                    self.hand_back(then, is_fenced, async move { append.await.map(drop) });
                }
                Effect::AppendMarker { ended, then } => {
                    self.hand_back(then, is_refused_for_good, self.log.append_marker(marker(&ended)));
                }
            }
        }
        self.changed.notify_one();
    }

    /// Tells the coordinator how an append ended. What `is_fenced` says of an error is not tried again.
    fn hand_back(
        self: &Rc<Self>,
        then: ContinuationId,
        is_fenced: impl Fn(&AppendError) -> bool + 'static,
        append: impl Future<Output = Result<(), AppendError>> + 'static,
    ) {
        let keeper = Rc::clone(self);
        self.core.spawn(async move {
            let event = match append.await {
                Ok(()) => Event::Appended(then),
                Err(error) if is_fenced(&error) => Event::AppendFenced(then),
                Err(error) => {
                    tracing::error!(partition = keeper.partition, %error, "cannot append to the offsets partition");
                    Event::AppendFailed(then)
                }
            };
            keeper.handle(event);
        });
    }

    async fn run(self: Rc<Self>, snapshot_check_interval: Duration) {
        if let Err(error) = self.load().await {
            // Never a guess: the group's clients wait until a person has looked.
            tracing::error!(partition = self.partition, %error, "cannot load the groups of an offsets partition");
            return;
        }
        self.forget_missing_topics(&broker::local().catalog());
        let mut next_check = tokio::time::interval(snapshot_check_interval);
        loop {
            let deadline_ms = self.coordinator.borrow().next_deadline_ms();
            let deadline = self.clock.instant_of(deadline_ms.unwrap_or(i64::MAX));
            tokio::select! {
                () = self.changed.notified() => {}
                () = tokio::time::sleep_until(deadline) => self.handle(Event::Tick),
                _ = next_check.tick() => self.shorten_log().await,
            }
        }
    }

    async fn load(&self) -> Result<(), ReplayError> {
        self.log
            .read_all(|bytes| {
                let loaded = self.coordinator.borrow_mut().load(bytes);
                loaded.map_err(|error| ReplayError::Group(Box::new(error)))
            })
            .await?;
        self.coordinator.borrow_mut().loaded(self.clock.now_ms());
        Ok(())
    }

    /// A topic that was deleted before its offsets were loaded, or just before a crash.
    fn forget_missing_topics(self: &Rc<Self>, catalog: &Catalog) {
        let committed = |coordinator: &Coordinator| -> Vec<String> {
            let missing = coordinator.committed_topics().into_iter().filter(|topic| catalog.topic(topic).is_none());
            missing.map(str::to_owned).collect()
        };
        let missing = committed(&self.coordinator.borrow());
        if !missing.is_empty() {
            self.handle(Event::TopicsDeleted(missing));
        }
    }

    async fn shorten_log(&self) {
        let live = || self.coordinator.borrow().snapshot(self.clock.now_ms());
        if let Err(error) = self.log.shorten(live).await {
            tracing::warn!(partition = self.partition, %error, "cannot shorten the log of an offsets partition");
        }
    }
}

fn marker(ended: &EndedTransaction) -> TransactionMarker {
    TransactionMarker {
        producer_id: ended.producer.id,
        producer_epoch: ended.producer.epoch,
        coordinator_epoch: ended.coordinator_epoch,
        kind: if ended.commits { MarkerKind::Commit } else { MarkerKind::Abort },
    }
}

fn group_config(settings: &Settings) -> GroupConfig {
    // The table of keys keeps these within an i32.
    let int = |value: i64| i32::try_from(value).unwrap_or(i32::MAX);
    GroupConfig {
        initial_rebalance_delay_ms: int(settings.group_initial_rebalance_delay_ms),
        session_timeout_min_ms: int(settings.group_min_session_timeout_ms),
        session_timeout_max_ms: int(settings.group_max_session_timeout_ms),
        members_max: settings.group_max_size.min(GROUP_MEMBERS_MAX),
        consumer: ConsumerConfig {
            session_timeout_ms: int(settings.group_consumer_session_timeout_ms),
            heartbeat_interval_ms: int(settings.group_consumer_heartbeat_interval_ms),
            members_max: settings.group_consumer_max_size.min(GROUP_MEMBERS_MAX),
            assignors: settings.group_consumer_assignors,
            migration: settings.group_consumer_migration_policy,
        },
        offset_metadata_bytes_max: settings.offset_metadata_max_bytes,
        offsets_retention_ms: settings.offsets_retention_minutes.saturating_mul(60_000),
        offsets_retention_check_interval_ms: settings.offsets_retention_check_interval_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_as_kafka_has_them_unless_set_otherwise() {
        assert_eq!(group_config(&Settings::default()), GroupConfig::default());
    }

    #[test]
    fn expired_offsets_are_looked_for_as_often_as_set() {
        let settings = Settings { offsets_retention_check_interval_ms: 1_000, ..Settings::default() };
        assert_eq!(group_config(&settings).offsets_retention_check_interval_ms, 1_000);
    }
}
