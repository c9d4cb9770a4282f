//! CONTRACT: [`Io`] on a kernel: reads, writes and flushes through a ring of the journal's own, file-system calls on one helper thread.
//!
//! The ring lives on the core's thread and is kicked at every start; its descriptor is watched by the core's runtime, so
//! that [`CompletionSignal::wait`] wakes when there is something to collect. Memory that the kernel uses is owned by the
//! table of operations until the completion arrives, also when the `RingIo` is dropped in between.
#![allow(unsafe_code, reason = "queue entries carry raw addresses; this table is their keeper")]

mod operation;

use std::cell::{OnceCell, RefCell};
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::SystemTime;

use bytes::Bytes;
use crossbeam::channel::{self, Receiver, Sender};
use io_uring::IoUring;
use slab::Slab;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;

use self::operation::{Durability, Operation, Work};
use super::buffer::{AlignedBuffer, Pool};
use super::{Completion, FileId, Io, Op, Outcome, Token, files};
use crate::limits::{BLOCK_BYTES, JOURNAL_RING_ENTRIES, RING_COMPLETIONS_PER_ENTRY, RING_WRITE_BYTES_MAX};

/// The kernel behind one core's journal.
pub struct RingIo {
    shared: Rc<Shared>,
    /// Operations that are not over. An entry, and with it its memory and file, stays until its completion was collected.
    operations: Slab<Operation>,
    /// Operations that wait for a free entry of the ring, in order.
    waiting: VecDeque<usize>,
    /// Zeroing goes one step at a time so that it never crowds out commits; the front is the one at work.
    zeroing: VecDeque<usize>,
    /// Entries that the kernel has or is about to have.
    in_ring: usize,
    /// Raised with each operation: a completion of another operation in the same place would be noticed.
    generation: u32,
    zeroes: AlignedBuffer,
    files: Slab<Rc<File>>,
    pool: Pool,
    commands: Option<Sender<(Token, Command)>>,
    helper: Option<JoinHandle<()>>,
    collected: Vec<(u64, i32)>,
}

/// Tells when completions wait to be collected. For one waiter, on the core's thread.
pub struct CompletionSignal {
    shared: Rc<Shared>,
}

struct Shared {
    /// Before `ring`: it must leave the runtime's poll set while the descriptor is still open.
    watch: OnceCell<AsyncFd<RawFd>>,
    ring: RefCell<IoUring>,
    results: Receiver<(Token, io::Result<Made>)>,
    helper_done: Arc<Notify>,
}

/// What the helper thread does.
enum Command {
    Create(PathBuf, u64),
    Replace(PathBuf, Vec<u8>),
    Remove(PathBuf),
    Read(PathBuf, usize),
    FreeBytes(PathBuf),
}

enum Made {
    Nothing,
    File(File),
    Content(Vec<u8>),
    Count(u64),
}

impl RingIo {
    /// A ring of this thread's own and its helper thread. The signal may be waited for inside a runtime with I/O only.
    pub fn new() -> io::Result<(Self, CompletionSignal)> {
        let (commands, inbox) = channel::unbounded();
        let (outbox, results) = channel::unbounded();
        let helper_done = Arc::new(Notify::new());
        let notify = Arc::clone(&helper_done);
        let helper = std::thread::Builder::new()
            .name("files".to_owned())
            .spawn(move || run_commands(&inbox, &outbox, &notify))?;
        let shared =
            Rc::new(Shared { watch: OnceCell::new(), ring: RefCell::new(build_ring()?), results, helper_done });
        let mut pool = Pool::new();
        let ring_io = Self {
            shared: Rc::clone(&shared),
            operations: Slab::new(),
            waiting: VecDeque::new(),
            zeroing: VecDeque::new(),
            in_ring: 0,
            generation: 0,
            zeroes: pool.take(RING_WRITE_BYTES_MAX),
            files: Slab::new(),
            pool,
            commands: Some(commands),
            helper: Some(helper),
            collected: Vec::new(),
        };
        Ok((ring_io, CompletionSignal { shared }))
    }

