//! What a reader of many runs must know before any chart: are the records safe, what is the outcome, what limits the
//! trust, which durability classes are on the page.

use super::collection::{Collection, is_sound};
use super::facts::shell_line;
use super::html::push_statement;
use super::judgement::{Statement, Tone};
use super::markup::Markup;
use super::outcome;
use super::table::durability_line;
use super::units::{count, duration_ns, megabytes_per_s};
use crate::compare::Grid;
use crate::result::{Percentile, RunResult, Verdict};
use crate::statistics::median;

/// Statements of a comparison of many sides; the charts have the rest.
const STATEMENTS_MAX: usize = 8;
/// Commands that are listed; a page of more says so.
const COMMANDS_MAX: usize = 60;
/// Examples of faults that are listed.
const EXAMPLES_MAX: usize = 6;

/// The durability of all runs, or a warning that they are not of one class.
pub(super) fn push_classes(page: &mut Markup, collection: &Collection<'_>) {
    let mut classes: Vec<&str> = collection.runs().map(durability_line).collect();
    classes.sort_unstable();
    classes.dedup();
    page.raw("<p class=\"class\"><b>Durability:</b> ").text(classes.join(" · "));
    if classes.len() > 1 {
        page.raw(" (unlike classes are shown together and not ranked)");
    }
    page.raw("</p>");
}

/// The verdict sentence, integrity, and what limits the trust.
pub(super) fn push_statements(page: &mut Markup, collection: &Collection<'_>, grid: Option<&Grid>) {
    page.raw("<div class=\"statements\">");
    let compared = grid.map(outcome::statements).unwrap_or_default();
    for statement in compared.iter().take(STATEMENTS_MAX) {
        push_statement(page, statement, "verdict", &[]);
    }
    if let Some(outcome) = outcome(collection) {
        push_statement(page, &outcome, "verdict", &[]);
    }
    let examples: Vec<String> = collection
        .runs()
        .flat_map(|run| run.integrity.examples.iter().map(|example| format!("{}: {example}", run.id)))
        .take(EXAMPLES_MAX)
        .collect();
    push_statement(page, &integrity(collection), "", &examples);
    for warning in warnings(collection) {
        push_statement(page, &warning, "", &[]);
    }
    page.raw("</div>\n");
}

/// What one side reached, in a sentence; comparisons have sentences of their own.
fn outcome(collection: &Collection<'_>) -> Option<Statement> {
    if collection.sides.len() != 1 {
        return None;
    }
    let group = collection.groups.iter().rfind(|group| group.runs.iter().all(|run| !run.quality.saturated));
    let group = group.or(collection.groups.last())?;
    let response = |percentile: Percentile| {
        let figures =
            group.figures(|run| Some(run.summary.produce.as_ref()?.latency.response.as_ref()?.at(percentile)? as f64));
        median(&figures).map_or_else(|| "n/a".into(), duration_ns)
    };
    let achieved = median(&group.figures(|run| Some(run.summary.produce.as_ref()?.achieved.bytes_per_s)))?;
    let of = match group.runs.len() {
        1 => String::new(),
        runs => format!(", medians of {runs} runs"),
    };
    let which = if collection.loads.len() > 1 { "the highest load that it kept up with" } else { "this load" };
    let sentence = format!(
        "{} at {which}: {} acknowledged, response p50 {} and p99 {}{of}",
        collection.sides[0],
        megabytes_per_s(achieved),
        response(Percentile::P50),
        response(Percentile::P99),
    );
    Some(Statement { tone: Tone::Good, word: "OUTCOME", sentence })
}

/// The judgement over the records of all runs.
fn integrity(collection: &Collection<'_>) -> Statement {
    let runs = collection.run_count();
    let with = |verdict: Verdict| collection.runs().filter(|run| run.integrity.verdict == verdict).count();
    let acked: u64 = collection.runs().map(|run| run.integrity.acked).fold(0, u64::saturating_add);
    let (failed, unknown, unchecked) = (with(Verdict::Fail), with(Verdict::Incomplete), with(Verdict::NotChecked));
    let unread =
        collection.runs().filter(|run| run.integrity.verdict == Verdict::Pass && run.integrity.consumed == 0).count();
    if failed > 0 {
        let sentence = format!("records were lost, doubled, out of order or harmed in {failed} of {runs} runs");
        return Statement { tone: Tone::Bad, word: "INTEGRITY FAILED", sentence };
    }
    if unknown + unchecked + unread > 0 {
        let sentence = format!(
            "of {runs} runs {unknown} ended before all records could be judged, {unchecked} were not checked, {unread} read nothing back"
        );
        return Statement { tone: Tone::Caution, word: "INTEGRITY UNKNOWN", sentence };
    }
    let sentence = format!("all {} acknowledged records of {runs} runs arrived once, in order, unharmed", count(acked));
    Statement { tone: Tone::Good, word: "INTEGRITY PASS", sentence }
}

/// What limits the trust in the figures, worst first.
fn warnings(collection: &Collection<'_>) -> Vec<Statement> {
    type Warning = (Tone, &'static str, &'static str, fn(&RunResult) -> bool);
    const WARNINGS: [Warning; 6] = [
        (Tone::Bad, "LEFT OUT", "ended early or lost records, and are no samples", |run| !is_sound(run)),
        (
            Tone::Caution,
            "SATURATED",
            "achieved less than 99 % of the offered load; their latencies are those of a growing queue",
            |run| run.quality.saturated,
        ),
        (Tone::Caution, "CLIENT LIMITED", "may show the load generator instead of the broker", |run| {
            run.quality.client_limited
        }),
        (
            Tone::Caution,
            "CLOSED LOOP",
            "went as fast as they could; their latency counts from the actual send",
            |run| run.quality.closed_loop,
        ),
        (Tone::Caution, "NOISY", "were made while the machine changed", |run| run.quality.noisy),
        (Tone::Caution, "UNSTEADY", "differ between their first and last third", |run| {
            run.quality.steady == Some(false)
        }),
    ];
    let runs = collection.run_count();
    let told = WARNINGS.into_iter().filter_map(|(tone, word, what, applies)| {
        let number = collection.runs().filter(|run| applies(run)).count();
        (number > 0).then(|| Statement { tone, word, sentence: format!("{number} of {runs} runs {what}") })
    });
    told.collect()
}

/// How to make the runs again.
pub(super) fn push_commands(page: &mut Markup, collection: &Collection<'_>) {
    let mut commands: Vec<String> = Vec::new();
    for run in collection.runs() {
        let line = shell_line(&run.command);
        if !commands.contains(&line) {
            commands.push(line);
        }
        if commands.len() == COMMANDS_MAX {
            break;
        }
    }
    page.raw("<section><details><summary>").text(commands.len());
    page.raw(if commands.len() == 1 { " command" } else { " commands" }).raw(" that made these runs</summary><pre>");
    page.text(commands.join("\n")).raw("</pre></details></section>\n");
}

/// Where the figures come from.
pub(super) fn footer(collection: &Collection<'_>) -> String {
    let mut versions: Vec<String> = collection
        .runs()
        .map(|run| format!("loadgen {} ({} build)", run.loadgen.version, run.loadgen.build_profile))
        .collect();
    versions.sort();
    versions.dedup();
    let first = collection.runs().map(|run| run.started_utc.as_str()).min().unwrap_or_default();
    let last = collection.runs().map(|run| run.ended_utc.as_str()).max().unwrap_or_default();
    format!("{} · {} runs from {first} to {last}", versions.join(", "), collection.run_count())
}
