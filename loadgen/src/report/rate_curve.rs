//! Latency against the offered rate: one line a side and percentile, the knee and the generator's ceiling marked.

use super::chart::{Axis, Frame, Ink, LEFT, Line, LineStyle, TOP};
use super::collection::{Collection, Group};
use super::percentile_chart::{duration_tick, goals};
use super::plot::{Across, Mark, Plot, Reading, Rule};
use super::scale::Scale;
use super::series_chart::trimmed;
use super::units::megabytes_per_s;
use crate::result::{Percentile, RunResult};
use crate::statistics::median;

const FRAME: Frame = Frame { width: 1_080.0, height: 400.0 };
const PERCENTILES: [(&str, Percentile); 3] =
    [("p50", Percentile::P50), ("p99", Percentile::P99), ("p99.9", Percentile::P99_9)];
/// The knee is the last rate at which the p99 is not this many times the smallest p99 of the curve.
const KNEE_FACTOR: f64 = 3.0;
/// A ceiling further right than this many times the largest rate would squeeze the curve.
const CEILING_SHARE_MAX: f64 = 2.0;

/// One rate of one side.
struct Point {
    offered_mb_per_s: f64,
    /// Medians of the repeats, in the order of [`PERCENTILES`].
    latency_ns: [Option<f64>; 3],
    saturated: bool,
}

/// The curve, when a side was offered the same load at two rates at least.
pub(super) fn rate_curve(collection: &Collection<'_>) -> Option<Plot> {
    let mut lines = Vec::new();
    let mut marks = Vec::new();
    let mut rules = Vec::new();
    let mut shape = 0;
    for (side, name) in collection.sides.iter().enumerate() {
        for points in curves_of(collection, side) {
            // Loads of other shapes on the same side are told apart by their dashes.
            let ink = |index: usize| Ink {
                colour: side % super::chart::COLOURS,
                dash: (index + shape) % super::chart::DASHES,
            };
            for (index, (word, _)) in PERCENTILES.iter().enumerate() {
                let at = |point: &Point| Some((point.offered_mb_per_s, point.latency_ns[index]?));
                marks.extend(points.iter().filter(|point| point.saturated).filter_map(at).map(|at| Mark {
                    at,
                    from: None,
                    ink: ink(index),
                    group: None,
                    text: format!("saturated at {}", megabytes_per_s(at.0 * 1e6)),
                }));
                lines.push(Line {
                    name: if collection.sides.len() > 1 { format!("{name} {word}") } else { (*word).into() },
                    ink: ink(index),
                    points: points.iter().map(at).collect(),
                    style: LineStyle::Dotted,
                    ..Line::default()
                });
            }
            if let Some(knee) = knee_of(&points) {
                let whose = if collection.sides.len() > 1 { format!("knee of {name}") } else { "knee".into() };
                rules.push(Rule::Upright(knee, whose));
            }
            shape += 1;
        }
    }
    lines.iter().any(|line| line.points.iter().flatten().count() > 1).then(|| plot(collection, lines, marks, rules))
}

fn plot(collection: &Collection<'_>, lines: Vec<Line>, marks: Vec<Mark>, mut rules: Vec<Rule>) -> Plot {
    let runs: Vec<&RunResult> = collection.runs().collect();
    let points = || lines.iter().flat_map(|line| line.points.iter().flatten().copied());
    let largest = points().map(|point| point.0).fold(0.0, f64::max);
    let ceiling = runs
        .iter()
        .filter_map(|run| run.calibration.generator_ceiling.as_ref())
        .map(|ceiling| ceiling.bytes_per_s / 1e6);
    let ceiling = ceiling.fold(0.0, f64::max);
    if ceiling > 0.0 && ceiling < largest * CEILING_SHARE_MAX {
        rules.push(Rule::Upright(ceiling, "ceiling of the generator".into()));
    }
    let goals = goals(&runs);
    let upright = rules.iter().filter_map(|rule| if let Rule::Upright(at, _) = rule { Some(*at) } else { None });
    let across = Scale::from_zero(points().map(|point| point.0).chain(upright), LEFT, FRAME.right());
    let values = points().map(|point| point.1).chain(goals.iter().map(|(_, ns)| *ns));
    let upwards = Scale::logarithmic(values, FRAME.bottom(), TOP);
    rules.extend(goals.iter().map(|(text, ns)| Rule::Level(*ns, format!("goal {text}"))));
    Plot {
        id: "rate-curve".into(),
        heading: "Response against offered rate".into(),
        note: format!(
            "Every point is a run of its own, or the median of its repeats. Rings: saturated, so the latency of a growing queue. Knee: the last rate whose p99 is below {KNEE_FACTOR:.0} times the smallest p99."
        ),
        frame: FRAME,
        x: Axis::new(across, "offered, MB/s", trimmed),
        y: Axis::new(upwards, "latency", duration_tick),
        across: Across::Plain,
        reading: Reading::Duration,
        lines,
        spans: Vec::new(),
        marks,
        rules,
        times: Vec::new(),
    }
}

