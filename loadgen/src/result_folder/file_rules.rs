//! Rules of one file that need no other: its format, its id, its dates, its machine, its tags.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::{Finding, ResultFile, Rule};
use crate::result::{Kind, RunResult, SCHEMA_VERSION, Verdict, parse_utc_timestamp};

/// Tags and what they promise: see results/README.md.
const TAGS: [&str; 6] = ["published", "tuned", "historical", "noisy", "failed", "retracted"];
/// Clocks of machines differ; a run that ends further ahead is from a wrong one.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(24 * 3_600);
/// First word of the note that says why a result was retracted.
const RETRACTION: &str = "Retracted";

/// Adds what breaks a rule.
pub(super) fn check(file: &ResultFile, now: SystemTime, findings: &mut Vec<Finding>) {
    let mut found = |rule, key: &str, what: String| findings.push(Finding::new(rule, &file.place.path, key, what));
    let result = &file.result;
    if result.schema_version != SCHEMA_VERSION {
        let what = format!("is {}, and this program knows {SCHEMA_VERSION}", result.schema_version);
        found(Rule::Format, "schema_version", what);
    }
    if let Ok(read) = serde_json::to_value(result) {
        compare("", &file.written, &read, &mut found);
    }
    if result.workload.id() != result.workload_id {
        let what =
            format!("is {}, but the load hashes to {}: one was edited", result.workload_id, result.workload.id());
        found(Rule::WorkloadId, "workload_id", what);
    }
    id(result, &mut found);
    dates(result, now, &mut found);
    if result.kind == Kind::Imported {
        if result.quality.notes.is_empty() {
            let what = "an imported result says what its figures are not: import it again";
            found(Rule::Format, "quality.notes", what.into());
        }
    } else {
        environment(result, &mut found);
        integrity(result, &mut found);
    }
    tags(result, &mut found);
}

/// What the file says beyond what was read of it: keys that nobody knows, and nulls where absence is meant.
fn compare(path: &str, written: &Value, read: &Value, found: &mut impl FnMut(Rule, &str, String)) {
    match (written, read) {
        (Value::Object(written), Value::Object(read)) => {
            for (name, value) in written {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                match read.get(name) {
                    Some(read) => compare(&path, value, read, found),
                    None if value.is_null() => {
                        found(Rule::Format, &path, "is null: what was not measured is absent, so delete it".into());
                    }
                    // An empty list or map reads as an absent one.
                    None if value.as_array().is_some_and(Vec::is_empty) => {}
                    None if value.as_object().is_some_and(serde_json::Map::is_empty) => {}
                    None => found(Rule::Format, &path, "is a key that this program does not know: a slip?".into()),
                }
            }
        }
        (Value::Array(written), Value::Array(read)) if written.len() == read.len() => {
            for (index, (written, read)) in written.iter().zip(read).enumerate() {
                compare(&format!("{path}[{index}]"), written, read, found);
            }
        }
        (Value::Number(written), Value::Number(read)) if written.as_f64() == read.as_f64() => {}
        (written, read) if written == read => {}
        _ => found(Rule::Format, path, "reads as another value than it is written".into()),
    }
}

