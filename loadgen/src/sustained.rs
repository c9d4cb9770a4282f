//! Whether a broker held a rate: everything offered was achieved, nobody fell behind, nothing failed, nothing was lost, goals were met.

use crate::result::{RunResult, Verdict};

/// Less than this share of the offered load is a queue that grows.
pub const ACHIEVED_SHARE_MIN: f64 = 0.99;

/// Consumers that need longer than this share of the window (but at least a second) to catch up had fallen behind.
const DRAIN_SHARE_MAX: f64 = 0.05;
const DRAIN_SECS_MIN: f64 = 1.0;

/// Why the rate of a run did not hold; `None` when it did.
pub fn why_not_held(result: &RunResult) -> Option<String> {
    if let Some(error) = &result.error {
        return Some(error.clone());
    }
    if result.integrity.verdict == Verdict::Fail {
        return Some("records were lost or harmed".into());
    }
    let produce = result.summary.produce.as_ref()?;
    if !produce.errors.is_empty() {
        return Some(format!("{} records failed", produce.errors.values().sum::<u64>()));
    }
    if result.quality.saturated {
        let share = produce.offered.map_or(1.0, |offered| produce.achieved.records_per_s / offered.records_per_s);
        return Some(format!("{:.1} % of it achieved", share * 100.0));
    }
    let drain_limit = (result.summary.measured_secs * DRAIN_SHARE_MAX).max(DRAIN_SECS_MIN);
    if let Some(drain) = result.summary.drain_secs.filter(|&drain| drain > drain_limit) {
        return Some(format!("consumers were {drain:.1} s behind at the end"));
    }
    let missed = result.slo.iter().find(|goal| !goal.pass)?;
    Some(match missed.value {
        Some(_) => format!("{} missed", missed.expr),
        None => format!("{} not measured: too few samples, probe longer", missed.expr),
    })
}
