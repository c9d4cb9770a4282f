//! The forest plot: ratios of a later side to the first with their intervals, on one axis where equal factors are
//! equally far; one row a load with the geometric mean below, or for a single load one row a figure.

use super::chart::Ink;
use super::collection::Collection;
use super::markup::Markup;
use super::outcome::{finding_text, load_name};
use super::scale::Scale;
use super::strip::{Dot, END, Row, START, Shape, Strips};
use super::units::decimal;
use crate::compare::{Finding, Grid, Metric, MetricComparison};

/// Factors that an axis may end at, and be labelled with.
const FACTORS: [f64; 14] = [1.01, 1.02, 1.05, 1.1, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 1_000.0, 10_000.0];

/// The sections of all later sides.
pub(super) fn sections(collection: &Collection<'_>, grid: &Grid) -> Vec<Markup> {
    let mut sections = Vec::new();
    for (later, name) in grid.columns.iter().skip(1).enumerate() {
        let ink = Ink::of(collection.sides.iter().position(|side| side == name).unwrap_or(0));
        let heading = |what: &str| format!("{what}: {name} over {}", grid.columns[0]);
        if let [row] = grid.rows.as_slice() {
            let ranked = row.comparisons.get(later).into_iter().flat_map(|comparison| &comparison.metrics);
            let rows: Vec<Row> = ranked.filter_map(|metric| row_of(metric, metric.metric.name(), ink)).collect();
            sections.extend(section(&heading("Ratios"), rows, ""));
            continue;
        }
        for metric in Metric::ALL {
            let of_rows = grid.rows.iter().filter_map(|row| Some((row, row.comparisons.get(later)?.metric(metric)?)));
            let mut rows: Vec<Row> =
                of_rows.filter_map(|(row, figure)| row_of(figure, &load_name(&row.label), ink)).collect();
            let mean = grid.geomeans.iter().find(|mean| mean.metric == metric && mean.column == *name);
            rows.extend(mean.map(|mean| {
                let interval = (mean.interval.low, mean.interval.high);
                let figures = told(mean.ratio, interval, "");
                let row = row_at(
                    &format!("geometric mean of {} loads", mean.rows),
                    ink,
                    mean.ratio,
                    interval,
                    figures,
                    Shape::Diamond,
                );
                Row { is_total: true, ..row }
            }));
            let better = if metric.higher_is_better() { "right of 1 is better" } else { "left of 1 is better" };
            sections.extend(section(&heading(metric.name()), rows, better));
        }
    }
    sections
}

fn row_of(metric: &MetricComparison, name: &str, ink: Ink) -> Option<Row> {
    let ratio = metric.ratio.as_ref()?;
    let better = if metric.higher_is_better { " (more is better)" } else { " (less is better)" };
    let finding = match metric.finding {
        Finding::TooFew(_) => "too few runs".into(),
        ref finding => finding_text(finding),
    };
    let is_figure = name == metric.metric.name();
    let name = format!("{name}{}", if is_figure { better } else { "" });
    let interval = (ratio.low, ratio.high);
    Some(row_at(&name, ink, ratio.value, interval, told(ratio.value, interval, &finding), Shape::Square))
}

fn row_at(name: &str, ink: Ink, ratio: f64, (low, high): (f64, f64), figures: String, shape: Shape) -> Row {
    Row {
        name: name.into(),
        ink,
        interval: Some((low.ln(), high.ln())),
        dots: vec![Dot { value: ratio.ln(), shape, text: format!("×{}", decimal(ratio)) }],
        figures,
        ..Row::default()
    }
}

fn told(ratio: f64, (low, high): (f64, f64), finding: &str) -> String {
    format!("×{} ({} to {}) {finding}", decimal(ratio), decimal(low), decimal(high)).trim_end().into()
}

fn section(heading: &str, rows: Vec<Row>, better: &'static str) -> Option<Markup> {
    if rows.is_empty() {
        return None;
    }
    let ends = rows.iter().filter_map(|row| row.interval).flat_map(|(low, high)| [low.abs(), high.abs()]);
    let furthest = ends.filter(|end| end.is_finite()).fold(0.0, f64::max);
    let end = FACTORS.iter().copied().find(|factor| factor.ln() >= furthest).unwrap_or(FACTORS[FACTORS.len() - 1]);
    let scale = Scale::exact(-end.ln(), end.ln(), START, END);
    let strips = Strips { scale, ticks: ticks(end), unit: "ratio".into(), reference: Some(0.0), rows };
    let mut html = Markup::default();
    html.raw("<section class=\"wide-figures\"><h2>").text(heading).raw("</h2>");
    strips.push(&mut html);
    html.raw("<p class=\"note\">Square: estimate; line: its interval");
    if !better.is_empty() {
        html.raw("; ").raw(better);
    }
    html.raw(". What was not ranked is not here.</p></section>\n");
    Some(html)
}

/// 1, the end and one factor between, on both sides.
fn ticks(end: f64) -> Vec<(f64, String)> {
    let inner = FACTORS.iter().copied().rev().find(|factor| factor.ln() <= end.ln() * 0.6);
    let mut factors = vec![end];
    factors.extend(inner);
    let both = factors.into_iter().flat_map(|factor| [factor, 1.0 / factor]);
    std::iter::once(1.0).chain(both).map(|factor| (factor.ln(), format!("×{}", tick(factor)))).collect()
}

fn tick(factor: f64) -> String {
    let text = decimal(factor);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}
