//! Charts over time, one value a second, with the warm-up shaded.

use super::chart::{Axis, Frame, Ink, Line, close, open, push_band};
use super::markup::Markup;
use super::percentile_chart::duration_tick;
use super::scale::Scale;
use super::units::decimal;
use crate::result::{RunResult, Series};

const FRAME: Frame = Frame {
    width: 530.0,
    height: 270.0,
};
const BYTES_PER_MB: f64 = 1e6;
const BYTES_PER_MIB: f64 = 1_048_576.0;

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
    let warmup_secs = result.workload.phase_secs("warmup");
    let chart = |heading, unit, upwards, lines: Vec<Line>| {
        let has_values = lines
            .iter()
            .any(|line| line.points.iter().any(Option::is_some));
        has_values.then(|| SeriesChart {
            heading,
            svg: draw(series, warmup_secs, heading, unit, upwards, &lines),
        })
    };
    let time = |ns: &[Option<u64>], name, ink| {
        line(
            series,
            name,
            ink,
            ns.iter().map(|ns| ns.map(|ns| ns as f64)),
        )
    };
    let scaled = |column: &[Option<f64>], by: f64, name, ink| {
        line(
            series,
            name,
            ink,
            column.iter().map(|value| value.map(|value| value / by)),
        )
    };
    let mebibytes = series
        .broker_rss_bytes
        .iter()
        .map(|bytes| bytes.map(|b| b as f64 / BYTES_PER_MIB));
    [
        chart(
            "Throughput",
            "MB/s",
            Upwards::FromZero,
            vec![
                scaled(
                    &series.offered_bytes_per_s,
                    BYTES_PER_MB,
                    "offered",
                    Ink::Quiet,
                ),
                scaled(
                    &series.achieved_bytes_per_s,
                    BYTES_PER_MB,
                    "achieved",
                    Ink::First,
                ),
                scaled(
                    &series.consumed_bytes_per_s,
                    BYTES_PER_MB,
                    "consumed",
                    Ink::Third,
                ),
            ],
        ),
        chart(
            "Response",
            "latency",
            Upwards::Latency,
            vec![
                time(&series.response_p50_ns, "p50", Ink::First),
                time(&series.response_p99_ns, "p99", Ink::Second),
                time(&series.response_max_ns, "max", Ink::Quiet),
            ],
        ),
        chart(
            "End-to-end",
            "latency",
            Upwards::Latency,
            vec![
                time(&series.end_to_end_p50_ns, "p50", Ink::First),
                time(&series.end_to_end_p99_ns, "p99", Ink::Second),
                time(&series.end_to_end_max_ns, "max", Ink::Quiet),
            ],
        ),
        chart(
            "Processor",
            "cores",
            Upwards::FromZero,
            vec![
                scaled(&series.broker_cpu_cores, 1.0, "broker", Ink::First),
                scaled(
                    &series.loadgen_cpu_cores,
                    1.0,
                    "load generator",
                    Ink::Second,
                ),
            ],
        ),
        chart(
            "Broker memory",
            "MiB resident",
            Upwards::FromZero,
            vec![line(series, "broker", Ink::First, mebibytes)],
        ),
        chart(
            "Disturbance",
            "% of time",
            Upwards::FromZero,
            vec![
                scaled(
                    &series.cpu_pressure_share,
                    0.01,
                    "waits for CPU",
                    Ink::First,
                ),
                scaled(
                    &series.io_pressure_share,
                    0.01,
                    "waits for disk",
                    Ink::Second,
                ),
                scaled(&series.steal_share, 0.01, "stolen", Ink::Quiet),
            ],
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A column as a line; it ends with the shorter of column and time.
fn line(series: &Series, name: &str, ink: Ink, column: impl Iterator<Item = Option<f64>>) -> Line {
    let points = series
        .t_secs
        .iter()
        .zip(column)
        .map(|(t_secs, value)| {
            value
                .filter(|value| value.is_finite())
                .map(|value| (*t_secs, value))
        })
        .collect();
    Line {
        name: name.into(),
        ink,
        points,
    }
}

fn draw(
    series: &Series,
    warmup_secs: f64,
    heading: &str,
    unit: &'static str,
    upwards: Upwards,
    lines: &[Line],
) -> Markup {
    let end_secs = series
        .t_secs
        .iter()
        .copied()
        .filter(|t| t.is_finite())
        .fold(0.0, f64::max);
    let values = || {
        lines
            .iter()
            .flat_map(|line| line.points.iter().flatten().map(|point| point.1))
    };
    let x_scale = Scale::exact(0.0, end_secs, FRAME.left(), FRAME.right());
    let x = Axis::new(x_scale, "seconds since start", |secs| trimmed(secs));
    let y = match upwards {
        Upwards::FromZero => Axis::new(
            Scale::from_zero(values(), FRAME.bottom(), FRAME.top()),
            unit,
            trimmed,
        ),
        Upwards::Latency => Axis::new(
            Scale::logarithmic(values(), FRAME.bottom(), FRAME.top()),
            unit,
            duration_tick,
        ),
    };
    let mut svg = open(FRAME, &format!("{heading} over time, {unit}"), &x, &y);
    if warmup_secs > 0.0 {
        push_band(
            &mut svg,
            FRAME,
            FRAME.left(),
            x.scale.at(warmup_secs),
            "warm-up",
        );
    }
    close(svg, FRAME, &x, &y, lines)
}

/// A round tick without needless zeros.
fn trimmed(value: f64) -> String {
    let text = decimal(value);
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').into()
    } else {
        text
    }
}
