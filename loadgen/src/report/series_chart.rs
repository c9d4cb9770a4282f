//! Charts over time, one value a second, with warm-up and faults shaded. A single run has a chart for each subject
//! with several lines; many runs have a chart for each measure with a line a run.

use std::fmt::Write;

use super::chart::{Axis, Frame, Ink, LEFT, Line, LineStyle, TOP};
use super::collection::Group;
use super::measure::{MEASURES, Measure, SUBJECTS, Upwards};
use super::percentile_chart::duration_tick;
use super::plot::{Across, Plot, Reading, Span};
use super::scale::Scale;
use super::units::decimal;
use crate::result::RunResult;

const FRAME: Frame = Frame { width: 530.0, height: 270.0 };
/// Values that the lines of one chart may have together, so that a page of many long runs stays small.
const CHART_VALUES_MAX: usize = 4_800;
/// A line has at most this many values, even when it is alone.
const LINE_VALUES_MAX: usize = 900;
/// A line of fewer values shows nothing; charts of too many runs leave the later ones out instead.
const LINE_VALUES_MIN: usize = 60;
/// Longest run that is drawn; a result file that claims more is cut there.
const SECONDS_MAX: f64 = 1e7;

/// The seconds that charts of the same runs share.
struct Timeline {
    end_secs: f64,
    /// Seconds that one value stands for.
    stride_secs: f64,
    times: Vec<f64>,
    spans: Vec<Span>,
}

/// The charts of one run for which it has values.
pub(super) fn of_run(run: &RunResult) -> Vec<Plot> {
    let timeline = Timeline::of(&[run], 3);
    SUBJECTS
        .iter()
        .filter_map(|subject| {
            let inks = [Ink::of(0), Ink::dashed(1, 1), Ink::quiet()];
            let lines = subject.measures.iter().zip(inks).map(|((name, measure), ink)| {
                let line = timeline.line(run, measure, ink, LineStyle::Plain);
                Line { name: (*name).into(), ..line }
            });
            let measure = &subject.measures.first()?.1;
            timeline.plot(subject.id.into(), subject.heading, measure, lines.collect())
        })
        .collect()
}

