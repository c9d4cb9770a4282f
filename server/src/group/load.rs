//! A coordinator's memory from its log and back: replay of the partition, and the snapshot that replaces an old log.

use std::collections::BTreeMap;

use protocol::compression::{CompressionError, decompress};
use protocol::reader::DecodeError;
use protocol::record_batch::{BatchBuilder, BatchError, BatchHeader, HEADER_BYTES, ProducerFields, batches, records};

use super::consumer::{ConsumerGroup, ConsumerState};
use super::consumer_groups::of_group;
use super::coordinator::{Coordinator, Logged, REPLAY_ORDER};
use super::{CommittedOffset, ConsumerRecord, Group, OffsetsRecord};
use crate::limits::{OFFSETS_BODY_BYTES_MAX, OFFSETS_SNAPSHOT_BATCH_BYTES};
use crate::transaction::ProducerIdentity;

/// Why the log of a coordinator cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A batch is malformed.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// A batch is not what was written.
    #[error("batch at offset {base_offset} has a wrong crc")]
    WrongCrc {
        /// Offset of the batch.
        base_offset: i64,
    },
    /// The body of a batch cannot be decompressed.
    #[error(transparent)]
    Compression(#[from] CompressionError),
    /// A record's key or value is malformed.
    #[error("record at offset {offset} is malformed: {error}")]
    Record {
        /// Offset of the record.
        offset: i64,
        /// What is wrong.
        error: DecodeError,
    },
}

impl Coordinator {
    /// Replays whole batches, in order of their offsets, before [`Coordinator::loaded`]. A cut last batch is left out.
    pub fn load(&mut self, bytes: &[u8]) -> Result<(), LoadError> {
        assert!(self.is_loading(), "a loaded coordinator has newer state than its log");
        for batch in batches(bytes) {
            let (header, batch) = batch?;
            if !header.crc_is_valid(batch) {
                return Err(LoadError::WrongCrc { base_offset: header.base_offset });
            }
            self.last_order += 1;
            let order = self.last_order;
            let body = decompress(header.compression()?, &batch[HEADER_BYTES..], OFFSETS_BODY_BYTES_MAX)?;
            for record in records(&header, &body) {
                let record = record?;
                if header.is_control() {
                    self.load_marker(&header, record.key.unwrap_or_default(), order);
                    continue;
                }
                let decoded = OffsetsRecord::decode(record.key.unwrap_or_default(), record.value)
                    .map_err(|error| LoadError::Record { offset: header.offset(record.offset_delta), error })?;
                match decoded {
                    Some(decoded) if header.is_transactional() => {
                        self.put_pending(producer_of(&header), decoded, order);
                    }
                    Some(decoded) => self.apply(&decoded, order),
                    None => {}
                }
            }
        }
        Ok(())
    }

    /// Takes over a durable record; live path and replay alike.
    pub(super) fn apply(&mut self, record: &OffsetsRecord, order: u64) {
        self.ensure_group(record.group_id(), 0);
        let is_loading = self.is_loading();
        let entry = self.groups.get_mut(record.group_id()).expect("the group was just made sure of");
        match record {
            OffsetsRecord::Offset { topic, partition, value, .. } => {
                entry.offsets.apply(topic, *partition, value.clone(), order);
                entry.lingers |= value.is_some();
                if value.is_none() {
                    self.forget_pending_before(record.group_id(), topic, *partition, order);
                }
            }
            OffsetsRecord::Group { value, .. } => {
                if entry.logged.as_ref().is_none_or(|logged| logged.order <= order) {
                    entry.logged = value.clone().map(|metadata| Logged { metadata, order });
                }
                // A group is of one kind: of two records the later one says which.
                if value.is_some() && is_loading {
                    entry.consumers = None;
                }
            }
            OffsetsRecord::Consumer { group_id, record } => self.apply_consumers(group_id, record, order),
        }
    }

    /// While the group lives only the end of it comes by here: it takes over its own changes.
    fn apply_consumers(&mut self, group_id: &str, record: &ConsumerRecord, order: u64) {
        let is_loading = self.is_loading();
        let config = self.config_of(group_id);
        let entry = self.groups.get_mut(group_id).expect("the caller made sure of the group");
        if *record == ConsumerRecord::Epoch(None) {
            let is_over = |group: &mut Box<ConsumerGroup>| group.logged_order <= order;
            drop(entry.consumers.take_if(is_over));
        } else if is_loading {
            let begin = || ConsumerGroup::new(group_id.to_owned(), config, ConsumerState::default(), 0);
            let group = entry.consumers.get_or_insert_with(|| Box::new(begin()));
            group.state_mut().apply(record);
            entry.logged = None;
        }
    }

