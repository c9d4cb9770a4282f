//! CONTRACT: [`Io`] on a simulated disk, deterministic from a seed: nothing completes but by [`SimIo::step`], and the faults of
//! [`Faults`] strike with stated odds.
//!
//! A `SimIo` is a handle: the engine owns one, the test keeps a clone, drives it, and ends it with [`SimIo::crash`].

use std::cell::{RefCell, RefMut};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::Path;
use std::rc::Rc;

use bytes::Bytes;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use super::buffer::{AlignedBuffer, Pool};
pub use super::sim_disk::SimDisk;
use super::sim_disk::{NodeId, Stage, below};
use super::{Completion, FileId, Io, Op, Outcome, Token};
use crate::limits::{BLOCK_BYTES, RING_WRITE_BYTES_MAX};

/// What goes wrong, in cases of a thousand. The default is a perfect disk that reorders.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// Completions come in any order; else as submitted.
    pub reorder: bool,
    /// A step passes and nothing completes.
    pub delay: u64,
    /// A read fails (EIO).
    pub read_error: u64,
    /// A write fails (EIO), and any subset of its sectors is on the disk.
    pub write_error: u64,
    /// A flush fails (EIO), and what it covered never becomes durable, whatever a later flush says.
    pub sync_error: u64,
    /// A file cannot be created because the disk is full, though it is not.
    pub disk_full: u64,
    /// A read gives a flipped bit; the next one may not.
    pub read_flip: u64,
}

impl Default for Faults {
    fn default() -> Self {
        Self { reorder: true, delay: 0, read_error: 0, write_error: 0, sync_error: 0, disk_full: 0, read_flip: 0 }
    }
}

/// How a process ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Crash {
    /// What was not flushed survives in any subset of sectors; operations under way land partly.
    PowerCut,
    /// Completed writes stay, not yet durable; operations under way land whole, partly or not.
    Kill,
}

/// The simulated kernel, as a handle.
#[derive(Clone)]
pub struct SimIo {
    kernel: Rc<RefCell<Kernel>>,
}

struct Kernel {
    disk: SimDisk,
    random: Xoshiro256PlusPlus,
    faults: Faults,
    in_flight: Vec<InFlight>,
    completed: Vec<Completion>,
    open: BTreeMap<FileId, NodeId>,
    next_file: u32,
    pool: Pool,
    now_ns: u64,
    trace: DefaultHasher,
    /// Blocking calls until the process is dead.
    calls_left: Option<u64>,
}

struct InFlight {
    token: Token,
    op: Op,
    /// A flush covers the writes that had completed when it was submitted.
    covers: u64,
}

impl SimIo {
    /// A process that starts on `disk`.
    pub fn new(seed: u64, disk: SimDisk) -> Self {
        let kernel = Kernel {
            disk,
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            faults: Faults::default(),
            in_flight: Vec::new(),
            completed: Vec::new(),
            open: BTreeMap::new(),
            next_file: 0,
            pool: Pool::new(),
            now_ns: 1,
            trace: DefaultHasher::new(),
            calls_left: None,
        };
        Self { kernel: Rc::new(RefCell::new(kernel)) }
    }

    /// Switches faults.
    pub fn set_faults(&self, faults: Faults) {
        self.kernel().faults = faults;
    }

    /// After so many blocking calls the process counts as dead: each further one fails, and crash is what remains.
    pub fn die_after(&self, calls: u64) {
        self.kernel().calls_left = Some(calls);
    }

    /// Lets one operation complete (or time pass); false if none is under way.
    pub fn step(&self) -> bool {
        self.kernel().step()
    }

    /// Steps until nothing is under way.
    pub fn run_until_idle(&self) {
        while self.step() {}
    }

    /// Operations that are under way.
    pub fn in_flight(&self) -> usize {
        self.kernel().in_flight.len()
    }

    /// A hash of all that happened so far: the same seed and calls give the same.
    pub fn trace(&self) -> u64 {
        self.kernel().trace.finish()
    }

    /// Lets time pass.
    pub fn advance_ns(&self, nanoseconds: u64) {
        self.kernel().now_ns += nanoseconds;
    }

    /// Ends the process and gives the disk as the next one finds it. Other handles are of no use afterwards.
    pub fn crash(self, crash: Crash) -> SimDisk {
        let mut kernel = self.kernel();
        while !kernel.in_flight.is_empty() {
            let count = kernel.in_flight.len() as u64;
            let index = below(&mut kernel.random, count) as usize;
            let operation = kernel.in_flight.swap_remove(index);
            kernel.land_partly(operation);
        }
        let mut disk = std::mem::take(&mut kernel.disk);
        match crash {
            Crash::PowerCut => disk.power_cut(&mut kernel.random),
            Crash::Kill => disk.forget_unnamed(),
        }
        disk
    }

