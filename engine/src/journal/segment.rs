//! A segment file: its header block, the names of its slot, and how its bytes are numbered in the journal.

use uuid::Uuid;

use super::field::{array_at, is_zero, u32_at, u64_at};
use crate::limits::{BLOCK_BYTES, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN};
use crate::offset::{CommitSequence, Incarnation, JournalPosition, SegmentSequence, ShardId};

/// Place of the first commit in a segment: behind the header block.
pub const FIRST_COMMIT_PLACE: u32 = BLOCK_BYTES as u32;

const MAGIC: [u8; 8] = *b"PHSEGMT1";
const HEADER_BYTES: usize = 64;

/// The size that all segments of a directory share, and so the numbering of the journal's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentGeometry {
    segment_bytes: u64,
}

impl SegmentGeometry {
    /// None unless `segment_bytes` is a multiple of the block within the limits.
    pub fn new(segment_bytes: u64) -> Option<SegmentGeometry> {
        let fits = (SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&segment_bytes)
            && segment_bytes.is_multiple_of(BLOCK_BYTES as u64);
        fits.then_some(SegmentGeometry { segment_bytes })
    }

    /// Bytes of a segment file.
    pub fn segment_bytes(self) -> u64 {
        self.segment_bytes
    }

    /// The journal position of a place in a segment. The end of a full segment is position 0 of the next one.
    pub fn position(self, segment: SegmentSequence, place: u32) -> JournalPosition {
        JournalPosition(segment.0 * self.segment_bytes + u64::from(place))
    }

    /// As [`SegmentGeometry::position`], or None when it does not fit: for numbers from disk.
    pub fn checked_position(self, segment: SegmentSequence, place: u32) -> Option<JournalPosition> {
        let start = segment.0.checked_mul(self.segment_bytes)?;
        Some(JournalPosition(start.checked_add(u64::from(place))?))
    }

    /// The segment and the place of a journal position.
    pub fn split(self, position: JournalPosition) -> (SegmentSequence, u32) {
        let place = (position.0 % self.segment_bytes) as u32;
        (SegmentSequence(position.0 / self.segment_bytes), place)
    }
}

/// The identity of a segment file, in its first block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentHeader {
    /// The shard whose journal this is.
    pub shard: ShardId,
    /// The data directory.
    pub directory_id: Uuid,
    /// Its number in the journal.
    pub sequence: SegmentSequence,
    /// Bytes of the file.
    pub segment_bytes: u64,
    /// The start of the shard that opened it.
    pub incarnation: Incarnation,
    /// 0 for a segment of the journal; a clustered segment has one that no other of its shard ever had.
    pub generation: u32,
    /// Of a clustered segment: place of the byte after its last commit. 0 for a segment of the journal, which grows.
    pub end_place: u32,
}

/// Sequence of the first commit of a clustered segment. Each has a chain of its own, so that its commits fit no other file.
pub fn clustered_chain(generation: u32) -> CommitSequence {
    CommitSequence(1 << 63 | u64::from(generation) << 31 | 1)
}

/// Whether a commit is one of a clustered segment.
pub fn is_clustered(commit: CommitSequence) -> bool {
    commit.0 >> 63 == 1
}

/// Why a block is not a segment's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SegmentHeaderError {
    /// All zero: the file was never used, or was given back.
    #[error("the header block is zero")]
    Zero,
    /// Something else.
    #[error("the header block is damaged")]
    Damaged,
}

impl SegmentHeader {
    /// Fills the whole header block.
    pub fn encode(&self, into: &mut [u8]) {
        assert_eq!(into.len(), BLOCK_BYTES);
        into.fill(0);
        into[0..8].copy_from_slice(&MAGIC);
        into[12..16].copy_from_slice(&self.shard.0.to_le_bytes());
        into[16..32].copy_from_slice(self.directory_id.as_bytes());
        into[32..40].copy_from_slice(&self.sequence.0.to_le_bytes());
        into[40..48].copy_from_slice(&self.segment_bytes.to_le_bytes());
        into[48..56].copy_from_slice(&self.incarnation.0.to_le_bytes());
        into[56..60].copy_from_slice(&self.generation.to_le_bytes());
        into[60..64].copy_from_slice(&self.end_place.to_le_bytes());
        let crc = checksum::crc32c(&into[12..HEADER_BYTES]);
        into[8..12].copy_from_slice(&crc.to_le_bytes());
    }