    /// The buffers of this core.
    pub fn pool(&mut self) -> &mut Pool {
        &mut self.pool
    }

    fn file(&self, file: FileId) -> Rc<File> {
        let file = self.files.get(file.0 as usize);
        Rc::clone(file.expect("a file id comes from this Io and was not closed"))
    }

    fn add_file(&mut self, file: File) -> FileId {
        FileId(self.files.insert(Rc::new(file)) as u32)
    }

    fn add_operation(&mut self, token: Token, file: FileId, work: Work, position: u64, length: u64) -> usize {
        assert!(position.is_multiple_of(BLOCK_BYTES as u64));
        assert!(length.is_multiple_of(BLOCK_BYTES as u64));
        self.generation = self.generation.wrapping_add(1);
        self.operations.insert(Operation {
            token,
            file: self.file(file),
            work,
            position,
            length,
            done: 0,
            retries: 0,
            generation: self.generation,
        })
    }

    fn write(&mut self, token: Token, file: FileId, position: u64, data: Bytes, durability: Durability) {
        assert!(data.len() <= RING_WRITE_BYTES_MAX);
        assert!((data.as_ptr() as usize).is_multiple_of(BLOCK_BYTES));
        let length = data.len() as u64;
        let key = self.add_operation(token, file, Work::Write(data, durability), position, length);
        self.waiting.push_back(key);
    }

    fn command(&mut self, token: Token, command: Command) {
        let commands = self.commands.as_ref();
        commands
            .expect("the channel is given up only in drop")
            .send((token, command))
            .expect("the helper thread lives as long as its channel");
    }

    /// Moves waiting operations into the ring and tells the kernel.
    fn kick(&mut self) {
        let mut ring = self.shared.ring.borrow_mut();
        while self.in_ring < JOURNAL_RING_ENTRIES as usize {
            let Some(key) = self.waiting.pop_front() else {
                break;
            };
            let operation = &mut self.operations[key];
            let user_data = u64::from(operation.generation) << 32 | key as u64;
            let entry = operation.entry(&self.zeroes).user_data(user_data);
            // SAFETY: the entry points into memory owned by `operations[key]` or `zeroes`, at addresses that do not move with
            // their owners, and refers to the file that the operation holds open. `complete` is the only remover and runs on
            // the completion; `drop` waits for all of them. Test: dropping_the_io_waits_for_the_kernel.
            unsafe { ring.submission().push(&entry) }
                .expect("at most as many operations are in the ring as it has entries");
            self.in_ring += 1;
        }
        submit_entries(&mut ring);
    }

    /// Takes one completion in: the operation goes on, or is over.
    fn complete(&mut self, user_data: u64, result: i32) -> Option<Completion> {
        self.in_ring -= 1;
        let key = (user_data & u64::from(u32::MAX)) as usize;
        let operation = &mut self.operations[key];
        assert_eq!(u64::from(operation.generation), user_data >> 32);
        let Some(result) = operation.advance(result) else {
            self.waiting.push_back(key);
            return None;
        };
        let operation = self.operations.remove(key);
        let result = result.map(|()| match operation.work {
            Work::Read(buffer) => Outcome::Bytes(buffer),
            Work::Zeroes | Work::Write(..) | Work::Sync => Outcome::Done,
        });
        if self.zeroing.front() == Some(&key) {
            self.zeroing.pop_front();
            self.waiting.extend(self.zeroing.front());
        }
        Some(Completion { token: operation.token, result })
    }
}

