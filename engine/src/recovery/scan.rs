//! Reads a segment front to back in bounded steps, and says of a place whether the next commit of the journal stands there.

use std::cell::Cell;
use std::path::Path;

use uuid::Uuid;

use super::cases::Case;
use super::slots::{SegmentSlot, Slot};
use crate::data_directory::{DataDirectory, OpenError};
use crate::io::{FileId, Io};
use crate::journal::commit::{CommitError, CommitHeader, Entry, HEADER_BYTES, check_payloads, decode_entries};
use crate::journal::field::{array_at, is_zero};
use crate::journal::segment::SegmentGeometry;
use crate::limits::{BLOCK_BYTES, DISK_READ_BYTES_MAX};
use crate::offset::{CommitSequence, Incarnation, ShardId};

pub(super) const READ_BYTES_FIRST: usize = 16 << 10;

/// The journal that is recovered.
#[derive(Clone, Debug)]
pub(super) struct Journal {
    pub shard: ShardId,
    pub directory_id: Uuid,
    pub geometry: SegmentGeometry,
    /// The highest incarnation that the superblock allows.
    pub incarnation_max: Incarnation,
    /// Bytes of segments that were read.
    pub scanned_bytes: Cell<u64>,
}

impl Journal {
    pub fn of(directory: &DataDirectory, shard: ShardId, incarnation_max: Incarnation) -> Journal {
        Journal {
            shard,
            directory_id: directory.id,
            geometry: directory.geometry,
            incarnation_max,
            scanned_bytes: Cell::new(0),
        }
    }
}

/// What the next commit must continue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Chain {
    /// Its sequence; None: any, where the replay begins.
    pub next: Option<CommitSequence>,
    /// Its least incarnation.
    pub incarnation: Incarnation,
}

/// What stands at a place instead of the next commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Miss {
    /// The segment ends.
    Full,
    /// Zeros.
    Zero,
    /// Nothing of this segment: its file's earlier life.
    Other,
    /// A commit of this segment that is not whole; what length it claims.
    Torn(u32),
    /// The next commit, with whole header and table, but a payload is not what was written; its length.
    Payload(u32),
    /// A whole commit of this segment that does not continue the chain.
    Stale,
}

/// What stands at a place.
pub(super) enum Step<'a> {
    /// The next commit, with its bytes.
    Commit(CommitHeader, Vec<Entry>, &'a [u8]),
    /// Something else.
    Miss(Miss),
}

/// A segment's file, read through a window that holds at most a commit and one read.
pub(super) struct SegmentReader<'a> {
    journal: &'a Journal,
    path: &'a Path,
    file: FileId,
    file_bytes: u64,
    window: Vec<u8>,
    window_place: usize,
    /// Grows, so that a look at one header does not cost a large read.
    read_bytes: usize,
}

