//! `loadgen report`: one page over any number of results.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::command::compare::ArrangeOptions;
use crate::command::{Exit, refuse};
use crate::compare::load;
use crate::report::{html_page, html_report_by, write_whole};

/// The options of `loadgen report`.
#[derive(Debug, Clone, Args)]
pub struct ReportOptions {
    /// Result files, directories of them, or patterns such as 'results/*/r0*.json'.
    #[arg(required = true, value_name = "FILES")]
    pub files: Vec<PathBuf>,
    /// How the runs are arranged.
    #[command(flatten)]
    pub arrange: ArrangeOptions,
    /// The page to write.
    #[arg(long, value_name = "FILE", default_value = "target/loadgen/report.html")]
    pub html: PathBuf,
}

/// Reads the results and writes the page.
pub fn execute(options: &ReportOptions) -> Exit {
    let loaded = match load(&options.files) {
        Ok(loaded) => loaded,
        Err(error) => return refuse(error, Exit::ToolError),
    };
    let page = match loaded.runs.as_slice() {
        [only] => Ok(html_page(only)),
        runs => html_report_by(runs, &options.arrange.layout()),
    };
    let page = match page {
        Ok(page) => page,
        Err(error) => return refuse(error, Exit::InvalidRun),
    };
    if let Err(error) = write_page(&options.html, &page) {
        let message = format_args!("cannot write the report to {}: {error}", options.html.display());
        return refuse(message, Exit::ToolError);
    }
    if !loaded.skipped.is_empty() {
        let (files, first) = (loaded.skipped.len(), loaded.skipped[0].display());
        eprintln!("loadgen: {files} JSON files in the folders are no results and were passed over, as {first}");
    }
    // A closed pipe must not change the exit code.
    let _ = writeln!(
        io::stdout(),
        "report  {} ({} runs, {} KB)",
        options.html.display(),
        loaded.runs.len(),
        page.len().div_ceil(1_000)
    );
    Exit::Fine
}

fn write_page(path: &Path, page: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    write_whole(path, page.as_bytes())
}
