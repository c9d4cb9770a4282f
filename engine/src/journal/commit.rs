//! One commit on disk: header (96 bytes) | payloads | entry table | zero padding to 4,096 (see FORMAT.md).
//!
//! One function owns each encoding, and decode rejects what encode cannot make: payloads follow the header and each other
//! without gaps, the table follows them, and the padding is shorter than a block and zero.

use uuid::Uuid;

pub use super::commit_error::CommitError;
pub use super::entry_kind::EntryKind;
use super::field::{array_at, i32_at, i64_at, is_zero, u16_at, u32_at, u64_at};
use crate::batch::{BatchHeader, crc_is_valid};
use crate::limits::{BLOCK_BYTES, COMMIT_BYTES_MAX, COMMIT_ENTRIES_MAX};
use crate::offset::{CommitSequence, Incarnation, JournalPosition, LogId, Offset, SegmentSequence, ShardId};

/// Bytes of a commit's header.
pub const HEADER_BYTES: usize = 96;
/// Bytes of an entry in a commit's table.
pub const ENTRY_BYTES: usize = 64;
/// Flag: the commit is part of its segment's checkpoint.
pub const FLAG_CHECKPOINT: u16 = 1;
/// Flag: the commit is the last one of its segment's checkpoint.
pub const FLAG_CHECKPOINT_END: u16 = 2;

const MAGIC: [u8; 8] = *b"PHCOMIT1";
/// Versions that are read; the newest is written. Version 1 has no entry of the kinds from 9 on, nor of kind 7, version 2 none of kind 12.
const VERSIONS: std::ops::RangeInclusive<u16> = 1..=3;
/// What the header CRC leaves out: the magic and the CRC itself.
const CRC_COVERS_FROM: usize = 12;

/// What a commit says of itself and of its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CommitHeader {
    /// [`FLAG_CHECKPOINT`], [`FLAG_CHECKPOINT_END`].
    pub flags: u16,
    /// The shard whose journal this is.
    pub shard: ShardId,
    /// Entries in the table.
    pub entry_count: u32,
    /// The segment that holds the commit.
    pub segment: SegmentSequence,
    /// Where the commit begins.
    pub position: JournalPosition,
    /// The start of the shard that wrote it.
    pub incarnation: Incarnation,
    /// Its number in the journal.
    pub sequence: CommitSequence,
    /// 0 until there is a cluster.
    pub term: u64,
    /// End of the last commit that was known to be on stable storage, with all before it, when this one was sealed.
    pub durable_upto: JournalPosition,
    /// Bytes of the whole commit, padding included.
    pub length: u32,
    /// Place of the entry table, from the start of the commit.
    pub table_place: u32,
    /// The data directory.
    pub directory_id: Uuid,
}

/// One row of a commit's table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// What it stands for.
    pub kind: EntryKind,
    /// The log it belongs to.
    pub log: LogId,
    /// Of a batch its base offset; for other kinds see FORMAT.md.
    pub base_offset: Offset,
    /// Last offset minus base offset.
    pub last_offset_delta: u32,
    /// Records of a batch.
    pub count: u32,
    /// Leader epoch.
    pub leader_epoch: i32,
    /// Newest record of a batch, ms.
    pub max_timestamp: i64,
    /// Place of the payload from the start of the commit: where the one before it ends, the first behind the header.
    pub place: u32,
    /// Bytes of the payload; 0 when there is none.
    pub length: u32,
    /// A batch's own CRC, or CRC-32C of any other payload (0 when there is none).
    pub crc: u32,
}

impl CommitHeader {
    /// Bytes of a commit whose payloads end at `table_place` and that has `entry_count` entries.
    pub fn commit_bytes(table_place: usize, entry_count: usize) -> usize {
        (table_place + entry_count * ENTRY_BYTES).next_multiple_of(BLOCK_BYTES)
    }