/// The charts of groups of runs, a line for each run.
pub(super) fn of_groups(groups: &[&Group<'_>], panel: &str) -> Vec<Plot> {
    let drawn_max = CHART_VALUES_MAX / LINE_VALUES_MIN;
    let numbered =
        groups.iter().flat_map(|group| (1..).zip(&group.runs).map(move |(repeat, run)| (*group, repeat, *run)));
    let drawn: Vec<(&Group<'_>, usize, &RunResult)> = numbered.take(drawn_max).collect();
    let all: usize = groups.iter().map(|group| group.runs.len()).sum();
    let timeline = Timeline::of(&drawn.iter().map(|(_, _, run)| *run).collect::<Vec<_>>(), drawn.len());
    let plots = MEASURES.iter().filter_map(|measure| {
        let lines = drawn.iter().map(|(group, repeat, run)| {
            let line = timeline.line(run, measure, group.ink, LineStyle::Thin);
            let repeat = (group.runs.len() > 1).then_some(*repeat);
            Line { name: group.name.clone(), group: Some(group.index), repeat, ..line }
        });
        let mut plot = timeline.plot(format!("{panel}{}", measure.id), measure.heading, measure, lines.collect())?;
        if all > drawn.len() {
            let _ = write!(plot.note, " The first {} of {all} runs are drawn.", drawn.len());
        }
        Some(plot)
    });
    plots.collect()
}

impl Timeline {
    fn of(runs: &[&RunResult], lines: usize) -> Self {
        let seconds =
            runs.iter().filter_map(|run| run.series.as_ref()).flat_map(|series| series.t_secs.iter().copied());
        let end_secs = seconds.filter(|second| second.is_finite()).fold(0.0, f64::max).round().min(SECONDS_MAX);
        let values_max = (CHART_VALUES_MAX / lines.max(1)).clamp(LINE_VALUES_MIN, LINE_VALUES_MAX);
        let stride_secs = (end_secs / values_max as f64).ceil().max(1.0);
        let steps = (end_secs / stride_secs).ceil() as u64;
        let times = (1..=steps).map(|step| step as f64 * stride_secs).collect();
        Self { end_secs, stride_secs, times, spans: spans_of(runs) }
    }

    /// One value for each stride: the mean of rates, the largest of latencies.
    fn line(&self, run: &RunResult, measure: &Measure, ink: Ink, style: LineStyle) -> Line {
        let mut held: Vec<(f64, u32)> = vec![(0.0, 0); self.times.len()];
        let series = run.series.as_ref();
        let column = series.map(|series| (measure.column)(series)).unwrap_or_default();
        let seconds = series.map(|series| series.t_secs.as_slice()).unwrap_or_default();
        for (second, value) in seconds.iter().zip(column) {
            let Some(value) = value.filter(|value| value.is_finite()) else { continue };
            let step = ((second.round() / self.stride_secs).ceil() - 1.0).max(0.0) as usize;
            if let Some((sum, values)) = held.get_mut(step) {
                *sum = if measure.upwards == Upwards::Latency { sum.max(value) } else { *sum + value };
                *values += 1;
            }
        }
        let points = self.times.iter().zip(held).map(|(time, (sum, values))| {
            let value = if measure.upwards == Upwards::Latency { sum } else { sum / f64::from(values.max(1)) };
            (values > 0).then_some((*time, value))
        });
        Line { ink, style, points: points.collect(), ..Line::default() }
    }

    /// The chart, or nothing when no line has two values.
    fn plot(&self, id: String, heading: &'static str, measure: &Measure, lines: Vec<Line>) -> Option<Plot> {
        let values = || lines.iter().flat_map(|line| line.points.iter().flatten().map(|point| point.1));
        let has_line = lines.iter().any(|line| line.points.iter().flatten().count() > 1);
        if !has_line || (measure.only_when_present && values().all(|value| value <= 0.0)) {
            return None;
        }
        let across = Scale::exact(0.0, self.end_secs, LEFT, FRAME.right());
        let (y, reading) = match measure.upwards {
            Upwards::FromZero => {
                let scale = Scale::from_zero(values(), FRAME.bottom(), TOP);
                (Axis::new(scale, measure.unit, trimmed), Reading::Plain)
            }
            Upwards::Latency => {
                let scale = Scale::logarithmic(values(), FRAME.bottom(), TOP);
                (Axis::new(scale, measure.unit, duration_tick), Reading::Duration)
            }
        };
        let note = if self.stride_secs > 1.0 {
            let what = if measure.upwards == Upwards::Latency { "largest" } else { "mean" };
            format!("Each value is the {what} of {} s.", self.stride_secs)
        } else {
            String::new()
        };
        Some(Plot {
            id,
            heading: heading.into(),
            note,
            frame: FRAME,
            x: Axis::new(across, "seconds since start", trimmed),
            y,
            across: Across::Plain,
            reading,
            lines,
            spans: self.spans.clone(),
            marks: Vec::new(),
            rules: Vec::new(),
            times: self.times.clone(),
        })
    }
}

/// The warm-up, when all runs have the same, and the faults and rebalances of all runs, each once.
fn spans_of(runs: &[&RunResult]) -> Vec<Span> {
    /// Faults of the same kind at about the same time are drawn once.
    const NEAR_SECS: f64 = 1.0;
    const REBALANCE: &str = "rebalance";
    /// More would cover the chart.
    const REBALANCES_MAX: usize = 50;
    let mut spans: Vec<Span> = Vec::new();
    let warmups: Vec<f64> = runs.iter().map(|run| run.workload.phase_secs("warmup")).collect();
    if let Some(secs) =
        warmups.first().filter(|first| **first > 0.0 && warmups.iter().all(|secs| secs.total_cmp(first).is_eq()))
    {
        spans.push(Span { from: 0.0, to: *secs, name: "warm-up".into(), is_fault: false });
    }
    for fault in runs.iter().flat_map(|run| &run.faults) {
        let length = fault.recovery_secs.or(fault.duration_secs).unwrap_or(0.0);
        let is_known = |span: &Span| span.name == fault.kind && (span.from - fault.t_secs).abs() < NEAR_SECS;
        if fault.t_secs.is_finite() && length.is_finite() && !spans.iter().any(is_known) {
            let (from, to) = (fault.t_secs, fault.t_secs + length.max(0.0));
            spans.push(Span { from, to, name: fault.kind.clone(), is_fault: true });
        }
    }
    for rebalance in runs.iter().flat_map(|run| &run.rebalances).take(REBALANCES_MAX) {
        let is_known = |span: &Span| span.name == REBALANCE && (span.from - rebalance.t_secs).abs() < NEAR_SECS;
        let (from, to) = (rebalance.t_secs, rebalance.t_secs + rebalance.duration_secs.max(0.0));
        if from.is_finite() && to.is_finite() && !spans.iter().any(is_known) {
            spans.push(Span { from, to, name: REBALANCE.into(), is_fault: true });
        }
    }
    spans
}

/// A round tick without needless zeros.
pub(super) fn trimmed(value: f64) -> String {
    let text = decimal(value);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}
