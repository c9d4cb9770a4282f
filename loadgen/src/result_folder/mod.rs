//! A folder of result files under version control: what may lie in it, and whether every figure can be believed.
//!
//! `results/README.md` gives the rules to people; each has a name here, and a finding names file, key and remedy.

mod exceptions;
mod figure_rules;
mod file_rules;
mod finding;
mod group_rules;
mod index;
mod layout;
mod machines;
mod walk;

pub use finding::{Finding, Rule};
pub use index::{INDEX_FILE, index_text, stale};

use std::path::Path;
use std::time::SystemTime;

use serde_json::Value;

use crate::exchange::Refusal;
use crate::result::{RunResult, fnv1a};
use layout::Place;
use walk::FoundFile;

/// Longest result file that is committed. A minute of series and four histograms take a tenth of it.
pub const COMMITTED_BYTES_MAX: u64 = 200_000;
/// Most files of a folder: a year of nightly runs with five repeats and ten loads fits.
pub const FILES_MAX: usize = 20_000;

/// A result file that could be read.
struct ResultFile {
    place: Place,
    bytes: u64,
    /// FNV-1a of the bytes: tells a rewritten file.
    hash: String,
    /// As it stands in the file.
    written: Value,
    result: RunResult,
}

/// Every finding of a folder, in the order of the files. `now` bounds the dates.
pub fn check(folder: &Path, now: SystemTime) -> Result<Vec<Finding>, Refusal> {
    let mut exceptions = exceptions::read(folder)?;
    let mut findings = Vec::new();
    let mut groups = group_rules::Groups::default();
    let machines = machines::check(folder, &mut findings)?;
    for file in walk::result_files(folder)? {
        match read(folder, &file) {
            Ok(file) => {
                file_rules::check(&file, now, &mut findings);
                figure_rules::check(&file, &mut findings);
                layout::check(&file, &machines, &mut findings);
                groups.add(&file, &mut findings);
            }
            Err(finding) => findings.push(finding),
        }
    }
    groups.check(&mut findings);
    findings.retain(|finding| !exceptions.excuse(finding));
    exceptions.report_unused(&mut findings);
    Ok(findings)
}

/// One file, or why it is no result.
fn read(folder: &Path, file: &FoundFile) -> Result<ResultFile, Finding> {
    let finding = |rule, key: &str, what: String| Finding::new(rule, &file.path, key, what);
    if file.bytes > COMMITTED_BYTES_MAX {
        let what =
            format!("{} bytes are more than {COMMITTED_BYTES_MAX}: run shorter, or commit it elsewhere", file.bytes);
        return Err(finding(Rule::Size, "", what));
    }
    let unreadable = |what: String| finding(Rule::Format, "", what);
    let bytes = crate::exchange::read_bounded(&folder.join(&file.path), COMMITTED_BYTES_MAX)
        .map_err(|error| unreadable(format!("cannot be read: {error}")))?;
    let written: Value =
        serde_json::from_slice(&bytes).map_err(|error| unreadable(format!("is not JSON, cut off perhaps: {error}")))?;
    if written.get("schema_version").is_none() {
        let what = "is no result file: move it out of the folder, or list it in exceptions.toml";
        return Err(finding(Rule::NoResult, "schema_version", what.into()));
    }
    let result: RunResult = serde_json::from_value(written.clone())
        .map_err(|error| unreadable(format!("does not fit the schema, results/schema/run-v1.json: {error}")))?;
    let hash = format!("{:016x}", fnv1a(&bytes));
    Ok(ResultFile { place: Place::of(&file.path), bytes: bytes.len() as u64, hash, written, result })
}
