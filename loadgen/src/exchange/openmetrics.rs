//! `OpenMetrics` text: gauges in base units and a summary a latency, all samples of a family together, `# EOF` last.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::figure::latencies;
use super::subject::{durability, side};
use super::{Figure, Refusal, figures};
use crate::result::{Latency, Percentile, RunResult};

const NANOSECONDS_PER_SECOND: f64 = 1e9;

/// Every figure of every result; the labels tell them apart.
pub(super) fn write(results: &[RunResult]) -> Result<String, Refusal> {
    let ids: BTreeSet<&str> = results.iter().map(|result| result.id.as_str()).collect();
    if ids.len() < results.len() {
        return Err(Refusal::new("two results have one id, so their samples would be the same: give each file once"));
    }
    let mut text = String::new();
    push_gauges(&mut text, results);
    push_summaries(&mut text, results);
    text.push_str("# EOF\n");
    Ok(text)
}

fn push_gauges(text: &mut String, results: &[RunResult]) {
    let rows: Vec<(String, Vec<Figure>)> = results.iter().map(|result| (labels(result), figures(result))).collect();
    let mut families: Vec<String> = Vec::new();
    for family in rows.iter().flat_map(|(_, figures)| figures).filter_map(family) {
        if !families.contains(&family) {
            families.push(family);
        }
    }
    for wanted in families {
        let _ = writeln!(text, "# TYPE {wanted} gauge");
        for (labels, figures) in &rows {
            for figure in figures.iter().filter(|figure| family(figure).as_deref() == Some(&wanted)) {
                let _ = writeln!(text, "{wanted}{{{labels}}} {}", number(figure.value));
            }
        }
    }
}

/// The name of a gauge; none for latencies, which are summaries.
fn family(figure: &Figure) -> Option<String> {
    let unit = match figure.unit {
        "records/s" => "records_per_second",
        "B/s" => "bytes_per_second",
        "s/GB" => "seconds_per_gigabyte",
        "B" => "bytes",
        "records" => "records",
        _ => return None,
    };
    Some(format!("loadgen_{}_{unit}", figure.name))
}

/// Percentiles with their count and sum; the count tells what they are worth.
fn push_summaries(text: &mut String, results: &[RunResult]) {
    if results.iter().all(|result| latencies(result).is_empty()) {
        return;
    }
    text.push_str("# TYPE loadgen_latency_seconds summary\n# UNIT loadgen_latency_seconds seconds\n");
    for result in results {
        for (stream, name, latency) in latencies(result) {
            let labels = format!("{},stream=\"{stream}\",latency=\"{name}\"", labels(result));
            let knows_n = result.knows(&format!("summary.{stream}.latency.{name}.n"));
            push_summary(text, &labels, latency, knows_n);
        }
    }
}

fn push_summary(text: &mut String, labels: &str, latency: &Latency, knows_n: bool) {
    const QUANTILES: [(Percentile, &str); 7] = [
        (Percentile::P50, "0.5"),
        (Percentile::P75, "0.75"),
        (Percentile::P90, "0.9"),
        (Percentile::P95, "0.95"),
        (Percentile::P99, "0.99"),
        (Percentile::P99_9, "0.999"),
        (Percentile::P99_99, "0.9999"),
    ];
    let family = "loadgen_latency_seconds";
    let mut push = |quantile: &str, ns: Option<u64>| {
        if let Some(ns) = ns {
            let seconds = number(ns as f64 / NANOSECONDS_PER_SECOND);
            let _ = writeln!(text, "{family}{{{labels},quantile=\"{quantile}\"}} {seconds}");
        }
    };
    push("0.0", latency.min_ns);
    for (percentile, quantile) in QUANTILES {
        push(quantile, latency.at(percentile));
    }
    push("1.0", latency.max_ns);
    if knows_n {
        let _ = writeln!(text, "{family}_count{{{labels}}} {}", latency.n);
        if let Some(mean_ns) = latency.mean_ns {
            let sum = number(mean_ns / NANOSECONDS_PER_SECOND * latency.n as f64);
            let _ = writeln!(text, "{family}_sum{{{labels}}} {sum}");
        }
    }
}

fn labels(result: &RunResult) -> String {
    let mut pairs = vec![
        ("id", result.id.clone()),
        ("side", side(result)),
        ("workload", result.workload_id.clone()),
        ("durability", durability(result).into()),
    ];
    pairs.extend(result.repeat.map(|repeat| ("repeat", repeat.index.to_string())));
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    pairs.join(",")
}

fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

/// A float as the format wants it; whole numbers keep a point.
fn number(value: f64) -> String {
    format!("{value:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_cannot_break_out_of_their_quotes() {
        assert_eq!(escaped("a\"b\\c\nd"), r#"a\"b\\c\nd"#);
    }
}
