//! Members that come and go on purpose, by the clock of the run alone, so that every run has the same of it.

use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::timeline::Timeline;

/// How a member goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum Departure {
    /// It commits and says good-bye.
    Leave,
    /// Its connections close, and the broker learns of it when its session has timed out.
    Die,
}

impl Departure {
    /// As in the result file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Leave => "leave",
            Self::Die => "die",
        }
    }
}

/// In each interval of the measured window but the first, one member of every group, in turn, is away for its first half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Churn {
    /// From one departure to the next.
    pub interval: Duration,
    /// How members go.
    pub departure: Departure,
}

impl Churn {
    /// Whether the member in this place, of so many, is to be away.
    pub fn is_away(&self, place: u32, members: u32, timeline: &Timeline, now_ns: u64) -> bool {
        let interval_ns = u64::try_from(self.interval.as_nanos()).unwrap_or(u64::MAX).max(1);
        let since_ns = now_ns.saturating_sub(timeline.measure_ns);
        let round = since_ns / interval_ns;
        // Everybody is back at the end of the window, so that the rest is read.
        timeline.measures(now_ns)
            && round > 0
            && (round - 1) % u64::from(members.max(1)) == u64::from(place)
            && since_ns % interval_ns < interval_ns / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::SECOND_NS;

    #[test]
    fn members_go_in_turn_for_half_an_interval_and_are_back_at_the_end() {
        let churn = Churn { interval: Duration::from_secs(2), departure: Departure::Leave };
        let timeline = Timeline { start_ns: 0, measure_ns: SECOND_NS, end_ns: 8 * SECOND_NS + SECOND_NS / 2 };
        let away = |second: u64| -> Vec<u32> {
            (0..2).filter(|&place| churn.is_away(place, 2, &timeline, second * SECOND_NS)).collect()
        };
        let by_second: Vec<Vec<u32>> = (0..10).map(away).collect();
        let expected: [&[u32]; 10] = [&[], &[], &[], &[0], &[], &[1], &[], &[0], &[], &[]];
        assert_eq!(by_second, expected);
        assert!(churn.is_away(0, 2, &timeline, 7 * SECOND_NS) && !churn.is_away(0, 2, &timeline, 9 * SECOND_NS));
    }
}
