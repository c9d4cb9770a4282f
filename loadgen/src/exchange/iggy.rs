//! report.json of iggy-bench: parameters and the summary of each group of actors.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Refusal;
use super::source::{Source, latency, name, stream};
use crate::result::{RunResult, parse_utc_timestamp};

const NANOSECONDS_PER_MILLISECOND: f64 = 1e6;
const BYTES_PER_MEGABYTE: f64 = 1e6;

#[derive(Deserialize)]
struct Report {
    timestamp: String,
    #[serde(default)]
    server_stats: ServerStats,
    params: Params,
    group_metrics: Vec<Group>,
    individual_metrics: Vec<Individual>,
}

#[derive(Default, Deserialize)]
struct ServerStats {
    #[serde(default)]
    iggy_server_version: Option<String>,
}

#[derive(Deserialize)]
struct Params {
    #[serde(default)]
    transport: Value,
    server_address: String,
    #[serde(default)]
    gitref: Option<String>,
    message_size: Value,
    producers: u32,
    consumers: u32,
    streams: u32,
    partitions: u32,
    #[serde(default)]
    rate_limit: Option<String>,
    bench_command: String,
    #[serde(default)]
    pretty_name: String,
}

#[derive(Deserialize)]
struct Group {
    summary: GroupSummary,
}

#[derive(Deserialize)]
struct GroupSummary {
    kind: String,
    total_throughput_megabytes_per_second: f64,
    total_throughput_messages_per_second: f64,
    average_p50_latency_ms: f64,
    average_p90_latency_ms: f64,
    average_p95_latency_ms: f64,
    average_p99_latency_ms: f64,
    average_p999_latency_ms: f64,
    average_p9999_latency_ms: f64,
    average_latency_ms: f64,
}

#[derive(Deserialize)]
struct Individual {
    summary: IndividualSummary,
}

#[derive(Deserialize)]
struct IndividualSummary {
    actor_kind: Value,
    total_time_secs: f64,
    total_user_data_bytes: u64,
    total_messages: u64,
    #[serde(default)]
    total_message_batches: u64,
}

/// The groups of producers and of consumers as the streams of a result.
pub(super) fn read(source: &Source) -> Result<RunResult, Refusal> {
    let report: Report = serde_json::from_slice(source.bytes)
        .map_err(|error| Refusal::new(format!("not a report.json of iggy-bench: {error}")))?;
    let mut notes = vec![
        "Latency counts from the call of each batch: what waits for the rate limit or for an earlier batch is not in it \
         (coordinated omission). A consumer's latency is that of its polls."
            .into(),
        "Rates are the tool's means of smoothed series. Smallest and largest latency are left out: the tool takes them \
         from averaged samples."
            .into(),
    ];
    let mut known = parameters(&report, &mut notes);
    let mut longest = 0.0_f64;
    for group in &report.group_metrics {
        let (stream, actor) = match group.summary.kind.as_str() {
            "producers" => ("produce", "producer"),
            "consumers" => ("consume", "consumer"),
            // The sum of the two groups above, which are there themselves.
            "producers_and_consumers" => continue,
            kind => {
                return Err(Refusal::new(format!(
                    "group {kind:?} counts sent and received messages as one figure, for which a result has no place"
                )));
            }
        };
        let actors: Vec<&IndividualSummary> = report
            .individual_metrics
            .iter()
            .map(|one| &one.summary)
            .filter(|one| one.actor_kind.as_str().is_some_and(|kind| kind.eq_ignore_ascii_case(actor)))
            .collect();
        longest = actors.iter().map(|one| one.total_time_secs).fold(longest, f64::max);
        known["summary"][stream] = group_stream(&group.summary, &actors, &mut notes)?;
    }
    if known["summary"].is_null() {
        return Err(Refusal::new("the report has no group of producers or consumers"));
    }
    if longest > 0.0 {
        known["summary"]["measured_secs"] = json!(longest);
    }
    let version = report.params.gitref.as_deref().map(name).filter(|version| !version.is_empty());
    source.result("iggy-bench", version, known, &notes)
}

