//! `loadgen suite`: peers under the loads of a suite file, turn about, with a report at the end.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::ceiling::CeilingUse;
use crate::command::{Exit, refuse, refuse_run, run};
use crate::error::{Error, local};
use crate::suite::{Conduct, Conducted, Place, Step, Suite, Surroundings, write_summary};

/// Where what a `--quick` suite leaves is out of the way of evidence.
const QUICK_OUT: &str = "target/suites";

/// The options of `loadgen suite`.
#[derive(Debug, Clone, Args)]
pub struct SuiteOptions {
    /// The suite, as results/suites/peers.toml.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Only these peers.
    #[arg(long = "peer", value_name = "NAME", value_delimiter = ',')]
    pub peers: Vec<String>,
    /// Only these cells.
    #[arg(long = "cell", value_name = "NAME", value_delimiter = ',')]
    pub cells: Vec<String>,
    /// Shortens everything: it shows that all peers run, and measures nothing. Results go to target/suites.
    #[arg(long)]
    pub quick: bool,
    /// Only tell what would be measured, and how long that takes.
    #[arg(long)]
    pub plan: bool,
    /// Only write the summary and the report of what is there.
    #[arg(long, conflicts_with_all = ["plan", "new"])]
    pub summary: bool,
    /// Begin another campaign instead of going on with the last.
    #[arg(long)]
    pub new: bool,
    /// Folder of the results.
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub out: PathBuf,
    /// Where the peers keep their data: a directory on the disk that is meant.
    #[arg(long, value_name = "DIR", default_value = "target/peers/data")]
    pub data_dir: PathBuf,
    /// Where peers are installed.
    #[arg(long, value_name = "DIR", default_value = "target/peers")]
    pub peers_dir: PathBuf,
    /// Our own server; by default the one beside this program.
    #[arg(long, value_name = "PROGRAM")]
    pub posthaste: Option<PathBuf>,
    /// How the generator's own ceiling comes into the results.
    #[arg(long, value_enum, default_value = "auto")]
    pub ceiling: CeilingUse,
    /// No progress.
    #[arg(long)]
    pub quiet: bool,
}

/// Carries the suite out as far as it is not there: exit 3 when a peer or a run was not to be had, which the summary tells too.
pub fn execute(options: &SuiteOptions) -> Exit {
    let suite = Suite::read(&options.file).and_then(|mut suite| {
        suite.narrow(&options.peers, &options.cells)?;
        Ok(if options.quick { suite.quick() } else { suite })
    });
    let suite = match suite {
        Ok(suite) => suite,
        Err(error) => return refuse(error, Exit::InvalidRun),
    };
    if options.plan {
        print_plan(&suite);
        return Exit::Fine;
    }
    match conduct(options, &suite) {
        Ok(exit) => exit,
        Err(error) => refuse_run(&error),
    }
}

fn conduct(options: &SuiteOptions, suite: &Suite) -> Result<Exit, Error> {
    let around = surroundings(options)?;
    let out =
        if options.quick && options.out.as_os_str() == "results" { QUICK_OUT.into() } else { options.out.clone() };
    let place = Place::open(suite, &out, &around.data, options.new)?;
    if options.summary {
        tell(&write_summary(suite, &place, &[])?);
        return Ok(Exit::Fine);
    }
    place.check_machine(&around.data)?;
    let _pinned = suite.split.settle()?;
    if !options.quiet {
        print_plan(suite);
    }
    let conduct = Conduct {
        suite,
        place: &place,
        around,
        ceiling: options.ceiling,
        quiet: options.quiet,
        interrupted: run::interrupted(),
    };
    let conducted = conduct.carry_out()?;
    let written = write_summary(suite, &place, &conducted.notes)?;
    let Conducted { made, found, left, notes } = conducted;
    println!("runs    {made} made, {found} were there, {left} left");
    tell(&written);
    Ok(if notes.is_empty() { Exit::Fine } else { Exit::ToolError })
}

/// The folders as whole paths, since commands of peers run elsewhere.
fn surroundings(options: &SuiteOptions) -> Result<Surroundings, Error> {
    let whole = |path: &PathBuf| std::path::absolute(path).map_err(local(format!("cannot find {}", path.display())));
    let beside = || std::env::current_exe().map(|program| program.with_file_name("posthaste"));
    let posthaste = match &options.posthaste {
        Some(program) => whole(program)?,
        None => beside().map_err(local("cannot find this program"))?,
    };
    let data = whole(&options.data_dir)?;
    std::fs::create_dir_all(&data).map_err(local(format!("cannot create {}", data.display())))?;
    Ok(Surroundings { data, peers: whole(&options.peers_dir)?, posthaste })
}

fn print_plan(suite: &Suite) {
    let steps: Vec<Step> = suite.steps();
    let minutes = |time: Duration| time.as_secs().div_ceil(60);
    let (cells, peers) = (suite.cells.len(), suite.peers.len());
    print!(
        "suite   {}: {cells} cells, {peers} peers, {} runs, about {} minutes",
        suite.name,
        steps.len(),
        minutes(suite.estimate(&steps))
    );
    println!("{}", suite.limit.map_or_else(String::new, |limit| format!(", at most {}", minutes(limit))));
}

fn tell(written: &[PathBuf]) {
    for path in written {
        println!("written {}", path.display());
    }
}
