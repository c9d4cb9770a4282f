//! Commits in transactions: written at once as a part of the producer's transaction, seen when its commit marker is durable, dropped at its
//! abort marker. The marker of a partition passes through its coordinator, so that it lies behind all that it ends.

use std::collections::BTreeMap;

use protocol::record_batch::{BatchBuilder, BatchHeader};

use super::commit::refused_commit;
use super::coordinator::{Coordinator, Then};
use super::event::Effect;
use super::pending::{PendingOffset, PendingView};
use super::records::{encode_batch, encode_transactional, transactional_batch};
use super::{EndedTransaction, GroupError, OffsetsRecord, ReplyToken, Response, TransactionalCommitRequest};
use crate::limits::{OFFSETS_BATCH_BYTES_MAX, OFFSETS_SNAPSHOT_BATCH_BYTES};
use crate::transaction::ProducerIdentity;

/// The last two bytes of the key of a commit marker; the first two are its version.
const COMMIT_MARKER: [u8; 2] = [0, 1];

impl Coordinator {
    pub(super) fn commit_in_transaction(
        &mut self,
        token: ReplyToken,
        request: &TransactionalCommitRequest,
        now_ms: i64,
    ) {
        let commit = &request.commit;
        let is_open = self.last_markers.check(request.producer.id, request.seen);
        let check = is_open.and_then(|()| self.check_growth(request));
        match check.and_then(|()| self.check_commit(commit, true, now_ms)) {
            Ok(()) => self.commit_in_transaction_checked(token, request, now_ms),
            Err(GroupError::GroupIdNotFound) => {
                let refused = refused_commit(commit, GroupError::IllegalGeneration);
                self.reply(token, Response::Commit(refused));
            }
            Err(error) => self.reply(token, Response::Commit(refused_commit(commit, error))),
        }
        self.reschedule(&commit.group_id);
    }

