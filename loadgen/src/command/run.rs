//! `loadgen run`: one load, its verdict and table, its files.

use std::fs;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::ceiling::add_ceiling;
use crate::command::{Exit, refuse, refuse_run};
use crate::error::Error;
use crate::options::{OutputOptions, RunOptions};
use crate::peer::Dialect;
use crate::progress::Progress;
use crate::report::{Colour, terminal_table, write_files};
use crate::result::{RunResult, Verdict};
use crate::run;

/// Carries out the run and reports it.
pub fn execute(options: &RunOptions) -> Exit {
    execute_with(options, |_| {})
}

/// The same with a last touch before the result is written.
pub fn execute_with(options: &RunOptions, touch: impl FnOnce(&mut RunResult)) -> Exit {
    let make =
        |progress: &mut Progress, interrupted| run::execute(&options.load, &options.target, progress, interrupted);
    execute_by(options, make, touch)
}

/// The same of a run that is made in another way.
pub fn execute_by(
    options: &RunOptions,
    make: impl FnOnce(&mut Progress, Arc<AtomicBool>) -> Result<RunResult, Error>,
    touch: impl FnOnce(&mut RunResult),
) -> Exit {
    let output = &options.output;
    if output.json.is_some() && output.json == output.html {
        return refuse("--json and --html name the same file", Exit::InvalidRun);
    }
    let mut progress = Progress::new(output.quiet);
    let outcome = make(&mut progress, interrupted());
    let outcome = outcome.map(|mut result| {
        result.slo = output.goals.iter().map(|goal| goal.judge(&result)).collect();
        // The ceiling of this process says nothing of agents, nor of clients that speak something else than Kafka's protocol.
        let is_ours = options.target.agents.is_empty() && options.target.speaks == Dialect::Kafka;
        if result.error.is_none() && is_ours {
            add_ceiling(&mut result, &options.load, output.ceiling, &mut progress);
        }
        touch(&mut result);
        result
    });
    progress.finish();
    match outcome {
        Ok(result) => report(&result, output),
        Err(error) => refuse_run(&error),
    }
}

/// Becomes true at Ctrl-C, so that a run ends early with what it has instead of at once with nothing.
pub fn interrupted() -> Arc<AtomicBool> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // Without the handler the signal ends us at once, which is what it means.
        let _ = signal_hook::flag::register(signal, interrupted.clone());
    }
    interrupted
}

/// Verdict and table, then where the files are.
fn report(result: &RunResult, output: &OutputOptions) -> Exit {
    let mut out = std::io::stdout().lock();
    let colour = if out.is_terminal() { Colour::Ansi } else { Colour::Plain };
    let to_stdout = output.json.as_deref() == Some(Path::new("-"));
    let mut written = write_files(result, &output.out);
    let mut exit = exit_of(result);
    if let Ok(paths) = &mut written {
        let json = output.json.as_ref().filter(|_| !to_stdout);
        for (wanted, path) in [(json, &mut paths.json), (output.html.as_ref(), &mut paths.html)] {
            if let Some(wanted) = wanted {
                match move_file(path, wanted) {
                    Ok(()) => path.clone_from(wanted),
                    Err(error) => {
                        let words = format!("cannot write {}: {error}; it is in {}", wanted.display(), path.display());
                        exit = exit.worse(refuse(words, Exit::ToolError));
                    }
                }
            }
        }
    }
    // A closed pipe must not change the exit code.
    let _ = match &result.error {
        _ if to_stdout => {
            serde_json::to_writer_pretty(&mut out, result).map_err(Into::into).and_then(|()| writeln!(out))
        }
        Some(error) if result.integrity.produced == 0 => writeln!(std::io::stderr(), "loadgen: {error}"),
        _ if output.quiet => Ok(()),
        _ => writeln!(out, "{}", terminal_table(result, colour)),
    };
    match written {
        Ok(paths) => {
            if !output.quiet && !to_stdout {
                let _ = writeln!(out, "result  {}\nreport  {}", paths.json.display(), paths.html.display());
            }
            exit
        }
        Err(error) => {
            let place = rescue(result, to_stdout, &mut out);
            let words = format!("cannot write the result to {}: {error}; {place}", output.out.display());
            refuse(words, Exit::ToolError)
        }
    }
}

/// Keeps a result that its directory did not take: where it is now.
fn rescue(result: &RunResult, is_on_stdout: bool, out: &mut impl Write) -> String {
    if is_on_stdout {
        return "it is on standard output".into();
    }
    if let Ok(paths) = write_files(result, &std::env::temp_dir()) {
        return format!("it is in {}", paths.json.display());
    }
    match serde_json::to_writer_pretty(&mut *out, result).map_err(Into::into).and_then(|()| writeln!(out)) {
        Ok(()) => "it is on standard output".into(),
        Err(error) => format!("nor anywhere else: {error}"),
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

/// What a run's result means for a script.
pub fn exit_of(result: &RunResult) -> Exit {
    // A connection that was lost on purpose takes records along of which nothing is promised.
    let failed_records =
        result.faults.is_empty() && result.summary.produce.as_ref().is_some_and(|produce| !produce.errors.is_empty());
    match result.integrity.verdict {
        Verdict::Fail => Exit::Regression,
        _ if result.error.is_some() => Exit::ToolError,
        Verdict::Incomplete => Exit::InvalidRun,
        _ if failed_records => Exit::InvalidRun,
        _ if result.slo.iter().any(|goal| !goal.pass) => Exit::Regression,
        _ => Exit::Fine,
    }
}
