//! No drawers: a file or folder is named after what it holds.

use crate::Finding;

const DRAWERS: [&str; 8] = ["util", "utils", "helper", "helpers", "common", "misc", "shared", "manager"];

/// A path with a drawer in it.
pub fn drawers(path: &str) -> Vec<Finding> {
    let is_drawer = |part: &str| DRAWERS.contains(&part.split('.').next().unwrap_or(part).to_lowercase().as_str());
    let message = "named after a drawer: name the thing that is in it, or inline it";
    path.split('/').any(is_drawer).then(|| Finding::breach("drawers", path, message)).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawers_are_found_as_files_and_folders() {
        assert_eq!(drawers("engine/src/util.rs").len(), 1);
        assert_eq!(drawers("clients/common/run.py").len(), 1);
        assert!(drawers("engine/src/utilisation.rs").is_empty());
    }
}
