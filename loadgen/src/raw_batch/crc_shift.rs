//! A CRC-32C moved over bytes behind it, by table: moving is linear, so each of its bytes moves alone.

/// Moves a CRC over bytes behind it: `crc(a || b) = moved(crc(a)) ^ crc(b)`.
#[derive(Debug)]
pub(super) struct CrcShift {
    tables: [[u32; 256]; 4],
}

impl CrcShift {
    /// Over so many bytes.
    pub(super) fn over(bytes: usize) -> Self {
        let mut tables = [[0; 256]; 4];
        for (byte, table) in tables.iter_mut().enumerate() {
            for value in 1..256_usize {
                let lowest_bit = value & value.wrapping_neg();
                table[value] = if value == lowest_bit {
                    checksum::crc32c_combine((value as u32) << (8 * byte), 0, bytes)
                } else {
                    table[value ^ lowest_bit] ^ table[lowest_bit]
                };
            }
        }
        Self { tables }
    }

    /// The CRC moved.
    #[inline]
    pub(super) fn apply(&self, crc: u32) -> u32 {
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

    #[test]
    fn a_moved_crc_and_that_of_the_rest_make_that_of_the_whole() {
        for bytes in [1, 109, 1_009, 70_000] {
            let (front, rest) = (b"what stands in front", vec![0xa5; bytes]);
            let whole = checksum::crc32c(&[front.as_slice(), &rest].concat());
            assert_eq!(CrcShift::over(bytes).apply(checksum::crc32c(front)) ^ checksum::crc32c(&rest), whole);
        }
    }
}
