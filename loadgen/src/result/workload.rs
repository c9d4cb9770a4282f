//! What was asked: the load with every setting, the program that made it, and the target with its durability.

use std::collections::BTreeMap;

use clap::ValueEnum;
use protocol::record_batch;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{GroupMembership, Transactions};

/// Every setting of a load; the same workload offered twice is the same experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Workload {
    /// Topics.
    pub topics: u32,
    /// Partitions a topic.
    pub partitions: u32,
    /// Replicas a partition.
    pub replication_factor: u16,
    /// Producer clients.
    pub producers: u32,
    /// Consumer clients, of each group where there are several; 0 leaves the topic unread.
    pub consumers: u32,
    /// Groups of consumers, each of which reads everything; absent when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<u32>,
    /// How the members of groups at the broker behave; absent where partitions are dealt out without the broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_membership: Option<GroupMembership>,
    /// How producers write in transactions; absent without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transactions: Option<Transactions>,
    /// What consumers see of transactions: `read-committed`; absent when they see every record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<String>,
    /// Bytes of a record value, check data included; on average where there are several sizes.
    pub record_bytes: u32,
    /// The sizes of values where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sizes: Vec<SizeShare>,
    /// Bytes of a record key; absent when records have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_bytes: Option<u32>,
    /// How keys are drawn; absent when records have none, or it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<Keys>,
    /// Bits of information in a byte of the values; absent when they are random, which is 8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entropy_bits_per_byte: Option<f64>,
    /// When records are due.
    pub arrival: Arrival,
    /// The phases of the run in order.
    pub phases: Vec<Phase>,
    /// What a producer waits for.
    pub acks: Acks,
    /// Longest wait of a record for company.
    pub linger_ms: f64,
    /// A batch is sent when it holds this much.
    pub batch_bytes_max: u32,
    /// Unanswered requests a connection.
    pub inflight_requests_max: u32,
    /// Whether producers number their batches.
    pub idempotence: bool,
    /// Codec of the batches.
    pub compression: Compression,
    /// The consumers' fetch settings; absent without consumers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetch: Option<FetchSettings>,
    /// What happens to a record that is due while the producer may not send.
    pub overload_policy: OverloadPolicy,
    /// How the clients work.
    pub client_mode: ClientMode,
    /// How records are checked.
    pub integrity: IntegrityMode,
    /// Start of every random stream.
    pub seed: u64,
    /// Planned disturbances, in the order of their moments from the start of the measured window.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
}

/// One size of values among several.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SizeShare {
    /// Bytes of the value.
    pub bytes: u32,
    /// Its share of the records, 0 to 1.
    pub share: f64,
}

/// How keys are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Keys {
    /// Keys that there are.
    pub key_space: u64,
    /// The k-th key comes in proportion to 1 / k^exponent; absent when all come equally often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zipf_exponent: Option<f64>,
}

/// When records are due, over all producers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Arrival {
    /// The distribution of the gaps.
    pub kind: ArrivalKind,
    /// Intended rate, the mean where there are bursts; absent in a closed loop, which has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records_per_s: Option<f64>,
    /// Length of a burst.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst_on_ms: Option<f64>,
    /// Silence between two bursts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst_off_ms: Option<f64>,
    /// Rate in the warm-up and at the start of the window, from which it goes linearly to `records_per_s` at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp_from_records_per_s: Option<f64>,
}

/// The distribution of the gaps between records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ArrivalKind {
    /// Equal gaps.
    Constant,
    /// Exponential gaps.
    Poisson,
    /// Equal gaps within bursts, silence between them.
    Burst,
    /// No schedule: the next record follows as soon as the producer may send.
    ClosedLoop,
}

/// One part of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Phase {
    /// `warmup`, `measure`, `drain`.
    pub name: String,
    /// Planned length.
    pub secs: f64,
}

/// What a producer waits for before it counts a record as kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Acks {
    /// Nothing.
    #[serde(rename = "0")]
    None,
    /// The leader's write.
    #[serde(rename = "1")]
    Leader,
    /// All in-sync replicas.
    #[serde(rename = "all")]
    All,
}

/// Codec of record batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Stored as they are.
    None,
    /// gzip.
    Gzip,
    /// Snappy.
    Snappy,
    /// LZ4 frames.
    Lz4,
    /// Zstandard.
    Zstd,
}

/// How consumers ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FetchSettings {
    /// The broker answers once it has this much.
    pub min_bytes: u32,
    /// An answer is not larger, first batch aside.
    pub max_bytes: u32,
    /// The broker answers after this time at the latest.
    pub max_wait_ms: u32,
}

/// What happens to a record that is due while the producer may not send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OverloadPolicy {
    /// It waits and keeps its intended time, so that the wait shows in the latency.
    Queue,
}

