//! Reads of a shard: from the tail at once, behind it by an index and aligned reads.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::rc::Rc;

use bytes::Bytes;
use slab::Slab;

use super::state::{LogView, Shard};
use crate::error::ReadError;
use crate::io::{Io, Op, Outcome};
use crate::journal::index::{Run, SegmentIndex};
use crate::journal::live_segments::SegmentName;
use crate::journal::operations::Purpose;
use crate::journal::reader::{Goal, Part, Wanted, collect, plan};
use crate::journal::segment::index_name;
use crate::limits::{DISK_READS_IN_FLIGHT_MAX, INDEX_CACHE_BYTES_MAX};
use crate::offset::{LogId, Offset, SegmentSequence};

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
}

/// What a read gave: whole batches, the first of which holds the asked offset.
#[derive(Clone, Debug)]
pub struct ReadBatches {
    /// Refcounted slices of commit buffers or of disk reads, in order; never copied.
    pub slices: Vec<Bytes>,
    /// Sum of the slices' lengths.
    pub bytes: usize,
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

struct Job {
    id: ReadId,
    request: ReadRequest,
    segment: SegmentSequence,
    /// Its parts are being read, so the segment's file must stay.
    is_leased: bool,
    /// What the log showed when the parts were asked for: runs outside may not be written yet, or lie below the log start.
    visible: Range<Offset>,
    /// Last offset of the runs that were asked for.
    searched_upto: Option<Offset>,
    parts: Vec<(Part, Option<Bytes>)>,
    left: usize,
    failure: Option<ReadError>,
}

/// The reads that wait for the disk.
#[derive(Default)]
pub struct Reads {
    jobs: Slab<Job>,
    /// Jobs that wait for their index, or for their turn.
    waiting: VecDeque<usize>,
    running: usize,
    segments_asked: Vec<SegmentName>,
    ids_given: u64,
    finished: Vec<(ReadId, Result<ReadBatches, ReadError>)>,
}

/// Indexes of sealed segments, the most recently used ones.
#[derive(Default)]
pub struct IndexCache {
    /// Most recently used last.
    indexes: Vec<Rc<SegmentIndex>>,
    bytes: usize,
}

impl IndexCache {
    fn forget(&mut self, segment: SegmentSequence) {
        if let Some(at) = self.indexes.iter().position(|index| index.segment == segment) {
            self.bytes -= self.indexes.remove(at).memory_bytes();
        }
    }

    fn get(&mut self, segment: SegmentSequence) -> Option<Rc<SegmentIndex>> {
        let at = self.indexes.iter().position(|index| index.segment == segment)?;
        let index = self.indexes.remove(at);
        self.indexes.push(Rc::clone(&index));
        Some(index)
    }

    fn put(&mut self, index: SegmentIndex) {
        self.bytes += index.memory_bytes();
        self.indexes.push(Rc::new(index));
        while self.bytes > INDEX_CACHE_BYTES_MAX && self.indexes.len() > 1 {
            self.bytes -= self.indexes.remove(0).memory_bytes();
        }
    }
}

impl<I: Io> Shard<I> {
    /// Starts a read. What the tail holds is given at once.
    pub fn read(&mut self, request: ReadRequest) -> Result<ReadStart, ReadError> {
        let view = self.view(request.log).ok_or(ReadError::UnknownLog(request.log))?;
        let Some(partition) = self.partitions.get(&request.log) else {
            return Err(ReadError::UnknownLog(request.log));
        };
        let empty = ReadBatches { slices: Vec::new(), bytes: 0, view };
        if let Goal::Offset(offset) = request.goal {
            if offset < view.start || offset > view.high_watermark {
                return Err(ReadError::OutOfRange { offset, start: view.start, end: view.high_watermark });
            }
            if offset == view.high_watermark {
                return Ok(ReadStart::Done(empty));
            }
            if partition.tail_holds(offset) {
                let (slices, bytes) = partition.read_tail(offset, request.bytes_max, request.first_whole);
                return Ok(ReadStart::Done(ReadBatches { slices, bytes, view }));
            }
        }
        let Some(segment) = self.segment_for(request, view.start) else {
            return Ok(ReadStart::Done(empty));
        };
        self.reads.ids_given += 1;
        let id = ReadId(self.reads.ids_given);
        self.wait_for_disk(id, request, segment, view.start);
        self.start_waiting_reads();
        Ok(ReadStart::Pending(id))
    }

