//! Table of `rdkafka_performance -u`: the last row, which holds the totals so far.

use serde_json::{Map, Value, json};

use super::Refusal;
use super::source::{Source, latency, stream};
use crate::result::RunResult;

const NANOSECONDS_PER_MILLISECOND: f64 = 1e6;
/// The tool divides bytes by microseconds.
const BYTES_PER_MEGABYTE: f64 = 1e6;

/// The last row as a result; the header tells whether it produced or consumed.
pub(super) fn read(source: &Source) -> Result<RunResult, Refusal> {
    let row = last_row(source.text()?)?;
    let elapsed_ms = row.get("elapsed")?;
    if elapsed_ms <= 0.0 {
        return Err(Refusal::new("the last row has no elapsed time: the tool was stopped before it began"));
    }
    let mut notes = vec![
        "Rates are those of the whole run, connections and the end of the queue included; no warm-up is cut off."
            .into(),
    ];
    let is_producer = row.has("dr_m/s");
    let stream = if is_producer { produced(&row, &mut notes)? } else { consumed(&row, &mut notes)? };
    let mut known = json!({"summary": {"measured_secs": elapsed_ms / 1_000.0}});
    known["summary"][if is_producer { "produce" } else { "consume" }] = stream;
    source.result("rdkafka_performance", None, known, &notes)
}

fn produced(row: &Row, notes: &mut Vec<String>) -> Result<Value, Refusal> {
    let (sent, delivered, failed) = (row.get("msgs")?, row.get("dr")?, row.get("dr_err")?);
    let mut latencies = Map::new();
    if let Some(service) = round_trip(row)? {
        latencies.insert("service".into(), Value::Object(service));
        notes.push(
            "Service latency is the mean round trip of librdkafka's requests in whole milliseconds, not of records."
                .into(),
        );
    }
    if let Some(response) = of_records(row)? {
        latencies.insert("response".into(), Value::Object(response));
        notes.push(
            "Response latency counts from the producer's call, which the tool puts off when its queue is full, not from an intended time."
                .into(),
        );
    }
    let mut produce = stream(row.get("dr_m/s")?, row.get("dr_MB/s")? * BYTES_PER_MEGABYTE, &latencies.into())?;
    produce["records"] = json!(delivered as u64);
    if (sent - delivered).abs() < 0.5 {
        produce["bytes"] = json!(row.get("bytes")? as u64);
    } else {
        notes.push(format!("{sent} records were handed over and {delivered} delivered by the last row."));
    }
    if failed > 0.0 {
        produce["errors"] = json!({"delivery failed": failed as u64});
    }
    if !row.has("lat_hi") {
        notes.push("The table has no latency of records (-l): it cannot tell what the load did to them.".into());
    }
    Ok(produce)
}

/// Columns of `-l`; a highest of zero says that no record carried a time.
fn of_records(row: &Row) -> Result<Option<Map<String, Value>>, Refusal> {
    if !row.has("lat_hi") || row.get("lat_hi")? <= 0.0 {
        return Ok(None);
    }
    let figures = [("mean_ns", row.get("lat_avg")?), ("min_ns", row.get("lat_lo")?), ("max_ns", row.get("lat_hi")?)];
    let figures = figures.map(|(field, value)| (field, Some(value)));
    latency("lat", NANOSECONDS_PER_MILLISECOND, None, &figures).map(Some)
}

fn consumed(row: &Row, notes: &mut Vec<String>) -> Result<Value, Refusal> {
    let mut latencies = Map::new();
    if let Some(end_to_end) = of_records(row)? {
        latencies.insert("end_to_end".into(), Value::Object(end_to_end));
        notes.push(
            "End to end counts from the producer's call by the wall clocks of both sides, whose offset is unknown."
                .into(),
        );
    }
    let mut consume = stream(row.get("m/s")?, row.get("MB/s")? * BYTES_PER_MEGABYTE, &latencies.into())?;
    consume["records"] = json!(row.get("msgs")? as u64);
    consume["bytes"] = json!(row.get("bytes")? as u64);
    let failed = row.get("rx_err")?;
    if failed > 0.0 {
        consume["errors"] = json!({"receive failed": failed as u64});
    }
    Ok(consume)
}

/// The mean of the requests; zero says that the statistics of the client were off.
fn round_trip(row: &Row) -> Result<Option<Map<String, Value>>, Refusal> {
    let rtt_ms = row.get("rtt")?;
    if rtt_ms <= 0.0 {
        Ok(None)
    } else {
        latency("rtt", NANOSECONDS_PER_MILLISECOND, None, &[("mean_ns", Some(rtt_ms))]).map(Some)
    }
}

struct Row<'a> {
    columns: Vec<&'a str>,
    values: Vec<f64>,
}

impl Row<'_> {
    fn has(&self, column: &str) -> bool {
        self.columns.contains(&column)
    }

    fn get(&self, column: &str) -> Result<f64, Refusal> {
        let found = self.columns.iter().position(|name| *name == column).and_then(|at| self.values.get(at));
        found.copied().ok_or_else(|| Refusal::new(format!("the table has no column {column:?}")))
    }
}

/// The header may come again every twenty rows.
fn last_row(text: &str) -> Result<Row<'_>, Refusal> {
    let mut columns: Vec<&str> = Vec::new();
    let mut last = None;
    for (index, line) in text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with('|')) {
        let cells: Vec<&str> = line.split('|').map(str::trim).filter(|cell| !cell.is_empty()).collect();
        if cells.first() == Some(&"elapsed") {
            columns = cells;
            continue;
        }
        let number = |cell: &&str| cell.parse::<f64>().ok().filter(|value| value.is_finite() && *value >= 0.0);
        let values: Option<Vec<f64>> = cells.iter().map(number).collect();
        let values = values.filter(|values| values.len() == columns.len() && !columns.is_empty());
        last = Some(values.ok_or_else(|| {
            let (line, wanted) = (index + 1, columns.len());
            Refusal::new(format!("line {line} is no row of {wanted} numbers under a header: cut off?"))
        })?);
    }
    let values = last.ok_or_else(|| Refusal::new("no table of `rdkafka_performance`: run it with -u"))?;
    Ok(Row { columns, values })
}