    /// Writes the header, with the CRC over it and over `table`, the encoded entries.
    ///
    /// # Panics
    /// When the header contradicts the table: the writer counted wrong.
    pub fn encode(&self, table: &[u8], into: &mut [u8; HEADER_BYTES]) {
        assert_eq!(table.len(), self.entry_count as usize * ENTRY_BYTES);
        assert_eq!(self.check_bounds(), Ok(()), "commit header {self:?}");
        into[0..8].copy_from_slice(&MAGIC);
        into[12..14].copy_from_slice(&VERSIONS.end().to_le_bytes());
        into[14..16].copy_from_slice(&self.flags.to_le_bytes());
        into[16..20].copy_from_slice(&self.shard.0.to_le_bytes());
        into[20..24].copy_from_slice(&self.entry_count.to_le_bytes());
        into[24..32].copy_from_slice(&self.segment.0.to_le_bytes());
        into[32..40].copy_from_slice(&self.position.0.to_le_bytes());
        into[40..48].copy_from_slice(&self.incarnation.0.to_le_bytes());
        into[48..56].copy_from_slice(&self.sequence.0.to_le_bytes());
        into[56..64].copy_from_slice(&self.term.to_le_bytes());
        into[64..72].copy_from_slice(&self.durable_upto.0.to_le_bytes());
        into[72..76].copy_from_slice(&self.length.to_le_bytes());
        into[76..80].copy_from_slice(&self.table_place.to_le_bytes());
        into[80..96].copy_from_slice(self.directory_id.as_bytes());
        let crc = header_crc(into, table);
        into[8..12].copy_from_slice(&crc.to_le_bytes());
    }

    /// Reads a header and checks magic, version, flags and bounds, but no CRC: the caller does not hold the table yet.
    pub fn decode_prefix(bytes: &[u8]) -> Result<CommitHeader, CommitError> {
        if bytes.len() < HEADER_BYTES {
            return Err(CommitError::Short);
        }
        if bytes[0..8] != MAGIC {
            return Err(CommitError::Magic);
        }
        if !VERSIONS.contains(&u16_at(bytes, 12)) {
            return Err(CommitError::Version);
        }
        let header = CommitHeader {
            flags: u16_at(bytes, 14),
            shard: ShardId(u32_at(bytes, 16)),
            entry_count: u32_at(bytes, 20),
            segment: SegmentSequence(u64_at(bytes, 24)),
            position: JournalPosition(u64_at(bytes, 32)),
            incarnation: Incarnation(u64_at(bytes, 40)),
            sequence: CommitSequence(u64_at(bytes, 48)),
            term: u64_at(bytes, 56),
            durable_upto: JournalPosition(u64_at(bytes, 64)),
            length: u32_at(bytes, 72),
            table_place: u32_at(bytes, 76),
            directory_id: Uuid::from_bytes(array_at(bytes, 80)),
        };
        header.check_bounds()?;
        Ok(header)
    }

    /// Checks the CRC over the header's bytes and the table's bytes. This alone makes the header's fields trustworthy.
    pub fn verify(&self, header: &[u8; HEADER_BYTES], table: &[u8]) -> Result<(), CommitError> {
        if table.len() != self.entry_count as usize * ENTRY_BYTES {
            return Err(CommitError::Bounds);
        }
        if u32_at(header, 8) == header_crc(header, table) { Ok(()) } else { Err(CommitError::HeaderCrc) }
    }

    /// Place of the byte after the table, from the start of the commit.
    pub fn table_end(&self) -> usize {
        self.table_place as usize + self.entry_count as usize * ENTRY_BYTES
    }

    /// Position of the byte after the commit.
    pub fn end(&self) -> JournalPosition {
        JournalPosition(self.position.0 + u64::from(self.length))
    }

