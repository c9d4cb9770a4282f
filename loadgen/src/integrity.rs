//! The verdict: every acknowledged record is read exactly once, in order, unchanged.
//!
//! A producer keeps an `AckLedger` for each partition, a consumer a `Seen` for each (partition, producer); they meet
//! when the run is over. Both are sets of ranges, so memory follows the number of faults, not of records.

mod from_elsewhere;
mod redelivery;
mod tally;

pub use tally::Tally;

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::payload::Stamp;

/// Gaps remembered for each (partition, producer). Each aborted transaction leaves one, so there is room for hours of them; what comes
/// behind the last one cannot be told apart, and is not judged.
const GAPS_MAX: usize = 1 << 20;

/// Ascending, disjoint half-open ranges of sequence numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<(u64, u64)>", into = "Vec<(u64, u64)>")]
pub struct RangeSet {
    ranges: Vec<(u64, u64)>,
}

impl RangeSet {
    /// Adds `[start, end)`, which must not precede what is there; adjacent ranges merge.
    pub fn push(&mut self, start: u64, end: u64) {
        assert!(start < end, "an empty range is never pushed");
        match self.ranges.last_mut() {
            Some(last) if last.1 == start => last.1 = end,
            Some(last) => {
                assert!(last.1 < start, "ranges are pushed in order");
                self.ranges.push((start, end));
            }
            None => self.ranges.push((start, end)),
        }
    }

    /// Takes one number out; false when it was not there.
    pub fn remove(&mut self, value: u64) -> bool {
        let at = self.ranges.partition_point(|range| range.1 <= value);
        let Some(&(start, end)) = self.ranges.get(at).filter(|range| range.0 <= value) else { return false };
        match (start == value, value + 1 == end) {
            (true, true) => drop(self.ranges.remove(at)),
            (true, false) => self.ranges[at].0 = value + 1,
            (false, true) => self.ranges[at].1 = value,
            (false, false) => {
                self.ranges[at].1 = value;
                self.ranges.insert(at + 1, (value + 1, end));
            }
        }
        true
    }

    /// How many numbers are in the set.
    pub fn count(&self) -> u64 {
        self.ranges.iter().map(|(start, end)| end - start).sum()
    }

    /// How many numbers of the set lie at or above `floor`.
    fn count_from(&self, floor: u64) -> u64 {
        self.ranges.iter().map(|&(start, end)| end.max(floor) - start.max(floor)).sum()
    }

    /// Whether the number is in the set.
    pub fn contains(&self, value: u64) -> bool {
        let at = self.ranges.partition_point(|range| range.1 <= value);
        self.ranges.get(at).is_some_and(|range| range.0 <= value)
    }

    /// Behind the last number; 0 when it is empty.
    pub fn end(&self) -> u64 {
        self.ranges.last().map_or(0, |range| range.1)
    }

    /// The ranges in order.
    pub fn ranges(&self) -> &[(u64, u64)] {
        &self.ranges
    }

    /// The first numbers of this set that are in `gaps` too, or lie at or above `floor`.
    fn first_common(&self, gaps: &Self, floor: u64) -> Option<(u64, u64)> {
        let (mut left, mut right) = (0, 0);
        // No gap lies above the floor.
        while let Some(range) = self.ranges.get(left) {
            let gap = gaps.ranges.get(right).copied().unwrap_or((floor, u64::MAX));
            let common = (range.0.max(gap.0), range.1.min(gap.1));
            if common.0 < common.1 {
                return Some(common);
            }
            if range.1 <= gap.1 { left += 1 } else { right += 1 }
        }
        None
    }

    /// How many numbers both sets hold.
    fn count_common(&self, other: &Self) -> u64 {
        let (mut left, mut right, mut common) = (0, 0, 0);
        while let (Some(a), Some(b)) = (self.ranges.get(left), other.ranges.get(right)) {
            common += a.1.min(b.1).saturating_sub(a.0.max(b.0));
            if a.1 < b.1 { left += 1 } else { right += 1 }
        }
        common
    }
}

