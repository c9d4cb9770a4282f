//! The load that was asked for: parsed, bounded and consistent, or refused with the reason.

mod arrivals;
mod grouping;
mod records;
mod transactions;

use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::fault::{FAULTS_MAX, FaultKind, FaultPlan};
use crate::group::GroupSettings;
use crate::keys::{KEY_BYTES_MAX, KEY_SPACE_MAX, ZIPF_EXPONENT_MAX};
use crate::options::LoadOptions;
use crate::payload::STAMP_BYTES;
use crate::raw_batch::BatchLayout;
use crate::result::{self, Acks};

pub use arrivals::Arrivals;
pub use records::RecordShape;
pub use transactions::{Isolation, TransactionSettings};

/// Kafka's `max.request.size`: how much a client sends in one request, one batch aside.
pub const REQUEST_BYTES_MAX: usize = 1024 * 1024;
/// Kafka's `fetch.min.bytes`.
pub const FETCH_MIN_BYTES: u32 = 1;
/// An answer is not larger, first batch aside. Kafka's default is 50 MiB; a quarter keeps the reader's buffer in bounds.
pub const FETCH_BYTES_MAX: u32 = 12 * 1024 * 1024;
/// Kafka's `max.partition.fetch.bytes`.
pub const FETCH_PARTITION_BYTES_MAX: u32 = 1024 * 1024;
/// Kafka's `fetch.max.wait.ms`.
pub const FETCH_WAIT_MS_MAX: u32 = 500;
/// Largest accepted batch: what a broker can be told to take with `message.max.bytes` in practice.
pub(crate) const BATCH_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// What a batch takes before compression: a codec that shrinks it a thousandfold must not make it grow without end.
pub const UNCOMPRESSED_BATCH_BYTES_MAX: usize = BATCH_BYTES_MAX as usize;
/// Consumers of all groups: each has a connection to every leader.
pub(crate) const CONSUMERS_MAX: u32 = 1_000;
/// A record's bytes in a batch besides its value: length, attributes, deltas, null key, value length, header count.
pub const RECORD_OVERHEAD_BYTES_MAX: usize = 21;
/// The header of a batch.
pub const BATCH_HEADER_BYTES: usize = protocol::record_batch::HEADER_BYTES;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum Mode {
    /// Producers only; the topic is read back afterwards, to verify it.
    Produce,
    /// Consumers only, of a topic filled before the clock starts, as fast as they can.
    Consume,
    /// Producers and consumers at once.
    Both,
    /// Consumers find a topic that was filled before, and producers go on at `--rate` meanwhile.
    Drain,
}

/// Whether all records are read and checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum Verify {
    /// Every record.
    Full,
    /// None: consumers read when a record was due, and nothing else of it.
    Off,
}

/// How producers work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum ClientMode {
    /// Like Kafka's own client: each record is encoded when it is due.
    Modelled,
    /// From batches encoded ahead, of which stamps and checksums are written.
    Raw,
}

impl From<ClientMode> for result::ClientMode {
    fn from(mode: ClientMode) -> Self {
        match mode {
            ClientMode::Modelled => Self::Modelled,
            ClientMode::Raw => Self::Raw,
        }
    }
}

/// A load without contradictions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// What is measured.
    pub mode: Mode,
    /// When records are due.
    pub arrivals: Arrivals,
    /// Measured window.
    pub duration: Duration,
    /// Load before it.
    pub warmup: Duration,
    /// Bytes of a value, on average where they differ.
    pub record_bytes: usize,
    /// What records look like.
    pub records: RecordShape,
    /// Partitions of the topic.
    pub partitions: u32,
    /// Replicas of each.
    pub replication_factor: u16,
    /// Producer clients.
    pub producers: u32,
    /// Consumer clients of a group while the clock runs.
    pub consumers: u32,
    /// Groups of them, each of which reads everything.
    pub groups: u32,
    /// How their members behave; absent where partitions are dealt out without the broker.
    pub group: Option<GroupSettings>,
    /// What an acknowledgement waits for.
    pub acks: Acks,
    /// Longest wait for company.
    pub linger: Duration,
    /// A batch's largest size on the wire.
    pub batch_bytes: usize,
    /// Unanswered produce requests a connection.
    pub in_flight: usize,
    /// Whether batches are numbered.
    pub idempotent: bool,
    /// How records go into transactions; absent where there are none.
    pub transactions: Option<TransactionSettings>,
    /// What consumers see of them.
    pub isolation: Isolation,
    /// Bytes written before consuming starts.
    pub prefill_bytes: u64,
    /// How producers work.
    pub client_mode: ClientMode,
    /// Start of every random stream.
    pub seed: u64,
    /// Whether all records are read and checked.
    pub verify: Verify,
    /// Planned disturbances in the order of their moments.
    #[serde(skip)]
    pub faults: Vec<FaultPlan>,
}

