//! What stands behind a record's check data: bytes with as many bits of information each as the load asks for.
//!
//! Each piece of 128 bytes begins with random bytes and ends with zeros, in the proportion that makes `entropy` bits a byte on average. So
//! every codec, whether it looks for repeats, for frequent bytes or for both, can shrink it to about `entropy / 8` and none below.

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// Random bytes and zeros alternate at this distance: short enough for the smallest records, long enough for a codec to
/// gain from the zeros.
const PIECE_BYTES: usize = 128;

/// Twice what the codecs look back (2 MiB for zstd at its default level), so that no filler is found again.
const POOL_BYTES: usize = 4 * 1024 * 1024;

/// Bits of information in a byte of random filler.
pub const ENTROPY_MAX: f64 = 8.0;

/// Fills `bytes` with `entropy` bits of information a byte, 0 to 8.
pub fn fill(bytes: &mut [u8], entropy: f64, random: &mut impl Rng) {
    let mut owed = 0.0;
    for piece in bytes.chunks_mut(PIECE_BYTES) {
        // What is rounded away here is made up for in the pieces behind.
        owed += piece.len() as f64 * entropy / ENTROPY_MAX;
        let count = (owed.round().max(0.0) as usize).min(piece.len());
        owed -= count as f64;
        let (chance, zeros) = piece.split_at_mut(count);
        random.fill_bytes(chance);
        zeros.fill(0);
    }
}

/// Filler for all producers of a run.
#[derive(Debug)]
pub struct FillerPool {
    bytes: Vec<u8>,
}

impl FillerPool {
    /// A pool that serves values up to `value_bytes_max`.
    pub fn new(value_bytes_max: usize, entropy: f64, seed: u64) -> Self {
        let mut bytes = vec![0; POOL_BYTES.max(value_bytes_max)];
        fill(&mut bytes, entropy, &mut Xoshiro256PlusPlus::seed_from_u64(seed));
        Self { bytes }
    }

    /// `count` bytes from `at` on, which moves behind them; the next ones are others until the pool is used up.
    pub fn take(&self, at: &mut usize, count: usize) -> &[u8] {
        if *at + count > self.bytes.len() {
            *at = 0;
        }
        let taken = &self.bytes[*at..*at + count];
        *at += count;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_random_bytes_is_the_entropy() {
        for entropy in [0.0, 0.1, 1.0, 3.7, 8.0] {
            let mut bytes = vec![1; 1_000_000];
            fill(&mut bytes, entropy, &mut Xoshiro256PlusPlus::seed_from_u64(1));
            // A random byte is itself zero once in 256.
            let random = bytes.iter().filter(|&&byte| byte != 0).count() as f64 / 1e6 * 256.0 / 255.0;
            assert!((random * 8.0 - entropy).abs() < 0.02, "{random} for {entropy}");
        }
    }

    #[test]
    fn every_codec_comes_near_the_ratio_and_none_below() {
        use protocol::compression::compress;
        use protocol::record_batch::Compression;
        let mut bytes = vec![0; 256 * 1024];
        fill(&mut bytes, 2.0, &mut Xoshiro256PlusPlus::seed_from_u64(1));
        for codec in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
            let ratio = bytes.len() as f64 / compress(codec, &bytes).len() as f64;
            assert!((3.0..4.1).contains(&ratio), "{codec:?}: {ratio}");
        }
    }

    #[test]
    fn filler_is_not_repeated_within_reach_of_a_codec() {
        let pool = FillerPool::new(1_000, 8.0, 1);
        let mut at = 0;
        let first = pool.take(&mut at, 1_000)[..16].to_vec();
        let again = (1..10_000).find(|_| pool.take(&mut at, 1_000)[..16] == first).expect("in the end");
        assert!(again * 1_000 > 2 * 1024 * 1024, "after {again} records");
    }
}
