//! Other tools' formats: results of ours as they read them, their outputs as results of ours.
//!
//! A figure that a source does not tell is absent from what is made of it, on either side.

mod bencher;
mod benchstat;
mod csv;
mod figure;
mod github_action;
mod hgrm;
mod hlog;
mod iggy;
mod omb_export;
mod omb_import;
mod openmetrics;
mod producer_performance;
mod rdkafka;
mod source;
mod subject;

pub use figure::{Better, Figure, figures};
pub use source::{Given, Refusal, read_bounded};

use clap::ValueEnum;

use crate::result::{RunResult, histogram_name};
use source::Source;

/// A format that results can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Comma-separated values, one row a result.
    Csv,
    /// Go benchmark text, as `benchstat` reads it.
    Benchstat,
    /// customSmallerIsBetter or customBiggerIsBetter of github-action-benchmark; see --better.
    GithubActionBenchmark,
    /// Bencher Metric Format, JSON.
    Bencher,
    /// `OpenMetrics` text, for Prometheus.
    Openmetrics,
    /// JSON of the `OpenMessaging` Benchmark, for its charts; one result.
    Omb,
    /// `HdrHistogram` interval log with one tagged histogram a latency; one result.
    Hlog,
    /// `HdrHistogram` percentile distribution of one latency; one result.
    Hgrm,
}

/// A format that results can be made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ImportFormat {
    /// Result JSON of the `OpenMessaging` Benchmark.
    Omb,
    /// Output of kafka-producer-perf-test.
    KafkaProducerPerfTest,
    /// Table of `rdkafka_performance -u`.
    Rdkafka,
    /// report.json of iggy-bench.
    Iggy,
}

impl ImportFormat {
    /// Longest file of this format that is read: an hour of a tool's series takes a few megabytes, and those of
    /// iggy-bench one more for each actor. Parsing takes several times as much memory.
    pub fn bytes_max(self) -> u64 {
        match self {
            Self::Iggy => 64 << 20,
            Self::Omb | Self::KafkaProducerPerfTest | Self::Rdkafka => 16 << 20,
        }
    }
}

/// What an export can be told besides its format.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    /// The figures that github-action-benchmark is to get: it takes one direction a file.
    pub better: Better,
    /// The histogram of a percentile distribution: a key of [`RunResult::histograms`].
    pub histogram: String,
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self { better: Better::Lower, histogram: histogram_name::PRODUCE_RESPONSE.into() }
    }
}

/// The results in another tool's format. Repeats are put together where the format has no place for each of them.
pub fn export(format: ExportFormat, results: &[RunResult], options: &ExportOptions) -> Result<String, Refusal> {
    let single = || match results {
        [result] => Ok(result),
        _ => Err(Refusal::new(format!("this format holds one result, given are {}: give one file", results.len()))),
    };
    match format {
        ExportFormat::Csv => Ok(csv::write(results)),
        ExportFormat::Benchstat => Ok(benchstat::write(results)),
        ExportFormat::GithubActionBenchmark => github_action::write(results, options.better),
        ExportFormat::Bencher => bencher::write(results),
        ExportFormat::Openmetrics => openmetrics::write(results),
        ExportFormat::Omb => omb_export::write(single()?),
        ExportFormat::Hlog => hlog::write(single()?),
        ExportFormat::Hgrm => hgrm::write(single()?, &options.histogram),
    }
}

/// The result that another tool's output tells.
pub fn import(format: ImportFormat, bytes: &[u8], given: &Given) -> Result<RunResult, Refusal> {
    let source = Source::new(bytes, given);
    match format {
        ImportFormat::Omb => omb_import::read(&source),
        ImportFormat::KafkaProducerPerfTest => producer_performance::read(&source),
        ImportFormat::Rdkafka => rdkafka::read(&source),
        ImportFormat::Iggy => iggy::read(&source),
    }
}