/// What one producer knows of one partition.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct AckLedger {
    /// Records built so far; the next sequence number.
    pub produced: u64,
    /// Sequence numbers whose batch was acknowledged without error, and whose transaction was committed if they had one.
    pub acked: RangeSet,
    /// Those whose transaction was aborted.
    #[serde(default)]
    pub aborted: RangeSet,
}

/// What one consumer has read of one producer in one partition.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Seen {
    next: u64,
    gaps: RangeSet,
    /// Numbers of which nobody knows any more which were read: gaps among them were too many to remember.
    #[serde(default)]
    unknown: Option<(u64, u64)>,
    consumed: u64,
    duplicate: u64,
    out_of_order: u64,
    /// The numbers behind `out_of_order`, as many as gaps are remembered.
    late: Vec<u64>,
}

impl Seen {
    /// Notes the next record in offset order; whether it goes forward. A gap may yet be filled, and is no fault until the end.
    pub fn note(&mut self, sequence: u64) -> bool {
        self.consumed += 1;
        let goes_forward = sequence >= self.next;
        match sequence.cmp(&self.next) {
            Ordering::Equal => self.next += 1,
            Ordering::Greater => {
                if self.gaps.ranges.len() < GAPS_MAX {
                    self.gaps.push(self.next, sequence);
                } else {
                    self.unknown = Some((self.unknown.map_or(self.next, |unknown| unknown.0), sequence));
                }
                self.next = sequence.saturating_add(1);
            }
            Ordering::Less if self.gaps.remove(sequence) => {
                self.out_of_order += 1;
                if self.late.len() < GAPS_MAX {
                    self.late.push(sequence);
                }
            }
            Ordering::Less if self.is_unknown(sequence) => return true,
            Ordering::Less => self.duplicate += 1,
        }
        goes_forward
    }

    fn is_unknown(&self, sequence: u64) -> bool {
        self.unknown.is_some_and(|(start, end)| (start..end).contains(&sequence))
    }

    fn unknown_count(&self) -> u64 {
        self.unknown.map_or(0, |(start, end)| end - start)
    }
}

/// Everything read from one partition.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PartitionSeen {
    runs: Vec<u32>,
    partition: u32,
    producers_each: usize,
    /// Those of the first run, then those of the next.
    producers: Vec<Seen>,
    corrupt: u64,
    phantom: u64,
    faults: u64,
}

impl PartitionSeen {
    /// Expects records of `runs` by producers `0..producers` of each only.
    pub fn new(runs: &[u32], partition: u32, producers: usize) -> Self {
        Self {
            runs: runs.to_vec(),
            partition,
            producers_each: producers,
            producers: vec![Seen::default(); producers * runs.len()],
            corrupt: 0,
            phantom: 0,
            faults: 0,
        }
    }

    /// Checks and notes the next record's value in offset order; the stamp when it is ours and whole.
    pub fn note(&mut self, value: &[u8]) -> Option<Stamp> {
        let Some(stamp) = Stamp::verify(value) else {
            self.note_unreadable();
            return None;
        };
        let run = self.runs.iter().position(|&run| run == stamp.run);
        let is_ours = (stamp.producer as usize) < self.producers_each && stamp.partition == self.partition;
        let place = run.filter(|_| is_ours).map(|run| run * self.producers_each + stamp.producer as usize);
        if let Some(seen) = place.and_then(|place| self.producers.get_mut(place)) {
            self.faults += u64::from(!seen.note(stamp.sequence));
            Some(stamp)
        } else {
            self.phantom += 1;
            self.faults += 1;
            None
        }
    }

    /// Records of the partition that are corrupt, duplicate, out of order or phantoms; what is missing shows at the end.
    pub fn faults(&self) -> u64 {
        self.faults
    }

