//! The outcome of a comparison in sentences: which side is better or worse in what, or why nothing can be said.

use super::judgement::{Statement, Tone};
use super::units::decimal;
use crate::compare::{Comparison, Finding, Grid, MetricComparison, Outcome};

/// Findings that a sentence tells; the rest are counted.
const FINDINGS_MAX: usize = 4;

/// A statement for each later side, and one for what the grouping left open.
pub(super) fn statements(grid: &Grid) -> Vec<Statement> {
    let Some((first, later)) = grid.columns.split_first() else { return Vec::new() };
    let mut statements: Vec<Statement> =
        later.iter().enumerate().map(|(index, name)| of_side(grid, first, name, index)).collect();
    let mut unlike: Vec<&String> =
        comparisons(grid).flat_map(|comparison| &comparison.unlike).chain(&grid.warnings).collect();
    unlike.sort();
    unlike.dedup();
    statements.extend(unlike.into_iter().map(|sentence| Statement {
        tone: Tone::Caution,
        word: "UNLIKE",
        sentence: sentence.clone(),
    }));
    statements
}

fn comparisons(grid: &Grid) -> impl Iterator<Item = &Comparison> {
    grid.rows.iter().flat_map(|row| &row.comparisons)
}

fn of_side(grid: &Grid, first: &str, name: &str, index: usize) -> Statement {
    let of_row = |wanted: fn(&Finding) -> bool| -> Vec<String> {
        let rows = grid.rows.iter().filter_map(|row| Some((row, row.comparisons.get(index)?)));
        let found = rows.flat_map(|(row, comparison)| {
            let place = if grid.rows.len() > 1 { format!(" at {}", load_name(&row.label)) } else { String::new() };
            comparison.found(wanted).map(move |metric| format!("{}{place}", difference(metric)))
        });
        found.collect()
    };
    let worse = of_row(|finding| *finding == Finding::Worse);
    let better = of_row(|finding| *finding == Finding::Better);
    let ranked = of_row(Finding::is_ranked).len();
    let outcome = match (worse.is_empty(), better.is_empty(), ranked) {
        (false, ..) => Outcome::Regression,
        (_, false, _) => Outcome::Better,
        (_, _, 0) => Outcome::NothingComparable,
        _ => Outcome::NoDifference,
    };
    let (tone, word, sentence) = match outcome {
        Outcome::Regression => {
            let also = if better.is_empty() { String::new() } else { format!("; better in {}", listed(&better)) };
            (Tone::Bad, "WORSE", format!("{name} is worse than {first} in {}{also}", listed(&worse)))
        }
        Outcome::Better => (Tone::Good, "BETTER", format!("{name} is better than {first} in {}", listed(&better))),
        Outcome::NoDifference => {
            let figures = if ranked == 1 { "figure that was" } else { "figures that were" };
            let sentence = format!(
                "{name} and {first} do not differ by as much as matters in the {ranked} {figures} ranked{}",
                seen_from(grid, index)
            );
            (Tone::Good, "NO DIFFERENCE", sentence)
        }
        Outcome::NothingComparable => (
            Tone::Caution,
            "NOT RANKED",
            format!("{name} and {first} are shown side by side without a verdict: {}", why_not(grid, index)),
        ),
    };
    Statement { tone, word, sentence }
}

fn listed(findings: &[String]) -> String {
    let told = findings.iter().take(FINDINGS_MAX).cloned().collect::<Vec<_>>().join(", ");
    match findings.len().saturating_sub(FINDINGS_MAX) {
        0 => told,
        more => format!("{told} and {more} more"),
    }
}

/// `response p99 ×1.23 (1.10 to 1.40)`.
pub(super) fn difference(metric: &MetricComparison) -> String {
    let name = metric.metric.name();
    metric.ratio.as_ref().map_or_else(
        || name.to_owned(),
        |ratio| format!("{name} ×{} ({} to {})", decimal(ratio.value), decimal(ratio.low), decimal(ratio.high)),
    )
}

/// The difference that would have been seen: without it, no difference says nothing.
fn seen_from(grid: &Grid, index: usize) -> String {
    let rows = grid.rows.iter().filter_map(|row| row.comparisons.get(index));
    let detectable =
        rows.flat_map(|comparison| &comparison.metrics).filter_map(|metric| Some((metric.detectable_ratio?, metric)));
    let coarsest = detectable.max_by(|a, b| a.0.total_cmp(&b.0));
    coarsest.map_or_else(String::new, |(ratio, metric)| {
        format!(
            "; a factor of {} would have shown in each four times of five (least surely in {})",
            decimal(ratio),
            metric.metric.name()
        )
    })
}

fn why_not(grid: &Grid, index: usize) -> String {
    let mut reasons: Vec<String> = Vec::new();
    for comparison in grid.rows.iter().filter_map(|row| row.comparisons.get(index)) {
        let barred = comparison.metrics.iter().filter_map(|metric| match &metric.finding {
            Finding::TooFew(reason) | Finding::NotRanked(reason) => Some(reason.clone()),
            _ => None,
        });
        for reason in barred {
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
    }
    if reasons.is_empty() { "no load was run on both".into() } else { listed(&reasons) }
}

/// The name of a row as a sentence takes it: `records_per_s=20000.0 partitions=8` is `20,000 records/s, partitions 8`.
pub(super) fn load_name(label: &str) -> String {
    let part = |pair: &str| -> Option<String> {
        let (key, value) = pair.split_once('=')?;
        Some(match (key, value.parse::<f64>()) {
            ("records_per_s", Ok(rate)) => format!("{} records/s", decimal(rate)),
            ("records_per_s", Err(_)) => "closed loop".into(),
            _ => format!("{} {value}", key.replace('_', " ")),
        })
    };
    let parts: Option<Vec<String>> = label.split(' ').map(part).collect();
    parts.map_or_else(|| label.to_owned(), |parts| parts.join(", "))
}

/// The finding of one figure in a word or a phrase.
pub(super) fn finding_text(finding: &Finding) -> String {
    match finding {
        Finding::Better => "✓ better".into(),
        Finding::Worse => "✗ worse".into(),
        Finding::Small => "differs, by less than matters".into(),
        Finding::Same => "the same, within what matters".into(),
        Finding::NoDifference => "~ no difference found".into(),
        Finding::TooFew(reason) => format!("too few runs: {reason}"),
        Finding::NotRanked(reason) => format!("not ranked: {reason}"),
        Finding::NotMeasured => "not measured on both sides".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rows_read_as_words_and_other_names_stay() {
        assert_eq!(load_name("records_per_s=20000.0 record_bytes=100"), "20,000 records/s, record bytes 100");
        assert_eq!(load_name("records_per_s=(none)"), "closed loop");
        assert_eq!(load_name("20.0 MB/s, 8 partitions"), "20.0 MB/s, 8 partitions");
    }
}
