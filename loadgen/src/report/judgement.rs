//! The verdict and the warnings of a run in words, the same in the table and on the page.

use super::units::{count, percent};
use crate::goal::measured_text;
use crate::result::{Acks, Fsync, IntegrityMode, RunResult, Verdict};

/// How a statement is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Caution,
    Bad,
}

/// A word that catches the eye and the sentence behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) tone: Tone,
    pub(super) word: &'static str,
    pub(super) sentence: String,
}

/// Whether the records are safe: the first thing that a reader sees.
pub(super) fn verdict(result: &RunResult) -> Statement {
    let integrity = &result.integrity;
    let (tone, word, sentence) = match integrity.verdict {
        Verdict::Pass if integrity.consumed == 0 => {
            (Tone::Caution, "INTEGRITY NOT SHOWN", "no record was read back, so nothing was proved".into())
        }
        Verdict::Pass if result.workload.acks == Acks::None => (
            Tone::Good,
            "INTEGRITY PASS",
            format!(
                "all {} received records came once, in order, unharmed{}",
                count(integrity.consumed),
                through_faults(result)
            ),
        ),
        Verdict::Pass => (
            Tone::Good,
            "INTEGRITY PASS",
            format!(
                "all {} acknowledged records arrived once{}, in order, unharmed{}",
                count(integrity.acked),
                if integrity.redelivered > 0 { " or again after a rebalance" } else { "" },
                through_faults(result)
            ),
        ),
        Verdict::Fail => (Tone::Bad, "INTEGRITY FAILED", faults_in_words(result)),
        Verdict::Incomplete if result.error.is_none() => {
            (Tone::Bad, "INTEGRITY UNKNOWN", integrity.examples.join("; "))
        }
        Verdict::Incomplete => (
            Tone::Bad,
            "INTEGRITY UNKNOWN",
            format!(
                "the run ended before all records could be judged: {} acknowledged, {} received",
                count(integrity.acked),
                count(integrity.consumed)
            ),
        ),
        Verdict::NotChecked => (
            Tone::Caution,
            "INTEGRITY NOT CHECKED",
            match integrity.mode {
                IntegrityMode::Off => "checking was switched off".into(),
                IntegrityMode::Full => "nothing was read back".into(),
            },
        ),
    };
    Statement { tone, word, sentence }
}

/// What limits the trust in the figures, worst first.
pub(super) fn warnings(result: &RunResult) -> Vec<Statement> {
    let quality = &result.quality;
    let mut found = Vec::new();
    let mut warn = |tone, word, sentence: String| {
        found.push(Statement { tone, word, sentence });
    };
    if let Some(error) = &result.error {
        warn(Tone::Bad, "ENDED EARLY", error.clone());
    }
    if let Some(errors) = errors_in_words(result) {
        warn(Tone::Bad, "ERRORS", errors);
    }
    for goal in &result.slo {
        let (tone, word) = if goal.pass { (Tone::Good, "GOAL MET") } else { (Tone::Bad, "GOAL MISSED") };
        warn(tone, word, format!("{}: {}", goal.expr, measured_text(goal)));
    }
    if quality.saturated {
        let share = achieved_share(result).map_or_else(|| "less than 99 %".into(), percent);
        warn(
            Tone::Caution,
            "SATURATED",
            format!("{share} of the offered load was achieved; latencies are those of a growing queue"),
        );
    }
    if quality.closed_loop {
        let sentence = "as fast as it goes, without a schedule; latency counts from the actual send";
        warn(Tone::Caution, "CLOSED LOOP", sentence.into());
    }
    if quality.client_limited {
        let sentence = "the load generator, not the broker, may have set these figures";
        warn(Tone::Caution, "CLIENT LIMITED", sentence.into());
    }
    if quality.noisy {
        let sentence =
            "the machine changed while the run went on (probes before and after disagree, or time was stolen)";
        warn(Tone::Caution, "NOISY", sentence.into());
    }
    if quality.steady == Some(false) {
        let sentence = "the first and the last third of the run disagree; run longer";
        warn(Tone::Caution, "UNSTEADY", sentence.into());
    }
    found
}

/// Remarks beside the figures: those of the run, and what its kind of run needs.
pub(super) fn notes(result: &RunResult) -> Vec<String> {
    let mut notes = result.quality.notes.clone();
    let durability = &result.target.durability;
    let has_end_to_end = result.summary.consume.as_ref().is_some_and(|consume| consume.latency.end_to_end.is_some());
    if durability.acks != Acks::All && durability.fsync == Fsync::Batch && has_end_to_end {
        notes.push(format!(
            "Consumers see only what is durable, so end-to-end contains the fdatasync although acks={} does not wait for it.",
            durability.acks.as_str()
        ));
    }
    notes
}

/// Achieved over offered, when there was an offer.
pub(super) fn achieved_share(result: &RunResult) -> Option<f64> {
    let produce = result.summary.produce.as_ref()?;
    let offered = produce.offered?.records_per_s;
    (offered > 0.0).then(|| produce.achieved.records_per_s / offered)
}

/// What was done to the broker meanwhile, and what its acknowledgements promise in such a case.
fn through_faults(result: &RunResult) -> String {
    let mut kinds: Vec<&str> = result.faults.iter().map(|fault| fault.kind.as_str()).collect();
    kinds.dedup();
    let through = match result.faults.len() {
        0 => String::new(),
        1 => format!(" through 1 planned fault ({})", kinds.join(", ")),
        number => format!(" through {number} planned faults ({})", kinds.join(", ")),
    };
    let promise = match result.workload.acks {
        Acks::None => "; acks=0 does not promise that all came",
        Acks::Leader if !kinds.is_empty() => "; acks=1 promises to survive the end of the process, not of the machine",
        Acks::All if !kinds.is_empty() => "; acks=all promises to survive everything",
        _ => "",
    };
    through + promise
}

fn faults_in_words(result: &RunResult) -> String {
    let integrity = &result.integrity;
    let faults: Vec<String> = [
        (integrity.missing, "missing"),
        (integrity.duplicate, "duplicate"),
        (integrity.out_of_order, "out of order"),
        (integrity.corrupt, "corrupt"),
        (integrity.phantom, "phantom"),
        (integrity.wrong_offsets, "wrong offsets"),
        (integrity.aborted_seen, "of aborted transactions"),
        (integrity.lost_commits, "commits forgotten"),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, fault)| format!("{} {fault}", count(number)))
    .collect();
    let faults = if faults.is_empty() { "faults".into() } else { faults.join(", ") };
    format!("{faults} of {} acknowledged records{}", count(integrity.acked), through_faults(result))
}

fn errors_in_words(result: &RunResult) -> Option<String> {
    let summary = &result.summary;
    let errors: Vec<String> = [("produce", &summary.produce), ("consume", &summary.consume)]
        .into_iter()
        .filter_map(|(name, stream)| stream.as_ref().map(|stream| (name, stream)))
        .flat_map(|(name, stream)| {
            stream.errors.iter().map(move |(code, number)| format!("{name} {code} {}", count(*number)))
        })
        .collect();
    (!errors.is_empty()).then(|| format!("records that failed: {}", errors.join(", ")))
}
