//! Why a run could not be carried out. A run that was carried out and found faults is a result, not an error.

use std::io;
use std::time::Duration;

use protocol::api_key::ApiKey;
use protocol::error_code::ErrorCode;
use protocol::reader::DecodeError;

use crate::workload::InvalidWorkload;

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The options contradict each other.
    #[error(transparent)]
    Workload(#[from] InvalidWorkload),
    /// Nobody answers there.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// Host and port.
        address: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The connection broke.
    #[error("connection to {address} failed: {source}")]
    Io {
        /// Host and port.
        address: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The broker hung up on a call instead of answering it.
    #[error(
        "{address} closed the connection instead of answering {api:?}: it ended, or wants TLS or authentication; TLS loadgen has not, for the other give --sasl-mechanism"
    )]
    HungUp {
        /// Host and port.
        address: String,
        /// What was asked.
        api: ApiKey,
    },
    /// The broker asks who we are, and is not content with the answer.
    #[error("{address} does not let us in: {why}")]
    Login {
        /// Host and port.
        address: String,
        /// In the words of the broker where it has any.
        why: String,
    },
    /// A proof without a secret.
    #[error("the password for --sasl-username {0}")]
    Password(String),
    /// A lost connection is won back without waiting for its answers, and a proof needs answers.
    #[error("--fault and --group-churn need a broker without authentication: leave --sasl-mechanism out")]
    LoginWithFaults,
    /// The broker took a call and said nothing.
    #[error("{address} did not answer {api:?} within {} s", limit.as_secs_f64())]
    Silent {
        /// Host and port.
        address: String,
        /// What was asked.
        api: ApiKey,
        /// How long it had.
        limit: Duration,
    },
    /// The other side answers with a TLS record.
    #[error("{0} speaks TLS, which loadgen does not: give a plaintext listener")]
    Tls(String),
    /// A topic under our name that we did not make.
    #[error("topic {0} is there already and was not made by this run: it is left alone; run again for another name")]
    TopicExists(String),
    /// A topic of another shape.
    #[error("topic {topic} has {there} partitions where {expected} are expected: somebody changed it")]
    Partitions {
        /// Its name.
        topic: String,
        /// Its partitions.
        there: usize,
        /// What was asked for, or is in the ledger.
        expected: u32,
    },
    /// A broker that does not speak Kafka said no, or what cannot be understood.
    #[error("{address} {what}")]
    Peer {
        /// Host and port.
        address: String,
        /// What it did.
        what: String,
    },
    /// A load that needs Kafka's protocol.
    #[error("{0}")]
    Dialect(String),
    /// A suite or one of its peers.
    #[error("{0}")]
    Suite(String),
    /// Something on this machine failed: epoll, a timer, a file.
    #[error("{what}: {source}")]
    Local {
        /// What was tried.
        what: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The other side does not speak Kafka, or is about to flood us.
    #[error("{address} sent a frame of {length} bytes, accepted are 4 to {max}")]
    FrameLength {
        /// Host and port.
        address: String,
        /// As it stood on the wire.
        length: i32,
        /// Our limit.
        max: usize,
    },
    /// An answer that is not what was asked for.
    #[error("answer to {api:?} from {address} does not decode: {source}")]
    Decode {
        /// What was asked.
        api: ApiKey,
        /// Host and port.
        address: String,
        /// Why.
        source: DecodeError,
    },
    /// An answer that belongs to no request, or lacks what was asked for.
    #[error("answer to {api:?} from {address} is wrong: {what}")]
    Answer {
        /// What was asked.
        api: ApiKey,
        /// Host and port.
        address: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The broker said no.
    #[error("{api:?} failed: {} ({code})", error_name(*.code))]
    Broker {
        /// What was asked.
        api: ApiKey,
        /// Kafka's code.
        code: i16,
    },
    /// The broker has bounds of its own.
    #[error(
        "the broker refuses --session-timeout of {} s: choose one between its group.min.session.timeout.ms and group.max.session.timeout.ms",
        .0.as_secs_f64()
    )]
    SessionTimeout(Duration),
    /// The broker lacks what a run needs.
    #[error("broker speaks no version of {api:?} that this client does")]
    Version {
        /// What is needed.
        api: ApiKey,
    },
    /// A phase took longer than it may.
    #[error("{phase} did not end within {} s", limit.as_secs())]
    Deadline {
        /// Which phase.
        phase: &'static str,
        /// How long it had.
        limit: Duration,
    },
    /// The broker that was started for the run did not come up, or went away.
    #[error("embedded broker {0}")]
    Embedded(String),
    /// The broker that the user's command was to start.
    #[error("{0}")]
    Started(String),
    /// Cores that this machine or this process has not.
    #[error(
        "core {missing} of {asked} is not there for this process: name cores out of its own (nproc, taskset -p $$)"
    )]
    Cores {
        /// The list.
        asked: String,
        /// The first that is missing.
        missing: usize,
    },
    /// A broker that runs already has its cores.
    #[error("--broker-cores is for a broker that this run starts: leave --bootstrap out, or give --start")]
    CoresOfOthers,
    /// A run was too small for what was to be judged of it.
    #[error(
        "{goal} cannot be judged by {secs} s at {records_per_s:.0} records/s: too few samples; give a longer --duration"
    )]
    TooFewSamples {
        /// The goal.
        goal: String,
        /// Length of the run.
        secs: u64,
        /// Its rate.
        records_per_s: f64,
    },
    /// The account of acknowledgements on disk.
    #[error("ledger {0}")]
    Ledger(String),
    /// A disturbance that cannot be carried out.
    #[error("--fault {0}")]
    Fault(String),
    /// A run that others build on failed.
    #[error("the first run failed: {0}")]
    Probe(String),
    /// The data would lie in memory.
    #[error("{path} is on {file_system}, where a flush costs nothing: give --data-dir on a real file system")]
    NotADisk {
        /// The directory.
        path: String,
        /// What it is on.
        file_system: &'static str,
    },
    /// An agent could not do its part.
    #[error("agent {address}: {what}")]
    Agent {
        /// Host and port.
        address: String,
        /// What it said, or what is wrong with it.
        what: String,
    },
    /// An agent went away in the middle.
    #[error("agent {address} is lost: {what}")]
    AgentLost {
        /// Host and port.
        address: String,
        /// How that showed.
        what: String,
    },
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// A worker thread died; its message is on the terminal.
    #[error("a {0} thread panicked")]
    Panicked(&'static str),
}

/// Kafka's name of an error code, or its number.
pub fn error_name(code: i16) -> String {
    ErrorCode::from_code(code).map_or_else(|| format!("error {code}"), |known| format!("{known:?}"))
}

/// An error of this machine.
pub fn local(what: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
    let what = what.into();
    move |source| Error::Local { what, source }
}
