//! The write side of a shard's journal: group commit.
//!
//! Everything that arrives while a commit is on its way becomes the next one. A commit is written, then one flush covers all
//! completed writes; `appended >= written >= durable` is the data flow that acks follow. A flush is submitted only after the
//! completions of the writes that it covers, so nothing here depends on timing. A small commit that is alone has both in one call.

mod flow;

use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

use thiserror::Error;
use uuid::Uuid;

use super::commit::{Entry, EntryKind, FLAG_CHECKPOINT, FLAG_CHECKPOINT_END};
use super::commit_buffer::{OpenCommit, SealedCommit};
use super::disk_space::{DiskLevel, RoomFor};
use super::operations::Operations;
use super::segment::{FIRST_COMMIT_PLACE, SegmentGeometry};
use super::segment_set::SegmentSet;
use crate::io::{FileId, Io};
use crate::latency::LatencyHistogram;
use crate::ledger::Ledger;
use crate::limits::{BLOCK_BYTES, COMMIT_BYTES_TARGET, COMMIT_ENTRIES_MAX, WATERMARK_DELAY_MS};
use crate::offset::{CommitSequence, Ends, Incarnation, JournalPosition, LogId, Offset, SegmentSequence, ShardId};

/// Who writes: stamped into every commit.
#[derive(Clone, Copy, Debug)]
pub struct JournalIdentity {
    /// The shard.
    pub shard: ShardId,
    /// The data directory.
    pub directory_id: Uuid,
    /// This start.
    pub incarnation: Incarnation,
    /// Segment size.
    pub geometry: SegmentGeometry,
}

/// A write or flush of the journal failed. The process must stop: what the disk holds is no longer known.
#[derive(Debug, Error)]
#[error("{what} failed: {error}")]
pub struct JournalFailure {
    /// The operation.
    pub what: &'static str,
    /// The kernel's reason.
    pub error: io::Error,
}

/// Whether an entry can be pushed now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Room {
    /// Push it.
    Ready,
    /// A new segment begins: write a checkpoint of all logs first, then ask again.
    Rolled,
    /// Wait for a completion: too much is not durable yet, or no segment is ready.
    Wait,
    /// No segment is ready and the disk is full.
    DiskFull,
}

struct Closed {
    commit: OpenCommit,
    place: u32,
    segment: SegmentSequence,
    flags: u16,
}

struct Sealed {
    commit: Rc<SealedCommit>,
    file: FileId,
    writes_left: usize,
}

struct Flush {
    covers: CommitSequence,
    begun_ns: u64,
    files_left: usize,
}

/// What a journal has written since the start.
#[derive(Clone, Copy, Debug, Default)]
pub struct JournalStats {
    /// Commits.
    pub commits: u64,
    /// Their bytes on the disk, padding and tables included.
    pub commit_bytes: u64,
    /// Bytes of the payloads in them: what is left is what padding and tables cost.
    pub payload_bytes: u64,
    /// Flushes, and how long each took; where it was one call with the write, that.
    pub flushes: LatencyHistogram,
}

/// The journal of one shard.
pub struct Journal {
    identity: JournalIdentity,
    /// The files.
    pub segments: SegmentSet,
    active: Option<(SegmentSequence, FileId)>,
    /// Where the open commit will lie in the active segment.
    place: u32,
    open: Option<OpenCommit>,
    closed: VecDeque<Closed>,
    /// Sealed and not yet durable, in order.
    sealed: VecDeque<Sealed>,
    next_sequence: CommitSequence,
    ends: Ends<CommitSequence>,
    durable_position: JournalPosition,
    undurable_bytes: usize,
    undurable_bytes_max: usize,
    flush: Option<Flush>,
    writes_through: bool,
    /// The newest commit whose write alone somebody waits for.
    written_is_awaited: CommitSequence,
    in_checkpoint: bool,
    /// Somebody waits for a new segment: spares must not be kept busy with zeroing.
    segment_wanted: bool,
    /// A durable checkpoint that no durable commit proves yet, and where it ends.
    unproven_checkpoint: Option<(SegmentSequence, JournalPosition)>,
    /// Since when the durable end is ahead of what a commit on disk proves.
    proof_owed_since_ns: Option<u64>,
    /// Buffers of sealed commits that somebody holds.
    buffers: Ledger,
    sealed_commits: Vec<Rc<SealedCommit>>,
    written_commits: Vec<Rc<SealedCommit>>,
    durable_commits: Vec<Rc<SealedCommit>>,
    stats: JournalStats,
}

