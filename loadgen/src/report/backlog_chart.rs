//! The backlog over time, and how fast it is read: what was acknowledged and not yet delivered, from the two rates.

use super::chart::{Axis, Frame, Ink, LEFT, Line, LineStyle, TOP};
use super::collection::Group;
use super::plot::{Across, Plot, Reading};
use super::scale::Scale;
use super::series_chart::trimmed;
use crate::result::{Kind, RunResult};

const FRAME: Frame = Frame { width: 530.0, height: 270.0 };
/// A backlog shorter than this many seconds of the load is the ordinary way of a record through the broker.
const SHOWN_FROM_SECS: f64 = 2.0;
/// Seconds of a drain that are drawn at most.
const SECONDS_MAX: usize = 3_600;
/// Runs that are drawn at most.
const RUNS_MAX: usize = 16;

/// The chart, for drains and for runs whose consumers fell behind.
pub(super) fn backlog_chart(groups: &[&Group<'_>], panel: &str) -> Option<Plot> {
    let mut lines = Vec::new();
    for (group, run) in groups.iter().flat_map(|group| group.runs.iter().map(move |run| (group, *run))).take(RUNS_MAX) {
        let backlog = backlog_of(run);
        let largest = backlog.iter().map(|point| point.1).fold(0.0, f64::max);
        let load = run.summary.produce.as_ref().map_or(0.0, |produce| produce.achieved.bytes_per_s / 1e6);
        if !backlog.is_empty() && (run.kind == Kind::Drain || largest > load * SHOWN_FROM_SECS) {
            let is_single = groups.len() == 1 && group.runs.len() == 1;
            lines.push(Line {
                name: if is_single { "backlog".into() } else { group.name.clone() },
                ink: if is_single { Ink::of(0) } else { group.ink },
                group: (!is_single).then_some(group.index),
                points: backlog.into_iter().map(Some).collect(),
                style: LineStyle::Thin,
                ..Line::default()
            });
        }
    }
    let points = || lines.iter().flat_map(|line| line.points.iter().flatten().copied());
    let end_secs = points().map(|point| point.0).reduce(f64::max)?;
    let across = Scale::exact(0.0, end_secs, LEFT, FRAME.right());
    let upwards = Scale::from_zero(points().map(|point| point.1), FRAME.bottom(), TOP);
    let times = (1..=end_secs.round() as u32).map(f64::from).collect();
    Some(Plot {
        id: format!("{panel}backlog"),
        heading: "Backlog of the consumers".into(),
        note: "Acknowledged and not yet delivered, as the difference of the two rates summed up since the start; what lay in the topic before is not counted.".into(),
        frame: FRAME,
        x: Axis::new(across, "seconds since start", trimmed),
        y: Axis::new(upwards, "MB", trimmed),
        across: Across::Plain,
        reading: Reading::Plain,
        lines,
        spans: Vec::new(),
        marks: Vec::new(),
        rules: Vec::new(),
        times,
    })
}

/// Second and megabytes. A second without a rate adds nothing.
fn backlog_of(run: &RunResult) -> Vec<(f64, f64)> {
    let Some(series) = &run.series else { return Vec::new() };
    let (produced, consumed) = (&series.achieved_bytes_per_s, &series.consumed_bytes_per_s);
    if produced.is_empty() || consumed.is_empty() {
        return Vec::new();
    }
    let mut megabytes = 0.0_f64;
    let rows = series.t_secs.iter().zip(produced).zip(consumed).take(SECONDS_MAX);
    let rows = rows.filter(|((second, _), _)| second.is_finite() && (0.0..=SECONDS_MAX as f64).contains(*second));
    rows.map(|((second, produced), consumed)| {
        let rate = |rate: &Option<f64>| rate.filter(|rate| rate.is_finite()).unwrap_or(0.0) / 1e6;
        // What was delivered beyond what was acknowledged is a matter of the clock, not a debt.
        megabytes = (megabytes + rate(produced) - rate(consumed)).max(0.0);
        (second.round(), megabytes)
    })
    .collect()
}
