//! The result file, `schema_version` 1: everything that a reader needs to believe and to repeat a run.
//!
//! Units end the names (`_ns`, `_bytes`, `_per_s`, `_secs`). What a run did not measure is absent, never
//! null or zero. Readers ignore fields that they do not know, so that the format can grow.

mod calibration;
mod environment;
mod experiment;
mod groups;
mod histogram;
mod imported;
mod latency;
mod machine;
mod measured;
mod quality;
mod timestamp;
mod transactions;
mod workload;

pub use calibration::{AgentClock, Calibration, ClockOffset, GeneratorCeiling, IntegrityCost, NoiseProbe, OnOff};
pub use environment::{CgroupLimits, CoreSplit, HostEnvironment, HostRole, NetworkInterface, Storage};
pub use experiment::{FaultEvent, Goal, Kind, Repeat};
pub use groups::{GroupChurn, GroupMembership, GroupSummary, Rebalance};
pub use histogram::{HistogramError, decode_histogram, encode_histogram};
pub use imported::Imported;
pub use latency::{Latency, Percentile};
pub use machine::{Machine, NoiseFloor, machine_id};
pub use measured::{
    AgentResources, Backlog, BatchShape, HostPressure, ProcessResources, Rate, Resources, Series, StreamLatency,
    StreamSummary, Summary,
};
pub use quality::Quality;
pub use timestamp::{parse_utc_timestamp, utc_timestamp};
pub use transactions::{TransactionSummary, Transactions};
pub use workload::{
    Acks, Arrival, ArrivalKind, ClientMode, Compression, Durability, FetchSettings, Fsync, IntegrityMode, Keys,
    LoadgenBuild, OverloadPolicy, Phase, SizeShare, Target, Workload, WriteCache, fnv1a,
};

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of the format that this crate writes.
pub const SCHEMA_VERSION: u32 = 1;