impl<'a> SegmentReader<'a> {
    pub fn new(journal: &'a Journal, slot: &'a Slot) -> SegmentReader<'a> {
        SegmentReader {
            journal,
            path: &slot.path,
            file: slot.file,
            file_bytes: slot.bytes,
            window: Vec::new(),
            window_place: 0,
            read_bytes: READ_BYTES_FIRST,
        }
    }

    /// Judges whether the next commit of the journal stands at `place` of `segment`. Damage that no crash can make is an error.
    pub fn step(
        &mut self,
        io: &mut impl Io,
        chain: Chain,
        segment: &SegmentSlot,
        place: u32,
    ) -> Result<Step<'_>, OpenError> {
        if u64::from(place) + BLOCK_BYTES as u64 > self.file_bytes {
            return Ok(Step::Miss(Miss::Full));
        }
        let header = match self.probe(io, place)? {
            Probe::Header(header) if segment.owns(&header) => header,
            Probe::Torn(header) if segment.owns(&header) => {
                return Ok(Step::Miss(Miss::Torn(header.length)));
            }
            Probe::Nothing if is_zero(self.bytes(io, place, BLOCK_BYTES)?) => {
                return Ok(Step::Miss(Miss::Zero));
            }
            _ => return Ok(Step::Miss(Miss::Other)),
        };
        if header.incarnation < chain.incarnation || chain.next.is_some_and(|next| header.sequence != next) {
            return Ok(Step::Miss(Miss::Stale));
        }
        let path = self.path;
        let commit = self.bytes(io, place, header.length as usize)?;
        let table = &commit[header.table_place as usize..header.table_end()];
        // The CRC over header and table was right, so no torn write explains an impossible table.
        let entries =
            decode_entries(&header, table).map_err(|error| malformed(path, place, &header, &error.to_string()))?;
        if !is_zero(&commit[header.table_end()..]) {
            return Ok(Step::Miss(Miss::Torn(header.length)));
        }
        let whole = check_payloads(commit, &entries).is_ok();
        if whole { Ok(Step::Commit(header, entries, commit)) } else { Ok(Step::Miss(Miss::Payload(header.length))) }
    }

    /// The commit header at `place`, of whatever life of the file, if its CRC is right and it stands where it says.
    pub fn header_at(&mut self, io: &mut impl Io, place: u32) -> Result<Option<CommitHeader>, OpenError> {
        if u64::from(place) + BLOCK_BYTES as u64 > self.file_bytes {
            return Ok(None);
        }
        match self.probe(io, place)? {
            Probe::Header(header) => Ok(Some(header)),
            Probe::Torn(_) | Probe::Nothing => Ok(None),
        }
    }

    /// The bytes of a commit whose header stands at `place`.
    pub fn commit(&mut self, io: &mut impl Io, place: u32, header: &CommitHeader) -> Result<&[u8], OpenError> {
        self.bytes(io, place, header.length as usize)
    }

    fn probe(&mut self, io: &mut impl Io, place: u32) -> Result<Probe, OpenError> {
        let journal = self.journal;
        let Ok(header) = CommitHeader::decode_prefix(self.bytes(io, place, HEADER_BYTES)?) else {
            return Ok(Probe::Nothing);
        };
        let stands_here = header.shard == journal.shard
            && header.directory_id == journal.directory_id
            && journal.geometry.checked_position(header.segment, place) == Some(header.position)
            && u64::from(place) + u64::from(header.length) <= self.file_bytes;
        if !stands_here {
            return Ok(Probe::Nothing);
        }
        let bytes = self.bytes(io, place, header.table_end())?;
        let verified: Result<(), CommitError> =
            header.verify(&array_at(bytes, 0), &bytes[header.table_place as usize..]);
        if verified.is_err() {
            return Ok(Probe::Torn(header));
        }
        if header.incarnation > journal.incarnation_max {
            let detail = format!(
                "commit {} is of start {}, the superblock knows up to {}",
                header.sequence.0, header.incarnation.0, journal.incarnation_max.0
            );
            return Err(damaged(Case::IncarnationAhead, self.path, place, detail));
        }
        Ok(Probe::Header(header))
    }

    /// `length` bytes from the block-aligned `place` on; within the segment.
    fn bytes(&mut self, io: &mut impl Io, place: u32, length: usize) -> Result<&[u8], OpenError> {
        let (place, end) = (place as usize, place as usize + length);
        let window_end = self.window_place + self.window.len();
        if place < self.window_place || place > window_end {
            self.window.clear();
            self.window_place = place;
        } else if end > window_end {
            self.window.drain(..place - self.window_place);
            self.window_place = place;
        }
        let file_bytes = self.file_bytes as usize;
        assert!(end <= file_bytes, "read beyond the segment");
        while self.window_place + self.window.len() < end {
            let at = self.window_place + self.window.len();
            let step = self.read_bytes.min(file_bytes - at);
            self.read_bytes = (self.read_bytes * 2).min(DISK_READ_BYTES_MAX);
            let read =
                io.read_at(self.file, at as u64, step).map_err(|error| OpenError::of_io("read", self.path, error))?;
            self.window.extend_from_slice(&read[..step]);
            self.journal.scanned_bytes.set(self.journal.scanned_bytes.get() + step as u64);
        }
        Ok(&self.window[place - self.window_place..end - self.window_place])
    }
}

enum Probe {
    /// A header with a right CRC that stands where it says.
    Header(CommitHeader),
    /// A header that stands where it says, but it or its table is not what was written.
    Torn(CommitHeader),
    Nothing,
}

/// Where damage is, for a message.
pub(super) fn damaged(case: Case, path: &Path, place: u32, detail: String) -> OpenError {
    OpenError::Damaged { case, place: format!("{} byte {place}", path.display()), detail }
}

/// A commit that is what was written, but was never written by this engine.
pub(super) fn malformed(path: &Path, place: u32, header: &CommitHeader, what: &str) -> OpenError {
    let detail = format!("commit {}: {what}", header.sequence.0);
    damaged(Case::CommitMalformed, path, place, detail)
}
