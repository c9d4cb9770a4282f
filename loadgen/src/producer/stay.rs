//! How long records without keys stay with one partition, and which is next: the rule of the Java client's built-in partitioner (KIP-794).
//!
//! Its weighing of partitions by their queues is left out: it acts only where some brokers are slower than others.

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// The time with one partition.
#[derive(Debug)]
pub(super) struct Stay {
    bytes: usize,
    random: Xoshiro256PlusPlus,
}

impl Stay {
    /// Of one producer. Another stream than those of its schedule and its records.
    pub(super) fn new(seed: u64, producer: u32) -> Self {
        Self { bytes: 0, random: Xoshiro256PlusPlus::seed_from_u64(seed ^ ((u64::from(producer) << 32) | 0x57a9)) }
    }

    /// So many bytes have gone to the partition.
    pub(super) fn note(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    /// Whether the stay ends, now that no batch of the partition takes more.
    pub(super) fn is_over(&self, batch_bytes: usize) -> bool {
        self.bytes >= batch_bytes
    }

    /// Begins the next one, with a partition that may be the same.
    pub(super) fn next(&mut self, partitions: usize) -> usize {
        self.bytes = 0;
        self.random.random_range(0..partitions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_batch_below_the_batch_size_does_not_end_the_stay_and_a_second_one_does() {
        let mut stay = Stay::new(1, 0);
        stay.note(16_200);
        assert!(!stay.is_over(16_384));
        stay.note(16_200);
        assert!(stay.is_over(16_384));
        stay.next(4);
        assert!(!stay.is_over(16_384), "the next stay begins with nothing");
    }

    #[test]
    fn stays_are_spread_evenly_and_alike_for_one_seed() {
        let drawn = |seed| {
            let mut stay = Stay::new(seed, 3);
            (0..4_000).map(|_| stay.next(4)).collect::<Vec<_>>()
        };
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
        for partition in 0..4 {
            let share = drawn(7).iter().filter(|&&one| one == partition).count();
            assert!((900..1_100).contains(&share), "partition {partition} was drawn {share} times of 4000");
        }
    }
}
