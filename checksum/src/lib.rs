//! CRC-32C (Castagnoli; RFC 3720, appendix B.4): the one checksum of Kafka's record batches, of the journal and of the load generator's payloads.
//!
//! Every byte that comes in, goes to disk or is read behind the tail passes here, so the library behind it is chosen for its speed on memory
//! that no cache holds.

use crc_fast::CrcAlgorithm::Crc32Iscsi;
use crc_fast::Digest;

/// The checksum of some bytes.
#[inline]
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

/// The checksum of a whole whose front has the checksum `crc` and whose rest is `bytes`.
#[inline]
pub fn crc32c_append(crc: u32, bytes: &[u8]) -> u32 {
    // The register is the complement of the checksum.
    let mut digest = Digest::new_with_init_state(Crc32Iscsi, u64::from(!crc));
    digest.update(bytes);
    digest.finalize() as u32
}

/// The checksum of a whole by those of its front and of its rest, which has `rest_bytes`.
pub fn crc32c_combine(front: u32, rest: u32, rest_bytes: usize) -> u32 {
    crc_fast::checksum_combine(Crc32Iscsi, front.into(), rest.into(), rest_bytes as u64) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bit at a time, as it is defined.
    fn defined(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 })
        })
    }

    fn mixed(bytes: usize) -> Vec<u8> {
        let next = |state: &mut u32| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Some((*state >> 24) as u8)
        };
        let mut state = 7;
        std::iter::from_fn(|| next(&mut state)).take(bytes).collect()
    }

    #[test]
    fn it_gives_what_the_standard_says() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(&std::array::from_fn::<u8, 32, _>(|at| at as u8)), 0x46dd_794e);
    }

    #[test]
    fn it_agrees_with_its_definition_at_every_length_and_alignment() {
        let bytes = mixed(3_000);
        for length in (0..700).chain([1_023, 1_024, 1_025, 2_047, 2_900]) {
            for from in [0, 1, 15, 64] {
                let part = &bytes[from..from + length];
                assert_eq!(crc32c(part), defined(part), "{length} bytes from {from} on");
            }
        }
    }

    #[test]
    fn a_whole_is_that_of_its_parts_wherever_it_is_cut() {
        let bytes = mixed(1_500);
        let whole = defined(&bytes);
        for cut in 0..=bytes.len() {
            let (front, rest) = bytes.split_at(cut);
            assert_eq!(crc32c_append(crc32c(front), rest), whole, "cut at {cut}");
            assert_eq!(crc32c_combine(crc32c(front), crc32c(rest), rest.len()), whole, "cut at {cut}");
        }
    }
}
