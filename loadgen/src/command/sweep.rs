//! `loadgen sweep`: the same load with one or more settings taken through several values.

use std::str::FromStr;

use clap::Args;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::campaign::{Campaign, Place};
use crate::command::{Exit, conclude, refuse, refuse_run, run};
use crate::error::Error;
use crate::options::{LoadOptions, RunOptions};
use crate::report::{Align, Table, decimal, duration_ns, megabytes_per_s};
use crate::result::{Kind, Repeat, RunResult};
use crate::settings::{InvalidSetting, Setting};
use crate::workload::Workload;

/// Beyond this nobody waits for the end.
const POINTS_MAX: usize = 1_000;

/// The options of `loadgen sweep`.
#[derive(Debug, Clone, Args)]
pub struct SweepOptions {
    /// The load that is varied.
    #[command(flatten)]
    pub run: RunOptions,
    /// A setting and its values, as partitions=1,4,16; several make every combination.
    #[arg(long, required = true, value_name = "KEY=VALUES")]
    pub over: Vec<Axis>,
    /// Take all settings forward together instead of every combination: they need equally many values.
    #[arg(long)]
    pub together: bool,
    /// Runs of each point; all points are run, in a shuffled order, before any is repeated.
    #[arg(long, value_name = "TIMES", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub repeats: u32,
}

/// One setting with its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    key: String,
    values: Vec<String>,
}

impl FromStr for Axis {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, values) = text.split_once('=').ok_or("an axis reads like partitions=1,4,16")?;
        let values: Vec<String> = values.split(',').map(|value| value.trim().to_owned()).collect();
        if values.iter().any(String::is_empty) {
            return Err(format!("{text:?} has an empty value"));
        }
        Ok(Self { key: Setting::new(key, "").key, values })
    }
}

/// Runs the points and prints a row for each run.
pub fn execute(options: &SweepOptions) -> Exit {
    let interrupted = run::interrupted();
    let output = &options.run.output;
    let points = match points(options) {
        Ok(points) => points,
        Err(error) => return refuse(error, Exit::InvalidRun),
    };
    let campaign = Campaign::new("sweep", output, output.goals.clone(), interrupted);
    let (results, directory) = match campaign.conduct(|campaign| make(options, &points, campaign)) {
        Ok(found) => found,
        Err(error) => return refuse_run(&error),
    };
    let exits = results.iter().map(|(_, result)| run::exit_of(result));
    conclude(output, &table(options, &points, &results), &directory, exits)
}

/// The settings of each point. Every point is checked before the first run begins.
fn points(options: &SweepOptions) -> Result<Vec<(Vec<Setting>, LoadOptions)>, InvalidSetting> {
    let settings = if options.together { together(&options.over)? } else { combinations(&options.over)? };
    settings
        .into_iter()
        .map(|point| {
            let mut load = options.run.load.clone();
            point.iter().try_for_each(|setting| load.set(setting))?;
            Workload::from_options(&load).map_err(|error| InvalidSetting::new(format!("{}: {error}", name(&point))))?;
            Ok((point, load))
        })
        .collect()
}

fn combinations(axes: &[Axis]) -> Result<Vec<Vec<Setting>>, InvalidSetting> {
    let mut points = vec![Vec::new()];
    for axis in axes {
        let extended = points.iter().flat_map(|point| {
            axis.values.iter().map(|value| {
                let mut point: Vec<Setting> = point.clone();
                point.push(Setting::new(&axis.key, value.clone()));
                point
            })
        });
        points = extended.collect();
        if points.len() > POINTS_MAX {
            return Err(InvalidSetting::new(format!("more than {POINTS_MAX} combinations")));
        }
    }
    Ok(points)
}

fn together(axes: &[Axis]) -> Result<Vec<Vec<Setting>>, InvalidSetting> {
    let length = axes.first().map_or(0, |axis| axis.values.len());
    if axes.iter().any(|axis| axis.values.len() != length) {
        return Err(InvalidSetting::new("--together needs equally many values for each setting".to_owned()));
    }
    let point = |place: usize| axes.iter().map(|axis| Setting::new(&axis.key, axis.values[place].clone())).collect();
    Ok((0..length).map(point).collect())
}

