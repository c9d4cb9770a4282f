//! `LatencyHistogram`: how long things took, in buckets that double. Plain counters of one thread, 200 bytes, no allocation.

/// Upper bound of the first bucket, ns: below it nothing durable ends.
const FIRST_BOUND_NS: u64 = 64_000;
/// Buckets with a bound; the last one's is 33 s, beyond which a count is all that is known.
const BOUNDS: usize = 20;

/// Counts by duration.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LatencyHistogram {
    buckets: [u64; BOUNDS],
    count: u64,
    sum_ns: u64,
}

impl LatencyHistogram {
    /// Counts one.
    pub fn record(&mut self, duration_ns: u64) {
        self.count += 1;
        self.sum_ns = self.sum_ns.saturating_add(duration_ns);
        let doublings = duration_ns.div_ceil(FIRST_BOUND_NS).max(1).next_power_of_two().trailing_zeros();
        if let Some(bucket) = self.buckets.get_mut(doublings as usize) {
            *bucket += 1;
        }
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The sum of all durations, ns.
    pub fn sum_ns(&self) -> u64 {
        self.sum_ns
    }

    /// Upper bounds in ns, with how many took at most that long.
    pub fn cumulative(&self) -> impl Iterator<Item = (u64, u64)> {
        let mut below = 0;
        self.buckets.iter().enumerate().map(move |(at, count)| {
            below += count;
            (FIRST_BOUND_NS << at, below)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_in_the_first_bucket_whose_bound_it_does_not_pass() {
        let mut histogram = LatencyHistogram::default();
        for duration_ns in [0, 64_000, 64_001, 128_000, 200_000, 3_600_000_000_000] {
            histogram.record(duration_ns);
        }
        let cumulative: Vec<_> = histogram.cumulative().collect();
        assert_eq!(cumulative[..3], [(64_000, 2), (128_000, 4), (256_000, 5)]);
        assert_eq!(cumulative.last().map(|(_, count)| *count), Some(5), "an hour is beyond every bound");
        assert_eq!((histogram.count(), histogram.sum_ns()), (6, 3_600_000_456_001));
    }
}
