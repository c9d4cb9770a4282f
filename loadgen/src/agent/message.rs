//! What a coordinator and an agent say to each other, one frame each.
//!
//! ```text
//! agent        Greeting                 Welcome|Refused
//! coordinator            Hello                            Probe* Connect Start Correct* Targets Quit* Finish ... Bye
//! agent                                                   Pong*  Connected Usage* Second* Ended* Producer* Seen* Finished
//! ```

use serde::{Deserialize, Serialize};

use crate::agent::assignment::Assignment;
use crate::collector::Merged;
use crate::consumer::Reader;
use crate::host::ProcessReading;
use crate::integrity::PartitionSeen;
use crate::producer::ProducerReport;
use crate::recorder::{Counts, Histograms};
use crate::result::{HistogramError, HostEnvironment, HostPressure, decode_histogram, encode_histogram};
use crate::timeline::Timeline;

/// What an agent calls itself.
pub const SERVICE: &str = "loadgen-agent";

/// Both sides must speak the same: they measure together.
pub const PROTOCOL_VERSION: u32 = 1;

/// The agent's first words, to anybody.
#[derive(Debug, Serialize, Deserialize)]
pub struct Greeting {
    /// Always [`SERVICE`].
    pub service: String,
    /// [`PROTOCOL_VERSION`].
    pub version: u32,
    /// A number used once, that a token is proved with; absent where none is asked for.
    pub nonce: Option<String>,
}

/// The coordinator's answer.
#[derive(Debug, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL_VERSION`].
    pub version: u32,
    /// Shows knowledge of the token.
    pub proof: Option<String>,
    /// Where the broker is, so that an agent beside it can measure its process.
    pub bootstrap: String,
}

/// Whether the agent takes the coordinator.
#[derive(Debug, Serialize, Deserialize)]
pub enum Reply {
    /// It does, and works for nobody else until the connection ends.
    Welcome(Box<Welcome>),
    /// It does not.
    Refused(String),
}

/// What an agent is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Welcome {
    /// Its host.
    pub environment: HostEnvironment,
    /// It measures the broker's process and takes no load.
    pub is_monitor: bool,
    /// The broker's process, if that is on the agent's host.
    pub broker: Option<BrokerProcess>,
}

/// A process, the same for all who see it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BrokerProcess {
    /// Which boot of which host.
    pub boot_id: String,
    /// Process id there.
    pub pid: u32,
}

/// The two kinds of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Side {
    /// They send.
    Producers,
    /// They read.
    Consumers,
}

/// From coordinator to agent.
#[derive(Debug, Serialize, Deserialize)]
pub enum Order {
    /// Comes back as [`Report::Pong`].
    Probe {
        /// The coordinator's monotonic clock.
        sent_ns: i64,
    },
    /// Connect the clients of a phase.
    Connect(Box<Assignment>),
    /// Start them at the times of the timeline.
    Start(Timeline),
    /// The agent's monotonic clock is ahead of the coordinator's by this much.
    Correct {
        /// Replaces what was said before.
        ahead_ns: i64,
    },
    /// Consumers end when they have read up to these offsets.
    Targets(Vec<i64>),
    /// These clients give up at once.
    Quit(Side),
    /// All give up that still work; then comes what they know.
    Finish,
    /// The agent is free again.
    Bye,
}

/// From agent to coordinator.
#[derive(Debug, Serialize, Deserialize)]
pub enum Report {
    /// Answer to [`Order::Probe`].
    Pong {
        /// As it was sent.
        sent_ns: i64,
        /// The agent's monotonic clock when the probe came...
        received_ns: i64,
        /// ...and when this left.
        answered_ns: i64,
    },
    /// The clients are connected.
    Connected,
    /// The order could not be carried out.
    Failed(String),
    /// A second that has passed for all clients of one kind.
    Second(Box<SecondReport>),
    /// The consumers found so many more faults.
    Faults(u64),
    /// What the processes used up to now.
    Usage(UsageReport),
    /// All clients of one kind have ended, with the first error.
    Ended(Side, Option<String>),
    /// What one producer knows.
    Producer(Box<ProducerReport>),
    /// What a group has read from one partition.
    Seen(Reader, Box<PartitionSeen>),
    /// Nothing more of this phase; when the last consumer had read all it should.
    Finished(Option<u64>),
}

/// One second of an agent's clients of one kind.
#[derive(Debug, Serialize, Deserialize)]
pub struct SecondReport {
    /// Which clients.
    pub side: Side,
    /// Counted from the measured window.
    pub second: i64,
    /// Their counts.
    pub counts: Counts,
    /// Their histograms as text, in the order response, service, lag, end to end; empty ones are absent.
    histograms: [Option<String>; 4],
}

/// What an agent and the broker beside it have used since the coordinator came.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UsageReport {
    /// The agent.
    pub agent: Option<ProcessReading>,
    /// The broker.
    pub broker: Option<ProcessReading>,
    /// How much others disturbed since the report before.
    pub pressure: HostPressure,
}

impl SecondReport {
    /// A second as it goes over the wire.
    pub fn of(side: Side, merged: &Merged) -> Result<Box<Self>, HistogramError> {
        let Histograms { response, service, lag, end_to_end } = &merged.histograms;
        let mut histograms = [None, None, None, None];
        for (text, histogram) in histograms.iter_mut().zip([response, service, lag, end_to_end]) {
            if !histogram.is_empty() {
                *text = Some(encode_histogram(histogram)?);
            }
        }
        Ok(Box::new(Self { side, second: merged.second, counts: merged.counts, histograms }))
    }

    /// The histograms of the second.
    pub fn histograms(&self) -> Result<Histograms, HistogramError> {
        let mut sum = Histograms::empty();
        let sums = [&mut sum.response, &mut sum.service, &mut sum.lag, &mut sum.end_to_end];
        for (sum, text) in sums.into_iter().zip(&self.histograms) {
            if let Some(text) = text {
                let part = decode_histogram(text)?;
                sum.add(part).map_err(|error| HistogramError::Decode(error.to_string()))?;
            }
        }
        Ok(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_crosses_the_wire_with_every_sample() {
        let mut merged = Merged { second: -1, counts: Counts::default(), histograms: Histograms::empty() };
        merged.counts.acked_records = 12;
        merged.histograms.lag.saturating_record_n(5_000, 12);
        let text = serde_json::to_string(&SecondReport::of(Side::Producers, &merged).expect("small")).expect("plain");
        let back: SecondReport = serde_json::from_str(&text).expect("our own");
        assert_eq!((back.second, back.counts), (-1, merged.counts));
        assert_eq!(back.histograms().expect("our own").lag, merged.histograms.lag);
    }
}
