//! Bencher Metric Format: benchmark -> measure -> value with its lower and upper bound.

use serde_json::{Map, Value, json};

use super::Refusal;
use super::subject::subjects;
use crate::result::RunResult;

/// Longest name of a benchmark that Bencher takes, in characters.
const BENCHMARK_NAME_MAX: usize = 1_024;

/// Medians of the repeats; the bounds are the smallest and the largest repeat.
pub(super) fn write(results: &[RunResult]) -> Result<String, Refusal> {
    let mut benchmarks = Map::new();
    for subject in subjects(results) {
        let mut measures = Map::new();
        for spread in &subject.figures {
            let figure = &spread.median;
            let mut metric = json!({"value": figure.value});
            if subject.repeats > 1 {
                metric["lower_value"] = json!(spread.min);
                metric["upper_value"] = json!(spread.max);
            }
            measures.insert(format!("{} ({})", figure.name.replace('_', " "), figure.unit), metric);
        }
        let name: String = subject.name.chars().take(BENCHMARK_NAME_MAX).collect();
        benchmarks.insert(name, Value::Object(measures));
    }
    if benchmarks.is_empty() {
        return Err(Refusal::new("no figure to write: every run failed"));
    }
    Ok(serde_json::to_string_pretty(&benchmarks)? + "\n")
}
