//! Small charts of what a setting changes: one for each figure, when loads differ by one setting alone.

use std::collections::BTreeMap;

use serde_json::Value;

use super::chart::{Axis, Frame, Ink, LEFT, Line, LineStyle, TOP};
use super::collection::{Collection, Group};
use super::facts::{flattened, leaf_text};
use super::percentile_chart::duration_tick;
use super::plot::{Across, Plot, Reading};
use super::scale::Scale;
use super::series_chart::trimmed;
use crate::result::{Percentile, RunResult};
use crate::statistics::median;

const FRAME: Frame = Frame { width: 530.0, height: 270.0 };
/// Fewer values of a setting are a comparison, not a sweep.
const VALUES_MIN: usize = 2;
/// Settings that are swept at most; more would be unreadable.
const SETTINGS_MAX: usize = 4;
/// Settings that have a chart of their own kind, or that do not make another load.
const NO_SWEEP: [&str; 4] = ["seed", "arrival records per s", "arrival kind", "phases"];

/// Heading, unit, whether it is a latency, and the figure.
type Figure = (&'static str, &'static str, Reading, fn(&RunResult) -> Option<f64>);

const FIGURES: [Figure; 3] = [
    ("Goodput", "MB/s", Reading::Plain, |run| Some(run.summary.produce.as_ref()?.goodput.bytes_per_s / 1e6)),
    ("Response p99", "latency", Reading::Duration, |run| {
        Some(run.summary.produce.as_ref()?.latency.response.as_ref()?.at(Percentile::P99)?.max(1) as f64)
    }),
    ("Broker CPU", "s/GB", Reading::Plain, |run| run.resources.broker.as_ref()?.cpu_s_per_gb),
];

/// The charts of every setting that is the only difference between some loads.
pub(super) fn sweep_charts(collection: &Collection<'_>) -> Vec<Plot> {
    let described: Vec<BTreeMap<String, Value>> = collection
        .groups
        .iter()
        .map(|group| group.runs.first().map(|run| flattened(&run.workload)).unwrap_or_default())
        .collect();
    let mut settings: Vec<&String> = described.iter().flat_map(BTreeMap::keys).collect();
    settings.sort();
    settings.dedup();
    settings.retain(|key| !NO_SWEEP.iter().any(|ending| key.starts_with(ending)));
    let differs = |key: &String| described.iter().any(|load| load.get(key) != described[0].get(key));
    let swept = settings.into_iter().filter(|key| differs(key)).take(SETTINGS_MAX);
    swept.flat_map(|key| charts_of(collection, &described, key)).collect()
}

fn charts_of(collection: &Collection<'_>, described: &[BTreeMap<String, Value>], key: &str) -> Vec<Plot> {
    let mut lines: BTreeMap<(usize, String), Vec<(&Value, &Group<'_>)>> = BTreeMap::new();
    let absent = Value::Null;
    for (group, load) in collection.groups.iter().zip(described) {
        let mut others = load.clone();
        let value = load.get(key).unwrap_or(&absent);
        others.retain(|other, _| other != key && other != "seed" && !other.starts_with("phases"));
        let rest = serde_json::to_string(&others).unwrap_or_default();
        lines.entry((group.side, rest)).or_default().push((value, group));
    }
    lines.retain(|_, points| points.len() >= VALUES_MIN);
    let mut values: Vec<&Value> = lines.values().flatten().map(|(value, _)| *value).collect();
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NEG_INFINITY);
    values.sort_by(|a, b| number(a).total_cmp(&number(b)).then_with(|| a.to_string().cmp(&b.to_string())));
    values.dedup();
    FIGURES.iter().filter_map(|figure| chart(collection, key, &values, &lines, figure)).collect()
}

fn chart(
    collection: &Collection<'_>,
    key: &str,
    values: &[&Value],
    lines: &BTreeMap<(usize, String), Vec<(&Value, &Group<'_>)>>,
    (heading, unit, reading, figure): &Figure,
) -> Option<Plot> {
    let place = |value: &Value| values.iter().position(|known| *known == value).unwrap_or(0) as f64;
    let drawn: Vec<Line> = lines
        .iter()
        .enumerate()
        .map(|(index, ((side, _), points))| {
            let mut points: Vec<(f64, f64)> = points
                .iter()
                .filter_map(|(value, group)| Some((place(value), median(&group.figures(figure))?)))
                .collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            Line {
                name: collection.sides[*side].clone(),
                ink: if collection.sides.len() > 1 { Ink::dashed(*side, 0) } else { Ink::of(index) },
                points: points.into_iter().map(Some).collect(),
                style: LineStyle::Dotted,
                ..Line::default()
            }
        })
        .collect();
    let all = || drawn.iter().flat_map(|line| line.points.iter().flatten().map(|point| point.1));
    all().nth(1)?;
    let y = match reading {
        Reading::Plain => Axis::new(Scale::from_zero(all(), FRAME.bottom(), TOP), *unit, trimmed),
        Reading::Duration => Axis::new(Scale::logarithmic(all(), FRAME.bottom(), TOP), *unit, duration_tick),
    };
    let ticks = values.iter().enumerate().map(|(at, value)| (at as f64, leaf_text(key, value)));
    let across = Scale::exact(-0.3, values.len() as f64 - 0.7, LEFT, FRAME.right());
    let slug: String =
        format!("sweep {key} {heading}").replace(|c: char| !c.is_ascii_alphanumeric(), "-").to_lowercase();
    Some(Plot {
        id: slug,
        heading: format!("{heading} by {key}"),
        note: "Every point is the median of its repeats; the values of the setting are equally far apart.".into(),
        frame: FRAME,
        x: Axis { scale: across, label: key.into(), ticks: ticks.collect() },
        y,
        across: Across::Named,
        reading: *reading,
        lines: drawn,
        spans: Vec::new(),
        marks: Vec::new(),
        rules: Vec::new(),
        times: Vec::new(),
    })
}
