//! The percentile curve: the share of records on a scale of nines, latency upwards. One line a latency for a single
//! run; for many, one line a group with the band of its repeats.

use hdrhistogram::Histogram;

use super::chart::{Axis, Frame, Ink, LEFT, Line, TOP};
use super::collection::{Group, is_sound};
use super::plot::{Across, Mark, Plot, Reading, Rule};
use super::scale::Scale;
use super::table::latency_rows;
use super::units::{count, duration_ns};
use crate::goal::GoalExpression;
use crate::result::{Latency, Percentile, RunResult, decode_histogram, histogram_name};
use crate::statistics::median;

const FRAME: Frame = Frame { width: 1_080.0, height: 400.0 };
/// Points of a curve for each factor of ten in rarity.
const POINTS_PER_NINE: u32 = 40;
/// Curves start here, near 11 %: the few fastest records would only stretch the axis downwards.
const FIRST_POINT: u32 = 2;
/// A curve ends where fewer samples than this lie above.
const EXCEEDANCES_MIN: f64 = 10.0;
/// The x axis is not drawn further than this many nines.
const NINES_MAX: f64 = 7.0;

/// The latencies that have a curve: name in the table, key of the histogram, heading of the chart of many runs.
const CURVES: [(&str, &str, &str); 3] = [
    ("response", histogram_name::PRODUCE_RESPONSE, "Response by percentile"),
    ("service", histogram_name::PRODUCE_SERVICE, "Service by percentile"),
    ("end-to-end", histogram_name::CONSUME_END_TO_END, "End-to-end by percentile"),
];

/// One run's curve of one latency: nines (log10 of 1/(1-q)) and nanoseconds.
struct Curve {
    latency: Latency,
    points: Vec<(f64, f64)>,
}

/// Response, service and end-to-end of one run.
pub(super) fn of_run(run: &RunResult) -> Plot {
    let mut lines = Vec::new();
    let mut marks = Vec::new();
    for (index, (name, key, _)) in CURVES.into_iter().enumerate() {
        let Some(curve) = curve_of(run, name, key) else { continue };
        let ink = Ink::dashed(index, index);
        marks.extend(mark_of(&curve, ink, None, name));
        lines.push(Line {
            name: format!("{name} n={}", count(curve.latency.n)),
            ink,
            points: curve.points.into_iter().map(Some).collect(),
            ..Line::default()
        });
    }
    plot("percentiles".into(), "Latency by percentile".into(), lines, marks, &goals(&[run]))
}

