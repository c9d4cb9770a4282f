//! One live line while a run works, drawn from one-second snapshots only, so that watching costs the load nothing.

use std::io::{IsTerminal, Write, stderr};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::report::{count, duration_ns, megabytes_per_s};

/// Without a terminal a line is printed this often, and at every change of phase.
const PLAIN_LINE_EVERY_SECS: u64 = 5;

/// Where a run stands after a second.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Name of the phase: `warmup`, `measure`, `drain`.
    pub phase: &'static str,
    /// Whole seconds of this phase that have passed.
    pub elapsed_secs: u64,
    /// Planned length of this phase.
    pub planned_secs: u64,
    /// What the schedule asked for in this second; absent in a closed loop.
    pub offered_bytes_per_s: Option<f64>,
    /// Bytes acknowledged in this second.
    pub achieved_bytes_per_s: f64,
    /// Records acknowledged in this second.
    pub achieved_records_per_s: f64,
    /// Response in this second, median and 99th percentile, if there were enough samples.
    pub response_p50_ns: Option<u64>,
    /// See `response_p50_ns`.
    pub response_p99_ns: Option<u64>,
    /// Acknowledged records that no consumer has received yet.
    pub unread_records: u64,
    /// Failed records since the start.
    pub errors: u64,
    /// Records found duplicate, out of order or corrupt since the start.
    pub integrity_faults: u64,
}

/// The line, or nothing at all.
#[derive(Debug)]
pub struct Progress {
    output: Output,
    phase: &'static str,
}

#[derive(Debug)]
enum Output {
    Quiet,
    /// No terminal: whole lines, rarely.
    Plain,
    Bar(ProgressBar),
}

impl Progress {
    /// A line on standard error, a plain one where that is no terminal, none when `quiet`.
    pub fn new(quiet: bool) -> Self {
        let output = if quiet {
            Output::Quiet
        } else if stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{prefix:8} {bar:20.cyan/dim} {pos:>3}/{len} s  {wide_msg}")
            {
                bar.set_style(style.progress_chars("━╸ "));
            }
            Output::Bar(bar)
        } else {
            Output::Plain
        };
        Self { output, phase: "" }
    }

    /// Shows where the run stands. Called once a second.
    pub fn show(&mut self, snapshot: &Snapshot) {
        let is_new_phase = self.phase != snapshot.phase;
        self.phase = snapshot.phase;
        match &self.output {
            Output::Quiet => {}
            Output::Plain => {
                if is_new_phase || snapshot.elapsed_secs.is_multiple_of(PLAIN_LINE_EVERY_SECS) {
                    self.say(&format!(
                        "{:8} {:>3}/{} s  {}",
                        snapshot.phase,
                        snapshot.elapsed_secs,
                        snapshot.planned_secs,
                        figures(snapshot)
                    ));
                }
            }
            Output::Bar(bar) => {
                bar.set_prefix(snapshot.phase);
                bar.set_length(snapshot.planned_secs.max(snapshot.elapsed_secs).max(1));
                bar.set_position(snapshot.elapsed_secs);
                bar.set_message(figures(snapshot));
            }
        }
    }

    /// A line that stays, above the live one. A closed standard error loses it and does not stop the run.
    pub fn say(&self, line: &str) {
        let print = || drop(writeln!(stderr(), "{line}"));
        match &self.output {
            Output::Quiet => {}
            Output::Plain => print(),
            Output::Bar(bar) => bar.suspend(print),
        }
    }

    /// Takes the line away.
    pub fn finish(self) {
        if let Output::Bar(bar) = self.output {
            bar.finish_and_clear();
        }
    }
}

/// The figures of a second; faults only when there are any.
fn figures(snapshot: &Snapshot) -> String {
    let achieved = megabytes_per_s(snapshot.achieved_bytes_per_s);
    let mut parts = vec![match snapshot.offered_bytes_per_s {
        Some(offered) => format!("{achieved} of {}", megabytes_per_s(offered)),
        None => achieved,
    }];
    let records = snapshot.achieved_records_per_s.max(0.0).round() as u64;
    parts.push(format!("{} rec/s", count(records)));
    let latencies = [("p50", snapshot.response_p50_ns), ("p99", snapshot.response_p99_ns)];
    parts.extend(latencies.into_iter().filter_map(|(name, ns)| Some(format!("{name} {}", duration_ns(ns? as f64)))));
    let numbers = [
        (snapshot.unread_records, "unread"),
        (snapshot.errors, "ERRORS"),
        (snapshot.integrity_faults, "INTEGRITY FAULTS"),
    ];
    let present = numbers.into_iter().filter(|(number, _)| *number > 0);
    parts.extend(present.map(|(number, name)| format!("{} {name}", count(number))));
    parts.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_show_at_once_and_their_absence_takes_no_room() {
        let calm = Snapshot {
            phase: "measure",
            offered_bytes_per_s: Some(20e6),
            achieved_bytes_per_s: 19.99e6,
            achieved_records_per_s: 19_990.0,
            response_p50_ns: Some(900_000),
            ..Snapshot::default()
        };
        assert_eq!(figures(&calm), "20.0 MB/s of 20.0 MB/s · 19,990 rec/s · p50 900 µs");
        let faulty = Snapshot { integrity_faults: 3, ..calm };
        assert!(figures(&faulty).ends_with("3 INTEGRITY FAULTS"));
    }
}
