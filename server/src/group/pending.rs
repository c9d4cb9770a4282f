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

/// The offsets of one producer by topic and partition, the newest last. Older ones are kept until the newest is durable: should its append
/// fail, what was acknowledged before it still counts.
#[derive(Debug, Default)]
struct OfProducer {
    epoch: i16,
    offsets: BTreeMap<(String, i32), Vec<PendingOffset>>,
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
        (topic, partition): (String, i32),
        pending: PendingOffset,
        is_durable: bool,
    ) {
        let of_producer = self.producers.entry(producer.id).or_default();
        of_producer.epoch = producer.epoch;
        let of_partition = of_producer.offsets.entry((topic, partition)).or_default();
        if is_durable {
            of_partition.clear();
        }
        assert!(of_partition.last().is_none_or(|last| last.order <= pending.order), "appends are put in their order");
        of_partition.push(pending);
    }

    /// The append at `order` is durable: what it replaces counts no more.
    pub(super) fn settle(&mut self, producer_id: i64, order: u64) {
        let Some(of_producer) = self.producers.get_mut(&producer_id) else {
            return;
        };
        for of_partition in of_producer.offsets.values_mut() {
            let settled = of_partition.iter().rposition(|pending| pending.order == order);
            of_partition.drain(..settled.unwrap_or(0));
        }
    }

    /// Takes out what a producer has put before `order`, the newest of each partition; what it put later belongs to its next transaction.
    pub(super) fn take(&mut self, producer_id: i64, order: u64) -> Vec<((String, i32), PendingOffset)> {
        let mut taken = Vec::new();
        if let Some(of_producer) = self.producers.get_mut(&producer_id) {
            for (place, of_partition) in &mut of_producer.offsets {
                let ended = of_partition.partition_point(|pending| pending.order < order);
                taken.extend(of_partition.drain(..ended).next_back().map(|newest| (place.clone(), newest)));
            }
        }
        self.drop_empty();
        taken
    }

    /// Drops what the append at `order` was to store.
    pub(super) fn undo(&mut self, producer_id: i64, order: u64) {
        if let Some(of_producer) = self.producers.get_mut(&producer_id) {
            of_producer
                .offsets
                .values_mut()
                .for_each(|of_partition| of_partition.retain(|pending| pending.order != order));
        }
        self.drop_empty();
    }

    /// Drops what was put for a partition before `order`; gives the producers that had something there.
    pub(super) fn forget_before(&mut self, topic: &str, partition: i32, order: u64) -> Vec<i64> {
        if self.producers.is_empty() {
            return Vec::new();
        }
        let key = (topic.to_owned(), partition);
        let mut producer_ids = Vec::new();
        for (&id, of_producer) in &mut self.producers {
            if let Some(of_partition) = of_producer.offsets.get_mut(&key) {
                of_partition.retain(|pending| pending.order > order);
                producer_ids.push(id);
            }
        }
        self.drop_empty();
        producer_ids
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

    pub(super) fn has_of(&self, producer_id: i64, topic: &str, partition: i32) -> bool {
        let key = (topic.to_owned(), partition);
        self.producers.get(&producer_id).is_some_and(|of_producer| of_producer.offsets.contains_key(&key))
    }

    pub(super) fn has_producer(&self, producer_id: i64) -> bool {
        self.producers.contains_key(&producer_id)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.producers.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.producers.values().flat_map(|of_producer| of_producer.offsets.values()).map(Vec::len).sum()
    }

    /// The newest of each producer and partition.
    pub(super) fn iter(&self) -> impl Iterator<Item = PendingView<'_>> {
        self.producers.iter().flat_map(|(&id, of_producer)| {
            let producer = ProducerIdentity { id, epoch: of_producer.epoch };
            of_producer.offsets.iter().filter_map(move |((topic, partition), of_partition)| {
                Some(PendingView { producer, topic, partition: *partition, pending: of_partition.last()? })
            })
        })
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let all = self.producers.values().flat_map(|of_producer| &of_producer.offsets);
        let of_partition = |((topic, _), of_partition): (&(String, i32), &Vec<PendingOffset>)| {
            let metadata: usize = of_partition.iter().map(|pending| pending.committed.metadata.len()).sum();
            size_of::<((String, i32), Vec<PendingOffset>)>() + topic.len() + size_of_val(&of_partition[..]) + metadata
        };
        all.map(of_partition).sum()
    }

    fn drop_empty(&mut self) {
        self.producers.retain(|_, of_producer| {
            of_producer.offsets.retain(|_, of_partition| !of_partition.is_empty());
            !of_producer.offsets.is_empty()
        });
    }
}
