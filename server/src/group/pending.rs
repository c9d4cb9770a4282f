//! Offsets that a group gets when a transaction commits: seen by nobody before, dropped when it aborts.

use std::collections::BTreeMap;

use super::CommittedOffset;
use crate::transaction::ProducerIdentity;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PendingOffset {
    pub(super) committed: CommittedOffset,
    /// Place of its append: a commit without a transaction that was appended later is not undone.
    pub(super) order: u64,
}

/// One of them, and where it belongs.
#[derive(Debug, Clone, Copy)]
pub(super) struct PendingView<'a> {
    pub(super) producer: ProducerIdentity,
    pub(super) topic: &'a str,
    pub(super) partition: i32,
    pub(super) pending: &'a PendingOffset,
}

/// The offsets of one producer by topic and partition, the newest of each.
#[derive(Debug, Default)]
struct OfProducer {
    epoch: i16,
    offsets: BTreeMap<(String, i32), PendingOffset>,
}

/// The pending offsets of a group.
#[derive(Debug, Default)]
pub(super) struct PendingOffsets {
    producers: BTreeMap<i64, OfProducer>,
}

impl PendingOffsets {
    pub(super) fn put(
        &mut self,
        producer: ProducerIdentity,
        topic: String,
        partition: i32,
        committed: CommittedOffset,
        order: u64,
    ) {
        let of_producer = self.producers.entry(producer.id).or_default();
        of_producer.epoch = producer.epoch;
        of_producer.offsets.insert((topic, partition), PendingOffset { committed, order });
    }

    /// Takes out what a producer has put before `order`; what it put later belongs to its next transaction.
    pub(super) fn take(&mut self, producer_id: i64, order: u64) -> Vec<((String, i32), PendingOffset)> {
        let Some(of_producer) = self.producers.get_mut(&producer_id) else {
            return Vec::new();
        };
        let offsets = std::mem::take(&mut of_producer.offsets);
        let (taken, kept): (Vec<_>, _) = offsets.into_iter().partition(|(_, pending)| pending.order < order);
        of_producer.offsets = kept.into_iter().collect();
        self.drop_empty();
        taken
    }

    /// Drops what the append at `order` was to store.
    pub(super) fn undo(&mut self, producer_id: i64, order: u64) {
        if let Some(of_producer) = self.producers.get_mut(&producer_id) {
            of_producer.offsets.retain(|_, pending| pending.order != order);
        }
        self.drop_empty();
    }

    pub(super) fn forget_topics(&mut self, is_gone: &impl Fn(&str) -> bool) {
        for of_producer in self.producers.values_mut() {
            of_producer.offsets.retain(|(topic, _), _| !is_gone(topic));
        }
        self.drop_empty();
    }

    pub(super) fn has(&self, topic: &str, partition: i32) -> bool {
        let key = (topic.to_owned(), partition);
        self.producers.values().any(|of_producer| of_producer.offsets.contains_key(&key))
    }

    pub(super) fn has_producer(&self, producer_id: i64) -> bool {
        self.producers.contains_key(&producer_id)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.producers.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.producers.values().map(|of_producer| of_producer.offsets.len()).sum()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = PendingView<'_>> {
        self.producers.iter().flat_map(|(&id, of_producer)| {
            let producer = ProducerIdentity { id, epoch: of_producer.epoch };
            of_producer.offsets.iter().map(move |((topic, partition), pending)| PendingView {
                producer,
                topic,
                partition: *partition,
                pending,
            })
        })
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let each = size_of::<((String, i32), PendingOffset)>();
        self.iter().map(|view| each + view.topic.len() + view.pending.committed.metadata.len()).sum()
    }

    fn drop_empty(&mut self) {
        self.producers.retain(|_, of_producer| !of_producer.offsets.is_empty());
    }
}
