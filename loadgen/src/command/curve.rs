//! `loadgen curve`: latency at shares of the highest rate, each in a run of its own at a fixed rate.

use clap::Args;

use crate::campaign::{Campaign, Place};
use crate::command::{Exit, conclude, refuse_run, run};
use crate::error::Error;
use crate::options::RunOptions;
use crate::quantity::{Rate, parse_rate, parse_share};
use crate::report::{Align, Table, duration_ns, megabytes_per_s};
use crate::result::{Kind, Percentile, Repeat, RunResult};
use crate::sustained::why_not_held;

/// The options of `loadgen curve`. Each point lasts `--warmup` and `--duration`.
#[derive(Debug, Clone, Args)]
pub struct CurveOptions {
    /// The load whose rate goes up.
    #[command(flatten)]
    pub run: RunOptions,
    /// What 100 % is; by default what a closed loop reaches.
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    pub max: Option<Rate>,
    /// Shares of it, in this order.
    #[arg(long, value_name = "SHARES", value_delimiter = ',', default_value = "10%,25%,50%,75%,90%,95%", value_parser = parse_share)]
    pub points: Vec<f64>,
    /// Runs of each point; all points are run before any is repeated.
    #[arg(long, value_name = "TIMES", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub repeats: u32,
}

/// Runs the points and prints the curve.
pub fn execute(options: &CurveOptions) -> Exit {
    let interrupted = run::interrupted();
    let output = &options.run.output;
    let campaign = Campaign::new("curve", output, output.goals.clone(), interrupted);
    let (results, directory) = match campaign.conduct(|campaign| points(options, campaign)) {
        Ok(found) => found,
        Err(error) => return refuse_run(&error),
    };
    let exits = results.iter().map(|(_, result)| run::exit_of(result));
    conclude(output, &table(&results), &directory, exits)
}

fn points(options: &CurveOptions, campaign: &mut Campaign) -> Result<Vec<(f64, RunResult)>, Error> {
    let RunOptions { load, target, .. } = &options.run;
    let max = match options.max {
        Some(rate) => rate.records_per_s_of(load.payload_bytes_mean()),
        None => campaign.closed_loop(load, target)?,
    };
    let mut results = Vec::new();
    for repeat in 1..=options.repeats {
        for (order, share) in options.points.iter().enumerate() {
            let mut load = load.clone();
            load.rate = Rate::Records(max * share);
            let of = options.repeats;
            let place = Place {
                kind: Kind::CurvePoint,
                label: None,
                repeat: Some(Repeat { index: repeat, of, block: repeat, order: order as u32, seed: load.seed }),
                title: format!(
                    "{:.0} % of {}, repeat {repeat} of {of}",
                    share * 100.0,
                    megabytes_per_s(max * load.payload_bytes_mean())
                ),
            };
            results.push((*share, campaign.make(&load, target, place)?));
        }
    }
    Ok(results)
}

fn table(results: &[(f64, RunResult)]) -> Table {
    const PERCENTILES: [(&str, Percentile); 4] = [
        ("p50", Percentile::P50),
        ("p99", Percentile::P99),
        ("p99.9", Percentile::P99_9),
        ("p99.99", Percentile::P99_99),
    ];
    let mut headings = vec![("load", Align::Right), ("offered", Align::Right), ("achieved", Align::Right)];
    headings.extend(PERCENTILES.map(|(name, _)| (name, Align::Right)));
    headings.push(("verdict", Align::Left));
    let mut table = Table::new(&headings);
    for (share, result) in results {
        let Some(produce) = &result.summary.produce else { continue };
        let mut cells = vec![
            format!("{:.0} %", share * 100.0),
            megabytes_per_s(produce.offered.unwrap_or_default().bytes_per_s),
            megabytes_per_s(produce.achieved.bytes_per_s),
        ];
        let response = produce.latency.response.as_ref();
        cells.extend(PERCENTILES.map(|(_, percentile)| {
            let ns = response.and_then(|response| response.at(percentile));
            ns.map_or_else(|| "n/a".into(), |ns| duration_ns(ns as f64))
        }));
        cells.push(why_not_held(result).unwrap_or_else(|| "holds".into()));
        table.row(cells);
    }
    table
}
