//! `loadgen compare`: results against results, with a verdict that a script can act on.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::command::{Exit, refuse};
use crate::compare::{Filter, Grid, Key, Layout, Metric, Outcome, Settings, load, markdown, text};
use crate::quantity::parse_share;
use crate::report::Colour;

/// Where there is no terminal to ask, and for terminals that do not tell.
const COLUMNS_DEFAULT: usize = 120;
/// Narrower, figures would be cut.
const COLUMNS_MIN: usize = 30;

/// The options of `loadgen compare`.
#[derive(Debug, Clone, Args)]
pub struct CompareOptions {
    /// Result files, folders with them, or patterns. The first side found is what the others are held against.
    #[arg(required = true, value_name = "PATHS")]
    pub paths: Vec<PathBuf>,
    /// How the runs are arranged.
    #[command(flatten)]
    pub arrange: ArrangeOptions,
    /// How the verdict is found and printed.
    #[command(flatten)]
    pub judge: JudgeOptions,
}

/// How runs are sorted into rows and columns.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Arrangement")]
pub struct ArrangeOptions {
    /// What makes a row, by paths of the result file, as in workload.partitions; by default the load.
    #[arg(long, value_name = "KEYS", value_delimiter = ',', value_parser = Key::parse)]
    pub row: Vec<Key>,
    /// What makes a column, as in target.version; by default the label, or product and version.
    #[arg(long, value_name = "KEYS", value_delimiter = ',', value_parser = Key::parse)]
    pub col: Vec<Key>,
    /// Only runs with this, as in workload.acks=all or label!=old; may be given several times.
    #[arg(long, value_name = "KEY=VALUE", value_parser = Filter::parse)]
    pub filter: Vec<Filter>,
    /// The column that the others are held against.
    #[arg(long, value_name = "COLUMN")]
    pub base: Option<String>,
}

impl ArrangeOptions {
    /// The same for the library.
    pub fn layout(&self) -> Layout {
        Layout { row: self.row.clone(), column: self.col.clone(), filter: self.filter.clone(), base: self.base.clone() }
    }
}

/// How a verdict is found and printed.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Verdict")]
pub struct JudgeOptions {
    /// Only these figures; fewer figures need fewer runs.
    #[arg(long, value_name = "METRICS", value_delimiter = ',', value_enum)]
    pub metric: Vec<Metric>,
    /// Chance of a false alarm in a family of figures when nothing differs.
    #[arg(long, value_name = "SHARE", default_value = "0.05", value_parser = parse_alpha)]
    pub alpha: f64,
    /// The smallest difference that matters [default: 3% of throughput, 5% of medians and costs, 10% of tails].
    #[arg(long, value_name = "SHARE", value_parser = parse_threshold)]
    pub threshold: Option<f64>,
    /// Rank also what is unlike in durability or client mode, with a warning.
    #[arg(long)]
    pub force: bool,
    /// How to print.
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

/// Forms of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a terminal.
    Text,
    /// For a pull request.
    Markdown,
    /// For programs.
    Json,
}

/// Compares and prints: 0 no regression, 1 a regression, 2 nothing that can be compared, 3 files that cannot be read.
pub fn execute(options: &CompareOptions) -> Exit {
    let mut loaded = match load(&options.paths) {
        Ok(loaded) => loaded,
        Err(error) => return refuse(error, Exit::ToolError),
    };
    for run in &mut loaded.runs {
        // Neither is compared, and they are nearly all of a result.
        run.series = None;
        run.histograms.clear();
    }
    let layout = options.arrange.layout();
    let mut grid = match Grid::new(&loaded.runs, &layout, &options.judge.settings()) {
        Ok(grid) => grid,
        Err(error) => return refuse(error, Exit::InvalidRun),
    };
    if !loaded.skipped.is_empty() {
        let (files, first) = (loaded.skipped.len(), loaded.skipped[0].display());
        grid.warnings
            .push(format!("{files} JSON files in the folders are no results and were passed over, as {first}"));
    }
    match print(&grid, options.judge.format) {
        // Who closes the pipe has seen enough; the exit code stays.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            refuse(format_args!("cannot write the comparison: {error}"), Exit::ToolError)
        }
        _ => exit_of(grid.outcome),
    }
}

/// What a comparison means for a script.
pub fn exit_of(outcome: Outcome) -> Exit {
    match outcome {
        Outcome::Regression => Exit::Regression,
        Outcome::Better | Outcome::NoDifference => Exit::Fine,
        Outcome::NothingComparable => Exit::InvalidRun,
    }
}

impl JudgeOptions {
    /// The same for the library.
    pub fn settings(&self) -> Settings {
        let mut metrics = if self.metric.is_empty() { Metric::ALL.to_vec() } else { self.metric.clone() };
        metrics.sort_unstable();
        metrics.dedup();
        Settings { metrics, alpha: self.alpha, threshold: self.threshold, force: self.force }
    }
}

/// Prints a comparison on standard output.
pub fn print(grid: &Grid, format: Format) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match format {
        Format::Text => {
            let colour = if out.is_terminal() && no_colour_unset() { Colour::Ansi } else { Colour::Plain };
            out.write_all(text(grid, columns(&out), colour).as_bytes())
        }
        Format::Markdown => out.write_all(markdown(grid).as_bytes()),
        Format::Json => {
            serde_json::to_writer_pretty(&mut out, grid)?;
            out.write_all(b"\n")
        }
    }
}

fn no_colour_unset() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The width of the terminal, if there is one that tells.
fn columns(out: &io::StdoutLock<'_>) -> usize {
    let told = rustix::termios::tcgetwinsize(out).map_or(0, |size| usize::from(size.ws_col));
    if told == 0 { COLUMNS_DEFAULT } else { told.max(COLUMNS_MIN) }
}

fn parse_alpha(text: &str) -> Result<f64, String> {
    parse_share(text).and_then(|share| {
        if (0.000_1..=0.5).contains(&share) { Ok(share) } else { Err(format!("{text} is not from 0.0001 to 0.5")) }
    })
}

/// Zero is a threshold too: every significant difference matters.
fn parse_threshold(text: &str) -> Result<f64, String> {
    let share = if matches!(text.trim(), "0" | "0%") { 0.0 } else { parse_share(text)? };
    if share < 10.0 { Ok(share) } else { Err(format!("{text} is tenfold or more; 2% is usual")) }
}
