//! The figures of a result one by one, each with a stable name, its unit and its direction.

use crate::result::{Latency, Percentile, RunResult, StreamSummary};

/// Which way a figure improves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Better {
    /// Rates.
    #[value(name = "bigger")]
    Higher,
    /// Times, costs, faults.
    #[value(name = "smaller")]
    Lower,
}

/// One measured number.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// `produce_response_p99`: lower case, stable, without its unit.
    pub name: String,
    /// `ns`, `B/s`, `records/s`, `s/GB`, `B`, `records`.
    pub unit: &'static str,
    /// In that unit.
    pub value: f64,
    /// Which way it improves.
    pub better: Better,
}

impl Figure {
    fn new(name: impl Into<String>, unit: &'static str, value: f64, better: Better) -> Self {
        Self { name: name.into(), unit, value, better }
    }
}

/// Every percentile with the ending of its name.
pub(super) const PERCENTILES: [(Percentile, &str); 7] = [
    (Percentile::P50, "p50"),
    (Percentile::P75, "p75"),
    (Percentile::P90, "p90"),
    (Percentile::P95, "p95"),
    (Percentile::P99, "p99"),
    (Percentile::P99_9, "p99.9"),
    (Percentile::P99_99, "p99.99"),
];

/// What was measured, in a fixed order; what was not is not there.
pub fn figures(result: &RunResult) -> Vec<Figure> {
    let mut figures = Vec::new();
    let summary = &result.summary;
    for (stream, summary) in [("produce", &summary.produce), ("consume", &summary.consume)] {
        if let Some(summary) = summary {
            push_stream(&mut figures, stream, summary);
        }
    }
    for (stream, name, latency) in latencies(result) {
        push_latency(&mut figures, &format!("{stream}_{name}"), latency);
    }
    if let Some(broker) = &result.resources.broker {
        if let Some(cost) = broker.cpu_s_per_gb {
            figures.push(Figure::new("broker_cpu", "s/GB", cost, Better::Lower));
        }
        if let Some(bytes) = broker.rss_max_bytes {
            figures.push(Figure::new("broker_rss_max", "B", bytes as f64, Better::Lower));
        }
    }
    let integrity = &result.integrity;
    for (name, count) in [
        ("missing", integrity.missing),
        ("duplicate", integrity.duplicate),
        ("out_of_order", integrity.out_of_order),
        ("corrupt", integrity.corrupt),
        ("phantom", integrity.phantom),
    ] {
        if result.knows(&format!("integrity.{name}")) {
            figures.push(Figure::new(format!("integrity_{name}"), "records", count as f64, Better::Lower));
        }
    }
    figures
}

/// The latencies of a result with the names of their stream and of themselves.
pub(super) fn latencies(result: &RunResult) -> Vec<(&'static str, &'static str, &Latency)> {
    let mut found = Vec::new();
    for (stream, summary) in [("produce", &result.summary.produce), ("consume", &result.summary.consume)] {
        let Some(summary) = summary else { continue };
        let latency = &summary.latency;
        let named = [
            ("response", &latency.response),
            ("service", &latency.service),
            ("lag", &latency.lag),
            ("end_to_end", &latency.end_to_end),
        ];
        found.extend(named.into_iter().filter_map(|(name, latency)| Some((stream, name, latency.as_ref()?))));
    }
    found
}

fn push_stream(figures: &mut Vec<Figure>, stream: &str, summary: &StreamSummary) {
    let mut rate = |name: &str, rate: crate::result::Rate| {
        let name = format!("{stream}_{name}");
        figures.push(Figure::new(name.clone(), "records/s", rate.records_per_s, Better::Higher));
        figures.push(Figure::new(name, "B/s", rate.bytes_per_s, Better::Higher));
    };
    rate("goodput", summary.goodput);
    let failed: u64 = summary.errors.values().sum();
    if failed > 0 {
        figures.push(Figure::new(format!("{stream}_errors"), "records", failed as f64, Better::Lower));
    }
}

fn push_latency(figures: &mut Vec<Figure>, name: &str, latency: &Latency) {
    let mut push = |ending: &str, ns: Option<f64>| {
        if let Some(ns) = ns {
            figures.push(Figure::new(format!("{name}_{ending}"), "ns", ns, Better::Lower));
        }
    };
    push("mean", latency.mean_ns);
    for (percentile, ending) in PERCENTILES {
        push(ending, latency.at(percentile).map(|ns| ns as f64));
    }
    push("max", latency.max_ns.map(|ns| ns as f64));
}
