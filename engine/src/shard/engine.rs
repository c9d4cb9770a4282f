//! `Engine`: opens a data directory and runs one thread a shard.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use super::core::Core;
use super::disk_use::DiskUse;
use super::mailbox::Mailboxes;
use super::state::Shard;
use crate::cleaner::codec::RecordCodec;
use crate::data_directory::{CleanEnd, DataDirectory, DirectoryLock, DirectorySettings, LOCK_WAIT_MAX, OpenError};
use crate::io::ring::{CompletionSignal, RingIo};
use crate::io::runtime::{RingSettings, run_on_core, writes_through_well};
use crate::journal::disk_space::DiskSpace;
use crate::journal::live_segments::SegmentName;
use crate::journal::segment_set::{Segment, SegmentSet};
use crate::journal::writer::{Journal, JournalFailure, JournalIdentity};
use crate::memory::ShardMemory;
use crate::offset::ShardId;
use crate::recovery::{Recovered, recover};

/// Exit code of a process whose journal could not be written or flushed.
pub const EXIT_JOURNAL_FAILED: i32 = 74;

/// What the engine is started with.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// The data directory; made if it does not exist.
    pub directory: PathBuf,
    /// Shards of a new directory (default: one a core); an existing one keeps its number.
    pub shards: Option<u32>,
    /// Segment size of a new directory.
    pub segment_bytes: u64,
    /// Pin each shard's thread to a core.
    pub pin: bool,
    /// Looks into batches for compaction; without one, compacted logs only grow.
    pub record_codec: Option<RecordCodec>,
}

/// Why an engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A thread or its ring could not be made.
    #[error("shard {shard} did not start: {reason}")]
    Thread {
        /// The shard.
        shard: u32,
        /// Why.
        reason: String,
    },
}

/// A data directory that is locked and known, and not recovered yet.
pub struct OpenedEngine {
    config: EngineConfig,
    directory: DataDirectory,
    lock: DirectoryLock,
}

/// A running engine.
pub struct Engine {
    directory: DataDirectory,
    mailboxes: Arc<Mailboxes>,
    threads: Vec<JoinHandle<Option<CleanEnd>>>,
    _lock: DirectoryLock,
}

fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u32
}

type Started = (ShardId, Result<(), StartError>);

impl OpenedEngine {
    /// The data directory.
    pub fn directory(&self) -> &DataDirectory {
        &self.directory
    }

    /// Recovers the directory, then runs `service` on every shard's thread, each with a budget of `memory`. Returns when all shards run.
    /// When the services of all shards have returned, everything is flushed and [`Engine::join`] writes the clean marker.
    pub fn start<S, F>(self, memory: ShardMemory, service: S) -> Result<Engine, StartError>
    where
        S: Fn(Core) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + 'static,
    {
        let OpenedEngine { config, directory, lock } = self;
        let mailboxes = Arc::new(Mailboxes::new(directory.shards as usize));
        let service = Arc::new(service);
        let disk_use = DiskUse::default();
        let (started, starts) = mpsc::channel::<Started>();
        let mut threads = Vec::new();
        let mut gates = Vec::new();
        for shard in (0..directory.shards).map(ShardId) {
            let (gate, opened) = tokio::sync::oneshot::channel::<()>();
            gates.push(gate);
            let thread = ShardThread {
                shard,
                directory: directory.clone(),
                memory,
                disk_use: disk_use.clone(),
                record_codec: config.record_codec,
                pinned_to: config.pin.then_some((shard.0 % cores()) as usize),
                mailboxes: Arc::clone(&mailboxes),
                started: started.clone(),
            };
            let service = Arc::clone(&service);
            let spawned =
                std::thread::Builder::new().name(format!("shard-{shard}")).spawn(move || thread.run(opened, &*service));
            threads.push(spawned.map_err(|error| StartError::Thread { shard: shard.0, reason: error.to_string() })?);
        }
        drop(started);
        for _ in 0..directory.shards {
            match starts.recv() {
                Ok((_, Ok(()))) => {}
                Ok((_, Err(error))) => return Err(error),
                Err(_) => {
                    return Err(StartError::Thread { shard: 0, reason: "its thread ended".to_owned() });
                }
            }
        }
        let (mut io, _signal) =
            RingIo::new().map_err(|error| StartError::Thread { shard: 0, reason: error.to_string() })?;
        directory.remove_clean_marker(&mut io)?;
        for gate in gates {
            // A shard whose thread is gone has printed why.
            let _ = gate.send(());
        }
        Ok(Engine { directory, mailboxes, threads, _lock: lock })
    }
}

impl Engine {
    /// Locks the directory, and makes it if there is none: only then it is known how many shards share the memory.
    pub fn open(config: EngineConfig) -> Result<OpenedEngine, StartError> {
        let lock = DirectoryLock::acquire(&config.directory, LOCK_WAIT_MAX)?;
        let settings =
            DirectorySettings { shards: config.shards.unwrap_or_else(cores), segment_bytes: config.segment_bytes };
        let (mut io, _signal) =
            RingIo::new().map_err(|error| StartError::Thread { shard: 0, reason: error.to_string() })?;
        let directory = DataDirectory::open_or_create(&mut io, &config.directory, settings)?;
        Ok(OpenedEngine { config, directory, lock })
    }

    /// The data directory.
    pub fn directory(&self) -> &DataDirectory {
        &self.directory
    }