    fn check_bounds(&self) -> Result<(), CommitError> {
        let checkpoint = self.flags & FLAG_CHECKPOINT != 0;
        if self.flags & !(FLAG_CHECKPOINT | FLAG_CHECKPOINT_END) != 0
            || (self.flags & FLAG_CHECKPOINT_END != 0 && !checkpoint)
        {
            return Err(CommitError::Flags);
        }
        let table_place = self.table_place as usize;
        let entry_count = self.entry_count as usize;
        let length = self.length as usize;
        if entry_count > COMMIT_ENTRIES_MAX
            || length > COMMIT_BYTES_MAX
            || !(HEADER_BYTES..=COMMIT_BYTES_MAX).contains(&table_place)
            || length != CommitHeader::commit_bytes(table_place, entry_count)
            || self.sequence.0 == 0
            || self.segment.0 == 0
            || self.durable_upto > self.position
            || self.position.0.checked_add(u64::from(self.length)).is_none()
        {
            return Err(CommitError::Bounds);
        }
        Ok(())
    }
}

/// Reads a whole commit (`bytes` may go on behind it) and checks everything that it says of itself. Whether it stands in
/// the right place of the right journal is the caller's question.
pub fn decode(bytes: &[u8]) -> Result<(CommitHeader, Vec<Entry>), CommitError> {
    let header = CommitHeader::decode_prefix(bytes)?;
    let Some(commit) = bytes.get(..header.length as usize) else {
        return Err(CommitError::Short);
    };
    let table = &commit[header.table_place as usize..header.table_end()];
    header.verify(&array_at(commit, 0), table)?;
    let entries = decode_entries(&header, table)?;
    check_payloads(commit, &entries)?;
    if !is_zero(&commit[header.table_end()..]) {
        return Err(CommitError::Padding);
    }
    Ok((header, entries))
}

/// Reads the table of a commit: every entry possible, payloads back to back from the header to the table.
pub fn decode_entries(header: &CommitHeader, table: &[u8]) -> Result<Vec<Entry>, CommitError> {
    if table.len() != header.entry_count as usize * ENTRY_BYTES {
        return Err(CommitError::Bounds);
    }
    let mut entries = Vec::with_capacity(header.entry_count as usize);
    let mut payload_end = HEADER_BYTES;
    for row in table.chunks_exact(ENTRY_BYTES) {
        let entry = Entry::decode(row)?;
        // An entry without a payload has the place where one would be.
        if entry.place as usize != payload_end {
            return Err(CommitError::Place);
        }
        payload_end += entry.length as usize;
        if payload_end > header.table_place as usize {
            return Err(CommitError::Place);
        }
        entries.push(entry);
    }
    if payload_end == header.table_place as usize { Ok(entries) } else { Err(CommitError::Place) }
}

/// Checks that every payload of a commit is what its entry says.
pub fn check_payloads(commit: &[u8], entries: &[Entry]) -> Result<(), CommitError> {
    entries.iter().try_for_each(|entry| check_payload(commit, entry))
}

/// Checks that a payload is what its entry says.
pub fn check_payload(commit: &[u8], entry: &Entry) -> Result<(), CommitError> {
    let payload = entry.payload(commit).ok_or(CommitError::Place)?;
    match entry.kind {
        EntryKind::Batch => check_batch(entry, payload),
        _ if checksum::crc32c(payload) != entry.crc => Err(CommitError::PayloadCrc),
        _ => Ok(()),
    }
}

/// Appends the table of a commit.
///
/// # Panics
/// When an entry is impossible: the writer made it.
pub fn encode_entries(entries: &[Entry], into: &mut Vec<u8>) {
    into.reserve(entries.len() * ENTRY_BYTES);
    for entry in entries {
        entry.encode(into);
    }
}

