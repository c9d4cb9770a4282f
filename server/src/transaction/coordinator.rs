//! The transactional ids of one partition of `__transaction_state`: (event, time) in, appends, markers and replies out, no I/O.
//!
//! A change is in force, and is answered, only after its append is durable; until then others of the same id are refused as concurrent.
//! The edge performs the appends of one coordinator in the order in which they were asked for, and hands each continuation back once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::offset::ShardId;

use super::end::Markers;
use super::refusal::refuse;
use super::{
    AddRequest, EndRequest, InitRequest, ListRequest, ProducerIdentity, ReplyToken, Response, Status, Transaction,
    TransactionConfig, TransactionError, TransactionRecord, VerifyRequest,
};
use crate::limits::{TRANSACTIONAL_IDS_EXPIRED_AT_ONCE_MAX, TRANSACTIONAL_IDS_EXPIRY_CHECK_MS};

/// Names an append whose end the coordinator waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContinuationId(u64);

/// What happens to a coordinator.
#[derive(Debug, Clone)]
pub enum Event {
    /// `InitProducerId` with a transactional id.
    Init(ReplyToken, InitRequest),
    /// `AddPartitionsToTxn` or `AddOffsetsToTxn`.
    Add(ReplyToken, AddRequest),
    /// `EndTxn`.
    End(ReplyToken, EndRequest),
    /// Somebody is about to write in a transaction.
    Verify(ReplyToken, VerifyRequest),
    /// `DescribeTransactions`, one id.
    Describe(ReplyToken, String),
    /// `ListTransactions`.
    List(ReplyToken, Arc<ListRequest>),
    /// An append is durable.
    Appended(ContinuationId),
    /// An append was refused or did not become durable.
    AppendFailed(ContinuationId),
    /// All partitions of the id's transaction have its marker.
    MarkersWritten(String),
    /// Some partition cannot take the marker now; the edge tries on.
    MarkersDelayed(String),
    /// Time passed; see [`Coordinator::next_deadline_ms`].
    Tick,
}

/// What a coordinator wants done, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Append this batch to the coordinator's partition, then hand `then` back when it is durable.
    Append {
        /// One whole batch.
        batch: Vec<u8>,
        /// For [`Event::Appended`] or [`Event::AppendFailed`].
        then: ContinuationId,
    },
    /// Tell partitions how a transaction ended.
    WriteMarkers(Markers),
    /// Answer a token.
    Reply(ReplyToken, Response),
}

/// What an append is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Init(ReplyToken),
    Add(ReplyToken),
    /// The producer ends its transaction.
    End(ReplyToken),
    /// Another producer takes over and the open transaction is in its way.
    EndForInit(ReplyToken),
    EndForTimeout,
    Complete,
    Expire,
}

/// A change on its way to the disk.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) next: Transaction,
    pub(super) previous: Option<ProducerIdentity>,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) current: Transaction,
    pub(super) pending: Option<Pending>,
    /// Who the producer was before it asked for its present epoch; none when that was a new producer. Not persisted: a producer that asks
    /// again because it has missed the answer is known until the next start.
    pub(super) previous: Option<ProducerIdentity>,
    /// Who waits for the markers.
    pub(super) waits_for_end: Option<ReplyToken>,
    /// Shards that remember partitions of the open transaction. A start leaves none.
    pub(super) verified_on: BTreeSet<ShardId>,
    /// After an abort that could not be written.
    pub(super) retry_at_ms: Option<i64>,
    deadline_ms: Option<i64>,
}

/// The transactional ids of one partition.
#[derive(Debug)]
pub struct Coordinator {
    pub(super) config: TransactionConfig,
    pub(super) entries: BTreeMap<String, Entry>,
    pub(super) deadlines: BTreeSet<(i64, String)>,
    /// `None` while the log is replayed.
    pub(super) next_expiry_ms: Option<i64>,
    last_continuation: u64,
    continuations: BTreeMap<ContinuationId, (String, Then)>,
    pub(super) effects: Vec<Effect>,
    pub(super) grows_no_more: bool,
}

