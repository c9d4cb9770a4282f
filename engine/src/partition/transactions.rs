//! Transactions of a log: which are open, which ended with a marker that readers do not see yet, and which were aborted. What is open stands
//! in the producer table too, where an append looks anyway; here it is in the order of offsets, which decides the last stable offset.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::offset::Offset;

/// What a reader wants to see.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Isolation {
    /// Everything below the high watermark.
    #[default]
    Uncommitted,
    /// What is decided: everything below the last stable offset, and which of it was aborted.
    Committed,
}

/// A transaction whose records never were.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AbortedTransaction {
    /// Whose it was.
    pub producer_id: i64,
    /// Offset of its first record in the log.
    pub first_offset: Offset,
    /// Offset of its abort marker.
    pub last_offset: Offset,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Aborted {
    transaction: AbortedTransaction,
    /// No transaction from here on in the list began below: where a look for an overlap may stop.
    first_from_here: Offset,
}

/// The transactions of a log, by offset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransactionTable {
    /// First offset of each open transaction, and its producer.
    open: BTreeMap<Offset, i64>,
    /// First offset of each transaction whose marker is not visible yet.
    ending: BTreeSet<Offset>,
    /// The same by marker: its offset, and the first offset.
    markers: VecDeque<(Offset, Offset)>,
    /// By marker.
    aborted: VecDeque<Aborted>,
}

impl TransactionTable {
    /// Nothing is open, and no marker is on its way: everything visible is stable.
    pub fn is_calm(&self) -> bool {
        self.open.is_empty() && self.ending.is_empty()
    }
    /// Number of open transactions.
    pub fn open_count(&self) -> usize {
        self.open.len()
    }
    /// Number of aborted transactions that are remembered.
    pub fn aborted_count(&self) -> usize {
        self.aborted.len()
    }
    /// Bytes of memory that it takes, about.
    pub fn memory_bytes(&self) -> usize {
        self.open.len() * 32 + self.markers.len() * 32 + self.aborted.capacity() * size_of::<Aborted>()
    }

    /// First offset of the earliest transaction that has not visibly ended.
    pub fn first_unstable(&self) -> Option<Offset> {
        let open = self.open.first_key_value().map(|(first, _)| *first);
        let ending = self.ending.first().copied();
        open.into_iter().chain(ending).min()
    }

    /// A transaction began with the batch at `first_offset`.
    pub fn opened(&mut self, first_offset: Offset, producer_id: i64) {
        self.open.insert(first_offset, producer_id);
    }

    /// The open transaction that began at `first_offset` ended with the marker at `marker_offset`.
    pub fn ended(&mut self, first_offset: Offset, marker_offset: Offset, is_aborted: bool) {
        let Some(producer_id) = self.open.remove(&first_offset) else {
            return;
        };
        self.ending.insert(first_offset);
        self.markers.push_back((marker_offset, first_offset));
        if is_aborted {
            self.note_aborted(AbortedTransaction { producer_id, first_offset, last_offset: marker_offset });
        }
    }

    /// Puts an aborted transaction behind those that ended before it.
    pub(super) fn note_aborted(&mut self, transaction: AbortedTransaction) {
        let first = transaction.first_offset;
        for earlier in self.aborted.iter_mut().rev().take_while(|earlier| earlier.first_from_here > first) {
            earlier.first_from_here = first;
        }
        self.aborted.push_back(Aborted { transaction, first_from_here: first });
    }

    /// Readers see everything below `high_watermark`: what ended below it holds nothing back any more.
    pub fn settle(&mut self, high_watermark: Offset) {
        while let Some((_, first)) = self.markers.front().filter(|(marker, _)| *marker < high_watermark) {
            self.ending.remove(first);
            self.markers.pop_front();
        }
    }

    /// The open transactions that began below an offset, in order: their first offsets and producers.
    pub fn opened_below(&self, offset: Offset) -> Vec<(Offset, i64)> {
        self.open.range(..offset).map(|(first, id)| (*first, *id)).collect()
    }

    /// Forgets an open transaction: none of its records is left.
    pub fn forget_open(&mut self, first_offset: Offset) {
        self.open.remove(&first_offset);
    }

    /// Forgets what was aborted and ended below an offset: none of its records is left.
    pub fn forget_aborted_below(&mut self, offset: Offset) {
        let gone = self.aborted.partition_point(|aborted| aborted.transaction.last_offset < offset);
        self.aborted.drain(..gone);
        if self.aborted.is_empty() {
            self.aborted = VecDeque::new();
        }
    }

    /// All aborted transactions, by the offset of their markers.
    pub fn aborted(&self) -> impl Iterator<Item = AbortedTransaction> + '_ {
        self.aborted.iter().map(|aborted| aborted.transaction)
    }

    /// The aborted transactions that reach into `from..end`, by first offset.
    pub fn aborted_between(&self, from: Offset, end: Offset) -> Vec<AbortedTransaction> {
        let first = self.aborted.partition_point(|aborted| aborted.transaction.last_offset < from);
        let reaching = self.aborted.range(first..).take_while(|aborted| aborted.first_from_here < end);
        let reaching = reaching.map(|aborted| aborted.transaction).filter(|aborted| aborted.first_offset < end);
        let mut reaching: Vec<AbortedTransaction> = reaching.collect();
        reaching.sort_unstable_by_key(|aborted| aborted.first_offset);
        reaching
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_ended_holds_back_until_its_marker_is_visible() {
        let mut table = TransactionTable::default();
        table.opened(Offset(3), 7);
        table.opened(Offset(5), 8);
        table.ended(Offset(3), Offset(9), true);
        table.settle(Offset(9));
        assert_eq!(table.first_unstable(), Some(Offset(3)), "the marker at 9 is not below 9");
        table.settle(Offset(10));
        assert_eq!(table.first_unstable(), Some(Offset(5)));
        table.ended(Offset(5), Offset(10), false);
        table.settle(Offset(11));
        assert!(table.is_calm() && table.first_unstable().is_none());
        assert_eq!(table.aborted_count(), 1, "a commit is no abort");
    }

    proptest! {
        /// Transactions of many producers, begun and ended in any order; each look must find what a look at all of them finds.
        #[test]
        fn the_aborted_that_reach_into_a_range_are_found(
            steps in prop::collection::vec((0_i64..6, any::<bool>(), 1_i64..4), 1..80),
            from in 0_i64..200,
            length in 1_i64..60,
            forgotten in 0_i64..100,
        ) {
            let (mut table, mut open, mut all) = (TransactionTable::default(), BTreeMap::new(), Vec::new());
            let mut next = Offset(0);
            for (producer_id, is_aborted, records) in steps {
                if let Some(first_offset) = open.remove(&producer_id) {
                    table.ended(first_offset, next, is_aborted);
                    if is_aborted {
                        all.push(AbortedTransaction { producer_id, first_offset, last_offset: next });
                    }
                    next = next.plus(1);
                } else {
                    table.opened(next, producer_id);
                    open.insert(producer_id, next);
                    next = next.plus(records);
                }
                prop_assert_eq!(table.open_count(), open.len());
            }
            table.forget_aborted_below(Offset(forgotten));
            all.retain(|aborted| aborted.last_offset >= Offset(forgotten));
            prop_assert_eq!(table.aborted().collect::<Vec<_>>(), all.clone());
            let end = Offset(from + length);
            all.retain(|aborted| aborted.last_offset >= Offset(from) && aborted.first_offset < end);
            all.sort_by_key(|aborted| aborted.first_offset);
            prop_assert_eq!(table.aborted_between(Offset(from), end), all);
        }
    }
}