    /// Reads a header block.
    pub fn decode(block: &[u8]) -> Result<SegmentHeader, SegmentHeaderError> {
        if is_zero(block) {
            return Err(SegmentHeaderError::Zero);
        }
        let intact = block.len() == BLOCK_BYTES
            && block[0..8] == MAGIC
            && u32_at(block, 8) == checksum::crc32c(&block[12..HEADER_BYTES])
            && u64_at(block, 32) != 0
            && (u32_at(block, 56) == 0) == (u32_at(block, 60) == 0)
            && is_zero(&block[HEADER_BYTES..]);
        if !intact {
            return Err(SegmentHeaderError::Damaged);
        }
        Ok(SegmentHeader {
            shard: ShardId(u32_at(block, 12)),
            directory_id: Uuid::from_bytes(array_at(block, 16)),
            sequence: SegmentSequence(u64_at(block, 32)),
            segment_bytes: u64_at(block, 40),
            incarnation: Incarnation(u64_at(block, 48)),
            generation: u32_at(block, 56),
            end_place: u32_at(block, 60),
        })
    }
}

/// File name of the segment in a slot.
pub fn segment_name(slot: u32) -> String {
    format!("{slot:010}.segment")
}

/// File name of the clustered segment in a slot.
pub fn clustered_name(slot: u32) -> String {
    format!("{slot:010}.clustered")
}

/// The slot of a clustered segment's file name; None for any other file.
pub fn clustered_slot(name: &str) -> Option<u32> {
    let slot = name.strip_suffix(".clustered")?.parse().ok()?;
    (clustered_name(slot) == name).then_some(slot)
}

/// File name of the index of the segment in a slot.
pub fn index_name(slot: u32) -> String {
    format!("{slot:010}.index")
}

/// The slot of a segment's file name; None for any other file.
pub fn segment_slot(name: &str) -> Option<u32> {
    let slot = name.strip_suffix(".segment")?.parse().ok()?;
    (segment_name(slot) == name).then_some(slot)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> SegmentHeader {
        SegmentHeader {
            shard: ShardId(3),
            directory_id: Uuid::from_u128(0x1234_5678),
            sequence: SegmentSequence(9),
            segment_bytes: SEGMENT_BYTES_MIN,
            incarnation: Incarnation(4),
            generation: 6,
            end_place: 8192,
        }
    }

    #[test]
    fn a_header_block_reads_back_and_no_flipped_byte_does() {
        let mut block = vec![0; BLOCK_BYTES];
        header().encode(&mut block);
        assert_eq!(SegmentHeader::decode(&block), Ok(header()));
        for at in 0..BLOCK_BYTES {
            let mut flipped = block.clone();
            flipped[at] ^= 0x40;
            assert_eq!(SegmentHeader::decode(&flipped), Err(SegmentHeaderError::Damaged), "byte {at}");
        }
        assert_eq!(SegmentHeader::decode(&[0; BLOCK_BYTES]), Err(SegmentHeaderError::Zero));
    }

    #[test]
    fn positions_and_places_convert_both_ways() {
        let geometry = SegmentGeometry::new(SEGMENT_BYTES_MIN).expect("within the limits");
        let position = geometry.position(SegmentSequence(7), 8192);
        assert_eq!(position, JournalPosition(7 * SEGMENT_BYTES_MIN + 8192));
        assert_eq!(geometry.split(position), (SegmentSequence(7), 8192));
        assert_eq!(geometry.checked_position(SegmentSequence(u64::MAX), 1), None);
        assert_eq!(SegmentGeometry::new(SEGMENT_BYTES_MIN + 1), None);
        assert_eq!(SegmentGeometry::new(SEGMENT_BYTES_MAX * 2), None);
    }

    #[test]
    fn only_a_slots_own_name_names_it() {
        assert_eq!(segment_slot(&segment_name(1)), Some(1));
        assert_eq!(segment_slot("0000000001.index"), None);
        assert_eq!(segment_slot("1.segment"), None);
        assert_eq!(segment_slot("+000000001.segment"), None);
    }
}
