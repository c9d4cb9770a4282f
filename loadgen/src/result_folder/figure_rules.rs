//! Figures that depend on one another must agree: a mistaken unit, a swapped column or an edited number shows here.

use super::{Finding, ResultFile, Rule};
use crate::result::{Latency, Percentile, RunResult, StreamSummary, decode_histogram};

/// Rates are counts over time, both of which the file has; the rest is rounding of the window's ends.
const RATE_TOLERANCE: f64 = 0.02;
/// A histogram has three digits.
const HISTOGRAM_TOLERANCE: f64 = 0.002;

/// Adds what does not fit together.
pub(super) fn check(file: &ResultFile, findings: &mut Vec<Finding>) {
    let mut found = |key: &str, what: String| findings.push(Finding::new(Rule::Units, &file.place.path, key, what));
    let result = &file.result;
    for (name, stream) in [("produce", &result.summary.produce), ("consume", &result.summary.consume)] {
        let Some(stream) = stream else { continue };
        rates(result, &format!("summary.{name}"), stream, &mut found);
        let kinds = &stream.latency;
        for (kind, latency) in [
            ("response", &kinds.response),
            ("service", &kinds.service),
            ("lag", &kinds.lag),
            ("end_to_end", &kinds.end_to_end),
        ] {
            let Some(latency) = latency else { continue };
            order(&format!("summary.{name}.latency.{kind}"), latency, &mut found);
            if let Some(text) = result.histograms.get(&format!("{name}.{kind}")) {
                histogram(&format!("histograms.{name}.{kind}"), text, latency, &mut found);
            }
        }
    }
    columns(&file.written["series"], &mut found);
    zeros("", &file.written, &mut found);
}

fn rates(result: &RunResult, key: &str, stream: &StreamSummary, found: &mut impl FnMut(&str, String)) {
    let pairs = [("offered", stream.offered), ("achieved", Some(stream.achieved)), ("goodput", Some(stream.goodput))];
    for (name, rate) in pairs {
        let Some(rate) = rate else { continue };
        if !(rate.records_per_s.is_finite() && rate.bytes_per_s.is_finite())
            || rate.records_per_s < 0.0
            || rate.bytes_per_s < 0.0
        {
            found(&format!("{key}.{name}"), "is below zero or no number".into());
        }
    }
    if stream.goodput.records_per_s > stream.achieved.records_per_s * (1.0 + RATE_TOLERANCE) {
        found(&format!("{key}.goodput"), "is above what was achieved".into());
    }
    let counts = [
        ("records", stream.records, stream.goodput.records_per_s),
        ("bytes", stream.bytes, stream.goodput.bytes_per_s),
    ];
    for (name, count, per_s) in counts {
        let path = format!("{key}.{name}");
        let secs = result.summary.measured_secs;
        // Fewer than a thousand say nothing of a percent.
        let expected = per_s * secs;
        if result.knows(&path) && result.knows("summary.measured_secs") && expected > 1_000.0 {
            let off = (count as f64 - expected).abs() / expected;
            if off > RATE_TOLERANCE {
                found(&path, format!("{count} in {secs} s is not {per_s} a second"));
            }
        }
    }
}

fn order(key: &str, latency: &Latency, found: &mut impl FnMut(&str, String)) {
    let rising = [
        ("min_ns", latency.min_ns),
        ("p50_ns", latency.p50_ns),
        ("p75_ns", latency.p75_ns),
        ("p90_ns", latency.p90_ns),
        ("p95_ns", latency.p95_ns),
        ("p99_ns", latency.p99_ns),
        ("p99_9_ns", latency.p99_9_ns),
        ("p99_99_ns", latency.p99_99_ns),
        ("max_ns", latency.max_ns),
    ];
    let there: Vec<(&str, u64)> = rising.into_iter().filter_map(|(name, ns)| Some((name, ns?))).collect();
    for pair in there.windows(2) {
        let [(lower, below), (upper, above)] = pair else { continue };
        if below > above {
            found(&format!("{key}.{upper}"), format!("{above} lies below {lower}, {below}"));
        }
    }
    if let (Some(mean), Some((_, low)), Some((_, high))) = (latency.mean_ns, there.first(), there.last()) {
        let is_whole = latency.min_ns.is_some() && latency.max_ns.is_some();
        if is_whole && !(*low as f64 * 0.99..=*high as f64 * 1.01).contains(&mean) {
            found(&format!("{key}.mean_ns"), format!("{mean} lies outside of {low} to {high}"));
        }
    }
}

/// The figures are those of the histogram, so that neither was edited alone.
fn histogram(key: &str, text: &str, latency: &Latency, found: &mut impl FnMut(&str, String)) {
    let histogram = match decode_histogram(text) {
        Ok(histogram) => histogram,
        Err(error) => return found(key, error.to_string()),
    };
    if histogram.len() != latency.n {
        found(key, format!("has {} samples, the summary has {}", histogram.len(), latency.n));
    }
    for (name, percentile) in [("p50_ns", Percentile::P50), ("p99_ns", Percentile::P99)] {
        let Some(ns) = latency.at(percentile) else { continue };
        let other = histogram.value_at_quantile(percentile.quantile());
        if (ns as f64 - other as f64).abs() > HISTOGRAM_TOLERANCE * other as f64 {
            found(key, format!("has {other} as {name}, the summary has {ns}"));
        }
    }
}

/// Every column of the series is as long as its times, and shares are shares.
fn columns(series: &serde_json::Value, found: &mut impl FnMut(&str, String)) {
    let Some(series) = series.as_object() else { return };
    let rows = series.get("t_secs").and_then(|column| column.as_array()).map_or(0, Vec::len);
    for (name, column) in series {
        let values = column.as_array().map_or(&[][..], Vec::as_slice);
        if values.len() != rows {
            found(&format!("series.{name}"), format!("has {} values for {rows} seconds", values.len()));
        }
        let is_share = |value: &f64| (0.0..=1.0).contains(value);
        if name.ends_with("_share")
            && !values.iter().filter_map(serde_json::Value::as_f64).all(|value| is_share(&value))
        {
            found(&format!("series.{name}"), "has a share that is not within 0 to 1".into());
        }
    }
}

/// Facts that cannot be zero: somebody wrote zero for what was not measured.
fn zeros(path: &str, value: &serde_json::Value, found: &mut impl FnMut(&str, String)) {
    const NEVER_ZERO: [&str; 6] =
        ["memory_bytes", "memory_bytes_max", "size_bytes", "rss_idle_bytes", "rss_max_bytes", "cpu_cores_max"];
    match value {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                if NEVER_ZERO.contains(&name.as_str()) && value.as_f64() == Some(0.0) {
                    found(&path, "is zero: what was not measured is absent, so delete it".into());
                }
                zeros(&path, value, found);
            }
        }
        serde_json::Value::Array(items) => {
            for (index, item) in items.iter().enumerate().filter(|(_, item)| item.is_object()) {
                zeros(&format!("{path}[{index}]"), item, found);
            }
        }
        _ => {}
    }
}
