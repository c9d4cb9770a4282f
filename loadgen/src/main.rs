//! The program: options in, a result and an exit code out.
//!
//! Exit codes: 0 all is well, 1 records were lost or harmed, 2 the options or the run are invalid, 3 the run failed.

use std::fs;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::{Parser, Subcommand};
use loadgen::embedded;
use loadgen::error::Error;
use loadgen::local_broker::NullLog;
use loadgen::progress::Progress;
use loadgen::report::{Colour, terminal_table, write_files};
use loadgen::result::{RunResult, Verdict};
use loadgen::run;
use loadgen::workload::{FsyncClass, Mode, RunArgs, Verify};

const INTEGRITY_FAILED: u8 = 1;
const INVALID_RUN: u8 = 2;
const TOOL_ERROR: u8 = 3;

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
    Run(Box<RunArgs>),
    /// Measure this program alone: the same load into a broker in this process that forgets everything.
    Selftest(Box<RunArgs>),
    /// The broker that `run` starts beside itself.
    #[command(name = embedded::SUBCOMMAND, hide = true)]
    EmbeddedBroker(server::cli::ServeArguments),
}

fn main() -> ExitCode {
    match Line::parse().command {
        Command::Run(args) => run_load(&args),
        Command::Selftest(args) => measure_self(*args),
        Command::EmbeddedBroker(args) => server::cli::serve_with(&args),
    }
}

fn run_load(args: &RunArgs) -> ExitCode {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // Without the handler the signal ends us at once, which is what it means.
        let _ = signal_hook::flag::register(signal, interrupted.clone());
    }
    let mut progress = Progress::new(false);
    let outcome = run::execute(args, &mut progress, interrupted);
    progress.finish();
    match outcome {
        Ok(result) => report(&result, args),
        Err(error) => {
            eprintln!("loadgen: {error}");
            ExitCode::from(if matches!(error, Error::Workload(_)) { INVALID_RUN } else { TOOL_ERROR })
        }
    }
}

/// The ceiling of the generator: nothing is stored, so nothing can be read back.
fn measure_self(mut args: RunArgs) -> ExitCode {
    match loadgen::local_broker::start(NullLog::default()) {
        Ok(address) => args.bootstrap = Some(address),
        Err(error) => {
            eprintln!("loadgen: cannot listen: {error}");
            return ExitCode::from(TOOL_ERROR);
        }
    }
    (args.mode, args.verify, args.consumers) = (Mode::Produce, Verify::Off, 0);
    args.product = Some("null-broker".into());
    args.fsync = Some(FsyncClass::None);
    run_load(&args)
}

/// Verdict and table, then where the files are.
fn report(result: &RunResult, args: &RunArgs) -> ExitCode {
    let mut out = std::io::stdout().lock();
    let colour = if out.is_terminal() { Colour::Ansi } else { Colour::Plain };
    let mut written = write_files(result, &args.out);
    if let Ok(paths) = &mut written {
        for (wanted, path) in [(&args.json, &mut paths.json), (&args.html, &mut paths.html)] {
            if let Some(wanted) = wanted {
                match move_file(path, wanted) {
                    Ok(()) => path.clone_from(wanted),
                    Err(error) => eprintln!("loadgen: cannot write {}: {error}", wanted.display()),
                }
            }
        }
    }
    // A closed pipe must not change the exit code.
    let _ = match &result.error {
        Some(error) if result.integrity.produced == 0 => writeln!(std::io::stderr(), "loadgen: {error}"),
        _ => writeln!(out, "{}", terminal_table(result, colour)),
    };
    match written {
        Ok(paths) => {
            let _ = writeln!(out, "result  {}\nreport  {}", paths.json.display(), paths.html.display());
            exit_code(result)
        }
        Err(error) => {
            eprintln!("loadgen: cannot write the result to {}: {error}", args.out.display());
            ExitCode::from(TOOL_ERROR)
        }
    }
}

/// Also between file systems, where a rename fails.
fn move_file(from: &Path, to: &Path) -> std::io::Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::copy(from, to)?;
    fs::remove_file(from)
}

fn exit_code(result: &RunResult) -> ExitCode {
    let failed_records = result.summary.produce.as_ref().is_some_and(|produce| !produce.errors.is_empty());
    match result.integrity.verdict {
        Verdict::Fail => ExitCode::from(INTEGRITY_FAILED),
        _ if result.error.is_some() => ExitCode::from(TOOL_ERROR),
        _ if failed_records => ExitCode::from(INVALID_RUN),
        _ => ExitCode::SUCCESS,
    }
}