    /// The first segment with data from `from` on that may hold what is asked for.
    fn segment_for(&self, request: ReadRequest, from: Offset) -> Option<SegmentSequence> {
        let spans = &self.partitions.get(&request.log)?.state.spans;
        let wanted = spans.iter().filter(|span| span.last_offset >= from);
        let mut wanted = wanted.filter(|span| !request.goal.is_beyond(span.last_offset, span.max_timestamp));
        wanted.next().map(|span| span.segment)
    }

    fn wait_for_disk(&mut self, id: ReadId, request: ReadRequest, segment: SegmentSequence, from: Offset) {
        let job = self.reads.jobs.insert(Job {
            id,
            request,
            segment,
            is_leased: false,
            visible: from..from,
            searched_upto: None,
            parts: Vec::new(),
            left: 0,
            failure: None,
        });
        self.reads.waiting.push_back(job);
    }

    /// Reads that ended since the last call.
    pub fn take_finished_reads(&mut self) -> Vec<(ReadId, Result<ReadBatches, ReadError>)> {
        std::mem::take(&mut self.reads.finished)
    }

    /// Starts reads as far as the bounds allow; one without its index asks for that first.
    pub(super) fn start_waiting_reads(&mut self) {
        let mut without_index = VecDeque::new();
        while self.reads.running < DISK_READS_IN_FLIGHT_MAX
            && let Some(id) = self.reads.waiting.pop_front()
        {
            match self.plan(id) {
                Some(Ok(parts)) => self.submit_parts(id, parts),
                Some(Err(error)) => self.finish(id, Err(error)),
                None => without_index.push_back(id),
            }
        }
        without_index.append(&mut self.reads.waiting);
        self.reads.waiting = without_index;
    }

    /// The requests of a read; None while the index of its segment is being read, or another segment is put in its place.
    fn plan(&mut self, id: usize) -> Option<Result<Vec<Part>, ReadError>> {
        let (request, from) = (self.reads.jobs[id].request, self.reads.jobs[id].visible.start);
        let Some(view) = self.view(request.log) else {
            return Some(Err(ReadError::UnknownLog(request.log)));
        };
        if let Goal::Offset(offset) = request.goal
            && offset < view.start
        {
            return Some(Err(ReadError::OutOfRange { offset, start: view.start, end: view.high_watermark }));
        }
        let visible = from..view.high_watermark;
        self.reads.jobs[id].visible = visible.clone();
        // While it waited the cleaner may have put the data elsewhere, or the log start may have passed it.
        let Some(segment) = self.segment_for(request, from) else {
            return Some(Ok(Vec::new()));
        };
        if self.is_being_swapped(segment) {
            return None;
        }
        self.reads.jobs[id].segment = segment;
        let Some(known) = self.journal.segments.get(segment) else {
            return Some(Err(ReadError::Damaged(format!("segment {} is missing", segment.0))));
        };
        if let Some(builder) = &known.index {
            return Some(Ok(plan(builder.runs(request.log), request.goal, visible, request.bytes_max)));
        }
        if let Some(index) = self.indexes.get(segment) {
            return Some(Ok(plan(index.runs(request.log), request.goal, visible, request.bytes_max)));
        }
        let name = SegmentName { sequence: segment, generation: known.generation };
        if !self.reads.segments_asked.contains(&name) {
            self.reads.segments_asked.push(name);
            let path = self.journal.segments.path(&index_name(known.slot));
            let bytes_max = SegmentIndex::file_bytes_max(self.journal.segment_bytes()) as usize;
            self.operations.submit(Purpose::IndexRead(name), Op::ReadFile { path, bytes_max });
        }
        None
    }

    fn submit_parts(&mut self, id: usize, parts: Vec<Part>) {
        let job = &mut self.reads.jobs[id];
        let Some(segment) = self.journal.segments.get_mut(job.segment).filter(|_| !parts.is_empty()) else {
            // A time may be that of a batch that is not visible, and behind an offset compaction may have left nothing here.
            let outcome = self.assemble(id);
            return self.finish(id, outcome);
        };
        segment.leases += 1;
        job.is_leased = true;
        let file = segment.file;
        job.left = parts.len();
        job.searched_upto = parts.last().and_then(|part| part.runs.last()).map(Run::last_offset);
        self.reads.running += 1;
        for (at, part) in parts.iter().enumerate() {
            self.operations.submit(
                Purpose::Read { read: id, part: at },
                Op::Read { file, position: part.position, length: part.length },
            );
        }
        job.parts = parts.into_iter().map(|part| (part, None)).collect();
    }

