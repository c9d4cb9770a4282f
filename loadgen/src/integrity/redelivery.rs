//! Records that a group reads again since its position was not committed: known ones, and no fault of the broker's.

use super::{PartitionSeen, Seen};
use crate::payload::Stamp;

impl Seen {
    fn knows(&self, sequence: u64) -> bool {
        sequence < self.next && !self.gaps.contains(sequence) && !self.is_unknown(sequence)
    }
}

impl PartitionSeen {
    /// Whether the value is whole, ours, and was read before.
    pub fn knows(&self, value: &[u8]) -> bool {
        let Some(stamp) = Stamp::verify(value).filter(|stamp| stamp.partition == self.partition) else { return false };
        let run = self.runs.iter().position(|&run| run == stamp.run);
        let producer = stamp.producer as usize;
        let place = run.filter(|_| producer < self.producers_each).map(|run| run * self.producers_each + producer);
        place.and_then(|place| self.producers.get(place)).is_some_and(|seen| seen.knows(stamp.sequence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::PayloadWriter;

    #[test]
    fn only_a_record_that_was_read_is_known_again() {
        let mut writer = PayloadWriter::new(100, 1);
        let mut seen = PartitionSeen::new(&[9], 4, 2);
        let stamp = |sequence| Stamp { run: 9, producer: 1, partition: 4, sequence, intended_ns: 1 };
        for sequence in [0, 1, 3] {
            seen.note(writer.value(&stamp(sequence)));
        }
        let known = [0, 1, 2, 3, 4].map(|sequence| seen.knows(writer.value(&stamp(sequence))));
        assert_eq!(known, [true, true, false, true, false]);
        let strangers = [
            Stamp { run: 8, ..stamp(0) },
            Stamp { producer: 0, ..stamp(0) },
            Stamp { producer: 2, ..stamp(0) },
            Stamp { partition: 3, ..stamp(0) },
        ];
        assert!(strangers.iter().all(|stranger| !seen.knows(writer.value(stranger))));
        let mut harmed = writer.value(&stamp(0)).to_vec();
        harmed[60] ^= 1;
        assert!(!seen.knows(&harmed));
    }
}
