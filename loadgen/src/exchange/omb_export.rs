//! Result JSON of the `OpenMessaging` Benchmark, so that its charts draw results of ours.
//!
//! Its publish latency is our service latency and its publish delay our lag. What we did not measure is an empty list
//! or absent; every field that its chart script indexes is there, but the script ends at the first list that is empty:
//! a run without consumers gets its publish charts only.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Refusal;
use super::subject::side;
use crate::result::{Latency, RunResult, Series, Workload, decode_histogram, histogram_name};

const NANOSECONDS_PER_MILLISECOND: f64 = 1e6;
const NANOSECONDS_PER_MICROSECOND: f64 = 1e3;
/// A percentile is written only when at least this many samples lie above it, as in our own results.
const EXCEEDANCES_MIN: f64 = 10.0;
/// What floats lose in a percentile such as 99.9.
const ROUNDING: f64 = 1e-6;
/// Percentiles of the quantile maps, from which the charts draw their curves.
const QUANTILES: [&str; 10] = ["50.0", "75.0", "90.0", "95.0", "98.0", "99.0", "99.5", "99.9", "99.99", "100.0"];
/// The endings of a latency's figures, each a scalar and a list with a value a period.
const ENDINGS: [&str; 8] = ["Avg", "50pct", "75pct", "95pct", "99pct", "999pct", "9999pct", "Max"];
/// The chart script takes a period for ten seconds.
const PERIOD_SECS: usize = 10;

/// The whole window. Rates have a value a period; latencies have one for the window, since percentiles of seconds
/// cannot be put together.
pub(super) fn write(result: &RunResult) -> Result<String, Refusal> {
    let produce = result.summary.produce.as_ref();
    let produce =
        produce.ok_or_else(|| Refusal::new("the run produced nothing, and the format needs a publish rate"))?;
    let (workload, consume) = (&result.workload, result.summary.consume.as_ref());
    let mut test = json!({
        "workload": result.suite.clone().unwrap_or_else(|| format!("load {}", result.workload_id)),
        "driver": side(result),
        "publishRate": [produce.goodput.records_per_s],
        "publishErrorRate": [],
        "consumeRate": consume.map(|stream| vec![stream.goodput.records_per_s]).unwrap_or_default(),
        "backlog": [],
    });
    let each = |clients: u32| clients / workload.topics.max(1);
    for (field, path, value) in [
        ("messageSize", "workload.record_bytes", json!(workload.record_bytes)),
        ("topics", "workload.topics", json!(workload.topics)),
        ("partitions", "workload.partitions", json!(workload.partitions)),
        ("producersPerTopic", "workload.producers", json!(each(workload.producers))),
        ("consumersPerTopic", "workload.consumers", json!(each(workload.consumers))),
        ("beginTime", "started_utc", json!(result.started_utc)),
        ("endTime", "ended_utc", json!(result.ended_utc)),
    ] {
        if result.knows(path) {
            test[field] = value;
        }
    }
    if let Some(series) = &result.series {
        put_series(&mut test, series, workload);
    }
    let publish = &produce.latency;
    let end_to_end = consume.and_then(|stream| stream.latency.end_to_end.as_ref());
    for (name, latency, histogram, unit_ns) in [
        ("PublishLatency", publish.service.as_ref(), histogram_name::PRODUCE_SERVICE, NANOSECONDS_PER_MILLISECOND),
        ("PublishDelayLatency", publish.lag.as_ref(), histogram_name::PRODUCE_LAG, NANOSECONDS_PER_MICROSECOND),
        ("EndToEndLatency", end_to_end, histogram_name::CONSUME_END_TO_END, NANOSECONDS_PER_MILLISECOND),
    ] {
        put_latency(&mut test, name, latency, unit_ns);
        test[format!("aggregated{name}Quantiles")] = json!(quantiles(result, histogram, latency, unit_ns)?);
    }
    Ok(serde_json::to_string_pretty(&test)? + "\n")
}

/// The measured latency in the tool's names and unit, as scalars and as lists of one period.
fn put_latency(test: &mut Value, name: &str, latency: Option<&Latency>, unit_ns: f64) {
    let list = name[..1].to_lowercase() + &name[1..];
    let empty = Latency::default();
    let latency = latency.unwrap_or(&empty);
    let whole = |ns: Option<u64>| ns.map(|ns| ns as f64);
    let figures = [
        latency.mean_ns,
        whole(latency.p50_ns),
        whole(latency.p75_ns),
        whole(latency.p95_ns),
        whole(latency.p99_ns),
        whole(latency.p99_9_ns),
        whole(latency.p99_99_ns),
        whole(latency.max_ns),
    ];
    for (ending, ns) in ENDINGS.iter().zip(figures) {
        let value = ns.map(|ns| ns / unit_ns);
        test[format!("{list}{ending}")] = json!(value.into_iter().collect::<Vec<f64>>());
        if let Some(value) = value {
            test[format!("aggregated{name}{ending}")] = json!(value);
        }
    }
}

/// Rates a period in place of the means, without the warm-up.
fn put_series(test: &mut Value, series: &Series, workload: &Workload) {
    let warmup = workload.phase_secs("warmup");
    let measured_from = series.t_secs.iter().position(|t_secs| *t_secs > warmup).unwrap_or(series.t_secs.len());
    let record_bytes = f64::from((workload.record_bytes + workload.key_bytes.unwrap_or(0)).max(1));
    for (field, column) in
        [("publishRate", &series.achieved_bytes_per_s), ("consumeRate", &series.consumed_bytes_per_s)]
    {
        if let Some(bytes_per_s) = measured(column, measured_from) {
            let rate = |period: &[f64]| period.iter().sum::<f64>() / period.len() as f64 / record_bytes;
            test[field] = json!(bytes_per_s.chunks(PERIOD_SECS).map(rate).collect::<Vec<f64>>());
        }
    }
}

/// A column of the measured window. A second without a value is a gap to us, but the tool's lists have none.
fn measured(column: &[Option<f64>], from: usize) -> Option<Vec<f64>> {
    column.get(from..)?.iter().copied().collect::<Option<Vec<f64>>>().filter(|values| !values.is_empty())
}

/// The percentiles that the sample carries, and the largest value.
fn quantiles(
    result: &RunResult,
    name: &str,
    latency: Option<&Latency>,
    unit_ns: f64,
) -> Result<BTreeMap<&'static str, f64>, Refusal> {
    let (Some(text), Some(latency)) = (result.histograms.get(name), latency) else { return Ok(BTreeMap::new()) };
    let histogram = decode_histogram(text).map_err(|error| Refusal::new(format!("histograms.{name}: {error}")))?;
    let is_carried = |percentile: f64| {
        percentile >= 100.0 || latency.samples() as f64 * (100.0 - percentile) / 100.0 + ROUNDING >= EXCEEDANCES_MIN
    };
    let percentiles = QUANTILES.iter().filter_map(|name| Some((*name, name.parse().ok()?)));
    Ok(percentiles
        .filter(|(_, percentile)| is_carried(*percentile))
        .map(|(name, percentile)| (name, histogram.value_at_percentile(percentile) as f64 / unit_ns))
        .collect())
}