impl Coordinator {
    /// A coordinator that must be loaded before it serves.
    pub fn new(config: TransactionConfig) -> Self {
        Self {
            config,
            entries: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            next_expiry_ms: None,
            last_continuation: 0,
            continuations: BTreeMap::new(),
            effects: Vec::new(),
            grows_no_more: false,
        }
    }

    /// Whether the log is still being replayed.
    pub fn is_loading(&self) -> bool {
        self.next_expiry_ms.is_none()
    }

    /// When [`Event::Tick`] is due, if nothing else happens.
    pub fn next_deadline_ms(&self) -> Option<i64> {
        let expiry_ms = self.next_expiry_ms?;
        Some(self.deadlines.first().map_or(expiry_ms, |(deadline_ms, _)| expiry_ms.min(*deadline_ms)))
    }

    /// Takes one event and gives what must be done because of it, in order.
    pub fn handle(&mut self, event: Event, now_ms: i64) -> Vec<Effect> {
        if self.is_loading() {
            return refuse(&event, TransactionError::CoordinatorLoadInProgress).into_iter().collect();
        }
        match event {
            Event::Init(token, request) => self.init(token, &request, now_ms),
            Event::Add(token, request) => self.add(token, request, now_ms),
            Event::End(token, request) => self.end(token, &request, now_ms),
            Event::Verify(token, request) => {
                let outcome = self.verify(&request);
                self.reply(token, Response::Done(outcome));
            }
            Event::Describe(token, transactional_id) => {
                let description = self.describe(&transactional_id);
                self.reply(token, Response::Described(description));
            }
            Event::List(token, request) => {
                let listings = self.list(&request, now_ms);
                self.reply(token, Response::Listed(Ok(listings)));
            }
            Event::Appended(id) => self.appended(id),
            Event::AppendFailed(id) => self.append_failed(id, now_ms),
            Event::MarkersWritten(transactional_id) => self.markers_written(&transactional_id, now_ms),
            Event::MarkersDelayed(transactional_id) => self.markers_delayed(&transactional_id),
            Event::Tick => self.tick(now_ms),
        }
        std::mem::take(&mut self.effects)
    }

    fn add(&mut self, token: ReplyToken, request: AddRequest, now_ms: i64) {
        match self.check_add(&request) {
            Ok(true) => self.reply(token, Response::Done(Ok(()))),
            Ok(false) => {
                let mut next = self.entries[&request.transactional_id].current.clone();
                if next.status != Status::Ongoing {
                    next.status = Status::Ongoing;
                    next.started_ms = now_ms;
                }
                for (topic, partitions) in request.partitions {
                    next.partitions.entry(topic).or_default().extend(partitions);
                }
                if let Err(error) = self.check_size(&next.partitions) {
                    return self.reply(token, Response::Done(Err(error)));
                }
                let previous = self.entries[&request.transactional_id].previous;
                self.change(&request.transactional_id, next, previous, Then::Add(token), now_ms);
            }
            Err(error) => self.reply(token, Response::Done(Err(error))),
        }
    }

    /// Whether the transaction has all of these partitions already.
    fn check_add(&self, request: &AddRequest) -> Result<bool, TransactionError> {
        let entry = self.owned_entry(&request.transactional_id, request.producer)?;
        match entry.current.status {
            Status::PrepareCommit | Status::PrepareAbort | Status::Dead => {
                Err(TransactionError::ConcurrentTransactions)
            }
            Status::Ongoing => {
                let known = &entry.current.partitions;
                Ok(request
                    .partitions
                    .iter()
                    .all(|(topic, partitions)| known.get(topic).is_some_and(|known| known.is_superset(partitions))))
            }
            Status::Empty | Status::CompleteCommit | Status::CompleteAbort => Ok(false),
        }
    }

