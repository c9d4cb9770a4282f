//! Result JSON of the `OpenMessaging` Benchmark, so that its charts draw results of ours.
//!
//! Its publish latency is our service latency and its publish delay our lag. What we do not measure is an empty list
//! or absent; the fields that the chart script indexes are always there.

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
/// The latencies of which the tool keeps a list with a value a period, and the endings of these lists.
const LISTS: [&str; 3] = ["publishLatency", "publishDelayLatency", "endToEndLatency"];
const ENDINGS: [&str; 8] = ["Avg", "50pct", "75pct", "95pct", "99pct", "999pct", "9999pct", "Max"];

/// The whole window; a period is a second.
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
    for list in LISTS {
        for ending in ENDINGS {
            test[format!("{list}{ending}")] = json!([]);
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

/// The measured latency in the tool's names and unit.
fn put_latency(test: &mut Value, name: &str, latency: Option<&Latency>, unit_ns: f64) {
    let Some(latency) = latency else { return };
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
    for (ending, ns) in ENDINGS.iter().zip(figures).filter_map(|(ending, ns)| Some((ending, ns?))) {
        test[format!("aggregated{name}{ending}")] = json!(ns / unit_ns);
    }
}

/// Rates a second in place of the means, and the end-to-end figures that a second has, without the warm-up.
fn put_series(test: &mut Value, series: &Series, workload: &Workload) {
    let warmup = workload.phase_secs("warmup");
    let measured_from = series.t_secs.iter().position(|t_secs| *t_secs > warmup).unwrap_or(series.t_secs.len());
    let record_bytes = f64::from((workload.record_bytes + workload.key_bytes.unwrap_or(0)).max(1));
    for (field, column) in
        [("publishRate", &series.achieved_bytes_per_s), ("consumeRate", &series.consumed_bytes_per_s)]
    {
        if let Some(rates) = measured(column, measured_from) {
            test[field] = json!(rates.iter().map(|bytes| bytes / record_bytes).collect::<Vec<f64>>());
        }
    }
    for (field, column) in [
        ("endToEndLatency50pct", &series.end_to_end_p50_ns),
        ("endToEndLatency99pct", &series.end_to_end_p99_ns),
        ("endToEndLatencyMax", &series.end_to_end_max_ns),
    ] {
        if let Some(values) = measured(column, measured_from) {
            let ms = values.iter().map(|ns| *ns as f64 / NANOSECONDS_PER_MILLISECOND);
            test[field] = json!(ms.collect::<Vec<f64>>());
        }
    }
}

/// A column of the measured window. A second without a value is a gap to us, but the tool's lists have none.
fn measured<T: Copy>(column: &[Option<T>], from: usize) -> Option<Vec<T>> {
    column.get(from..)?.iter().copied().collect::<Option<Vec<T>>>().filter(|values| !values.is_empty())
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
