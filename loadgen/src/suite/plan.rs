//! What is measured in which order, how long that takes, and how much it leaves on the disk meanwhile.

use std::time::Duration;

use serde::Deserialize;

use super::file::{Suite, set_all};
use crate::goal::GoalExpression;
use crate::options::LoadOptions;
use crate::quantity::{Rate, parse_bytes};
use crate::workload::{Mode, Verify};

/// No broker here takes or gives more for long; what a run leaves is bounded with it.
const BYTES_PER_S_MAX: u64 = 1_000_000_000;

/// Topic, connections, deletion, probes and files of a run.
const RUN_OVERHEAD: Duration = Duration::from_millis(2_500);

/// Start and end of a peer.
const PEER_OVERHEAD: Duration = Duration::from_secs(5);

/// A backlog is written this fast, more or less.
const PREFILL_BYTES_PER_S: f64 = 150e6;

/// Reading back takes a part of the time of writing.
const READ_BACK_SHARE: f64 = 0.4;

/// Probes of a search, more or less.
const SEARCH_PROBES: u32 = 9;

/// A load as it stands in the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CellFile {
    name: String,
    #[serde(default)]
    load: toml::Table,
    #[serde(default)]
    slo: Vec<String>,
    #[serde(default)]
    find_max: bool,
    rate_of: Option<RateOf>,
    repeats: Option<u32>,
    disk: Option<String>,
}

/// A rate that another cell found.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateOf {
    /// The peer whose rate it is.
    pub peer: String,
    /// The cell in which it was reached.
    pub cell: String,
    /// How much of it is offered here: 0.5 is a half.
    pub share: f64,
}

/// One load that all peers meet.
#[derive(Debug, Clone)]
pub struct Cell {
    /// Part of the names of its files.
    pub name: String,
    /// The load.
    pub load: LoadOptions,
    /// What of it is this cell's own.
    pub settings: toml::Table,
    /// What it is held against.
    pub goals: Vec<GoalExpression>,
    /// Its figure is the highest rate that holds under the goals.
    pub find_max: bool,
    /// Its rate is what another cell found.
    pub rate_of: Option<RateOf>,
    /// Runs of each peer, where they are fewer than the suite's.
    pub repeats: Option<u32>,
    /// What the file says that a run leaves on the disk at most.
    disk_bytes: Option<u64>,
}

/// One run to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Which repeat, from 1.
    pub repeat: u32,
    /// Place of the cell in the suite.
    pub cell: usize,
    /// Place of the peer in the suite.
    pub peer: usize,
    /// Place among the peers of its cell in this block, from 0.
    pub order: u32,
}

impl Cell {
    pub(super) fn new(file: CellFile, common: &LoadOptions) -> Result<Self, String> {
        let failed = |what: String| format!("cell {}: {what}", file.name);
        let mut load = common.clone();
        set_all(&mut load, &file.load, "load").map_err(failed)?;
        let goals: Result<Vec<GoalExpression>, String> =
            file.slo.iter().map(|goal| goal.parse().map_err(|error| format!("slo {goal:?}: {error}"))).collect();
        let goals = goals.map_err(failed)?;
        if file.find_max && goals.is_empty() {
            return Err(failed("find_max needs an slo to hold the rates against".into()));
        }
        if file.repeats.is_some_and(|repeats| !(1..=20).contains(&repeats)) {
            return Err(failed("repeats is from 1 to 20".into()));
        }
        if file.rate_of.as_ref().is_some_and(|of| !(of.share > 0.0 && of.share <= 1.0)) {
            return Err(failed("rate_of.share is above 0 and at most 1".into()));
        }
        let disk_bytes =
            file.disk.as_deref().map(parse_bytes).transpose().map_err(|error| failed(format!("disk: {error}")))?;
        let CellFile { name, find_max, rate_of, repeats, load: settings, .. } = file;
        Ok(Self { name, load, settings, goals, find_max, rate_of, repeats, disk_bytes })
    }

