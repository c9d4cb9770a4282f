//! Who took part: a row for each series with badges of integrity and quality and its main figures, and below, folded
//! away, every single run. The table is the legend of the page too.

use super::chart::LineStyle;
use super::collection::{Collection, Group};
use super::markup::Markup;
use super::plot::push_key;
use super::units::{decimal, duration_ns};
use crate::result::{Latency, Percentile, RunResult, Verdict};
use crate::statistics::median;

/// Single runs that are listed; a page of more says so.
const RUNS_MAX: usize = 400;

/// A figure of the table with its heading and how it reads.
type Figure = (&'static str, fn(&RunResult) -> Option<f64>, fn(f64) -> String);

const FIGURES: [Figure; 6] = [
    ("achieved, MB/s", |run| Some(run.summary.produce.as_ref()?.achieved.bytes_per_s / 1e6), decimal),
    ("consumed, MB/s", |run| Some(run.summary.consume.as_ref()?.achieved.bytes_per_s / 1e6), decimal),
    ("response p50", |run| at(response(run), Percentile::P50), duration_ns),
    ("p99", |run| at(response(run), Percentile::P99), duration_ns),
    ("p99.9", |run| at(response(run), Percentile::P99_9), duration_ns),
    (
        "end-to-end p99",
        |run| at(run.summary.consume.as_ref()?.latency.end_to_end.as_ref(), Percentile::P99),
        duration_ns,
    ),
];

/// Words and look of what limits the trust in a run.
type Badge = (&'static str, &'static str, fn(&RunResult) -> bool);

const BADGES: [Badge; 9] = [
    ("✗ integrity failed", "bad", |run| run.integrity.verdict == Verdict::Fail),
    ("✗ ended early", "bad", |run| run.error.is_some()),
    ("! integrity unknown", "caution", |run| {
        matches!(run.integrity.verdict, Verdict::Incomplete | Verdict::NotChecked)
    }),
    ("! saturated", "caution", |run| run.quality.saturated),
    ("! client limited", "caution", |run| run.quality.client_limited),
    ("! noisy", "caution", |run| run.quality.noisy),
    ("! unsteady", "caution", |run| run.quality.steady == Some(false)),
    ("closed loop", "plain", |run| run.quality.closed_loop),
    ("goal missed", "bad", |run| run.slo.iter().any(|goal| !goal.pass)),
];

/// The section.
pub(super) fn section(collection: &Collection<'_>) -> Markup {
    let mut html = Markup::default();
    html.raw("<section><h2>Series</h2><div class=\"scroll\"><table class=\"series\"><thead><tr><th scope=\"col\">series</th><th scope=\"col\">runs</th><th scope=\"col\">badges</th>");
    let told: Vec<&Figure> =
        FIGURES.iter().filter(|(_, figure, _)| collection.runs().any(|run| figure(run).is_some())).collect();
    for (heading, ..) in &told {
        html.raw("<th scope=\"col\">").raw(heading).raw("</th>");
    }
    html.raw("</tr></thead><tbody>");
    for group in &collection.groups {
        push_group(&mut html, group, &told);
    }
    html.raw("</tbody></table></div><p class=\"note\">Figures are medians of the repeats that ended as planned with every record intact.</p>");
    push_runs(&mut html, collection);
    html.raw("</section>\n");
    html
}

fn push_group(html: &mut Markup, group: &Group<'_>, told: &[&Figure]) {
    html.raw("<tr data-group=\"").text(group.index).raw("\"><th scope=\"row\">");
    push_key(html, group.ink, LineStyle::Plain, &group.name);
    html.raw("</th><td>").text(group.runs.len()).raw("</td><td class=\"badges\">");
    push_badges(html, &group.runs);
    html.raw("</td>");
    let is_queue = group.runs.iter().any(|run| run.quality.saturated);
    for (heading, figure, reading) in told {
        let is_latency = !heading.ends_with("MB/s");
        html.raw(if is_queue && is_latency { "<td class=\"of-queue\">" } else { "<td>" });
        html.text(median(&group.figures(figure)).map_or_else(|| "n/a".into(), reading)).raw("</td>");
    }
    html.raw("</tr>");
}

fn push_badges(html: &mut Markup, runs: &[&RunResult]) {
    let intact = runs.iter().filter(|run| run.integrity.verdict == Verdict::Pass && run.integrity.consumed > 0).count();
    if intact > 0 {
        push_badge(html, "good", "✓ intact", intact, runs.len());
    }
    for (words, look, applies) in BADGES {
        let number = runs.iter().filter(|run| applies(run)).count();
        if number > 0 {
            push_badge(html, look, words, number, runs.len());
        }
    }
}

fn push_badge(html: &mut Markup, look: &'static str, words: &'static str, number: usize, of: usize) {
    html.raw("<span class=\"badge ").raw(look).raw("\">").raw(words);
    if number < of {
        html.raw(" ").text(number).raw(" of ").text(of);
    }
    html.raw("</span> ");
}

fn push_runs(html: &mut Markup, collection: &Collection<'_>) {
    html.raw("<details><summary>All ").text(collection.run_count()).raw(" runs</summary><div class=\"scroll\"><table class=\"series\"><thead><tr><th scope=\"col\">run</th><th scope=\"col\">started, UTC</th><th scope=\"col\">badges</th><th scope=\"col\">achieved, MB/s</th><th scope=\"col\">response p99</th><th scope=\"col\">why it ended early</th></tr></thead><tbody>");
    let listed = collection.groups.iter().flat_map(|group| group.runs.iter().map(move |run| (group, *run)));
    for (group, run) in listed.take(RUNS_MAX) {
        html.raw("<tr><th scope=\"row\">").text(&run.id).raw("<br><span class=\"soft\">").text(&group.name);
        html.raw("</span></th><td>").text(&run.started_utc).raw("</td><td class=\"badges\">");
        push_badges(html, &[run]);
        html.raw("</td>");
        for (_, figure, reading) in [&FIGURES[0], &FIGURES[3]] {
            html.raw("<td>").text(figure(run).map_or_else(|| "n/a".into(), reading)).raw("</td>");
        }
        html.raw("<td class=\"words\">").text(run.error.as_deref().unwrap_or_default()).raw("</td></tr>");
    }
    html.raw("</tbody></table></div>");
    if collection.run_count() > RUNS_MAX {
        html.raw("<p class=\"note\">The first ").text(RUNS_MAX).raw(" are listed.</p>");
    }
    html.raw("</details>");
}

fn response(run: &RunResult) -> Option<&Latency> {
    run.summary.produce.as_ref()?.latency.response.as_ref()
}

fn at(latency: Option<&Latency>, percentile: Percentile) -> Option<f64> {
    Some(latency?.at(percentile)? as f64)
}