impl Io for RingIo {
    fn submit(&mut self, token: Token, op: Op) {
        match op {
            Op::Write { file, position, data } => self.write(token, file, position, data, Durability::Later),
            Op::WriteThrough { file, position, data } => self.write(token, file, position, data, Durability::AtOnce),
            Op::WriteZeroes { file, position, length } => {
                let key = self.add_operation(token, file, Work::Zeroes, position, length);
                self.zeroing.push_back(key);
                if self.zeroing.len() == 1 {
                    self.waiting.push_back(key);
                }
            }
            Op::Read { file, position, length } => {
                let work = Work::Read(self.pool.take(length));
                let key = self.add_operation(token, file, work, position, length as u64);
                self.waiting.push_back(key);
            }
            Op::SyncData { file } => {
                let key = self.add_operation(token, file, Work::Sync, 0, 0);
                self.waiting.push_back(key);
            }
            Op::CreateFile { path, bytes } => self.command(token, Command::Create(path, bytes)),
            Op::ReplaceFile { path, content } => self.command(token, Command::Replace(path, content)),
            Op::RemoveFile { path } => self.command(token, Command::Remove(path)),
            Op::ReadFile { path, bytes_max } => self.command(token, Command::Read(path, bytes_max)),
            Op::FreeBytes { path } => self.command(token, Command::FreeBytes(path)),
        }
    }

    fn start(&mut self) {
        self.kick();
    }

    fn completions(&mut self, into: &mut Vec<Completion>) {
        let mut collected = mem::take(&mut self.collected);
        self.shared.collect(&mut collected);
        for (user_data, result) in collected.drain(..) {
            into.extend(self.complete(user_data, result));
        }
        self.collected = collected;
        while let Ok((token, result)) = self.shared.results.try_recv() {
            let result = result.map(|made| match made {
                Made::Nothing => Outcome::Done,
                Made::File(file) => Outcome::File(self.add_file(file)),
                Made::Content(content) => Outcome::Content(content),
                Made::Count(bytes) => Outcome::FreeBytes(bytes),
            });
            into.push(Completion { token, result });
        }
        self.kick();
    }

    fn buffer(&mut self, bytes: usize) -> AlignedBuffer {
        self.pool.take(bytes)
    }

    fn close(&mut self, file: FileId) {
        self.files.remove(file.0 as usize);
    }

    fn monotonic_ns(&self) -> u64 {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
    }

    fn wall_clock_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(0, |since| since.as_millis() as i64)
    }

    fn random_u64(&mut self) -> u64 {
        // The fixed bits of a random UUID lie in different places of its halves, so that each bit here is random.
        let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
        high ^ low
    }

    fn create_directory(&mut self, path: &Path) -> io::Result<()> {
        files::create_directory(path)
    }
    fn sync_directory(&mut self, path: &Path) -> io::Result<()> {
        files::sync_directory(path)
    }
    fn list_directory(&mut self, path: &Path) -> io::Result<Vec<String>> {
        files::list_directory(path)
    }
    fn read_file(&mut self, path: &Path, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
        files::read_small(path, bytes_max)
    }
    fn replace_file(&mut self, path: &Path, content: &[u8]) -> io::Result<()> {
        files::replace(path, content)
    }

    fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        files::remove(path)
    }

    fn open_file(&mut self, path: &Path) -> io::Result<(FileId, u64)> {
        let (file, bytes) = files::open_direct(path)?;
        Ok((self.add_file(file), bytes))
    }

    fn create_file(&mut self, path: &Path, bytes: u64) -> io::Result<FileId> {
        files::create_direct(path, bytes).map(|file| self.add_file(file))
    }

    fn read_at(&mut self, file: FileId, position: u64, length: usize) -> io::Result<AlignedBuffer> {
        let mut buffer = self.pool.take(length);
        self.file(file).read_exact_at(&mut buffer, position)?;
        Ok(buffer)
    }

    fn write_at(&mut self, file: FileId, position: u64, data: &AlignedBuffer, length: usize) -> io::Result<()> {
        self.file(file).write_all_at(&data[..length], position)
    }

    fn sync_data(&mut self, file: FileId) -> io::Result<()> {
        self.file(file).sync_data()
    }
}

