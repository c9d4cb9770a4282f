//! The result in a terminal, at most 100 columns: integrity first, then what limits the trust, then figures.

use std::fmt::Write;

use super::groups;
use super::judgement::{Statement, Tone, achieved_share, notes, verdict, warnings};
use super::transactions;
use super::units::{binary_bytes, count, decimal, duration_ns, megabytes_per_s, percent};
use crate::result::{Latency, Percentile, ProcessResources, Rate, RunResult, Workload};

/// Width that the table keeps within.
const COLUMNS_MAX: usize = 100;
/// Width of the words in front of sentences and rows.
const WORD_COLUMNS: usize = 22;

/// Whether to colour the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Text alone, for files and pipes.
    Plain,
    /// ANSI sequences, for terminals.
    Ansi,
}

/// The whole table, newline at the end.
pub fn terminal_table(result: &RunResult, colour: Colour) -> String {
    let mut table = String::new();
    push_statement(&mut table, &verdict(result), colour);
    for example in &result.integrity.examples {
        push_wrapped(&mut table, "", example);
    }
    for warning in warnings(result) {
        push_statement(&mut table, &warning, colour);
    }
    table.push('\n');
    push_wrapped(&mut table, "target", &target_line(result));
    push_wrapped(&mut table, "durability", result.target.durability.label());
    push_wrapped(&mut table, "load", &load_line(result));
    push_rates(&mut table, result);
    push_latencies(&mut table, result);
    push_groups(&mut table, result);
    push_resources(&mut table, result);
    if let Some(ceiling) = ceiling_line(result) {
        push_wrapped(&mut table, "generator ceiling", &ceiling);
    }
    let notes = notes(result);
    if !notes.is_empty() {
        table.push('\n');
    }
    for note in notes {
        push_wrapped(&mut table, "note", &note);
    }
    table
}

fn push_statement(table: &mut String, statement: &Statement, colour: Colour) {
    let mut lines = String::new();
    push_wrapped(&mut lines, statement.word, &statement.sentence);
    if colour == Colour::Ansi {
        let code = match statement.tone {
            Tone::Good => "\u{1b}[1;32m",
            Tone::Caution => "\u{1b}[1;33m",
            Tone::Bad => "\u{1b}[1;31m",
        };
        lines = lines.replacen(statement.word, &format!("{code}{}\u{1b}[0m", statement.word), 1);
    }
    table.push_str(&lines);
}

/// The product, its version and where it ran.
pub(super) fn target_line(result: &RunResult) -> String {
    let target = &result.target;
    let version = target.version.as_deref().map_or_else(String::new, |version| format!(" {version}"));
    let place = if target.embedded { "started for this run".into() } else { target.bootstrap.clone() };
    format!("{}{version}, {place}", target.product)
}

/// What the generator could have offered, where it was measured.
pub(super) fn ceiling_line(result: &RunResult) -> Option<String> {
    let ceiling = result.calibration.generator_ceiling.as_ref()?;
    let share = ceiling.share.map(|share| format!("; this run used {} of it", percent(share)));
    Some(format!(
        "{} ({} records/s) with such a workload on this machine{}",
        megabytes_per_s(ceiling.bytes_per_s),
        count(ceiling.records_per_s as u64),
        share.unwrap_or_default()
    ))
}

/// The load in one line.
pub(super) fn load_line(result: &RunResult) -> String {
    let workload = &result.workload;
    let plural = |number: u32, noun: &str| format!("{number} {noun}{}", if number == 1 { "" } else { "s" });
    format!(
        "{} B records, {}, {}, {}, measured for {} s",
        count(u64::from(workload.record_bytes)),
        plural(workload.partitions.saturating_mul(workload.topics), "partition"),
        plural(workload.producers, "producer"),
        readers(workload),
        decimal(result.summary.measured_secs),
    )
}

fn readers(workload: &Workload) -> String {
    let consumers = workload.consumers;
    let consumers = format!("{consumers} consumer{}", if consumers == 1 { "" } else { "s" });
    workload.groups.map_or(consumers.clone(), |groups| format!("{groups} groups of {consumers}"))
}

fn push_rates(table: &mut String, result: &RunResult) {
    let produce = result.summary.produce.as_ref();
    let consume = result.summary.consume.as_ref();
    let rows: [(&str, Option<Rate>); 3] = [
        ("offered", produce.and_then(|stream| stream.offered)),
        ("achieved", produce.map(|stream| stream.achieved)),
        ("consumed", consume.map(|stream| stream.achieved)),
    ];
    if rows.iter().any(|(_, rate)| rate.is_some()) {
        table.push('\n');
        line(table, format_args!("{:WORD_COLUMNS$}{:>12}{:>12}", "throughput", "records/s", "MB/s"));
    }
    for (name, rate) in rows {
        let Some(rate) = rate else { continue };
        let share = match name {
            "achieved" => achieved_share(result).map(|share| format!("{:>12} of offered", percent(share))),
            _ => None,
        };
        let records = count(rate.records_per_s.max(0.0).round() as u64);
        let megabytes = decimal(rate.bytes_per_s / 1e6);
        let share = share.unwrap_or_default();
        line(table, format_args!("  {name:20}{records:>12}{megabytes:>12}{share}"));
    }
    if let Some(batch) = produce.and_then(|stream| stream.batch.as_ref()) {
        let compressed =
            batch.compression_ratio.map_or_else(String::new, |ratio| format!(", compressed {} to 1", decimal(ratio)));
        push_wrapped(
            table,
            "  batches",
            &format!(
                "{} records, {} on average{compressed}, {} requests/s",
                decimal(batch.records_per_batch_mean),
                binary_bytes(batch.batch_bytes_mean.max(0.0).round() as u64),
                decimal(batch.requests_per_s)
            ),
        );
    }
}

