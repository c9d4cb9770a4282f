//! `index.json`: a light list of every result, without series and histograms, the same bytes for the same files.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::{ResultFile, read, walk};
use crate::exchange::Refusal;
use crate::result::{Kind, Latency, Rate, Repeat, RunResult, Verdict};

/// Name of the index in the folder.
pub const INDEX_FILE: &str = "index.json";

/// One result in short. Absent is what was not measured or not told.
#[derive(Serialize)]
struct Entry<'a> {
    path: &'a str,
    /// Of the file: a rewritten one shows.
    bytes: u64,
    hash: &'a str,
    id: &'a str,
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suite: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repeat: Option<Repeat>,
    workload_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    series_key: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    tags: &'a [String],
    #[serde(skip_serializing_if = "str::is_empty")]
    started_utc: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    product: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    durability: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    produce: Option<Headline>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consume: Option<Headline>,
    #[serde(skip_serializing_if = "Option::is_none")]
    broker_cpu_s_per_gb: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    broker_rss_max_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    integrity: Option<Verdict>,
    /// As the file has it, without the sentences.
    #[serde(skip_serializing_if = "Value::is_null")]
    quality: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

/// The figures of a stream that a list shows.
#[derive(Serialize)]
struct Headline {
    goodput: Rate,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_p50_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_p99_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_to_end_p50_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_to_end_p99_ns: Option<u64>,
}

/// The text of the index of a folder. A file that is no result is not listed; `check` tells of it.
pub fn index_text(folder: &Path) -> Result<String, Refusal> {
    // A line a result, so that version control shows which ones came.
    let mut lines = Vec::new();
    for found in walk::result_files(folder)? {
        if let Ok(file) = read(folder, &found) {
            lines.push(serde_json::to_string(&entry(&file))?);
        }
    }
    Ok(format!("[\n{}\n]\n", lines.join(",\n")))
}

/// What the committed index of a folder lacks or has too much, in words; nothing when it is what it should be.
pub fn stale(committed: &str, fresh: &str) -> Vec<String> {
    if committed == fresh {
        return Vec::new();
    }
    let paths = |text: &str| -> Vec<(String, Value)> {
        let entries: Vec<Value> = serde_json::from_str(text).unwrap_or_default();
        entries.into_iter().map(|entry| (entry["path"].as_str().unwrap_or_default().to_owned(), entry)).collect()
    };
    let (old, new) = (paths(committed), paths(fresh));
    let find = |entries: &[(String, Value)], path: &str| entries.iter().find(|(other, _)| other == path).cloned();
    let mut words = Vec::new();
    for (path, entry) in &new {
        match find(&old, path) {
            None => words.push(format!("{path} is new")),
            Some((_, before)) if before["hash"] != entry["hash"] => {
                words.push(format!("{path} was rewritten: results are only added, tags and their notes aside"));
            }
            Some(_) => {}
        }
    }
    words.extend(old.iter().filter(|(path, _)| find(&new, path).is_none()).map(|(path, _)| format!("{path} is gone")));
    if words.is_empty() {
        words.push("it was written by another version, or by hand".into());
    }
    words
}

fn entry(file: &ResultFile) -> Entry<'_> {
    let result = &file.result;
    let broker = result.resources.broker.as_ref();
    let mut quality = file.written["quality"].clone();
    if let Some(fields) = quality.as_object_mut() {
        fields.remove("notes");
    }
    Entry {
        path: &file.place.path,
        bytes: file.bytes,
        hash: &file.hash,
        id: &result.id,
        kind: result.kind,
        label: result.label.as_deref(),
        suite: result.suite.as_deref(),
        repeat: result.repeat,
        workload_id: &result.workload_id,
        series_key: &result.series_key,
        tags: &result.tags,
        started_utc: &result.started_utc,
        product: &result.target.product,
        version: result.target.version.as_deref(),
        durability: result.knows("target.durability.acks").then(|| result.target.durability.label()),
        produce: headline(result, true),
        consume: headline(result, false),
        broker_cpu_s_per_gb: broker.and_then(|broker| broker.cpu_s_per_gb),
        broker_rss_max_bytes: broker.and_then(|broker| broker.rss_max_bytes),
        integrity: result.knows("integrity.verdict").then_some(result.integrity.verdict),
        quality,
        error: result.error.as_deref(),
    }
}

fn headline(result: &RunResult, of_produce: bool) -> Option<Headline> {
    let stream = if of_produce { &result.summary.produce } else { &result.summary.consume };
    let stream = stream.as_ref()?;
    let p50 = |latency: &Option<Latency>| latency.as_ref().and_then(|latency| latency.p50_ns);
    let p99 = |latency: &Option<Latency>| latency.as_ref().and_then(|latency| latency.p99_ns);
    Some(Headline {
        goodput: stream.goodput,
        response_p50_ns: p50(&stream.latency.response),
        response_p99_ns: p99(&stream.latency.response),
        end_to_end_p50_ns: p50(&stream.latency.end_to_end),
        end_to_end_p99_ns: p99(&stream.latency.end_to_end),
    })
}