/// Response, and where it was measured end-to-end, of groups of repeats; nothing when no group has a curve.
pub(super) fn of_groups(groups: &[&Group<'_>], panel: &str) -> Vec<Plot> {
    let plots = CURVES.into_iter().filter(|(name, ..)| *name != "service").filter_map(|(name, key, heading)| {
        let mut lines = Vec::new();
        let mut marks = Vec::new();
        for group in groups {
            let sound = group.runs.iter().filter(|run| is_sound(run));
            let curves: Vec<Curve> = sound.filter_map(|run| curve_of(run, name, key)).collect();
            let Some(longest) = curves.iter().max_by_key(|curve| curve.latency.n) else { continue };
            let records: u64 = curves.iter().map(|curve| curve.latency.n).sum();
            let of = if curves.len() > 1 { format!(" in {} runs", curves.len()) } else { String::new() };
            let line = merged(&curves, group.ink);
            let mark = mark_of(longest, group.ink, Some(group.index), &group.name);
            marks.extend(mark.map(|mark| Mark { from: line.points.last().copied().flatten(), ..mark }));
            let name = format!("{} n={}{of}", group.name, count(records));
            lines.push(Line { name, group: Some(group.index), ..line });
        }
        let runs: Vec<&RunResult> = groups.iter().flat_map(|group| group.runs.iter().copied()).collect();
        let goals = if name == "response" { goals(&runs) } else { Vec::new() };
        let id = format!("{panel}{name}-percentiles");
        (!lines.is_empty()).then(|| plot(id, heading.into(), lines, marks, &goals))
    });
    plots.collect()
}

/// The median of the repeats at each share that all of them carry, and how far they spread.
fn merged(curves: &[Curve], ink: Ink) -> Line {
    let length = curves.iter().map(|curve| curve.points.len()).min().unwrap_or(0);
    let mut line = Line { ink, ..Line::default() };
    for at in 0..length {
        let values: Vec<f64> = curves.iter().map(|curve| curve.points[at].1).collect();
        let nines = curves[0].points[at].0;
        line.points.push(median(&values).map(|middle| (nines, middle)));
        if values.len() > 1 {
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            line.band.push((nines, low, values.into_iter().fold(0.0, f64::max)));
        }
    }
    line
}

fn plot(id: String, heading: String, lines: Vec<Line>, marks: Vec<Mark>, goals: &[(String, f64)]) -> Plot {
    let nines = marks.iter().map(|mark| mark.at.0).fold(2.0, f64::max);
    let of_lines = || lines.iter().flat_map(|line| line.points.iter().flatten().map(|point| point.1));
    let of_bands = || lines.iter().flat_map(|line| line.band.iter().flat_map(|(_, low, high)| [*low, *high]));
    let values = of_lines().chain(of_bands()).chain(marks.iter().map(|mark| mark.at.1));
    let values = values.chain(goals.iter().map(|(_, ns)| *ns));
    let has_bands = lines.iter().any(|line| !line.band.is_empty());
    let y = Axis::new(Scale::logarithmic(values, FRAME.bottom(), TOP), "latency", duration_tick);
    let bands = "Line: median of the repeats at each share; band: from the lowest to the highest of them. ";
    let note =
        "A curve ends where fewer than ten independent samples (batches) lie above it. Rings: the largest value.";
    Plot {
        id,
        heading,
        note: format!("{}{note}", if has_bands { bands } else { "" }),
        frame: FRAME,
        x: nines_axis(nines),
        y,
        across: Across::Nines,
        reading: Reading::Duration,
        lines,
        spans: Vec::new(),
        marks,
        rules: goals.iter().map(|(text, ns)| Rule::Level(*ns, format!("goal {text}"))).collect(),
        times: Vec::new(),
    }
}

/// A tick of a latency axis: round, so without the digits of a measurement.
pub(super) fn duration_tick(ns: f64) -> String {
    let (value, unit) = match ns {
        ns if ns < 999.5 => (ns, "ns"),
        ns if ns < 999.5e3 => (ns / 1e3, "µs"),
        ns if ns < 999.5e6 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    format!("{value:.0} {unit}")
}

/// Goals for the response latency, each once.
pub(super) fn goals(runs: &[&RunResult]) -> Vec<(String, f64)> {
    let mut goals: Vec<(String, f64)> = Vec::new();
    for goal in runs.iter().flat_map(|run| &run.slo) {
        let bound = goal.expr.parse::<GoalExpression>().ok().and_then(|expression| expression.response_bound_ns());
        if let Some(ns) = bound.filter(|ns| *ns > 0.0 && goals.iter().all(|(text, _)| *text != goal.expr)) {
            goals.push((goal.expr.clone(), ns));
        }
    }
    goals
}

fn curve_of(run: &RunResult, name: &str, key: &str) -> Option<Curve> {
    let (_, latency) = latency_rows(run).into_iter().find(|(row, _)| *row == name)?;
    let histogram = run.histograms.get(key).and_then(|text| decode_histogram(text).ok());
    let points = match histogram {
        Some(histogram) if !histogram.is_empty() => points_of(&histogram, latency),
        _ => points_of_figures(latency),
    };
    Some(Curve { latency: latency.clone(), points })
}

fn mark_of(curve: &Curve, ink: Ink, group: Option<usize>, name: &str) -> Option<Mark> {
    let max = curve.latency.max_ns? as f64;
    let from = *curve.points.last()?;
    let at = (nines_of_max(&curve.latency), max);
    Some(Mark { at, from: Some(from), ink, group, text: format!("{name} max {}", duration_ns(max)) })
}

/// The curve as far as the sample carries it.
fn points_of(histogram: &Histogram<u64>, latency: &Latency) -> Vec<(f64, f64)> {
    let carried = (latency.samples() as f64 / EXCEEDANCES_MIN).log10().min(NINES_MAX);
    if carried < 0.0 {
        return Vec::new();
    }
    let last = (carried * f64::from(POINTS_PER_NINE)).floor() as u32;
    (FIRST_POINT..=last)
        .map(|index| {
            let nines = f64::from(index) / f64::from(POINTS_PER_NINE);
            let ns = histogram.value_at_quantile(1.0 - 10_f64.powf(-nines));
            (nines, ns.max(1) as f64)
        })
        .collect()
}

/// The curve through the figures, when there is no histogram to draw it from.
fn points_of_figures(latency: &Latency) -> Vec<(f64, f64)> {
    use Percentile::{P50, P75, P90, P95, P99, P99_9, P99_99};
    [P50, P75, P90, P95, P99, P99_9, P99_99]
        .into_iter()
        .filter_map(|percentile| {
            let ns = latency.at(percentile)?;
            Some((-(1.0 - percentile.quantile()).log10(), ns.max(1) as f64))
        })
        .collect()
}

/// Where the largest of n samples stands: one of n lies there.
fn nines_of_max(latency: &Latency) -> f64 {
    (latency.samples().max(1) as f64).log10().clamp(0.0, NINES_MAX)
}

fn nines_axis(nines: f64) -> Axis {
    const NAMED: [(f64, &str); 9] = [
        (0.0, "0 %"),
        (std::f64::consts::LOG10_2, "50 %"),
        (1.0, "90 %"),
        (2.0, "99 %"),
        (3.0, "99.9 %"),
        (4.0, "99.99 %"),
        (5.0, "99.999 %"),
        (6.0, "99.9999 %"),
        (7.0, "99.99999 %"),
    ];
    Axis {
        scale: Scale::exact(0.0, nines, LEFT, FRAME.right()),
        label: "share of records that were at least this fast".into(),
        ticks: NAMED.into_iter().filter(|(at, _)| *at <= nines).map(|(at, name)| (at, name.to_owned())).collect(),
    }
}
