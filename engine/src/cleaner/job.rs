//! One job of the cleaner: victims in, a clustered segment beside the journal out. It changes nothing that anybody reads; what it made
//! counts only by the journal's replacement entry. All of it runs in small steps between completions.

mod completed;

use super::budget::Budget;
use super::codec::Retained;
use super::compaction::Sieve;
use super::output::{Output, TooLarge};
use super::plan::{Item, PieceRead, Victim, items, read_costs, round};
use super::stats::CleanerStats;
use super::sweep::{Sweep, for_each_batch};
use crate::batch::BatchHeader;
use crate::io::{FileId, Io, Op};
use crate::journal::index::SegmentIndex;
use crate::journal::operations::{CleanStep, Operations, Purpose};
use crate::journal::segment::{clustered_name, index_name};
use crate::journal::segment_set::SegmentSet;
use crate::journal::writer::JournalIdentity;
use crate::limits::{BLOCK_BYTES, CLEANER_OPERATIONS_IN_FLIGHT_MAX, CLEANER_TURN_BYTES_MAX};
use crate::offset::{LogId, Offset};

/// Why a job is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Goal {
    /// Dead bytes come back, or small neighbours become one.
    Space,
    /// Batches that readers want together lie together. Ends without an output where they do already.
    Cluster,
    /// The newest record of each key of a log is noted; nothing is written.
    Map,
    /// What a map knows newer records of is left out.
    Compact,
}

/// How a job ended.
#[derive(Debug)]
pub enum Ended {
    /// The output is durable, with its index.
    Made(Made),
    /// A look was enough: nothing was to be done, or all of it is in the map.
    Looked,
    /// A victim is not what was written, or does not fit: it is left alone.
    LeaveAlone(usize, String),
    /// The disk did not do it; later it may.
    Later(String),
}

/// A finished output.
#[derive(Debug)]
pub struct Made {
    /// Number of its file name.
    pub slot: u32,
    /// Its file.
    pub file: FileId,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// What it holds.
    pub index: SegmentIndex,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Indexes,
    Copy,
    Sync,
    WriteIndex,
    Done,
}

/// A job under way.
pub struct Job {
    pub goal: Goal,
    pub victims: Vec<Victim>,
    /// For a pass of compaction.
    pub sieve: Option<Sieve>,
    segment_bytes: u64,
    owner: JournalIdentity,
    phase: Phase,
    indexes: Vec<Option<SegmentIndex>>,
    next_index: usize,
    items: Vec<Item>,
    next_item: usize,
    sweep: Option<Sweep>,
    output: Output,
    finished: bool,
    slot: u32,
    file: Option<(FileId, u64)>,
    creating: bool,
    in_flight: usize,
    ended: Option<Ended>,
}

impl Job {
    /// A job that is to make `output` in the file of `slot`.
    pub fn new(
        goal: Goal,
        victims: Vec<Victim>,
        owner: JournalIdentity,
        output: Output,
        slot: u32,
        sieve: Option<Sieve>,
    ) -> Job {
        Job {
            goal,
            indexes: victims.iter().map(|_| None).collect(),
            victims,
            sieve,
            segment_bytes: owner.geometry.segment_bytes(),
            owner,
            phase: Phase::Indexes,
            next_index: 0,
            items: Vec::new(),
            next_item: 0,
            sweep: None,
            output,
            finished: false,
            slot,
            file: None,
            creating: false,
            in_flight: 0,
            ended: None,
        }
    }

    /// Operations that are not back yet.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }
    /// Which segment it makes.
    pub fn output_name(&self) -> crate::journal::live_segments::SegmentName {
        self.output.name()
    }
    /// Number of the output's file name, and the file once it is there.
    pub fn file(&self) -> (u32, Option<FileId>) {
        (self.slot, self.file.map(|(file, _)| file))
    }

    /// The outcome, once nothing is under way any more.
    pub fn take_ended(&mut self) -> Option<Ended> {
        if self.in_flight == 0 { self.ended.take() } else { None }
    }

