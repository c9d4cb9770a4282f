//! CONTRACT: the only door to the kernel, and the only folder with unsafe.
//!
//! The engine of a shard is a synchronous state machine: it submits operations and is handed completions, in batches, at a
//! place of its choosing. Two implementations: [`ring`] (`io_uring`) and [`sim`] (an in-memory double that delays, stalls, reorders,
//! shortens, fails and loses un-flushed sectors, from a seed).

pub mod buffer;
mod files;
pub mod net;
pub mod read_only;
pub mod ring;
pub mod runtime;
pub mod sim;
mod sim_disk;
mod slab;

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use self::buffer::AlignedBuffer;

/// An open file of this `Io`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct FileId(pub u32);

/// Chosen by the submitter; comes back with the completion.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Token(pub u64);

/// An operation that completes later. Short counts, EINTR and EAGAIN are continued inside the implementation; a completion is whole or an error.
#[derive(Debug)]
#[expect(missing_docs, reason = "each variant's text speaks of its fields")]
pub enum Op {
    /// Writes all of `data` (block-aligned memory, length and position; at most `RING_WRITE_BYTES_MAX`). The buffer is held until the completion.
    Write { file: FileId, position: u64, data: Bytes },
    /// The same, and it is on stable storage after the completion: one call instead of a write and a flush, which proves nothing of other writes.
    WriteThrough { file: FileId, position: u64, data: Bytes },
    /// Overwrites `length` bytes (multiple of the block) with real zeros, at low priority, in steps of at most `RING_WRITE_BYTES_MAX`.
    WriteZeroes { file: FileId, position: u64, length: u64 },
    /// Fills an aligned buffer with `length` bytes (block-aligned position and length). Past the end of the file is an error.
    Read { file: FileId, position: u64, length: usize },
    /// fdatasync: everything that completed before the submission is on stable storage after the completion.
    SyncData { file: FileId },
    /// Creates a file of `bytes` (fallocate + set size, unwritten extents), flushes it and its directory, and opens it for direct I/O.
    CreateFile { path: PathBuf, bytes: u64 },
    /// Atomic replace: temporary file, fsync, rename, fsync of the directory.
    ReplaceFile { path: PathBuf, content: Vec<u8> },
    /// Removes a file if it exists, and flushes its directory.
    RemoveFile { path: PathBuf },
    /// Reads a whole small file (buffered); fails if it is longer than `bytes_max`.
    ReadFile { path: PathBuf, bytes_max: usize },
    /// Asks how much the file system of a directory still has for us.
    FreeBytes { path: PathBuf },
}

/// What an operation gave.
#[derive(Debug)]
pub enum Outcome {
    /// It is done.
    Done,
    /// The bytes of a read.
    Bytes(AlignedBuffer),
    /// The file that was made.
    File(FileId),
    /// The content of a file that was read whole.
    Content(Vec<u8>),
    /// So many bytes are free.
    FreeBytes(u64),
}

/// The end of an operation.
#[derive(Debug)]
pub struct Completion {
    /// As submitted.
    pub token: Token,
    /// The outcome, or why it failed.
    pub result: io::Result<Outcome>,
}

/// The seam: submit + start + completions, blocking calls for start-up, clock and randomness.
pub trait Io {
    /// Queues an operation, which begins with the next [`Io::start`] at the latest. Never runs a completion; never blocks.
    fn submit(&mut self, token: Token, op: Op);
    /// Starts what was queued, in one call of the kernel, which so sees neighbours on the disk side by side. Never blocks.
    fn start(&mut self);
    /// Appends the completions that arrived since the last call.
    fn completions(&mut self, into: &mut Vec<Completion>);
    /// Closes a file on which no operation is in flight.
    fn close(&mut self, file: FileId);
    /// A block-aligned buffer of at least `bytes` from this core's pool (contents unspecified but initialised).
    fn buffer(&mut self, bytes: usize) -> AlignedBuffer;

    /// Nanoseconds of a monotonic clock.
    fn monotonic_ns(&self) -> u64;
    /// Milliseconds since the Unix epoch.
    fn wall_clock_ms(&self) -> i64;
    /// A random number.
    fn random_u64(&mut self) -> u64;

    // Start-up and recovery only: these block.

    /// Makes a directory (and its parents) and flushes the parent.
    fn create_directory(&mut self, path: &Path) -> io::Result<()>;
    /// Flushes the names of a directory: a process that was killed may have left some that only memory knows.
    fn sync_directory(&mut self, path: &Path) -> io::Result<()>;
    /// Names of the entries of a directory, sorted.
    fn list_directory(&mut self, path: &Path) -> io::Result<Vec<String>>;
    /// Content of a small file (at most `bytes_max`), or None if it does not exist.
    fn read_file(&mut self, path: &Path, bytes_max: usize) -> io::Result<Option<Vec<u8>>>;
    /// As [`Op::ReplaceFile`].
    fn replace_file(&mut self, path: &Path, content: &[u8]) -> io::Result<()>;
    /// As [`Op::RemoveFile`].
    fn remove_file(&mut self, path: &Path) -> io::Result<()>;
    /// Opens an existing file for direct I/O; gives its length too.
    fn open_file(&mut self, path: &Path) -> io::Result<(FileId, u64)>;
    /// As [`Op::CreateFile`].
    fn create_file(&mut self, path: &Path, bytes: u64) -> io::Result<FileId>;
    /// As [`Op::Read`] (any multiple of the block).
    fn read_at(&mut self, file: FileId, position: u64, length: usize) -> io::Result<AlignedBuffer>;
    /// As [`Op::Write`] (any multiple of the block).
    fn write_at(&mut self, file: FileId, position: u64, data: &AlignedBuffer, length: usize) -> io::Result<()>;
    /// As [`Op::SyncData`].
    fn sync_data(&mut self, file: FileId) -> io::Result<()>;
}
