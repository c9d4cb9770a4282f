//! `loadgen results`: a folder of result files, checked and listed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::{Args, Subcommand};

use crate::command::{Exit, refuse};
use crate::exchange::{Refusal, read_bounded};
use crate::result_folder::{INDEX_FILE, check, index_text, stale};

/// Longest index that is compared: twenty thousand lines of a kilobyte.
const INDEX_BYTES_MAX: u64 = 32 << 20;
/// Most words about a stale index; the rest is a number.
const STALE_SHOWN_MAX: usize = 20;

/// What to do with the folder.
#[derive(Args, Debug)]
pub struct ResultsCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Hold every file against the rules of results/README.md; exit code 1 when one breaks them.
    Check {
        /// The folder.
        #[arg(default_value = "results")]
        folder: PathBuf,
    },
    /// Write index.json, the light list of all results.
    Index {
        /// The folder.
        #[arg(default_value = "results")]
        folder: PathBuf,
        /// Write nothing; exit code 1 when the index is not what it would be.
        #[arg(long)]
        check: bool,
    },
}

/// Carries the action out.
pub fn execute(options: &ResultsCommand) -> Exit {
    let (folder, outcome) = match &options.action {
        Action::Check { folder } => (folder, check_folder(folder)),
        Action::Index { folder, check: true } => (folder, check_index(folder)),
        Action::Index { folder, check: false } => (folder, write_index(folder)),
    };
    outcome.unwrap_or_else(|error| refuse(format_args!("{}: {error}", folder.display()), Exit::ToolError))
}

fn check_folder(folder: &Path) -> Result<Exit, Refusal> {
    let findings = check(folder, SystemTime::now())?;
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => Ok(Exit::Fine),
        count => Ok(refuse(format_args!("{count} findings in {}", folder.display()), Exit::Regression)),
    }
}

fn check_index(folder: &Path) -> Result<Exit, Refusal> {
    let fresh = index_text(folder)?;
    let path = folder.join(INDEX_FILE);
    let committed = read_bounded(&path, INDEX_BYTES_MAX)
        .map_err(|error| Refusal::new(format!("{INDEX_FILE}: {error}: write it with `loadgen results index`")))?;
    let words = stale(&String::from_utf8_lossy(&committed), &fresh);
    for word in words.iter().take(STALE_SHOWN_MAX) {
        println!("{INDEX_FILE}: {word}");
    }
    if words.is_empty() {
        return Ok(Exit::Fine);
    }
    let what =
        format_args!("{} is stale ({}): write it again with `loadgen results index`", path.display(), words.len());
    Ok(refuse(what, Exit::Regression))
}

fn write_index(folder: &Path) -> Result<Exit, Refusal> {
    let text = index_text(folder)?;
    let path = folder.join(INDEX_FILE);
    // Whole or not at all: a reader of the folder may come at any time.
    let unfinished = path.with_extension("unfinished");
    fs::write(&unfinished, text)?;
    fs::rename(&unfinished, &path)?;
    println!("index  {}", path.display());
    Ok(Exit::Fine)
}
