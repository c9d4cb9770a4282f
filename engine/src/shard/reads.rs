//! Reads of a shard: from the tail at once, behind it by an index and aligned reads.

use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

use bytes::Bytes;
use slab::Slab;

use super::state::{LogView, Shard};
use crate::error::ReadError;
use crate::io::{Io, Op, Outcome};
use crate::journal::index::SegmentIndex;
use crate::journal::operations::Purpose;
use crate::journal::reader::{Goal, Part, Wanted, collect, plan};
use crate::journal::segment::index_name;
use crate::limits::{DISK_READS_IN_FLIGHT_MAX, INDEX_CACHE_BYTES_MAX};
use crate::offset::{LogId, SegmentSequence};

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

/// A read that waits for the disk.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ReadId(usize);

/// How a read went on.
#[derive(Debug)]
pub enum ReadStart {
    /// It is done.
    Done(ReadBatches),
    /// [`Shard::take_finished_reads`] will give it.
    Pending(ReadId),
}

struct Job {
    request: ReadRequest,
    segment: SegmentSequence,
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
    segments_asked: Vec<SegmentSequence>,
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
        let Some(span) =
            partition.state.spans.iter().find(|span| !request.goal.is_beyond(span.last_offset, span.max_timestamp))
        else {
            return Ok(ReadStart::Done(empty));
        };
        let segment = span.segment;
        if let Some(segment) = self.journal.segments.get_mut(segment) {
            segment.leases += 1;
        }
        let id = self.reads.jobs.insert(Job { request, segment, parts: Vec::new(), left: 0, failure: None });
        self.reads.waiting.push_back(id);
        self.start_waiting_reads();
        Ok(ReadStart::Pending(ReadId(id)))
    }

    /// Reads that ended since the last call.
    pub fn take_finished_reads(&mut self) -> Vec<(ReadId, Result<ReadBatches, ReadError>)> {
        std::mem::take(&mut self.reads.finished)
    }

    /// Starts reads as far as the bounds allow; one without its index asks for that first.
    pub(super) fn start_waiting_reads(&mut self) {
        for _ in 0..self.reads.waiting.len() {
            if self.reads.running >= DISK_READS_IN_FLIGHT_MAX {
                return;
            }
            let Some(id) = self.reads.waiting.pop_front() else {
                return;
            };
            match self.plan(id) {
                Some(Ok(parts)) => self.submit_parts(id, parts),
                Some(Err(error)) => self.finish(id, Err(error)),
                None => self.reads.waiting.push_back(id),
            }
        }
    }

    /// The requests of a read; None while the index of its segment is being read.
    fn plan(&mut self, id: usize) -> Option<Result<Vec<Part>, ReadError>> {
        let (request, segment) = (self.reads.jobs[id].request, self.reads.jobs[id].segment);
        let Some(known) = self.journal.segments.get(segment) else {
            return Some(Err(ReadError::Damaged(format!("segment {} is missing", segment.0))));
        };
        if let Some(builder) = &known.index {
            return Some(Ok(plan(builder.runs(request.log), request.goal, request.bytes_max)));
        }
        if let Some(index) = self.indexes.get(segment) {
            return Some(Ok(plan(index.runs(request.log), request.goal, request.bytes_max)));
        }
        if !self.reads.segments_asked.contains(&segment) {
            self.reads.segments_asked.push(segment);
            let path = self.journal.segments.path(&index_name(known.slot));
            let bytes_max = SegmentIndex::file_bytes_max(self.journal.segment_bytes()) as usize;
            self.operations.submit(Purpose::IndexRead(segment), Op::ReadFile { path, bytes_max });
        }
        None
    }

    fn submit_parts(&mut self, id: usize, parts: Vec<Part>) {
        let job = &mut self.reads.jobs[id];
        let Some(file) =
            self.journal.segments.get(job.segment).map(|segment| segment.file).filter(|_| !parts.is_empty())
        else {
            let found =
                ReadError::Damaged(format!("segment {} has no runs for log {}", job.segment.0, job.request.log));
            return self.finish(id, Err(found));
        };
        job.left = parts.len();
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
    pub(super) fn index_was_read(&mut self, segment: SegmentSequence, result: io::Result<Outcome>) {
        self.reads.segments_asked.retain(|&reading| reading != segment);
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

    fn assemble(&mut self, id: usize) -> Result<ReadBatches, ReadError> {
        let job = &mut self.reads.jobs[id];
        if let Some(failure) = job.failure.take() {
            return Err(failure);
        }
        let request = job.request;
        let parts: Vec<(Part, Bytes)> =
            std::mem::take(&mut job.parts).into_iter().filter_map(|(part, bytes)| Some((part, bytes?))).collect();
        let view = self.view(request.log).ok_or(ReadError::UnknownLog(request.log))?;
        let wanted = Wanted {
            goal: request.goal,
            bytes_max: request.bytes_max,
            first_whole: request.first_whole,
            visible_end: view.high_watermark,
        };
        let slices = collect(&parts, wanted).map_err(ReadError::Damaged)?;
        Ok(ReadBatches { bytes: slices.iter().map(Bytes::len).sum(), slices, view })
    }

    fn finish(&mut self, id: usize, outcome: Result<ReadBatches, ReadError>) {
        let job = self.reads.jobs.remove(id);
        if let Some(segment) = self.journal.segments.get_mut(job.segment) {
            segment.leases -= 1;
        }
        if let Err(error @ (ReadError::Damaged(_) | ReadError::Failed(_))) = &outcome {
            tracing::error!(shard = self.id.0, log = job.request.log.0, segment = job.segment.0, %error, "read behind the tail failed");
        }
        self.reads.finished.push((ReadId(id), outcome));
    }
}
