//! `loadgen ab`: two sides under the same load, turn about, with a verdict.

use clap::Args;

use crate::campaign::Campaign;
use crate::command::compare::{JudgeOptions, exit_of, print};
use crate::command::{Exit, refuse, refuse_run, run};
use crate::compare::{self, Grid};
use crate::duel::{Rules, Runs, fight};
use crate::options::RunOptions;
use crate::result::{Kind, RunResult};
use crate::side::Side;

/// The options of `loadgen ab`.
#[derive(Debug, Clone, Args)]
pub struct AbOptions {
    /// The side that is there: embedded, HOST:PORT, a server binary, or a .toml file with name, [target] and [load]; NAME= before it names it.
    #[arg(value_name = "A")]
    pub a: String,
    /// The side that is new, in the same forms.
    #[arg(value_name = "B")]
    pub b: String,
    /// The load of both sides.
    #[command(flatten)]
    pub run: RunOptions,
    /// Runs of each side, turn about. Fewer than four can show nothing at the usual 5 %.
    #[arg(long, value_name = "TIMES", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub repeats: u32,
    /// Runs in all that may be made again because the machine changed under them.
    #[arg(long, value_name = "TIMES", default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub reruns: u32,
    /// How the verdict is found and printed.
    #[command(flatten)]
    pub judge: JudgeOptions,
}

/// Runs both sides and judges the second: exit 1 when it is worse, 2 when nothing can be said.
pub fn execute(options: &AbOptions) -> Exit {
    let interrupted = run::interrupted();
    let RunOptions { load, target, output } = &options.run;
    let sides = Side::parse(&options.a, target, load).and_then(|a| Ok((a, Side::parse(&options.b, target, load)?)));
    let (mut a, mut b) = match sides {
        Ok(sides) => sides,
        Err(error) => return refuse(error, Exit::InvalidRun),
    };
    if a.label == b.label {
        (a.label, b.label) = (format!("{} (A)", a.label), format!("{} (B)", b.label));
    }
    let campaign = Campaign::new("ab", output, output.goals.clone(), interrupted);
    let rules = Rules { repeats: options.repeats, reruns_max: options.reruns, kind: Kind::Ab };
    let (runs, directory) = match campaign.conduct(|campaign| fight(campaign, &a, &b, rules)) {
        Ok(found) => found,
        Err(error) => return refuse_run(&error),
    };
    let grid = judge(&runs, &a, &b, &options.judge);
    if let Err(error) = print(&grid, options.judge.format) {
        return refuse(format_args!("cannot write the comparison: {error}"), Exit::ToolError);
    }
    if !output.quiet {
        println!("results  {}", directory.display());
    }
    worst_run(&runs).worse(exit_of(grid.outcome))
}

fn judge(runs: &Runs, a: &Side, b: &Side, options: &JudgeOptions) -> Grid {
    let settings = options.settings();
    let (first, second): (Vec<&RunResult>, Vec<&RunResult>) = (runs.a.iter().collect(), runs.b.iter().collect());
    let first = compare::Side { name: &a.label, runs: &first };
    let second = compare::Side { name: &b.label, runs: &second };
    Grid::of(compare::compare(first, second, &settings), "", &settings)
}

/// Lost records and missed goals of a single run count whatever the comparison says; one that ended early is no sample, which the
/// comparison tells.
fn worst_run(runs: &Runs) -> Exit {
    let finished = runs.a.iter().chain(&runs.b).filter(|run| run.error.is_none());
    finished.map(run::exit_of).fold(Exit::Fine, Exit::worse)
}
