//! Result files from the command line: files, folders, patterns. Bounded before memory is given.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::result::{RunResult, SCHEMA_VERSION};

/// Files of one comparison. A hundred loads of five repeats on two sides fit.
pub const FILES_MAX: usize = 1_000;
/// Bytes of a file. A result has 200 KB at most; an hour of one-second series has more.
pub const FILE_BYTES_MAX: u64 = 8 << 20;
/// Bytes of all files together.
const TOTAL_BYTES_MAX: u64 = 512 << 20;
/// Folders within folders.
const DEPTH_MAX: usize = 16;
/// Entries looked at below a folder, results or not.
const ENTRIES_MAX: usize = 100_000;

/// What was read.
#[derive(Debug, Default)]
pub struct LoadedRuns {
    /// In the order of the command line, files of a folder by name.
    pub runs: Vec<RunResult>,
    /// JSON files found in folders that are something else than results.
    pub skipped: Vec<PathBuf>,
}

/// Why results could not be read: what, where, what to do.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The kernel said no.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is something else.
    #[error("{} is not a result of loadgen: {why}", path.display())]
    NotAResult {
        /// Where.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// More than is given memory.
    #[error("{} {what}; name fewer or smaller files", path.display())]
    TooMuch {
        /// The file that goes beyond.
        path: PathBuf,
        /// The bound.
        what: String,
    },
    /// Nothing there.
    #[error("no result file matches {0}; give files that loadgen wrote, or folders with them")]
    NoFile(String),
    /// Not a pattern.
    #[error("{pattern:?} is no pattern: {why}")]
    Pattern {
        /// As given.
        pattern: String,
        /// Why.
        why: String,
    },
}

/// Reads the results at these paths; a path with `*`, `?` or `[` that is no file is a pattern. A file that is reached twice is read once.
pub fn load(paths: &[PathBuf]) -> Result<LoadedRuns, LoadError> {
    let mut loaded = LoadedRuns::default();
    let mut seen = BTreeSet::new();
    let mut bytes_left = TOTAL_BYTES_MAX;
    for given in paths {
        let found = found_at(given)?;
        let before = seen.len();
        for (path, named) in found {
            if !seen.insert(fs::canonicalize(&path).unwrap_or_else(|_| path.clone())) {
                continue;
            }
            let text = read_bounded(&path, &mut bytes_left)?;
            match parse(&path, &text, named)? {
                Some(_) if loaded.runs.len() == FILES_MAX => {
                    return Err(LoadError::TooMuch { path, what: format!("is one more than {FILES_MAX} results") });
                }
                Some(run) => loaded.runs.push(run),
                None => loaded.skipped.push(path),
            }
        }
        if seen.len() == before && loaded.runs.is_empty() {
            return Err(LoadError::NoFile(given.display().to_string()));
        }
    }
    if loaded.runs.is_empty() {
        let given: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        return Err(LoadError::NoFile(given.join(", ")));
    }
    Ok(loaded)
}

/// The files behind one word of the command line, and whether it names them rather than a folder above them.
fn found_at(given: &Path) -> Result<Vec<(PathBuf, bool)>, LoadError> {
    let text = given.to_string_lossy();
    let mut found = Vec::new();
    let matched = if !given.exists() && text.contains(['*', '?', '[']) {
        let pattern_error = |why: String| LoadError::Pattern { pattern: text.to_string(), why };
        let matches = glob::glob(&text).map_err(|error| pattern_error(error.to_string()))?;
        let mut paths = Vec::new();
        for path in matches.take(ENTRIES_MAX) {
            paths.push(path.map_err(|error| pattern_error(error.to_string()))?);
        }
        if paths.is_empty() {
            return Err(LoadError::NoFile(text.to_string()));
        }
        paths
    } else {
        vec![given.to_path_buf()]
    };
    let mut entries_left = ENTRIES_MAX;
    for path in matched {
        if path.is_dir() {
            walk(&path, DEPTH_MAX, &mut entries_left, &mut found)?;
        } else {
            found.push((path, true));
        }
    }
    Ok(found)
}

/// The JSON files below a folder by name; links to folders are not followed, so that there is an end.
fn walk(
    folder: &Path,
    depth_left: usize,
    entries_left: &mut usize,
    found: &mut Vec<(PathBuf, bool)>,
) -> Result<(), LoadError> {
    let failed = |source| LoadError::Read { path: folder.to_path_buf(), source };
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let too_many = || LoadError::TooMuch {
            path: folder.to_path_buf(),
            what: format!("holds more than {ENTRIES_MAX} entries, or folders deeper than {DEPTH_MAX}"),
        };
        *entries_left = entries_left.checked_sub(1).filter(|_| depth_left > 0).ok_or_else(too_many)?;
        entries.push(entry.map_err(failed)?);
    }
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        let path = entry.path();
        if entry.file_type().map_err(failed)?.is_dir() {
            walk(&path, depth_left - 1, entries_left, found)?;
        } else if path.extension().is_some_and(|extension| extension == "json") {
            found.push((path, false));
        }
    }
    Ok(())
}

fn read_bounded(path: &Path, bytes_left: &mut u64) -> Result<Vec<u8>, LoadError> {
    let failed = |source| LoadError::Read { path: path.to_path_buf(), source };
    let file = File::open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")));
    }
    let mut text = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text).map_err(failed)?;
    let bytes = text.len() as u64;
    let too_much = |what| LoadError::TooMuch { path: path.to_path_buf(), what };
    if bytes > FILE_BYTES_MAX {
        return Err(too_much(format!("is larger than {} MiB", FILE_BYTES_MAX >> 20)));
    }
    *bytes_left = bytes_left
        .checked_sub(bytes)
        .ok_or_else(|| too_much(format!("makes more than {} MiB in all", TOTAL_BYTES_MAX >> 20)))?;
    Ok(text)
}

/// The result in a file; none for a JSON file in a folder that does not claim to be one.
fn parse(path: &Path, text: &[u8], named: bool) -> Result<Option<RunResult>, LoadError> {
    #[derive(serde::Deserialize)]
    struct Claim {
        schema_version: Option<u32>,
        workload_id: Option<String>,
    }
    let refused = |why: String| LoadError::NotAResult { path: path.to_path_buf(), why };
    let claim = serde_json::from_slice::<Claim>(text);
    let claimed = claim.as_ref().is_ok_and(|claim| claim.schema_version.is_some() && claim.workload_id.is_some());
    if !named && !claimed && serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok() {
        return Ok(None);
    }
    let version = claim.ok().and_then(|claim| claim.schema_version);
    if let Some(version) = version.filter(|version| *version != SCHEMA_VERSION) {
        return Err(refused(format!("its schema_version is {version}, this program reads {SCHEMA_VERSION}")));
    }
    serde_json::from_slice(text).map(Some).map_err(|error| refused(error.to_string()))
}
