//! The files of the folder that should be results: every `.json` but for a few known names.

use std::fs;
use std::path::Path;

use super::FILES_MAX;
use super::index::INDEX_FILE;
use crate::exchange::Refusal;

/// Folders at the root that hold no results.
const OTHER_FOLDERS: [&str; 2] = ["schema", "machines"];
/// Files that a campaign writes beside its results.
const CAMPAIGN_FILES: [&str; 2] = ["plan.json", "starts.json"];
/// Deepest nesting; the layout has four folders.
const DEPTH_MAX: usize = 8;

/// A file before it is read.
pub(super) struct FoundFile {
    /// Below the folder, with forward slashes.
    pub path: String,
    pub bytes: u64,
}

/// All of them, sorted by path. Links are refused: what is checked is what is committed.
pub(super) fn result_files(folder: &Path) -> Result<Vec<FoundFile>, Refusal> {
    let mut files = Vec::new();
    visit(folder, "", 0, &mut files)?;
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

fn visit(folder: &Path, below: &str, depth: usize, files: &mut Vec<FoundFile>) -> Result<(), Refusal> {
    let directory = folder.join(below);
    let failed = |error: std::io::Error| Refusal::new(format!("{}: {error}", directory.display()));
    for entry in fs::read_dir(&directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let name =
            name.to_str().ok_or_else(|| Refusal::new(format!("a name in {} is not text", directory.display())))?;
        let path = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
        // Of the entry itself, not of what a link leads to.
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_symlink() {
            return Err(Refusal::new(format!("{path} is a link: put the file there, or nothing")));
        }
        let is_root = below.is_empty();
        if kind.is_dir() && !name.starts_with('.') && !(is_root && OTHER_FOLDERS.contains(&name)) {
            if depth == DEPTH_MAX {
                return Err(Refusal::new(format!("{path} lies deeper than {DEPTH_MAX} folders, which no layout does")));
            }
            visit(folder, &path, depth + 1, files)?;
        }
        let is_known = CAMPAIGN_FILES.contains(&name) || (is_root && name == INDEX_FILE);
        if kind.is_file() && Path::new(name).extension().is_some_and(|ending| ending == "json") && !is_known {
            if files.len() == FILES_MAX {
                return Err(Refusal::new(format!("more than {FILES_MAX} files: split the folder")));
            }
            files.push(FoundFile { path, bytes: entry.metadata().map_err(failed)?.len() });
        }
    }
    Ok(())
}