    /// What a run leaves at most, before its topic is deleted.
    pub fn bytes_max(&self) -> u64 {
        if let Some(bytes) = self.disk_bytes {
            return bytes;
        }
        let load = &self.load;
        let backlog = if matches!(load.mode, Mode::Consume | Mode::Drain) { load.prefill } else { 0 };
        let produced = match (load.mode, load.rate) {
            (Mode::Consume, _) => 0,
            (_, Rate::Unlimited) => load_secs(load) * BYTES_PER_S_MAX,
            (_, rate) => {
                let bytes = load.payload_bytes_mean();
                (rate.records_per_s_of(bytes) * bytes) as u64 * load_secs(load)
            }
        };
        // Framing of small records takes about as much again.
        (backlog + produced) * if load.payload_bytes_mean() < 200.0 { 2 } else { 1 }
    }

    /// How long a run takes, more or less.
    pub fn run_estimate(&self) -> Duration {
        let load = &self.load;
        let prefill = Duration::from_secs_f64(load.prefill as f64 / PREFILL_BYTES_PER_S);
        let measured = load.warmup + load.duration;
        let whole = match load.mode {
            Mode::Consume => prefill * 2,
            Mode::Drain => prefill + load.duration,
            Mode::Produce if load.verify == Verify::Full && load.rate == Rate::Unlimited => {
                measured.mul_f64(1.0 + READ_BACK_SHARE)
            }
            Mode::Produce | Mode::Both => measured,
        };
        (whole + RUN_OVERHEAD) * if self.find_max { SEARCH_PROBES } else { 1 }
    }
}

/// Whole seconds of load, rounded up.
fn load_secs(load: &LoadOptions) -> u64 {
    (load.warmup + load.duration).as_millis().div_ceil(1_000) as u64
}

impl Suite {
    /// All runs in their order: in odd blocks the peers go as in the file, in even ones against it.
    pub fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for repeat in 1..=self.repeats {
            for (cell, one) in self.cells.iter().enumerate() {
                if repeat > self.repeats_of(one) {
                    continue;
                }
                let mut peers: Vec<usize> =
                    (0..self.peers.len()).filter(|&peer| self.peers[peer].plays(&one.name)).collect();
                if repeat % 2 == 0 {
                    peers.reverse();
                }
                steps.extend(peers.into_iter().zip(0..).map(|(peer, order)| Step { repeat, cell, peer, order }));
            }
        }
        steps
    }

    /// Runs of each peer in a cell.
    pub fn repeats_of(&self, cell: &Cell) -> u32 {
        cell.repeats.unwrap_or(self.repeats).min(self.repeats)
    }

    /// How long these runs take, with the starts of their peers.
    pub fn estimate(&self, steps: &[Step]) -> Duration {
        let runs: Duration = steps.iter().map(|step| self.cells[step.cell].run_estimate()).sum();
        let mut processes: Vec<&str> = steps.iter().map(|step| self.peers[step.peer].process()).collect();
        processes.sort_unstable();
        processes.dedup();
        runs + (self.warmup + PEER_OVERHEAD) * processes.len() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suite() -> Suite {
        let text = "name = \"s\"\nrepeats = 3\n[[peer]]\nname = \"a\"\n[[peer]]\nname = \"b\"\ncells = [\"one\"]\n[[peer]]\nname = \"c\"\n\
            [[cell]]\nname = \"one\"\n[[cell]]\nname = \"two\"\nrepeats = 1\nload = { mode = \"consume\", prefill = \"2GB\" }\n";
        Suite::parse(text, "/".into()).expect("consistent")
    }

    #[test]
    fn each_block_turns_the_order_about_and_a_peer_stays_out_of_cells_that_are_not_its_own() {
        let suite = suite();
        let named: Vec<String> = suite
            .steps()
            .iter()
            .map(|step| format!("{}{}{}", step.repeat, suite.cells[step.cell].name, suite.peers[step.peer].name))
            .collect();
        assert_eq!(
            named,
            ["1onea", "1oneb", "1onec", "1twoa", "1twoc", "2onec", "2oneb", "2onea", "3onea", "3oneb", "3onec"]
        );
    }

    #[test]
    fn what_a_run_leaves_is_bounded_by_its_rate_its_time_and_its_backlog() {
        let mut suite = suite();
        assert_eq!(suite.cells[1].bytes_max(), 2_000_000_000);
        assert_eq!(suite.cells[0].bytes_max(), 25 * 20_000_000, "20 MB/s for 5 s and 20 s");
        suite.cells[0].load.rate = Rate::Unlimited;
        assert_eq!(suite.cells[0].bytes_max(), 25 * BYTES_PER_S_MAX);
    }
}
