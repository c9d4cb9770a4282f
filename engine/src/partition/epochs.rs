//! Leader epochs of a log: which epoch began at which offset (KIP-101, KIP-320).

use crate::limits::EPOCHS_PER_LOG_MAX;
use crate::offset::Offset;

/// Epochs in rising order, each with the offset at which it began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EpochTable {
    starts: Vec<(i32, Offset)>,
}

impl EpochTable {
    /// A table from its entries; None if they do not rise.
    pub fn from_starts(starts: Vec<(i32, Offset)>) -> Option<EpochTable> {
        let rising = starts.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
        (rising && starts.len() <= EPOCHS_PER_LOG_MAX).then_some(EpochTable { starts })
    }

    /// The entries, in rising order.
    pub fn starts(&self) -> &[(i32, Offset)] {
        &self.starts
    }

    /// The newest epoch; 0 for a log that never had one.
    pub fn latest(&self) -> i32 {
        self.starts.last().map_or(0, |&(epoch, _)| epoch)
    }

    /// Notes that `epoch` holds from `offset` on; a known or older epoch changes nothing. Epochs that began there too hold no record.
    pub fn begin(&mut self, epoch: i32, offset: Offset) {
        if self.starts.last().is_none_or(|&(latest, _)| epoch > latest) {
            self.starts.truncate(self.starts.partition_point(|&(_, start)| start < offset));
            if self.starts.len() == EPOCHS_PER_LOG_MAX {
                self.starts.remove(0);
            }
            self.starts.push((epoch, offset));
        }
    }

    /// Forgets all but the newest epochs.
    pub fn keep_newest(&mut self, count: usize) {
        self.starts.drain(..self.starts.len().saturating_sub(count));
    }

    /// Where `epoch` ended, as Kafka answers: the largest known epoch up to it and the offset at which that one ended; `log_end` ends the
    /// newest. An epoch older than all known ones ended where those begin. None for one that never was.
    pub fn end_of(&self, epoch: i32, log_end: Offset) -> Option<(i32, Offset)> {
        if !(0..=self.latest()).contains(&epoch) {
            return None;
        }
        let after = self.starts.partition_point(|&(known, _)| known <= epoch);
        let found = after.checked_sub(1).map_or(epoch, |at| self.starts[at].0);
        Some((found, self.starts.get(after).map_or(log_end, |&(_, start)| start)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_ends_where_the_next_begins() {
        let mut table = EpochTable::default();
        table.begin(0, Offset(0));
        table.begin(3, Offset(10));
        table.begin(2, Offset(99));
        assert_eq!(table.end_of(0, Offset(20)), Some((0, Offset(10))));
        assert_eq!(table.end_of(2, Offset(20)), Some((0, Offset(10))));
        assert_eq!(table.end_of(3, Offset(20)), Some((3, Offset(20))));
        assert_eq!(table.end_of(4, Offset(20)), None, "it never was");
        assert_eq!(table.end_of(-1, Offset(20)), None);
        assert_eq!(table.latest(), 3);
    }

    #[test]
    fn an_epoch_that_was_forgotten_ended_before_the_known_ones() {
        let table = EpochTable::from_starts(vec![(5, Offset(50)), (6, Offset(60))]).expect("they rise");
        assert_eq!(table.end_of(2, Offset(70)), Some((2, Offset(50))));
    }

    #[test]
    fn epochs_without_a_record_leave_nothing_behind() {
        let mut table = EpochTable::default();
        table.begin(0, Offset(0));
        for epoch in 1..EPOCHS_PER_LOG_MAX as i32 * 3 {
            table.begin(epoch, Offset(10));
        }
        assert_eq!(table.starts(), [(0, Offset(0)), (EPOCHS_PER_LOG_MAX as i32 * 3 - 1, Offset(10))]);
    }
}
