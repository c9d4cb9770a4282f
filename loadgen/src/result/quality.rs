//! How far the figures of a result can be trusted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    /// The machine changed while the run went on: the probes before and after it disagree by more than 5 %.
    #[serde(default)]
    pub noisy: bool,
    /// As fast as it goes: no schedule, so latency counts from the actual send.
    pub closed_loop: bool,
    /// Remarks for the reader, whole sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}
