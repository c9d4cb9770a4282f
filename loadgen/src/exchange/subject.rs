//! What a group of equal runs is called in another tool, and its repeats put together.

use std::collections::BTreeMap;

use super::{Figure, figures};
use crate::result::{ArrivalKind, RunResult, Verdict};

/// Repeats of one series as one entry.
pub(super) struct Subject {
    /// Side and load in words, equal for all repeats.
    pub name: String,
    /// The figures that every repeat has, in the order of [`figures`].
    pub figures: Vec<Spread>,
    /// How many runs.
    pub repeats: usize,
}

/// One figure over the repeats.
pub(super) struct Spread {
    /// Name, unit and direction; the value is the median.
    pub median: Figure,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
}

/// Side and load of a run in words: `posthaste 0.1.0, acks=all, flushed ...: 1000 B x 128 partitions, closed loop`.
pub(super) fn name(result: &RunResult) -> String {
    format!("{}: {}", side(result), load(result))
}

/// The label, or the product with its version.
pub(super) fn side(result: &RunResult) -> String {
    let target = &result.target;
    match (&result.label, &target.version) {
        (Some(label), _) => label.clone(),
        (None, Some(version)) => format!("{} {version}", target.product),
        (None, None) if result.knows("target.product") => target.product.clone(),
        (None, None) => "unknown".into(),
    }
}

/// What an acknowledgement is worth, for use beside every figure.
pub(super) fn durability(result: &RunResult) -> &'static str {
    if result.knows("target.durability.acks") { result.target.durability.label() } else { "unknown durability" }
}

/// The labels that a run's figures must not be read without.
pub(super) fn flags(result: &RunResult) -> Vec<&'static str> {
    let quality = &result.quality;
    let all = [
        (quality.saturated, "saturated"),
        (quality.client_limited, "client-limited"),
        (quality.noisy, "noisy"),
        (quality.steady == Some(false), "unsteady"),
        (quality.closed_loop, "closed-loop"),
        (result.error.is_some(), "ended-early"),
        (result.imported.is_some(), "imported"),
    ];
    all.into_iter().filter_map(|(is_set, word)| is_set.then_some(word)).collect()
}

fn load(result: &RunResult) -> String {
    let workload = &result.workload;
    let mut words = Vec::new();
    if result.knows("workload.record_bytes") {
        words.push(format!("{} B", workload.record_bytes));
    }
    if result.knows("workload.partitions") {
        words.push(format!("{} partitions", u64::from(workload.topics.max(1)) * u64::from(workload.partitions)));
    }
    if result.knows("workload.producers") {
        words.push(format!("{} producers", workload.producers));
    }
    if result.knows("workload.consumers") {
        words.push(format!("{} consumers", workload.consumers));
    }
    match workload.arrival.records_per_s {
        Some(rate) => words.push(format!("{rate} records/s")),
        None if workload.arrival.kind == ArrivalKind::ClosedLoop && result.knows("workload.arrival.kind") => {
            words.push("closed loop".into());
        }
        None => {}
    }
    words.push(durability(result).into());
    // Words leave out settings; the hash tells apart what they do not.
    words.push(format!("load {}", result.workload_id.get(..8).unwrap_or(&result.workload_id)));
    words.join(", ")
}

/// Whether a run's figures count: it ended as planned and lost nothing.
pub(super) fn is_sample(result: &RunResult) -> bool {
    result.error.is_none() && !matches!(result.integrity.verdict, Verdict::Fail | Verdict::Incomplete)
}

/// The runs by name, each with its repeats put together. A failed run is no repeat.
pub(super) fn subjects(results: &[RunResult]) -> Vec<Subject> {
    let mut groups: BTreeMap<String, Vec<Vec<Figure>>> = BTreeMap::new();
    for result in results.iter().filter(|result| is_sample(result)) {
        groups.entry(name(result)).or_default().push(figures(result));
    }
    groups.into_iter().map(|(name, runs)| Subject { name, repeats: runs.len(), figures: together(&runs) }).collect()
}

fn together(runs: &[Vec<Figure>]) -> Vec<Spread> {
    let first = runs.first().map_or(&[][..], Vec::as_slice);
    let same = |one: &Figure, other: &Figure| one.name == other.name && one.unit == other.unit;
    first
        .iter()
        .filter_map(|figure| {
            let values: Option<Vec<f64>> =
                runs.iter().map(|run| run.iter().find(|other| same(figure, other)).map(|other| other.value)).collect();
            let mut values = values?;
            values.sort_by(f64::total_cmp);
            let (min, max) = (*values.first()?, *values.last()?);
            Some(Spread { median: Figure { value: median(&values), ..figure.clone() }, min, max })
        })
        .collect()
}

/// The median of sorted values, at least one.
fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}
