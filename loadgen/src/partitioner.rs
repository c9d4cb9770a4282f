//! Where a record with a key goes: Kafka's default partitioner, so that equal keys meet in the partition that every other client would choose.

const SEED: u32 = 0x9747_b28c;
const MULTIPLIER: u32 = 0x5bd1_e995;
const SHIFT: u32 = 24;

/// The partition of `key`, out of `partitions`.
pub fn partition_of(key: &[u8], partitions: u32) -> u32 {
    assert!(partitions > 0, "a topic has partitions");
    // Kafka's `toPositive`: a mask, not the absolute value.
    (murmur2(key) & 0x7fff_ffff) % partitions
}

/// The variant of `MurmurHash2` in Kafka's `Utils.murmur2`.
fn murmur2(bytes: &[u8]) -> u32 {
    let mut hash = SEED ^ bytes.len() as u32;
    let (words, rest) = bytes.as_chunks::<4>();
    for word in words {
        let mut word = u32::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        word ^= word >> SHIFT;
        hash = hash.wrapping_mul(MULTIPLIER) ^ word.wrapping_mul(MULTIPLIER);
    }
    if !rest.is_empty() {
        for (place, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * place);
        }
        hash = hash.wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_java_client() {
        // From `UtilsTest.testMurmur2` of Apache Kafka.
        let golden: [(&[u8], i32); 6] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            (b"abc", 479_470_107),
        ];
        for (key, hash) in golden {
            assert_eq!(murmur2(key) as i32, hash, "{}", String::from_utf8_lossy(key));
        }
    }

    #[test]
    fn partitions_are_those_of_the_java_client() {
        // `Utils.toPositive(Utils.murmur2(key)) % partitions`, printed by kafka-clients 4.1.
        let golden: [(&[u8], u32, u32); 7] = [
            (b"0", 0, 3),
            (b"00000000", 3, 5),
            (b"0000000000000001", 2, 1),
            (b"0000000000000042", 3, 6),
            (b"0000000000099999", 1, 2),
            (b"user-7", 0, 2),
            ("\u{e9}t\u{e9}".as_bytes(), 1, 4),
        ];
        for (key, of_4, of_7) in golden {
            assert_eq!((partition_of(key, 4), partition_of(key, 7)), (of_4, of_7), "{}", String::from_utf8_lossy(key));
        }
    }
}