fn id(result: &RunResult, found: &mut impl FnMut(Rule, &str, String)) {
    let is_hex = |text: &str, digits: usize| {
        text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    if let Some(imported) = &result.imported {
        if result.id != format!("imported-{}", imported.source_hash) || !is_hex(&imported.source_hash, 16) {
            found(Rule::Id, "id", "is not imported- and imported.source_hash: import the source again".into());
        }
        return;
    }
    if result.kind == Kind::Imported {
        found(Rule::Format, "imported", "is absent, so nobody knows what was imported".into());
        return;
    }
    let stamp: String = result.started_utc.chars().filter(char::is_ascii_alphanumeric).collect();
    let stamp = stamp.to_lowercase();
    let number = result.id.strip_prefix(&stamp).and_then(|rest| rest.strip_prefix('-'));
    if !number.is_some_and(|number| is_hex(number, 8)) {
        let what = format!("{:?} is not {stamp}- (of started_utc) and eight hexadecimal digits", result.id);
        found(Rule::Id, "id", what);
    }
}

fn dates(result: &RunResult, now: SystemTime, found: &mut impl FnMut(Rule, &str, String)) {
    let mut time = |key: &str, text: &str| {
        let time = parse_utc_timestamp(text);
        if time.is_none() && result.knows(key) {
            found(Rule::Dates, key, format!("{text:?} is no time like 2026-11-25T14:08:00Z"));
        }
        time
    };
    let times = (time("started_utc", &result.started_utc), time("ended_utc", &result.ended_utc));
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    if let Some(ahead) = times.1.and_then(|ended| ended.checked_sub(now)).filter(|ahead| *ahead > CLOCK_TOLERANCE) {
        let days = ahead.as_secs() / 86_400;
        found(Rule::Dates, "ended_utc", format!("lies {days} days ahead: set the clock and run again"));
    }
    let (Some(started), Some(ended)) = times else { return };
    match ended.checked_sub(started) {
        None => found(Rule::Dates, "ended_utc", "lies before started_utc".into()),
        // Times have whole seconds, so up to one is lost on either side.
        Some(took) if took.as_secs_f64() + 2.0 < result.summary.measured_secs => {
            let what =
                format!("{} s do not fit into the {} s of the run", result.summary.measured_secs, took.as_secs());
            found(Rule::Units, "summary.measured_secs", what);
        }
        Some(_) => {}
    }
}

fn environment(result: &RunResult, found: &mut impl FnMut(Rule, &str, String)) {
    if result.env.is_empty() {
        found(Rule::Environment, "env", "is empty: a figure without its machine says nothing".into());
    }
    if result.command.is_empty() {
        found(Rule::Environment, "command", "is empty: nobody can run this again".into());
    }
    for (index, host) in result.env.iter().enumerate() {
        let mut need = |is_there: bool, key: &str| {
            if !is_there {
                let what = "is not told: run again where the system tells it, or give the reason in exceptions.toml";
                found(Rule::Environment, &format!("env[{index}].{key}"), what.into());
            }
        };
        need(!host.kernel.is_empty(), "kernel");
        need(!host.architecture.is_empty(), "architecture");
        need(host.cores > 0, "cores");
        need(host.cpu_model.as_ref().is_some_and(|model| !model.is_empty()), "cpu_model");
        need(host.memory_bytes.is_some_and(|bytes| bytes > 0), "memory_bytes");
        need(host.clocksource.is_some(), "clocksource");
    }
}

fn integrity(result: &RunResult, found: &mut impl FnMut(Rule, &str, String)) {
    let has_failed = result.integrity.verdict != Verdict::Pass || result.error.is_some();
    let is_tagged = has_tag(result, "failed");
    if has_failed && !is_tagged {
        let what = "the run ended early or did not pass: tag it \"failed\", failures are data, or do not commit it";
        found(Rule::Integrity, "integrity.verdict", what.into());
    }
    if is_tagged && !has_failed {
        found(Rule::Tags, "tags", "\"failed\" stands on a run that passed".into());
    }
}

fn tags(result: &RunResult, found: &mut impl FnMut(Rule, &str, String)) {
    for tag in &result.tags {
        if !TAGS.contains(&tag.as_str()) {
            found(Rule::Tags, "tags", format!("{tag:?} is none of {}", TAGS.join(", ")));
        }
    }
    let has_reason = result.quality.notes.iter().any(|note| note.starts_with(RETRACTION));
    if has_tag(result, "retracted") && !has_reason {
        let what = format!("no note begins with {RETRACTION:?} and gives the reason");
        found(Rule::Tags, "quality.notes", what);
    }
    if !has_tag(result, "published") || has_tag(result, "retracted") {
        return;
    }
    let quality = &result.quality;
    let hindrances = [
        (result.kind == Kind::Imported, "kind", "imported results prove nothing of integrity"),
        (has_tag(result, "failed"), "tags", "failed runs are no figures"),
        (
            result.knows("loadgen.build_profile") && result.loadgen.build_profile != "release",
            "loadgen.build_profile",
            "only release builds are published",
        ),
        (quality.noisy && !has_tag(result, "noisy"), "quality.noisy", "tag it \"noisy\", or run it again"),
    ];
    for (_, key, what) in hindrances.iter().filter(|(hinders, ..)| *hinders) {
        found(Rule::Tags, key, format!("tagged \"published\": {what}"));
    }
}

pub(super) fn has_tag(result: &RunResult, tag: &str) -> bool {
    result.tags.iter().any(|one| one == tag)
}
