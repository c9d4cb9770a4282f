//! What was promised held against what was read.

use super::{AckLedger, PartitionSeen};

/// The counts behind a verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Records handed to a socket or waiting for one.
    pub produced: u64,
    /// Records acknowledged without error (at acks=0: none).
    pub acked: u64,
    /// Records read that are whole and ours, duplicates included.
    pub consumed: u64,
    /// Acknowledged, never read.
    pub missing: u64,
    /// Read more than once.
    pub duplicate: u64,
    /// Read after a later one of the same producer and partition.
    pub out_of_order: u64,
    /// Read with a wrong checksum or broken framing.
    pub corrupt: u64,
    /// Read in a place where nobody sent it, or with a number never used.
    pub phantom: u64,
    /// Read although never acknowledged: allowed.
    pub unacked_seen: u64,
    /// Read although their transaction was aborted.
    pub aborted_seen: u64,
    /// Of `out_of_order`, records never acknowledged: what a lost connection left behind may be carried out late.
    pub late_unacked: u64,
    /// Numbers of which too little is remembered to judge them.
    pub unjudged: u64,
}

impl Tally {
    /// Settles one partition: `ledgers[producer]` against what was read. Without `seen`, nothing is claimed of it.
    pub fn settle(&mut self, ledgers: &[&AckLedger], seen: Option<&PartitionSeen>) {
        for (producer, ledger) in ledgers.iter().enumerate() {
            self.produced += ledger.produced;
            let acked = ledger.acked.count();
            self.acked += acked;
            let Some(seen) = seen.and_then(|seen| seen.producers.get(producer)) else { continue };
            let missing = ledger.acked.count_common(&seen.gaps) + ledger.acked.count_from(seen.next);
            // A number above what was produced cannot be a gap's end by accident: its CRC was right.
            let phantom = seen.next.saturating_sub(ledger.produced);
            let distinct = seen.consumed - seen.duplicate;
            self.consumed += seen.consumed;
            self.missing += missing;
            self.duplicate += seen.duplicate;
            self.out_of_order += seen.out_of_order;
            self.late_unacked += seen.late.iter().filter(|&&sequence| !ledger.acked.contains(sequence)).count() as u64;
            self.phantom += phantom;
            self.unjudged += seen.unknown_count();
            let aborted = &ledger.aborted;
            let unknown: u64 =
                seen.unknown.map_or(0, |(start, end)| aborted.count_from(start) - aborted.count_from(end));
            let aborted_unseen = aborted.count_from(seen.next) + aborted.count_common(&seen.gaps) + unknown;
            let aborted_seen = aborted.count() - aborted_unseen;
            self.aborted_seen += aborted_seen;
            self.unacked_seen += distinct.saturating_sub(acked - missing + aborted_seen);
        }
        if let Some(seen) = seen {
            self.corrupt += seen.corrupt;
            self.phantom += seen.phantom;
        }
    }

    /// Adds what was found out elsewhere.
    pub fn add(&mut self, other: &Self) {
        self.produced += other.produced;
        self.acked += other.acked;
        self.consumed += other.consumed;
        self.missing += other.missing;
        self.duplicate += other.duplicate;
        self.out_of_order += other.out_of_order;
        self.corrupt += other.corrupt;
        self.phantom += other.phantom;
        self.unacked_seen += other.unacked_seen;
        self.late_unacked += other.late_unacked;
        self.aborted_seen += other.aborted_seen;
        self.unjudged += other.unjudged;
    }

    /// What is missing first of a partition: the producer's place in `ledgers` and the range of its numbers.
    pub fn first_missing(ledgers: &[&AckLedger], seen: &PartitionSeen) -> Option<(usize, (u64, u64))> {
        let mut pairs = ledgers.iter().zip(&seen.producers).enumerate();
        pairs.find_map(|(place, (ledger, seen))| Some((place, ledger.acked.first_common(&seen.gaps, seen.next)?)))
    }

    /// True when nothing that was promised was broken.
    pub fn passes(&self) -> bool {
        let faults = [self.missing, self.duplicate, self.out_of_order, self.corrupt, self.phantom, self.aborted_seen];
        faults.iter().all(|&records| records == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::{PayloadWriter, Stamp};

    #[test]
    fn a_record_of_an_aborted_transaction_may_be_missing_and_not_be_seen() {
        let mut ledger = AckLedger { produced: 30, ..AckLedger::default() };
        ledger.acked.push(0, 10);
        ledger.aborted.push(10, 20);
        ledger.acked.push(20, 30);
        let settle = |read: &[u64]| {
            let (mut writer, mut seen) = (PayloadWriter::new(100, 1), PartitionSeen::new(&[9], 4, 1));
            for &sequence in read {
                seen.note(writer.value(&Stamp { run: 9, producer: 0, partition: 4, sequence, intended_ns: 1 }));
            }
            let mut tally = Tally::default();
            tally.settle(&[&ledger], Some(&seen));
            tally
        };
        let committed: Vec<u64> = (0..10).chain(20..30).collect();
        let faithful = settle(&committed);
        assert!(faithful.passes(), "{faithful:?}");
        assert_eq!((faithful.acked, faithful.missing, faithful.unacked_seen), (20, 0, 0));
        let careless = settle(&(0..12).chain(20..30).collect::<Vec<_>>());
        assert_eq!((careless.aborted_seen, careless.passes(), careless.unacked_seen), (2, false, 0));
        let lossy = settle(&(0..10).collect::<Vec<_>>());
        assert_eq!((lossy.aborted_seen, lossy.missing, lossy.passes()), (0, 10, false));
    }
}