fn name(point: &[Setting]) -> String {
    point.iter().map(|setting| format!("{}={}", setting.key, setting.value)).collect::<Vec<_>>().join(" ")
}

fn make(
    options: &SweepOptions,
    points: &[(Vec<Setting>, LoadOptions)],
    campaign: &mut Campaign,
) -> Result<Vec<(usize, RunResult)>, Error> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(options.run.load.seed);
    let mut results = Vec::new();
    for repeat in 1..=options.repeats {
        let mut order: Vec<usize> = (0..points.len()).collect();
        order.shuffle(&mut random);
        for (place_in_block, &point) in order.iter().enumerate() {
            let (settings, load) = &points[point];
            let (of, order, label) = (options.repeats, place_in_block as u32, name(settings));
            let place = Place {
                kind: Kind::SweepPoint,
                title: format!("{label}, repeat {repeat} of {of}"),
                label: Some(label),
                repeat: Some(Repeat { index: repeat, of, block: repeat, order, seed: load.seed }),
            };
            results.push((point, campaign.make(load, &options.run.target, place)?));
        }
    }
    results.sort_by_key(|(point, _)| *point);
    Ok(results)
}

fn table(options: &SweepOptions, points: &[(Vec<Setting>, LoadOptions)], results: &[(usize, RunResult)]) -> Table {
    let mut headings: Vec<(&str, Align)> = options.over.iter().map(|axis| (axis.key.as_str(), Align::Right)).collect();
    headings.extend([
        ("achieved", Align::Right),
        ("records/s", Align::Right),
        ("p50", Align::Right),
        ("p99", Align::Right),
        ("CPU s/GB", Align::Right),
        ("integrity", Align::Left),
    ]);
    let mut table = Table::new(&headings);
    for (point, result) in results {
        let stream = result.summary.produce.as_ref().or(result.summary.consume.as_ref());
        let Some(stream) = stream else { continue };
        let response = stream.latency.response.as_ref();
        let figure = |ns: Option<u64>| ns.map_or_else(|| "n/a".into(), |ns| duration_ns(ns as f64));
        let cpu = result.resources.broker.as_ref().and_then(|broker| broker.cpu_s_per_gb);
        let mut cells: Vec<String> = points[*point].0.iter().map(|setting| setting.value.clone()).collect();
        cells.extend([
            megabytes_per_s(stream.achieved.bytes_per_s),
            decimal(stream.achieved.records_per_s),
            figure(response.and_then(|response| response.p50_ns)),
            figure(response.and_then(|response| response.p99_ns)),
            cpu.map_or_else(|| "n/a".into(), decimal),
            format!("{:?}", result.integrity.verdict).to_lowercase(),
        ]);
        table.row(cells);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axes(texts: &[&str]) -> Vec<Axis> {
        texts.iter().map(|text| text.parse().expect("an axis")).collect()
    }

    #[test]
    fn settings_combine_or_go_together() {
        let axes = axes(&["partitions=1,4", "record_bytes=100,1000"]);
        let names: Vec<String> = combinations(&axes).expect("few").iter().map(|point| name(point)).collect();
        assert_eq!(names[1], "partitions=1 record-bytes=1000");
        assert_eq!(names.len(), 4);
        let names: Vec<String> = together(&axes).expect("equal").iter().map(|point| name(point)).collect();
        assert_eq!(names, ["partitions=1 record-bytes=100", "partitions=4 record-bytes=1000"]);
    }

    #[test]
    fn an_axis_that_makes_no_sense_is_refused() {
        assert!("partitions".parse::<Axis>().is_err());
        assert!("partitions=1,,2".parse::<Axis>().is_err());
        assert!(together(&axes(&["a=1,2", "b=1"])).is_err());
        let many = axes(&["a=1,2,3,4,5,6,7,8,9,10,11,12"; 3]);
        assert!(combinations(&many).is_err_and(|error| error.to_string().contains("1000")));
    }
}