    /// An index file was read. If it is unusable the segment's readers get an error; a restart rebuilds it.
    pub(super) fn index_was_read(&mut self, name: SegmentName, result: io::Result<Outcome>) {
        self.reads.segments_asked.retain(|&reading| reading != name);
        let segment = name.sequence;
        if self.journal.segments.get(segment).is_none_or(|known| known.generation != name.generation) {
            // It was replaced meanwhile: whoever waits asks for the new one.
            return;
        }
        let (shard, directory_id) = self.journal.owner();
        let index = match result {
            Ok(Outcome::Content(content)) => {
                SegmentIndex::decode(&content, segment, shard, directory_id).map_err(|error| error.to_string())
            }
            Ok(other) => Err(format!("an index came back as {other:?}")),
            Err(error) => Err(error.to_string()),
        };
        match index {
            Ok(index) => self.indexes.put(index),
            Err(reason) => {
                let failed: Vec<usize> =
                    self.reads.waiting.iter().copied().filter(|&id| self.reads.jobs[id].segment == segment).collect();
                self.reads.waiting.retain(|id| !failed.contains(id));
                for id in failed {
                    self.finish(id, Err(ReadError::Damaged(format!("index of segment {}: {reason}", segment.0))));
                }
            }
        }
    }

    /// Another segment is put in this one's place.
    pub(super) fn forget_index(&mut self, segment: SegmentSequence) {
        self.indexes.forget(segment);
    }

    /// A part of a read came back.
    pub(super) fn part_was_read(&mut self, id: usize, part: usize, result: io::Result<Outcome>) {
        let job = &mut self.reads.jobs[id];
        job.left -= 1;
        match result {
            Ok(Outcome::Bytes(buffer)) => {
                let length = job.parts[part].0.length;
                job.parts[part].1 = Some(buffer.into_bytes().slice(..length));
            }
            Ok(other) => job.failure = Some(ReadError::Failed(format!("a read came back as {other:?}"))),
            Err(error) => job.failure = Some(ReadError::Failed(error.to_string())),
        }
        if job.left == 0 {
            self.reads.running -= 1;
            let outcome = self.assemble(id);
            self.finish(id, outcome);
        }
    }

    /// No visible batch of the runs that were searched has the time, though a run or the segment promised one: on behind them.
    fn goes_on(&mut self, job: usize) -> bool {
        let Job { id, request, segment, visible, searched_upto, .. } = &self.reads.jobs[job];
        let (id, request, segment, end) = (*id, *request, *segment, visible.end);
        let spans = self.partitions.get(&request.log).map(|partition| &partition.state.spans);
        let segment_end = spans.into_iter().flatten().find(|span| span.segment == segment).map(|span| span.last_offset);
        let Some(from) = searched_upto.or(segment_end).map(|last| last.plus(1)).filter(|from| *from < end) else {
            return false;
        };
        let Some(segment) = self.segment_for(request, from) else {
            return false;
        };
        self.wait_for_disk(id, request, segment, from);
        true
    }

    fn assemble(&mut self, id: usize) -> Result<ReadBatches, ReadError> {
        let job = &mut self.reads.jobs[id];
        if let Some(failure) = job.failure.take() {
            return Err(failure);
        }
        let (request, visible) = (job.request, job.visible.clone());
        let parts: Vec<(Part, Bytes)> =
            std::mem::take(&mut job.parts).into_iter().filter_map(|(part, bytes)| Some((part, bytes?))).collect();
        let view = self.view(request.log).ok_or(ReadError::UnknownLog(request.log))?;
        let wanted =
            Wanted { goal: request.goal, bytes_max: request.bytes_max, first_whole: request.first_whole, visible };
        let slices = collect(&parts, &wanted).map_err(ReadError::Damaged)?;
        Ok(ReadBatches { bytes: slices.iter().map(Bytes::len).sum(), slices, view })
    }

    fn finish(&mut self, id: usize, outcome: Result<ReadBatches, ReadError>) {
        let is_unfound = outcome.as_ref().is_ok_and(|batches| batches.bytes == 0);
        let job = &self.reads.jobs[id];
        let may_lie_behind = matches!(job.request.goal, Goal::Timestamp(_)) || job.searched_upto.is_none();
        let goes_on = is_unfound && may_lie_behind && self.goes_on(id);
        let job = self.reads.jobs.remove(id);
        if let Some(segment) = self.journal.segments.get_mut(job.segment).filter(|_| job.is_leased) {
            segment.leases -= 1;
        }
        if let Err(error @ (ReadError::Damaged(_) | ReadError::Failed(_))) = &outcome {
            tracing::error!(shard = self.id.0, log = job.request.log.0, segment = job.segment.0, %error, "read behind the tail failed");
        }
        if !goes_on {
            self.reads.finished.push((job.id, outcome));
        }
    }
}
