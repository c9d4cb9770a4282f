//! The program: options in, a result and an exit code out.
//!
//! Exit codes: 0 fine, 1 a regression or a missed goal or records lost, 2 the options or the run are invalid, 3 the work could
//! not be done.

use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use loadgen::command::{self, Exit, refuse};
use loadgen::embedded;
use loadgen::options::{LoadOptions, RunOptions};

/// First steps, below the list of commands.
const EXAMPLES: &str = "Examples:
  loadgen run                                          one load against a broker of its own
  loadgen run --bootstrap localhost:9092 --rate 50MB/s --duration 60s
  loadgen run --preset smoke --slo 'p99<10ms'          exit code 1 when the goal is missed
  loadgen find-max --slo 'p99<10ms' --bootstrap localhost:9092
  loadgen ab old=embedded new=path/to/posthaste        is the new one better?
  loadgen machine                                      is this machine fit for measuring?

Exit codes: 0 fine, 1 a regression, a missed goal or lost records, 2 invalid options or an invalid run, 3 the work could not be done.";

/// Offers a stated load to any Kafka endpoint and reports what happened, honestly.
#[derive(Parser)]
#[command(name = "loadgen", version, after_help = EXAMPLES)]
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
    /// Peers of this machine under the loads of a suite file, turn about, with a report; goes on where it was stopped.
    Suite(command::suite::SuiteOptions),
    /// A long check that nothing acknowledged is lost, with an account that outlives this program.
    Verify(Box<command::verify::VerifyOptions>),
    /// Compare results: medians, exact tests, a verdict; 1 when a later side is worse than the first.
    Compare(Box<command::compare::CompareOptions>),
    /// The machine against itself: its noise floor.
    Certify(Box<command::certify::CertifyOptions>),
    /// One HTML page over any number of results.
    Report(Box<command::report::ReportOptions>),
    /// Write results in another tool's format.
    Export(command::export::ExportCommand),
    /// Make a result of another tool's output.
    Import(command::import::ImportCommand),
    /// Check a folder of result files, or write its index.
    Results(command::results::ResultsCommand),
    /// Tell what every result will say about this machine, and what to do about it before measuring.
    Machine(command::machine::MachineOptions),
    /// Print the script that lets a shell complete command lines of this program.
    Completions(command::completions::CompletionsOptions),
    /// Print a page for man, or write them all.
    Man(command::man::ManOptions),
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
            _ => None,
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
            Self::Suite(options) => command::suite::execute(&options),
            Self::Verify(options) => command::verify::execute(*options),
            Self::Compare(options) => command::compare::execute(&options),
            Self::Certify(options) => command::certify::execute(&options),
            Self::Report(options) => command::report::execute(&options),
            Self::Export(options) => command::export::execute(&options),
            Self::Import(options) => command::import::execute(&options),
            Self::Results(options) => command::results::execute(&options),
            Self::Machine(options) => command::machine::execute(&options),
            Self::Completions(options) => command::completions::execute(&options, &Line::command()),
            Self::Man(options) => command::man::execute(&options, &Line::command()),
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;
    use clap_complete::Shell;

    /// Names of the commands for people.
    fn names() -> Vec<String> {
        let line = Line::command();
        let visible = line.get_subcommands().filter(|command| !command.is_hide_set());
        let names: Vec<String> = visible.map(|command| command.get_name().to_owned()).collect();
        assert!(names.len() >= 7 && names.contains(&"find-max".to_owned()), "{names:?}");
        names
    }

    #[test]
    fn the_command_line_is_free_of_contradictions() {
        Line::command().debug_assert();
    }

    #[test]
    fn every_shell_completes_every_command_and_no_hidden_one() {
        for shell in Shell::value_variants() {
            let script = command::completions::script(*shell, &Line::command());
            let script = String::from_utf8(script).expect("text");
            for name in names() {
                assert!(script.contains(&name), "{shell}: {name}");
            }
            assert!(script.contains("record-bytes"), "{shell}: options of commands too");
            assert!(!script.contains(embedded::SUBCOMMAND), "{shell}");
        }
    }

    #[test]
    fn there_is_a_page_of_the_program_and_one_of_every_command() {
        let pages = command::man::pages(&Line::command());
        let files: Vec<&str> = pages.iter().map(|(file, _)| file.as_str()).collect();
        let named = names().into_iter().map(|name| format!("loadgen-{name}.1"));
        assert_eq!(files, std::iter::once("loadgen.1".to_owned()).chain(named).collect::<Vec<_>>());
        let text = |page: &[u8]| String::from_utf8(page.to_vec()).expect("text").replace('\\', "");
        let whole = text(&pages[0].1);
        for name in names() {
            assert!(whole.contains(&format!("loadgen-{name}(1)")), "{name} in {whole}");
        }
        assert!(!whole.contains(embedded::SUBCOMMAND) && whole.contains("Exit codes"));
        let run = text(&pages[1].1);
        assert!(run.contains("--record-bytes") && run.contains("loadgen-run"), "{run}");
    }
}