impl Drop for RingIo {
    fn drop(&mut self) {
        self.waiting.clear();
        let shared = Rc::clone(&self.shared);
        let mut collected = Vec::new();
        while self.in_ring > 0 {
            let waited = shared.ring.borrow().submit_and_wait(1);
            match waited.map_err(|error| error.kind()) {
                Ok(_) | Err(io::ErrorKind::Interrupted) => {}
                // The kernel may still write to this memory: losing it is the lesser harm.
                Err(_) => return mem::forget(mem::take(&mut self.operations)),
            }
            shared.collect(&mut collected);
            self.in_ring -= collected.len();
            collected.clear();
        }
        drop(self.commands.take());
        if let Some(helper) = self.helper.take() {
            // A panic there was printed where it happened.
            let _ = helper.join();
        }
    }
}

impl CompletionSignal {
    /// Returns when there is something to collect. Dropping the future loses no wake.
    pub async fn wait(&self) {
        while !self.shared.has_completions() {
            let watch = self.shared.watch();
            tokio::select! {
                biased;
                () = self.shared.helper_done.notified() => {}
                ready = watch.readable() => {
                    let mut ready = ready.expect("the runtime drives I/O while its tasks run");
                    // Edge-triggered: only readiness that proved stale may be cleared, and what arrives after this look sets it anew.
                    if !self.shared.has_completions() {
                        ready.clear_ready();
                    }
                }
            }
        }
    }
}

impl Shared {
    fn watch(&self) -> &AsyncFd<RawFd> {
        self.watch.get_or_init(|| {
            let descriptor = self.ring.borrow().as_raw_fd();
            // SAFETY: `Shared` closes the ring after it dropped `watch` (order of its fields), so the descriptor stays ours.
            let watch = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) };
            watch.expect("a ring's descriptor can be polled")
        })
    }

    fn has_completions(&self) -> bool {
        !self.ring.borrow_mut().completion().is_empty() || !self.results.is_empty()
    }

    fn collect(&self, into: &mut Vec<(u64, i32)>) {
        let mut ring = self.ring.borrow_mut();
        into.extend(ring.completion().map(|entry| (entry.user_data(), entry.result())));
    }
}

/// Gives the kernel all entries of the queue.
fn submit_entries(ring: &mut IoUring) {
    while !ring.submission().is_empty() {
        match ring.submit() {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Memory pressure in the kernel passes; the queue is our own and holds what it did not take.
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => {
                std::thread::yield_now();
            }
            Err(error) => panic!("the kernel refuses the journal's ring: {error}"),
        }
    }
}

/// The best flags that this kernel takes (`COOP_TASKRUN` is 5.19, `SINGLE_ISSUER` 6.0).
fn build_ring() -> io::Result<IoUring> {
    let mut builder = IoUring::builder();
    builder.setup_cqsize(JOURNAL_RING_ENTRIES * RING_COMPLETIONS_PER_ENTRY);
    let plain = builder.clone();
    let cooperative = builder.setup_coop_taskrun().clone();
    builder
        .setup_single_issuer()
        .build(JOURNAL_RING_ENTRIES)
        .or_else(|_| cooperative.build(JOURNAL_RING_ENTRIES))
        .or_else(|_| plain.build(JOURNAL_RING_ENTRIES))
}

fn run_commands(inbox: &Receiver<(Token, Command)>, outbox: &Sender<(Token, io::Result<Made>)>, done: &Notify) {
    for (token, command) in inbox {
        let result = match command {
            Command::Create(path, bytes) => files::create_direct(&path, bytes).map(Made::File),
            Command::Replace(path, content) => files::replace(&path, &content).map(|()| Made::Nothing),
            Command::Remove(path) => files::remove(&path).map(|()| Made::Nothing),
            Command::Read(path, bytes_max) => files::read_small(&path, bytes_max)
                .and_then(|content| content.ok_or_else(|| io::ErrorKind::NotFound.into()))
                .map(Made::Content),
            Command::FreeBytes(path) => files::free_bytes(&path).map(Made::Count),
        };
        if outbox.send((token, result)).is_err() {
            return;
        }
        done.notify_one();
    }
}

#[cfg(test)]
mod tests;
