//! When the phases of a run begin and end, and which second a moment belongs to.

use serde::{Deserialize, Serialize};

/// One second.
pub const SECOND_NS: u64 = 1_000_000_000;

/// When the phases of a run begin and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// First send.
    pub start_ns: u64,
    /// End of the warm-up: the schedule's origin moves here.
    pub measure_ns: u64,
    /// Nothing is sent from here on.
    pub end_ns: u64,
}

impl Timeline {
    /// The second that `now_ns` belongs to, counted from the measured window; negative in the warm-up. What completes
    /// after the end belongs to the last second.
    pub fn second(&self, now_ns: u64) -> i64 {
        let now_ns = now_ns.clamp(self.start_ns, self.end_ns.saturating_sub(1));
        (now_ns as i64 - self.measure_ns as i64).div_euclid(SECOND_NS as i64)
    }

    /// How much of a second the run covers: less than 1 where a phase has a fraction.
    pub fn covered_secs(&self, second: i64) -> f64 {
        let from = self.measure_ns as i64 + second * SECOND_NS as i64;
        let to = (from + SECOND_NS as i64).min(self.end_ns as i64);
        (to - from.max(self.start_ns as i64)).max(0) as f64 / 1e9
    }

    /// Whether `now_ns` lies in the measured window.
    pub fn measures(&self, now_ns: u64) -> bool {
        (self.measure_ns..self.end_ns).contains(&now_ns)
    }

    /// Length of the measured window.
    pub fn measured_secs(&self) -> f64 {
        (self.end_ns - self.measure_ns) as f64 / 1e9
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMELINE: Timeline =
        Timeline { start_ns: SECOND_NS, measure_ns: 2 * SECOND_NS, end_ns: 4 * SECOND_NS + SECOND_NS / 2 };

    #[test]
    fn seconds_know_how_much_of_them_the_run_covers() {
        assert_eq!(TIMELINE.second(SECOND_NS), -1);
        assert_eq!(TIMELINE.second(4 * SECOND_NS), 2);
        assert!((TIMELINE.covered_secs(2) - 0.5).abs() < 1e-9);
        assert!((TIMELINE.covered_secs(-1) - 1.0).abs() < 1e-9);
    }
}
