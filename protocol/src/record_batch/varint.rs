//! Zigzag variable-length integers of records: at most 5 bytes for 32 bits, 10 for 64.

/// Largest encoding of a 64-bit value.
pub(super) const VARLONG_BYTES_MAX: usize = 10;

/// Bytes that `value` takes.
pub(super) fn encoded_bytes(value: i64) -> usize {
    let bits = 64 - (zigzag(value) | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// Writes `value` at `at` and returns the position behind it.
pub(super) fn write(into: &mut [u8], mut at: usize, value: i64) -> usize {
    let mut rest = zigzag(value);
    while rest >= 0x80 {
        into[at] = rest as u8 | 0x80;
        rest >>= 7;
        at += 1;
    }
    into[at] = rest as u8;
    at + 1
}

/// Takes a 64-bit value off the front of `bytes`; `None` when it is cut off or too long.
pub(super) fn take_long(bytes: &mut &[u8]) -> Option<i64> {
    // Nearly all lengths and deltas are one byte.
    let (&first, rest) = bytes.split_first()?;
    if first < 0x80 {
        *bytes = rest;
        return Some(unzigzag(u64::from(first)));
    }
    let mut value = u64::from(first & 0x7f);
    for (index, &byte) in rest.iter().enumerate().take(VARLONG_BYTES_MAX - 1) {
        let shift = 7 * (index as u32 + 1);
        let part = u64::from(byte & 0x7f);
        if shift == 63 && part > 1 {
            return None;
        }
        value |= part << shift;
        if byte < 0x80 {
            *bytes = &rest[index + 1..];
            return Some(unzigzag(value));
        }
    }
    None
}

/// Takes a 32-bit value off the front of `bytes`.
pub(super) fn take_int(bytes: &mut &[u8]) -> Option<i32> {
    i32::try_from(take_long(bytes)?).ok()
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}
