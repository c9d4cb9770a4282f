//! `Machine`: one life of a process: its kernel, its shards, and how it starts on a disk.

use std::path::Path;

use engine::data_directory::{DataDirectory, DirectorySettings, OpenError};
use engine::error::ReadError;
use engine::io::Io;
use engine::io::sim::{Crash, Faults, SimDisk, SimIo};
use engine::memory::ShardMemory;
use engine::offset::{CommitSequence, Ends, Incarnation, LogId, ShardId};
use engine::recovery::cases::Case;
use engine::recovery::recover;
use engine::shard::engine::open_shard;
use engine::shard::reads::{ReadBatches, ReadRequest, ReadStart};
use engine::shard::state::{LogView, Shard};

use crate::plan::Plan;

/// Turns after which something that must happen has not.
const PATIENCE_TURNS: u32 = 100_000;
const PATH: &str = "/data";

/// A running process.
pub struct Machine {
    /// The kernel, and the ring of start and stop.
    pub io: SimIo,
    /// Its shards.
    pub shards: Vec<Shard<SimIo>>,
    /// How each shard started.
    pub starts: Vec<Started>,
    /// The directory held a clean marker.
    pub marked: bool,
    /// Rows of the table that applied.
    pub cases: Vec<Case>,
    directory: DataDirectory,
}

/// What recovery said of a shard.
#[derive(Clone, Copy, Debug)]
pub struct Started {
    /// The number of this start.
    pub incarnation: Incarnation,
    /// The commit that the shard will give next.
    pub next_commit: CommitSequence,
    /// The last stop was clean.
    pub clean: bool,
}

/// What a clean stop leaves.
pub struct Stopped {
    /// The disk.
    pub disk: SimDisk,
    /// The ends of each shard.
    pub ends: Vec<Ends<CommitSequence>>,
    /// The logs as they were last: upkeep goes on while a shard settles.
    pub views: Vec<(LogId, LogView)>,
    /// The clock, and the wall clock in ms.
    pub clock: (u64, i64),
}

/// How a start goes.
#[derive(Clone, Copy, Default, Debug)]
pub struct Start {
    /// Seed of the kernel.
    pub seed: u64,
    /// The clock goes on from here.
    pub clock_ns: u64,
    /// Blocking calls until the process dies.
    pub dies_after: Option<u64>,
    /// The disk's faults during recovery.
    pub faults: Option<Faults>,
}

impl Machine {
    /// Starts on a disk, or gives back the kernel with why not.
    pub fn start(disk: SimDisk, plan: &Plan, start: Start) -> Result<Machine, (SimIo, OpenError)> {
        let io = SimIo::new(start.seed, disk);
        io.advance_ns(start.clock_ns);
        if let Some(calls) = start.dies_after {
            io.die_after(calls);
        }
        io.set_faults(start.faults.unwrap_or_default());
        match Machine::open(io.clone(), plan) {
            Ok(machine) => Ok(machine),
            Err(error) => Err((io, error)),
        }
    }

    fn open(mut io: SimIo, plan: &Plan) -> Result<Machine, OpenError> {
        let settings = DirectorySettings { shards: plan.shards, segment_bytes: plan.segment_bytes };
        let directory = DataDirectory::open_or_create(&mut io, Path::new(PATH), settings)?;
        let marked = (0..plan.shards).any(|shard| directory.clean_end(ShardId(shard)).is_some());
        let mut opened = Vec::new();
        for shard in (0..directory.shards).map(ShardId) {
            let mut ring = io.beside();
            let recovered = recover(&mut ring, &directory, shard)?;
            opened.push((ring, shard, recovered));
        }
        directory.remove_clean_marker(&mut io)?;
        let cases = opened.iter().flat_map(|(_, _, recovered)| recovered.cases.clone()).collect();
        let starts = opened.iter().map(|(_, _, recovered)| Started {
            incarnation: recovered.incarnation,
            next_commit: recovered.next_commit,
            clean: recovered.clean,
        });
        let starts = starts.collect();
        let memory = ShardMemory { cleaner_keys_bytes: plan.cleaner_keys_bytes, ..ShardMemory::MOST };
        let memory = memory.with_tail(plan.tail_bytes);
        let shards = opened
            .into_iter()
            .map(|(ring, shard, recovered)| open_shard(ring, &directory, shard, recovered, memory))
            .collect();
        Ok(Machine { io, shards, starts, marked, cases, directory })
    }

    /// The shard of a log, as the catalog places it.
    pub fn shard_of(&self, log: LogId) -> usize {
        (log.0 % self.shards.len() as u64) as usize
    }

    /// The process or the machine ends; gives the disk.
    pub fn crash(self, crash: Crash) -> SimDisk {
        drop(self.shards);
        self.io.crash(crash)
    }

    /// Flushes everything and leaves the marker, on a healthy disk.
    pub fn stop(mut self) -> Stopped {
        self.io.set_faults(Faults::default());
        self.turn_until(|machine| machine.shards.iter_mut().all(Shard::try_settle));
        // Without one of every shard there is no marker: the stop was not a clean one.
        if let Some(ends) = self.shards.iter().map(Shard::clean_end).collect::<Option<Vec<_>>>() {
            self.directory.write_clean_marker(&mut self.io, &ends).expect("a healthy disk takes the marker");
        }
        let settled = self.shards.iter().map(Shard::ends).collect();
        let (views, clock) = (self.views(), (Io::monotonic_ns(&self.io), Io::wall_clock_ms(&self.io)));
        // What was flushed needs no process any more.
        Stopped { disk: self.crash(Crash::PowerCut), ends: settled, views, clock }
    }

    /// All logs, as clients are shown them.
    pub fn views(&self) -> Vec<(LogId, LogView)> {
        let logs = self.shards.iter().flat_map(|shard| shard.logs().into_iter().map(move |log| (log, shard.view(log))));
        logs.filter_map(|(log, view)| Some((log, view?))).collect()
    }

    /// Turns every shard on a disk that works until something holds.
    pub fn turn_until(&mut self, mut holds: impl FnMut(&mut Machine) -> bool) {
        for _ in 0..PATIENCE_TURNS {
            if holds(self) {
                return;
            }
            self.io.step();
            self.io.advance_ns(1_000_000);
            for shard in &mut self.shards {
                shard.turn().expect("a disk without faults fails no operation");
            }
        }
        panic!("what must happen does not");
    }

    /// Reads to the end of the read, on a disk that works.
    pub fn read_now(&mut self, request: ReadRequest) -> Result<ReadBatches, ReadError> {
        let shard = self.shard_of(request.log);
        let id = match self.shards[shard].read(request)? {
            ReadStart::Done(batches) => return Ok(batches),
            ReadStart::Pending(id) => id,
        };
        let mut answer = None;
        self.turn_until(|machine| {
            let finished = machine.shards[shard].take_finished_reads().into_iter();
            answer = finished.filter(|(found, _)| *found == id).map(|(_, outcome)| outcome).next();
            answer.is_some()
        });
        answer.expect("the read has ended")
    }
}
