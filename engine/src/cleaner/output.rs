//! A clustered segment while it is made: commits of the journal's own encoding, in a chain of their own.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::batch::BatchHeader;
use crate::io::Io;
use crate::journal::commit::{CommitHeader, ENTRY_BYTES, Entry, EntryKind};
use crate::journal::commit_buffer::OpenCommit;
use crate::journal::index::{IndexBuilder, Run, SegmentIndex};
use crate::journal::live_segments::{SegmentName, encode_covered};
use crate::journal::segment::{FIRST_COMMIT_PLACE, SegmentHeader, clustered_chain};
use crate::journal::writer::{JournalIdentity, plain_entry};
use crate::ledger::Ledger;
use crate::limits::{BLOCK_BYTES, COMMIT_BYTES_TARGET, COMMIT_ENTRIES_MAX};
use crate::offset::{CommitSequence, JournalPosition, LogId, Offset};

/// The output has no place left in a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooLarge;

/// A clustered segment that grows.
pub struct Output {
    identity: JournalIdentity,
    name: SegmentName,
    open: Option<OpenCommit>,
    next: CommitSequence,
    place: u64,
    builder: IndexBuilder,
    writes: VecDeque<(u64, Bytes)>,
}

impl Output {
    /// An empty one.
    pub fn new(identity: JournalIdentity, name: SegmentName) -> Output {
        Output {
            identity,
            name,
            open: None,
            next: clustered_chain(name.generation),
            place: u64::from(FIRST_COMMIT_PLACE),
            builder: IndexBuilder::default(),
            writes: VecDeque::new(),
        }
    }

    /// Which segment it becomes.
    pub fn name(&self) -> SegmentName {
        self.name
    }
    /// Bytes of the file so far, the open commit included.
    pub fn bytes(&self) -> u64 {
        self.place + self.open.as_ref().map_or(0, |open| open.sealed_bytes(0, 0) as u64)
    }
    /// The next write: its place in the file and its bytes.
    pub fn front(&self) -> Option<&(u64, Bytes)> {
        self.writes.front()
    }
    /// Takes the next write.
    pub fn take_write(&mut self) -> Option<(u64, Bytes)> {
        self.writes.pop_front()
    }

    /// The segment stands for these offsets of a log, whose batches follow.
    pub fn cover(&mut self, io: &mut impl Io, log: LogId, first: Offset, last: Offset) -> Result<(), TooLarge> {
        self.builder.cover(log, first, last);
        let payload = encode_covered(last);
        let entry = plain_entry(EntryKind::Covered, log);
        self.push(io, Entry { base_offset: first, crc: checksum::crc32c(&payload), ..entry }, &payload)
    }

    /// Adds a whole, checked batch.
    pub fn batch(&mut self, io: &mut impl Io, log: LogId, header: &BatchHeader, batch: &[u8]) -> Result<(), TooLarge> {
        let entry = Entry {
            base_offset: Offset(header.base_offset()),
            last_offset_delta: header.last_offset_delta() as u32,
            count: header.record_count() as u32,
            leader_epoch: header.leader_epoch(),
            max_timestamp: header.max_timestamp(),
            crc: header.crc(),
            ..plain_entry(EntryKind::Batch, log)
        };
        self.push(io, entry, batch)
    }

    fn push(&mut self, io: &mut impl Io, entry: Entry, payload: &[u8]) -> Result<(), TooLarge> {
        let is_full = self.open.as_ref().is_some_and(|open| {
            !open.is_empty()
                && (open.length() + payload.len() > COMMIT_BYTES_TARGET || open.entry_count() == COMMIT_ENTRIES_MAX)
        });
        if is_full {
            self.seal(io);
        }
        let open = self.open.get_or_insert_with(|| OpenCommit::new(io));
        if self.place + open.sealed_bytes(payload.len(), 1) as u64 > self.identity.geometry.segment_bytes() {
            return Err(TooLarge);
        }
        open.push(io, entry, &[payload]);
        Ok(())
    }

    fn seal(&mut self, io: &mut impl Io) {
        let Some(open) = self.open.take_if(|open| !open.is_empty()) else {
            return;
        };
        let place = self.place as u32;
        let header = CommitHeader {
            flags: 0,
            shard: self.identity.shard,
            entry_count: 0,
            segment: self.name.sequence,
            position: self.identity.geometry.position(self.name.sequence, place),
            incarnation: self.identity.incarnation,
            sequence: self.next,
            term: 0,
            durable_upto: JournalPosition(0),
            length: 0,
            table_place: 0,
            directory_id: self.identity.directory_id,
        };
        // No reader ever sees these buffers: the cleaner counts them itself.
        let commit = open.seal(io, header, &Ledger::default());
        for entry in commit.entries.iter().filter(|entry| entry.kind == EntryKind::Batch) {
            self.builder.add(entry.log, Run::of_batch(entry, place));
        }
        self.writes.extend(commit.writes().map(|(at, data)| (u64::from(place) + at as u64, data.clone())));
        self.place += u64::from(commit.header.length);
        self.next = self.next.next();
    }

    /// Ends it: the last commit, and the header block, which says where the commits end.
    pub fn finish(&mut self, io: &mut impl Io) {
        self.seal(io);
        let JournalIdentity { shard, directory_id, incarnation, geometry } = self.identity;
        let mut block = io.buffer(BLOCK_BYTES);
        SegmentHeader {
            shard,
            directory_id,
            sequence: self.name.sequence,
            segment_bytes: geometry.segment_bytes(),
            incarnation,
            generation: self.name.generation,
            end_place: self.place as u32,
        }
        .encode(&mut block[..BLOCK_BYTES]);
        self.writes.push_back((0, block.into_bytes().slice(..BLOCK_BYTES)));
    }

    /// The index of what was ended.
    pub fn index(&self) -> SegmentIndex {
        self.builder.build(self.name.sequence, clustered_chain(self.name.generation), self.place as u32)
    }

    /// Most bytes that this many bytes of batches in this many entries can take, commits and covered ranges included.
    pub fn bytes_max(batch_bytes: u64, entries: u64, logs: u64) -> u64 {
        let payload = batch_bytes + entries * ENTRY_BYTES as u64 + logs * (ENTRY_BYTES as u64 + 8);
        let commits = payload / (COMMIT_BYTES_TARGET as u64 / 2) + entries / COMMIT_ENTRIES_MAX as u64 + 1;
        (payload + (commits + 1) * 2 * BLOCK_BYTES as u64).next_multiple_of(BLOCK_BYTES as u64)
    }
}
