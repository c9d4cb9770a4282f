//! What a stamp adds to a checksum that covers it. CRC-32C is linear: each byte of the stamp adds what one look-up
//! tells, however long the bytes behind it are, and neighbours in a batch have nearly all of it in common.

use super::{INTENDED_AT, SEQUENCE_AT, STAMP_BYTES, Stamp};

/// Where a stamp's fields begin, behind its own checksum.
const FIELDS_AT: usize = 4;
/// Bytes of these fields.
const FIELDS_BYTES: usize = STAMP_BYTES - FIELDS_AT;

/// Sequence numbers that differ in their two lowest bytes only.
pub(crate) const LOW_SEQUENCES: u64 = 1 << 16;
/// Intended times that differ in their three lowest bytes only: 17 ms.
pub(crate) const LOW_INTENDED: u64 = 1 << 24;

const SEQUENCE: usize = SEQUENCE_AT - FIELDS_AT;
const INTENDED: usize = INTENDED_AT - FIELDS_AT;

/// A table for each byte of a stamp's fields: what the byte adds, by its value.
#[derive(Debug, Clone)]
pub struct StampTables {
    tables: Box<[[u32; 256]; FIELDS_BYTES]>,
}

impl StampTables {
    /// `added` tells what fields add where all were 0 before. It must be linear, as every difference of CRCs is.
    pub fn new(added: impl Fn(&[u8; FIELDS_BYTES]) -> u32) -> Self {
        let tables = vec![[0; 256]; FIELDS_BYTES].into_boxed_slice();
        let mut tables: Box<[[u32; 256]; FIELDS_BYTES]> = tables.try_into().expect("as many as were made");
        for (at, table) in tables.iter_mut().enumerate() {
            for value in 1..256_usize {
                let lowest_bit = value & value.wrapping_neg();
                table[value] = if value == lowest_bit {
                    let mut fields = [0; FIELDS_BYTES];
                    fields[at] = value as u8;
                    added(&fields)
                } else {
                    table[value ^ lowest_bit] ^ table[lowest_bit]
                };
            }
        }
        Self { tables }
    }

    /// What everything adds but sequence and time.
    pub fn identity(&self, stamp: &Stamp) -> u32 {
        self.sum(0, &stamp.encode()[FIELDS_AT..SEQUENCE_AT])
    }

    /// What a sequence number adds.
    pub fn sequence(&self, sequence: u64) -> u32 {
        self.sum(SEQUENCE, &sequence.to_le_bytes())
    }

    /// The same without its two lowest bytes: 65,536 neighbours have it in common.
    pub fn sequence_high(&self, sequence: u64) -> u32 {
        self.sum(SEQUENCE + 2, &sequence.to_le_bytes()[2..])
    }

    /// The same of these two bytes alone.
    #[inline]
    pub fn sequence_low(&self, sequence: u64) -> u32 {
        let [low, high, ..] = sequence.to_le_bytes();
        self.tables[SEQUENCE][usize::from(low)] ^ self.tables[SEQUENCE + 1][usize::from(high)]
    }

    /// What an intended time adds.
    pub fn intended(&self, intended_ns: u64) -> u32 {
        self.sum(INTENDED, &intended_ns.to_le_bytes())
    }

    /// The same without its three lowest bytes.
    pub fn intended_high(&self, intended_ns: u64) -> u32 {
        self.sum(INTENDED + 3, &intended_ns.to_le_bytes()[3..])
    }

    /// The same of these three bytes alone.
    #[inline]
    pub fn intended_low(&self, intended_ns: u64) -> u32 {
        self.sum(INTENDED, &intended_ns.to_le_bytes()[..3])
    }

    #[inline]
    fn sum(&self, from: usize, bytes: &[u8]) -> u32 {
        self.tables[from..].iter().zip(bytes).fold(0, |sum, (table, &byte)| sum ^ table[usize::from(byte)])
    }
}

/// What `bytes` add to the CRC-32C of anything that had zeros in their place and `behind` bytes after them.
pub(crate) fn crc_added(bytes: &[u8], behind: usize) -> u32 {
    const ZEROS: [u8; STAMP_BYTES] = [0; STAMP_BYTES];
    // The initial value and the final complement are in both and cancel out.
    checksum::crc32c_combine(checksum::crc32c(bytes) ^ checksum::crc32c(&ZEROS[..bytes.len()]), 0, behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_to_the_checksum_of_the_whole() {
        for (behind, sequence) in [(0, 0), (1, 255), (68, 65_535), (968, 65_536), (50_000, u64::MAX)] {
            let stamp = Stamp { run: 0xdead_beef, producer: 3, partition: 77, sequence, intended_ns: 0x0123_4567_89ab };
            let tables = StampTables::new(|fields| crc_added(fields, behind));
            let low = tables.sequence_low(sequence);
            assert_eq!(tables.sequence(sequence), tables.sequence_high(sequence) ^ low);
            let (intended, low) = (stamp.intended_ns, tables.intended_low(stamp.intended_ns));
            assert_eq!(tables.intended(intended), tables.intended_high(intended) ^ low);
            let added = tables.identity(&stamp) ^ tables.sequence(sequence) ^ tables.intended(stamp.intended_ns);
            let rest = vec![0x5a; behind];
            let blank = checksum::crc32c(&[&[0; FIELDS_BYTES], rest.as_slice()].concat());
            let whole = checksum::crc32c(&[&stamp.encode()[FIELDS_AT..], &rest].concat());
            assert_eq!(blank ^ added, whole, "{behind} bytes behind");
        }
    }
}