impl Entry {
    /// The entry's payload inside its commit; empty for a kind that carries none, None when it lies outside.
    pub fn payload<'a>(&self, commit: &'a [u8]) -> Option<&'a [u8]> {
        let start = self.place as usize;
        commit.get(start..start.checked_add(self.length as usize)?)
    }

    /// Offset of the last record of a batch.
    pub fn last_offset(&self) -> Offset {
        self.base_offset.plus(i64::from(self.last_offset_delta))
    }

    fn encode(&self, into: &mut Vec<u8>) {
        assert_eq!(self.check(), Ok(()), "entry {self:?}");
        let start = into.len();
        into.extend_from_slice(&[self.kind as u8, 0, 0, 0]);
        into.extend_from_slice(&self.count.to_le_bytes());
        into.extend_from_slice(&self.log.0.to_le_bytes());
        into.extend_from_slice(&self.base_offset.0.to_le_bytes());
        into.extend_from_slice(&self.last_offset_delta.to_le_bytes());
        into.extend_from_slice(&self.leader_epoch.to_le_bytes());
        into.extend_from_slice(&self.max_timestamp.to_le_bytes());
        into.extend_from_slice(&self.place.to_le_bytes());
        into.extend_from_slice(&self.length.to_le_bytes());
        into.extend_from_slice(&self.crc.to_le_bytes());
        into.resize(start + ENTRY_BYTES, 0);
    }

    fn decode(row: &[u8]) -> Result<Entry, CommitError> {
        let entry = Entry {
            kind: EntryKind::decode(row[0]).ok_or(CommitError::Kind)?,
            count: u32_at(row, 4),
            log: LogId(u64_at(row, 8)),
            base_offset: Offset(i64_at(row, 16)),
            last_offset_delta: u32_at(row, 24),
            leader_epoch: i32_at(row, 28),
            max_timestamp: i64_at(row, 32),
            place: u32_at(row, 40),
            length: u32_at(row, 44),
            crc: u32_at(row, 48),
        };
        if !is_zero(&row[1..4]) || !is_zero(&row[52..]) {
            return Err(CommitError::Entry);
        }
        entry.check()?;
        Ok(entry)
    }

    fn check(&self) -> Result<(), CommitError> {
        let payload_fits = match self.kind.payload_bytes_min() {
            Some(bytes_min) => self.length as usize >= bytes_min,
            None => self.length == 0 && self.crc == 0,
        };
        let last_offset = self.base_offset.0.checked_add(i64::from(self.last_offset_delta));
        // One more than the last offset is the log's next offset: it must exist as well.
        let offsets_fit = self.base_offset.0 >= 0 && last_offset.is_some_and(|last| last < i64::MAX);
        let delta_fits = i32::try_from(self.last_offset_delta).is_ok();
        if payload_fits && offsets_fit && delta_fits { Ok(()) } else { Err(CommitError::Entry) }
    }
}

fn header_crc(header: &[u8; HEADER_BYTES], table: &[u8]) -> u32 {
    checksum::crc32c_append(checksum::crc32c(&header[CRC_COVERS_FROM..]), table)
}

/// Bytes 0..21 of a batch are not under its own CRC: they are compared with the entry, which is under the header's.
fn check_batch(entry: &Entry, batch: &[u8]) -> Result<(), CommitError> {
    let header = BatchHeader::parse(batch).ok_or(CommitError::BatchHeader)?;
    let agrees = header.total_bytes() == Some(batch.len())
        && header.base_offset() == entry.base_offset.0
        && header.leader_epoch() == entry.leader_epoch
        && header.crc() == entry.crc;
    if !agrees {
        return Err(CommitError::BatchHeader);
    }
    if !crc_is_valid(batch, &header) {
        return Err(CommitError::PayloadCrc);
    }
    // Under the CRC, so these differ only if the writer made the entry from something else.
    if header.last_offset_delta() as u32 == entry.last_offset_delta && header.record_count() as u32 == entry.count {
        Ok(())
    } else {
        Err(CommitError::BatchHeader)
    }
}

#[cfg(test)]
#[path = "commit_tests.rs"]
mod tests;
