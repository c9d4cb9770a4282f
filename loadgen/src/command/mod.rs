//! The commands of the program: each takes its options and ends in an exit code.

pub mod ab;
pub mod agent;
pub mod certify;
pub mod compare;
pub mod completions;
pub mod curve;
pub mod drain;
pub mod export;
pub mod find_max;
pub mod import;
pub mod machine;
pub mod man;
pub mod report;
pub mod results;
pub mod run;
pub mod selftest;
pub mod suite;
pub mod sweep;
pub mod verify;

use std::path::Path;
use std::process::ExitCode;

use crate::error::Error;
use crate::options::OutputOptions;
use crate::report::Table;

/// How a command ended, for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Fine,
    /// Records were lost or harmed, a goal was missed, or one side is worse than the other.
    Regression,
    /// The options contradict each other, or the run says nothing.
    InvalidRun,
    /// The work could not be done: no broker, no disk, an answer that is none.
    ToolError,
}

impl Exit {
    /// The worse of two: what could not be done comes before what says nothing, and that before what is bad.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        if self.rank() >= other.rank() { self } else { other }
    }

    fn rank(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Regression => 1,
            Self::InvalidRun => 2,
            Self::ToolError => 3,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.rank())
    }
}

/// The command line without the commands that are not for people.
pub fn visible(line: &clap::Command) -> clap::Command {
    let commands = line.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let visible = clap::Command::new(env!("CARGO_PKG_NAME"))
        .version(env!("CARGO_PKG_VERSION"))
        .about(line.get_about().cloned().unwrap_or_default())
        .after_help(line.get_after_help().cloned().unwrap_or_default());
    visible.subcommand_required(true).subcommands(commands)
}

/// Prints what the runs of a campaign showed and where they are; the worst of their ends.
fn conclude(output: &OutputOptions, table: &Table, directory: &Path, exits: impl Iterator<Item = Exit>) -> Exit {
    if !output.quiet {
        print!("{}", table.text());
        println!("results  {}", directory.display());
    }
    exits.fold(Exit::Fine, Exit::worse)
}

/// Says in one line why a run could not be made.
pub fn refuse_run(error: &Error) -> Exit {
    let invalid = matches!(
        error,
        Error::Workload(_)
            | Error::TooFewSamples { .. }
            | Error::Cores { .. }
            | Error::CoresOfOthers
            | Error::Password(_)
            | Error::LoginWithFaults
    );
    refuse(error, if invalid { Exit::InvalidRun } else { Exit::ToolError })
}

/// Says in one line why a command cannot go on.
pub fn refuse(error: impl std::fmt::Display, exit: Exit) -> Exit {
    eprintln!("loadgen: {error}");
    exit
}