impl Journal {
    /// A journal that goes on behind what was recovered. `active` is the segment to go on in, with the place of the next commit. Appends
    /// wait while more than `undurable_bytes_max` are not durable.
    pub fn new(
        identity: JournalIdentity,
        mut segments: SegmentSet,
        active: Option<(SegmentSequence, FileId, u32)>,
        next_sequence: CommitSequence,
        undurable_bytes_max: usize,
    ) -> Journal {
        let last = CommitSequence(next_sequence.0 - 1);
        let place = active.map_or(FIRST_COMMIT_PLACE, |(_, _, place)| place);
        let durable_position =
            active.map_or(JournalPosition(0), |(segment, _, place)| identity.geometry.position(segment, place));
        // Without room for a watermark the segment ends with one, which proves its checkpoint.
        let has_room = u64::from(place) + BLOCK_BYTES as u64 <= identity.geometry.segment_bytes();
        if let Some((segment, _, _)) = active.filter(|_| !has_room) {
            segments.checkpoint_is_durable(segment);
        }
        Journal {
            identity,
            segments,
            active: active.map(|(segment, file, _)| (segment, file)),
            place,
            open: None,
            closed: VecDeque::new(),
            sealed: VecDeque::new(),
            next_sequence,
            ends: Ends::at(last),
            durable_position,
            undurable_bytes: 0,
            undurable_bytes_max,
            flush: None,
            writes_through: true,
            written_is_awaited: last,
            in_checkpoint: false,
            segment_wanted: false,
            // The recovered end is durable, and the next commit says so: with that the checkpoint of the active segment is proven.
            unproven_checkpoint: active.map(|(segment, _, _)| (segment, durable_position)),
            // Soon, not with the next append: on a full disk that waits for a segment which only this proof may give back.
            proof_owed_since_ns: active.filter(|_| has_room).map(|_| 0),
            buffers: Ledger::default(),
            sealed_commits: Vec::new(),
            written_commits: Vec::new(),
            durable_commits: Vec::new(),
            stats: JournalStats::default(),
        }
    }

