//! The last markers that a coordinator took. Whether a transaction is open is asked elsewhere, and it may end between that and the commit: a
//! commit behind the marker would wait for the end of a transaction that has ended.

use std::collections::VecDeque;

use super::GroupError;
use crate::limits::LAST_MARKERS_MAX;

/// How far a coordinator had taken markers when it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarkersSeen(pub(super) u64);

/// Order and producer id of the last markers, oldest first.
#[derive(Debug, Default)]
pub(super) struct LastMarkers {
    markers: VecDeque<(u64, i64)>,
    /// Order of the newest that was forgotten.
    forgotten: u64,
}

impl LastMarkers {
    /// A marker takes its place in the log.
    pub(super) fn put(&mut self, producer_id: i64, order: u64) {
        if self.markers.len() == LAST_MARKERS_MAX {
            self.forgotten = self.markers.pop_front().map_or(self.forgotten, |(order, _)| order);
        }
        self.markers.push_back((order, producer_id));
    }

    /// Whether no transaction of the producer has ended since `seen`.
    pub(super) fn check(&self, producer_id: i64, seen: MarkersSeen) -> Result<(), GroupError> {
        let mut since = self.markers.iter().rev().take_while(|(order, _)| *order > seen.0);
        if since.any(|(_, id)| *id == producer_id) {
            return Err(GroupError::InvalidTxnState);
        }
        if self.forgotten > seen.0 { Err(GroupError::CoordinatorNotAvailable) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_what_is_remembered_is_asked_again() {
        let mut last = LastMarkers::default();
        for order in 1..=LAST_MARKERS_MAX as u64 {
            last.put(7, order);
        }
        assert_eq!(last.check(8, MarkersSeen(0)), Ok(()));
        last.put(7, LAST_MARKERS_MAX as u64 + 1);
        assert_eq!(last.check(8, MarkersSeen(0)), Err(GroupError::CoordinatorNotAvailable));
        assert_eq!(last.check(8, MarkersSeen(1)), Ok(()));
        assert_eq!(last.check(7, MarkersSeen(1)), Err(GroupError::InvalidTxnState));
    }
}