    /// The entry of an id, for the producer that owns it now.
    pub(super) fn owned_entry(
        &self,
        transactional_id: &str,
        producer: ProducerIdentity,
    ) -> Result<&Entry, TransactionError> {
        if transactional_id.is_empty() {
            return Err(TransactionError::InvalidRequest);
        }
        let entry = self.entries.get(transactional_id).ok_or(TransactionError::InvalidProducerIdMapping)?;
        if entry.current.producer.id != producer.id {
            return Err(TransactionError::InvalidProducerIdMapping);
        }
        if entry.current.producer.epoch != producer.epoch {
            return Err(TransactionError::ProducerFenced);
        }
        if entry.pending.is_some() {
            return Err(TransactionError::ConcurrentTransactions);
        }
        Ok(entry)
    }

    /// Begins a change: it is in force when its record is durable.
    pub(super) fn change(
        &mut self,
        transactional_id: &str,
        mut next: Transaction,
        previous: Option<ProducerIdentity>,
        then: Then,
        now_ms: i64,
    ) {
        next.updated_ms = now_ms;
        let value = (next.status != Status::Dead).then(|| next.clone());
        let record = TransactionRecord { transactional_id: transactional_id.to_owned(), value };
        let entry = self.entries.get_mut(transactional_id).expect("the caller made sure of the id");
        assert!(entry.pending.is_none(), "an id has one change under way");
        entry.pending = Some(Pending { next, previous });
        entry.retry_at_ms = None;
        self.append(&record, then, now_ms);
        self.reschedule(transactional_id);
    }

    pub(super) fn append(&mut self, record: &TransactionRecord, then: Then, now_ms: i64) {
        self.last_continuation += 1;
        let id = ContinuationId(self.last_continuation);
        self.continuations.insert(id, (record.transactional_id.clone(), then));
        self.effects.push(Effect::Append { batch: record.batch(now_ms), then: id });
    }

    fn appended(&mut self, id: ContinuationId) {
        let (transactional_id, then) = self.take_continuation(id);
        if then == Then::Complete {
            // In force since the last marker was written.
            return;
        }
        let entry = self.entries.get_mut(&transactional_id).expect("an id with a change under way stays");
        let Pending { next, previous } = entry.pending.take().expect("a change ends once");
        (entry.current, entry.previous) = (next, previous);
        match then {
            Then::Init(token) => {
                let producer = entry.current.producer;
                self.reply(token, Response::Init(Ok(producer)));
            }
            Then::Add(token) => self.reply(token, Response::Done(Ok(()))),
            Then::End(token) => {
                entry.waits_for_end = Some(token);
                self.write_markers(&transactional_id);
            }
            Then::EndForInit(token) => {
                // The newcomer asks again, until the transaction is out of its way.
                self.reply(token, Response::Init(Err(TransactionError::ConcurrentTransactions)));
                self.write_markers(&transactional_id);
            }
            Then::EndForTimeout => self.write_markers(&transactional_id),
            Then::Expire => {
                self.entries.remove(&transactional_id);
            }
            Then::Complete => {}
        }
        self.reschedule(&transactional_id);
    }

    fn append_failed(&mut self, id: ContinuationId, now_ms: i64) {
        let (transactional_id, then) = self.take_continuation(id);
        if then == Then::Complete {
            // The log says that the markers must be written; after a restart they are, once more.
            return;
        }
        let entry = self.entries.get_mut(&transactional_id).expect("an id with a change under way stays");
        entry.pending = None;
        let error = TransactionError::CoordinatorNotAvailable;
        match then {
            Then::Init(token) | Then::EndForInit(token) => self.reply(token, Response::Init(Err(error))),
            Then::Add(token) | Then::End(token) => self.reply(token, Response::Done(Err(error))),
            Then::EndForTimeout => entry.retry_at_ms = Some(now_ms.saturating_add(RETRY_MS)),
            Then::Expire | Then::Complete => {}
        }
        if !self.entries[&transactional_id].current.is_given() {
            self.entries.remove(&transactional_id);
        }
        self.reschedule(&transactional_id);
    }

