//! The simulated kernel: operations under way, and how each of them ends.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash};
use std::io;
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::faults::{Fault, FaultCounts, Faults};
use crate::io::buffer::{AlignedBuffer, Pool};
use crate::io::sim_disk::{NodeId, SimDisk, Stage, below};
use crate::io::{Completion, FileId, Op, Outcome, Token};
use crate::limits::{BLOCK_BYTES, RING_WRITE_BYTES_MAX};

/// Longest stall.
const LONGEST_STALL_NS: u64 = 1_000_000_000;

pub(super) struct Kernel {
    pub disk: SimDisk,
    pub random: Xoshiro256PlusPlus,
    pub faults: Faults,
    pub counts: FaultCounts,
    /// Submitted and not started: a process that forgets to start it waits for ever.
    pub queued: Vec<InFlight>,
    pub in_flight: Vec<InFlight>,
    /// What each ring has not fetched yet.
    pub completed: Vec<Vec<Completion>>,
    pub open: BTreeMap<FileId, NodeId>,
    pub next_file: u32,
    pub pool: Pool,
    pub now_ns: u64,
    pub stalled_until_ns: u64,
    pub trace: DefaultHasher,
    /// Blocking calls until the process is dead.
    pub calls_left: Option<u64>,
}

pub(super) struct InFlight {
    pub ring: usize,
    pub token: Token,
    pub op: Op,
    /// A flush covers the writes that had completed when it was started.
    pub covers: u64,
}

impl Kernel {
    pub fn step(&mut self) -> bool {
        if self.in_flight.is_empty() {
            return false;
        }
        self.now_ns += 1_000 + below(&mut self.random, 100_000);
        if self.now_ns < self.stalled_until_ns {
            // Whoever only steps still gets there.
            self.now_ns += LONGEST_STALL_NS / 100;
            return true;
        }
        if self.strikes(Fault::Stall) {
            self.stalled_until_ns = self.now_ns + below(&mut self.random, LONGEST_STALL_NS);
        }
        if self.strikes(Fault::Delay) {
            return true;
        }
        let choices = if self.faults.reorder { self.in_flight.len() as u64 } else { 1 };
        let index = below(&mut self.random, choices) as usize;
        let InFlight { ring, token, op, covers } = self.in_flight.remove(index);
        let result = self.perform(op, covers);
        self.record(("complete", token, result.as_ref().map_err(io::Error::kind).is_ok()));
        self.completed[ring].push(Completion { token, result });
        true
    }

    fn perform(&mut self, op: Op, covers: u64) -> io::Result<Outcome> {
        match op {
            Op::Write { file, position, data } => self.write(file, position, data).map(|()| Outcome::Done),
            Op::WriteThrough { file, position, data } => {
                // Of what was written before it proves nothing.
                let first = self.disk.next_write();
                self.write(file, position, data)?;
                self.sync(file, &(first..self.disk.next_write())).map(|()| Outcome::Done)
            }
            Op::WriteZeroes { file, position, length } => {
                let zeroes = Bytes::from(vec![0; length as usize]);
                self.write(file, position, zeroes).map(|()| Outcome::Done)
            }
            Op::Read { file, position, length } => self.read(file, position, length).map(Outcome::Bytes),
            Op::SyncData { file } => self.sync(file, &(0..covers)).map(|()| Outcome::Done),
            Op::CreateFile { path, bytes } => self.create(&path, bytes).map(Outcome::File),
            Op::ReplaceFile { path, content } => self.replace(&path, &content).map(|()| Outcome::Done),
            Op::RemoveFile { path } => {
                self.disk.remove(&path, Stage::Durable);
                Ok(Outcome::Done)
            }
            Op::ReadFile { path, bytes_max } => self.read_whole(&path, bytes_max).map(Outcome::Content),
            Op::FreeBytes { .. } => Ok(Outcome::FreeBytes(self.disk.free_bytes())),
        }
    }

    pub fn write(&mut self, file: FileId, position: u64, data: Bytes) -> io::Result<()> {
        let node = self.open[&file];
        if self.strikes(Fault::WriteError) {
            self.disk.write_torn(node, position, &data, &mut self.random);
            return Err(input_output_error());
        }
        let misdirected = self.strikes(Fault::MisdirectedWrite);
        if misdirected || self.strikes(Fault::DuplicatedWrite) {
            self.write_astray(node, position, &data, misdirected)
        } else {
            self.disk.write(node, position, data)
        }
    }

    /// One block of a write lands elsewhere in its file, beside or instead of where it belongs.
    fn write_astray(&mut self, node: NodeId, position: u64, data: &Bytes, instead: bool) -> io::Result<()> {
        let block = BLOCK_BYTES as u64;
        let (from, to) = (
            below(&mut self.random, data.len() as u64 / block) * block,
            below(&mut self.random, self.disk.length(node) / block) * block,
        );
        let kept = self.disk.block(node, position + from);
        self.disk.write(node, position, data.clone())?;
        if instead {
            self.disk.write(node, position + from, kept)?;
        }
        self.disk.write(node, to, data.slice(from as usize..from as usize + BLOCK_BYTES))
    }

