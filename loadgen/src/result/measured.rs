//! What was measured: rates, latencies, one-second series and the use of the machine.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{GroupSummary, Latency, TransactionSummary, is_zero};

/// The figures of the measured window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Length of the measured window as it was.
    pub measured_secs: f64,
    /// Records into the broker; absent when nothing was produced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub produce: Option<StreamSummary>,
    /// Records out of the broker; absent without consumers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consume: Option<StreamSummary>,
    /// What was there before the clock started, and how it went down; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backlog: Option<Backlog>,
    /// What consumer groups at the broker went through; absent where partitions are dealt out without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<GroupSummary>,
    /// What became of transactions; absent without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transactions: Option<TransactionSummary>,
    /// From the last send to the last delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain_secs: Option<f64>,
}

/// A backlog and how it went down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Backlog {
    /// Records that were there before the clock started.
    pub records: u64,
    /// Their value bytes.
    pub bytes: u64,
    /// Until less than a second's offer was unread, to the second; absent when that was not reached in the measured window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drained_secs: Option<f64>,
    /// What consumers read until then.
    pub read: Rate,
}

/// One direction of the traffic.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StreamSummary {
    /// What the schedule asked for; absent in a closed loop and for consumers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered: Option<Rate>,
    /// What was answered, good or bad.
    pub achieved: Rate,
    /// What was answered without error.
    pub goodput: Rate,
    /// Records answered without error.
    pub records: u64,
    /// Key and value bytes of these records, without Kafka's framing.
    pub bytes: u64,
    /// Failed records by Kafka's error name, or `timeout`, `disconnected`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub errors: BTreeMap<String, u64>,
    /// Batches that were refused for a reason that passes, and sent again.
    pub retries: u64,
    /// Requests that had no answer in time.
    pub timeouts: u64,
    /// Records that seem to have been delivered before they were due, since the clocks of two hosts differ; they count as 0 in
    /// `latency.end_to_end`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub end_to_end_negative_records: u64,
    /// The shape that the traffic took on the wire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchShape>,
    /// The latencies of this stream.
    #[serde(default)]
    pub latency: StreamLatency,
}

/// A rate in records and in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rate {
    /// Records.
    pub records_per_s: f64,
    /// Key and value bytes.
    pub bytes_per_s: f64,
}

/// The shape that the traffic took on the wire.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BatchShape {
    /// Batches sent or received.
    pub batches: u64,
    /// Requests sent.
    pub requests: u64,
    /// Mean records of a batch.
    pub records_per_batch_mean: f64,
    /// Mean size of a batch on the wire.
    pub batch_bytes_mean: f64,
    /// Bytes of a batch before compression for each byte of it on the wire; absent without compression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression_ratio: Option<f64>,
    /// Requests.
    pub requests_per_s: f64,
    /// Mean number of unanswered requests, over all connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inflight_requests_mean: Option<f64>,
}

/// The latencies of a stream; those that do not apply are absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StreamLatency {
    /// Intended send time to acknowledgement: the headline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Latency>,
    /// Write to the socket to acknowledgement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Latency>,
    /// Intended send time to write to the socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<Latency>,
    /// Intended send time to delivery at the consumer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_to_end: Option<Latency>,
}

/// One value a second in columns as long as `t_secs`. A column that was not measured is empty and absent; a second
/// without a value (no sample, or too few for that percentile) is null.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Series {
    /// Seconds since the start of the first phase, at the end of the second that the row describes.
    pub t_secs: Vec<f64>,
    /// Records that were due, as bytes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offered_bytes_per_s: Vec<Option<f64>>,
    /// Bytes acknowledged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub achieved_bytes_per_s: Vec<Option<f64>>,
    /// Bytes delivered to consumers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consumed_bytes_per_s: Vec<Option<f64>>,
    /// Records that failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors_per_s: Vec<Option<f64>>,
    /// Unanswered produce requests at the end of the second.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inflight_requests: Vec<Option<f64>>,
    /// Response, median.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub response_p50_ns: Vec<Option<u64>>,
    /// Response, 99th percentile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub response_p99_ns: Vec<Option<u64>>,
    /// Response, largest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub response_max_ns: Vec<Option<u64>>,
    /// End to end, median.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub end_to_end_p50_ns: Vec<Option<u64>>,
    /// End to end, 99th percentile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub end_to_end_p99_ns: Vec<Option<u64>>,
    /// End to end, largest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub end_to_end_max_ns: Vec<Option<u64>>,
    /// Records that were there and not yet read, at the end of the second.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread_records: Vec<Option<u64>>,
    /// Lag, 99th percentile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lag_p99_ns: Vec<Option<u64>>,
    /// Processor use of the broker, in cores.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broker_cpu_cores: Vec<Option<f64>>,
    /// Resident memory of the broker.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broker_rss_bytes: Vec<Option<u64>>,
    /// Processor use of the load generator, in cores.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loadgen_cpu_cores: Vec<Option<f64>>,
    /// Share of processor time that the hypervisor gave to others, 0 to 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steal_share: Vec<Option<f64>>,
    /// Share of the second in which some task waited for a processor, 0 to 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cpu_pressure_share: Vec<Option<f64>>,
    /// Share of the second in which some task waited for the disk, 0 to 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub io_pressure_share: Vec<Option<f64>>,
}

/// What the run used in the measured window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Resources {
    /// The broker; absent when its process is out of reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broker: Option<ProcessResources>,
    /// The load generator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loadgen: Option<ProcessResources>,
    /// The machine of the load generator as a whole; with agents, that of their coordinator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostPressure>,
    /// The agents that took part; their processor time is also in `loadgen`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<AgentResources>,
}

/// What one agent and its machine did in the measured window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentResources {
    /// Host and port of the agent.
    pub agent: String,
    /// Whether the broker's process is on its machine.
    pub beside_broker: bool,
    /// Processor time of the agent.
    pub cpu_secs: f64,
    /// Its machine as a whole.
    pub host: HostPressure,
}

/// What one process used in the measured window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessResources {
    /// Processor time in user mode.
    pub cpu_user_secs: f64,
    /// Processor time in the kernel.
    pub cpu_system_secs: f64,
    /// Processor seconds for each 10^9 bytes produced; absent when nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_s_per_gb: Option<f64>,
    /// Resident memory before the load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rss_idle_bytes: Option<u64>,
    /// Largest resident memory seen under load, one look a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rss_max_bytes: Option<u64>,
}

/// How much others disturbed, as means over the measured window, 0 to 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HostPressure {
    /// Processor time that the hypervisor gave to others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steal_share: Option<f64>,
    /// Time in which some task waited for a processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_pressure_share: Option<f64>,
    /// Time in which some task waited for the disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub io_pressure_share: Option<f64>,
}

impl Rate {
    /// The rate of so many records and bytes in so many seconds; zero without time.
    pub fn over(records: u64, bytes: u64, secs: f64) -> Self {
        if secs <= 0.0 {
            return Self::default();
        }
        Self { records_per_s: records as f64 / secs, bytes_per_s: bytes as f64 / secs }
    }
}

impl ProcessResources {
    /// Processor time, user and kernel.
    pub fn cpu_secs(&self) -> f64 {
        self.cpu_user_secs + self.cpu_system_secs
    }
}
