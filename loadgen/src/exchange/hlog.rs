//! `HdrHistogram` interval log: the histograms of the measured window, each under its name as the tag.

use std::time::{Duration, SystemTime};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use super::Refusal;
use crate::result::{RunResult, decode_histogram};

/// The third column of a line, for people, is in milliseconds.
const NANOSECONDS_PER_MILLISECOND: f64 = 1e6;

/// One line a histogram. Intervals count from the start of the run, which the log names when the result does.
pub(super) fn write(result: &RunResult) -> Result<String, Refusal> {
    if result.histograms.is_empty() {
        return Err(Refusal::new(format!("result {} has no histograms to write", result.id)));
    }
    let mut builder = IntervalLogWriterBuilder::new();
    builder.with_max_value_divisor(NANOSECONDS_PER_MILLISECOND);
    let remark = format!("result {}; values are nanoseconds, the maximum column is milliseconds", result.id);
    builder.add_comment(&remark.replace(['\r', '\n'], " "));
    if let Some(started) = crate::result::parse_utc_timestamp(&result.started_utc) {
        builder.with_base_time(SystemTime::UNIX_EPOCH + started).with_start_time(SystemTime::UNIX_EPOCH + started);
    }
    let warmup = duration(result.workload.phase_secs("warmup"));
    let measured = duration(result.summary.measured_secs);
    let (mut bytes, mut serializer) = (Vec::new(), V2DeflateSerializer::new());
    let mut log = builder.begin_log_with(&mut bytes, &mut serializer)?;
    for (name, text) in &result.histograms {
        let histogram = decode_histogram(text).map_err(|error| Refusal::new(format!("histograms.{name}: {error}")))?;
        let tag = Tag::new(name).ok_or_else(|| Refusal::new(format!("histogram name {name:?} cannot be a tag")))?;
        log.write_histogram(&histogram, warmup, measured, Some(tag))
            .map_err(|error| Refusal::new(format!("histograms.{name}: {error}")))?;
    }
    String::from_utf8(bytes).map_err(|error| Refusal::new(error.to_string()))
}

fn duration(secs: f64) -> Duration {
    Duration::try_from_secs_f64(secs).unwrap_or_default()
}
