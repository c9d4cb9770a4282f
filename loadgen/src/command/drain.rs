//! `loadgen drain`: how fast a backlog is read, with producers off, on or throttled meanwhile.

use std::str::FromStr;

use clap::Args;

use crate::campaign::{Campaign, Place};
use crate::command::{Exit, conclude, refuse, refuse_run, run};
use crate::error::Error;
use crate::options::RunOptions;
use crate::quantity::{Rate, parse_rate};
use crate::report::{Align, Table, decimal, duration_ns, megabytes_per_s};
use crate::result::{Kind, Repeat, RunResult};
use crate::workload::Mode;

/// The options of `loadgen drain`. The backlog is `--prefill`; `--duration` is how long it may take.
#[derive(Debug, Clone, Args)]
pub struct DrainOptions {
    /// The load; its rate is what producers offer while they are on.
    #[command(flatten)]
    pub run: RunOptions,
    /// What producers do while the backlog is read: off, on (at --rate), or a rate of their own; several are run one after the other.
    #[arg(long, value_name = "off|on|RATE", value_delimiter = ',', default_value = "off,on")]
    pub producing: Vec<Producing>,
    /// Runs of each.
    #[arg(long, value_name = "TIMES", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub repeats: u32,
}

/// What producers do while a backlog is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Producing {
    /// Nothing.
    Off,
    /// What the load says.
    On,
    /// Less or more than that.
    Throttled(Rate),
}

impl FromStr for Producing {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            "on" => Ok(Self::On),
            _ => match parse_rate(text)? {
                Rate::Unlimited => Ok(Self::Off),
                rate => Ok(Self::Throttled(rate)),
            },
        }
    }
}

/// Runs the drains and tells how long each took: exit 1 when a backlog was not read within the time.
pub fn execute(options: &DrainOptions) -> Exit {
    let interrupted = run::interrupted();
    let output = &options.run.output;
    if options.run.load.prefill == 0 {
        return refuse("drain needs a backlog: --prefill of at least one record", Exit::InvalidRun);
    }
    let campaign = Campaign::new("drain", output, output.goals.clone(), interrupted);
    let (results, directory) = match campaign.conduct(|campaign| drains(options, campaign)) {
        Ok(found) => found,
        Err(error) => return refuse_run(&error),
    };
    let exits = results.iter().map(|(_, result)| exit_of(result));
    conclude(output, &table(&results), &directory, exits)
}

fn drains(options: &DrainOptions, campaign: &mut Campaign) -> Result<Vec<(String, RunResult)>, Error> {
    let mut results = Vec::new();
    for repeat in 1..=options.repeats {
        for (order, producing) in options.producing.iter().enumerate() {
            let mut load = options.run.load.clone();
            let label = match *producing {
                Producing::Off => "producers off".to_owned(),
                Producing::On => "producers on".to_owned(),
                Producing::Throttled(rate) => {
                    load.rate = rate;
                    let bytes = rate.records_per_s_of(load.payload_bytes_mean()) * load.payload_bytes_mean();
                    format!("producers at {}", megabytes_per_s(bytes))
                }
            };
            load.mode = if *producing == Producing::Off { Mode::Consume } else { Mode::Drain };
            let (of, order) = (options.repeats, order as u32);
            let place = Place {
                kind: Kind::Drain,
                label: Some(label.clone()),
                repeat: Some(Repeat { index: repeat, of, block: repeat, order, seed: load.seed }),
                title: format!("{label}, repeat {repeat} of {of}"),
            };
            results.push((label, campaign.make(&load, &options.run.target, place)?));
        }
    }
    Ok(results)
}

fn exit_of(result: &RunResult) -> Exit {
    let drained = result.summary.backlog.as_ref().is_some_and(|backlog| backlog.drained_secs.is_some());
    run::exit_of(result).worse(if drained { Exit::Fine } else { Exit::Regression })
}

fn table(results: &[(String, RunResult)]) -> Table {
    let mut table = Table::new(&[
        ("while", Align::Left),
        ("backlog", Align::Right),
        ("drained in", Align::Right),
        ("read", Align::Right),
        ("produced", Align::Right),
        ("p99", Align::Right),
        ("integrity", Align::Left),
    ]);
    for (label, result) in results {
        let Some(backlog) = &result.summary.backlog else { continue };
        let produce = result.summary.produce.as_ref();
        let p99 = produce.and_then(|produce| produce.latency.response.as_ref()?.p99_ns);
        table.row([
            label.clone(),
            format!("{} MB", decimal(backlog.bytes as f64 / 1e6)),
            backlog.drained_secs.map_or_else(|| "not in time".into(), |secs| format!("{} s", decimal(secs))),
            megabytes_per_s(backlog.read.bytes_per_s),
            produce.map_or_else(|| "-".into(), |produce| megabytes_per_s(produce.achieved.bytes_per_s)),
            p99.map_or_else(|| "-".into(), |ns| duration_ns(ns as f64)),
            format!("{:?}", result.integrity.verdict).to_lowercase(),
        ]);
    }
    table
}
