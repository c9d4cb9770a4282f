//! Whether two sides differ, by ranks alone.

use serde::Serialize;

use super::rank_sum::{Method, RankSums};

/// The outcome of the two-sided Mann-Whitney test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MannWhitney {
    /// Pairs in which the value of `b` is the larger, ties counting half.
    pub u: f64,
    /// Chance of such an outcome, or one further out, if both sides are alike: twice the smaller tail, at most 1. It holds with ties,
    /// where the distribution is lopsided and a distance from its mean would favour one side.
    pub p: f64,
    /// How the chance was found.
    pub method: Method,
}

/// Compares `b` with `a`; absent when a side has no values.
pub fn mann_whitney(a: &[f64], b: &[f64]) -> Option<MannWhitney> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let ranks = doubled_ranks(a, b);
    let of_b: u64 = ranks[a.len()..].iter().map(|rank| u64::from(*rank)).sum();
    let sums = RankSums::new(&ranks, b.len());
    let p = (2.0 * sums.lower_tail(of_b).min(sums.upper_tail(of_b))).min(1.0);
    let least = (b.len() * (b.len() + 1)) as f64 / 2.0;
    Some(MannWhitney { u: of_b as f64 / 2.0 - least, p, method: sums.method() })
}

/// The smallest p that so many runs can give: that of sides without overlap.
pub fn smallest_p(a: usize, b: usize) -> f64 {
    (0..a.min(b)).fold(2.0, |p, step| p * (step + 1) as f64 / (a + b - step) as f64).min(1.0)
}

/// Twice the rank of each value in the pool, `a` first. Equal values share the mean of their ranks.
fn doubled_ranks(a: &[f64], b: &[f64]) -> Vec<u32> {
    let pool: Vec<f64> = a.iter().chain(b).copied().collect();
    let mut order: Vec<usize> = (0..pool.len()).collect();
    order.sort_by(|&left, &right| pool[left].total_cmp(&pool[right]));
    let mut ranks = vec![0; pool.len()];
    let mut start = 0;
    for group in order.chunk_by(|&left, &right| pool[left].total_cmp(&pool[right]).is_eq()) {
        // Ranks start + 1 to start + length: twice their mean is the sum of the first and the last.
        let doubled = (2 * start + group.len() + 1) as u32;
        for &index in group {
            ranks[index] = doubled;
        }
        start += group.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The largest U, of both tails, at which the test rejects; from the table of Mann and Whitney as text books print it.
    const CRITICAL_AT_5_PERCENT: [(usize, usize, usize); 14] = [
        (4, 4, 0),
        (3, 5, 0),
        (5, 5, 2),
        (3, 8, 2),
        (6, 6, 5),
        (5, 8, 6),
        (7, 7, 8),
        (8, 8, 13),
        (9, 9, 17),
        (10, 10, 23),
        (12, 12, 37),
        (10, 20, 55),
        (15, 15, 64),
        (20, 20, 127),
    ];
    const CRITICAL_AT_1_PERCENT: [(usize, usize, usize); 5] =
        [(5, 5, 0), (8, 8, 7), (10, 10, 16), (15, 15, 51), (20, 20, 105)];

    /// Two-sided p of a U without ties.
    fn p_of_u(a: usize, b: usize, u: usize) -> f64 {
        let least = b * (b + 1) / 2;
        2.0 * RankSums::untied(b, a).lower_tail(2 * (least + u) as u64)
    }

    #[test]
    fn critical_values_are_those_of_the_published_tables() {
        for (level, table) in [(0.05, &CRITICAL_AT_5_PERCENT[..]), (0.01, &CRITICAL_AT_1_PERCENT[..])] {
            for &(a, b, u) in table {
                assert!(p_of_u(a, b, u) <= level, "{a} v {b}: U = {u} is significant at {level}");
                assert!(p_of_u(a, b, u + 1) > level, "{a} v {b}: U = {} is not", u + 1);
            }
        }
    }

    #[test]
    fn sides_without_overlap_give_the_smallest_p_that_their_sizes_can() {
        for (size, published) in [(3, 0.10), (4, 0.0286), (5, 0.0079)] {
            let low: Vec<f64> = (0..size).map(|value| value as f64).collect();
            let high: Vec<f64> = low.iter().map(|value| value + 100.0).collect();
            let test = mann_whitney(&low, &high).expect("values");
            assert!((test.p - published).abs() < 5e-5, "{size} v {size}: {}", test.p);
            assert!((test.p - smallest_p(size, size)).abs() < 1e-12);
            assert!((test.u - (size * size) as f64).abs() < 1e-12);
            assert!((mann_whitney(&high, &low).expect("values").p - test.p).abs() < 1e-12);
        }
        assert!((smallest_p(5, 1) - 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn p_is_that_of_r_for_a_published_experiment() {
        // Hollander and Wolfe, permeability of the chorioamnion; wilcox.test(x, y) gives W = 35, p = 0.2544.
        let x = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
        let y = [1.15, 0.88, 0.90, 0.74, 1.21];
        let test = mann_whitney(&y, &x).expect("values");
        assert!((test.u - 35.0).abs() < 1e-12 && (test.p - 0.254_412_254).abs() < 1e-8, "{test:?}");
    }

    #[test]
    fn sides_that_are_all_ties_do_not_differ() {
        assert!((mann_whitney(&[7.0; 5], &[7.0; 4]).expect("values").p - 1.0).abs() < 1e-12);
        assert_eq!(mann_whitney(&[], &[1.0]), None);
    }

    #[test]
    fn beyond_the_bound_splits_are_drawn_and_the_result_says_so() {
        let low: Vec<f64> = (0..40).map(f64::from).collect();
        let high: Vec<f64> = (20..60).map(f64::from).collect();
        let test = mann_whitney(&low, &high).expect("values");
        assert_eq!(test.method, Method::Sampled { splits: 20_000 });
        assert!(test.p < 1e-3 && test.p > 0.0);
        assert_eq!(mann_whitney(&low, &high), Some(test), "the seed is fixed");
    }

    proptest! {
        /// Every split of the pool is tried, with as many ties as there may be.
        #[test]
        fn p_is_that_of_trying_every_split(
            a in proptest::collection::vec(0_u8..6, 1..6), b in proptest::collection::vec(0_u8..6, 1..6),
        ) {
            let (a, b): (Vec<f64>, Vec<f64>) =
                (a.into_iter().map(f64::from).collect(), b.into_iter().map(f64::from).collect());
            let pairs = |a: &[f64], b: &[f64]| -> i64 {
                a.iter().flat_map(|a| b.iter().map(move |b| b.total_cmp(a) as i64 + 1)).sum()
            };
            let seen = pairs(&a, &b);
            let pool: Vec<f64> = a.iter().chain(&b).copied().collect();
            let (mut splits, mut lower, mut upper) = (0_u32, 0_u32, 0_u32);
            for split in 0_u32..1 << pool.len() {
                if split.count_ones() as usize == b.len() {
                    let side = |bit| {
                        (0..pool.len()).filter(|index| split >> index & 1 == bit).map(|index| pool[index]).collect::<Vec<_>>()
                    };
                    let u = pairs(&side(0), &side(1));
                    splits += 1;
                    lower += u32::from(u <= seen);
                    upper += u32::from(u >= seen);
                }
            }
            let p = (2.0 * f64::from(lower.min(upper)) / f64::from(splits)).min(1.0);
            let test = mann_whitney(&a, &b).expect("values");
            prop_assert!((test.p - p).abs() < 1e-12, "{} for {p}", test.p);
            prop_assert!((2.0 * test.u - seen as f64).abs() < 1e-9);
        }
    }
}
