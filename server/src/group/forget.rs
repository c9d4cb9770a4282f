//! What a coordinator forgets: offsets past their retention, deleted groups, offsets of deleted topics. Each is a tombstone in the log, and
//! gone once that is durable.

use std::collections::{BTreeMap, BTreeSet};

use super::consumer_groups::of_group;
use super::coordinator::{Coordinator, Then};
use super::records::encode_batch;
use super::{GroupError, OffsetsRecord, ReplyToken, Response};
use crate::limits::OFFSETS_EXPIRED_PER_BATCH;

impl Coordinator {
    /// Forgets a group without members, and all that it has committed.
    pub(super) fn delete_group(&mut self, token: ReplyToken, group_id: &str, now_ms: i64) {
        let refusal = match self.groups.get(group_id) {
            None => Some(GroupError::GroupIdNotFound),
            Some(entry) if entry.empty_since_ms().is_none() => Some(GroupError::NonEmptyGroup),
            Some(_) => None,
        };
        if let Some(error) = refusal {
            return self.reply(token, Response::Delete(Err(error)));
        }
        // Commits on their way would be there again after the tombstones of those that are there.
        let under_way = offsets(self.records_under_way()).filter(|(id, ..)| *id == group_id);
        let under_way = under_way.map(|(_, topic, partition)| (topic.to_owned(), partition));
        let entry = &self.groups[group_id];
        let stored = entry.offsets.iter().map(|(topic, partition, _)| (topic, partition));
        // What open transactions were to commit goes too, as in Kafka.
        let pending = entry.pending.iter().map(|pending| (pending.topic, pending.partition));
        let known = stored.chain(pending).map(|(topic, partition)| (topic.to_owned(), partition));
        let doomed = under_way.chain(known).collect();
        self.forget(group_id, doomed, true, Then::Deleted(token), now_ms);
    }

    /// Forgets what was committed for topics that are gone: a later topic of the same name begins anew.
    pub(super) fn topics_deleted(&mut self, topics: &[String], now_ms: i64) {
        let is_gone = |topic: &str| topics.iter().any(|gone| gone == topic);
        let mut doomed = BTreeMap::<String, BTreeSet<_>>::new();
        for (group_id, topic, partition) in offsets(self.records_under_way()).filter(|(_, topic, _)| is_gone(topic)) {
            doomed.entry(group_id.to_owned()).or_default().insert((topic.to_owned(), partition));
        }
        for (group_id, entry) in &self.groups {
            for (topic, partition, _) in entry.offsets.iter().filter(|(topic, ..)| is_gone(topic)) {
                doomed.entry(group_id.clone()).or_default().insert((topic.to_owned(), partition));
            }
        }
        self.forget_pending(&is_gone);
        for (group_id, offsets) in doomed {
            self.forget(&group_id, offsets, false, Then::Forgotten, now_ms);
        }
    }

    /// Topics that something is committed for, or will be.
    pub fn committed_topics(&self) -> BTreeSet<&str> {
        let committed = self.groups.values().flat_map(|entry| entry.offsets.iter().map(|(topic, ..)| topic));
        let pending = self.groups.values().flat_map(|entry| entry.pending.iter().map(|pending| pending.topic));
        committed.chain(pending).collect()
    }

    /// Forgets offsets past their retention, and the group once nothing is left of it.
    pub(super) fn expire(&mut self, group_id: &str, now_ms: i64) {
        let entry = &self.groups[group_id];
        let Some(empty_since_ms) = entry.empty_since_ms() else {
            return;
        };
        if entry.appends_under_way > 0 || !entry.pending.is_empty() {
            return;
        }
        let had_members = entry.consumers.is_some() || entry.group.protocol_type().is_some();
        let idle_since_ms = had_members.then_some(empty_since_ms);
        let expired = entry.offsets.expired(idle_since_ms, self.config.offsets_retention_ms, now_ms);
        let forgets_group =
            expired.len() == entry.offsets.len() && (entry.logged.is_some() || entry.consumers.is_some());
        self.forget(group_id, expired.into_iter().collect(), forgets_group, Then::Forgotten, now_ms);
        self.let_go(group_id);
        self.reschedule(group_id);
    }

    /// Nothing holds a group any more once nothing is left of it.
    pub(super) fn let_go(&mut self, group_id: &str) {
        if let Some(entry) = self.groups.get_mut(group_id) {
            entry.lingers = false;
        }
    }

    /// Writes the tombstones; `then` follows the last.
    pub(super) fn forget(
        &mut self,
        group_id: &str,
        offsets: BTreeSet<(String, i32)>,
        forgets_group: bool,
        then: Then,
        now_ms: i64,
    ) {
        let tombstone =
            |(topic, partition)| OffsetsRecord::Offset { group_id: group_id.to_owned(), topic, partition, value: None };
        let mut tombstones: Vec<_> = offsets.into_iter().map(tombstone).collect();
        if forgets_group {
            let consumers = self.groups.get(group_id).and_then(|entry| entry.consumers.as_ref());
            match consumers {
                Some(consumers) => tombstones.extend(of_group(group_id, consumers.state().tombstones())),
                None => tombstones.push(OffsetsRecord::Group { group_id: group_id.to_owned(), value: None }),
            }
        }
        while tombstones.len() > OFFSETS_EXPIRED_PER_BATCH {
            let rest = tombstones.split_off(OFFSETS_EXPIRED_PER_BATCH);
            self.append(encode_batch(&tombstones, now_ms), group_id, tombstones, Then::Forgotten);
            tombstones = rest;
        }
        if !tombstones.is_empty() {
            self.append(encode_batch(&tombstones, now_ms), group_id, tombstones, then);
        }
    }
}

/// Group, topic and partition of the offsets among records.
pub(super) fn offsets<'a>(
    records: impl Iterator<Item = (u64, &'a OffsetsRecord)>,
) -> impl Iterator<Item = (&'a str, &'a str, i32)> {
    records.filter_map(|(_, record)| match record {
        OffsetsRecord::Offset { group_id, topic, partition, .. } => {
            Some((group_id.as_str(), topic.as_str(), *partition))
        }
        OffsetsRecord::Group { .. } | OffsetsRecord::Consumer { .. } => None,
    })
}