    /// Changes the disk from outside, as a test's hand on the hardware.
    pub fn with_disk<T>(&self, change: impl FnOnce(&mut SimDisk) -> T) -> T {
        change(&mut self.kernel().disk)
    }

    fn kernel(&self) -> RefMut<'_, Kernel> {
        self.kernel.borrow_mut()
    }

    /// A blocking call: it happens at once, and may be the one at which the process dies.
    fn call<T>(&self, action: impl FnOnce(&mut Kernel) -> io::Result<T>) -> io::Result<T> {
        let mut kernel = self.kernel();
        match &mut kernel.calls_left {
            Some(0) => return Err(io::Error::other("the simulated process is dead")),
            Some(left) => *left -= 1,
            None => {}
        }
        let result = action(&mut kernel);
        kernel.record(("call", result.is_ok()));
        result
    }
}

impl Io for SimIo {
    fn submit(&mut self, token: Token, op: Op) {
        let mut kernel = self.kernel();
        check(&op);
        if let Some(file) = file_of(&op) {
            assert!(kernel.open.contains_key(&file));
        }
        kernel.record(("submit", token));
        let covers = kernel.disk.next_write();
        kernel.in_flight.push(InFlight { token, op, covers });
    }

    fn completions(&mut self, into: &mut Vec<Completion>) {
        into.append(&mut self.kernel().completed);
    }

    fn close(&mut self, file: FileId) {
        let mut kernel = self.kernel();
        let busy = kernel.in_flight.iter();
        assert!(busy.filter_map(|busy| file_of(&busy.op)).all(|busy| busy != file));
        assert!(kernel.open.remove(&file).is_some());
    }

    fn buffer(&mut self, bytes: usize) -> AlignedBuffer {
        self.kernel().pool.take(bytes)
    }

    fn monotonic_ns(&self) -> u64 {
        self.kernel().now_ns
    }

    fn wall_clock_ms(&self) -> i64 {
        const START_MS: i64 = 1_700_000_000_000;
        START_MS + (self.kernel().now_ns / 1_000_000) as i64
    }

    fn random_u64(&mut self) -> u64 {
        self.kernel().random.next_u64()
    }

    fn create_directory(&mut self, path: &Path) -> io::Result<()> {
        self.call(|kernel| {
            kernel.disk.create_directory(path);
            Ok(())
        })
    }

    fn list_directory(&mut self, path: &Path) -> io::Result<Vec<String>> {
        self.call(|kernel| kernel.disk.list(path))
    }

    fn read_file(&mut self, path: &Path, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
        self.call(|kernel| match kernel.read_whole(path, bytes_max) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            result => result.map(Some),
        })
    }

    fn replace_file(&mut self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.call(|kernel| kernel.replace(path, content))
    }

    fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        self.call(|kernel| {
            kernel.disk.remove(path, Stage::Durable);
            Ok(())
        })
    }

    fn open_file(&mut self, path: &Path) -> io::Result<(FileId, u64)> {
        self.call(|kernel| {
            let node = kernel.disk.find(path)?;
            Ok((kernel.add_file(node), kernel.disk.length(node)))
        })
    }

    fn create_file(&mut self, path: &Path, bytes: u64) -> io::Result<FileId> {
        self.call(|kernel| kernel.create(path, bytes))
    }

    fn read_at(&mut self, file: FileId, position: u64, length: usize) -> io::Result<AlignedBuffer> {
        self.call(|kernel| kernel.read(file, position, length))
    }

    fn write_at(&mut self, file: FileId, position: u64, data: &AlignedBuffer, length: usize) -> io::Result<()> {
        let data = Bytes::copy_from_slice(&data[..length]);
        self.call(|kernel| kernel.write(file, position, data))
    }

    fn sync_data(&mut self, file: FileId) -> io::Result<()> {
        self.call(|kernel| kernel.sync(file, kernel.disk.next_write()))
    }

    fn free_bytes(&mut self, _path: &Path) -> io::Result<u64> {
        self.call(|kernel| Ok(kernel.disk.free_bytes()))
    }
}

impl Kernel {
    fn step(&mut self) -> bool {
        if self.in_flight.is_empty() {
            return false;
        }
        self.now_ns += 1_000 + below(&mut self.random, 100_000);
        if self.strikes(self.faults.delay) {
            return true;
        }
        let choices = if self.faults.reorder { self.in_flight.len() as u64 } else { 1 };
        let index = below(&mut self.random, choices) as usize;
        let InFlight { token, op, covers } = self.in_flight.remove(index);
        let result = self.perform(op, covers);
        self.record(("complete", token, result.as_ref().map_err(io::Error::kind).is_ok()));
        self.completed.push(Completion { token, result });
        true
    }

