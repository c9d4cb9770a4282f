//! The options that commands share: the load, the target, the files. Every key of a workload file is an option here.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::ceiling::CeilingUse;
use crate::fault::FaultPlan;
use crate::goal::GoalExpression;
use crate::group::{Departure, GroupProtocol};
use crate::keys::KeyDistribution;
use crate::preset::Preset;
use crate::quantity::{Rate, parse_bytes, parse_duration, parse_rate};
use crate::result::{self, Acks, Compression};
use crate::schedule::Arrival;
use crate::sizes::SizeMixture;
use crate::workload::{ClientMode, Isolation, Mode, Verify};

/// The options of a command that makes runs.
#[derive(Debug, Clone, Args)]
pub struct RunOptions {
    /// The load.
    #[command(flatten)]
    pub load: LoadOptions,
    /// What it is offered to.
    #[command(flatten)]
    pub target: TargetOptions,
    /// What is written where.
    #[command(flatten)]
    pub output: OutputOptions,
}

/// A load as it is asked for; [`crate::workload::Workload`] is the same without contradictions.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Load")]
pub struct LoadOptions {
    /// A load with a name; other options change it.
    #[arg(long, value_enum)]
    pub preset: Option<Preset>,
    /// A file of these options as TOML keys (rate = "20MB/s"); options on the line change it.
    #[arg(long, value_name = "FILE")]
    pub workload: Option<PathBuf>,
    /// What is measured: producing, consuming a topic filled before, or both at once.
    #[arg(long, value_enum, default_value = "both")]
    pub mode: Mode,
    /// Offered load: records/s, or payload bytes as 20MB/s; 0 is as fast as it goes (closed loop).
    #[arg(long, default_value = "20MB/s", value_parser = parse_rate)]
    pub rate: Rate,
    /// Distribution of the gaps between records.
    #[arg(long, value_enum, default_value = "constant")]
    pub arrival: Arrival,
    /// Length of a burst, with --arrival burst; --rate stays the mean.
    #[arg(long, default_value = "100ms", value_parser = parse_duration)]
    pub burst_on: Duration,
    /// Silence between two bursts, with --arrival burst.
    #[arg(long, default_value = "900ms", value_parser = parse_duration)]
    pub burst_off: Duration,
    /// Rate at the start of the measured window, from which it goes linearly to --rate at its end.
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    pub ramp_from: Option<Rate>,
    /// Length of the measured window.
    #[arg(long, default_value = "20s", value_parser = parse_duration)]
    pub duration: Duration,
    /// Load before the measured window.
    #[arg(long, default_value = "5s", value_parser = parse_duration)]
    pub warmup: Duration,
    /// Bytes of a record's value.
    #[arg(long, default_value = "1000", value_parser = parse_bytes)]
    pub record_bytes: u64,
    /// Several sizes of values by weight instead, as 100:80,1000:15,10000:5.
    #[arg(long, value_name = "BYTES:WEIGHT,...", value_parser = SizeMixture::parse, conflicts_with = "record_bytes")]
    pub sizes: Option<SizeMixture>,
    /// Keys of records, which then choose the partition as in Kafka's clients.
    #[arg(long, value_enum, default_value = "none")]
    pub keys: KeyDistribution,
    /// How many keys there are, with --keys.
    #[arg(long, default_value_t = 100_000)]
    pub key_space: u64,
    /// Bytes of a key, with --keys.
    #[arg(long, default_value_t = 16)]
    pub key_bytes: u32,
    /// How much the first keys are preferred, with --keys zipf.
    #[arg(long, default_value_t = 0.99)]
    pub zipf_exponent: f64,
    /// Bits of information in a byte of the values, 0 to 8: how far they can be compressed.
    #[arg(long, default_value_t = 8.0)]
    pub entropy: f64,
    /// Codec of the batches.
    #[arg(long, value_enum, default_value = "none")]
    pub compression: Compression,
    /// Partitions of the topic.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub partitions: u32,
    /// Replicas of each partition.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=15))]
    pub replication_factor: u16,
    /// Producer clients.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub producers: u32,
    /// Consumer clients of a group, which share the partitions; 0 is produce only.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub consumers: u32,
    /// Groups of consumers, each of which reads everything.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub groups: u32,
    /// How consumers come to their partitions: dealt out here, or as members of a group at the broker (range assignor), which
    /// commit how far they have come and go on there after a rebalance.
    #[arg(long, value_enum, default_value = "assigned")]
    pub group_protocol: GroupProtocol,
    /// Time between two commits of a member, with --group-protocol classic.
    #[arg(long, default_value = "5s", value_parser = parse_duration)]
    pub commit_interval: Duration,
    /// Silence after which the broker takes a member out, with --group-protocol classic.
    #[arg(long, default_value = "45s", value_parser = parse_duration)]
    pub session_timeout: Duration,
    /// Time between two signs of life of a member, with --group-protocol classic.
    #[arg(long, default_value = "3s", value_parser = parse_duration)]
    pub heartbeat_interval: Duration,
    /// Disturbance on purpose, with --group-protocol classic: after each such time in the measured window one member of every group,
    /// in turn, goes, and comes back half of it later.
    #[arg(long, value_name = "INTERVAL", value_parser = parse_duration)]
    pub group_churn: Option<Duration>,
    /// How members go, with --group-churn: they leave with their positions committed, or die and are missed when their session
    /// has timed out.
    #[arg(long, value_enum, default_value = "leave")]
    pub group_churn_by: Departure,
    /// What an acknowledgement waits for: 0, 1 or all.
    #[arg(long, default_value = "all", value_parser = parse_acks)]
    pub acks: Acks,
    /// Longest wait of a record for company in its batch.
    #[arg(long, default_value = "5ms", value_parser = parse_duration)]
    pub linger: Duration,
    /// A batch is sent when it holds this much.
    #[arg(long, default_value = "16KiB", value_parser = parse_bytes)]
    pub batch_bytes: u64,
    /// Unanswered produce requests a connection.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub in_flight: u32,
    /// Number the batches, so that the broker drops duplicates.
    #[arg(long, num_args = 0..=1, default_value = "false", default_missing_value = "true", require_equals = true, action = clap::ArgAction::Set)]
    pub idempotent: bool,
    /// Producers write in transactions, which end with so many records, or at --transaction-duration.
    #[arg(long, value_name = "RECORDS")]
    pub transaction_records: Option<u64>,
    /// Producers write in transactions, which end at this age, or with --transaction-records; 30 s at most.
    #[arg(long, value_name = "AGE", value_parser = parse_duration)]
    pub transaction_duration: Option<Duration>,
    /// Share of transactions that are aborted, 0 to 1: nobody who reads what is committed may see their records.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub transaction_abort_share: f64,
    /// What consumers see: every record, or those of committed transactions only.
    #[arg(long, value_enum, default_value = "read-uncommitted")]
    pub isolation: Isolation,
    /// Bytes written before `--mode consume` starts its clock.
    #[arg(long, default_value = "1GB", value_parser = parse_bytes)]
    pub prefill: u64,
    /// Start of every random stream.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Disturbance on purpose: pause@10s:200ms (SIGSTOP), kill@15s, cut@20s (connections) or slow-consumer@5s:10s, from the start of
    /// the measured window; may be given several times.
    #[arg(long, value_name = "FAULT", value_delimiter = ',')]
    pub fault: Vec<FaultPlan>,
    /// How producers work: like Kafka's own client, or from batches encoded ahead, for the ceiling of a broker.
    #[arg(long, value_enum, default_value = "modelled")]
    pub client_mode: ClientMode,
    /// Whether all records are read and checked, also after `--mode produce`.
    #[arg(long, value_enum, default_value = "full")]
    pub verify: Verify,
}

