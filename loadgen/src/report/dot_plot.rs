//! Every repeat of two sides as a dot, figure by figure, with medians, the ratio and its interval, and the finding.

use super::chart::Ink;
use super::collection::Collection;
use super::markup::Markup;
use super::outcome::{finding_text, load_name};
use super::percentile_chart::duration_tick;
use super::scale::Scale;
use super::series_chart::trimmed;
use super::strip::{Dot, END, Row, START, Shape, Strips};
use super::units::decimal;
use crate::compare::{Comparison, Finding, Grid, MetricComparison, Sample};

/// Comparisons that are drawn dot by dot; the forest plot has all of them.
const COMPARISONS_MAX: usize = 12;

/// A section for each load and later side.
pub(super) fn push_sections(page: &mut Markup, collection: &Collection<'_>, grid: &Grid) {
    let all = grid.rows.iter().flat_map(|row| row.comparisons.iter().map(move |comparison| (row, comparison)));
    let drawn: Vec<_> = all.filter(|(_, comparison)| has_both(comparison)).collect();
    for (index, (row, comparison)) in drawn.iter().take(COMPARISONS_MAX).enumerate() {
        page.raw("<section class=\"duel\"><details");
        page.raw(if index == 0 { " open" } else { "" }).raw("><summary><h2>").text(&comparison.b.name);
        page.raw(" against ").text(&comparison.a.name);
        if grid.rows.len() > 1 {
            page.raw(", ").text(load_name(&row.label));
        }
        page.raw("</h2></summary><div class=\"figures-of-duel\">");
        for metric in &comparison.metrics {
            push_metric(page, collection, comparison, metric);
        }
        page.raw("</div><p class=\"note\">Every dot is a run, the upright stroke the median. The ratio is the estimate of Hodges and Lehmann with its interval; p is exact (Mann and Whitney), corrected by Holm for the figures of its family. A finding needs both p and a difference that matters.</p></details></section>\n");
    }
    if drawn.len() > COMPARISONS_MAX {
        page.raw("<p class=\"note\">The first ").text(COMPARISONS_MAX).raw(" of ").text(drawn.len());
        page.raw(" comparisons are drawn dot by dot.</p>");
    }
}

fn has_both(comparison: &Comparison) -> bool {
    comparison.metrics.iter().any(|metric| !metric.a.values.is_empty() && !metric.b.values.is_empty())
}

fn push_metric(page: &mut Markup, collection: &Collection<'_>, comparison: &Comparison, metric: &MetricComparison) {
    let values = || metric.a.values.iter().chain(&metric.b.values).map(|value| shown(metric, *value));
    let low = values().fold(f64::INFINITY, f64::min);
    let high = values().fold(0.0, f64::max);
    // Around the values rather than from zero: here the question is how they lie to one another.
    let margin = ((high - low) * 0.1).max(high.abs() * 0.005).max(f64::MIN_POSITIVE);
    let scale = Scale::exact((low - margin).max(0.0), high + margin, START, END);
    let ticks = scale.ticks().into_iter().map(|value| (value, tick(metric, value)));
    let ink = |name: &str| Ink::of(collection.sides.iter().position(|side| side == name).unwrap_or(0));
    let row = |name: &str, sample: &Sample, shape: Shape| Row {
        name: name.into(),
        ink: ink(name),
        dots: sample
            .values
            .iter()
            .map(|value| Dot { value: shown(metric, *value), shape, text: metric.metric.format(*value) })
            .collect(),
        middle: sample.median.map(|median| shown(metric, median)),
        figures: sample.median.map_or_else(|| "n/a".into(), |median| metric.metric.format(median)),
        ..Row::default()
    };
    let rows =
        vec![row(&comparison.a.name, &metric.a, Shape::Circle), row(&comparison.b.name, &metric.b, Shape::Square)];
    page.raw("<div><h3>").raw(metric.metric.title()).raw("</h3><p class=\"");
    page.raw(match metric.finding {
        Finding::Better => "finding is-better",
        Finding::Worse => "finding is-worse",
        _ => "finding",
    });
    page.raw("\">");
    match metric.finding {
        Finding::TooFew(_) | Finding::NotRanked(_) | Finding::NotMeasured => page.text(finding_text(&metric.finding)),
        ref told => page.raw("<b>").text(finding_text(told)).raw("</b>"),
    };
    page.raw(" ").text(figures(metric)).raw("</p>");
    Strips { ticks: ticks.collect(), unit: unit(metric).into(), reference: None, rows, scale }.push(page);
    page.raw("</div>");
}

/// Ratio, p, and what such runs could have shown.
fn figures(metric: &MetricComparison) -> String {
    let mut parts = Vec::new();
    if let Some(ratio) = &metric.ratio {
        parts.push(format!("×{} ({} to {})", decimal(ratio.value), decimal(ratio.low), decimal(ratio.high)));
    }
    if let Some(p) = metric.p_holm {
        parts.push(if p < 0.001 { "p < 0.001".into() } else { format!("p {p:.3}") });
    }
    if let Some(detectable) = metric.detectable_ratio {
        parts.push(format!("would show ×{}", decimal(detectable)));
    }
    parts.join(" · ")
}

/// In the unit of the axis.
fn shown(metric: &MetricComparison, value: f64) -> f64 {
    match metric.unit {
        "bytes/s" => value / 1e6,
        "bytes" => value / 1_048_576.0,
        _ => value,
    }
}

fn unit(metric: &MetricComparison) -> &'static str {
    match metric.unit {
        "bytes/s" => "MB/s",
        "bytes" => "MiB",
        "ns" => "latency",
        unit => unit,
    }
}

fn tick(metric: &MetricComparison, value: f64) -> String {
    if metric.unit == "ns" && value > 0.0 { fine_duration_tick(value) } else { trimmed(value) }
}

/// Between round values a tick needs a digit more than on a logarithmic axis.
fn fine_duration_tick(ns: f64) -> String {
    let (size, unit) = match ns {
        ns if ns < 1e3 => (1.0, "ns"),
        ns if ns < 1e6 => (1e3, "µs"),
        ns if ns < 1e9 => (1e6, "ms"),
        _ => (1e9, "s"),
    };
    if (ns / size).fract() == 0.0 { duration_tick(ns) } else { format!("{} {unit}", trimmed(ns / size)) }
}