/// One run: one file, written also when the run failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
// The derived code is called by hand, since an imported file lacks what its source does not tell.
#[serde(remote = "Self")]
pub struct RunResult {
    /// Always [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Start time and a number drawn for the run, or `imported-` and the hash of the source; unique in a results folder.
    pub id: String,
    /// What the run was for.
    pub kind: Kind,
    /// Where an imported result comes from; absent for runs of this program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<Imported>,
    /// What a comparison calls this side of it: `main`, `candidate`, `kafka-4.1`; absent when nobody named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The set of runs that this one belongs to: `ab`, `curve`, the name of a folder of evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suite: Option<String>,
    /// Which of several equal runs this is; absent for a single one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Repeat>,
    /// Hash of the canonical workload: equal for runs that offered the same load.
    pub workload_id: String,
    /// Hash of everything that must be equal for two runs to be repeats of one another: workload without its seed,
    /// product, version, configuration, durability, machine, and the generator's version.
    #[serde(default)]
    pub series_key: String,
    /// Free labels: `tuned`, `noisy`, `historical`, `retracted`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The exact command line, program first.
    pub command: Vec<String>,
    /// RFC 3339, UTC.
    pub started_utc: String,
    /// RFC 3339, UTC.
    pub ended_utc: String,
    /// The program that measured.
    pub loadgen: LoadgenBuild,
    /// Every setting of the load.
    pub workload: Workload,
    /// What was measured.
    pub target: Target,
    /// The machines that took part, each with its role.
    pub env: Vec<HostEnvironment>,
    /// What the machine and the generator could do at the time.
    #[serde(default)]
    pub calibration: Calibration,
    /// The figures of the measured window, warm-up excluded.
    pub summary: Summary,
    /// Merged histograms of the measured window, nanoseconds: `<stream>.<latency>` -> base64 of the
    /// `HdrHistogram` V2 encoding with deflate. The keys are the constants of [`histogram_name`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub histograms: BTreeMap<String, String>,
    /// One value a second in columns of equal length, warm-up included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<Series>,
    /// What the processes used in the measured window.
    #[serde(default)]
    pub resources: Resources,
    /// Whether every record arrived: once, in order, unharmed.
    pub integrity: Integrity,
    /// Disturbances that were made on purpose while the run went on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultEvent>,
    /// Rebalances of consumer groups since the load began, in order, the first 500; `summary.groups` counts all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rebalances: Vec<Rebalance>,
    /// Goals that the run was held against.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slo: Vec<Goal>,
    /// How far the figures can be trusted.
    pub quality: Quality,
    /// Why the run ended early; absent when it ended as planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The keys of [`RunResult::histograms`].
pub mod histogram_name {
    /// Intended send time to acknowledgement.
    pub const PRODUCE_RESPONSE: &str = "produce.response";
    /// Write to the socket to acknowledgement.
    pub const PRODUCE_SERVICE: &str = "produce.service";
    /// Intended send time to write to the socket.
    pub const PRODUCE_LAG: &str = "produce.lag";
    /// Intended send time to delivery at the consumer.
    pub const CONSUME_END_TO_END: &str = "consume.end_to_end";
    /// Write of a group member's commit to its answer.
    pub const GROUP_COMMIT: &str = "group.commit";
    /// Write of a transaction's commit to its answer.
    pub const TRANSACTION_COMMIT: &str = "transaction.commit";
}

/// The account of every record that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Integrity {
    /// How the records were checked.
    pub mode: IntegrityMode,
    /// Records handed to the broker, acknowledged or not, warm-up included.
    pub produced: u64,
    /// Records that the broker acknowledged.
    pub acked: u64,
    /// Records that the consumers received, duplicates included.
    pub consumed: u64,
    /// Acknowledged records that no consumer received.
    pub missing: u64,
    /// Deliveries of a record that had been delivered before.
    pub duplicate: u64,
    /// Records that arrived after a later record of the same producer and partition.
    pub out_of_order: u64,
    /// Records whose checksum or length is wrong.
    pub corrupt: u64,
    /// Records that were received where nobody had sent them, or that nobody sent.
    pub phantom: u64,
    /// Batches that were acknowledged with offsets at or before those of an earlier batch of their partition.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub wrong_offsets: u64,
    /// Records that were received although their acknowledgement never came; allowed.
    pub unacked_seen: u64,
    /// Deliveries to a group that had read the record before, since its position was not committed when a rebalance came; allowed,
    /// and in no other figure.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub redelivered: u64,
    /// Records that readers of what is committed received although their transaction was aborted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub aborted_seen: u64,
    /// Positions that the broker gave out although it had answered a later commit.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost_commits: u64,
    /// The judgement.
    pub verdict: Verdict,
    /// The first few faults in words, to start the search with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
}

/// Nothing to tell.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The judgement over all records of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every acknowledged record arrived once, in order, unharmed.
    Pass,
    /// At least one record was lost, doubled, out of order or harmed.
    Fail,
    /// The run ended before every record could be judged.
    Incomplete,
    /// Checking was switched off.
    NotChecked,
}

impl RunResult {
    /// Whether its figures may stand beside others: a failed run is kept as evidence, never a sample.
    pub fn is_sample(&self) -> bool {
        self.error.is_none() && self.integrity.verdict != Verdict::Fail
    }

    /// Fills in [`RunResult::series_key`] from the rest.
    pub fn set_series_key(&mut self) {
        let machines: Vec<_> =
            self.env.iter().map(|host| (host.role, &host.kernel, &host.cpu_model, host.cores, &host.cgroup)).collect();
        let target = &self.target;
        let canonical = serde_json::to_vec(&(
            self.workload.without_seed(),
            (&target.product, &target.version, target.nodes, &target.config, target.durability),
            machines,
            (&self.loadgen.version, &self.loadgen.build_profile),
        ));
        let mut canonical = canonical.unwrap_or_default();
        for split in self.env.iter().filter_map(|host| host.core_split.as_ref()) {
            canonical.extend(format!("cores {} {:?}", split.loadgen, split.broker).bytes());
        }
        if let Some(imported) = &self.imported {
            canonical.extend_from_slice(imported.tool.as_bytes());
        }
        self.series_key = format!("{:016x}", fnv1a(&canonical));
    }
}

/// The JSON Schema of the result file, as committed in `results/schema/run-v1.json`.
pub fn json_schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(RunResult).to_value();
    if let Some(root) = schema.as_object_mut() {
        root.insert("title".into(), "loadgen run result, version 1".into());
    }
    imported::relax(&mut schema);
    schema
}
