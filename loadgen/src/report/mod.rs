//! Runs as people read them: a terminal table, one self-contained HTML page of a run or of many, and the JSON result.

mod backlog_chart;
mod chart;
mod collection;
mod columns;
mod costs;
mod dot_plot;
mod environment_table;
mod facts;
mod forest_plot;
mod groups;
mod heat_map;
mod history_chart;
mod html;
mod judgement;
mod markup;
mod measure;
mod outcome;
mod overview;
mod page;
mod peers_picture;
mod percentile_chart;
mod plot;
mod rate_curve;
mod run_table;
mod scale;
mod series_chart;
mod strip;
mod sweep_chart;
mod table;
mod transactions;
mod units;

pub use columns::{Align, Table};
pub use facts::facts_of;
pub use html::{html_page, html_report, html_report_by};
pub use peers_picture::peers_picture;
pub use table::{Colour, terminal_table};
pub use units::{binary_bytes, count, decimal, duration_ns, megabytes_per_s};

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::result::RunResult;

/// Where the files of a run lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportPaths {
    /// The result file.
    pub json: PathBuf,
    /// The page.
    pub html: PathBuf,
}

/// Writes `<id>.json` and `<id>.html` into `directory`, which is made if need be. The result comes first: it must
/// not be lost when the page fails. A file appears under its name whole or not at all.
pub fn write_files(result: &RunResult, directory: &Path) -> io::Result<ReportPaths> {
    fs::create_dir_all(directory)?;
    let paths = ReportPaths {
        json: directory.join(format!("{}.json", result.id)),
        html: directory.join(format!("{}.html", result.id)),
    };
    let mut json = serde_json::to_vec_pretty(result)?;
    json.push(b'\n');
    write_whole(&paths.json, &json)?;
    write_whole(&paths.html, html_page(result).as_bytes())?;
    Ok(paths)
}

/// Writes a file that appears under its name whole or not at all.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    let written = fs::write(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, path));
    if written.is_err() {
        // Half a file helps nobody, least of all on a full disk.
        let _ = fs::remove_file(&unfinished);
    }
    written
}
