//! Reads of a shard: from the tail at once, behind it in steps, each of some extents of one segment.
//!
//! A step plans its runs by the index, takes the extents that are at hand, waits for the others, and collects checked batches. Then
//! the read goes on with the next step, in the same segment, the next one or the tail, until it has what was asked for.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use slab::Slab;

use super::extents::{Extents, Look, Stretch};
use super::found::Found;
use super::read_ahead::Streams;
use super::read_stats::ReadStats;
use super::state::{LogView, Shard};
use crate::error::ReadError;
use crate::io::{Io, Op, Outcome};
use crate::journal::live_segments::SegmentName;
use crate::journal::operations::Purpose;
use crate::journal::reader::{ExtentKey, Goal, Plan, Reach, extent_range};
use crate::limits::{
    DISK_READS_BESIDE_APPENDS_MAX, DISK_READS_IN_FLIGHT_MAX, DISK_READS_WAIT_MS, INDEX_RUN_BYTES_MAX, READ_EXTENTS_MAX,
};
use crate::memory::ShardMemory;
use crate::offset::{LogId, Offset, SegmentSequence};
use crate::partition::transactions::{AbortedTransaction, Isolation};

/// What to read.
#[derive(Clone, Copy, Debug)]
pub struct ReadRequest {
    /// The log.
    pub log: LogId,
    /// Where to start.
    pub goal: Goal,
    /// Bytes at most, but for the first batch.
    pub bytes_max: usize,
    /// The first batch is given even if it is larger.
    pub first_whole: bool,
    /// Behind the tail it takes one step, as far as one look at the index of a segment goes. Else it goes on until it has what was asked for.
    pub one_step: bool,
    /// Where it ends.
    pub isolation: Isolation,
}

/// What a read gave: whole batches, the first of which holds the asked offset or is the first after it.
#[derive(Clone, Debug)]
pub struct ReadBatches {
    /// Refcounted slices of commit buffers or of disk reads, in order; copied only where slow readers hold too much.
    pub slices: Vec<Bytes>,
    /// Sum of the slices' lengths.
    pub bytes: usize,
    /// With [`Isolation::Committed`] the aborted transactions that reach into them, by first offset.
    pub aborted: Vec<AbortedTransaction>,
    /// The log's ends when it was read.
    pub view: LogView,
}

/// A read that waits for the disk; never given twice, because its answer may be fetched after other reads began.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ReadId(u64);

/// How a read went on.
#[derive(Debug)]
pub enum ReadStart {
    /// It is done.
    Done(ReadBatches),
    /// [`Shard::take_finished_reads`] will give it.
    Pending(ReadId),
}

pub(super) struct Job {
    pub id: ReadId,
    pub request: ReadRequest,
    /// Where the next step starts.
    pub from: Offset,
    pub step: Step,
    pub found: Found,
    pub used_ahead: bool,
}

/// The step of a read that is under way.
#[derive(Default)]
pub(super) struct Step {
    pub segment: SegmentSequence,
    /// What the log showed when the step was planned: runs outside may not be written yet, or lie below the log start.
    pub visible: Range<Offset>,
    pub plan: Plan,
    /// What was aborted of the planned runs. Once the log start has passed them the log forgets it, and yet they are given.
    pub aborted: Vec<AbortedTransaction>,
    pub read: Vec<(u32, Arc<Stretch>)>,
    missing: usize,
    pub failure: Option<ReadError>,
}

/// How far a read came that was to begin its next step.
pub(super) enum Begun {
    /// It waits for extents, or it ended.
    Yes,
    NoIndex,
    NoRoom,
}

/// The reads behind the tail.
pub struct Reads {
    pub(super) jobs: Slab<Job>,
    /// Jobs that wait for their index, or for room.
    pub(super) waiting: VecDeque<usize>,
    /// Jobs whose step has all its extents.
    pub(super) complete: Vec<usize>,
    pub(super) segments_asked: Vec<SegmentName>,
    pub(super) extents: Extents,
    pub(super) streams: Streams,
    /// The segment in which another reader last wanted what lies beside a sparse read: there whole extents are read.
    pub(super) shared: Option<SegmentSequence>,
    pub(super) stats: ReadStats,
    ids_given: u64,
    submitted_at_ns: u64,
    pub(super) finished: Vec<(ReadId, Result<ReadBatches, ReadError>)>,
}

impl Reads {
    /// None yet, with their budgets.
    pub fn new(memory: &ShardMemory) -> Reads {
        Reads {
            jobs: Slab::new(),
            waiting: VecDeque::new(),
            complete: Vec::new(),
            segments_asked: Vec::new(),
            extents: Extents::new(memory),
            streams: Streams::default(),
            shared: None,
            stats: ReadStats::default(),
            ids_given: 0,
            submitted_at_ns: 0,
            finished: Vec::new(),
        }
    }

    /// Reads that have not ended.
    pub fn unfinished(&self) -> usize {
        self.jobs.len()
    }
}

