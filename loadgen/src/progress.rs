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
    /// What the last second achieved; absent in the drain.
    pub achieved: Option<Achieved>,
    /// Acknowledged records that no consumer has received yet.
    pub unread_records: u64,
    /// Failed records since the start.
    pub errors: u64,
    /// Records found duplicate, out of order or corrupt since the start.
    pub integrity_faults: u64,
}

/// What a second achieved.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Achieved {
    /// What the schedule asked for; absent in a closed loop.
    pub offered_bytes_per_s: Option<f64>,
    /// Bytes acknowledged, or read where nothing is written.
    pub bytes_per_s: f64,
    /// Records.
    pub records_per_s: f64,
    /// Median response, if there were enough samples.
    pub response_p50_ns: Option<u64>,
    /// 99th percentile of the response, if there were enough samples.
    pub response_p99_ns: Option<u64>,
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
            if let Ok(style) = ProgressStyle::with_template("{prefix:8} {bar:20.cyan/dim} {wide_msg}") {
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
                    self.say(&format!("{:8} {}  {}", snapshot.phase, passed(snapshot), figures(snapshot)));
                }
            }
            Output::Bar(bar) => {
                bar.set_prefix(snapshot.phase);
                bar.set_length(snapshot.planned_secs.max(snapshot.elapsed_secs).max(1));
                bar.set_position(snapshot.elapsed_secs);
                bar.set_message(format!("{}  {}", passed(snapshot), figures(snapshot)));
            }
        }
    }

    /// What the runs to come are: `run 3 of 10, candidate`.
    pub fn set_title(&mut self, title: &str) {
        self.say(title);
        self.phase = "";
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

/// How much of the phase has passed; the drain has no planned length.
fn passed(snapshot: &Snapshot) -> String {
    match snapshot.planned_secs {
        0 => format!("{:>3} s", snapshot.elapsed_secs),
        planned => format!("{:>3}/{planned} s", snapshot.elapsed_secs),
    }
}

/// The figures of a second; faults only when there are any.
fn figures(snapshot: &Snapshot) -> String {
    let mut parts = snapshot.achieved.as_ref().map_or_else(|| vec!["waiting for the rest".into()], rates);
    let numbers = [
        (snapshot.unread_records, "unread"),
        (snapshot.errors, "ERRORS"),
        (snapshot.integrity_faults, "INTEGRITY FAULTS"),
    ];
    let present = numbers.into_iter().filter(|(number, _)| *number > 0);
    parts.extend(present.map(|(number, name)| format!("{} {name}", count(number))));
    parts.join(" · ")
}

fn rates(achieved: &Achieved) -> Vec<String> {
    let bytes = megabytes_per_s(achieved.bytes_per_s);
    let mut parts = vec![match achieved.offered_bytes_per_s {
        Some(offered) => format!("{bytes} of {}", megabytes_per_s(offered)),
        None => bytes,
    }];
    parts.push(format!("{} rec/s", count(achieved.records_per_s.max(0.0).round() as u64)));
    let latencies = [("p50", achieved.response_p50_ns), ("p99", achieved.response_p99_ns)];
    parts.extend(latencies.into_iter().filter_map(|(name, ns)| Some(format!("{name} {}", duration_ns(ns? as f64)))));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_show_at_once_and_their_absence_takes_no_room() {
        let calm = Snapshot {
            phase: "measure",
            achieved: Some(Achieved {
                offered_bytes_per_s: Some(20e6),
                bytes_per_s: 19.99e6,
                records_per_s: 19_990.0,
                response_p50_ns: Some(900_000),
                response_p99_ns: None,
            }),
            ..Snapshot::default()
        };
        assert_eq!(figures(&calm), "20.0 MB/s of 20.0 MB/s · 19,990 rec/s · p50 900 µs");
        let faulty = Snapshot { integrity_faults: 3, ..calm };
        assert!(figures(&faulty).ends_with("3 INTEGRITY FAULTS"));
    }

    #[test]
    fn the_drain_tells_what_is_left_and_no_rates_of_before() {
        let drain = Snapshot { phase: "drain", elapsed_secs: 2, unread_records: 1_200, ..Snapshot::default() };
        assert_eq!((passed(&drain), figures(&drain)), ("  2 s".into(), "waiting for the rest · 1,200 unread".into()));
    }
}
