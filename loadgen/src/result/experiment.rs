//! What a run was part of: its kind, its place among repeats, the goals it was held against, the faults it met.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a run was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// One load, one measured window.
    Run,
    /// A probe of the search for the highest rate under a goal.
    Search,
    /// A point of a latency curve.
    CurvePoint,
    /// A point of a sweep over settings.
    SweepPoint,
    /// A backlog that is read while producers are off, on or throttled.
    Drain,
    /// The generator alone, against a broker that forgets everything.
    Selftest,
    /// A side of a comparison.
    Ab,
    /// A side of a comparison of a thing with itself.
    Aa,
    /// A long check that nothing is lost.
    Verify,
    /// Read from another tool's output.
    Imported,
}

/// The place of a run among its repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Repeat {
    /// From 1.
    pub index: u32,
    /// How many there are to be.
    pub of: u32,
    /// Runs of one block were made one after the other, one of each side.
    pub block: u32,
    /// Place in its block, from 0.
    pub order: u32,
    /// What shuffled the order.
    pub seed: u64,
}

/// A goal with its outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Goal {
    /// As it was given: `p99<10ms`.
    pub expr: String,
    /// The measured value in the base unit (ns, bytes, records); absent when there were too few samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Whether it was met. What was not measured is not met.
    pub pass: bool,
}

/// A disturbance that was made on purpose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FaultEvent {
    /// Seconds since the start of the first phase.
    pub t_secs: f64,
    /// `pause`, `kill`, `cut`, `slow-consumer`.
    pub kind: String,
    /// How long it lasted, measured where it was made: a pause from stop to continue, a kill until the broker that was
    /// started again listens; absent for what has no length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_secs: Option<f64>,
    /// From its begin until the rate was back at 90 % of what was offered; absent when it never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_secs: Option<f64>,
    /// From its begin until all clients were served again that had lost their connection or were refused; absent when none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_window_secs: Option<f64>,
}
