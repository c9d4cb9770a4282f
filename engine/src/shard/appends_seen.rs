//! `AppendsSeen`: whether appends came to any shard of the process a moment ago. All share one disk: what may wait (reads behind the tail, the
//! cleaner) goes easy then, because each append would wait behind it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::limits::{APPENDS_NOTED_MS, APPENDS_RECENT_MS};

const NS_PER_MS: u64 = 1_000_000;

/// One time for all who share it, ns of the monotonic clock. Written some tens of times a second at most: it is a hint, no order depends on it.
#[derive(Clone, Default, Debug)]
pub struct AppendsSeen {
    at_ns: Arc<AtomicU64>,
    /// Batches of the owner when it looked last.
    batches: u64,
}

impl AppendsSeen {
    /// The owner has taken so many batches in all.
    pub(super) fn note(&mut self, batches: u64, now_ns: u64) {
        if self.batches != batches {
            self.batches = batches;
            if now_ns.saturating_sub(self.at_ns.load(Ordering::Relaxed)) >= APPENDS_NOTED_MS * NS_PER_MS {
                self.at_ns.store(now_ns, Ordering::Relaxed);
            }
        }
    }

    /// Whether some owner's batches came not long ago.
    pub(super) fn are_recent(&self, now_ns: u64) -> bool {
        let at_ns = self.at_ns.load(Ordering::Relaxed);
        at_ns > 0 && now_ns < at_ns + APPENDS_RECENT_MS * NS_PER_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appends_of_one_are_seen_by_all_for_a_while() {
        let mut one = AppendsSeen::default();
        let other = AppendsSeen { batches: 0, ..one.clone() };
        let begun_ns = 7_000_000_000;
        assert!(!one.are_recent(begun_ns) && !other.are_recent(begun_ns));
        one.note(0, begun_ns);
        assert!(!other.are_recent(begun_ns), "nothing was appended");
        one.note(1, begun_ns);
        assert!(one.are_recent(begun_ns) && other.are_recent(begun_ns + APPENDS_RECENT_MS * NS_PER_MS - 1));
        assert!(!other.are_recent(begun_ns + APPENDS_RECENT_MS * NS_PER_MS));
    }
}