    fn perform(&mut self, op: Op, covers: u64) -> io::Result<Outcome> {
        match op {
            Op::Write { file, position, data } => self.write(file, position, data).map(|()| Outcome::Done),
            Op::WriteZeroes { file, position, length } => {
                let zeroes = Bytes::from(vec![0; length as usize]);
                self.write(file, position, zeroes).map(|()| Outcome::Done)
            }
            Op::Read { file, position, length } => self.read(file, position, length).map(Outcome::Bytes),
            Op::SyncData { file } => self.sync(file, covers).map(|()| Outcome::Done),
            Op::CreateFile { path, bytes } => self.create(&path, bytes).map(Outcome::File),
            Op::ReplaceFile { path, content } => self.replace(&path, &content).map(|()| Outcome::Done),
            Op::RemoveFile { path } => {
                self.disk.remove(&path, Stage::Durable);
                Ok(Outcome::Done)
            }
            Op::ReadFile { path, bytes_max } => self.read_whole(&path, bytes_max).map(Outcome::Content),
        }
    }

    fn write(&mut self, file: FileId, position: u64, data: Bytes) -> io::Result<()> {
        let node = self.open[&file];
        if self.strikes(self.faults.write_error) {
            self.disk.write_torn(node, position, &data, &mut self.random);
            return Err(input_output_error());
        }
        self.disk.write(node, position, data)
    }

    fn read(&mut self, file: FileId, position: u64, length: usize) -> io::Result<AlignedBuffer> {
        if self.strikes(self.faults.read_error) {
            return Err(input_output_error());
        }
        let mut buffer = self.pool.take(length);
        self.disk.read(self.open[&file], position, &mut buffer)?;
        if self.strikes(self.faults.read_flip) {
            let bit = below(&mut self.random, buffer.len() as u64 * 8);
            buffer[(bit / 8) as usize] ^= 1 << (bit % 8);
        }
        Ok(buffer)
    }

    fn sync(&mut self, file: FileId, covers: u64) -> io::Result<()> {
        let node = self.open[&file];
        if self.strikes(self.faults.sync_error) {
            self.disk.sync_failed(node, covers);
            return Err(input_output_error());
        }
        self.disk.sync(node, covers);
        Ok(())
    }

    fn create(&mut self, path: &Path, bytes: u64) -> io::Result<FileId> {
        if self.strikes(self.faults.disk_full) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let node = self.disk.create(path, bytes, Stage::Durable)?;
        Ok(self.add_file(node))
    }

    fn replace(&mut self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.disk.replace(path, content, Stage::Durable, &mut self.random)
    }

    fn read_whole(&mut self, path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
        let node = self.disk.find(path)?;
        if self.strikes(self.faults.read_error) {
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

    fn add_file(&mut self, node: NodeId) -> FileId {
        let file = FileId(self.next_file);
        self.next_file += 1;
        self.open.insert(file, node);
        file
    }

    /// What is left of an operation that was under way when the process ended.
    fn land_partly(&mut self, operation: InFlight) {
        let stages = [None, Some(Stage::Begun), Some(Stage::Visible), Some(Stage::Durable)];
        let stage = stages[below(&mut self.random, 4) as usize];
        let Some(stage) = stage else { return };
        let node = file_of(&operation.op).map(|file| self.open[&file]);
        // An operation that is impossible (disk full, name taken) leaves nothing, which is what its error says.
        match (operation.op, node) {
            (Op::Write { position, data, .. }, Some(node)) => {
                self.disk.write_torn(node, position, &data, &mut self.random);
            }
            (Op::WriteZeroes { position, length, .. }, Some(node)) => {
                let zeroes = Bytes::from(vec![0; length as usize]);
                self.disk.write_torn(node, position, &zeroes, &mut self.random);
            }
            (Op::SyncData { .. }, Some(node)) => self.disk.sync(node, operation.covers),
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

    fn strikes(&mut self, odds: u64) -> bool {
        odds > 0 && below(&mut self.random, 1000) < odds
    }

    fn record(&mut self, event: impl Hash) {
        (self.now_ns, event).hash(&mut self.trace);
    }
}

fn input_output_error() -> io::Error {
    io::Error::from_raw_os_error(libc::EIO)
}

fn file_of(op: &Op) -> Option<FileId> {
    match op {
        Op::Write { file, .. } | Op::WriteZeroes { file, .. } | Op::Read { file, .. } | Op::SyncData { file } => {
            Some(*file)
        }
        _ => None,
    }
}

/// The rules of direct I/O, which a memory double would otherwise forgive.
fn check(op: &Op) {
    let block = BLOCK_BYTES as u64;
    match op {
        Op::Write { position, data, .. } => {
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
        Op::SyncData { .. } | Op::ReplaceFile { .. } | Op::RemoveFile { .. } | Op::ReadFile { .. } => {}
    }
}

#[cfg(test)]
mod tests;
