//! How fast the cleaner may use the disk, and how much memory: a token bucket on the clock of the `Io`, slower while others use the disk.

use crate::limits::{CLEANER_BUSY_BYTES_PER_SECOND, CLEANER_BYTES_PER_SECOND};

/// A bucket that fills with time. It may be overdrawn by one operation, so that one larger than the bucket passes as well.
#[derive(Debug)]
pub struct Budget {
    bytes: i64,
    filled_at_ns: u64,
    /// Bytes a second, now.
    pub rate: u64,
    /// Bytes of batches that a sweep may hold.
    pub gather_bytes: usize,
}

/// What gathers while nothing is taken: a tenth of a second.
const BURSTS_PER_SECOND: u64 = 10;

impl Budget {
    /// An empty bucket.
    pub fn new(now_ns: u64, gather_bytes: usize) -> Budget {
        Budget { bytes: 0, filled_at_ns: now_ns, rate: CLEANER_BYTES_PER_SECOND, gather_bytes }
    }

    /// Lets the time since the last call count; `is_slow` says how it counts.
    pub fn fill(&mut self, now_ns: u64, is_slow: bool) {
        self.rate = if is_slow { CLEANER_BUSY_BYTES_PER_SECOND } else { CLEANER_BYTES_PER_SECOND };
        let passed_ns = now_ns.saturating_sub(self.filled_at_ns);
        let earned = i128::from(self.rate) * i128::from(passed_ns) / 1_000_000_000;
        // What is too short to count is kept for the next call.
        if earned > 0 {
            let most = i128::from(self.rate / BURSTS_PER_SECOND);
            self.bytes = (i128::from(self.bytes) + earned).min(most) as i64;
            self.filled_at_ns = now_ns;
        }
    }

    /// Takes the bytes of an operation, if the bucket is not empty.
    pub fn take(&mut self, bytes: u64) -> bool {
        let has_some = self.bytes > 0;
        if has_some {
            self.bytes -= bytes as i64;
        }
        has_some
    }

    /// When there is something in it.
    pub fn ready_at_ns(&self) -> u64 {
        let missing = u64::try_from(1 - self.bytes).unwrap_or(0);
        self.filled_at_ns + missing.saturating_mul(1_000_000_000).div_ceil(self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_passes_than_the_rate_and_one_burst() {
        let (mut budget, mut taken, second) = (Budget::new(0, 1), 0, 1_000_000_000);
        for now_ns in (0..=10 * second).step_by(700_000) {
            budget.fill(now_ns, false);
            while budget.take(100_000) {
                taken += 100_000;
            }
        }
        let most = CLEANER_BYTES_PER_SECOND * 10 + CLEANER_BYTES_PER_SECOND / BURSTS_PER_SECOND;
        assert!((most * 9 / 10..=most + 100_000).contains(&taken), "{taken}");
    }

    #[test]
    fn an_empty_bucket_says_when_it_is_not() {
        let mut budget = Budget::new(5, 1);
        budget.fill(1_000_000, true);
        assert!(budget.take(64 << 20) && !budget.take(1));
        let ready_at_ns = budget.ready_at_ns();
        budget.fill(ready_at_ns - 2_000, true);
        assert!(!budget.take(1));
        budget.fill(ready_at_ns + 2_000, true);
        assert!(budget.take(1));
    }
}