    /// Without memory no more offsets of a group are pending than it has committed already.
    fn check_growth(&self, request: &TransactionalCommitRequest) -> Result<(), GroupError> {
        let Some(entry) = self.groups.get(&request.commit.group_id).filter(|_| self.grows_no_more) else {
            return Ok(());
        };
        let committed = request.commit.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(move |committed| (topic.topic.as_str(), committed.partition))
        });
        let id = request.producer.id;
        let added = committed.filter(|(topic, partition)| !entry.pending.has_of(id, topic, *partition)).count();
        if added > 0 && entry.pending.len() + added > entry.offsets.len() {
            return Err(GroupError::CoordinatorNotAvailable);
        }
        Ok(())
    }

    fn commit_in_transaction_checked(&mut self, token: ReplyToken, request: &TransactionalCommitRequest, now_ms: i64) {
        let TransactionalCommitRequest { producer, commit, .. } = request;
        let (response, records) = self.commit_records(commit, now_ms);
        if records.is_empty() {
            return self.reply(token, Response::Commit(response));
        }
        let batch = encode_transactional(&records, *producer, now_ms);
        if batch.len() > OFFSETS_BATCH_BYTES_MAX {
            let refused = refused_commit(commit, GroupError::InvalidCommitOffsetSize);
            return self.reply(token, Response::Commit(refused));
        }
        let then = Then::CommitInTransaction(token, response, producer.id);
        let order = self.append(batch, &commit.group_id, Vec::new(), then);
        for record in records {
            self.put_pending(*producer, record, order);
        }
    }

    /// Takes over a record of an open transaction; live path and replay alike.
    pub(super) fn put_pending(&mut self, producer: ProducerIdentity, record: OffsetsRecord, order: u64) {
        let OffsetsRecord::Offset { group_id, topic, partition, value: Some(committed) } = record else {
            return;
        };
        self.ensure_group(&group_id, 0);
        let is_durable = self.is_loading();
        let entry = self.groups.get_mut(&group_id).expect("the group was just made sure of");
        entry.pending.put(producer, (topic, partition), PendingOffset { committed, order }, is_durable);
        self.transactions.entry(producer.id).or_default().insert(group_id);
    }

    pub(super) fn settle_pending(&mut self, producer_id: i64, group_id: &str, order: u64) {
        let entry = self.groups.get_mut(group_id).expect("groups with appends under way stay");
        entry.pending.settle(producer_id, order);
        entry.lingers = true;
    }

    pub(super) fn undo_pending(&mut self, producer_id: i64, group_id: &str, order: u64) {
        let entry = self.groups.get_mut(group_id).expect("groups with appends under way stay");
        entry.pending.undo(producer_id, order);
        self.note_pending(producer_id, group_id);
    }

    /// Keeps the index of groups by producer true.
    fn note_pending(&mut self, producer_id: i64, group_id: &str) {
        let is_pending = self.groups.get(group_id).is_some_and(|entry| entry.pending.has_producer(producer_id));
        if let Some(groups) = self.transactions.get_mut(&producer_id).filter(|_| !is_pending) {
            groups.remove(group_id);
            if groups.is_empty() {
                self.transactions.remove(&producer_id);
            }
        }
    }

    /// A tombstone takes what transactions were to commit with it.
    pub(super) fn forget_pending_before(&mut self, group_id: &str, topic: &str, partition: i32, order: u64) {
        let entry = self.groups.get_mut(group_id).expect("the caller made sure of the group");
        for producer_id in entry.pending.forget_before(topic, partition, order) {
            self.note_pending(producer_id, group_id);
        }
    }

    pub(super) fn forget_pending(&mut self, is_gone: &impl Fn(&str) -> bool) {
        self.groups.values_mut().for_each(|entry| entry.pending.forget_topics(is_gone));
        let pending = self.transactions.iter().flat_map(|(id, groups)| groups.iter().map(|group| (*id, group.clone())));
        for (producer_id, group_id) in pending.collect::<Vec<_>>() {
            self.note_pending(producer_id, &group_id);
            self.reschedule(&group_id);
        }
    }

    pub(super) fn transaction_ended(&mut self, token: ReplyToken, ended: EndedTransaction) {
        let then = self.next_continuation();
        self.last_markers.put(ended.producer.id, then.0);
        self.markers.insert(then, (token, ended));
        self.effects.push(Effect::AppendMarker { ended, then });
    }

    /// A durable marker; live path and replay alike.
    pub(super) fn apply_marker(&mut self, ended: &EndedTransaction, order: u64) {
        let producer_id = ended.producer.id;
        for group_id in self.transactions.get(&producer_id).cloned().unwrap_or_default() {
            let entry = self.groups.get_mut(&group_id).expect("groups with pending offsets stay");
            for ((topic, partition), pending) in entry.pending.take(producer_id, order) {
                if ended.commits {
                    entry.offsets.apply(&topic, partition, Some(pending.committed), pending.order);
                }
            }
            self.note_pending(producer_id, &group_id);
            if !self.is_loading() {
                self.reschedule(&group_id);
            }
        }
    }

    pub(super) fn load_marker(&mut self, header: &BatchHeader, key: &[u8], order: u64) {
        let producer = ProducerIdentity { id: header.producer_id, epoch: header.producer_epoch };
        let commits = key.get(2..4) == Some(&COMMIT_MARKER);
        self.apply_marker(&EndedTransaction { producer, coordinator_epoch: 0, commits }, order);
    }

    /// What a snapshot must say of open transactions, behind all else. Where the marker is on its way it lies before the snapshot, so its
    /// decision, which is durable, is taken as done. What a later commit has overtaken means nothing any more.
    pub(super) fn pending_snapshot(&self, now_ms: i64) -> Vec<Vec<u8>> {
        let mut newest = BTreeMap::new();
        for (order, record) in self.records_under_way() {
            if let OffsetsRecord::Offset { group_id, topic, partition, .. } = record {
                newest.insert((group_id.as_str(), topic.as_str(), *partition), order);
            }
        }
        let mut open: BTreeMap<i64, BatchBuilder> = BTreeMap::new();
        let mut batches = Vec::new();
        for (group_id, entry) in &self.groups {
            for view in entry.pending.iter() {
                let under_way = newest.get(&(group_id.as_str(), view.topic, view.partition)).copied();
                if entry.offsets.order(view.topic, view.partition).max(under_way) > Some(view.pending.order) {
                    continue;
                }
                let record = record_of(group_id, &view);
                match self.decision_under_way(&view) {
                    Some(true) => batches.push(encode_batch([&record], now_ms)),
                    Some(false) => {}
                    None => {
                        let producer = view.producer;
                        let batch = open.remove(&producer.id);
                        let mut batch = batch.unwrap_or_else(|| transactional_batch(producer, now_ms));
                        record.append_to(&mut batch, now_ms);
                        if batch.batch_bytes() >= OFFSETS_SNAPSHOT_BATCH_BYTES {
                            batches.push(batch.finish());
                        } else {
                            open.insert(producer.id, batch);
                        }
                    }
                }
            }
        }
        batches.extend(open.into_values().map(BatchBuilder::finish));
        batches
    }

    /// Whether a marker on its way commits this.
    fn decision_under_way(&self, view: &PendingView<'_>) -> Option<bool> {
        let ends = |id: u64, ended: &EndedTransaction| ended.producer.id == view.producer.id && id > view.pending.order;
        self.markers.iter().find(|(id, (_, ended))| ends(id.0, ended)).map(|(_, (_, ended))| ended.commits)
    }
}

fn record_of(group_id: &str, view: &PendingView<'_>) -> OffsetsRecord {
    OffsetsRecord::Offset {
        group_id: group_id.to_owned(),
        topic: view.topic.to_owned(),
        partition: view.partition,
        value: Some(view.pending.committed.clone()),
    }
}