    /// The shard and the data directory that this journal belongs to.
    pub fn owner(&self) -> (ShardId, Uuid) {
        (self.identity.shard, self.identity.directory_id)
    }
    /// The number of this start, durable before it.
    pub fn incarnation(&self) -> Incarnation {
        self.identity.incarnation
    }
    /// Where the open commit will lie.
    pub fn end(&self) -> JournalPosition {
        self.active.map_or(JournalPosition(0), |(segment, _)| self.identity.geometry.position(segment, self.place))
    }
    /// Who writes.
    pub fn identity(&self) -> JournalIdentity {
        self.identity
    }
    /// Counts the buffers of sealed commits as long as anybody holds a slice of them.
    pub fn buffers(&self) -> &Ledger {
        &self.buffers
    }
    /// Bytes of a segment.
    pub fn segment_bytes(&self) -> u64 {
        self.identity.geometry.segment_bytes()
    }
    /// The three ends, by commit.
    pub fn ends(&self) -> Ends<CommitSequence> {
        self.ends
    }
    /// The segment that takes new commits.
    pub fn active_segment(&self) -> Option<SegmentSequence> {
        self.active.map(|(segment, _)| segment)
    }
    /// Up to which place of a segment all writes have completed.
    pub fn written_upto(&self, segment: SegmentSequence) -> u32 {
        let unwritten = self.sealed.iter().find(|sealed| sealed.writes_left > 0);
        let unwritten = unwritten.map(|sealed| self.identity.geometry.split(sealed.commit.header.position));
        let unsealed = self.closed.front().map(|closed| (closed.segment, closed.place));
        let end = unwritten.or(unsealed).or(self.active.map(|(active, _)| (active, self.place)));
        let ended_at = self.segments.get(segment).and_then(|segment| segment.end_place).unwrap_or(u32::MAX);
        match end {
            Some((end, _)) if segment > end => 0,
            Some((end, place)) if segment == end => place.min(ended_at),
            Some(_) | None => ended_at,
        }
    }
    /// Bytes accepted and not yet durable.
    pub fn undurable_bytes(&self) -> usize {
        self.undurable_bytes
    }
    /// What was written since the start.
    pub fn stats(&self) -> JournalStats {
        self.stats
    }
    /// Largest payload that one commit of this directory's segments takes.
    pub fn payload_bytes_max(&self) -> usize {
        (self.identity.geometry.segment_bytes() as usize / 2).saturating_sub(2 * BLOCK_BYTES)
    }
    /// Everything that was pushed is durable.
    pub fn is_settled(&self) -> bool {
        self.ends.appended == self.ends.durable
    }
    /// Commits sealed since the last call: their bytes serve the tail.
    pub fn take_sealed(&mut self) -> Vec<Rc<SealedCommit>> {
        std::mem::take(&mut self.sealed_commits)
    }
    /// Commits whose writes completed since the last call, in order.
    pub fn take_written(&mut self) -> Vec<Rc<SealedCommit>> {
        std::mem::take(&mut self.written_commits)
    }
    /// Commits that became durable since the last call, in order.
    pub fn take_durable(&mut self) -> Vec<Rc<SealedCommit>> {
        std::mem::take(&mut self.durable_commits)
    }

    /// Whether a payload can be pushed; closes a full commit and begins a new segment where needed.
    pub fn room<I: Io>(&mut self, operations: &mut Operations<I>, wanted: RoomFor, payload_bytes: usize) -> Room {
        if wanted == RoomFor::Records {
            // What is left of the active segment, and all that recovery or deletions find, belongs to the reserve then.
            if self.segments.disk_level() == DiskLevel::Full {
                return Room::DiskFull;
            }
            if self.segments.disk_is_unknown() {
                return Room::Wait;
            }
        }
        if !self.in_checkpoint
            && self.undurable_bytes > 0
            && self.undurable_bytes + payload_bytes > self.undurable_bytes_max
        {
            return Room::Wait;
        }
        let is_full = self.open.as_ref().is_some_and(|open| {
            !open.is_empty()
                && (open.length() + payload_bytes > COMMIT_BYTES_TARGET || open.entry_count() == COMMIT_ENTRIES_MAX)
        });
        if is_full {
            self.close(0);
        }
        if self.active.is_some() && self.fits(operations, wanted, payload_bytes) {
            return Room::Ready;
        }
        assert!(!self.in_checkpoint, "a checkpoint is larger than a segment");
        self.close(0);
        if self.active.is_some() && self.fits(operations, wanted, payload_bytes) {
            return Room::Ready;
        }
        self.roll(operations, wanted)
    }

    /// Whether a payload fits the active segment, with a block left behind it for the watermark that proves the last commits. As long as
    /// there is no next segment at all, the last eighth is for state and deletions, and its second half for deletions alone.
    fn fits<I: Io>(&mut self, operations: &mut Operations<I>, wanted: RoomFor, payload_bytes: usize) -> bool {
        let segment_bytes = self.identity.geometry.segment_bytes();
        let kept = match wanted {
            RoomFor::Records if !self.segments.has_spare() => segment_bytes / 8,
            RoomFor::State if !self.segments.has_spare() => segment_bytes / 16,
            _ => 0,
        };
        self.place_after(operations, payload_bytes) + kept + BLOCK_BYTES as u64 <= segment_bytes
    }

    fn place_after<I: Io>(&mut self, operations: &mut Operations<I>, payload_bytes: usize) -> u64 {
        let open = self.open.get_or_insert_with(|| OpenCommit::new(&mut operations.io));
        u64::from(self.place) + open.sealed_bytes(payload_bytes, 1) as u64
    }

