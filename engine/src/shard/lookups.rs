//! Where a log's runs lie: the segment by its spans, the runs by the segment's index.

use std::io;
use std::ops::Range;
use std::rc::Rc;

use super::state::Shard;
use crate::error::ReadError;
use crate::io::{Io, Op, Outcome};
use crate::journal::index::SegmentIndex;
use crate::journal::live_segments::SegmentName;
use crate::journal::operations::Purpose;
use crate::journal::reader::{Goal, Plan, Reach, plan};
use crate::journal::segment::index_name;
use crate::offset::{LogId, Offset, SegmentSequence};

/// Indexes of sealed segments, the most recently used ones.
pub struct IndexCache {
    /// Most recently used last.
    indexes: Vec<Rc<SegmentIndex>>,
    bytes: usize,
    bytes_max: usize,
}

impl IndexCache {
    /// An empty cache of at most so many bytes, or one index.
    pub fn new(bytes_max: usize) -> IndexCache {
        IndexCache { indexes: Vec::new(), bytes: 0, bytes_max }
    }

    /// Bytes that it holds.
    pub fn bytes(&self) -> usize {
        self.bytes
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
        while self.bytes > self.bytes_max && self.indexes.len() > 1 {
            self.bytes -= self.indexes.remove(0).memory_bytes();
        }
    }

    pub(super) fn forget(&mut self, segment: SegmentSequence) {
        if let Some(at) = self.indexes.iter().position(|index| index.segment == segment) {
            self.bytes -= self.indexes.remove(at).memory_bytes();
        }
    }
}

impl<I: Io> Shard<I> {
    /// The first segment with data from `from` on that may hold what is asked for.
    pub(super) fn segment_for(&self, log: LogId, goal: Goal, from: Offset) -> Option<SegmentSequence> {
        let spans = &self.partitions.get(&log)?.state.spans;
        let first = spans.partition_point(|span| span.last_offset < from);
        let mut wanted = spans.range(first..).filter(|span| !goal.is_beyond(span.last_offset, span.max_timestamp));
        wanted.next().map(|span| span.segment)
    }

    /// The runs of a step; None while the index of its segment is being read.
    pub(super) fn plan_in(
        &mut self,
        segment: SegmentSequence,
        log: LogId,
        goal: Goal,
        visible: Range<Offset>,
        reach: Reach,
    ) -> Option<Plan> {
        // The cleaner puts another segment in its place: a moment later that one is read.
        if self.is_being_swapped(segment) {
            return None;
        }
        let known = self.journal.segments.get(segment).expect("a span names a known segment");
        if let Some(builder) = &known.index {
            return Some(plan(builder.runs(log), goal, visible, reach));
        }
        if let Some(index) = self.indexes.get(segment) {
            self.reads.stats.index_hits += 1;
            return Some(plan(index.runs(log), goal, visible, reach));
        }
        let name = SegmentName { sequence: segment, generation: known.generation };
        if !self.reads.segments_asked.contains(&name) {
            self.reads.stats.index_misses += 1;
            self.reads.segments_asked.push(name);
            let path = self.journal.segments.path(&index_name(known.slot));
            let bytes_max = SegmentIndex::file_bytes_max(self.journal.segment_bytes()) as usize;
            self.operations.submit(Purpose::IndexRead(name), Op::ReadFile { path, bytes_max });
        }
        None
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
                let waiting = std::mem::take(&mut self.reads.waiting);
                for id in waiting {
                    let job = &self.reads.jobs[id];
                    if self.segment_for(job.request.log, job.goal(), job.from) == Some(segment) {
                        let error = ReadError::Damaged(format!("index of segment {}: {reason}", segment.0));
                        self.finish(id, Err(error));
                    } else {
                        self.reads.waiting.push_back(id);
                    }
                }
            }
        }
    }

    /// Where the next batch of a log goes.
    pub(super) fn log_end(&self, log: LogId) -> Option<Offset> {
        self.partitions.get(&log).map(|partition| partition.state.next)
    }

    /// The last offset that a segment stands for in a log.
    pub(super) fn span_end(&self, log: LogId, segment: SegmentSequence) -> Option<Offset> {
        let spans = &self.partitions.get(&log)?.state.spans;
        spans.iter().find(|span| span.segment == segment).map(|span| span.last_offset)
    }
}
