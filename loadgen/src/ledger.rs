//! What brokers have acknowledged, on disk, so that it can be held against them after this program has died.
//!
//! An append-only file of lines, each a CRC-32C in hexadecimal, a space and JSON; [`Entry`] has all kinds. A line that the end of the
//! program tore stands last and is dropped; a wrong line anywhere else is refused. An acknowledgement that was not written in time
//! is no promise to judge by, so a lost line can only excuse a broker, never accuse it.

mod file;
mod journal;

pub use file::LedgerFile;
pub use journal::Journal;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::integrity::{AckLedger, RangeSet};

/// Producers times partitions of a run: a compacted ledger holds at least a range for each.
pub const STREAMS_MAX: u64 = 100_000;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Entry {
    /// The first line of every ledger.
    Topic(TopicEntry),
    /// A run begins; the ranges that follow are its.
    Run(RunEntry),
    /// Acknowledged records: producer, partition, the first number and the one behind the last.
    Acked(Vec<(u32, u32, u64, u64)>),
    /// All was judged and the topic is gone.
    Ended,
}

/// What is checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicEntry {
    /// Version of this format, 1.
    pub ledger: u32,
    /// Where the broker was.
    pub bootstrap: String,
    /// The topic.
    pub topic: String,
    /// Its partitions.
    pub partitions: u32,
}

/// A run that wrote to the topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunEntry {
    /// Tag of its records.
    pub tag: u32,
    /// Its producers.
    pub producers: u32,
}

/// Acknowledged records of one producer in one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AckedRange {
    /// The producer.
    pub producer: u32,
    /// The partition.
    pub partition: u32,
    /// The first number.
    pub start: u64,
    /// Behind the last one.
    pub end: u64,
}

/// A run with what was acknowledged to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRun {
    /// Who it was.
    pub run: RunEntry,
    /// By producer and partition.
    pub acked: BTreeMap<(u32, u32), RangeSet>,
}

/// All that a ledger says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// What is checked.
    pub topic: TopicEntry,
    /// Who wrote, in order.
    pub runs: Vec<LedgerRun>,
    /// Nothing is left to judge.
    pub ended: bool,
}

impl LedgerRun {
    /// What one of its producers was promised in one partition, as far as the ledger knows.
    pub fn promised(&self, producer: u32, partition: u32) -> AckLedger {
        let acked = self.acked.get(&(producer, partition)).cloned().unwrap_or_default();
        AckLedger { produced: acked.end(), acked, ..AckLedger::default() }
    }
}

impl Ledger {
    fn new(topic: TopicEntry) -> Self {
        Self { topic, runs: Vec::new(), ended: false }
    }

    /// Takes one more line in; why it cannot follow on what is there.
    fn apply(&mut self, entry: &Entry) -> Result<(), &'static str> {
        match entry {
            Entry::Topic(_) => return Err("a second topic"),
            Entry::Run(run) => {
                if u64::from(run.producers) * u64::from(self.topic.partitions) > STREAMS_MAX {
                    return Err("a run of too many producers");
                }
                self.runs.push(LedgerRun { run: run.clone(), acked: BTreeMap::new() });
            }
            Entry::Acked(ranges) => {
                let Some(last) = self.runs.last_mut() else { return Err("acknowledgements before any run") };
                for &(producer, partition, start, end) in ranges {
                    if producer >= last.run.producers || partition >= self.topic.partitions {
                        return Err("acknowledgements of a producer or partition that is not there");
                    }
                    let acked = last.acked.entry((producer, partition)).or_default();
                    if start >= end || start < acked.end() {
                        return Err("acknowledgements out of order");
                    }
                    acked.push(start, end);
                }
            }
            Entry::Ended => self.ended = true,
        }
        Ok(())
    }

    /// The shortest lines that say the same.
    fn entries(&self) -> Vec<Entry> {
        let mut entries = vec![Entry::Topic(self.topic.clone())];
        for run in &self.runs {
            entries.push(Entry::Run(run.run.clone()));
            let ranges = run.acked.iter().flat_map(|(&(producer, partition), acked)| {
                acked.ranges().iter().map(move |&(start, end)| (producer, partition, start, end))
            });
            entries.extend(in_lines(ranges));
        }
        entries.extend(self.ended.then_some(Entry::Ended));
        entries
    }
}

/// Ranges a line holds: a line stays far below what is read at once.
const RANGES_A_LINE_MAX: usize = 1_000;

/// Ranges in as many lines as they need.
fn in_lines(ranges: impl Iterator<Item = (u32, u32, u64, u64)>) -> Vec<Entry> {
    let ranges: Vec<_> = ranges.collect();
    ranges.chunks(RANGES_A_LINE_MAX).map(|line| Entry::Acked(line.to_vec())).collect()
}