    /// Requests that shards have sent to each other since the start, one count a shard: what crosses cores.
    pub fn requests_between_shards(&self) -> impl Iterator<Item = u64> {
        (0..self.directory.shards).map(|shard| self.mailboxes.requests_sent(ShardId(shard)))
    }

    /// Waits until every shard has ended, then writes the clean marker.
    pub fn join(self) -> Result<(), OpenError> {
        let ends: Vec<Option<CleanEnd>> = self.threads.into_iter().map(|thread| thread.join().ok().flatten()).collect();
        let Some(ends) = ends.into_iter().collect::<Option<Vec<CleanEnd>>>() else {
            return Ok(());
        };
        let (mut io, _signal) =
            RingIo::new().map_err(|source| OpenError::NotWritable { path: self.directory.path.clone(), source })?;
        self.directory.write_clean_marker(&mut io, &ends)
    }
}

/// A failed write or flush of a journal ends the process: what the disk holds is no longer known, and a restart recovers it. It says so in one
/// line, however many shards see it.
pub(super) fn stop_the_process(shard: ShardId, failure: &JournalFailure) -> ! {
    static STOPPING: AtomicBool = AtomicBool::new(false);
    if STOPPING.swap(true, Ordering::SeqCst) {
        loop {
            std::thread::park();
        }
    }
    eprintln!(
        "posthaste: shard {shard}: {failure}; stopping (nothing that was acknowledged is lost; restart to recover)"
    );
    std::process::exit(EXIT_JOURNAL_FAILED);
}

/// What a shard's thread takes along.
struct ShardThread {
    shard: ShardId,
    directory: DataDirectory,
    memory: ShardMemory,
    disk_use: DiskUse,
    pinned_to: Option<usize>,
    record_codec: Option<RecordCodec>,
    mailboxes: Arc<Mailboxes>,
    started: mpsc::Sender<Started>,
}

impl ShardThread {
    fn run<S, F>(self, opened: tokio::sync::oneshot::Receiver<()>, service: &S) -> Option<CleanEnd>
    where
        S: Fn(Core) -> F,
        F: Future<Output = ()> + 'static,
    {
        let (shard, started) = (self.shard, self.started.clone());
        let ended = run_on_core(self.pinned_to, RingSettings::default(), || async {
            let (core, signal) = match self.open() {
                Ok(opened) => opened,
                Err(error) => {
                    let _ = self.started.send((shard, Err(error)));
                    return None;
                }
            };
            let _ = self.started.send((shard, Ok(())));
            drop(self.started);
            opened.await.ok()?;
            let mailboxes = Arc::clone(&self.mailboxes);
            let serving = service(core.clone());
            core.spawn(async move {
                serving.await;
                mailboxes.service_ended();
            });
            core.run(signal).await;
            let end = core.clean_end();
            if end.is_none() {
                tracing::warn!(
                    shard = shard.0,
                    "leader epochs could not be written: the next start takes this stop for an unclean one"
                );
            }
            end
        });
        match ended {
            Ok(end) => end,
            Err(error) => {
                let _ = started.send((shard, Err(StartError::Thread { shard: shard.0, reason: error.to_string() })));
                None
            }
        }
    }

    fn open(&self) -> Result<(Core, CompletionSignal), StartError> {
        let (mut io, signal) =
            RingIo::new().map_err(|error| StartError::Thread { shard: self.shard.0, reason: error.to_string() })?;
        io.pool().keep_at_most(self.memory.idle_buffer_bytes);
        let recovered = recover(&mut io, &self.directory, self.shard)?;
        let mut shard = open_shard(io, &self.directory, self.shard, recovered, self.memory);
        shard.set_disk_use(self.disk_use.clone());
        shard.set_writes_through(writes_through_well(&self.directory.shard_path(self.shard)));
        if let Some(codec) = self.record_codec {
            shard.set_record_codec(codec);
        }
        Ok((Core::new(shard, self.directory.shards, Arc::clone(&self.mailboxes)), signal))
    }
}

/// A shard that goes on behind what was recovered.
pub fn open_shard<I: crate::io::Io>(
    io: I,
    directory: &DataDirectory,
    shard: ShardId,
    recovered: Recovered,
    memory: ShardMemory,
) -> Shard<I> {
    let newest = recovered.segments.iter().map(|segment| segment.sequence).max();
    let mut active = None;
    let mut segments = BTreeMap::new();
    for segment in recovered.segments {
        let is_active = Some(segment.sequence) == newest;
        if is_active {
            active = Some((segment.sequence, segment.file, segment.end_place));
        }
        let first_commit = segment.index.as_ref().map(|index| index.first_commit);
        let name = SegmentName { sequence: segment.sequence, generation: segment.generation };
        let mut known = Segment::sealed(name, segment.slot, (segment.file, segment.file_bytes), first_commit);
        known.index = segment.index.as_ref().map(Into::into);
        known.end_place = (!is_active).then_some(segment.end_place);
        segments.insert(segment.sequence, known);
    }
    let set = SegmentSet::new(
        directory.shard_path(shard),
        directory.geometry,
        DiskSpace::new(shard.0, directory.geometry.segment_bytes(), directory.shards),
        segments,
        recovered.free_slots,
        recovered.next_slot,
    );
    let identity = JournalIdentity {
        shard,
        directory_id: directory.id,
        incarnation: recovered.incarnation,
        geometry: directory.geometry,
    };
    let journal = Journal::new(identity, set, active, recovered.next_commit, memory.undurable_bytes);
    Shard::new(shard, io, journal, recovered.logs, !recovered.clean, recovered.last_generation, memory)
}
