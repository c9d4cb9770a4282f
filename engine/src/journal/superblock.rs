//! The incarnation of a shard, in two slots that are written alternately: a torn write damages at most the newer one.

use std::io;
use std::path::Path;

use uuid::Uuid;

use super::field::{array_at, is_zero, u32_at, u64_at};
use crate::io::{FileId, Io};
use crate::limits::BLOCK_BYTES;
use crate::offset::{Incarnation, SegmentSequence, ShardId};

/// Its file name in the shard's folder.
pub const SUPERBLOCK_NAME: &str = "superblock";

const MAGIC: [u8; 8] = *b"PHSUPER1";
const SLOT_FIELDS_BYTES: usize = 64;
const FILE_BYTES: u64 = 2 * BLOCK_BYTES as u64;

/// What a slot says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Superblock {
    /// The shard.
    pub shard: ShardId,
    /// The data directory.
    pub directory_id: Uuid,
    /// The newest start of the shard.
    pub incarnation: Incarnation,
    /// Lowest segment that may hold live data: a hint.
    pub lowest_segment: SegmentSequence,
}

/// An open superblock file.
#[derive(Clone, Copy, Debug)]
pub struct SuperblockFile {
    file: FileId,
    newest: Superblock,
    other_is_damaged: bool,
}

/// Why a superblock cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SuperblockError {
    /// The disk refused.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Neither slot is intact, or the file has another size.
    #[error("both superblock slots are damaged")]
    Damaged,
    /// An intact slot of another shard or directory.
    #[error("the superblock belongs to another shard or directory")]
    Foreign,
}

impl SuperblockFile {
    /// Makes the file of a new shard, with both slots valid, on stable storage.
    pub fn create(io: &mut impl Io, path: &Path, shard: ShardId, directory_id: Uuid) -> io::Result<()> {
        // What an unfinished creation of the directory left holds nothing yet.
        io.remove_file(path)?;
        let file = io.create_file(path, FILE_BYTES)?;
        let mut both = io.buffer(FILE_BYTES as usize);
        both.fill(0);
        for (incarnation, slot) in both.chunks_exact_mut(BLOCK_BYTES).take(2).enumerate() {
            Superblock {
                shard,
                directory_id,
                incarnation: Incarnation(incarnation as u64),
                lowest_segment: SegmentSequence(1),
            }
            .encode(slot);
        }
        io.write_at(file, 0, &both, FILE_BYTES as usize)?;
        io.sync_data(file)?;
        io.close(file);
        Ok(())
    }

    /// Opens the file and takes the valid slot with the higher incarnation.
    pub fn read(
        io: &mut impl Io,
        path: &Path,
        shard: ShardId,
        directory_id: Uuid,
    ) -> Result<SuperblockFile, SuperblockError> {
        let (file, bytes) = io.open_file(path)?;
        if bytes != FILE_BYTES {
            return Err(SuperblockError::Damaged);
        }
        let both = io.read_at(file, 0, FILE_BYTES as usize)?;
        let slots = [0, 1].map(|slot| {
            let block = &both[slot * BLOCK_BYTES..(slot + 1) * BLOCK_BYTES];
            Superblock::decode(block).filter(|found| found.incarnation.0 % 2 == slot as u64)
        });
        let newest =
            slots.into_iter().flatten().max_by_key(|found| found.incarnation).ok_or(SuperblockError::Damaged)?;
        if newest.shard != shard || newest.directory_id != directory_id {
            return Err(SuperblockError::Foreign);
        }
        let other_is_damaged = slots.contains(&None);
        Ok(SuperblockFile { file, newest, other_is_damaged })
    }

    /// The newest valid slot.
    pub fn newest(&self) -> &Superblock {
        &self.newest
    }

    /// One slot is unreadable: its write was torn, or it was damaged later.
    pub fn other_is_damaged(&self) -> bool {
        self.other_is_damaged
    }

    /// The highest incarnation that the journal can hold: a damaged slot may have held the one after the other slot's.
    pub fn incarnation_max(&self) -> Incarnation {
        Incarnation(self.newest.incarnation.0 + u64::from(self.other_is_damaged))
    }

    /// Writes a higher incarnation into the other slot and flushes it. The journal must not accept an append before.
    pub fn raise(&mut self, io: &mut impl Io, lowest_segment: SegmentSequence) -> io::Result<Incarnation> {
        // Beyond a damaged slot's lost incarnation, and still into that slot: the intact one is never overwritten first.
        let step = if self.other_is_damaged { 3 } else { 1 };
        let next =
            Superblock { incarnation: Incarnation(self.newest.incarnation.0 + step), lowest_segment, ..self.newest };
        let mut block = io.buffer(BLOCK_BYTES);
        next.encode(&mut block[..BLOCK_BYTES]);
        let position = next.incarnation.0 % 2 * BLOCK_BYTES as u64;
        io.write_at(self.file, position, &block, BLOCK_BYTES)?;
        io.sync_data(self.file)?;
        self.newest = next;
        self.other_is_damaged = false;
        Ok(next.incarnation)
    }

    /// Gives the file back.
    pub fn close(self, io: &mut impl Io) {
        io.close(self.file);
    }
}

impl Superblock {
    fn encode(&self, into: &mut [u8]) {
        into.fill(0);
        into[0..8].copy_from_slice(&MAGIC);
        into[12..16].copy_from_slice(&self.shard.0.to_le_bytes());
        into[16..32].copy_from_slice(self.directory_id.as_bytes());
        into[32..40].copy_from_slice(&self.incarnation.0.to_le_bytes());
        into[40..48].copy_from_slice(&self.lowest_segment.0.to_le_bytes());
        let crc = checksum::crc32c(&into[12..SLOT_FIELDS_BYTES]);
        into[8..12].copy_from_slice(&crc.to_le_bytes());
    }

    fn decode(block: &[u8]) -> Option<Superblock> {
        let intact = block[0..8] == MAGIC
            && u32_at(block, 8) == checksum::crc32c(&block[12..SLOT_FIELDS_BYTES])
            && is_zero(&block[48..]);
        let incarnation = u64_at(block, 32);
        // A higher number cannot come from counting starts.
        if !intact || incarnation > u64::MAX / 2 {
            return None;
        }
        Some(Superblock {
            shard: ShardId(u32_at(block, 12)),
            directory_id: Uuid::from_bytes(array_at(block, 16)),
            incarnation: Incarnation(incarnation),
            lowest_segment: SegmentSequence(u64_at(block, 40)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_reads_back_and_no_flipped_byte_does() {
        let superblock = Superblock {
            shard: ShardId(2),
            directory_id: Uuid::from_u128(77),
            incarnation: Incarnation(5),
            lowest_segment: SegmentSequence(3),
        };
        let mut block = vec![0; BLOCK_BYTES];
        superblock.encode(&mut block);
        assert_eq!(Superblock::decode(&block), Some(superblock));
        for at in 0..BLOCK_BYTES {
            let mut flipped = block.clone();
            flipped[at] ^= 2;
            assert_eq!(Superblock::decode(&flipped), None, "byte {at}");
        }
        assert_eq!(Superblock::decode(&[0; BLOCK_BYTES]), None);
    }
}
