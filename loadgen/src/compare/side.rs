//! One side of a comparison: which of its runs are samples, which are not and why.

use std::collections::BTreeSet;

use serde::Serialize;

use super::marks::{Mark, MarkCount};
use crate::result::{RunResult, Verdict};

/// What a comparison says of a side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SideSummary {
    /// What it is called.
    pub name: String,
    /// Runs that are samples.
    pub samples: usize,
    /// Runs that are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// Reasons to doubt the samples.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<MarkCount>,
    /// What an acknowledgement is worth, in words; more than one class is a fault of the grouping.
    pub durability: Vec<String>,
}

/// A run that is no sample.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The run's id.
    pub id: String,
    /// Why.
    pub reason: String,
}

/// The runs of a side that are samples, and what is to be said of the rest.
pub(super) fn sort_out<'a>(name: &str, runs: &[&'a RunResult]) -> (Vec<&'a RunResult>, SideSummary) {
    let mut seen = BTreeSet::new();
    let (mut samples, mut left_out) = (Vec::new(), Vec::new());
    for run in runs {
        let twice = !seen.insert(&run.id);
        match why_no_sample(run).or_else(|| twice.then(|| "given twice; a copy is no repeat".into())) {
            None => samples.push(*run),
            Some(reason) => left_out.push(LeftOut { id: run.id.clone(), reason }),
        }
    }
    let mut marks: Vec<MarkCount> = Mark::ALL
        .into_iter()
        .map(|mark| MarkCount { mark, runs: samples.iter().filter(|run| mark.is_on(run)).count() })
        .collect();
    marks.push(MarkCount { mark: Mark::LeftOut, runs: left_out.len() });
    marks.retain(|count| count.runs > 0);
    let durability: BTreeSet<String> = samples.iter().map(|run| durability(run)).collect();
    let summary = SideSummary {
        name: name.to_owned(),
        samples: samples.len(),
        left_out,
        marks,
        durability: durability.into_iter().collect(),
    };
    (samples, summary)
}

fn why_no_sample(run: &RunResult) -> Option<String> {
    match (run.integrity.verdict, &run.error) {
        (Verdict::Fail, _) => Some("records were lost, doubled, out of order or harmed".into()),
        (_, Some(error)) => Some(format!("ended early: {error}")),
        (Verdict::Incomplete, None) => Some("not every record could be judged".into()),
        _ if run.tags.iter().any(|tag| tag == "retracted") => Some("retracted".into()),
        _ => None,
    }
}

/// The class in words. How a broker writes does not change what an acknowledgement is worth, so it is no part of it.
pub(super) fn durability(run: &RunResult) -> String {
    let durability = &run.target.durability;
    if !run.knows("target.durability.acks") {
        return "unknown durability".into();
    }
    match durability.replication_factor {
        1 => durability.label().into(),
        _ if !run.knows("target.durability.replication_factor") => durability.label().into(),
        replicas => format!("{}, {replicas} replicas", durability.label()),
    }
}

impl SideSummary {
    /// Runs with a mark.
    pub fn marked(&self, mark: Mark) -> usize {
        self.marks.iter().find(|count| count.mark == mark).map_or(0, |count| count.runs)
    }

    /// The letters of all marks.
    pub fn letters(&self) -> String {
        self.marks.iter().map(|count| count.mark.letter()).collect()
    }
}
