//! Go benchmark text with configuration lines, as `benchstat` reads it: one line a run, so that it sees each repeat.

use std::fmt::Write;

use super::subject::{durability, flags, is_sample, side};
use super::{Better, Figure, figures};
use crate::result::RunResult;

/// Configuration lines, the units that improve upwards, and a line a run. A failed run is no sample and stands
/// as a remark.
pub(super) fn write(results: &[RunResult]) -> String {
    let mut text = String::new();
    push_units(&mut text, results);
    let mut last: Vec<(&str, String)> = Vec::new();
    for result in results {
        if !is_sample(result) {
            let why = result.error.as_deref().unwrap_or("it did not pass the check of its records");
            push_line(&mut text, format_args!("# {} is no sample: {}", one_line(&result.id), one_line(why)));
            continue;
        }
        let configuration = configuration(result);
        // A line holds until another comes; one without a value takes the key away.
        for (key, _) in last.iter().filter(|(key, _)| configuration.iter().all(|(other, _)| other != key)) {
            push_line(&mut text, format_args!("{key}:"));
        }
        for (key, value) in configuration.iter().filter(|pair| !last.contains(*pair)) {
            push_line(&mut text, format_args!("{key}: {value}"));
        }
        last = configuration;
        let mut line = benchmark(result);
        // The iterations of a Go benchmark: what the means are means of.
        let iterations = result.summary.produce.as_ref().or(result.summary.consume.as_ref());
        let _ = write!(line, " {}", iterations.map_or(1, |stream| stream.records.max(1)));
        for figure in figures(result) {
            let _ = write!(line, " {} {}", figure.value, unit(&figure));
        }
        push_line(&mut text, format_args!("{line}"));
    }
    text
}

/// `Unit` lines: without them benchstat takes a unit that it does not know for a cost.
fn push_units(text: &mut String, results: &[RunResult]) {
    let mut units: Vec<(String, Better)> =
        results.iter().flat_map(figures).map(|figure| (unit(&figure), figure.better)).collect();
    units.sort_by(|one, other| one.0.cmp(&other.0));
    units.dedup();
    for (unit, better) in units {
        let better = if better == Better::Higher { "higher" } else { "lower" };
        push_line(text, format_args!("Unit {unit} better={better}"));
    }
}

/// benchstat makes seconds of `-ns` and knows `B/s`; the name in front keeps figures of one unit apart.
fn unit(figure: &Figure) -> String {
    format!("{}-{}", figure.name.replace('_', "-"), figure.unit)
}

/// Keys begin in lower case and have no space; a value goes to the end of its line.
fn configuration(result: &RunResult) -> Vec<(&'static str, String)> {
    let mut pairs = vec![("side", side(result)), ("durability", durability(result).into())];
    let target = &result.target;
    if result.knows("target.product") {
        pairs.push(("product", target.product.clone()));
    }
    pairs.extend(target.version.clone().map(|version| ("version", version)));
    pairs.extend(result.suite.clone().map(|suite| ("suite", suite)));
    pairs.extend(result.loadgen.git_sha.clone().map(|commit| ("commit", commit)));
    pairs.extend(result.env.first().and_then(|host| host.cpu_model.clone()).map(|cpu| ("cpu", cpu)));
    pairs.push(("workload", result.workload_id.clone()));
    pairs.push(("quality", flags(result).join(" ")));
    pairs.into_iter().map(|(key, value)| (key, one_line(&value))).collect()
}

/// The name with the settings that people compare by, as `/key=value`.
fn benchmark(result: &RunResult) -> String {
    let workload = &result.workload;
    let kind = match (&result.summary.produce, &result.summary.consume) {
        (Some(_), Some(_)) => "ProduceConsume",
        (None, Some(_)) => "Consume",
        _ => "Produce",
    };
    let mut name = format!("Benchmark{kind}");
    let mut push = |path: &str, key: &str, value: String| {
        if result.knows(path) {
            let _ = write!(name, "/{key}={}", value.replace(char::is_whitespace, "_"));
        }
    };
    push("workload.record_bytes", "record_bytes", workload.record_bytes.to_string());
    push("workload.partitions", "partitions", workload.partitions.to_string());
    push("workload.producers", "producers", workload.producers.to_string());
    push("workload.acks", "acks", workload.acks.as_str().into());
    let rate = workload.arrival.records_per_s;
    push("workload.arrival.kind", "records_per_s", rate.map_or_else(|| "max".into(), |rate| rate.to_string()));
    name
}

fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}

fn push_line(text: &mut String, line: std::fmt::Arguments) {
    let _ = writeln!(text, "{line}");
}
