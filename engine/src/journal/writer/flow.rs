//! Commits on their way: sealed, written, flushed. Ends move only on completions, in order.

use std::io;
use std::rc::Rc;

use super::{Closed, Flush, Journal, JournalFailure, JournalIdentity, Sealed};
use crate::io::{FileId, Io, Op};
use crate::journal::commit::{CommitHeader, EntryKind, FLAG_CHECKPOINT_END};
use crate::journal::commit_buffer::{OpenCommit, SealedCommit};
use crate::journal::index::Run;
use crate::journal::operations::{Operations, Purpose};
use crate::journal::segment::{FIRST_COMMIT_PLACE, SegmentHeader};
use crate::limits::{BLOCK_BYTES, COMMITS_IN_FLIGHT_MAX, PIPELINE_BYTES_MIN, WATERMARK_DELAY_MS};
use crate::offset::{CommitSequence, SegmentSequence};

impl Journal {
    /// Submits what can be submitted: flushes, full commits, and the open one when the ring is free for it.
    pub fn pump<I: Io>(&mut self, operations: &mut Operations<I>) {
        self.submit_flush(operations);
        while self.may_seal_closed() && self.unwritten() < COMMITS_IN_FLIGHT_MAX {
            self.seal_next(operations);
        }
        if self.closed.is_empty() && self.may_seal_open() {
            self.close(0);
            self.seal_next(operations);
        }
        let idle = self.sealed.is_empty() && self.open.as_ref().is_none_or(OpenCommit::is_empty);
        if idle {
            self.prove_the_end(operations);
        }
        self.segments.pump(operations, self.sealed.is_empty() && !self.segment_wanted);
    }

    /// When [`Journal::pump`] wants to be called again although nothing completes.
    pub fn deadline_ns(&self) -> Option<u64> {
        let proof = self.proof_owed_since_ns.map(|since| since + WATERMARK_DELAY_MS * 1_000_000);
        [proof, self.segments.deadline_ns()].into_iter().flatten().min()
    }

    /// The second segment of all begins on disk only when the first does so durably: a crash that took the first one's header would leave it
    /// without the commits that its checkpoint speaks of, like a journal that lost its beginning. Later ones have older segments to go back to.
    fn may_seal_closed(&self) -> bool {
        let Some(next) = self.closed.front() else { return false };
        let is_second = next.place == FIRST_COMMIT_PLACE && next.segment == SegmentSequence(2);
        let first = self.segments.get(SegmentSequence(1)).filter(|_| is_second);
        first.and_then(|first| first.first_commit).is_none_or(|commit| commit <= self.ends.durable)
    }

    fn unwritten(&self) -> usize {
        self.sealed.iter().filter(|sealed| sealed.writes_left > 0).count()
    }

    fn may_seal_open(&self) -> bool {
        let Some(open) = self.open.as_ref().filter(|open| !open.is_empty()) else {
            return false;
        };
        if self.in_checkpoint || self.unwritten() > 0 {
            return false;
        }
        self.sealed.is_empty() || open.length() >= PIPELINE_BYTES_MIN || self.may_write_beside_the_flush()
    }

    /// Who waits for the write alone does not wait for the flush of those before. Of these commits one is written beside a flush: what comes after it
    /// waits for the next and gathers.
    fn may_write_beside_the_flush(&self) -> bool {
        let last = self.sealed.back().map(|sealed| sealed.commit.header.sequence);
        let is_first = self.flush.as_ref().is_some_and(|flush| Some(flush.covers) == last);
        is_first && self.written_is_awaited == self.next_sequence
    }

    pub(super) fn seal_next<I: Io>(&mut self, operations: &mut Operations<I>) {
        let Some(Closed { commit, place, segment, flags }) = self.closed.pop_front() else {
            return;
        };
        let sequence = CommitSequence(
            self.sealed.back().map_or(self.ends.durable.0, |sealed| sealed.commit.header.sequence.0) + 1,
        );
        let header = CommitHeader {
            flags,
            shard: self.identity.shard,
            entry_count: 0,
            segment,
            position: self.identity.geometry.position(segment, place),
            incarnation: self.identity.incarnation,
            sequence,
            term: 0,
            durable_upto: self.durable_position,
            length: 0,
            table_place: 0,
            directory_id: self.identity.directory_id,
        };
        let commit = Rc::new(commit.seal(&mut operations.io, header, &self.buffers));
        let file = self.segments.get(segment).expect("a commit lies in a known segment").file;
        let mut writes_left = 0;
        // Several segments may have been begun since the last seal, so the place decides, not a flag.
        if place == FIRST_COMMIT_PLACE {
            writes_left += 1;
            self.write_segment_header(operations, segment, file, sequence);
        }
        let is_through = self.may_write_through(place, &commit);
        for (at, data) in commit.writes() {
            writes_left += 1;
            let (position, data) = (u64::from(place) + at as u64, data.clone());
            if is_through {
                let begun_ns = operations.io.monotonic_ns();
                self.flush = Some(Flush { covers: sequence, begun_ns, files_left: 1 });
                operations.submit(Purpose::CommitThrough(sequence), Op::WriteThrough { file, position, data });
            } else {
                operations.submit(Purpose::CommitWrite(sequence), Op::Write { file, position, data });
            }
        }
        self.proof_owed_since_ns = None;
        self.index(segment, &commit);
        self.stats.commits += 1;
        self.stats.commit_bytes += u64::from(commit.header.length);
        self.stats.payload_bytes += commit.entries.iter().map(|entry| u64::from(entry.length)).sum::<u64>();
        self.sealed_commits.push(Rc::clone(&commit));
        self.sealed.push_back(Sealed { commit, file, writes_left });
    }