/// The latencies of a run by name, in the order of their weight.
pub(super) fn latency_rows(result: &RunResult) -> Vec<(&'static str, &Latency)> {
    let produce = result.summary.produce.as_ref().map(|stream| &stream.latency);
    let consume = result.summary.consume.as_ref().map(|stream| &stream.latency);
    [
        ("response", produce.and_then(|latency| latency.response.as_ref())),
        ("service", produce.and_then(|latency| latency.service.as_ref())),
        ("end-to-end", consume.and_then(|latency| latency.end_to_end.as_ref())),
        ("lag", produce.and_then(|latency| latency.lag.as_ref())),
    ]
    .into_iter()
    .filter_map(|(name, latency)| latency.map(|latency| (name, latency)))
    .collect()
}

/// A percentile as text; `n/a` when the sample does not carry it.
pub(super) fn percentile_text(latency: &Latency, percentile: Percentile) -> String {
    latency.at(percentile).map_or_else(|| "n/a".into(), |ns| duration_ns(ns as f64))
}

fn push_latencies(table: &mut String, result: &RunResult) {
    let rows = latency_rows(result);
    if rows.is_empty() {
        return;
    }
    let heading = if result.quality.saturated { "latency (of a queue)" } else { "latency" };
    table.push('\n');
    line(
        table,
        format_args!(
            "{heading:WORD_COLUMNS$}{:>10}{:>10}{:>10}{:>10}{:>10}{:>13}{:>11}",
            "p50", "p90", "p99", "p99.9", "max", "n", "batches"
        ),
    );
    for (name, latency) in rows {
        let at = |percentile| percentile_text(latency, percentile);
        line(
            table,
            format_args!(
                "  {name:20}{:>10}{:>10}{:>10}{:>10}{:>10}{:>13}{:>11}",
                at(Percentile::P50),
                at(Percentile::P90),
                at(Percentile::P99),
                at(Percentile::P99_9),
                latency.max_ns.map_or_else(|| "n/a".into(), |ns| duration_ns(ns as f64)),
                count(latency.n),
                latency.n_batches.map_or_else(String::new, count),
            ),
        );
    }
}

fn push_groups(table: &mut String, result: &RunResult) {
    let lines = [groups::lines(result), transactions::lines(result)].concat();
    if !lines.is_empty() {
        table.push('\n');
    }
    for (word, sentence) in lines {
        push_wrapped(table, word, &sentence);
    }
}

fn push_resources(table: &mut String, result: &RunResult) {
    let processes =
        [("broker", result.resources.broker.as_ref()), ("load generator", result.resources.loadgen.as_ref())];
    if processes.iter().any(|(_, process)| process.is_some()) {
        table.push('\n');
    }
    for (name, process) in processes {
        if let Some(process) = process {
            push_wrapped(table, name, &resources_line(process));
        }
    }
}

/// What a process used, in one line.
pub(super) fn resources_line(process: &ProcessResources) -> String {
    let modes = format!("{} s user, {} s system", decimal(process.cpu_user_secs), decimal(process.cpu_system_secs));
    let cpu = match process.cpu_s_per_gb {
        Some(per_gb) => format!("CPU {} s/GB ({modes})", decimal(per_gb)),
        None => format!("CPU {modes}"),
    };
    let memory: Vec<String> = [(process.rss_idle_bytes, "idle"), (process.rss_max_bytes, "max")]
        .into_iter()
        .filter_map(|(bytes, when)| Some(format!("{} {when}", binary_bytes(bytes?))))
        .collect();
    if memory.is_empty() { cpu } else { format!("{cpu} · RSS {}", memory.join(", ")) }
}

fn line(table: &mut String, text: std::fmt::Arguments<'_>) {
    let mut row = String::new();
    row.write_fmt(text).expect("a string takes every write");
    table.push_str(row.trim_end());
    table.push('\n');
}

/// A word and a sentence behind it, continued under itself. Control characters of foreign text are dropped, so that
/// a result file cannot move the cursor of its reader.
fn push_wrapped(table: &mut String, word: &str, sentence: &str) {
    let sentence: String = sentence.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut row = format!("{word:WORD_COLUMNS$}");
    let mut columns = WORD_COLUMNS;
    for (index, part) in sentence.split_whitespace().enumerate() {
        let width = part.chars().count();
        if index > 0 && columns + 1 + width > COLUMNS_MAX {
            line(table, format_args!("{row}"));
            row = " ".repeat(WORD_COLUMNS);
            columns = WORD_COLUMNS;
        } else if index > 0 {
            row.push(' ');
            columns += 1;
        }
        row.push_str(part);
        columns += width;
    }
    line(table, format_args!("{row}"));
}
