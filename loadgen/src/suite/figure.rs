//! `Figure`: what a suite's tables say of a run.

use crate::report::{decimal, duration_ns};
use crate::result::{Latency, RunResult};
use crate::statistics::median;

/// A figure of one run.
#[derive(Clone, Copy)]
pub(super) struct Figure {
    pub name: &'static str,
    pub of: fn(&RunResult) -> Option<f64>,
    told: fn(f64) -> String,
}

impl Figure {
    pub const PRODUCED: Figure = Figure {
        name: "produced MB/s",
        of: |run| Some(run.summary.produce.as_ref()?.achieved.bytes_per_s / 1e6),
        told: decimal,
    };
    pub const P50: Figure = Figure { name: "p50", of: |run| Some(response(run)?.p50_ns? as f64), told: duration_ns };
    pub const P99: Figure = Figure { name: "p99", of: |run| Some(response(run)?.p99_ns? as f64), told: duration_ns };
    pub const P99_9: Figure =
        Figure { name: "p99.9", of: |run| Some(response(run)?.p99_9_ns? as f64), told: duration_ns };
    pub const CONSUMED: Figure = Figure {
        name: "consumed MB/s",
        of: |run| Some(run.summary.consume.as_ref()?.achieved.bytes_per_s / 1e6),
        told: decimal,
    };
    pub const END_TO_END: Figure = Figure {
        name: "end-to-end p99",
        of: |run| Some(run.summary.consume.as_ref()?.latency.end_to_end.as_ref()?.p99_ns? as f64),
        told: duration_ns,
    };
    pub const CPU: Figure =
        Figure { name: "broker CPU s/GB", of: |run| run.resources.broker.as_ref()?.cpu_s_per_gb, told: decimal };

    /// As `median (smallest-largest)`; None where no run has the figure.
    pub fn median_and_spread(&self, runs: &[&RunResult]) -> Option<String> {
        let values: Vec<f64> = runs.iter().filter_map(|run| (self.of)(run)).collect();
        let middle = (self.told)(median(&values)?);
        let (low, high) = values.iter().fold((f64::MAX, f64::MIN), |(low, high), &one| (low.min(one), high.max(one)));
        let spread = format!("{middle} ({}-{})", (self.told)(low), (self.told)(high));
        Some(if values.len() > 1 { spread } else { middle })
    }
}

fn response(run: &RunResult) -> Option<&Latency> {
    run.summary.produce.as_ref()?.latency.response.as_ref()
}