/// Why a load is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWorkload {
    /// Too small for the check data, or larger than its batch.
    #[error(
        "--record-bytes {0} must be from {STAMP_BYTES} (the check data) to what --batch-bytes {1} can hold, its key included"
    )]
    RecordBytes(u64, u64),
    /// Outside what brokers take.
    #[error("--batch-bytes {0} must be at most {BATCH_BYTES_MAX}")]
    BatchBytes(u64),
    /// Nothing could be measured.
    #[error("--duration must be at least 100 ms")]
    Duration,
    /// Kafka's rule: more would break the order after a retry.
    #[error("--idempotent needs --acks all and --in-flight of at most 5")]
    Idempotence,
    /// No clients to measure.
    #[error("--mode consume and --mode drain need --consumers of at least 1")]
    NoConsumers,
    /// The account of `verify` is written as acknowledgements come.
    #[error("verify keeps its account in the process that sends: leave --agents out")]
    VerifyByAgents,
    /// Some hosts would only look on.
    #[error(
        "--agents names {0} agents that take load, but there are {1} producers and consumers: name fewer or give --producers"
    )]
    IdleAgents(usize, u32),
    /// A disturbance that could not be carried out or not be told from the next.
    #[error("--fault {0}")]
    Fault(String),
    /// More than the schedule can resolve.
    #[error("--rate of {0} records/s at its fastest is beyond 100 million")]
    Rate(u64),
    /// More connections than one process should hold.
    #[error("--consumers {0} in each of --groups {1} are more than {CONSUMERS_MAX} in all")]
    Consumers(u32, u32),
    /// Members of groups that could not do as they are told.
    #[error("{0}")]
    Group(&'static str),
    /// Transactions that nobody could carry out.
    #[error("{0}")]
    Transactions(&'static str),
    /// Groups are books of one process.
    #[error("--group-protocol classic keeps a group's account in one process: leave --agents out")]
    GroupByAgents,
    /// No keys, or more than can be numbered.
    #[error("--key-space must be from 1 to {KEY_SPACE_MAX}")]
    KeySpace,
    /// Too short to tell all keys apart, or longer than a key.
    #[error("--key-bytes {0} must be from {1}, the digits of --key-space {2}, to {KEY_BYTES_MAX}")]
    KeyBytes(u32, usize, u64),
    /// No power law.
    #[error("--zipf-exponent must be above 0 and at most {ZIPF_EXPONENT_MAX}")]
    ZipfExponent,
    /// A byte has eight bits.
    #[error("--entropy must be from 0 to 8 bits a byte")]
    Entropy,
    /// Nothing that one would call bursts.
    #[error("--burst-on and --burst-off must each be from 1 ms to 10 minutes")]
    Bursts,
    /// What is encoded ahead is all alike.
    #[error(
        "--client-mode raw has records of one size, without keys, full entropy and compression: leave {0} out, or use modelled"
    )]
    Raw(&'static str),
    /// Two courses at once.
    #[error("--ramp-from and --arrival burst exclude each other: a ramp has constant or poisson gaps")]
    RampOfBursts,
    /// The warm-up has this rate, and would be empty.
    #[error("--ramp-from must be a rate above 0")]
    RampFromNothing,
}

impl Workload {
    /// Checks the options against each other.
    pub fn from_options(args: &LoadOptions) -> Result<Self, InvalidWorkload> {
        if args.batch_bytes > BATCH_BYTES_MAX {
            return Err(InvalidWorkload::BatchBytes(args.batch_bytes));
        }
        let records = RecordShape::from_options(args)?;
        if let Some(option) = records.what_raw_cannot().filter(|_| args.client_mode == ClientMode::Raw) {
            return Err(InvalidWorkload::Raw(option));
        }
        if args.consumers * args.groups > CONSUMERS_MAX {
            return Err(InvalidWorkload::Consumers(args.consumers, args.groups));
        }
        if args.duration < Duration::from_millis(100) {
            return Err(InvalidWorkload::Duration);
        }
        if args.idempotent && (args.acks != Acks::All || args.in_flight > 5) {
            return Err(InvalidWorkload::Idempotence);
        }
        let reads_backlog = matches!(args.mode, Mode::Consume | Mode::Drain);
        if reads_backlog && args.consumers == 0 {
            return Err(InvalidWorkload::NoConsumers);
        }
        let mut arrivals = Arrivals::from_options(args, records.payload_bytes_mean())?;
        let mode = if args.consumers == 0 { Mode::Produce } else { args.mode };
        if mode == Mode::Consume {
            // Consuming a filled topic has no schedule: the readers go as fast as they can.
            arrivals.records_per_s = 0.0;
        }
        let transactions = transactions::from_options(args, mode)?;
        Ok(Self {
            mode,
            arrivals,
            duration: args.duration,
            // The clock of a backlog starts when its readers do.
            warmup: if reads_backlog { Duration::ZERO } else { args.warmup },
            record_bytes: records.sizes.mean_bytes().round() as usize,
            records,
            partitions: args.partitions,
            replication_factor: args.replication_factor,
            producers: args.producers,
            consumers: if mode == Mode::Produce { 0 } else { args.consumers },
            groups: if mode == Mode::Produce { 1 } else { args.groups },
            group: grouping::from_options(args, mode)?,
            acks: args.acks,
            linger: args.linger,
            batch_bytes: args.batch_bytes as usize,
            in_flight: args.in_flight as usize,
            // A transaction's batches are numbered, also when nobody asks for it.
            idempotent: args.idempotent || transactions.is_some(),
            transactions,
            isolation: args.isolation,
            prefill_bytes: args.prefill,
            client_mode: args.client_mode,
            seed: args.seed,
            verify: args.verify,
            faults: planned_faults(args, mode)?,
        })
    }

