//! The program: options in, a result and an exit code out.
//!
//! Exit codes: 0 fine, 1 a regression or a missed goal or records lost, 2 the options or the run are invalid, 3 the work could
//! not be done.

use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use loadgen::command::{Exit, agent, curve, drain, find_max, refuse, run, selftest, sweep};
use loadgen::embedded;
use loadgen::options::{LoadOptions, RunOptions};

/// Offers a stated load to any Kafka endpoint and reports what happened, honestly.
#[derive(Parser)]
#[command(version)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run one load and report it; without --bootstrap against an embedded broker.
    Run(Box<RunOptions>),
    /// Measure this program alone: the same load into a broker in this process that forgets everything.
    Selftest(Box<RunOptions>),
    /// Search the highest rate that holds under the goals of --slo.
    FindMax(Box<find_max::FindMaxOptions>),
    /// Latency at shares of the highest rate, each in a run of its own.
    Curve(Box<curve::CurveOptions>),
    /// The same load with settings taken through several values.
    Sweep(Box<sweep::SweepOptions>),
    /// How fast a backlog is read, with producers off, on or throttled meanwhile.
    Drain(Box<drain::DrainOptions>),
    /// Lend this host to runs that are made elsewhere with --agents.
    Agent(agent::AgentOptions),
    /// The broker that `run` starts beside itself.
    #[command(name = embedded::SUBCOMMAND, hide = true)]
    EmbeddedBroker(server::cli::ServeArguments),
}

impl Command {
    /// The load that a preset or a workload file may complete.
    fn load(&mut self) -> Option<&mut LoadOptions> {
        match self {
            Self::Run(options) | Self::Selftest(options) => Some(&mut options.load),
            Self::FindMax(options) => Some(&mut options.run.load),
            Self::Curve(options) => Some(&mut options.run.load),
            Self::Sweep(options) => Some(&mut options.run.load),
            Self::Drain(options) => Some(&mut options.run.load),
            Self::Agent(_) | Self::EmbeddedBroker(_) => None,
        }
    }
}

fn main() -> ExitCode {
    let matches = Line::command().get_matches();
    let mut line = Line::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    if let Err(error) = complete(&mut line.command, &matches) {
        return refuse(error, Exit::InvalidRun).into();
    }
    match line.command {
        Command::Run(options) => run::execute(&options).into(),
        Command::Selftest(options) => selftest::execute(*options).into(),
        Command::FindMax(options) => find_max::execute(&options).into(),
        Command::Curve(options) => curve::execute(&options).into(),
        Command::Sweep(options) => sweep::execute(&options).into(),
        Command::Drain(options) => drain::execute(&options).into(),
        Command::Agent(options) => agent::execute(&options).into(),
        Command::EmbeddedBroker(arguments) => server::cli::serve_with(&arguments),
    }
}

fn complete(command: &mut Command, matches: &ArgMatches) -> Result<(), loadgen::settings::InvalidSetting> {
    match (command.load(), matches.subcommand()) {
        (Some(load), Some((_, line))) => load.complete(line),
        _ => Ok(()),
    }
}
