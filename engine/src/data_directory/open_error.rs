//! Why a data directory cannot be used.

use std::io;
use std::path::{Path, PathBuf};

use crate::recovery::cases::Case;

/// Why a start is refused. Each message is one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is something else in it.
    #[error("{path} is not empty and not a posthaste data directory: give an empty or a new directory")]
    Foreign {
        /// The directory.
        path: PathBuf,
    },
    /// Written by a later release.
    #[error("{path} has format version {found}, this program knows up to {known}: start a newer release")]
    NewerFormat {
        /// The directory.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version this program knows.
        known: u32,
    },
    /// The file system refuses to write.
    #[error("{path} is not writable ({source}): check owner, mode and mount options")]
    NotWritable {
        /// What was written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file system is full.
    #[error("no space left for {path}: free some space on its file system, nothing was lost")]
    NoSpace {
        /// What was written.
        path: PathBuf,
    },
    /// Another process has it.
    #[error("{path} is in use by another process (waited {waited_s} s): stop that process first")]
    Locked {
        /// The directory.
        path: PathBuf,
        /// Seconds waited.
        waited_s: u64,
    },
    /// What is on disk contradicts itself or what was proven durable.
    #[error("damaged data ({case}) at {place}: {detail}; restore it from a copy, or move it away to start without it")]
    Damaged {
        /// The row of the decision table.
        case: Case,
        /// File and place in it.
        place: String,
        /// What was found.
        detail: String,
    },
    /// The settings do not fit the limits.
    #[error("{0}")]
    Settings(String),
    /// The system refused something else.
    #[error("{action} {path} failed: {source}")]
    Failed {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl OpenError {
    /// Sorts what the system said about `action` on `path`.
    pub(crate) fn of_io(action: &'static str, path: &Path, source: io::Error) -> OpenError {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => OpenError::NoSpace { path },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                OpenError::NotWritable { path, source }
            }
            _ => OpenError::Failed { action, path, source },
        }
    }
}
