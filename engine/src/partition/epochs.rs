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

    /// Notes that `epoch` holds from `offset` on; a known or older epoch changes nothing.
    pub fn begin(&mut self, epoch: i32, offset: Offset) {
        if self.starts.last().is_none_or(|&(latest, _)| epoch > latest) {
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

    /// The largest known epoch <= `epoch` and the offset at which it ended; `log_end` ends the newest. None if all known ones are newer.
    pub fn end_of(&self, epoch: i32, log_end: Offset) -> Option<(i32, Offset)> {
        let after = self.starts.partition_point(|&(known, _)| known <= epoch);
        let (found, _) = *self.starts.get(after.checked_sub(1)?)?;
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
        assert_eq!(table.end_of(9, Offset(20)), Some((3, Offset(20))));
        assert_eq!(table.end_of(-1, Offset(20)), None);
        assert_eq!(table.latest(), 3);
    }
}
