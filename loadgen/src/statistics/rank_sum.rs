//! How often chance alone gives each rank sum: the distribution that the verdict and the interval rest on.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::Serialize;

/// Up to so many values on both sides together every split is counted. There are at most 1.8e18 splits of 64 values, which a `u64` holds,
/// and the table of counts takes about 1 MiB.
pub const POOLED_EXACT_MAX: usize = 64;

/// Splits drawn where there are too many to count.
const SAMPLED_SPLITS: u32 = 20_000;
const SEED: u64 = 0x5EED_0F5F_1175;

/// How a probability was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// All splits of the values were counted.
    Exact,
    /// So many splits were drawn from a fixed seed; the split that was seen counts as one more.
    Sampled {
        /// Splits drawn.
        splits: u32,
    },
}

/// The rank sums of one side over all splits of the pooled values, if every split is equally likely. Ranks are doubled, so that the
/// half ranks of ties are whole numbers.
pub(super) struct RankSums {
    /// Splits with this doubled rank sum or a smaller one.
    up_to: Vec<u64>,
    method: Method,
}

impl RankSums {
    /// Of a side with `size` of the values with these doubled ranks.
    pub(super) fn new(doubled_ranks: &[u32], size: usize) -> Self {
        assert!(size <= doubled_ranks.len(), "a side is part of the pool");
        let (counts, method) = if doubled_ranks.len() <= POOLED_EXACT_MAX {
            (count_splits(doubled_ranks, size), Method::Exact)
        } else {
            (draw_splits(doubled_ranks, size), Method::Sampled { splits: SAMPLED_SPLITS })
        };
        let up_to = counts
            .iter()
            .scan(0_u64, |sum, count| {
                *sum += count;
                Some(*sum)
            })
            .collect();
        Self { up_to, method }
    }

    /// Without ties: the ranks 1 to `a` + `b`, of which a side holds `a`.
    pub(super) fn untied(a: usize, b: usize) -> Self {
        let doubled_ranks: Vec<u32> = (1..=(a + b) as u32).map(|rank| 2 * rank).collect();
        Self::new(&doubled_ranks, a)
    }

    pub(super) fn method(&self) -> Method {
        self.method
    }

    /// Chance of this doubled rank sum or a smaller one.
    pub(super) fn lower_tail(&self, doubled_sum: u64) -> f64 {
        self.share(self.splits_up_to(doubled_sum))
    }

    /// Chance of this doubled rank sum or a larger one.
    pub(super) fn upper_tail(&self, doubled_sum: u64) -> f64 {
        let below = doubled_sum.checked_sub(1).map_or(0, |sum| self.splits_up_to(sum));
        self.share(self.splits() - below)
    }

    fn splits(&self) -> u64 {
        self.up_to.last().copied().unwrap_or(0)
    }

    fn splits_up_to(&self, doubled_sum: u64) -> u64 {
        let last = self.up_to.len() - 1;
        self.up_to[usize::try_from(doubled_sum).map_or(last, |sum| sum.min(last))]
    }

    fn share(&self, splits: u64) -> f64 {
        match self.method {
            Method::Exact => splits as f64 / self.splits() as f64,
            Method::Sampled { .. } => (splits + 1) as f64 / (self.splits() + 1) as f64,
        }
    }
}

/// For each doubled rank sum the number of ways to choose `size` ranks. Each rank is taken or left; `ways[k][s]` are the ways to
/// have taken `k` of those seen so far with the sum `s`.
fn count_splits(doubled_ranks: &[u32], size: usize) -> Vec<u64> {
    let sum_max: usize = doubled_ranks.iter().map(|rank| *rank as usize).sum();
    let mut ways = vec![vec![0_u64; sum_max + 1]; size + 1];
    ways[0][0] = 1;
    for (seen, rank) in doubled_ranks.iter().enumerate() {
        for taken in (1..=size.min(seen + 1)).rev() {
            let (fewer, more) = ways.split_at_mut(taken);
            let (without, with) = (&fewer[taken - 1], &mut more[0][*rank as usize..]);
            with.iter_mut().zip(without).for_each(|(with, without)| *with += without);
        }
    }
    ways.swap_remove(size)
}

/// The same for a sample of the splits.
fn draw_splits(doubled_ranks: &[u32], size: usize) -> Vec<u64> {
    let sum_max: usize = doubled_ranks.iter().map(|rank| *rank as usize).sum();
    let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let mut ranks = doubled_ranks.to_vec();
    let mut counts = vec![0_u64; sum_max + 1];
    for _ in 0..SAMPLED_SPLITS {
        let (side, _) = ranks.partial_shuffle(&mut random, size);
        counts[side.iter().map(|rank| *rank as usize).sum::<usize>()] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_those_of_trying_every_split() {
        let doubled_ranks = [2, 5, 5, 9, 9, 9, 14, 16];
        for size in 0..=doubled_ranks.len() {
            let mut tried = vec![0_u64; doubled_ranks.iter().sum::<u32>() as usize + 1];
            for split in 0_u32..1 << doubled_ranks.len() {
                if split.count_ones() as usize == size {
                    let taken = (0..doubled_ranks.len()).filter(|index| split >> index & 1 == 1);
                    tried[taken.map(|index| doubled_ranks[index] as usize).sum::<usize>()] += 1;
                }
            }
            assert_eq!(count_splits(&doubled_ranks, size), tried);
        }
    }

    #[test]
    fn largest_pool_is_counted_without_overflow() {
        let sums = RankSums::untied(32, 32);
        assert_eq!(sums.method(), Method::Exact);
        assert_eq!(sums.splits(), 1_832_624_140_942_590_534, "64 over 32");
    }

    #[test]
    fn drawn_splits_agree_with_counted_ones() {
        let doubled_ranks: Vec<u32> = (1..=40).map(|rank| 2 * rank).collect();
        let exact = RankSums::new(&doubled_ranks, 20);
        let counts = draw_splits(&doubled_ranks, 20);
        for sum in [700, 760, 820] {
            let drawn = counts[..=sum].iter().sum::<u64>() as f64 / f64::from(SAMPLED_SPLITS);
            assert!((drawn - exact.lower_tail(sum as u64)).abs() < 0.012, "{drawn} at {sum}");
        }
    }
}
