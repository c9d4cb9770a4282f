//! CONTRACT: what a journal needs of the file system besides reads and writes. Every call blocks, and what it made is durable when it returns.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, OFlags};

use crate::limits::BLOCK_BYTES;

/// Opens an existing file for direct I/O; gives its length too.
pub(super) fn open_direct(path: &Path) -> io::Result<(File, u64)> {
    let file = direct_options().open(path).map_err(|error| named(&error, "open for direct i/o", path))?;
    let bytes = file.metadata()?.len();
    Ok((file, bytes))
}

/// Creates a file of `bytes` (space reserved, size set, extents unwritten) and opens it for direct I/O. Leaves nothing when it fails.
pub(super) fn create_direct(path: &Path, bytes: u64) -> io::Result<File> {
    assert!(bytes > 0 && bytes.is_multiple_of(BLOCK_BYTES as u64));
    let file =
        direct_options().create_new(true).open(path).map_err(|error| named(&error, "create for direct i/o", path))?;
    let reserved =
        retry_interrupted(|| rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes).map_err(io::Error::from))
            .map_err(|error| named(&error, "reserve space for", path))
            .and_then(|()| file.sync_all())
            .and_then(|()| sync_directory_of(path));
    if let Err(error) = reserved {
        // A file without its space would be mistaken for a segment; the first error is the one to report.
        let _ = fs::remove_file(path);
        return Err(error);
    }
    Ok(file)
}

/// The only rename: afterwards the name holds the whole new content, and never anything but the old or the new.
pub(super) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = temporary_name(path)?;
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&temporary)
        .and_then(|mut file| {
            file.write_all(content)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = written {
        let _ = fs::remove_file(&temporary);
        return Err(named(&error, "replace", path));
    }
    sync_directory_of(path)
}

/// Removes a file if it exists.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Ok(()) => sync_directory_of(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(named(&error, "remove", path)),
    }
}

/// Makes a directory and its parents.
pub(super) fn create_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        create_directory(parent)?;
    }
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(named(&error, "create directory", path)),
        _ => sync_directory_of(path),
    }
}

/// Names of the entries, sorted. A name that is not UTF-8 is not ours and refused.
pub(super) fn list_directory(path: &Path) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(path).map_err(|error| named(&error, "list directory", path))?;
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name().into_string().map_err(|name| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("list directory {}: {} is not UTF-8", path.display(), name.display()),
            )
        })?;
        names.push(name);
    }
    names.sort_unstable();
    Ok(names)
}

/// Content of a small file, None if it does not exist, an error if it is longer than `bytes_max`.
pub(super) fn read_small(path: &Path, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(named(&error, "read", path)),
    };
    let mut content = Vec::new();
    file.take(bytes_max as u64 + 1).read_to_end(&mut content).map_err(|error| named(&error, "read", path))?;
    if content.len() > bytes_max {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("read {}: longer than {bytes_max} bytes", path.display()),
        ));
    }
    Ok(Some(content))
}

/// Bytes that the file system has for an unprivileged process.
pub(super) fn free_bytes(path: &Path) -> io::Result<u64> {
    let space = rustix::fs::statvfs(path).map_err(|error| named(&error.into(), "statvfs", path))?;
    Ok(space.f_bavail.saturating_mul(space.f_frsize))
}

fn direct_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(OFlags::DIRECT.bits() as i32);
    options
}

pub(super) fn temporary_name(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidFilename))?;
    Ok(path.with_file_name(format!(".{name}.new")))
}

/// A name is durable only after its directory was flushed.
fn sync_directory_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_directory(parent),
        Some(_) => sync_directory(Path::new(".")),
        None => Ok(()),
    }
}

/// Flushes the names of a directory.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(|error| named(&error, "flush directory", path))
}

fn retry_interrupted(mut call: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

fn named(error: &io::Error, action: &str, path: &Path) -> io::Error {
    io::Error::new(error.kind(), format!("{action} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_holds_the_new_content_and_leaves_no_other_name() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("superblock");
        replace(&path, b"first").expect("replaced");
        replace(&path, b"second").expect("replaced");
        assert_eq!(read_small(&path, 6).expect("read"), Some(b"second".to_vec()));
        assert_eq!(list_directory(directory.path()).expect("listed"), ["superblock"]);
    }

    #[test]
    fn a_small_file_that_is_too_long_is_refused() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("small");
        replace(&path, b"12345").expect("replaced");
        let refused = read_small(&path, 4).expect_err("one byte too long");
        assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
        assert_eq!(read_small(&directory.path().join("none"), 4).expect("read"), None);
    }

    #[test]
    fn a_file_that_does_not_fit_leaves_nothing_behind() {
        let directory = crate::io::runtime::disk_directory();
        let path = directory.path().join("segment");
        assert!(create_direct(&path, 1 << 60).is_err());
        assert!(list_directory(directory.path()).expect("listed").is_empty());
    }
}
