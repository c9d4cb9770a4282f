//! The groups of one partition of `__consumer_offsets`: (event, time) in, appends and replies out, no I/O.
//!
//! A commit is acknowledged, and seen by others, only after its append is durable. The edge performs the appends of one
//! coordinator in the order in which they were asked for, and hands each continuation back once.

use std::collections::{BTreeMap, BTreeSet};

use super::consumer::{ConsumerGroup, not_persisted};
use super::event::{ContinuationId, Effect, Event};
use super::last_markers::{LastMarkers, MarkersSeen};
use super::pending::PendingOffsets;
use super::records::encode_batch;
use super::refusal::{refuse, refuse_without_group};
use super::{
    CommitResponse, EndedTransaction, Group, GroupConfig, GroupEffect, GroupError, GroupEvent, GroupMetadata,
    JoinRequest, JoinResponse, Offsets, OffsetsRecord, Persisting, ReplyToken, Response, TopicsView,
};
use crate::limits::GROUPS_PER_COORDINATOR_MAX;

/// Before the order of all records.
pub(super) const REPLAY_ORDER: u64 = 0;

#[derive(Debug)]
struct Continuation {
    group_id: String,
    records: Vec<OffsetsRecord>,
    then: Then,
}

#[derive(Debug)]
pub(super) enum Then {
    Commit(ReplyToken, CommitResponse),
    /// Of the transaction of this producer id.
    CommitInTransaction(ReplyToken, CommitResponse, i64),
    Group(Persisting),
    /// A change of a group of the consumer protocol.
    Consumers,
    /// A group of that became a classic one; who waits for it.
    BecameClassic(Option<(ReplyToken, Response)>),
    Forgotten,
    Deleted(ReplyToken),
    OffsetsDeleted(ReplyToken, CommitResponse),
}

/// The last group record that was sent to the log.
#[derive(Debug)]
pub(super) struct Logged {
    pub(super) metadata: GroupMetadata,
    pub(super) order: u64,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) group: Group,
    /// Where it is a group of the consumer protocol; `group` is an empty one then.
    pub(super) consumers: Option<Box<ConsumerGroup>>,
    pub(super) offsets: Offsets,
    /// What open transactions will commit, durable or on its way.
    pub(super) pending: PendingOffsets,
    /// Not the group's present state: a rebalance is persisted only when it is complete.
    pub(super) logged: Option<Logged>,
    pub(super) appends_under_way: usize,
    /// Something was committed: it stays until the next check for expired offsets even if nothing is left of that.
    pub(super) lingers: bool,
    deadline_ms: Option<i64>,
}

impl Entry {
    /// Since when nobody is in the group.
    pub(super) fn empty_since_ms(&self) -> Option<i64> {
        match &self.consumers {
            Some(consumers) => consumers.empty_since_ms(),
            None => self.group.empty_since_ms(),
        }
    }

    fn next_deadline_ms(&self) -> Option<i64> {
        match &self.consumers {
            Some(consumers) => consumers.next_deadline_ms(),
            None => self.group.next_deadline_ms(),
        }
    }
}

/// The groups of one offsets partition.
#[derive(Debug)]
pub struct Coordinator {
    pub(super) config: GroupConfig,
    pub(super) groups: BTreeMap<String, Entry>,
    pub(super) topics: TopicsView,
    deadlines: BTreeSet<(i64, String)>,
    /// `None` while the log is replayed.
    next_expiry_ms: Option<i64>,
    pub(super) last_order: u64,
    /// Groups that have pending offsets of a producer id.
    pub(super) transactions: BTreeMap<i64, BTreeSet<String>>,
    /// Markers on their way.
    pub(super) markers: BTreeMap<ContinuationId, (ReplyToken, EndedTransaction)>,
    /// The last ones that were taken.
    pub(super) last_markers: LastMarkers,
    continuations: BTreeMap<ContinuationId, Continuation>,
    pub(super) effects: Vec<Effect>,
    pub(super) grows_no_more: bool,
}

