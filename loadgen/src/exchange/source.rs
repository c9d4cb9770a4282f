//! The output of another tool under bounds, and what all readers of such outputs do alike.

use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::figure::PERCENTILES;
use crate::result::{Imported, RunResult, fnv1a};

/// Longest latency that is believed: a day.
const LATENCY_NS_MAX: f64 = 86_400e9;
/// Highest rate that is believed, in records or bytes a second.
const RATE_MAX: f64 = 1e13;
/// Longest name that is taken from a source, in characters.
const NAME_CHARS_MAX: usize = 200;

/// Why a file cannot be exchanged, in one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(String);

impl Refusal {
    /// What is wrong and what to do, in one line.
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into().replace(['\r', '\n'], " "))
    }
}

impl From<serde_json::Error> for Refusal {
    fn from(error: serde_json::Error) -> Self {
        Self::new(error.to_string())
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Self::new(error.to_string())
    }
}

/// What the caller knows and the source does not say.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// What a comparison calls this side.
    pub label: Option<String>,
    /// What was measured.
    pub product: Option<String>,
    /// Its version.
    pub product_version: Option<String>,
}

/// Reads at most `bytes_max`; a longer file is refused before it takes memory.
pub fn read_bounded(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Refusal> {
    let file = std::fs::File::open(path)?;
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(Refusal::new(format!("longer than {bytes_max} bytes, which no output of this kind is")));
    }
    Ok(bytes)
}

/// An output with what the caller added.
pub(super) struct Source<'a> {
    pub bytes: &'a [u8],
    given: &'a Given,
}

impl<'a> Source<'a> {
    pub fn new(bytes: &'a [u8], given: &'a Given) -> Self {
        Self { bytes, given }
    }

    pub fn text(&self) -> Result<&'a str, Refusal> {
        std::str::from_utf8(self.bytes).map_err(|error| Refusal::new(format!("not text: {error}")))
    }

    /// The result of what is known, an object. `notes` tell what the figures are and what they are not.
    pub fn result(
        &self,
        tool: &str,
        version: Option<String>,
        mut known: Value,
        notes: &[String],
    ) -> Result<RunResult, Refusal> {
        let hash = format!("{:016x}", fnv1a(self.bytes));
        known["id"] = json!(format!("imported-{hash}"));
        known["quality"]["notes"] = json!(notes);
        let given = self.given;
        let fields = [("product", &given.product), ("version", &given.product_version)];
        for (field, value) in fields.iter().filter_map(|(field, value)| Some((field, value.as_ref()?))) {
            known["target"][*field] = json!(value);
        }
        if let Some(label) = &given.label {
            known["label"] = json!(label);
        }
        let imported = Imported {
            tool: tool.into(),
            tool_version: version,
            source_hash: hash,
            importer_version: env!("CARGO_PKG_VERSION").into(),
            unknown: Vec::new(),
        };
        Ok(RunResult::from_known(known, imported)?)
    }
}

/// One stream: what a tool calls its rate is both achieved and good, since it counts nothing else.
pub(super) fn stream(records_per_s: f64, bytes_per_s: f64, latency: &Value) -> Result<Value, Refusal> {
    for (unit, rate) in [("records", records_per_s), ("bytes", bytes_per_s)] {
        if !(0.0..=RATE_MAX).contains(&rate) {
            return Err(Refusal::new(format!("a rate of {rate} {unit} a second is none")));
        }
    }
    let rate = json!({"records_per_s": records_per_s, "bytes_per_s": bytes_per_s});
    Ok(json!({"achieved": rate, "goodput": rate, "latency": latency}))
}

/// A latency of the figures that are there, in units of `unit_ns`. The figures but the mean must rise in the given
/// order; one that does not tells that the file is not what it seems. A percentile that `samples` do not carry, if
/// their number is known, is left out as in results of our own.
pub(super) fn latency(
    name: &str,
    unit_ns: f64,
    samples: Option<u64>,
    figures: &[(&str, Option<f64>)],
) -> Result<Map<String, Value>, Refusal> {
    let mut fields = Map::new();
    let mut last = ("", 0.0);
    for (field, value) in figures.iter().filter_map(|(field, value)| Some((*field, (*value)?))) {
        let ns = value * unit_ns;
        if !(0.0..=LATENCY_NS_MAX).contains(&ns) {
            return Err(Refusal::new(format!("{name}: {field} of {value} is no latency")));
        }
        if field == "mean_ns" {
            fields.insert(field.into(), json!(ns));
            continue;
        }
        if ns < last.1 {
            return Err(Refusal::new(format!("{name}: {field} lies below {}; percentiles must rise", last.0)));
        }
        last = (field, ns);
        let percentile = PERCENTILES.iter().find(|(_, ending)| field == format!("{}_ns", ending.replace('.', "_")));
        if percentile.zip(samples).is_some_and(|((percentile, _), samples)| !percentile.is_carried_by(samples)) {
            continue;
        }
        fields.insert(field.into(), json!(ns.round() as u64));
    }
    Ok(fields)
}

/// A name of a source, cut where no name is as long.
pub(super) fn name(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect()
}

/// The last number before `unit` in `text`, as in `12.5 ms avg latency`.
pub(super) fn number_before(text: &str, unit: &str) -> Option<f64> {
    let (before, _) = text.split_once(unit)?;
    let start = before.rfind(|c: char| !c.is_ascii_digit() && c != '.' && c != '-').map_or(0, |at| at + 1);
    // A decimal comma would leave the fraction as the number.
    if before[..start].strip_suffix(',').is_some_and(|whole| whole.ends_with(|c: char| c.is_ascii_digit())) {
        return None;
    }
    before[start..].parse::<f64>().ok().filter(|value| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_before_their_unit() {
        let line = "100 records sent, 99.5 records/sec (0.10 MB/sec), 3.25 ms avg latency, 7 ms 50th";
        assert_eq!(number_before(line, " records/sec"), Some(99.5));
        assert_eq!(number_before(line, " MB/sec"), Some(0.1));
        assert_eq!(number_before(line, " ms 50th"), Some(7.0));
        assert_eq!(number_before(line, " ms 99th"), None);
        assert_eq!(number_before("NaN records/sec", " records/sec"), None);
        assert_eq!(number_before("100 records sent, 4132,5 records/sec", " records/sec"), None, "a decimal comma");
    }

    #[test]
    fn percentiles_that_fall_and_latencies_of_days_are_refused() {
        let falling = latency("service", 1e6, None, &[("p50_ns", Some(4.0)), ("p99_ns", Some(3.0))]);
        assert!(falling.expect_err("3 is below 4").to_string().contains("p99_ns lies below p50_ns"));
        for wrong in [-1.0, f64::NAN, f64::INFINITY, 1e12] {
            assert!(latency("service", 1e6, None, &[("max_ns", Some(wrong))]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn percentiles_that_the_samples_do_not_carry_are_left_out() {
        let figures = [("p50_ns", Some(1.0)), ("p99_ns", Some(2.0)), ("p99_9_ns", Some(3.0)), ("max_ns", Some(4.0))];
        let names = |samples| -> Vec<String> {
            latency("service", 1e6, samples, &figures).expect("they rise").into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(names(Some(1_000)), ["max_ns", "p50_ns", "p99_ns"]);
        assert_eq!(names(None).len(), 4, "how many there were is unknown");
    }
}
