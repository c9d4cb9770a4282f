//! `DiskUse`: whether appends came to any shard of the process a moment ago, or readers read behind the tail. All share one disk: what may wait
//! goes easy then (such reads beside appends, the cleaner beside both), because each of them would wait behind it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::limits::{DISK_USE_NOTED_MS, DISK_USE_RECENT_MS};

const NS_PER_MS: u64 = 1_000_000;

/// What all shards know of one another.
#[derive(Clone, Default, Debug)]
pub struct DiskUse {
    /// Batches that were appended.
    pub(super) appends: Lately,
    /// Reads of readers.
    pub(super) reads: Lately,
}

/// One time for all who share it, ns of the monotonic clock. Written some tens of times a second at most: it is a hint, no order depends on it.
#[derive(Clone, Default, Debug)]
pub(super) struct Lately {
    at_ns: Arc<AtomicU64>,
    /// What the owner had counted when it looked last.
    count: u64,
}

impl Lately {
    /// The owner has counted so many in all.
    pub(super) fn note(&mut self, count: u64, now_ns: u64) {
        if self.count != count {
            self.count = count;
            if now_ns.saturating_sub(self.at_ns.load(Ordering::Relaxed)) >= DISK_USE_NOTED_MS * NS_PER_MS {
                self.at_ns.store(now_ns, Ordering::Relaxed);
            }
        }
    }

    /// Whether some owner counted more not long ago.
    pub(super) fn is_recent(&self, now_ns: u64) -> bool {
        let at_ns = self.at_ns.load(Ordering::Relaxed);
        at_ns > 0 && now_ns < at_ns + DISK_USE_RECENT_MS * NS_PER_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_counts_is_seen_by_all_for_a_while() {
        let mut one = Lately::default();
        let other = Lately { count: 0, ..one.clone() };
        let begun_ns = 7_000_000_000;
        assert!(!one.is_recent(begun_ns) && !other.is_recent(begun_ns));
        one.note(0, begun_ns);
        assert!(!other.is_recent(begun_ns), "nothing was counted");
        one.note(1, begun_ns);
        assert!(one.is_recent(begun_ns) && other.is_recent(begun_ns + DISK_USE_RECENT_MS * NS_PER_MS - 1));
        assert!(!other.is_recent(begun_ns + DISK_USE_RECENT_MS * NS_PER_MS));
    }
}