    /// A commit of one write that is alone takes its flush with it, which saves a wake-up; unless somebody waits for the write alone. A large one
    /// does not: the next would be written beside its flush, and would have to wait.
    fn may_write_through(&self, place: u32, commit: &SealedCommit) -> bool {
        self.writes_through
            && self.sealed.is_empty()
            && self.flush.is_none()
            && place != FIRST_COMMIT_PLACE
            && self.written_is_awaited < commit.header.sequence
            && commit.writes().count() == 1
    }

    fn write_segment_header<I: Io>(
        &mut self,
        operations: &mut Operations<I>,
        segment: SegmentSequence,
        file: FileId,
        sequence: CommitSequence,
    ) {
        let JournalIdentity { shard, directory_id, incarnation, geometry } = self.identity;
        let mut block = operations.io.buffer(BLOCK_BYTES);
        SegmentHeader {
            shard,
            directory_id,
            sequence: segment,
            segment_bytes: geometry.segment_bytes(),
            incarnation,
            generation: 0,
            end_place: 0,
        }
        .encode(&mut block[..BLOCK_BYTES]);
        let data = block.into_bytes().slice(..BLOCK_BYTES);
        operations.submit(Purpose::CommitWrite(sequence), Op::Write { file, position: 0, data });
    }

    fn index(&mut self, segment: SegmentSequence, commit: &SealedCommit) {
        let place = self.identity.geometry.split(commit.header.position).1;
        let segment = self.segments.get_mut(segment).expect("a commit lies in a known segment");
        segment.first_commit.get_or_insert(commit.header.sequence);
        let builder = segment.index.as_mut().expect("a growing segment has its index in memory");
        for entry in commit.entries.iter().filter(|entry| entry.kind == EntryKind::Batch) {
            builder.add(entry.log, Run::of_batch(entry, place));
        }
    }

    fn submit_flush<I: Io>(&mut self, operations: &mut Operations<I>) {
        if self.flush.is_some() || self.ends.written == self.ends.durable {
            return;
        }
        let mut files: Vec<FileId> = self
            .sealed
            .iter()
            .take_while(|sealed| sealed.commit.header.sequence <= self.ends.written)
            .map(|sealed| sealed.file)
            .collect();
        files.dedup();
        let begun_ns = operations.io.monotonic_ns();
        self.flush = Some(Flush { covers: self.ends.written, begun_ns, files_left: files.len() });
        for file in files {
            operations.submit(Purpose::Flush, Op::SyncData { file });
        }
    }

    /// Whether small commits may be written and flushed by one call.
    pub fn set_writes_through(&mut self, writes_through: bool) {
        self.writes_through = writes_through;
    }

    /// Somebody waits for the write of a commit and not for its flush.
    pub fn await_written(&mut self, commit: CommitSequence) {
        self.written_is_awaited = self.written_is_awaited.max(commit);
    }

    /// One ring write of a commit completed.
    pub fn write_completed(&mut self, sequence: CommitSequence, result: io::Result<()>) -> Result<(), JournalFailure> {
        result.map_err(|error| JournalFailure { what: "write of the journal", error })?;
        let sealed = self
            .sealed
            .iter_mut()
            .find(|sealed| sealed.commit.header.sequence == sequence)
            .expect("a written commit is in flight");
        sealed.writes_left -= 1;
        let newly: Vec<_> = self
            .sealed
            .iter()
            .take_while(|sealed| sealed.writes_left == 0)
            .filter(|sealed| sealed.commit.header.sequence > self.ends.written)
            .map(|sealed| Rc::clone(&sealed.commit))
            .collect();
        if let Some(last) = newly.last() {
            self.ends.written = last.header.sequence;
            self.ends.assert_ordered();
        }
        self.written_commits.extend(newly);
        Ok(())
    }

    /// The flush of one file completed.
    pub fn flush_completed<I: Io>(
        &mut self,
        operations: &mut Operations<I>,
        result: io::Result<()>,
    ) -> Result<(), JournalFailure> {
        result.map_err(|error| JournalFailure { what: "flush of the journal", error })?;
        let flush = self.flush.as_mut().expect("a flush is in flight");
        flush.files_left -= 1;
        if flush.files_left > 0 {
            return Ok(());
        }
        let (covers, begun_ns) = (flush.covers, flush.begun_ns);
        self.flush = None;
        self.stats.flushes.record(operations.io.monotonic_ns().saturating_sub(begun_ns));
        self.ends.durable = covers;
        self.ends.assert_ordered();
        let mut carries_data = false;
        while self.sealed.front().is_some_and(|sealed| sealed.commit.header.sequence <= covers) {
            let sealed = self.sealed.pop_front().expect("just seen");
            let header = &sealed.commit.header;
            self.durable_position = header.end();
            self.undurable_bytes -= sealed.commit.entries.iter().map(|entry| entry.length as usize).sum::<usize>();
            if header.flags & FLAG_CHECKPOINT_END != 0 {
                self.unproven_checkpoint = Some((header.segment, header.end()));
                self.segments.write_indexes(
                    operations,
                    header.segment,
                    self.identity.shard,
                    self.identity.directory_id,
                );
            }
            // Only what a durable commit proves may replace the older segments: without the proof recovery may cut the checkpoint.
            if let Some((segment, _)) = self.unproven_checkpoint.take_if(|(_, end)| header.durable_upto >= *end) {
                self.segments.checkpoint_is_durable(segment);
            }
            carries_data |= sealed.commit.entries.iter().any(|entry| entry.kind != EntryKind::Watermark);
            self.durable_commits.push(sealed.commit);
        }
        if carries_data {
            self.proof_owed_since_ns = Some(operations.io.monotonic_ns());
        }
        Ok(())
    }
}
