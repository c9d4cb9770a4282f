//! Figures over the commits of a product under one load, in the order in which they were run, with changes of level.

use super::chart::{Axis, Frame, Ink, LEFT, Line, LineStyle, TOP};
use super::collection::{Collection, is_sound};
use super::percentile_chart::duration_tick;
use super::plot::{Across, Plot, Reading, Rule};
use super::scale::Scale;
use super::series_chart::trimmed;
use super::units::decimal;
use crate::compare::Metric;
use crate::result::RunResult;
use crate::statistics::{change_points, median};

const FRAME: Frame = Frame { width: 1_080.0, height: 320.0 };
/// Fewer commits are a comparison, not a history.
const COMMITS_MIN: usize = 3;
/// Loads whose history is drawn.
const LOADS_MAX: usize = 4;
/// Names below the axis; with more commits only some are named.
const NAMES_MAX: usize = 12;
/// Characters of a commit's name.
const NAME_CHARACTERS: usize = 12;
/// The figures, with the factor that brings them into the unit of the axis.
const FIGURES: [(Metric, f64, &str); 3] =
    [(Metric::ResponseP99, 1.0, "latency"), (Metric::Goodput, 1e-6, "MB/s"), (Metric::BrokerCpu, 1.0, "s/GB")];

/// The charts of every load that was run at several commits.
pub(super) fn history_charts(collection: &Collection<'_>) -> Vec<Plot> {
    let mut plots = Vec::new();
    for load in 0..collection.loads.len() {
        let groups = collection.groups.iter().filter(|group| group.load == load);
        let mut runs: Vec<&RunResult> =
            groups.flat_map(|group| &group.runs).copied().filter(|run| is_sound(run)).collect();
        runs.sort_by(|a, b| (&a.started_utc, &a.id).cmp(&(&b.started_utc, &b.id)));
        let mut products: Vec<&str> = runs.iter().map(|run| run.target.product.as_str()).collect();
        products.sort_unstable();
        products.dedup();
        for product in products {
            let runs: Vec<&RunResult> = runs.iter().filter(|run| run.target.product == product).copied().collect();
            let place = format!("{}-{load}", plots.len());
            let title = format!("{product}, {}", collection.loads[load]);
            plots.extend(FIGURES.iter().filter_map(|figure| chart(&runs, &title, &place, figure)));
        }
        if plots.len() >= LOADS_MAX * FIGURES.len() {
            break;
        }
    }
    plots
}

fn chart(
    runs: &[&RunResult],
    title: &str,
    place: &str,
    (metric, factor, unit): &(Metric, f64, &'static str),
) -> Option<Plot> {
    let told: Vec<(String, f64)> =
        runs.iter().filter_map(|run| Some((commit(run), metric.value(run)? * factor))).collect();
    let commits = commits_of(&told)?;
    let values: Vec<f64> = told.iter().map(|(_, value)| *value).collect();
    let centre = |places: &[usize]| places.iter().sum::<usize>() as f64 / places.len() as f64;
    let medians = commits.iter().map(|(_, places)| {
        let of: Vec<f64> = places.iter().map(|place| values[*place]).collect();
        Some((centre(places), median(&of)?))
    });
    let medians = medians.collect();
    let changes = change_points(&values);
    let is_latency = *unit == "latency";
    let read =
        |value: f64| if is_latency { super::units::duration_ns(value) } else { format!("{} {unit}", decimal(value)) };
    let rules = changes.iter().map(|change| {
        let words = format!("{} to {}", read(change.before), read(change.after));
        Rule::Upright(change.index as f64 - 0.5, words)
    });
    let all = || values.iter().copied();
    let y = if is_latency {
        Axis::new(Scale::logarithmic(all(), FRAME.bottom(), TOP), *unit, duration_tick)
    } else {
        Axis::new(Scale::from_zero(all(), FRAME.bottom(), TOP), *unit, trimmed)
    };
    let stride = commits.len().div_ceil(NAMES_MAX);
    let ticks = commits.iter().step_by(stride).map(|(name, places)| (centre(places), name.clone()));
    Some(Plot {
        id: format!("history-{place}-{}", metric.name().replace(' ', "-")),
        heading: format!("History of {}: {title}", metric.name()),
        note: "Runs in the order of their start; line: median of each commit. Upright lines: changes of level, each confirmed by shuffling the runs.".into(),
        frame: FRAME,
        x: Axis {
            scale: Scale::exact(-0.5, values.len() as f64 - 0.5, LEFT, FRAME.right()),
            label: "commit or version, oldest first".into(),
            ticks: ticks.collect(),
        },
        y,
        across: Across::Named,
        reading: if is_latency { Reading::Duration } else { Reading::Plain },
        lines: vec![
            Line { name: "median".into(), points: medians, ink: Ink::of(0), ..Line::default() },
            Line {
                name: "run".into(),
                points: values.iter().enumerate().map(|(at, value)| Some((at as f64, *value))).collect(),
                ink: Ink::of(1),
                style: LineStyle::Dots,
                ..Line::default()
            },
        ],
        spans: Vec::new(),
        marks: Vec::new(),
        rules: rules.collect(),
        times: Vec::new(),
    })
}

/// Neighbours of one commit with their places; nothing when there are too few commits for a history.
fn commits_of(told: &[(String, f64)]) -> Option<Vec<(String, Vec<usize>)>> {
    let mut commits: Vec<(String, Vec<usize>)> = Vec::new();
    for (index, (name, _)) in told.iter().enumerate() {
        match commits.last_mut() {
            Some((last, places)) if last == name => places.push(index),
            _ => commits.push((name.clone(), vec![index])),
        }
    }
    let mut names: Vec<&String> = commits.iter().map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    (names.len() >= COMMITS_MIN).then_some(commits)
}

/// The commit of the target's version, else of the build that measured: an embedded broker is of the same build.
fn commit(run: &RunResult) -> String {
    let sha = run.loadgen.git_sha.as_deref().filter(|_| run.target.embedded);
    let name = sha.or(run.target.version.as_deref()).unwrap_or("unknown");
    name.chars().take(NAME_CHARACTERS).collect()
}
