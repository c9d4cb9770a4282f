//! Result JSON of the `OpenMessaging` Benchmark (`TestResult.java`): publish and end-to-end latencies in milliseconds,
//! publish delay in microseconds, one rate a period.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Refusal;
use super::source::{Source, latency, name, stream};
use crate::result::RunResult;

const NANOSECONDS_PER_MILLISECOND: f64 = 1e6;
const NANOSECONDS_PER_MICROSECOND: f64 = 1e3;

/// What is read of the file; forks add fields and leave others out.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TestResult {
    workload: Option<String>,
    driver: Option<String>,
    message_size: Option<u32>,
    topics: Option<u32>,
    partitions: Option<u32>,
    producers_per_topic: Option<u32>,
    consumers_per_topic: Option<u32>,
    publish_rate: Vec<f64>,
    #[serde(default)]
    publish_error_rate: Vec<f64>,
    #[serde(default)]
    consume_rate: Vec<f64>,
    #[serde(default)]
    aggregated_publish_latency_quantiles: BTreeMap<String, f64>,
    #[serde(default)]
    aggregated_publish_delay_latency_quantiles: BTreeMap<String, f64>,
    #[serde(default)]
    aggregated_end_to_end_latency_quantiles: BTreeMap<String, f64>,
    /// The scalars whose names are put together from a latency and a percentile.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// The file as a result.
pub(super) fn read(source: &Source) -> Result<RunResult, Refusal> {
    let test: TestResult = serde_json::from_slice(source.bytes)
        .map_err(|error| Refusal::new(format!("not a result of the OpenMessaging Benchmark: {error}")))?;
    let Some(bytes) = test.message_size else {
        return Err(Refusal::new("not a result of the OpenMessaging Benchmark: it has no messageSize"));
    };
    if test.publish_rate.is_empty() {
        return Err(Refusal::new("publishRate has no period: the run ended before the first one"));
    }
    let mut notes = notes(&test);
    let mut publish = Map::new();
    let figures = |name: &str, quantiles, unit_ns| test.latency(name, quantiles, unit_ns);
    publish.extend(
        figures("PublishLatency", &test.aggregated_publish_latency_quantiles, NANOSECONDS_PER_MILLISECOND)?
            .map(|latency| ("service".into(), latency)),
    );
    publish.extend(
        figures("PublishDelayLatency", &test.aggregated_publish_delay_latency_quantiles, NANOSECONDS_PER_MICROSECOND)?
            .map(|latency| ("lag".into(), latency)),
    );
    let end_to_end =
        figures("EndToEndLatency", &test.aggregated_end_to_end_latency_quantiles, NANOSECONDS_PER_MILLISECOND)?;
    let rate = mean("publishRate", &test.publish_rate)?;
    let mut known = json!({"summary": {"produce": stream(rate, rate * f64::from(bytes), &publish.into())?}});
    if test.consume_rate.iter().any(|rate| *rate > 0.0) {
        let rate = mean("consumeRate", &test.consume_rate)?;
        let latencies: Map<String, Value> = end_to_end.into_iter().map(|one| ("end_to_end".into(), one)).collect();
        known["summary"]["consume"] = stream(rate, rate * f64::from(bytes), &latencies.into())?;
    }
    known["workload"] = test.workload_fields(bytes);
    if let Some(workload) = &test.workload {
        known["suite"] = json!(name(workload));
    }
    if let Some(driver) = &test.driver {
        known["label"] = json!(name(driver));
        notes.push(format!("The label is the name of the driver, {:?}; the product is not told.", name(driver)));
    }
    source.result("openmessaging-benchmark", None, known, &notes)
}

impl TestResult {
    fn workload_fields(&self, bytes: u32) -> Value {
        let mut fields = json!({"record_bytes": bytes});
        if let Some(topics) = self.topics {
            fields["topics"] = json!(topics);
            if let Some(producers) = self.producers_per_topic.and_then(|each| each.checked_mul(topics)) {
                fields["producers"] = json!(producers);
            }
        }
        if let Some(partitions) = self.partitions {
            fields["partitions"] = json!(partitions);
        }
        fields
    }

    /// The aggregated figures of a latency; zero as the largest says that it was not measured.
    fn latency(&self, name: &str, quantiles: &BTreeMap<String, f64>, unit_ns: f64) -> Result<Option<Value>, Refusal> {
        let scalar = |ending: &str| self.rest.get(&format!("aggregated{name}{ending}")).and_then(Value::as_f64);
        if scalar("Max").is_none_or(|max| max == 0.0) {
            return Ok(None);
        }
        let figures = [
            ("mean_ns", scalar("Avg")),
            ("p50_ns", scalar("50pct")),
            ("p75_ns", scalar("75pct")),
            ("p90_ns", quantiles.get("90.0").or_else(|| quantiles.get("90")).copied()),
            ("p95_ns", scalar("95pct")),
            ("p99_ns", scalar("99pct")),
            ("p99_9_ns", scalar("999pct")),
            ("p99_99_ns", scalar("9999pct")),
            ("max_ns", scalar("Max")),
        ];
        latency(name, unit_ns, None, &figures).map(|fields| Some(Value::Object(fields)))
    }
}

fn notes(test: &TestResult) -> Vec<String> {
    let mut notes = vec![
        "Service latency is the tool's publish latency: from the send call, linger and the client's queue included, \
         to the answer. Lag is its publish delay: from the intended time to that call."
            .into(),
        "Rates are means over the periods of the file, whose length it does not tell. How many records a percentile \
         rests on is unknown."
            .into(),
        "End-to-end latency takes the clocks of producers and consumers, whose offset is unknown; values that came out \
         negative were dropped by the tool."
            .into(),
    ];
    let silent = test.publish_rate.iter().filter(|rate| **rate == 0.0).count();
    if silent > 0 {
        notes.push(format!("Nothing was published in {silent} of {} periods.", test.publish_rate.len()));
    }
    let failing = test.publish_error_rate.iter().filter(|rate| **rate > 0.0).count();
    if failing > 0 {
        notes.push(format!("Publishing failed in {failing} of {} periods.", test.publish_error_rate.len()));
    }
    if let Some(consumers) = test.consumers_per_topic {
        notes.push(format!("{consumers} consumers a topic and subscription; how many subscriptions is not told."));
    }
    notes
}

fn mean(name: &str, rates: &[f64]) -> Result<f64, Refusal> {
    match rates.iter().position(|rate| !rate.is_finite() || *rate < 0.0) {
        Some(period) => Err(Refusal::new(format!("{name}[{period}] is {}, which is no rate", rates[period]))),
        None => Ok(rates.iter().sum::<f64>() / rates.len().max(1) as f64),
    }
}