/// What the load is offered to.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Target")]
pub struct TargetOptions {
    /// Broker to test; without it, an embedded broker is started for the run.
    #[arg(long, value_name = "HOST:PORT", value_parser = parse_endpoint)]
    pub bootstrap: Option<String>,
    /// Process id of a broker on this machine, to measure its CPU and memory.
    #[arg(long, value_name = "PID", requires = "bootstrap")]
    pub broker_pid: Option<u32>,
    /// What is tested, for the result, where the broker does not say: posthaste, apache-kafka, redpanda.
    #[arg(long, value_name = "NAME", requires = "bootstrap")]
    pub product: Option<String>,
    /// Its version, for the result.
    #[arg(long, value_name = "VERSION", requires = "bootstrap")]
    pub product_version: Option<String>,
    /// When the broker flushes, for the result: it cannot be asked.
    #[arg(long, value_enum, requires = "bootstrap")]
    pub fsync: Option<FsyncClass>,
    /// Server binary to start for the run instead of the embedded broker.
    #[arg(long, value_name = "PROGRAM", conflicts_with = "bootstrap")]
    pub broker: Option<PathBuf>,
    /// Setting of the broker that is started, as num.partitions=8; may be given several times.
    #[arg(long = "broker-set", value_name = "KEY=VALUE", conflicts_with = "bootstrap")]
    pub broker_settings: Vec<String>,
    /// Command of the shell that starts the broker at --bootstrap before the run.
    #[arg(long, value_name = "COMMAND", requires = "bootstrap")]
    pub start: Option<String>,
    /// Command of the shell that stops it after the run; without it, what --start started is ended by a signal.
    #[arg(long, value_name = "COMMAND", requires = "start")]
    pub stop: Option<String>,
    /// Where the embedded broker keeps its data: a directory on a real file system.
    #[arg(long, value_name = "DIR", conflicts_with = "bootstrap")]
    pub data_dir: Option<PathBuf>,
    /// Agents that the producers and consumers are spread over instead of working in this process; a monitor among them only
    /// measures the broker beside it.
    #[arg(long, value_name = "HOST:PORT,...", value_delimiter = ',', value_parser = parse_endpoint)]
    pub agents: Vec<String>,
    /// File with the token that the agents ask for; without it, the environment variable `LOADGEN_TOKEN`.
    #[arg(long, value_name = "FILE", requires = "agents")]
    pub token_file: Option<PathBuf>,
    /// Leave the topic on the broker.
    #[arg(long)]
    pub keep_topic: bool,
}

