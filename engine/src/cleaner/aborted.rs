//! Which batches of a log belong to transactions that were aborted: compaction neither counts nor keeps their records.

use crate::batch::BatchHeader;
use crate::offset::Offset;
use crate::partition::transactions::AbortedTransaction;

/// Aborted transactions of a log. All that began below the end of a pass are decided before it starts, because it ends at the last stable
/// offset.
#[derive(Debug, Default)]
pub struct AbortedTransactions {
    /// By producer, then offset. Those of one producer do not overlap.
    by_producer: Vec<AbortedTransaction>,
}

impl AbortedTransactions {
    /// Those of a log.
    pub fn new(transactions: impl Iterator<Item = AbortedTransaction>) -> AbortedTransactions {
        let mut by_producer: Vec<AbortedTransaction> = transactions.collect();
        by_producer.sort_unstable_by_key(|aborted| (aborted.producer_id, aborted.first_offset));
        AbortedTransactions { by_producer }
    }

    /// Whether a batch with records is part of one of them.
    pub fn hold(&self, header: &BatchHeader) -> bool {
        if !header.is_transactional() || header.is_control() {
            return false;
        }
        let (id, offset) = (header.producer_id(), Offset(header.base_offset()));
        let behind =
            self.by_producer.partition_point(|aborted| (aborted.producer_id, aborted.first_offset) <= (id, offset));
        let latest = behind.checked_sub(1).map(|at| self.by_producer[at]);
        latest.is_some_and(|aborted| aborted.producer_id == id && offset < aborted.last_offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::tests::transactional;
    use crate::partition::marker::{MarkerKind, TransactionMarker};

    #[test]
    fn a_batch_is_aborted_with_its_producers_transaction_and_no_other() {
        let aborted = [(7, 10, 20), (7, 30, 40), (8, 0, 35)].map(|(producer_id, first, last)| AbortedTransaction {
            producer_id,
            first_offset: Offset(first),
            last_offset: Offset(last),
        });
        let aborted = AbortedTransactions::new(aborted.into_iter());
        let holds = |producer_id, offset| {
            let mut header = BatchHeader::parse(&transactional(1, 4, (producer_id, 0, 0), 5)).expect("a whole batch");
            header.place_at(offset, 0);
            aborted.hold(&header)
        };
        for (producer_id, offset, is_aborted) in
            [(7, 9, false), (7, 10, true), (7, 19, true), (7, 21, false), (7, 30, true), (7, 41, false), (8, 21, true)]
        {
            assert_eq!(holds(producer_id, offset), is_aborted, "producer {producer_id} at {offset}");
        }
        assert!(!holds(6, 15) && !holds(9, 15));
        let kind = MarkerKind::Abort;
        let marker = TransactionMarker { producer_id: 8, producer_epoch: 0, coordinator_epoch: 0, kind };
        let header = BatchHeader::parse(&marker.batch(5)).expect("a whole batch");
        assert!(!aborted.hold(&header), "a marker stays");
    }
}