/// How the clients work; results of different modes are not compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClientMode {
    /// Linger, batches and in-flight limit as a Kafka client has them.
    Modelled,
    /// Batches encoded ahead, for the ceiling of a broker.
    Raw,
}

/// How records are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IntegrityMode {
    /// Every record: identity, order, checksum, once.
    Full,
    /// Not at all.
    Off,
}

/// The program that made the load.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LoadgenBuild {
    /// Version of the crate.
    pub version: String,
    /// `release` or `debug`.
    pub build_profile: String,
    /// Commit, with `-dirty` behind it when the sources had changed since; absent when the build does not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_sha: Option<String>,
    /// Version of the compiler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rustc: Option<String>,
    /// Processor that it was compiled for; `generic` runs on every one of its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_cpu: Option<String>,
    /// Optimisation across crates when linking: `off`, `thin`, `fat`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lto: Option<String>,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// `posthaste`, `apache-kafka`, `kafka-compatible` when the endpoint does not say.
    pub product: String,
    /// Its version, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Addresses that the clients were given.
    pub bootstrap: String,
    /// The broker was started by the load generator for this run.
    pub embedded: bool,
    /// Broker nodes in the metadata.
    pub nodes: u32,
    /// Settings of the broker and (`topic.` in front) of the topic that are known, without secrets, addresses and paths.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, String>,
    /// Versions of each request that the broker speaks: `Produce` is `3-13`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub api_versions: BTreeMap<String, String>,
    /// What an acknowledgement is worth; unlike classes are not ranked.
    pub durability: Durability,
}

/// What an acknowledgement is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Durability {
    /// What the producers asked for.
    pub acks: Acks,
    /// When the broker flushes.
    pub fsync: Fsync,
    /// Replicas a partition.
    pub replication_factor: u16,
    /// How the broker writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<WriteCache>,
}

/// When a broker flushes what it wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fsync {
    /// Never by itself; the operating system does at its leisure.
    None,
    /// Before the answer at acks=all, one flush for many batches.
    Batch,
    /// From time to time.
    Interval,
    /// The target does not say.
    Unknown,
}

/// How a broker writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WriteCache {
    /// Through the page cache.
    Buffered,
    /// Past it, `O_DIRECT`.
    Direct,
}

impl Workload {
    /// Hash of the canonical workload, 16 hex digits: equal settings have equal ids, on every machine.
    pub fn id(&self) -> String {
        let canonical = serde_json::to_vec(self).unwrap_or_default();
        format!("{:016x}", fnv1a(&canonical))
    }

    /// The same without what may differ between repeats: the start of the random streams.
    pub(super) fn without_seed(&self) -> Self {
        Self { seed: 0, ..self.clone() }
    }

    /// Planned length of the phase of this name, 0 without one.
    pub fn phase_secs(&self, name: &str) -> f64 {
        self.phases.iter().filter(|phase| phase.name == name).map(|phase| phase.secs).sum()
    }
}

impl From<Compression> for record_batch::Compression {
    fn from(codec: Compression) -> Self {
        match codec {
            Compression::None => Self::None,
            Compression::Gzip => Self::Gzip,
            Compression::Snappy => Self::Snappy,
            Compression::Lz4 => Self::Lz4,
            Compression::Zstd => Self::Zstd,
        }
    }
}

impl Arrival {
    /// No schedule.
    pub fn closed_loop() -> Self {
        Self {
            kind: ArrivalKind::ClosedLoop,
            records_per_s: None,
            burst_on_ms: None,
            burst_off_ms: None,
            ramp_from_records_per_s: None,
        }
    }
}

impl Durability {
    /// The class in words, for use beside every figure.
    pub fn label(&self) -> &'static str {
        match (self.acks, self.fsync) {
            (Acks::None, _) => "acks=0, no acknowledgement",
            (Acks::All, Fsync::Batch) => "acks=all, flushed to disk before every ack",
            (Acks::Leader, Fsync::Batch) => "acks=1, acknowledged before the flush",
            (Acks::All, Fsync::None) => "acks=all, no flush before the ack",
            (Acks::Leader, Fsync::None) => "acks=1, no flush before the ack",
            (Acks::All, Fsync::Interval) => "acks=all, flushed from time to time",
            (Acks::Leader, Fsync::Interval) => "acks=1, flushed from time to time",
            (Acks::All, Fsync::Unknown) => "acks=all, flush policy unknown",
            (Acks::Leader, Fsync::Unknown) => "acks=1, flush policy unknown",
        }
    }
}

impl Acks {
    /// Kafka's spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "0",
            Self::Leader => "1",
            Self::All => "all",
        }
    }
}

/// FNV-1a: stable across versions and machines, which the standard hasher does not promise.
pub fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
