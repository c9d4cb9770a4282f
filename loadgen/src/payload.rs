//! What a record carries so that its reader can convict the broker: who sent it, where, as which number, when, and a
//! CRC-32C of everything behind the CRC.
//!
//! ```text
//! 0 crc32c u32 | 4 run u32 | 8 producer u32 | 12 partition u32 | 16 sequence u64 | 24 intended_ns u64 | 32 filler
//! ```
//! Little-endian. `sequence` counts from 0 within (producer, partition). `intended_ns` is the run's monotonic clock.

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::filler;

/// Bytes before the filler; the smallest record.
pub const STAMP_BYTES: usize = 32;

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
        if rest.len() < STAMP_BYTES - 4 || crc32c::crc32c(rest) != u32::from_le_bytes(*stored) {
            return None;
        }
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
        let crc = crc32c::crc32c(&value[4..]);
        value[..4].copy_from_slice(&crc.to_le_bytes());
    }

    fn encode(&self) -> [u8; STAMP_BYTES] {
        let mut bytes = [0; STAMP_BYTES];
        bytes[4..8].copy_from_slice(&self.run.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.producer.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.partition.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.intended_ns.to_le_bytes());
        bytes
    }
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// Makes values of one size; the filler's share of the CRC is computed once for each filler, not for each record.
#[derive(Debug)]
pub struct PayloadWriter {
    /// Values with their filler in place, and the filler's CRC.
    pool: Vec<(Vec<u8>, u32)>,
    shift: Box<CrcShift>,
}

impl PayloadWriter {
    /// Values of `value_bytes` with random fillers drawn from `seed`.
    pub fn new(value_bytes: usize, seed: u64) -> Self {
        Self::with_entropy(value_bytes, filler::ENTROPY_MAX, seed)
    }

    /// The same with fillers of `entropy` bits a byte.
    pub fn with_entropy(value_bytes: usize, entropy: f64, seed: u64) -> Self {
        assert!(value_bytes >= STAMP_BYTES, "the workload bounds the record size");
        let count = (POOL_BYTES / value_bytes).clamp(1, 64);
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let pool = (0..count)
            .map(|_| {
                let mut value = vec![0; value_bytes];
                filler::fill(&mut value[STAMP_BYTES..], entropy, &mut random);
                let filler_crc = crc32c::crc32c(&value[STAMP_BYTES..]);
                (value, filler_crc)
            })
            .collect();
        Self { pool, shift: Box::new(CrcShift::over(value_bytes - STAMP_BYTES)) }
    }

    /// The value of one record; it lives until the next call.
    pub fn value(&mut self, stamp: &Stamp) -> &[u8] {
        let slot = stamp.sequence as usize % self.pool.len();
        let (value, filler_crc) = &mut self.pool[slot];
        let mut head = stamp.encode();
        let crc = self.shift.apply(crc32c::crc32c(&head[4..])) ^ *filler_crc;
        head[..4].copy_from_slice(&crc.to_le_bytes());
        value[..STAMP_BYTES].copy_from_slice(&head);
        value
    }
}

/// `crc(a || b) = shift(crc(a)) ^ crc(b)`; the shift is linear, so four tables of 256 serve every `a`.
#[derive(Debug)]
struct CrcShift {
    tables: [[u32; 256]; 4],
}

impl CrcShift {
    fn over(bytes: usize) -> Self {
        let mut tables = [[0; 256]; 4];
        for (byte, table) in tables.iter_mut().enumerate() {
            for (value, entry) in table.iter_mut().enumerate() {
                *entry = crc32c::crc32c_combine((value as u32) << (8 * byte), 0, bytes);
            }
        }
        Self { tables }
    }

    fn apply(&self, crc: u32) -> u32 {
        let [a, b, c, d] = crc.to_le_bytes();
        self.tables[0][usize::from(a)]
            ^ self.tables[1][usize::from(b)]
            ^ self.tables[2][usize::from(c)]
            ^ self.tables[3][usize::from(d)]
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