impl Coordinator {
    /// A coordinator that must be loaded before it serves.
    pub fn new(config: GroupConfig) -> Self {
        Self {
            config,
            groups: BTreeMap::new(),
            topics: TopicsView::default(),
            deadlines: BTreeSet::new(),
            next_expiry_ms: None,
            last_order: REPLAY_ORDER,
            transactions: BTreeMap::new(),
            markers: BTreeMap::new(),
            last_markers: LastMarkers::default(),
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
        if let Event::Topics(view) = event {
            self.topics_changed(view);
            return Vec::new();
        }
        if self.is_loading() {
            return refuse(event, GroupError::CoordinatorLoadInProgress).into_iter().collect();
        }
        match event {
            Event::Join(token, request) => self.join(token, request, now_ms),
            Event::Sync(token, request) => {
                let group_id = request.group_id.clone();
                self.group_request(&group_id, GroupEvent::Sync(token, request), now_ms);
            }
            Event::Heartbeat(token, request) => {
                let group_id = request.group_id.clone();
                self.group_request(&group_id, GroupEvent::Heartbeat(token, request), now_ms);
            }
            Event::Leave(token, request) => {
                let group_id = request.group_id.clone();
                self.group_request(&group_id, GroupEvent::Leave(token, request), now_ms);
            }
            Event::ConsumerHeartbeat(token, request) => self.consumer_heartbeat(token, request, now_ms),
            Event::DescribeConsumers(token, group_id) => self.describe_consumers(token, &group_id),
            Event::Topics(_) => {}
            Event::Commit(token, request) => self.commit(token, &request, now_ms),
            Event::CommitInTransaction(token, request) => self.commit_in_transaction(token, &request, now_ms),
            Event::Markers(token) => self.reply(token, Response::Markers(Ok(MarkersSeen(self.last_order)))),
            Event::TransactionEnded(token, ended) => self.transaction_ended(token, ended),
            Event::OffsetFetch(token, request) => {
                let response = self.fetch_offsets(&request);
                self.reply(token, Response::OffsetFetch(response));
            }
            Event::Describe(token, group_id) => self.describe(token, group_id),
            Event::List(token) => self.list(token),
            Event::Delete(token, group_id) => self.delete_group(token, &group_id, now_ms),
            Event::DeleteOffsets(token, group_id, asked) => self.delete_offsets(token, &group_id, &asked, now_ms),
            Event::TopicsDeleted(topics) => self.topics_deleted(&topics, now_ms),
            Event::Appended(id) => self.appended(id, now_ms),
            Event::AppendFailed(id) => self.append_failed(id, GroupError::CoordinatorNotAvailable, now_ms),
            Event::AppendFenced(id) => self.append_failed(id, GroupError::InvalidProducerEpoch, now_ms),
            Event::Tick => self.tick(now_ms),
        }
        std::mem::take(&mut self.effects)
    }

    pub(super) fn join(&mut self, token: ReplyToken, request: JoinRequest, now_ms: i64) {
        if request.member_id.is_empty() && !self.grows_no_more {
            self.end_empty_consumers(&request.group_id, now_ms);
        }
        let refusal = if request.group_id.is_empty() {
            Some(GroupError::InvalidGroupId)
        } else if self.grows_no_more && request.member_id.is_empty() {
            Some(GroupError::CoordinatorNotAvailable)
        } else if self.groups.contains_key(&request.group_id) {
            None
        } else if !request.member_id.is_empty() {
            Some(GroupError::UnknownMemberId)
        } else if self.groups.len() >= GROUPS_PER_COORDINATOR_MAX {
            Some(GroupError::GroupMaxSizeReached)
        } else {
            None
        };
        if let Some(error) = refusal {
            return self.reply(token, Response::Join(JoinResponse::refused(request.member_id, error)));
        }
        let group_id = request.group_id.clone();
        self.ensure_group(&group_id, now_ms);
        match &self.groups[&group_id].consumers {
            Some(consumers) if consumers.empty_since_ms().is_some() => {
                // Who comes back to an empty group is no member of it any more.
                let refused = JoinResponse::refused(request.member_id, GroupError::UnknownMemberId);
                self.reply(token, Response::Join(refused));
            }
            _ => self.group_event(&group_id, GroupEvent::Join(token, request), now_ms),
        }
    }

    /// A request that only makes sense for a group that is there.
    pub(super) fn group_request(&mut self, group_id: &str, event: GroupEvent, now_ms: i64) {
        // Offsets may stand under the empty id, members never do.
        if !group_id.is_empty() && self.groups.contains_key(group_id) {
            return self.group_event(group_id, event, now_ms);
        }
        if let Some((token, response)) = refuse_without_group(group_id, event) {
            self.reply(token, response);
        }
    }

    pub(super) fn group_event(&mut self, group_id: &str, event: GroupEvent, now_ms: i64) {
        let entry = self.groups.get_mut(group_id).expect("the caller made sure of the group");
        if entry.consumers.is_some() {
            return self.event_of_consumers(group_id, event, now_ms);
        }
        for effect in entry.group.handle(event, now_ms) {
            match effect {
                GroupEffect::Reply(token, response) => self.reply(token, response),
                GroupEffect::Persist { metadata, then } => {
                    let record = OffsetsRecord::Group { group_id: group_id.to_owned(), value: Some(metadata.clone()) };
                    let batch = encode_batch([&record], now_ms);
                    // The group keeps its own copy of what is under way; the continuation needs none.
                    let order = self.append(batch, group_id, Vec::new(), Then::Group(then));
                    let entry = self.groups.get_mut(group_id).expect("groups with appends under way stay");
                    entry.logged = Some(Logged { metadata, order });
                }
            }
        }
        self.reschedule(group_id);
    }

    pub(super) fn append(&mut self, batch: Vec<u8>, group_id: &str, records: Vec<OffsetsRecord>, then: Then) -> u64 {
        let id = self.next_continuation();
        let entry = self.groups.get_mut(group_id).expect("the caller made sure of the group");
        entry.appends_under_way += 1;
        self.continuations.insert(id, Continuation { group_id: group_id.to_owned(), records, then });
        self.effects.push(Effect::Append { batch, then: id });
        id.0
    }

    pub(super) fn next_continuation(&mut self) -> ContinuationId {
        self.last_order += 1;
        ContinuationId(self.last_order)
    }

    fn appended(&mut self, id: ContinuationId, now_ms: i64) {
        if let Some((token, ended)) = self.markers.remove(&id) {
            self.apply_marker(&ended, id.0);
            return self.reply(token, Response::Ended(Ok(())));
        }
        let Continuation { group_id, records, then } = self.take_continuation(id);
        for record in &records {
            self.apply(record, id.0);
        }
        match then {
            Then::Commit(token, response) => self.reply(token, Response::Commit(response)),
            Then::CommitInTransaction(token, response, producer_id) => {
                self.settle_pending(producer_id, &group_id, id.0);
                self.reply(token, Response::Commit(response));
            }
            Then::Group(then) => self.group_event(&group_id, GroupEvent::Persisted { then, durable: true }, now_ms),
            Then::Consumers => self.consumers_persisted(&group_id, true, now_ms),
            Then::BecameClassic(reply) => {
                self.effects.extend(reply.map(|(token, response)| Effect::Reply(token, response)));
            }
            Then::Deleted(token) => {
                self.let_go(&group_id);
                self.reply(token, Response::Delete(Ok(())));
            }
            Then::OffsetsDeleted(token, outcomes) => {
                self.reply(token, Response::DeleteOffsets(Ok(outcomes)));
            }
            Then::Forgotten => {}
        }
        self.reschedule(&group_id);
    }

    fn append_failed(&mut self, id: ContinuationId, error: GroupError, now_ms: i64) {
        if let Some((token, _)) = self.markers.remove(&id) {
            return self.reply(token, Response::Ended(Err(error)));
        }
        let Continuation { group_id, then, .. } = self.take_continuation(id);
        match then {
            Then::Commit(token, response) => self.reply(token, Response::Commit(response.failed(error))),
            Then::CommitInTransaction(token, response, producer_id) => {
                self.undo_pending(producer_id, &group_id, id.0);
                self.reply(token, Response::Commit(response.failed(error)));
            }
            Then::Group(then) => self.group_event(&group_id, GroupEvent::Persisted { then, durable: false }, now_ms),
            Then::Consumers => self.consumers_persisted(&group_id, false, now_ms),
            Then::BecameClassic(reply) => {
                let failed = |(token, response)| Effect::Reply(token, not_persisted(response));
                self.effects.extend(reply.map(failed));
            }
            Then::Deleted(token) => self.reply(token, Response::Delete(Err(error))),
            Then::OffsetsDeleted(token, _) => self.reply(token, Response::DeleteOffsets(Err(error))),
            // The next check, or the next load, finds the same offsets.
            Then::Forgotten => {}
        }
        self.reschedule(&group_id);
    }

    fn take_continuation(&mut self, id: ContinuationId) -> Continuation {
        let continuation = self.continuations.remove(&id).expect("the edge hands each continuation back once");
        let entry = self.groups.get_mut(&continuation.group_id).expect("groups with appends under way stay");
        entry.appends_under_way -= 1;
        continuation
    }

    fn tick(&mut self, now_ms: i64) {
        let due = self.deadlines.iter().take_while(|(deadline_ms, _)| *deadline_ms <= now_ms);
        let due: Vec<_> = due.map(|(_, group_id)| group_id.clone()).collect();
        for group_id in due {
            self.group_event(&group_id, GroupEvent::Tick, now_ms);
        }
        if self.next_expiry_ms.is_some_and(|expiry_ms| expiry_ms <= now_ms) {
            self.serve_from(now_ms);
            let group_ids: Vec<_> = self.groups.keys().cloned().collect();
            for group_id in group_ids {
                self.expire(&group_id, now_ms);
            }
        }
    }

    pub(super) fn serve_from(&mut self, now_ms: i64) {
        self.next_expiry_ms = Some(now_ms.saturating_add(self.config.offsets_retention_check_interval_ms));
    }

    /// Records on their way with the order of their append, oldest first.
    pub(super) fn records_under_way(&self) -> impl Iterator<Item = (u64, &OffsetsRecord)> {
        self.continuations.iter().flat_map(|(id, under_way)| under_way.records.iter().map(|record| (id.0, record)))
    }

    pub(super) fn ensure_group(&mut self, group_id: &str, now_ms: i64) {
        if self.groups.contains_key(group_id) {
            return;
        }
        let entry = Entry {
            group: Group::new(group_id.to_owned(), self.config, now_ms),
            consumers: None,
            offsets: Offsets::default(),
            pending: PendingOffsets::default(),
            logged: None,
            appends_under_way: 0,
            lingers: false,
            deadline_ms: None,
        };
        self.groups.insert(group_id.to_owned(), entry);
    }

    /// After a change of a group: keeps its deadline in order, and drops a group that is nothing any more.
    pub(super) fn reschedule(&mut self, group_id: &str) {
        let Some(entry) = self.groups.get_mut(group_id) else {
            return;
        };
        drop(entry.consumers.take_if(|consumers| consumers.is_nothing()));
        let deadline_ms = entry.next_deadline_ms();
        if deadline_ms != entry.deadline_ms {
            if let Some(old_ms) = entry.deadline_ms {
                self.deadlines.remove(&(old_ms, group_id.to_owned()));
            }
            self.deadlines.extend(deadline_ms.map(|deadline_ms| (deadline_ms, group_id.to_owned())));
            entry.deadline_ms = deadline_ms;
        }
        let nothing_logged = entry.logged.is_none()
            && entry.consumers.is_none()
            && entry.offsets.is_empty()
            && entry.appends_under_way == 0;
        if nothing_logged && !entry.lingers && entry.pending.is_empty() && entry.group.empty_since_ms().is_some() {
            self.groups.remove(group_id);
        }
    }

    pub(super) fn reply(&mut self, token: ReplyToken, response: Response) {
        self.effects.push(Effect::Reply(token, response));
    }
}
