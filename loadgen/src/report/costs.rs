//! What the load cost and where its time went: processor and memory as bars, and response beside service and lag.

use super::chart::Ink;
use super::collection::Group;
use super::markup::Markup;
use super::percentile_chart::duration_tick;
use super::scale::Scale;
use super::series_chart::trimmed;
use super::strip::{Dot, END, Row, START, Shape, Strips};
use super::units::{decimal, duration_ns};
use crate::result::{Latency, Percentile, ProcessResources, RunResult};
use crate::statistics::median;

/// A figure of a run with its heading and unit.
type Cost = (&'static str, &'static str, fn(&RunResult) -> Option<f64>);

const COSTS: [Cost; 6] = [
    ("Broker CPU", "s/GB", |run| run.resources.broker.as_ref()?.cpu_s_per_gb),
    ("Broker CPU", "µs/record", |run| cpu_us_per_record(run, run.resources.broker.as_ref()?)),
    ("Broker memory, largest", "MiB", |run| Some(run.resources.broker.as_ref()?.rss_max_bytes? as f64 / 1_048_576.0)),
    ("Broker's disk, written", "bytes a byte of payload", |run| {
        let bytes = run.summary.produce.as_ref()?.bytes;
        let written = run.resources.broker.as_ref()?.disk_written_bytes?;
        (bytes > 0).then(|| written as f64 / bytes as f64)
    }),
    ("Generator CPU", "s/GB", |run| run.resources.loadgen.as_ref()?.cpu_s_per_gb),
    ("Generator CPU", "µs/record", |run| cpu_us_per_record(run, run.resources.loadgen.as_ref()?)),
];

/// As the result has it; of results from before it was a figure of theirs, from the others.
fn cpu_us_per_record(run: &RunResult, process: &ProcessResources) -> Option<f64> {
    let records = run.summary.produce.as_ref().or(run.summary.consume.as_ref())?.records;
    process.cpu_us_per_record.or_else(|| (records > 0).then(|| process.cpu_secs() * 1e6 / records as f64))
}

/// A latency with its name and the form of its mark.
type Part = (&'static str, Shape, fn(&RunResult) -> Option<&Latency>);

/// Latencies of the producer, with the mark of each.
const PARTS: [Part; 3] = [
    ("lag", Shape::Ring, |run| run.summary.produce.as_ref()?.latency.lag.as_ref()),
    ("service", Shape::Square, |run| run.summary.produce.as_ref()?.latency.service.as_ref()),
    ("response", Shape::Circle, |run| run.summary.produce.as_ref()?.latency.response.as_ref()),
];

/// Bars of processor time and memory: the median, every repeat a dot.
pub(super) fn cost_sections(groups: &[Group<'_>]) -> Vec<Markup> {
    COSTS.iter().filter_map(|(heading, unit, figure)| cost_section(groups, heading, unit, *figure)).collect()
}

fn cost_section(
    groups: &[Group<'_>],
    heading: &'static str,
    unit: &'static str,
    figure: fn(&RunResult) -> Option<f64>,
) -> Option<Markup> {
    let told: Vec<(&Group<'_>, Vec<f64>)> =
        groups.iter().map(|group| (group, group.figures(figure))).filter(|(_, figures)| !figures.is_empty()).collect();
    let all = || told.iter().flat_map(|(_, figures)| figures.iter().copied());
    all().next()?;
    let scale = Scale::from_zero(all(), START, END);
    let rows = told.iter().filter_map(|(group, figures)| {
        let middle = median(figures)?;
        let dot = |value: &f64| Dot { value: *value, shape: Shape::Ring, text: format!("{} {unit}", decimal(*value)) };
        Some(Row {
            name: group.name.clone(),
            ink: group.ink,
            group: Some(group.index),
            bar: Some((0.0, middle)),
            dots: if figures.len() > 1 { figures.iter().map(dot).collect() } else { Vec::new() },
            figures: format!("{} {unit}", decimal(middle)),
            ..Row::default()
        })
    });
    let ticks = scale.ticks().into_iter().map(|value| (value, trimmed(value))).collect();
    let strips = Strips { rows: rows.collect(), scale, ticks, unit: unit.into(), reference: None };
    let mut html = Markup::default();
    html.raw("<section><h2>").raw(heading).raw(", ").raw(unit).raw("</h2>");
    strips.push(&mut html);
    let has_repeats = told.iter().any(|(_, figures)| figures.len() > 1);
    html.raw(if has_repeats {
        "<p class=\"note\">Bar: median of the repeats; rings: every repeat.</p></section>\n"
    } else {
        "</section>\n"
    });
    Some(html)
}

/// Lag, service and response side by side: is it the client or the broker that takes the time?
pub(super) fn parts_section(groups: &[Group<'_>]) -> Option<Markup> {
    let mut rows = Vec::new();
    for group in groups {
        for (word, percentile) in [("p50", Percentile::P50), ("p99", Percentile::P99)] {
            let dots: Vec<Dot> = PARTS
                .iter()
                .filter_map(|(part, shape, latency)| {
                    let figures = group.figures(|run| Some(latency(run)?.at(percentile)? as f64));
                    let value = median(&figures)?.max(1.0);
                    Some(Dot { value, shape: *shape, text: format!("{part} {}", duration_ns(value)) })
                })
                .collect();
            if dots.len() < 2 {
                continue;
            }
            let ends = dots
                .iter()
                .map(|dot| dot.value)
                .fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), value| (low.min(value), high.max(value)));
            rows.push(Row {
                name: format!("{} {word}", group.name),
                ink: group.ink,
                group: Some(group.index),
                interval: Some(ends),
                figures: dots.iter().map(|dot| dot.text.clone()).collect::<Vec<_>>().join(" · "),
                dots,
                ..Row::default()
            });
        }
    }
    if rows.is_empty() {
        return None;
    }
    let values = rows.iter().flat_map(|row| row.dots.iter().map(|dot| dot.value));
    let scale = Scale::logarithmic(values, START, END);
    let ticks = scale.ticks().into_iter().map(|value| (value, duration_tick(value))).collect();
    let mut html = Markup::default();
    html.raw("<section class=\"wide-figures\"><h2>Response, service and lag</h2><div class=\"legend\">");
    for (name, shape, _) in PARTS {
        push_shape_key(&mut html, name, shape);
    }
    html.raw("</div>");
    Strips { scale, ticks, unit: "latency".into(), reference: None, rows }.push(&mut html);
    html.raw("<p class=\"note\">Lag is spent in the generator before the write to the socket, service from there to the answer: a response far above its service was spent waiting for a turn, not in the broker's hands.</p></section>\n");
    Some(html)
}

/// An entry of a legend of shapes.
pub(super) fn push_shape_key(html: &mut Markup, name: &str, shape: Shape) {
    let quiet = Ink::quiet();
    html.raw("<span class=\"key\"><svg viewBox=\"0 0 14 14\" aria-hidden=\"true\">");
    match shape {
        Shape::Circle | Shape::Ring => {
            html.raw("<circle cx=\"7\" cy=\"7\" r=\"4.5\" class=\"");
            quiet.push_class(html, if shape == Shape::Ring { "line" } else { "dot" });
        }
        Shape::Square => {
            html.raw("<path d=\"M2.5 2.5h9v9h-9z\" class=\"");
            quiet.push_class(html, "dot");
        }
        Shape::Diamond => {
            html.raw("<path d=\"M7 .5l6.5 6.5l-6.5 6.5l-6.5 -6.5z\" class=\"");
            quiet.push_class(html, "dot");
        }
    }
    html.raw("\"/></svg>").text(name).raw("</span>");
}
