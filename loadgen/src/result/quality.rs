//! How far the figures can be trusted, judged from the figures themselves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ArrivalKind, Series, StreamSummary, Summary, Workload};

/// Less than this share of the offer makes a run saturated.
const ACHIEVED_SHARE_MIN: f64 = 0.99;
/// Seconds that each third of a run must have, so that its median says something.
const SECONDS_A_THIRD_MIN: usize = 5;
/// How far the thirds may lie apart in a steady run.
const THROUGHPUT_DRIFT_MAX: f64 = 0.05;
/// As above, for the 99th percentile of a second.
const P99_DRIFT_MAX: f64 = 0.20;

/// How far the figures can be trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Quality {
    /// First and last third agree (5 % in throughput, 20 % in p99); absent when the run was too short to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steady: Option<bool>,
    /// The load generator, not the broker, may have set the figures.
    pub client_limited: bool,
    /// Less than 99 % of the offered load was achieved: latencies are those of a growing queue.
    pub saturated: bool,
    /// As fast as it goes: no schedule, so latency counts from the actual send.
    pub closed_loop: bool,
    /// Remarks for the reader, whole sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Quality {
    /// What the figures tell. Whether the client was the limit they do not tell: the caller knows its own threads.
    pub fn judge(workload: &Workload, summary: &Summary, series: Option<&Series>) -> Self {
        let from_secs = workload.phase_secs("warmup");
        let to_secs = from_secs + summary.measured_secs;
        Self {
            steady: series.and_then(|series| series.is_steady(from_secs, to_secs)),
            saturated: summary
                .produce
                .as_ref()
                .is_some_and(StreamSummary::is_saturated),
            closed_loop: workload.arrival.kind == ArrivalKind::ClosedLoop,
            ..Self::default()
        }
    }
}

impl StreamSummary {
    /// Whether the offer was not kept up with; never in a closed loop, which offers nothing.
    pub fn is_saturated(&self) -> bool {
        self.offered.is_some_and(|offered| {
            self.achieved.records_per_s < offered.records_per_s * ACHIEVED_SHARE_MIN
        })
    }
}

impl Series {
    /// Whether the first and the last third of this stretch agree; absent when it is too short to tell.
    pub fn is_steady(&self, from_secs: f64, to_secs: f64) -> Option<bool> {
        let within = |t_secs: &f64| *t_secs > from_secs && *t_secs <= to_secs;
        let seconds: Vec<usize> = (0..self.t_secs.len())
            .filter(|row| within(&self.t_secs[*row]))
            .collect();
        let throughput = |row: &usize| self.achieved_bytes_per_s.get(*row).copied().flatten();
        let p99 = |row: &usize| {
            self.response_p99_ns
                .get(*row)
                .copied()
                .flatten()
                .map(|ns| ns as f64)
        };
        let throughput = drift(&seconds.iter().filter_map(throughput).collect::<Vec<_>>())?;
        let p99 = drift(&seconds.iter().filter_map(p99).collect::<Vec<_>>());
        Some(throughput <= THROUGHPUT_DRIFT_MAX && p99.is_none_or(|drift| drift <= P99_DRIFT_MAX))
    }
}

/// How far the medians of the first and the last third lie apart, as a share of the first.
fn drift(values: &[f64]) -> Option<f64> {
    let third = values.len() / 3;
    if third < SECONDS_A_THIRD_MIN {
        return None;
    }
    let first = median(values[..third].to_vec());
    let last = median(values[values.len() - third..].to_vec());
    (first > 0.0).then(|| (last - first).abs() / first)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::Rate;

    fn series(achieved: impl Fn(u32) -> f64, p99: impl Fn(u32) -> u64) -> Series {
        Series {
            t_secs: (1..=25).map(f64::from).collect(),
            achieved_bytes_per_s: (1..=25).map(|second| Some(achieved(second))).collect(),
            response_p99_ns: (1..=25).map(|second| Some(p99(second))).collect(),
            ..Series::default()
        }
    }

    #[test]
    fn a_decline_that_a_mean_would_hide_is_unsteady() {
        let declining = series(|second| 20e6 * (1.0 - 0.01 * f64::from(second)), |_| 1_000);
        assert_eq!(declining.is_steady(5.0, 25.0), Some(false));
        let slower = series(|_| 20e6, |second| 1_000 + 40 * u64::from(second));
        assert_eq!(slower.is_steady(5.0, 25.0), Some(false));
    }

    #[test]
    fn warmup_and_single_hiccups_do_not_make_a_run_unsteady() {
        let warming = series(|second| if second <= 5 { 1e6 } else { 20e6 }, |_| 1_000);
        assert_eq!(warming.is_steady(5.0, 25.0), Some(true));
        let hiccup = series(|second| if second == 24 { 2e6 } else { 20e6 }, |_| 1_000);
        assert_eq!(hiccup.is_steady(5.0, 25.0), Some(true));
    }

    #[test]
    fn too_short_a_run_is_neither_steady_nor_unsteady() {
        assert_eq!(series(|_| 20e6, |_| 1_000).is_steady(5.0, 15.0), None);
        assert_eq!(Series::default().is_steady(0.0, 25.0), None);
        assert_eq!(
            series(|_| 0.0, |_| 0).is_steady(5.0, 25.0),
            None,
            "nothing moved"
        );
    }

    #[test]
    fn saturation_begins_below_ninety_nine_percent_of_an_offer() {
        let rate = |records_per_s| Rate {
            records_per_s,
            bytes_per_s: 0.0,
        };
        let stream = |offered: Option<f64>, achieved| StreamSummary {
            offered: offered.map(rate),
            achieved: rate(achieved),
            ..StreamSummary::default()
        };
        assert!(stream(Some(1_000.0), 989.0).is_saturated());
        assert!(!stream(Some(1_000.0), 991.0).is_saturated());
        assert!(!stream(None, 10.0).is_saturated());
    }
}