    /// Submits what can be submitted and does a little of the copying.
    pub fn step<I: Io>(
        &mut self,
        operations: &mut Operations<I>,
        segments: &SegmentSet,
        start_of: &dyn Fn(LogId) -> Option<Offset>,
        budget: &mut Budget,
        stats: &mut CleanerStats,
    ) {
        if self.ended.is_some() {
            return;
        }
        match self.phase {
            Phase::Indexes => self.read_indexes(operations, segments, start_of, budget),
            Phase::Copy => self.copy(operations, segments, budget, stats),
            Phase::Sync | Phase::WriteIndex | Phase::Done => {}
        }
    }

    fn submit<I: Io>(&mut self, operations: &mut Operations<I>, step: CleanStep, op: Op) {
        self.in_flight += 1;
        operations.submit(Purpose::Clean(step), op);
    }

    fn read_indexes<I: Io>(
        &mut self,
        operations: &mut Operations<I>,
        segments: &SegmentSet,
        start_of: &dyn Fn(LogId) -> Option<Offset>,
        budget: &mut Budget,
    ) {
        if self.in_flight == 0 && self.next_index < self.victims.len() && budget.take(BLOCK_BYTES as u64) {
            let path = segments.path(&index_name(self.victims[self.next_index].slot));
            let bytes_max = SegmentIndex::file_bytes_max(self.segment_bytes) as usize;
            self.submit(operations, CleanStep::Index(self.next_index), Op::ReadFile { path, bytes_max });
            self.next_index += 1;
        }
        if self.in_flight == 0 && self.next_index == self.victims.len() {
            self.plan(start_of);
        }
    }

    fn plan(&mut self, start_of: &dyn Fn(LogId) -> Option<Offset>) {
        let indexes: Vec<SegmentIndex> = self.indexes.drain(..).flatten().collect();
        if self.goal == Goal::Cluster {
            let costs = indexes.iter().map(read_costs);
            let (now, clustered) = costs.fold((0, 0), |sum, costs| (sum.0 + costs.0, sum.1 + costs.1));
            if now < 2 * clustered {
                self.ended = Some(Ended::Looked);
                return;
            }
        }
        self.items = match (&self.sieve, self.goal) {
            (Some(sieve), Goal::Map) => sieve.wanted(items(&indexes, start_of)),
            _ => items(&indexes, start_of),
        };
        self.phase = Phase::Copy;
    }

    fn copy<I: Io>(
        &mut self,
        operations: &mut Operations<I>,
        segments: &SegmentSet,
        budget: &mut Budget,
        stats: &mut CleanerStats,
    ) {
        if self.sweep.is_none() && self.output.front().is_none() && self.next_item < self.items.len() {
            let rest = &self.items[self.next_item..];
            let items = rest[..round(rest, budget.gather_bytes)].to_vec();
            self.next_item += items.len();
            self.sweep = Some(Sweep::new(items));
        }
        self.read(operations, budget);
        if let Err((victim, reason)) = self.emit(operations, stats) {
            self.ended = Some(Ended::LeaveAlone(victim, reason));
            return;
        }
        let is_all = self.sweep.is_none() && self.next_item == self.items.len();
        if is_all && self.goal == Goal::Map {
            self.ended = Some(Ended::Looked);
            return;
        }
        if is_all && !self.finished {
            self.output.finish(&mut operations.io);
            self.finished = true;
        }
        self.write(operations, segments, budget, stats);
        if self.finished && self.in_flight == 0 && self.output.front().is_none() {
            let (file, _) = self.file.expect("the header block was written");
            self.phase = Phase::Sync;
            self.submit(operations, CleanStep::Sync, Op::SyncData { file });
        }
    }

    fn read<I: Io>(&mut self, operations: &mut Operations<I>, budget: &mut Budget) {
        while self.in_flight < CLEANER_OPERATIONS_IN_FLIGHT_MAX {
            let Some((at, read)) = self.sweep.as_ref().and_then(Sweep::next_read) else {
                return;
            };
            let &PieceRead { victim, position, length, .. } = read;
            if !budget.take(length as u64) {
                return;
            }
            let file = self.victims[victim].file;
            self.submit(operations, CleanStep::Read(at), Op::Read { file, position, length });
            self.sweep.as_mut().expect("just seen").submitted();
        }
    }

