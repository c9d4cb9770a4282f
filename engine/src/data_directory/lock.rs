//! Keeps other processes out of a data directory.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use super::{LOCK_NAME, LOCK_POLL, META_NAME, OpenError};

/// The exclusive right to a data directory, until it is dropped or the process ends.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Makes the directory if needed and waits at most `wait_max` for its lock.
    pub fn acquire(path: &Path, wait_max: Duration) -> Result<DirectoryLock, OpenError> {
        std::fs::create_dir_all(path).map_err(|error| OpenError::of_io("make directory", path, error))?;
        let lock_path = path.join(LOCK_NAME);
        let is_empty =
            std::fs::read_dir(path).map_err(|error| OpenError::of_io("list directory", path, error))?.next().is_none();
        // A foreign directory is left exactly as it is.
        if !is_empty && !lock_path.exists() && !path.join(META_NAME).exists() {
            return Err(OpenError::Foreign { path: path.to_path_buf() });
        }
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(|error| OpenError::of_io("open", &lock_path, error))?;
        let started = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(DirectoryLock { _file: file }),
                Err(TryLockError::WouldBlock) if started.elapsed() < wait_max => {
                    std::thread::sleep(LOCK_POLL);
                }
                Err(TryLockError::WouldBlock) => {
                    let (path, waited_s) = (path.to_path_buf(), wait_max.as_secs());
                    return Err(OpenError::Locked { path, waited_s });
                }
                Err(TryLockError::Error(error)) => {
                    return Err(OpenError::of_io("lock", &lock_path, error));
                }
            }
        }
    }
}