impl Job {
    /// What the next step looks for.
    pub(super) fn goal(&self) -> Goal {
        if let Goal::Offset(_) = self.request.goal { Goal::Offset(self.from) } else { self.request.goal }
    }

    /// What is left of the bytes that were asked for.
    pub(super) fn bytes_left(&self) -> usize {
        self.request.bytes_max.saturating_sub(self.found.bytes)
    }
}

impl<I: Io> Shard<I> {
    /// Starts a read. What is in memory is given at once.
    pub fn read(&mut self, request: ReadRequest) -> Result<ReadStart, ReadError> {
        let view = self.view(request.log).ok_or(ReadError::UnknownLog(request.log))?;
        if let Goal::Offset(offset) = request.goal {
            if offset < view.start || offset > view.high_watermark {
                return Err(ReadError::OutOfRange { offset, start: view.start, end: view.high_watermark });
            }
            let wants_nothing = request.bytes_max == 0 && !request.first_whole;
            if offset >= view.end_for(request.isolation) || wants_nothing {
                return Ok(ReadStart::Done(Found::default().into_batches(view)));
            }
            if let Some(found) = self.read_tail(request, offset) {
                return Ok(ReadStart::Done(found.into_batches(view)));
            }
        }
        self.reads.ids_given += 1;
        let id = ReadId(self.reads.ids_given);
        let from = if let Goal::Offset(offset) = request.goal { offset } else { view.start };
        let job = Job { id, request, from, step: Step::default(), found: Found::default(), used_ahead: false };
        let job = self.reads.jobs.insert(job);
        self.reads.waiting.push_back(job);
        self.start_waiting_reads();
        self.operations.io.start();
        match self.reads.finished.pop_if(|(finished, _)| *finished == id) {
            Some((_, outcome)) => outcome.map(ReadStart::Done),
            None => Ok(ReadStart::Pending(id)),
        }
    }

    /// Reads that ended since the last call.
    pub fn take_finished_reads(&mut self) -> Vec<(ReadId, Result<ReadBatches, ReadError>)> {
        std::mem::take(&mut self.reads.finished)
    }

    /// What the readers cost so far.
    pub fn read_stats(&self) -> ReadStats {
        ReadStats {
            read_memory_bytes: self.reads.extents.memory_bytes(),
            held_bytes: self.reads.extents.held_bytes(),
            tail_pinned_bytes: self.tail.pinned_bytes(),
            ..self.reads.stats
        }
    }

    /// Begins the steps of reads as far as the bounds allow, and submits what is asked for.
    pub(super) fn start_waiting_reads(&mut self) {
        let mut without_index = VecDeque::new();
        while let Some(id) = self.reads.waiting.pop_front() {
            match self.begin(id) {
                Begun::Yes => {}
                Begun::NoIndex => without_index.push_back(id),
                Begun::NoRoom => {
                    self.reads.waiting.push_front(id);
                    break;
                }
            }
        }
        without_index.append(&mut self.reads.waiting);
        self.reads.waiting = without_index;
        self.submit_reads();
    }

    /// A commit on its way goes first.
    pub(super) fn submit_reads(&mut self) {
        if !self.reads.extents.are_asked() {
            return;
        }
        let now_ns = self.operations.io.monotonic_ns();
        let in_flight_max = if !self.journal.is_settled() {
            usize::from(now_ns >= self.reads.submitted_at_ns + DISK_READS_WAIT_MS * 1_000_000)
        } else if self.disk_use.appends.is_recent(now_ns) {
            DISK_READS_BESIDE_APPENDS_MAX
        } else {
            DISK_READS_IN_FLIGHT_MAX
        };
        while let Some((key, range)) = self.reads.extents.next_to_submit(in_flight_max) {
            let segment = self.journal.segments.get(key.segment).expect("a segment with a wanted extent is leased");
            let op = Op::Read { file: segment.file, position: u64::from(range.start), length: range.len() };
            self.operations.submit(Purpose::Read(key), op);
            self.reads.submitted_at_ns = now_ns;
        }
    }

    /// Begins the next step of a read, or ends it.
    fn begin(&mut self, id: usize) -> Begun {
        let (request, from) = (self.reads.jobs[id].request, self.reads.jobs[id].from);
        let Some(view) = self.view(request.log) else {
            return self.finish(id, Err(ReadError::UnknownLog(request.log)));
        };
        let (goal, bytes_max) = (self.reads.jobs[id].goal(), self.reads.jobs[id].bytes_left());
        if matches!(goal, Goal::Offset(_)) && from < view.start {
            let error = ReadError::OutOfRange { offset: from, start: view.start, end: view.high_watermark };
            return self.finish(id, Err(error));
        }
        let visible = from.max(view.start)..view.end_for(request.isolation);
        let next = if visible.is_empty() { None } else { self.segment_for(request.log, goal, visible.start) };
        let Some(segment) = next else {
            return self.finish(id, Ok(()));
        };
        let reach = Reach { bytes_max, extents_max: READ_EXTENTS_MAX };
        let Some(plan) = self.plan_in(segment, request.log, goal, visible.clone(), reach) else {
            return Begun::NoIndex;
        };
        // One batch, as what is longer than a run of several is, that does not fit: it would be waited for and looked at for nothing.
        if self.reads.jobs[id].found.bytes > 0 && plan.bytes > bytes_max.max(INDEX_RUN_BYTES_MAX as usize) {
            return self.finish(id, Ok(()));
        }
        let plan_end = plan.runs.last().map_or(visible.start, |run| run.last_offset().plus(1));
        let aborted = self.aborted_between(request, visible.start, plan_end);
        self.reads.jobs[id].step = Step { segment, visible, plan, aborted, ..Step::default() };
        self.take_extents(id)
    }

