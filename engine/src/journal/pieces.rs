//! Bytes of a segment that lie in several buffers: a run may cross the border of two extents.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;

use crate::limits::EXTENT_BYTES;

/// Stretches of one segment that were read, by extent: the place of the first byte, and the bytes.
pub type Stretches = BTreeMap<u32, (u32, Bytes)>;

/// Neighbouring bytes, in order.
#[derive(Debug)]
pub struct Pieces {
    pieces: Vec<Bytes>,
    length: usize,
}

impl Pieces {
    /// The bytes of a segment from `place` on; None where they were not read.
    pub fn of(stretches: &Stretches, place: u32, length: u32) -> Option<Pieces> {
        let mut pieces = Vec::with_capacity(1);
        let (mut at, end) = (place, place.checked_add(length)?);
        while at < end {
            let number = at / EXTENT_BYTES as u32;
            let (from, bytes) = stretches.get(&number)?;
            let border = (u64::from(number + 1) * EXTENT_BYTES as u64).min(u64::from(end)) as u32;
            let range = at.checked_sub(*from)? as usize..border.checked_sub(*from)? as usize;
            if range.end > bytes.len() {
                return None;
            }
            pieces.push(bytes.slice(range));
            at = border;
        }
        Some(Pieces { pieces, length: length as usize })
    }

    /// Bytes of all pieces.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Nothing at all.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Copies a few bytes out; None if there are not as many.
    pub fn array<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        let mut array = [0; N];
        if at.checked_add(N)? > self.length {
            return None;
        }
        let mut filled = 0;
        for part in self.parts(at..at + N) {
            array[filled..filled + part.len()].copy_from_slice(&part);
            filled += part.len();
        }
        Some(array)
    }

    /// CRC-32C of a range.
    pub fn crc(&self, range: Range<usize>) -> u32 {
        self.parts(range).fold(checksum::crc32c(&[]), |crc, part| checksum::crc32c_append(crc, &part))
    }

    /// The range as slices, never copied.
    pub fn parts(&self, range: Range<usize>) -> impl Iterator<Item = Bytes> + '_ {
        let mut start = 0;
        self.pieces.iter().filter_map(move |piece| {
            let (from, to) = (range.start.max(start), range.end.min(start + piece.len()));
            let part = (from < to).then(|| piece.slice(from - start..to - start));
            start += piece.len();
            part
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_over_a_border_reads_as_one() {
        let border = EXTENT_BYTES as u32;
        let bytes: Vec<u8> = (0..200).collect();
        let stretches = Stretches::from([
            (0, (border - 100, Bytes::copy_from_slice(&bytes[..100]))),
            (1, (border, Bytes::copy_from_slice(&bytes[100..]))),
        ]);
        let pieces = Pieces::of(&stretches, border - 90, 180).expect("was read");
        assert_eq!(pieces.array::<20>(80), bytes[90..110].try_into().ok());
        assert_eq!(pieces.crc(5..175), checksum::crc32c(&bytes[15..185]));
        assert_eq!(pieces.parts(0..180).collect::<Vec<_>>().concat(), bytes[10..190]);
        assert!(pieces.array::<20>(170).is_none());
        assert!(Pieces::of(&stretches, border - 101, 10).is_none(), "before what was read");
        assert!(Pieces::of(&stretches, border, 101).is_none(), "behind what was read");
    }
}
