//! Output of kafka-producer-perf-test: the line of totals, the steady one where a warm-up was asked for.

use serde_json::json;

use super::Refusal;
use super::source::{Source, latency, number_before, stream};
use crate::result::RunResult;

const NANOSECONDS_PER_MILLISECOND: f64 = 1e6;
/// The tool's MB are binary.
const BYTES_PER_MEGABYTE: f64 = 1_048_576.0;

/// The tool keeps so many latencies and takes its percentiles from them.
const SAMPLED_MAX: u64 = 500_000;

/// The totals as a result.
pub(super) fn read(source: &Source) -> Result<RunResult, Refusal> {
    let line = totals(source.text()?)?;
    let number = |unit: &str| {
        number_before(line, unit).ok_or_else(|| {
            Refusal::new(format!(
                "the line of totals has no number before{unit:?} (with a decimal comma, run the tool in English)"
            ))
        })
    };
    // With a warm-up the words are `steady state records sent`.
    let sent = line.split_whitespace().next().and_then(|word| word.parse::<u64>().ok());
    let records = sent.filter(|records| *records > 0);
    let records = records.ok_or_else(|| Refusal::new("the line of totals does not begin with a count of records"))?;
    let (rate, megabytes) = (number(" records/sec")?, number(" MB/sec")?);
    let mut service = latency(
        "latency",
        NANOSECONDS_PER_MILLISECOND,
        Some(records.min(SAMPLED_MAX)),
        &[
            ("mean_ns", Some(number(" ms avg latency")?)),
            ("p50_ns", Some(number(" ms 50th")?)),
            ("p95_ns", Some(number(" ms 95th")?)),
            ("p99_ns", Some(number(" ms 99th")?)),
            ("p99_9_ns", Some(number(" ms 99.9th")?)),
            ("max_ns", Some(number(" ms max latency")?)),
        ],
    )?;
    service.insert("n".into(), json!(records));
    let mut produce = stream(rate, megabytes * BYTES_PER_MEGABYTE, &json!({"service": service}))?;
    produce["records"] = json!(records);
    let mut known = json!({"summary": {"produce": produce}});
    if rate > 0.0 {
        known["summary"]["measured_secs"] = json!(records as f64 / rate);
    }
    let mut notes = vec![
        "Latency counts from the call of send(), not from an intended time: what waits for the rate limit or for a \
         blocked send() of an earlier record is not in it (coordinated omission); linger and the client's queue are."
            .into(),
        "The clock of the tool has a resolution of 1 ms, so percentiles are whole milliseconds; above 500,000 records \
         they come from a sample of them."
            .into(),
        "Failed records are on the tool's standard error and not in this output.".into(),
    ];
    if !line.contains("steady state") {
        notes.push("The figures include the start: connections, metadata and the first batches.".into());
    }
    source.result("kafka-producer-perf-test", None, known, &notes)
}

/// The last line with percentiles. Lines of a window have none.
fn totals(text: &str) -> Result<&str, Refusal> {
    let mut totals = None;
    let mut windows = 0;
    for line in text.lines().filter(|line| line.contains(" records sent, ")) {
        if line.contains(" ms 99.9th") {
            totals = Some(line.trim());
        } else {
            windows += 1;
        }
    }
    totals.ok_or_else(|| match windows {
        0 => Refusal::new("no line like `1000 records sent, ...`: this is not an output of kafka-producer-perf-test"),
        _ => {
            Refusal::new(format!("{windows} lines of windows and none of totals: the tool was stopped before its end"))
        }
    })
}
