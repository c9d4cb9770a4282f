//! The figures that comparisons are made of.

use clap::ValueEnum;
use serde::Serialize;

use crate::report::{binary_bytes, count, decimal, duration_ns};
use crate::result::{Latency, Percentile, RunResult, StreamSummary};

/// A figure of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Bytes a second that were answered without error, produced or, where nothing was produced, consumed.
    Goodput,
    /// The same in records.
    GoodputRecords,
    /// Intended send time to acknowledgement, median.
    ResponseP50,
    /// Intended send time to acknowledgement, 99th percentile.
    ResponseP99,
    /// Intended send time to acknowledgement, 99.9th percentile.
    #[serde(rename = "response-p99.9")]
    #[value(name = "response-p99.9")]
    ResponseP999,
    /// Intended send time to delivery, median.
    EndToEndP50,
    /// Intended send time to delivery, 99th percentile.
    EndToEndP99,
    /// Processor seconds of the broker for each 10^9 bytes.
    BrokerCpu,
    /// Largest resident memory of the broker.
    BrokerRss,
}

/// Figures that the correction for many questions takes together, and that the same runs may rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// How much.
    Throughput,
    /// How soon.
    Latency,
    /// At what expense.
    Cost,
}

impl Metric {
    /// All of them in the order of print.
    pub const ALL: [Self; 9] = [
        Self::Goodput,
        Self::GoodputRecords,
        Self::ResponseP50,
        Self::ResponseP99,
        Self::ResponseP999,
        Self::EndToEndP50,
        Self::EndToEndP99,
        Self::BrokerCpu,
        Self::BrokerRss,
    ];

    /// What it is called, with its unit where values are printed without.
    pub fn title(self) -> &'static str {
        match self {
            Self::Goodput => "goodput, MB/s",
            Self::GoodputRecords => "goodput, records/s",
            Self::ResponseP50 => "response p50",
            Self::ResponseP99 => "response p99",
            Self::ResponseP999 => "response p99.9",
            Self::EndToEndP50 => "end-to-end p50",
            Self::EndToEndP99 => "end-to-end p99",
            Self::BrokerCpu => "broker CPU, s/GB",
            Self::BrokerRss => "broker RSS, max",
        }
    }

    /// What it is called within a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Goodput => "goodput",
            Self::GoodputRecords => "goodput in records",
            Self::BrokerCpu => "broker CPU",
            Self::BrokerRss => "broker RSS",
            other => other.title(),
        }
    }

    /// The unit of [`Metric::value`].
    pub fn unit(self) -> &'static str {
        match self {
            Self::Goodput => "bytes/s",
            Self::GoodputRecords => "records/s",
            Self::BrokerCpu => "s/GB",
            Self::BrokerRss => "bytes",
            _ => "ns",
        }
    }

    /// Where it belongs.
    pub fn family(self) -> Family {
        match self {
            Self::Goodput | Self::GoodputRecords => Family::Throughput,
            Self::BrokerCpu | Self::BrokerRss => Family::Cost,
            _ => Family::Latency,
        }
    }

    /// Whether more is better.
    pub fn higher_is_better(self) -> bool {
        self.family() == Family::Throughput
    }

    /// The smallest difference that matters unless the user says otherwise: tails of a latency vary more than its middle.
    pub fn threshold_default(self) -> f64 {
        match self {
            Self::Goodput | Self::GoodputRecords => 0.03,
            Self::ResponseP99 | Self::ResponseP999 | Self::EndToEndP99 => 0.10,
            _ => 0.05,
        }
    }

    /// The figure in base units; absent when the run did not measure it or its sample does not carry it.
    pub fn value(self, run: &RunResult) -> Option<f64> {
        let broker = run.resources.broker.as_ref();
        let value = match self {
            Self::Goodput => stream(run)?.goodput.bytes_per_s,
            Self::GoodputRecords => stream(run)?.goodput.records_per_s,
            Self::ResponseP50 => percentile(response(run), Percentile::P50)?,
            Self::ResponseP99 => percentile(response(run), Percentile::P99)?,
            Self::ResponseP999 => percentile(response(run), Percentile::P99_9)?,
            Self::EndToEndP50 => percentile(end_to_end(run), Percentile::P50)?,
            Self::EndToEndP99 => percentile(end_to_end(run), Percentile::P99)?,
            Self::BrokerCpu => broker?.cpu_s_per_gb?,
            Self::BrokerRss => broker?.rss_max_bytes? as f64,
        };
        value.is_finite().then_some(value)
    }

    /// A value as people read it.
    pub fn format(self, value: f64) -> String {
        match self {
            Self::Goodput => decimal(value / 1e6),
            Self::GoodputRecords => count(value.max(0.0).round() as u64),
            Self::BrokerCpu => decimal(value),
            Self::BrokerRss => binary_bytes(value.max(0.0).round() as u64),
            _ => duration_ns(value),
        }
    }
}

impl Family {
    /// In words, plural.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Throughput => "throughput figures",
            Self::Latency => "latencies",
            Self::Cost => "costs",
        }
    }
}

fn stream(run: &RunResult) -> Option<&StreamSummary> {
    run.summary.produce.as_ref().or(run.summary.consume.as_ref())
}

fn response(run: &RunResult) -> Option<&Latency> {
    run.summary.produce.as_ref()?.latency.response.as_ref()
}

fn end_to_end(run: &RunResult) -> Option<&Latency> {
    run.summary.consume.as_ref()?.latency.end_to_end.as_ref()
}

fn percentile(latency: Option<&Latency>, percentile: Percentile) -> Option<f64> {
    latency?.at(percentile).map(|ns| ns as f64)
}