    /// Takes the extents of a step that are at hand and asks for the others.
    fn take_extents(&mut self, id: usize) -> Begun {
        let Step { segment, plan, .. } = &self.reads.jobs[id].step;
        let (segment, is_sparse) = (*segment, plan.is_sparse());
        let extents: Vec<(u32, Range<u32>)> =
            plan.extents.iter().map(|(number, range)| (*number, range.clone())).collect();
        let Reads { extents: known, stats, .. } = &mut self.reads;
        let is_missing = |(number, range): &&(u32, Range<u32>)| {
            matches!(known.look(ExtentKey { segment, number: *number }, range), Look::Absent | Look::Short)
        };
        let missing = extents.iter().filter(is_missing).count();
        if missing > 0 && !known.make_room(missing, stats) {
            return Begun::NoRoom;
        }
        stats.extent_misses += missing as u64;
        stats.extent_hits += (extents.len() - missing) as u64;
        for (number, range) in extents {
            self.take_extent(id, ExtentKey { segment, number }, range, is_sparse);
        }
        if self.reads.jobs[id].step.missing > 0 { Begun::Yes } else { self.collect_step(id) }
    }

    fn take_extent(&mut self, id: usize, key: ExtentKey, range: Range<u32>, is_sparse: bool) {
        let look = self.reads.extents.look(key, &range);
        if matches!(look, Look::Short | Look::Coming { covers: false }) {
            self.reads.shared = Some(key.segment);
        }
        let is_shared = self.reads.shared == Some(key.segment);
        let range = if is_sparse && !is_shared { range } else { self.whole(key, &range) };
        let Reads { jobs, extents, stats, .. } = &mut self.reads;
        let job = &mut jobs[id];
        match look {
            Look::Ready(stretch) => {
                job.used_ahead |= extents.use_it(key, &range, None, stats);
                job.step.read.push((key.number, stretch));
            }
            Look::Coming { .. } => {
                job.used_ahead |= extents.use_it(key, &range, Some(id), stats);
                job.step.missing += 1;
            }
            Look::Short | Look::Absent => {
                job.step.missing += 1;
                extents.ask(key, range, id, stats);
                self.lease_for_read(key.segment);
            }
        }
    }

    /// All of an extent that was written, given a part that was.
    pub(super) fn whole(&self, key: ExtentKey, part: &Range<u32>) -> Range<u32> {
        let extent = extent_range(key.number);
        extent.start..extent.end.min(self.journal.written_upto(key.segment)).max(part.end)
    }

    pub(super) fn lease_for_read(&mut self, segment: SegmentSequence) {
        self.journal.segments.get_mut(segment).expect("a span names a known segment").leases += 1;
    }

    /// Another file stands for a segment now: nothing that was read of the old one is used again. No read of it may be under way.
    pub(super) fn forget_segment(&mut self, segment: SegmentSequence) {
        self.indexes.forget(segment);
        let Reads { extents, stats, .. } = &mut self.reads;
        extents.forget(segment, stats);
    }

    /// An extent came back, or could not be read.
    pub(super) fn extent_was_read(&mut self, key: ExtentKey, result: io::Result<Outcome>) {
        if let Some(segment) = self.journal.segments.get_mut(key.segment) {
            segment.leases -= 1;
        }
        let content = match result {
            Ok(Outcome::Bytes(buffer)) => Ok(buffer.into_bytes()),
            Ok(other) => Err(format!("a read came back as {other:?}")),
            Err(error) => Err(error.to_string()),
        };
        let Reads { extents, stats, .. } = &mut self.reads;
        stats.disk_reads += 1;
        stats.disk_bytes += content.as_ref().map_or(0, |content| content.len() as u64);
        let failure = content.as_ref().err().cloned();
        for id in extents.arrived(key, content.ok(), stats) {
            let step = &mut self.reads.jobs[id].step;
            step.missing -= 1;
            if let Some(reason) = &failure {
                step.failure = Some(ReadError::Failed(reason.clone()));
            } else {
                // It may hold less than this reader wants: then it is asked for again, whole.
                let range = step.plan.extents.get(&key.number).cloned().unwrap_or_default();
                self.take_extent(id, key, range, false);
            }
            if self.reads.jobs[id].step.missing == 0 {
                self.reads.complete.push(id);
            }
        }
    }
}