    /// Producers with an index of their own over all phases: those that fill a backlog are not those that go on beside its readers.
    pub fn producers_in_all(&self) -> u32 {
        if self.mode == Mode::Drain { self.producers * 2 } else { self.producers }
    }

    /// A lost connection is won back and does not end the run.
    pub fn survives_losses(&self) -> bool {
        !self.faults.is_empty()
    }

    /// How batches are encoded ahead, in raw mode.
    pub fn raw_layout(&self) -> Option<BatchLayout> {
        let raw = self.client_mode == ClientMode::Raw;
        raw.then(|| BatchLayout::new(self.value_bytes_max(), self.batch_bytes, self.seed))
    }

    /// No schedule: the next record follows as soon as it may.
    pub fn is_closed_loop(&self) -> bool {
        self.arrivals.records_per_s == 0.0
    }

    /// The same as the result file tells it.
    pub fn describe(&self) -> result::Workload {
        let phase = |name: &str, length: Duration| result::Phase { name: name.into(), secs: length.as_secs_f64() };
        let mut told = result::Workload {
            topics: 1,
            partitions: self.partitions,
            replication_factor: self.replication_factor,
            producers: self.producers,
            consumers: self.consumers,
            groups: (self.groups > 1).then_some(self.groups),
            group_membership: self.group.as_ref().map(grouping::describe),
            record_bytes: self.record_bytes as u32,
            sizes: Vec::new(),
            key_bytes: None,
            keys: None,
            entropy_bits_per_byte: None,
            arrival: self.arrivals.describe(),
            phases: vec![phase("warmup", self.warmup), phase("measure", self.duration)],
            acks: self.acks,
            linger_ms: self.linger.as_secs_f64() * 1e3,
            batch_bytes_max: self.batch_bytes as u32,
            inflight_requests_max: self.in_flight as u32,
            idempotence: self.idempotent,
            compression: result::Compression::None,
            fetch: (self.consumers > 0).then_some(result::FetchSettings {
                min_bytes: FETCH_MIN_BYTES,
                max_bytes: FETCH_BYTES_MAX,
                max_wait_ms: FETCH_WAIT_MS_MAX,
            }),
            transactions: self.transactions.as_ref().map(transactions::describe),
            isolation: (self.isolation == Isolation::ReadCommitted).then(|| "read-committed".into()),
            overload_policy: result::OverloadPolicy::Queue,
            client_mode: self.client_mode.into(),
            integrity: match self.verify {
                Verify::Full => result::IntegrityMode::Full,
                Verify::Off => result::IntegrityMode::Off,
            },
            seed: self.seed,
            faults: self.faults.iter().map(ToString::to_string).collect(),
        };
        self.records.describe(&mut told);
        told
    }
}

/// The faults in order, each over before the next begins and before the window ends.
fn planned_faults(args: &LoadOptions, mode: Mode) -> Result<Vec<FaultPlan>, InvalidWorkload> {
    let mut faults = args.fault.clone();
    faults.sort_by_key(|fault| fault.at);
    let refused = |what: String| Err(InvalidWorkload::Fault(what));
    if faults.len() > FAULTS_MAX {
        return refused(format!("was given {} times, more than {FAULTS_MAX}", faults.len()));
    }
    if mode == Mode::Consume && !faults.is_empty() {
        return refused("needs producers: --mode produce or both".into());
    }
    for (place, fault) in faults.iter().enumerate() {
        let next = faults.get(place + 1).map_or(args.duration, |next| next.at);
        if fault.end() >= args.duration {
            return refused(format!("{fault} is not over before the window of {} s ends", args.duration.as_secs_f64()));
        }
        if fault.end() > next {
            return refused(format!("{fault} is not over before the next one begins"));
        }
        if mode == Mode::Produce && matches!(fault.kind, FaultKind::SlowConsumer(_)) {
            return refused(format!("{fault} needs consumers"));
        }
    }
    Ok(faults)
}

#[cfg(test)]
pub(crate) mod tests;