    /// Passes on what was gathered, in order: a little at a time, because appends wait meanwhile.
    fn emit<I: Io>(&mut self, operations: &mut Operations<I>, stats: &mut CleanerStats) -> Result<(), (usize, String)> {
        let Some(mut sweep) = self.sweep.take() else {
            return Ok(());
        };
        let mut done = 0;
        while sweep.is_read() && done < CLEANER_TURN_BYTES_MAX {
            let Some((item, bytes)) = sweep.pop() else {
                return Ok(());
            };
            done += bytes.len();
            let io = &mut operations.io;
            let (victim, result) = match item {
                Item::Cover { log, first, last } => (0, self.output.cover(io, log, first, last).map_err(too_large)),
                Item::Piece { log, start, victim, run } => {
                    let pass = |header: &BatchHeader, batch: &[u8]| self.pass_batch(io, log, header, batch, stats);
                    (victim, for_each_batch(log, start, &run, &bytes, pass))
                }
            };
            result.map_err(|reason| (victim, reason))?;
        }
        self.sweep = Some(sweep);
        Ok(())
    }

    fn pass_batch(
        &mut self,
        io: &mut impl Io,
        log: LogId,
        header: &BatchHeader,
        batch: &[u8],
        stats: &mut CleanerStats,
    ) -> Result<(), String> {
        let kept = match &mut self.sieve {
            Some(sieve) if self.goal == Goal::Map => {
                sieve.note(header, batch);
                return Ok(());
            }
            Some(sieve) if sieve.log() == log => sieve.keep(header, batch, stats)?,
            _ => Retained::Whole,
        };
        let (header, batch) = match &kept {
            Retained::Nothing => return Ok(()),
            Retained::Whole => (*header, batch),
            Retained::Rewritten(bytes) => (BatchHeader::parse(bytes).ok_or("a rewritten batch")?, bytes.as_slice()),
        };
        stats.batch_bytes_copied += batch.len() as u64;
        self.output.batch(io, log, &header, batch).map_err(too_large)
    }

    fn write<I: Io>(
        &mut self,
        operations: &mut Operations<I>,
        segments: &SegmentSet,
        budget: &mut Budget,
        stats: &mut CleanerStats,
    ) {
        let is_known = self.sweep.as_ref().is_none_or(Sweep::is_emptied);
        if self.file.is_none() && !self.creating && self.output.front().is_some() && is_known {
            self.creating = true;
            let path = segments.path(&clustered_name(self.slot));
            let bytes = self.file_bytes();
            self.submit(operations, CleanStep::Create(bytes), Op::CreateFile { path, bytes });
        }
        let Some((file, file_bytes)) = self.file else {
            return;
        };
        while self.in_flight < CLEANER_OPERATIONS_IN_FLIGHT_MAX
            && let Some((position, data)) = self.output.front()
        {
            if position + data.len() as u64 > file_bytes {
                self.ended = Some(Ended::LeaveAlone(0, "its copy is larger than was foreseen".to_owned()));
                return;
            }
            if !budget.take(data.len() as u64) {
                return;
            }
            let Some((position, data)) = self.output.take_write() else {
                return;
            };
            stats.bytes_written += data.len() as u64;
            self.submit(operations, CleanStep::Write, Op::Write { file, position, data });
        }
    }

    /// Bytes of the output: known when all of it is gathered, else as many as it can become.
    fn file_bytes(&self) -> u64 {
        let gathered = self.sweep.as_ref().map_or(&[][..], Sweep::rest);
        let (mut bytes, mut entries, mut logs) = (0, 0, 0);
        for item in gathered.iter().chain(&self.items[self.next_item..]) {
            match item {
                Item::Cover { .. } => logs += 1,
                Item::Piece { run, .. } => {
                    bytes += u64::from(run.length);
                    entries += (u64::from(run.last_offset_delta) + 1).min(u64::from(run.length) / 61 + 1);
                }
            }
        }
        let rest = if bytes + logs == 0 { 0 } else { Output::bytes_max(bytes, entries, logs) };
        (self.output.bytes() + rest).min(self.segment_bytes)
    }
}

fn too_large(_: TooLarge) -> String {
    "its copy does not fit a segment".to_owned()
}