fn parameters(report: &Report, notes: &mut Vec<String>) -> Value {
    let params = &report.params;
    let mut known = json!({
        "command": [params.bench_command],
        "target": {"product": "iggy", "bootstrap": name(&params.server_address)},
        "workload": {
            "topics": params.streams, "partitions": params.partitions,
            "producers": params.producers, "consumers": params.consumers,
        },
    });
    if let Some(version) = &report.server_stats.iggy_server_version {
        known["target"]["version"] = json!(name(version));
    }
    if let Some(bytes) = params.message_size.as_u64().and_then(|bytes| u32::try_from(bytes).ok()) {
        known["workload"]["record_bytes"] = json!(bytes);
    }
    match &params.rate_limit {
        None => {
            known["workload"]["arrival"] = json!({"kind": "closed-loop"});
            known["quality"]["closed_loop"] = json!(true);
        }
        Some(limit) => notes.push(format!("The rate was limited to {}.", name(limit))),
    }
    if let Some(ended) = utc(&report.timestamp) {
        known["ended_utc"] = json!(ended);
    }
    let transport = params.transport.as_str().unwrap_or("an unknown transport");
    notes.push(format!("{} over {}.", name(&params.pretty_name), name(transport)));
    known
}

fn group_stream(
    summary: &GroupSummary,
    actors: &[&IndividualSummary],
    notes: &mut Vec<String>,
) -> Result<Value, Refusal> {
    let mut latencies = Map::new();
    if let [one] = actors {
        let mut service = latency(
            &summary.kind,
            NANOSECONDS_PER_MILLISECOND,
            // One latency a batch; older reports do not tell how many there were.
            Some(one.total_message_batches).filter(|batches| *batches > 0),
            &[
                ("mean_ns", Some(summary.average_latency_ms)),
                ("p50_ns", Some(summary.average_p50_latency_ms)),
                ("p90_ns", Some(summary.average_p90_latency_ms)),
                ("p95_ns", Some(summary.average_p95_latency_ms)),
                ("p99_ns", Some(summary.average_p99_latency_ms)),
                ("p99_9_ns", Some(summary.average_p999_latency_ms)),
                ("p99_99_ns", Some(summary.average_p9999_latency_ms)),
            ],
        )?;
        service.insert("n".into(), json!(one.total_messages));
        if one.total_message_batches > 0 {
            service.insert("n_batches".into(), json!(one.total_message_batches));
        }
        latencies.insert("service".into(), Value::Object(service));
    } else {
        notes.push(format!(
            "Latencies of the {} {} are left out: the report has means of their percentiles, which are no percentiles.",
            actors.len(),
            summary.kind,
        ));
    }
    let (records_per_s, megabytes_per_s) =
        (summary.total_throughput_messages_per_second, summary.total_throughput_megabytes_per_second);
    let mut stream = stream(records_per_s, megabytes_per_s * BYTES_PER_MEGABYTE, &latencies.into())?;
    if !actors.is_empty() {
        let sum =
            |of: fn(&IndividualSummary) -> u64| actors.iter().try_fold(0_u64, |sum, one| sum.checked_add(of(one)));
        let too_many = || Refusal::new("the actors' messages or bytes exceed 64 bits");
        stream["records"] = json!(sum(|one| one.total_messages).ok_or_else(too_many)?);
        stream["bytes"] = json!(sum(|one| one.total_user_data_bytes).ok_or_else(too_many)?);
    }
    Ok(stream)
}

/// RFC 3339 in UTC with whole seconds, from one with a fraction or `+00:00`.
fn utc(text: &str) -> Option<String> {
    let seconds = format!("{}Z", text.get(..19)?);
    let rest = text.get(19..)?.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    (matches!(rest, "Z" | "+00:00") && parse_utc_timestamp(&seconds).is_some()).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_times_of_utc_are_taken_over() {
        assert_eq!(utc("2025-05-09T07:11:42.123456+00:00"), Some("2025-05-09T07:11:42Z".into()));
        assert_eq!(utc("2025-05-09T07:11:42Z"), Some("2025-05-09T07:11:42Z".into()));
        assert_eq!(utc("2025-05-09T07:11:42+02:00"), None);
        assert_eq!(utc("yesterday"), None);
    }
}