    fn roll<I: Io>(&mut self, operations: &mut Operations<I>, wanted: RoomFor) -> Room {
        let Some((sequence, file)) = self.segments.activate(wanted) else {
            self.segment_wanted = true;
            self.segments.pump(operations, false);
            return if self.segments.refuses(wanted) { Room::DiskFull } else { Room::Wait };
        };
        if let Some((ended, _)) = self.active.replace((sequence, file)) {
            self.segments.get_mut(ended).expect("the active segment is known").end_place = Some(self.place);
        }
        self.place = FIRST_COMMIT_PLACE;
        self.segment_wanted = false;
        self.in_checkpoint = true;
        Room::Rolled
    }

    /// Copies a payload, given in parts, into the open commit. [`Journal::room`] must have said that it fits. Gives the commit and the segment.
    pub fn push<I: Io>(
        &mut self,
        operations: &mut Operations<I>,
        entry: Entry,
        parts: &[&[u8]],
    ) -> (Entry, CommitSequence, SegmentSequence) {
        let (segment, _) = self.active.expect("room was asked for");
        let open = self.open.get_or_insert_with(|| OpenCommit::new(&mut operations.io));
        let entry = open.push(&mut operations.io, entry, parts);
        self.undurable_bytes += entry.length as usize;
        self.ends.appended = self.next_sequence;
        (entry, self.next_sequence, segment)
    }

    /// Ends the checkpoint that [`Room::Rolled`] asked for.
    pub fn end_checkpoint<I: Io>(&mut self, operations: &mut Operations<I>) {
        assert!(self.in_checkpoint, "no checkpoint was begun");
        if self.open.as_ref().is_none_or(OpenCommit::is_empty) {
            self.push(operations, plain_entry(EntryKind::Watermark, LogId(0)), &[]);
        }
        self.close(FLAG_CHECKPOINT_END);
        self.in_checkpoint = false;
    }

    /// Closes the open commit, so that the next push starts another.
    fn close(&mut self, flags: u16) {
        let Some(commit) = self.open.take_if(|open| !open.is_empty()) else {
            return;
        };
        let (segment, _) = self.active.expect("an open commit has a segment");
        let flags = flags | if self.in_checkpoint { FLAG_CHECKPOINT } else { 0 };
        let place = self.place;
        self.place += commit.sealed_bytes(0, 0) as u32;
        self.next_sequence = self.next_sequence.next();
        self.closed.push_back(Closed { commit, place, segment, flags });
    }

    /// Idle: after a moment, a watermark commit proves what is durable, so that later damage there is never taken for an unacked tail.
    fn prove_the_end<I: Io>(&mut self, operations: &mut Operations<I>) {
        let is_due = self
            .proof_owed_since_ns
            .is_some_and(|since| operations.io.monotonic_ns() >= since + WATERMARK_DELAY_MS * 1_000_000);
        if is_due {
            self.push_watermark(operations);
        }
    }

    /// Writes a watermark commit now if the durable end is not proven yet (also at a clean stop). False if there is nothing to prove.
    pub fn push_watermark<I: Io>(&mut self, operations: &mut Operations<I>) -> bool {
        if self.proof_owed_since_ns.take().is_none() || self.active.is_none() {
            return false;
        }
        let fits = self.place_after(operations, 0) <= self.identity.geometry.segment_bytes();
        assert!(fits, "a block is kept for the watermark");
        self.push(operations, plain_entry(EntryKind::Watermark, LogId(0)), &[]);
        self.close(0);
        self.seal_next(operations);
        true
    }
}

/// An entry without a payload's particulars.
pub fn plain_entry(kind: EntryKind, log: LogId) -> Entry {
    Entry {
        kind,
        log,
        base_offset: Offset(0),
        last_offset_delta: 0,
        count: 0,
        leader_epoch: 0,
        max_timestamp: 0,
        place: 0,
        length: 0,
        crc: checksum::crc32c(&[]),
    }
}
