//! Input of github-action-benchmark's `customSmallerIsBetter` and `customBiggerIsBetter`: a list of named values.

use serde_json::{Value, json};

use super::subject::subjects;
use super::{Better, Refusal};
use crate::result::RunResult;

/// The medians of the repeats that improve in one direction, since the tool takes one a file.
pub(super) fn write(results: &[RunResult], better: Better) -> Result<String, Refusal> {
    let mut entries: Vec<Value> = Vec::new();
    for subject in subjects(results) {
        for spread in subject.figures.iter().filter(|spread| spread.median.better == better) {
            let figure = &spread.median;
            let mut entry = json!({
                "name": format!("{}: {}", subject.name, figure.name),
                "unit": figure.unit,
                "value": figure.value,
                "extra": if subject.repeats > 1 { format!("median of {} runs", subject.repeats) } else { "one run".into() },
            });
            if subject.repeats > 1 {
                entry["range"] = json!(format!("{} to {}", spread.min, spread.max));
            }
            entries.push(entry);
        }
    }
    if entries.is_empty() {
        return Err(Refusal::new("no figure to write: every run failed or measured nothing in this direction"));
    }
    Ok(serde_json::to_string_pretty(&entries)? + "\n")
}