    /// Ends the replay: members of stable groups have a session's time to be heard, and requests are served.
    pub fn loaded(&mut self, now_ms: i64) {
        assert!(self.is_loading(), "a coordinator is loaded once");
        let group_ids: Vec<_> = self.groups.keys().cloned().collect();
        for group_id in group_ids {
            let entry = self.groups.get_mut(&group_id).expect("the id was just read");
            // Tombstones of members may be all that is left of a group.
            drop(entry.consumers.take_if(|group| group.is_nothing()));
            if let Some(consumers) = &mut entry.consumers {
                consumers.restart(now_ms);
            } else if let Some(logged) = &entry.logged {
                entry.group = Group::restored(group_id.clone(), self.config, logged.metadata.clone(), now_ms);
            } else if entry.offsets.is_empty() && entry.pending.is_empty() {
                self.groups.remove(&group_id);
                continue;
            }
            self.reschedule(&group_id);
        }
        self.serve_from(now_ms);
    }

    /// Batches that hold all that the log must say, so that what lies before them can be dropped.
    ///
    /// They must take their place in the log at once, before any later append: they contain the appends that are still on
    /// their way, since those lie before them and would otherwise be undone by older values.
    pub fn snapshot(&self, now_ms: i64) -> Vec<Vec<u8>> {
        let mut under_way = self.offsets_under_way();
        let deletions = self.group_deletions_under_way();
        let mut snapshot = SnapshotBatches { batches: Vec::new(), open: None, now_ms };
        for (group_id, entry) in &self.groups {
            let deleted_at = deletions.get(group_id.as_str()).copied().unwrap_or(REPLAY_ORDER);
            if let Some(logged) = entry.logged.as_ref().filter(|logged| logged.order >= deleted_at) {
                let value = Some(logged.metadata.clone());
                snapshot.push(&OffsetsRecord::Group { group_id: group_id.clone(), value });
            }
            if let Some(consumers) = entry.consumers.as_ref().filter(|group| group.logged_order >= deleted_at) {
                let records = consumers.state_to_be().records_since(&ConsumerState::default());
                of_group(group_id, records).for_each(|record| snapshot.push(&record));
            }
            let mut newer = under_way.remove(group_id.as_str()).unwrap_or_default();
            for (topic, partition, committed) in entry.offsets.iter() {
                let value = newer.remove(&(topic, partition)).unwrap_or(Some(committed));
                snapshot.push_offset(group_id, topic, partition, value);
            }
            for ((topic, partition), value) in newer {
                snapshot.push_offset(group_id, topic, partition, value);
            }
        }
        let mut batches = snapshot.finish();
        batches.extend(self.pending_snapshot(now_ms));
        batches
    }

    /// Groups whose tombstone is on its way, by the order of that: what was logged before it must not follow it.
    fn group_deletions_under_way(&self) -> BTreeMap<&str, u64> {
        let mut deletions = BTreeMap::new();
        for (order, record) in self.records_under_way() {
            match record {
                OffsetsRecord::Group { group_id, value: None }
                | OffsetsRecord::Consumer { group_id, record: ConsumerRecord::Epoch(None) } => {
                    deletions.insert(group_id.as_str(), order);
                }
                _ => {}
            }
        }
        deletions
    }

    /// The last word of the appends on their way on each partition.
    fn offsets_under_way(&self) -> BTreeMap<&str, BTreeMap<(&str, i32), Option<&CommittedOffset>>> {
        let mut under_way = BTreeMap::<_, BTreeMap<_, _>>::new();
        for (_, record) in self.records_under_way() {
            if let OffsetsRecord::Offset { group_id, topic, partition, value } = record {
                let offsets = under_way.entry(group_id.as_str()).or_default();
                offsets.insert((topic.as_str(), *partition), value.as_ref());
            }
        }
        under_way
    }
}

fn producer_of(header: &BatchHeader) -> ProducerIdentity {
    ProducerIdentity { id: header.producer_id, epoch: header.producer_epoch }
}

struct SnapshotBatches {
    batches: Vec<Vec<u8>>,
    open: Option<BatchBuilder>,
    now_ms: i64,
}

impl SnapshotBatches {
    fn push_offset(&mut self, group_id: &str, topic: &str, partition: i32, value: Option<&CommittedOffset>) {
        if let Some(committed) = value {
            let (group_id, topic) = (group_id.to_owned(), topic.to_owned());
            self.push(&OffsetsRecord::Offset { group_id, topic, partition, value: Some(committed.clone()) });
        }
    }

    /// A batch is closed before it could pass the largest: a record may be nearly that large by itself.
    fn push(&mut self, record: &OffsetsRecord) {
        let is_large = matches!(record, OffsetsRecord::Group { .. });
        if self.open.as_ref().is_some_and(|open| is_large || open.batch_bytes() >= OFFSETS_SNAPSHOT_BATCH_BYTES) {
            self.batches.extend(self.open.take().map(BatchBuilder::finish));
        }
        let now_ms = self.now_ms;
        let open = self.open.get_or_insert_with(|| BatchBuilder::new(Vec::new(), now_ms, ProducerFields::NONE));
        record.append_to(open, now_ms);
    }

    fn finish(mut self) -> Vec<Vec<u8>> {
        self.batches.extend(self.open.take().map(BatchBuilder::finish));
        self.batches
    }
}
