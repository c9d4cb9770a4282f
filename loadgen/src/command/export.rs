//! `loadgen export`: results in the format of another tool, on standard output or in a file.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::command::{Exit, refuse};
use crate::exchange::{Better, ExportFormat, ExportOptions, Refusal, export, read_bounded};
use crate::result::{RunResult, histogram_name};

/// Longest result file that is read: a day of one-second series.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// Most files of one export: a year of nightly runs with five repeats and ten loads fits.
const FILES_MAX: usize = 20_000;

/// What to export and how.
#[derive(Args, Debug)]
pub struct ExportCommand {
    /// The format.
    #[arg(long, value_enum)]
    pub to: ExportFormat,
    /// Result files.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Where to write; standard output without it.
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// For github-action-benchmark: figures of which direction, since it takes one a file.
    #[arg(long, value_enum, default_value = "smaller")]
    pub better: Better,
    /// For hgrm: which latency.
    #[arg(long, default_value = histogram_name::PRODUCE_RESPONSE)]
    pub histogram: String,
}

/// Reads every file before it writes anything.
pub fn execute(options: &ExportCommand) -> Exit {
    if options.files.len() > FILES_MAX {
        let what = format!("{} files are too many for one export, at most {FILES_MAX}", options.files.len());
        return refuse(what, Exit::ToolError);
    }
    let mut results = Vec::new();
    for path in &options.files {
        match read_result(path) {
            Ok(result) => results.push(result),
            Err(error) => return refuse(format_args!("{}: {error}", path.display()), Exit::ToolError),
        }
    }
    let how = ExportOptions { better: options.better, histogram: options.histogram.clone() };
    let text = match export(options.to, &results, &how) {
        Ok(text) => text,
        Err(error) => return refuse(format_args!("cannot export: {error}"), Exit::ToolError),
    };
    let written = match &options.out {
        Some(path) => fs::write(path, text),
        None => std::io::stdout().lock().write_all(text.as_bytes()),
    };
    match written {
        Ok(()) => Exit::Fine,
        Err(error) => {
            let place = options.out.as_deref().unwrap_or(Path::new("standard output"));
            refuse(format_args!("cannot write {}: {error}", place.display()), Exit::ToolError)
        }
    }
}

fn read_result(path: &Path) -> Result<RunResult, Refusal> {
    let bytes = read_bounded(path, FILE_BYTES_MAX)?;
    serde_json::from_slice(&bytes).map_err(|error| Refusal::new(format!("not a result file: {error}")))
}