/// The curves of a side: groups whose loads differ by nothing but the rate, least offered first.
fn curves_of(collection: &Collection<'_>, side: usize) -> Vec<Vec<Point>> {
    let mut curves: Vec<(String, Vec<Point>)> = Vec::new();
    for group in collection.groups.iter().filter(|group| group.side == side) {
        let Some((shape, point)) = group.runs.first().map(|run| shape_of(run)).zip(point_of(group)) else { continue };
        match curves.iter_mut().find(|(known, _)| *known == shape) {
            Some((_, points)) => points.push(point),
            None => curves.push((shape, vec![point])),
        }
    }
    let mut curves: Vec<Vec<Point>> =
        curves.into_iter().map(|(_, points)| points).filter(|points| points.len() > 1).collect();
    for points in &mut curves {
        points.sort_by(|a, b| a.offered_mb_per_s.total_cmp(&b.offered_mb_per_s));
    }
    curves
}

fn shape_of(run: &RunResult) -> String {
    let mut workload = run.workload.clone();
    workload.seed = 0;
    workload.arrival.records_per_s = None;
    // The lengths of the phases do not make it another load.
    workload.phases.clear();
    serde_json::to_string(&workload).unwrap_or_default()
}

fn point_of(group: &Group<'_>) -> Option<Point> {
    let offered = group.figures(|run| Some(run.summary.produce.as_ref()?.offered?.bytes_per_s / 1e6));
    let at = |percentile| {
        let figures = group.figures(|run| {
            Some(run.summary.produce.as_ref()?.latency.response.as_ref()?.at(percentile)?.max(1) as f64)
        });
        median(&figures)
    };
    Some(Point {
        offered_mb_per_s: median(&offered)?,
        latency_ns: PERCENTILES.map(|(_, percentile)| at(percentile)),
        saturated: group.runs.iter().any(|run| run.quality.saturated),
    })
}

/// Where the curve turns upwards; nothing when it does not.
fn knee_of(points: &[Point]) -> Option<f64> {
    let p99 = |point: &Point| point.latency_ns[1];
    let smallest = points.iter().filter_map(p99).fold(f64::INFINITY, f64::min);
    let is_calm = |point: &&Point| !point.saturated && p99(point).is_some_and(|ns| ns <= smallest * KNEE_FACTOR);
    let calm = points.iter().take_while(is_calm).count();
    (calm > 0 && calm < points.len()).then(|| points[calm - 1].offered_mb_per_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knee_is_the_last_calm_rate_and_absent_on_a_flat_curve() {
        let point = |offered_mb_per_s, p99: f64, saturated| Point {
            offered_mb_per_s,
            latency_ns: [None, Some(p99), None],
            saturated,
        };
        let turning = [point(10.0, 2e6, false), point(50.0, 2.5e6, false), point(90.0, 30e6, false)];
        assert_eq!(knee_of(&turning), Some(50.0));
        assert_eq!(knee_of(&turning[..2]), None);
        let saturating = [point(10.0, 2e6, false), point(50.0, 2.5e6, true)];
        assert_eq!(knee_of(&saturating), Some(10.0));
    }
}