/// What is written where.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputOptions {
    /// Directory of the result files.
    #[arg(long, value_name = "DIR", default_value = "target/loadgen")]
    pub out: PathBuf,
    /// Result file, `-` for standard output instead of the table; by default named after the run, in --out.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Report page; by default beside the result file.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// How the generator's own ceiling comes into the result.
    #[arg(long, value_enum, default_value = "auto")]
    pub ceiling: CeilingUse,
    /// Goal that the run is held against, as 'p99<10ms'; may be given several times, and a missed one is exit code 1.
    #[arg(long = "slo", value_name = "GOAL")]
    pub goals: Vec<GoalExpression>,
    /// No progress and no table: the files and the exit code tell.
    #[arg(long)]
    pub quiet: bool,
}

/// When the broker flushes what it wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FsyncClass {
    /// Never by itself.
    None,
    /// Before the answer at acks=all.
    Batch,
    /// From time to time.
    Interval,
}

impl From<FsyncClass> for result::Fsync {
    fn from(class: FsyncClass) -> Self {
        match class {
            FsyncClass::None => Self::None,
            FsyncClass::Batch => Self::Batch,
            FsyncClass::Interval => Self::Interval,
        }
    }
}

pub(crate) fn parse_endpoint(text: &str) -> Result<String, String> {
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    match port.parse::<u16>() {
        Ok(port) if port > 0 && !host.is_empty() => Ok(text.into()),
        _ => Err("a broker is given as host:port, as in localhost:9092".into()),
    }
}

fn parse_acks(text: &str) -> Result<Acks, String> {
    match text {
        "0" => Ok(Acks::None),
        "1" => Ok(Acks::Leader),
        "all" | "-1" => Ok(Acks::All),
        _ => Err("acks is 0, 1 or all".into()),
    }
}