    pub fn read(&mut self, file: FileId, position: u64, length: usize) -> io::Result<AlignedBuffer> {
        if self.strikes(Fault::ReadError) {
            return Err(input_output_error());
        }
        let mut buffer = self.pool.take(length);
        self.disk.read(self.open[&file], position, &mut buffer)?;
        if self.strikes(Fault::ReadFlip) {
            let bit = below(&mut self.random, buffer.len() as u64 * 8);
            buffer[(bit / 8) as usize] ^= 1 << (bit % 8);
        }
        Ok(buffer)
    }

    pub fn sync(&mut self, file: FileId, covers: &Range<u64>) -> io::Result<()> {
        let node = self.open[&file];
        if self.strikes(Fault::SyncError) {
            self.disk.sync_failed(node, covers);
            return Err(input_output_error());
        }
        if !self.strikes(Fault::LyingFlush) {
            self.disk.sync(node, covers);
        }
        Ok(())
    }

    pub fn create(&mut self, path: &Path, bytes: u64) -> io::Result<FileId> {
        if self.strikes(Fault::DiskFull) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if self.strikes(Fault::CreateError) {
            return Err(input_output_error());
        }
        let node = self.disk.create(path, bytes, Stage::Durable)?;
        Ok(self.add_file(node))
    }

    pub fn replace(&mut self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.disk.replace(path, content, Stage::Durable, &mut self.random)
    }

    pub fn read_whole(&mut self, path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
        let node = self.disk.find(path)?;
        if self.strikes(Fault::ReadError) {
            return Err(input_output_error());
        }
        let length = self.disk.length(node) as usize;
        if length > bytes_max {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut content = vec![0; length];
        self.disk.read(node, 0, &mut content)?;
        Ok(content)
    }

    pub fn add_file(&mut self, node: NodeId) -> FileId {
        let file = FileId(self.next_file);
        self.next_file += 1;
        self.open.insert(file, node);
        file
    }

    /// What is left of an operation that was under way when the process ended.
    pub fn land_partly(&mut self, operation: InFlight) {
        let stages = [None, Some(Stage::Begun), Some(Stage::Visible), Some(Stage::Durable)];
        let stage = stages[below(&mut self.random, 4) as usize];
        let Some(stage) = stage else { return };
        let node = file_of(&operation.op).map(|file| self.open[&file]);
        // An operation that is impossible (disk full, name taken) leaves nothing, which is what its error says.
        match (operation.op, node) {
            (Op::Write { position, data, .. } | Op::WriteThrough { position, data, .. }, Some(node)) => {
                self.disk.write_torn(node, position, &data, &mut self.random);
            }
            (Op::WriteZeroes { position, length, .. }, Some(node)) => {
                let zeroes = Bytes::from(vec![0; length as usize]);
                self.disk.write_torn(node, position, &zeroes, &mut self.random);
            }
            (Op::SyncData { .. }, Some(node)) => self.disk.sync(node, &(0..operation.covers)),
            (Op::CreateFile { path, bytes }, _) => {
                let _ = self.disk.create(&path, bytes, stage);
            }
            (Op::ReplaceFile { path, content }, _) => {
                let _ = self.disk.replace(&path, &content, stage, &mut self.random);
            }
            (Op::RemoveFile { path }, _) => self.disk.remove(&path, stage),
            _ => {}
        }
    }

    fn strikes(&mut self, fault: Fault) -> bool {
        let odds = self.faults.odds(fault);
        let strikes = odds > 0 && below(&mut self.random, 1000) < odds;
        if strikes {
            *self.counts.entry(fault).or_default() += 1;
        }
        strikes
    }

    pub fn record(&mut self, event: impl Hash) {
        (self.now_ns, event).hash(&mut self.trace);
    }
}

fn input_output_error() -> io::Error {
    io::Error::from_raw_os_error(libc::EIO)
}

pub(super) fn file_of(op: &Op) -> Option<FileId> {
    match op {
        Op::Write { file, .. }
        | Op::WriteThrough { file, .. }
        | Op::WriteZeroes { file, .. }
        | Op::Read { file, .. }
        | Op::SyncData { file } => Some(*file),
        _ => None,
    }
}

/// The rules of direct I/O, which a memory double would otherwise forgive.
pub(super) fn check(op: &Op) {
    let block = BLOCK_BYTES as u64;
    match op {
        Op::Write { position, data, .. } | Op::WriteThrough { position, data, .. } => {
            assert!(position.is_multiple_of(block));
            assert!(data.len().is_multiple_of(BLOCK_BYTES));
            assert!((data.as_ptr() as usize).is_multiple_of(BLOCK_BYTES));
            assert!(!data.is_empty() && data.len() <= RING_WRITE_BYTES_MAX);
        }
        Op::WriteZeroes { position, length, .. } => {
            assert!(position.is_multiple_of(block) && length.is_multiple_of(block));
        }
        Op::Read { position, length, .. } => {
            assert!(position.is_multiple_of(block) && length.is_multiple_of(BLOCK_BYTES));
        }
        Op::CreateFile { bytes, .. } => assert!(*bytes > 0 && bytes.is_multiple_of(block)),
        Op::SyncData { .. }
        | Op::ReplaceFile { .. }
        | Op::RemoveFile { .. }
        | Op::ReadFile { .. }
        | Op::FreeBytes { .. } => {}
    }
}
