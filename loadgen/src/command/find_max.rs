//! `loadgen find-max`: the highest rate that holds under the goals, confirmed.

use clap::Args;

use crate::campaign::{Campaign, Place};
use crate::command::{Exit, refuse, refuse_run, run};
use crate::error::Error;
use crate::options::RunOptions;
use crate::quantity::{Rate, parse_rate, parse_share};
use crate::report::{Align, Table, count, duration_ns, megabytes_per_s};
use crate::result::{Kind, RunResult};
use crate::search::{Question, Search};
use crate::sustained::why_not_held;

/// The options of `loadgen find-max`. Each probe lasts `--warmup` and `--duration`.
#[derive(Debug, Clone, Args)]
pub struct FindMaxOptions {
    /// The load whose rate is searched; its own rate is ignored.
    #[command(flatten)]
    pub run: RunOptions,
    /// First rate to probe; by default half of what a closed loop reaches.
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    pub from: Option<Rate>,
    /// Highest rate to probe; by default a quarter more than a closed loop reaches.
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    pub to: Option<Rate>,
    /// The search ends when the gap between what holds and what does not is smaller.
    #[arg(long, value_name = "SHARE", default_value = "5%", value_parser = parse_share)]
    pub precision: f64,
    /// How often the winner is asked again.
    #[arg(long, value_name = "TIMES", default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=20))]
    pub confirmations: u32,
}

/// Searches and tells what was found: exit 1 when no rate holds.
pub fn execute(options: &FindMaxOptions) -> Exit {
    let interrupted = run::interrupted();
    let output = &options.run.output;
    if output.goals.is_empty() {
        return refuse("find-max needs a goal to hold the rates against, as in --slo 'p99<10ms'", Exit::InvalidRun);
    }
    let campaign = Campaign::new("find-max", output, output.goals.clone(), interrupted);
    match campaign.conduct(|campaign| search(options, campaign)) {
        Ok((found, directory)) => found.print(options, &directory),
        Err(error) => refuse_run(&error),
    }
}

/// What the probes showed.
struct Found {
    rows: Vec<(String, RunResult, Option<String>)>,
    answer: Option<f64>,
    failing: Option<f64>,
}

fn search(options: &FindMaxOptions, campaign: &mut Campaign) -> Result<Found, Error> {
    let RunOptions { load, target, .. } = &options.run;
    let given = |rate: Option<Rate>| rate.map(|rate| rate.records_per_s_of(load.payload_bytes_mean()));
    let (from, to) = match (given(options.from), given(options.to)) {
        (Some(from), Some(to)) => (from, to),
        (from, to) => {
            let reached = campaign.closed_loop(load, target)?;
            (from.unwrap_or(reached / 2.0), to.unwrap_or(reached * 1.25))
        }
    };
    let mut search = Search::new(from.max(1.0), to.max(from).max(1.0), options.precision, options.confirmations);
    let mut rows = Vec::new();
    while let Some(question) = search.next() {
        let (rate, title) = match question {
            Question::Probe(rate) => (rate, format!("probe {}", rows.len() + 1)),
            Question::Confirm(rate, number) => (rate, format!("confirmation {number} of {}", options.confirmations)),
        };
        let mut load = load.clone();
        load.rate = Rate::Records(rate);
        let place = Place { kind: Kind::Search, label: None, repeat: None, title: title.clone() };
        let result = campaign.make(&load, target, place)?;
        if let Some(goal) = unjudged(&result) {
            let secs = load.duration.as_secs();
            return Err(Error::TooFewSamples { goal, secs, records_per_s: rate });
        }
        let why = why_not_held(&result);
        search.note(question, why.is_none());
        campaign.say(&format!("{title}: {} {}", rate_text(&result), why.as_deref().unwrap_or("holds")));
        rows.push((title, result, why));
    }
    Ok(Found { rows, answer: search.answer(), failing: search.lowest_failing() })
}

/// A goal that a whole run could not measure; at a lower rate it would have fewer samples still.
fn unjudged(result: &RunResult) -> Option<String> {
    let goal = result.slo.iter().find(|goal| goal.value.is_none())?;
    (result.error.is_none() && !result.quality.saturated).then(|| goal.expr.clone())
}

fn rate_text(result: &RunResult) -> String {
    let offered = result.summary.produce.as_ref().and_then(|produce| produce.offered).unwrap_or_default();
    megabytes_per_s(offered.bytes_per_s)
}

impl Found {
    fn print(&self, options: &FindMaxOptions, directory: &std::path::Path) -> Exit {
        let goals: Vec<String> = options.run.output.goals.iter().map(ToString::to_string).collect();
        let goals = goals.join(", ");
        let mut table = Table::new(&[
            ("probe", Align::Left),
            ("offered", Align::Right),
            ("achieved", Align::Right),
            ("p50", Align::Right),
            ("p99", Align::Right),
            ("verdict", Align::Left),
        ]);
        for (title, result, why) in &self.rows {
            let produce = result.summary.produce.as_ref();
            let achieved = produce.map_or(0.0, |produce| produce.achieved.bytes_per_s);
            let response = produce.and_then(|produce| produce.latency.response.as_ref());
            let figure = |ns: Option<u64>| ns.map_or_else(|| "n/a".into(), |ns| duration_ns(ns as f64));
            table.row([
                title.clone(),
                rate_text(result),
                megabytes_per_s(achieved),
                figure(response.and_then(|response| response.p50_ns)),
                figure(response.and_then(|response| response.p99_ns)),
                why.clone().unwrap_or_else(|| "holds".into()),
            ]);
        }
        let bytes = options.run.load.payload_bytes_mean();
        let told = |rate: f64| format!("{} ({} records/s)", megabytes_per_s(rate * bytes), count(rate as u64));
        if !options.run.output.quiet {
            print!("{}", table.text());
            println!("results  {}", directory.display());
        }
        let Some(rate) = self.answer else {
            println!("maximum  none: no rate holds under {goals}");
            return Exit::Regression;
        };
        let beyond = self
            .failing
            .map_or_else(|| "the highest rate asked".into(), |rate| format!("{} does not hold", told(rate)));
        println!("maximum  {} under {goals}, confirmed {} times; {beyond}", told(rate), options.confirmations);
        Exit::Fine
    }
}
