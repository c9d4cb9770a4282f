//! The load that was asked for: parsed, bounded and consistent, or refused with the reason.

use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::fault::{FAULTS_MAX, FaultKind, FaultPlan};
use crate::options::LoadOptions;
use crate::payload::STAMP_BYTES;
use crate::result::{self, Acks};
use crate::schedule::Arrival;

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
    /// None beyond those that the measured consumers read.
    Off,
}

/// A load without contradictions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// What is measured.
    pub mode: Mode,
    /// Offered records a second over all producers; 0 is a closed loop.
    pub records_per_s: f64,
    /// Distribution of the gaps.
    pub arrival: Arrival,
    /// Measured window.
    pub duration: Duration,
    /// Load before it.
    pub warmup: Duration,
    /// Bytes of a value.
    pub record_bytes: usize,
    /// Partitions of the topic.
    pub partitions: u32,
    /// Replicas of each.
    pub replication_factor: u16,
    /// Producer clients.
    pub producers: u32,
    /// Consumer clients while the clock runs.
    pub consumers: u32,
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
    /// Bytes written before consuming starts.
    pub prefill_bytes: u64,
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
    #[error("--record-bytes {0} must be from {STAMP_BYTES} (the check data) to what --batch-bytes {1} can hold")]
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
    #[error("--rate of {0} records/s is beyond 100 million")]
    Rate(u64),
}

impl Workload {
    /// Checks the options against each other.
    pub fn from_options(args: &LoadOptions) -> Result<Self, InvalidWorkload> {
        let record_in_batch = args.record_bytes + (RECORD_OVERHEAD_BYTES_MAX + BATCH_HEADER_BYTES) as u64;
        if args.batch_bytes > BATCH_BYTES_MAX {
            return Err(InvalidWorkload::BatchBytes(args.batch_bytes));
        }
        if args.record_bytes < STAMP_BYTES as u64 || record_in_batch > args.batch_bytes {
            return Err(InvalidWorkload::RecordBytes(args.record_bytes, args.batch_bytes));
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
        let records_per_s = args.rate.records_per_s(args.record_bytes as usize);
        if records_per_s > 1e8 {
            return Err(InvalidWorkload::Rate(records_per_s as u64));
        }
        let mode = if args.consumers == 0 { Mode::Produce } else { args.mode };
        Ok(Self {
            mode,
            // Consuming a filled topic has no schedule: the readers go as fast as they can.
            records_per_s: if mode == Mode::Consume { 0.0 } else { records_per_s },
            arrival: args.arrival,
            duration: args.duration,
            // The clock of a backlog starts when its readers do.
            warmup: if reads_backlog { Duration::ZERO } else { args.warmup },
            record_bytes: args.record_bytes as usize,
            partitions: args.partitions,
            replication_factor: args.replication_factor,
            producers: args.producers,
            consumers: if mode == Mode::Produce { 0 } else { args.consumers },
            acks: args.acks,
            linger: args.linger,
            batch_bytes: args.batch_bytes as usize,
            in_flight: args.in_flight as usize,
            idempotent: args.idempotent,
            prefill_bytes: args.prefill,
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

    /// No schedule: the next record follows as soon as it may.
    pub fn is_closed_loop(&self) -> bool {
        self.records_per_s == 0.0
    }

    /// The same as the result file tells it.
    pub fn describe(&self) -> result::Workload {
        let kind = match self.arrival {
            _ if self.is_closed_loop() => result::ArrivalKind::ClosedLoop,
            Arrival::Constant => result::ArrivalKind::Constant,
            Arrival::Poisson => result::ArrivalKind::Poisson,
        };
        let phase = |name: &str, length: Duration| result::Phase { name: name.into(), secs: length.as_secs_f64() };
        result::Workload {
            topics: 1,
            partitions: self.partitions,
            replication_factor: self.replication_factor,
            producers: self.producers,
            consumers: self.consumers,
            record_bytes: self.record_bytes as u32,
            key_bytes: None,
            arrival: result::Arrival { kind, records_per_s: (!self.is_closed_loop()).then_some(self.records_per_s) },
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
            overload_policy: result::OverloadPolicy::Queue,
            client_mode: result::ClientMode::Modelled,
            integrity: match self.verify {
                Verify::Full => result::IntegrityMode::Full,
                Verify::Off => result::IntegrityMode::Off,
            },
            seed: self.seed,
            faults: self.faults.iter().map(ToString::to_string).collect(),
        }
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
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        run: crate::options::RunOptions,
    }

    fn parse(line: &str) -> Result<Workload, String> {
        let line = Line::try_parse_from(format!("loadgen {line}").split_whitespace()).map_err(|e| e.to_string())?;
        Workload::from_options(&line.run.load).map_err(|error| error.to_string())
    }

    #[test]
    fn the_default_run_is_an_open_loop_that_ends_within_a_minute() {
        let workload = parse("").expect("defaults are consistent");
        assert!((workload.records_per_s - 20_000.0).abs() < 1e-6);
        assert!(!workload.is_closed_loop());
        assert!(workload.warmup + workload.duration < Duration::from_secs(45));
    }

    #[test]
    fn rate_zero_is_a_closed_loop_and_says_so() {
        let workload = parse("--rate 0").expect("valid");
        assert_eq!(workload.describe().arrival.kind, result::ArrivalKind::ClosedLoop);
        assert_eq!(workload.describe().arrival.records_per_s, None);
    }

    #[test]
    fn unknown_options_and_values_fail() {
        for line in [
            "--rat 5",
            "--acks 2",
            "--mode produse",
            "--rate 5parsecs",
            "--linger 5x",
            "--partitions 0",
            "--bootstrap foo",
            "--bootstrap :1",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn contradictions_are_named() {
        assert!(parse("--idempotent --acks 1").is_err_and(|error| error.contains("--acks all")));
        assert!(parse("--idempotent --in-flight 6").is_err());
        assert!(parse("--record-bytes 31").is_err_and(|error| error.contains("32")));
        assert!(parse("--record-bytes 16KiB --batch-bytes 16KiB").is_err());
        assert!(parse("--mode consume --consumers 0").is_err());
        assert!(parse("--duration 1ms").is_err());
    }

    #[test]
    fn faults_are_ordered_and_must_fit_the_run() {
        let planned = |line: &str| parse(&format!("--duration 10s {line}")).map(|workload| workload.faults);
        let faults = planned("--fault cut@8s --fault pause@1s:200ms,kill@3s").expect("valid");
        assert_eq!(faults.iter().map(|fault| fault.kind.name()).collect::<Vec<_>>(), ["pause", "kill", "cut"]);
        for (line, word) in [
            ("--fault kill@10s", "window"),
            ("--fault pause@1s:2s --fault cut@2s", "next"),
            ("--fault slow-consumer@1s:1s --mode produce", "consumers"),
            ("--fault cut@1s --mode consume", "producers"),
            ("--fault explode@1s", "kill@15s"),
        ] {
            assert!(planned(line).is_err_and(|error| error.contains(word)), "{line}");
        }
    }

    #[test]
    fn no_consumers_means_produce_only() {
        assert_eq!(parse("--consumers 0").map(|workload| workload.mode), Ok(Mode::Produce));
    }
}
