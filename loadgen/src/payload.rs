//! What a record carries so that its reader can convict the broker: who sent it, where, as which number, when, and a
//! CRC-32C of everything behind the CRC.
//!
//! ```text
//! 0 crc32c u32 | 4 run u32 | 8 producer u32 | 12 partition u32 | 16 sequence u64 | 24 intended_ns u64 | 32 filler
//! ```
//! Little-endian. `sequence` counts from 0 within (producer, partition). `intended_ns` is the run's monotonic clock.

mod stamp_tables;

pub use stamp_tables::StampTables;
pub(crate) use stamp_tables::{LOW_INTENDED, LOW_SEQUENCES, crc_added};

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::filler;

/// Bytes before the filler; the smallest record.
pub const STAMP_BYTES: usize = 32;

/// Where sequence and intended time stand; what is before them stays the same in a batch.
pub(crate) const SEQUENCE_AT: usize = 16;
pub(crate) const INTENDED_AT: usize = 24;

/// Fillers are drawn from a pool of about this size: enough to defeat a constant-page shortcut, small enough for L2.
const POOL_BYTES: usize = 256 * 1024;

/// The identity of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Which run wrote it.
    pub run: u32,
    /// Index of the producer.
    pub producer: u32,
    /// The partition it was sent to.
    pub partition: u32,
    /// Its number within (producer, partition).
    pub sequence: u64,
    /// When it ought to have been sent.
    pub intended_ns: u64,
}

impl Stamp {
    /// Reads and checks a record's value; `None` means that bytes changed on the way.
    pub fn verify(value: &[u8]) -> Option<Self> {
        let (stored, rest) = value.split_first_chunk::<4>()?;
        if checksum::crc32c(rest) != u32::from_le_bytes(*stored) {
            return None;
        }
        Self::read(value)
    }

    /// Reads a record's value as it is; `None` when it is too short for a stamp.
    pub fn read(value: &[u8]) -> Option<Self> {
        let rest = value.get(4..)?;
        Some(Self {
            run: u32::from_le_bytes(field(rest, 0)?),
            producer: u32::from_le_bytes(field(rest, 4)?),
            partition: u32::from_le_bytes(field(rest, 8)?),
            sequence: u64::from_le_bytes(field(rest, 12)?),
            intended_ns: u64::from_le_bytes(field(rest, 20)?),
        })
    }

    /// Writes it over the first [`STAMP_BYTES`] of a value whose filler is in place.
    pub fn write(&self, value: &mut [u8]) {
        value[..STAMP_BYTES].copy_from_slice(&self.encode());
        let crc = checksum::crc32c(&value[4..]);
        value[..4].copy_from_slice(&crc.to_le_bytes());
    }

    /// All fields but the checksum.
    pub(crate) fn encode(&self) -> [u8; STAMP_BYTES] {
        let mut bytes = [0; STAMP_BYTES];
        bytes[4..8].copy_from_slice(&self.run.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.producer.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.partition.to_le_bytes());
        bytes[SEQUENCE_AT..INTENDED_AT].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[INTENDED_AT..].copy_from_slice(&self.intended_ns.to_le_bytes());
        bytes
    }
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// Makes values of one size; what the filler adds to the checksum is computed once, not for each record.
#[derive(Debug)]
pub struct PayloadWriter {
    /// Values with their filler in place.
    pool: Vec<Vec<u8>>,
    /// Their checksums under a stamp of zeros.
    blank_crcs: Vec<u32>,
    tables: StampTables,
    /// The run, producer and partition of the last stamp, and what they add to the checksum.
    identity: ((u32, u32, u32), u32),
}

impl PayloadWriter {
    /// Values of `value_bytes` with random fillers drawn from `seed`.
    pub fn new(value_bytes: usize, seed: u64) -> Self {
        Self::with_entropy(value_bytes, filler::ENTROPY_MAX, seed)
    }

    /// The same with fillers of `entropy` bits a byte.
    pub fn with_entropy(value_bytes: usize, entropy: f64, seed: u64) -> Self {
        assert!(value_bytes >= STAMP_BYTES, "the workload bounds the record size");
        // A power of two, so that a filler is found by a mask.
        let count = 1 << (POOL_BYTES / value_bytes).clamp(1, 64).ilog2();
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut pool = vec![vec![0; value_bytes]; count];
        for value in &mut pool {
            filler::fill(&mut value[STAMP_BYTES..], entropy, &mut random);
        }
        let blank_crcs = pool.iter().map(|value| checksum::crc32c(&value[4..])).collect();
        let tables = StampTables::new(|fields| crc_added(fields, value_bytes - STAMP_BYTES));
        Self { pool, blank_crcs, tables, identity: ((0, 0, 0), 0) }
    }

    /// Size of each value.
    pub fn value_bytes(&self) -> usize {
        self.pool[0].len()
    }

    /// The value of one record; it lives until the next call.
    pub fn value(&mut self, stamp: &Stamp) -> &[u8] {
        let slot = stamp.sequence as usize & (self.pool.len() - 1);
        let identity = (stamp.run, stamp.producer, stamp.partition);
        if self.identity.0 != identity {
            self.identity = (identity, self.tables.identity(stamp));
        }
        let added = self.identity.1 ^ self.tables.sequence(stamp.sequence) ^ self.tables.intended(stamp.intended_ns);
        let mut head = stamp.encode();
        head[..4].copy_from_slice(&(self.blank_crcs[slot] ^ added).to_le_bytes());
        let value = &mut self.pool[slot];
        value[..STAMP_BYTES].copy_from_slice(&head);
        value
    }

    /// The values as they are under a stamp of zeros, in order.
    pub(crate) fn into_blanks(self) -> Vec<Vec<u8>> {
        let Self { mut pool, blank_crcs, .. } = self;
        for (value, crc) in pool.iter_mut().zip(blank_crcs) {
            value[..4].copy_from_slice(&crc.to_le_bytes());
            value[4..STAMP_BYTES].fill(0);
        }
        pool
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp { run: 7, producer: 3, partition: 2, sequence: 1_000_000_007, intended_ns: 42 };

    fn value(bytes: usize) -> Vec<u8> {
        PayloadWriter::new(bytes, 1).value(&STAMP).to_vec()
    }

    #[test]
    fn values_of_every_size_carry_their_stamp() {
        for bytes in [STAMP_BYTES, STAMP_BYTES + 1, 100, 1_000, 300_000] {
            let value = value(bytes);
            assert_eq!(value.len(), bytes);
            assert_eq!(Stamp::verify(&value), Some(STAMP), "{bytes} bytes");
            let mut written = [vec![9; STAMP_BYTES], value[STAMP_BYTES..].to_vec()].concat();
            STAMP.write(&mut written);
            assert_eq!(written, value, "both ways are one format");
        }
    }

    #[test]
    fn any_flipped_bit_and_any_cut_is_seen() {
        let whole = value(100);
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Stamp::verify(&flipped), None, "bit {bit}");
        }
        for length in 0..whole.len() {
            assert_eq!(Stamp::verify(&whole[..length]), None, "cut to {length}");
        }
    }
}
