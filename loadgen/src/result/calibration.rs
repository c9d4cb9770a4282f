//! What the machine and the generator could do when the run was made: the measure of how far figures can be trusted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the machine and the generator could do at the time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Calibration {
    /// What the generator offers at most with this workload on this machine; absent when it was never measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generator_ceiling: Option<GeneratorCeiling>,
    /// What checking every record costs; a selftest measures it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integrity_cost: Option<IntegrityCost>,
    /// A fixed piece of arithmetic, before and after the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_probe: Option<NoiseProbe>,
    /// A 4 KiB write and its fdatasync beside the broker's data; absent when the data is elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fdatasync_probe: Option<NoiseProbe>,
    /// The clocks of the agents that the load was spread over; none when it came from one process.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<AgentClock>,
}

/// The clock of one agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentClock {
    /// Host and port of the agent.
    pub agent: String,
    /// Its monotonic clock against the coordinator's.
    pub clock_offset: ClockOffset,
}

/// How far a host's monotonic clock was ahead of the coordinator's. It counts from the host's boot, so that the estimate is large
/// between hosts and says nothing; the error is what end-to-end times between hosts depend on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClockOffset {
    /// The estimate at the end of the run.
    pub est_ns: i64,
    /// How wrong the offset in use can have been at most at any time of the run.
    pub err_ns: u64,
    /// Change of the offset over the run, in millionths of the time that passed; absent when none passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_ppm: Option<f64>,
    /// How wrong the drift can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_err_ppm: Option<f64>,
    /// The shortest way there and back over the control connection.
    pub round_trip_min_ns: u64,
    /// Exchanges that the estimate rests on.
    pub probes: u64,
    /// Times that the offset in use was proved wrong, by drift, and corrected.
    pub corrections: u64,
    /// Times that it changed more than clocks drift.
    pub jumps: u64,
}

/// What the generator reached against a broker that forgets everything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GeneratorCeiling {
    /// Records.
    pub records_per_s: f64,
    /// Value bytes.
    pub bytes_per_s: f64,
    /// When it was measured; RFC 3339, UTC.
    pub measured_utc: String,
    /// The run's offered (or, in a closed loop, achieved) rate as a share of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
}

/// What the check data of a record costs the generator, one thread, beside what else it does with the record.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IntegrityCost {
    /// To build its batch, with stamp and checksum and without.
    pub produce: OnOff,
    /// To walk its batch, with every check and without.
    pub consume: OnOff,
}

/// The same work with integrity and without.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OnOff {
    /// Nanoseconds a record with it.
    pub on_ns: f64,
    /// Nanoseconds a record without.
    pub off_ns: f64,
}

impl OnOff {
    /// Nanoseconds a record that integrity adds.
    pub fn added_ns(&self) -> f64 {
        self.on_ns - self.off_ns
    }
}

/// The same small piece of work before and after a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NoiseProbe {
    /// Median before.
    pub before_ns: u64,
    /// Median after.
    pub after_ns: u64,
}

impl NoiseProbe {
    /// How far the two are apart, as a share of the smaller.
    pub fn drift(&self) -> f64 {
        let (low, high) = (self.before_ns.min(self.after_ns), self.before_ns.max(self.after_ns));
        if low == 0 { 0.0 } else { (high - low) as f64 / low as f64 }
    }
}