    fn take_continuation(&mut self, id: ContinuationId) -> (String, Then) {
        self.continuations.remove(&id).expect("the edge hands each continuation back once")
    }

    fn tick(&mut self, now_ms: i64) {
        let due = self.deadlines.iter().take_while(|(deadline_ms, _)| *deadline_ms <= now_ms);
        let due: Vec<_> = due.map(|(_, transactional_id)| transactional_id.clone()).collect();
        for transactional_id in due {
            self.abort(&transactional_id, Then::EndForTimeout, now_ms);
        }
        if self.next_expiry_ms.is_some_and(|expiry_ms| expiry_ms <= now_ms) {
            self.serve_from(now_ms);
            self.expire(now_ms);
        }
    }

    pub(super) fn serve_from(&mut self, now_ms: i64) {
        let interval_ms = TRANSACTIONAL_IDS_EXPIRY_CHECK_MS.min(self.config.expiration_ms);
        self.next_expiry_ms = Some(now_ms.saturating_add(interval_ms));
    }

    /// Forgets ids that had no transaction for long, some at a time.
    fn expire(&mut self, now_ms: i64) {
        let is_expired = |entry: &Entry| {
            let is_idle =
                matches!(entry.current.status, Status::Empty | Status::CompleteCommit | Status::CompleteAbort);
            let idle_ms = now_ms.saturating_sub(entry.current.updated_ms);
            is_idle && entry.pending.is_none() && idle_ms >= self.config.expiration_ms
        };
        let expired = self.entries.iter().filter(|(_, entry)| is_expired(entry));
        let expired = expired.take(TRANSACTIONAL_IDS_EXPIRED_AT_ONCE_MAX);
        let expired: Vec<_> = expired.map(|(id, entry)| (id.clone(), entry.current.clone())).collect();
        if expired.len() == TRANSACTIONAL_IDS_EXPIRED_AT_ONCE_MAX {
            self.next_expiry_ms = Some(now_ms.saturating_add(NEXT_EXPIRY_MS));
        }
        for (transactional_id, current) in expired {
            let next = Transaction { status: Status::Dead, ..current };
            self.change(&transactional_id, next, None, Then::Expire, now_ms);
        }
    }

    /// After a change of an id: keeps its deadline in order.
    pub(super) fn reschedule(&mut self, transactional_id: &str) {
        let Some(entry) = self.entries.get_mut(transactional_id) else {
            return;
        };
        let is_open = entry.current.status == Status::Ongoing && entry.pending.is_none();
        let times_out_at_ms = entry.current.started_ms.saturating_add(i64::from(entry.current.timeout_ms));
        let deadline_ms = is_open.then(|| entry.retry_at_ms.unwrap_or(i64::MIN).max(times_out_at_ms));
        if deadline_ms != entry.deadline_ms {
            if let Some(old_ms) = entry.deadline_ms {
                self.deadlines.remove(&(old_ms, transactional_id.to_owned()));
            }
            self.deadlines.extend(deadline_ms.map(|deadline_ms| (deadline_ms, transactional_id.to_owned())));
            entry.deadline_ms = deadline_ms;
        }
    }

    pub(super) fn reply(&mut self, token: ReplyToken, response: Response) {
        self.effects.push(Effect::Reply(token, response));
    }
}

impl Entry {
    pub(super) fn new(current: Transaction) -> Self {
        Self {
            current,
            pending: None,
            previous: None,
            waits_for_end: None,
            verified_on: BTreeSet::new(),
            retry_at_ms: None,
            deadline_ms: None,
        }
    }
}

/// Until more ids are forgotten, when there were too many for once.
const NEXT_EXPIRY_MS: i64 = 1_000;
/// Until an abort that could not be written is tried again.
const RETRY_MS: i64 = 10_000;
