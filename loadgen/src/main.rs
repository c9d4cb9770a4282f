//! The program: options in, a result and an exit code out.
//!
//! Exit codes: 0 fine, 1 a regression or a missed goal or records lost, 2 the options or the run are invalid, 3 the work could
//! not be done.

use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use loadgen::command::{self, Exit, refuse};
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
    FindMax(Box<command::find_max::FindMaxOptions>),
    /// Latency at shares of the highest rate, each in a run of its own.
    Curve(Box<command::curve::CurveOptions>),
    /// The same load with settings taken through several values.
    Sweep(Box<command::sweep::SweepOptions>),
    /// How fast a backlog is read, with producers off, on or throttled meanwhile.
    Drain(Box<command::drain::DrainOptions>),
    /// Lend this host to runs that are made elsewhere with --agents.
    Agent(command::agent::AgentOptions),
    /// Two sides under the same load, turn about, with a verdict.
    Ab(Box<command::ab::AbOptions>),
    /// A long check that nothing acknowledged is lost, with an account that outlives this program.
    Verify(Box<command::verify::VerifyOptions>),
    /// Compare results: medians, exact tests, a verdict; 1 when a later side is worse than the first.
    Compare(Box<command::compare::CompareOptions>),
    /// The machine against itself: its noise floor.
    Certify(Box<command::certify::CertifyOptions>),
    /// One HTML page over any number of results.
    Report(Box<command::report::ReportOptions>),
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
            Self::Ab(options) => Some(&mut options.run.load),
            Self::Certify(options) => Some(&mut options.run.load),
            Self::Agent(_) | Self::Compare(_) | Self::Report(_) | Self::Verify(_) | Self::EmbeddedBroker(_) => None,
        }
    }

    fn execute(self) -> ExitCode {
        let exit = match self {
            Self::Run(options) => command::run::execute(&options),
            Self::Selftest(options) => command::selftest::execute(*options),
            Self::FindMax(options) => command::find_max::execute(&options),
            Self::Curve(options) => command::curve::execute(&options),
            Self::Sweep(options) => command::sweep::execute(&options),
            Self::Drain(options) => command::drain::execute(&options),
            Self::Agent(options) => command::agent::execute(&options),
            Self::Ab(options) => command::ab::execute(&options),
            Self::Verify(options) => command::verify::execute(*options),
            Self::Compare(options) => command::compare::execute(&options),
            Self::Certify(options) => command::certify::execute(&options),
            Self::Report(options) => command::report::execute(&options),
            Self::EmbeddedBroker(arguments) => return server::cli::serve_with(&arguments),
        };
        exit.into()
    }
}

fn main() -> ExitCode {
    // The last word counts, so that a script can append to a line; lists still add up.
    let matches = Line::command().mut_subcommands(|command| command.args_override_self(true)).get_matches();
    let mut line = Line::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    if let Err(error) = complete(&mut line.command, &matches) {
        return refuse(error, Exit::InvalidRun).into();
    }
    line.command.execute()
}

fn complete(command: &mut Command, matches: &ArgMatches) -> Result<(), loadgen::settings::InvalidSetting> {
    if let (Command::Verify(options), Some((_, line))) = (&mut *command, matches.subcommand()) {
        return options.complete(line);
    }
    match (command.load(), matches.subcommand()) {
        (Some(load), Some((_, line))) => load.complete(line),
        _ => Ok(()),
    }
}
