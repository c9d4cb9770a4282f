//! The files of the project: what git tracks or would track.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Finding;

/// The project's root with the paths below it, in git's spelling.
pub struct Tree {
    root: PathBuf,
    /// Relative, sorted, without ignored files.
    pub paths: Vec<String>,
}

impl Tree {
    /// Asks git, so that what is built or ignored is not judged.
    pub fn of(root: &Path) -> Self {
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .expect("git lists the files of the tree");
        assert!(listed.status.success(), "git: {}", String::from_utf8_lossy(&listed.stderr));
        let text = String::from_utf8(listed.stdout).expect("paths are UTF-8");
        let mut paths: Vec<String> =
            text.split('\0').filter(|path| !path.is_empty() && root.join(path).is_file()).map(str::to_owned).collect();
        paths.sort();
        paths.dedup();
        Self { root: root.to_owned(), paths }
    }

    /// Runs a rule over every text file with one of the endings (all of them when there is none).
    pub fn findings(&self, endings: &[&str], rule: impl Fn(&str, &str) -> Vec<Finding>) -> Vec<Finding> {
        let wanted = |path: &&String| endings.is_empty() || endings.iter().any(|ending| path.ends_with(ending));
        let texts = self.paths.iter().filter(wanted).filter_map(|path| Some((path, self.text(path)?)));
        texts.flat_map(|(path, text)| rule(path, &text)).collect()
    }

    /// The text of a file; none for binary files.
    pub fn text(&self, path: &str) -> Option<String> {
        String::from_utf8(std::fs::read(self.root.join(path)).ok()?).ok()
    }
}
