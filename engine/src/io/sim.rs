//! CONTRACT: [`Io`] on a simulated disk, deterministic from a seed: nothing completes but by [`SimIo::step`], and the faults of
//! [`Faults`] strike with stated odds.
//!
//! A `SimIo` is a handle on one ring: the engine owns one, the test keeps a clone, drives it, and ends it with [`SimIo::crash`]. Several
//! shards of one process have rings side by side ([`SimIo::beside`]) on the same disk and clock.

mod faults;
mod kernel;

use std::cell::{RefCell, RefMut};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::path::Path;
use std::rc::Rc;

use bytes::Bytes;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

pub use self::faults::{Fault, FaultCounts, Faults};
use self::kernel::{InFlight, Kernel, check, file_of};
use super::buffer::{AlignedBuffer, Pool};
pub use super::sim_disk::SimDisk;
use super::sim_disk::{Stage, below};
use super::{Completion, FileId, Io, Op, Token};

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
    ring: usize,
}

impl SimIo {
    /// A process that starts on `disk`.
    pub fn new(seed: u64, disk: SimDisk) -> Self {
        let kernel = Kernel {
            disk,
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            faults: Faults::default(),
            counts: FaultCounts::new(),
            queued: Vec::new(),
            in_flight: Vec::new(),
            completed: vec![Vec::new()],
            open: BTreeMap::new(),
            next_file: 0,
            pool: Pool::new(),
            now_ns: 1,
            stalled_until_ns: 0,
            trace: DefaultHasher::new(),
            calls_left: None,
        };
        Self { kernel: Rc::new(RefCell::new(kernel)), ring: 0 }
    }

    /// Another ring of the same process: its completions are its own.
    #[must_use]
    pub fn beside(&self) -> SimIo {
        let mut kernel = self.kernel();
        kernel.completed.push(Vec::new());
        SimIo { kernel: Rc::clone(&self.kernel), ring: kernel.completed.len() - 1 }
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

    /// Bytes of buffers that the process holds outside of its pool.
    pub fn outstanding_bytes(&self) -> usize {
        self.kernel().pool.outstanding_bytes()
    }

    /// How often each kind of fault struck.
    pub fn fault_counts(&self) -> FaultCounts {
        self.kernel().counts.clone()
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
            Crash::Kill => disk.process_ended(&mut kernel.random),
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
        kernel.queued.push(InFlight { ring: self.ring, token, op, covers: 0 });
    }

    fn start(&mut self) {
        let mut kernel = self.kernel();
        let covers = kernel.disk.next_write();
        let started = kernel.queued.extract_if(.., |queued| queued.ring == self.ring).collect::<Vec<_>>();
        kernel.in_flight.extend(started.into_iter().map(|started| InFlight { covers, ..started }));
    }

    fn completions(&mut self, into: &mut Vec<Completion>) {
        into.append(&mut self.kernel().completed[self.ring]);
    }

    fn close(&mut self, file: FileId) {
        let mut kernel = self.kernel();
        let busy = kernel.in_flight.iter().chain(&kernel.queued);
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

    fn sync_directory(&mut self, path: &Path) -> io::Result<()> {
        self.call(|kernel| {
            kernel.disk.flush_names_in(path);
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
        self.call(|kernel| kernel.sync(file, &(0..kernel.disk.next_write())))
    }
}

#[cfg(test)]
mod tests;
