//! The percentile curve: the share of records on a scale of nines, latency upwards, one line a latency.

use hdrhistogram::Histogram;

use super::chart::{Axis, Frame, Ink, LEFT, Line, TOP, close, open, push_faint, push_ring};
use super::markup::Markup;
use super::scale::Scale;
use super::table::latency_rows;
use super::units::{count, duration_ns};
use crate::result::{Latency, Percentile, RunResult, decode_histogram, histogram_name};

const FRAME: Frame = Frame { width: 1_080.0, height: 400.0 };
/// Points of a curve for each factor of ten in rarity.
const POINTS_PER_NINE: u32 = 40;
/// Curves start here, near 11 %: the few fastest records would only stretch the axis downwards.
const FIRST_POINT: u32 = 2;
/// A curve ends where fewer samples than this lie above.
const EXCEEDANCES_MIN: f64 = 10.0;
/// The x axis is not drawn further than this many nines.
const NINES_MAX: f64 = 7.0;

/// A latency with its curve and its largest value.
struct Curve<'a> {
    name: &'static str,
    ink: Ink,
    latency: &'a Latency,
    /// Nines (log10 of 1/(1-q)) and nanoseconds.
    points: Vec<(f64, f64)>,
}

/// The chart of response, service and end-to-end.
pub(super) fn percentile_chart(result: &RunResult) -> Markup {
    let curves = curves_of(result);
    let nines = curves.iter().map(|curve| nines_of_max(curve.latency)).fold(2.0, f64::max);
    let all_values = || {
        let largest = curves.iter().filter_map(|curve| curve.latency.max_ns.map(|ns| ns as f64));
        curves.iter().flat_map(|curve| curve.points.iter().map(|point| point.1)).chain(largest)
    };
    let x = nines_axis(nines);
    let y = Axis::new(Scale::logarithmic(all_values(), FRAME.bottom(), TOP), "latency", duration_tick);
    let mut svg = open(FRAME, "Latency by percentile, logarithmic on both axes", &x, &y);
    for curve in &curves {
        let (Some(last), Some(max)) = (curve.points.last(), curve.latency.max_ns) else {
            continue;
        };
        let end = (x.scale.at(nines_of_max(curve.latency)), y.scale.at(max as f64));
        push_faint(&mut svg, (x.scale.at(last.0), y.scale.at(last.1)), end);
        push_ring(&mut svg, curve.ink, end, &format!("{} max {}", curve.name, duration_ns(max as f64)));
    }
    let lines: Vec<Line> = curves
        .iter()
        .map(|curve| Line {
            name: format!("{} n={}", curve.name, count(curve.latency.n)),
            ink: curve.ink,
            points: curve.points.iter().copied().map(Some).collect(),
        })
        .collect();
    close(svg, FRAME, &x, &y, &lines)
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

fn curves_of(result: &RunResult) -> Vec<Curve<'_>> {
    latency_rows(result)
        .into_iter()
        .filter_map(|(name, latency)| {
            let (ink, key) = match name {
                "response" => (Ink::First, histogram_name::PRODUCE_RESPONSE),
                "service" => (Ink::Second, histogram_name::PRODUCE_SERVICE),
                "end-to-end" => (Ink::Third, histogram_name::CONSUME_END_TO_END),
                _ => return None,
            };
            let histogram = result.histograms.get(key).and_then(|text| decode_histogram(text).ok());
            let points = match histogram {
                Some(histogram) if !histogram.is_empty() => points_of(&histogram, latency),
                _ => points_of_figures(latency),
            };
            Some(Curve { name, ink, latency, points })
        })
        .collect()
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
        label: "share of records that were at least this fast",
        ticks: NAMED.into_iter().filter(|(at, _)| *at <= nines).map(|(at, name)| (at, name.to_owned())).collect(),
    }
}
