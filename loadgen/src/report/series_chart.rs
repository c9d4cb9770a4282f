//! Charts over time, one value a second, with the warm-up shaded.

use super::chart::{Axis, Frame, Ink, LEFT, Line, TOP, close, open, push_band};
use super::markup::Markup;
use super::percentile_chart::duration_tick;
use super::scale::Scale;
use super::units::decimal;
use crate::result::{RunResult, Series};

const FRAME: Frame = Frame { width: 530.0, height: 270.0 };
const BYTES_PER_MB: f64 = 1e6;
const BYTES_PER_MIB: f64 = 1_048_576.0;
const PERCENT: f64 = 0.01;

/// A chart with its heading.
pub(super) struct SeriesChart {
    pub(super) heading: &'static str,
    pub(super) svg: Markup,
}

/// How values stand on the y axis.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Upwards {
    FromZero,
    Latency,
}

/// The charts for which this run has values.
pub(super) fn series_charts(result: &RunResult) -> Vec<SeriesChart> {
    let Some(series) = &result.series else {
        return Vec::new();
    };
    let timeline = Timeline { series, warmup_secs: result.workload.phase_secs("warmup") };
    let response = [&series.response_p50_ns, &series.response_p99_ns, &series.response_max_ns];
    let end_to_end = [&series.end_to_end_p50_ns, &series.end_to_end_p99_ns, &series.end_to_end_max_ns];
    [
        timeline.throughput(),
        timeline.latency("Response", response),
        timeline.latency("End-to-end", end_to_end),
        timeline.processor(),
        timeline.memory(),
        timeline.disturbance(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The seconds of a run, and what was measured in each.
struct Timeline<'a> {
    series: &'a Series,
    warmup_secs: f64,
}

impl Timeline<'_> {
    fn throughput(&self) -> Option<SeriesChart> {
        let series = self.series;
        let lines = vec![
            self.line("offered", Ink::Quiet, in_units(&series.offered_bytes_per_s, BYTES_PER_MB)),
            self.line("achieved", Ink::First, in_units(&series.achieved_bytes_per_s, BYTES_PER_MB)),
            self.line("consumed", Ink::Third, in_units(&series.consumed_bytes_per_s, BYTES_PER_MB)),
        ];
        self.chart("Throughput", "MB/s", Upwards::FromZero, &lines)
    }

    fn latency(&self, heading: &'static str, columns: [&Vec<Option<u64>>; 3]) -> Option<SeriesChart> {
        let names = [("p50", Ink::First), ("p99", Ink::Second), ("max", Ink::Quiet)];
        let lines: Vec<Line> = names
            .into_iter()
            .zip(columns)
            .map(|((name, ink), column)| self.line(name, ink, column.iter().map(|ns| ns.map(|ns| ns as f64))))
            .collect();
        self.chart(heading, "latency", Upwards::Latency, &lines)
    }

    fn processor(&self) -> Option<SeriesChart> {
        let lines = vec![
            self.line("broker", Ink::First, in_units(&self.series.broker_cpu_cores, 1.0)),
            self.line("load generator", Ink::Second, in_units(&self.series.loadgen_cpu_cores, 1.0)),
        ];
        self.chart("Processor", "cores", Upwards::FromZero, &lines)
    }

    fn memory(&self) -> Option<SeriesChart> {
        let bytes = self.series.broker_rss_bytes.iter();
        let mebibytes = bytes.map(|bytes| bytes.map(|bytes| bytes as f64 / BYTES_PER_MIB));
        let lines = vec![self.line("broker", Ink::First, mebibytes)];
        self.chart("Broker memory", "MiB resident", Upwards::FromZero, &lines)
    }

    fn disturbance(&self) -> Option<SeriesChart> {
        let series = self.series;
        let lines = vec![
            self.line("waits for CPU", Ink::First, in_units(&series.cpu_pressure_share, PERCENT)),
            self.line("waits for disk", Ink::Second, in_units(&series.io_pressure_share, PERCENT)),
            self.line("stolen", Ink::Quiet, in_units(&series.steal_share, PERCENT)),
        ];
        self.chart("Disturbance", "% of time", Upwards::FromZero, &lines)
    }

    /// A column as a line; it ends with the shorter of column and time.
    fn line(&self, name: &str, ink: Ink, column: impl Iterator<Item = Option<f64>>) -> Line {
        let points = self
            .series
            .t_secs
            .iter()
            .zip(column)
            .map(|(t_secs, value)| Some((*t_secs, value.filter(|value| value.is_finite())?)))
            .collect();
        Line { name: name.into(), ink, points }
    }

    /// The chart, or nothing when no line has a value.
    fn chart(
        &self,
        heading: &'static str,
        unit: &'static str,
        upwards: Upwards,
        lines: &[Line],
    ) -> Option<SeriesChart> {
        let values = || lines.iter().flat_map(|line| line.points.iter().flatten().map(|point| point.1));
        values().next()?;
        let times = self.series.t_secs.iter().copied();
        let end_secs = times.filter(|t_secs| t_secs.is_finite()).fold(0.0, f64::max);
        let across = Scale::exact(0.0, end_secs, LEFT, FRAME.right());
        let x = Axis::new(across, "seconds since start", trimmed);
        let y = match upwards {
            Upwards::FromZero => Axis::new(Scale::from_zero(values(), FRAME.bottom(), TOP), unit, trimmed),
            Upwards::Latency => {
                let scale = Scale::logarithmic(values(), FRAME.bottom(), TOP);
                Axis::new(scale, unit, duration_tick)
            }
        };
        let mut svg = open(FRAME, &format!("{heading} over time, {unit}"), &x, &y);
        if self.warmup_secs > 0.0 {
            push_band(&mut svg, FRAME, LEFT, x.scale.at(self.warmup_secs), "warm-up");
        }
        Some(SeriesChart { heading, svg: close(svg, FRAME, &x, &y, lines) })
    }
}

fn in_units(column: &[Option<f64>], unit: f64) -> impl Iterator<Item = Option<f64>> {
    column.iter().map(move |value| value.map(|value| value / unit))
}

/// A round tick without needless zeros.
fn trimmed(value: f64) -> String {
    let text = decimal(value);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}
