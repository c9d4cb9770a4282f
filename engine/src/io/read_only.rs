//! `ReadOnlyIo`: an [`Io`] that reads and changes nothing. What recovery would write is accepted and dropped, so `posthaste check` runs
//! the very code of a start and leaves the directory as it is.

use std::io;
use std::path::Path;

use super::buffer::AlignedBuffer;
use super::{Completion, FileId, Io, Op, Token};

/// A door that only lets out.
pub struct ReadOnlyIo<I: Io> {
    inner: I,
}

impl<I: Io> ReadOnlyIo<I> {
    /// Reads through `inner`.
    pub fn new(inner: I) -> ReadOnlyIo<I> {
        ReadOnlyIo { inner }
    }
}

impl<I: Io> Io for ReadOnlyIo<I> {
    /// Nothing runs beside a check, and recovery submits nothing.
    fn submit(&mut self, _token: Token, op: Op) {
        unreachable!("a check submits no operation: {op:?}");
    }
    fn start(&mut self) {}
    fn completions(&mut self, _into: &mut Vec<Completion>) {}
    fn close(&mut self, file: FileId) {
        self.inner.close(file);
    }
    fn buffer(&mut self, bytes: usize) -> AlignedBuffer {
        self.inner.buffer(bytes)
    }
    fn monotonic_ns(&self) -> u64 {
        self.inner.monotonic_ns()
    }
    fn wall_clock_ms(&self) -> i64 {
        self.inner.wall_clock_ms()
    }
    fn random_u64(&mut self) -> u64 {
        self.inner.random_u64()
    }
    fn create_directory(&mut self, _path: &Path) -> io::Result<()> {
        Ok(())
    }
    fn sync_directory(&mut self, _path: &Path) -> io::Result<()> {
        Ok(())
    }
    fn list_directory(&mut self, path: &Path) -> io::Result<Vec<String>> {
        self.inner.list_directory(path)
    }
    fn read_file(&mut self, path: &Path, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
        self.inner.read_file(path, bytes_max)
    }
    fn replace_file(&mut self, _path: &Path, _content: &[u8]) -> io::Result<()> {
        Ok(())
    }
    fn remove_file(&mut self, _path: &Path) -> io::Result<()> {
        Ok(())
    }
    fn open_file(&mut self, path: &Path) -> io::Result<(FileId, u64)> {
        self.inner.open_file(path)
    }
    fn create_file(&mut self, _path: &Path, _bytes: u64) -> io::Result<FileId> {
        Err(io::Error::from(io::ErrorKind::ReadOnlyFilesystem))
    }
    fn read_at(&mut self, file: FileId, position: u64, length: usize) -> io::Result<AlignedBuffer> {
        self.inner.read_at(file, position, length)
    }
    fn write_at(&mut self, _file: FileId, _position: u64, _data: &AlignedBuffer, _length: usize) -> io::Result<()> {
        Ok(())
    }
    fn sync_data(&mut self, _file: FileId) -> io::Result<()> {
        Ok(())
    }
}