    /// Behind the highest number that was read of the producer in this place: those of the first run come first.
    pub fn next_of(&self, place: usize) -> u64 {
        self.producers.get(place).map_or(0, |seen| seen.next)
    }

    /// Counts a batch or record whose framing could not be read.
    pub fn note_unreadable(&mut self) {
        self.faults += 1;
        self.corrupt += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::PayloadWriter;

    /// Settles 1,000 acknowledged records of one producer, read as `read` says.
    fn settle(read: impl IntoIterator<Item = u64>) -> Tally {
        let mut ledger = AckLedger { produced: 1_000, acked: RangeSet::default(), ..AckLedger::default() };
        ledger.acked.push(0, 600);
        ledger.acked.push(600, 1_000);
        let mut writer = PayloadWriter::new(100, 1);
        let mut seen = PartitionSeen::new(&[9], 4, 1);
        for sequence in read {
            seen.note(writer.value(&Stamp { run: 9, producer: 0, partition: 4, sequence, intended_ns: 1 }));
        }
        let mut tally = Tally::default();
        tally.settle(&[&ledger], Some(&seen));
        tally
    }

    #[test]
    fn a_faithful_broker_passes() {
        let tally = settle(0..1_000);
        assert!(tally.passes());
        assert_eq!((tally.produced, tally.acked, tally.consumed), (1_000, 1_000, 1_000));
    }

    #[test]
    fn planted_loss_is_found_in_the_middle_and_at_the_end() {
        let tally = settle((0..990).filter(|sequence| !(500..503).contains(sequence)));
        assert_eq!((tally.missing, tally.passes()), (13, false));
        assert_eq!((tally.duplicate, tally.out_of_order, tally.corrupt), (0, 0, 0));
    }

    #[test]
    fn planted_duplicates_are_found() {
        let tally = settle((0..1_000).chain([999, 3]));
        let mut seen = Seen::default();
        assert_eq!([0, 1, 1, 0, 2].map(|sequence| seen.note(sequence)), [true, true, false, false, true]);
        assert_eq!((tally.duplicate, tally.missing, tally.passes()), (2, 0, false));
    }

    #[test]
    fn planted_reordering_is_found_and_is_not_called_loss() {
        let tally = settle((0..10).chain(11..20).chain([10]).chain(20..1_000));
        assert_eq!((tally.out_of_order, tally.missing, tally.duplicate), (1, 0, 0));
        assert!(!tally.passes());
    }

    #[test]
    fn planted_corruption_is_found() {
        let mut seen = PartitionSeen::new(&[9], 4, 1);
        let stamp = Stamp { run: 9, producer: 0, partition: 4, sequence: 0, intended_ns: 1 };
        let mut value = PayloadWriter::new(100, 1).value(&stamp).to_vec();
        value[60] ^= 1;
        assert_eq!(seen.note(&value), None);
        let mut tally = Tally::default();
        tally.settle(&[&AckLedger::default()], Some(&seen));
        assert_eq!((tally.corrupt, tally.passes()), (1, false));
    }

    #[test]
    fn records_of_other_runs_partitions_and_futures_are_phantoms() {
        let mut writer = PayloadWriter::new(100, 1);
        let mut seen = PartitionSeen::new(&[9], 4, 1);
        let ours = Stamp { run: 9, producer: 0, partition: 4, sequence: 0, intended_ns: 1 };
        let strangers = [Stamp { run: 8, ..ours }, Stamp { partition: 5, ..ours }, Stamp { producer: 1, ..ours }];
        for stamp in strangers.iter().chain([&ours]) {
            seen.note(writer.value(stamp));
        }
        let mut tally = Tally::default();
        tally.settle(&[&AckLedger::default()], Some(&seen));
        assert_eq!(seen.faults(), 3, "seen at once");
        assert_eq!((tally.phantom, tally.passes()), (4, false), "three strangers and one number never produced");
    }

    #[test]
    fn an_unacknowledged_record_may_be_missing_or_seen() {
        let mut ledger = AckLedger { produced: 12, acked: RangeSet::default(), ..AckLedger::default() };
        ledger.acked.push(0, 10);
        let mut seen = PartitionSeen::new(&[1], 0, 1);
        (0..11).for_each(|sequence| assert!(seen.producers[0].note(sequence)));
        let mut tally = Tally::default();
        tally.settle(&[&ledger], Some(&seen));
        assert_eq!((tally.unacked_seen, tally.missing, tally.passes()), (1, 0, true));
        assert_eq!([12, 11, 9].map(|sequence| seen.producers[0].note(sequence)), [true, false, false]);
        let mut late = Tally::default();
        late.settle(&[&ledger], Some(&seen));
        assert_eq!((late.out_of_order, late.late_unacked, late.duplicate), (1, 1, 1), "a late one was never promised");
    }

    #[test]
    fn memory_follows_faults_and_not_records() {
        let mut acked = RangeSet::default();
        (0..1_000_000).for_each(|sequence| acked.push(sequence, sequence + 1));
        assert_eq!(acked.ranges.len(), 1);
        let mut seen = Seen::default();
        (0..1_000_000).map(|index| index * 2).for_each(|sequence| assert!(seen.note(sequence)));
        assert!(seen.gaps.ranges.len() <= GAPS_MAX);
    }

    #[test]
    fn behind_more_gaps_than_are_remembered_nothing_is_judged() {
        let aborted_after = |sequence: u64| 2 * sequence + 1;
        let (mut ledger, mut seen) = (AckLedger::default(), PartitionSeen::new(&[9], 4, 1));
        for sequence in 0..GAPS_MAX as u64 + 10 {
            let committed = 2 * sequence;
            ledger.acked.push(committed, committed + 1);
            ledger.aborted.push(aborted_after(sequence), aborted_after(sequence) + 1);
            assert!(seen.producers[0].note(committed));
        }
        ledger.produced = ledger.aborted.end();
        let settle = |seen: &PartitionSeen| {
            let mut tally = Tally::default();
            tally.settle(&[&ledger], Some(seen));
            tally
        };
        let faithful = settle(&seen);
        assert_eq!((faithful.missing, faithful.aborted_seen, faithful.passes()), (0, 0, true));
        assert_eq!(faithful.unjudged, 17, "from the first gap that was not remembered to the last one");
        assert!(seen.producers[0].note(2 * GAPS_MAX as u64 + 3), "late or double: nobody knows");
        assert!(settle(&seen).passes());
        assert!(!seen.producers[0].note(0), "what was remembered is judged as ever");
        let careless = settle(&seen);
        assert_eq!((careless.duplicate, careless.passes()), (1, false));
    }

    #[test]
    fn the_first_common_numbers_are_found_in_a_gap_or_above_the_floor() {
        let set = |ranges: &[(u64, u64)]| RangeSet { ranges: ranges.to_vec() };
        let acked = set(&[(0, 10), (20, 30), (40, 50)]);
        let first = |gaps: &[(u64, u64)], floor| acked.first_common(&set(gaps), floor);
        assert_eq!(first(&[(10, 20), (30, 40)], 50), None);
        assert_eq!(first(&[(10, 20), (28, 45)], 50), Some((28, 30)));
        assert_eq!(first(&[(10, 20)], 35), Some((40, 50)));
        assert_eq!(first(&[(0, 1)], 5), Some((0, 1)));
        assert_eq!(first(&[], 45), Some((45, 50)));
    }

    #[test]
    fn a_number_leaves_its_range_wherever_it_stands() {
        let mut set = RangeSet::default();
        set.push(10, 20);
        assert!(set.remove(10) && set.remove(19) && set.remove(15));
        assert!(!set.remove(15) && !set.remove(9) && !set.remove(20));
        assert_eq!(set.ranges, [(11, 15), (16, 19)]);
    }
}
