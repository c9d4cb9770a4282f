//! Comma-separated values (RFC 4180): a header, then one row a result. What was not measured is an empty cell.

use super::subject::{durability, flags, side};
use super::{Figure, figures};
use crate::result::{RunResult, Verdict};

/// The table of all results. Columns are those that any of them has.
pub(super) fn write(results: &[RunResult]) -> String {
    let rows: Vec<Vec<Figure>> = results.iter().map(figures).collect();
    let mut columns: Vec<String> = Vec::new();
    for figure in rows.iter().flatten() {
        let column = column(figure);
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    let mut text = String::new();
    push_row(&mut text, IDENTITY.iter().map(ToString::to_string).chain(columns.iter().cloned()));
    for (result, figures) in results.iter().zip(&rows) {
        let values = columns.iter().map(|wanted| {
            figures.iter().find(|figure| column(figure) == *wanted).map_or_else(String::new, |f| f.value.to_string())
        });
        push_row(&mut text, identity(result).into_iter().chain(values));
    }
    text
}

const IDENTITY: [&str; 15] = [
    "id",
    "kind",
    "side",
    "suite",
    "repeat",
    "durability",
    "workload_id",
    "series_key",
    "started_utc",
    "measured_secs",
    "record_bytes",
    "partitions",
    "offered_records_per_s",
    "integrity",
    "quality",
];

fn identity(result: &RunResult) -> [String; 15] {
    let known = |path, value: String| if result.knows(path) { value } else { String::new() };
    let workload = &result.workload;
    [
        result.id.clone(),
        plain(&result.kind),
        side(result),
        result.suite.clone().unwrap_or_default(),
        result.repeat.map_or_else(String::new, |repeat| repeat.index.to_string()),
        durability(result).into(),
        result.workload_id.clone(),
        result.series_key.clone(),
        result.started_utc.clone(),
        known("summary.measured_secs", result.summary.measured_secs.to_string()),
        known("workload.record_bytes", workload.record_bytes.to_string()),
        known("workload.partitions", workload.partitions.to_string()),
        workload.arrival.records_per_s.map_or_else(String::new, |rate| rate.to_string()),
        verdict(result.integrity.verdict).into(),
        flags(result).join(" "),
    ]
}

/// The verdict as the result file spells it.
pub(super) fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Incomplete => "incomplete",
        Verdict::NotChecked => "not-checked",
    }
}

/// The word that the result file has for a value.
fn plain(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn column(figure: &Figure) -> String {
    let unit = figure.unit.replace("/s", "_per_s").replace("s/GB", "s_per_gb").replace('B', "bytes");
    format!("{}_{unit}", figure.name)
}

fn push_row(text: &mut String, cells: impl Iterator<Item = String>) {
    let cells: Vec<String> = cells.map(|cell| quoted(&cell)).collect();
    text.push_str(&cells.join(","));
    text.push_str("\r\n");
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\r', '\n']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_with_separators_and_quotes_stay_one_cell() {
        let mut text = String::new();
        push_row(&mut text, ["a,b", "say \"hi\"", "plain", ""].map(String::from).into_iter());
        assert_eq!(text, "\"a,b\",\"say \"\"hi\"\"\",plain,\r\n");
    }
}
