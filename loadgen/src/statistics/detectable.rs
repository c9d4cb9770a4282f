//! What a comparison could have shown at all.

use rand::{Rng, RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::mann_whitney::smallest_p;
use super::quantile::quantile;
use super::rank_sum::RankSums;

/// How often a difference of the stated size is to be found.
pub const POWER: f64 = 0.8;

/// Experiments simulated: the power at the stated difference is then within about 2 % of what is stated.
const EXPERIMENTS: usize = 4_000;
/// A side is simulated up to this size; beyond, the difference shrinks with the root of the size, as that of every mean does.
const SIDE_MAX: usize = 32;
const SEED: u64 = 0x00DE_7EC7;
/// A side of more repeats than this is never recommended.
const REPEATS_MAX: usize = 1_000;

/// The smallest ratio above 1 that the exact Mann-Whitney test at this level finds with [`POWER`] between `a` and `b` runs whose logarithms
/// have the standard deviation `log_deviation`. Absent when so few runs find nothing at this level, however large it is.
pub fn detectable_ratio(a: usize, b: usize, log_deviation: f64, level: f64) -> Option<f64> {
    detectable_deviations(a, b, level).map(|deviations| (deviations * log_deviation).exp())
}

/// The same in standard deviations, by simulation from a fixed seed with normal noise.
pub fn detectable_deviations(a: usize, b: usize, level: f64) -> Option<f64> {
    let (side_a, side_b) = (a.min(SIDE_MAX), b.min(SIDE_MAX));
    let size = |a: usize, b: usize| (1.0 / a as f64 + 1.0 / b as f64).sqrt();
    Some(simulated(side_a, side_b, level)? * size(a, b) / size(side_a, side_b))
}

/// The smallest number of runs a side whose smallest p reaches the level.
pub fn repeats_needed(level: f64) -> usize {
    (1..REPEATS_MAX).find(|&repeats| smallest_p(repeats, repeats) <= level).unwrap_or(REPEATS_MAX)
}

/// The smallest difference in standard deviations. A shift by d is found when enough of the pairs are in order, so the d that is just found
/// in an experiment is an order statistic of its differences, and no search is needed.
fn simulated(a: usize, b: usize, level: f64) -> Option<f64> {
    let pairs_in_order = pairs_in_order_needed(a, b, level)?;
    let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let mut differences = vec![0.0; a * b];
    let just_found: Vec<f64> = (0..EXPERIMENTS)
        .map(|_| {
            let side_a: Vec<f64> = (0..a).map(|_| normal(&mut random)).collect();
            let side_b: Vec<f64> = (0..b).map(|_| normal(&mut random)).collect();
            let all = side_a.iter().flat_map(|a| side_b.iter().map(move |b| a - b));
            differences.iter_mut().zip(all).for_each(|(slot, difference)| *slot = difference);
            *differences.select_nth_unstable_by(pairs_in_order - 1, f64::total_cmp).1
        })
        .collect();
    quantile(&just_found, POWER)
}

/// The smallest U above its mean that the test rejects.
fn pairs_in_order_needed(a: usize, b: usize, level: f64) -> Option<usize> {
    if a == 0 || b == 0 {
        return None;
    }
    let sums = RankSums::untied(b, a);
    let least = (b * (b + 1)) as u64;
    let p = |u: usize| 2.0 * sums.upper_tail(least + 2 * u as u64);
    (0..=a * b).find(|&u| p(u) <= level)
}

/// A standard normal deviate, by Box and Muller.
fn normal(random: &mut impl Rng) -> f64 {
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.random::<f64>()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::mann_whitney;

    #[test]
    fn three_runs_a_side_can_show_nothing() {
        assert_eq!(detectable_ratio(3, 3, 0.01, 0.05), None);
        assert_eq!(detectable_ratio(0, 5, 0.01, 0.05), None);
        assert!(detectable_ratio(4, 4, 0.01, 0.05).is_some());
        assert_eq!(repeats_needed(0.05), 4);
        assert_eq!(repeats_needed(0.01), 5);
        assert_eq!(repeats_needed(0.05 / 7.0), 6);
    }

    #[test]
    fn stated_difference_is_found_four_times_out_of_five() {
        for (a, b, level) in [(4, 4, 0.05), (5, 5, 0.05), (5, 5, 0.01), (10, 7, 0.05)] {
            let ratio = detectable_ratio(a, b, 0.03, level).expect("enough runs");
            let mut random = Xoshiro256PlusPlus::seed_from_u64(11);
            let mut draw = |size, centre: f64| -> Vec<f64> {
                (0..size).map(|_| centre * (0.03 * normal(&mut random)).exp()).collect()
            };
            let found =
                (0..2_000).filter(|_| mann_whitney(&draw(a, 1.0), &draw(b, ratio)).expect("values").p <= level).count();
            let power = found as f64 / 2_000.0;
            assert!((power - POWER).abs() < 0.04, "{a} v {b} at {level}: {power}");
        }
    }

    #[test]
    fn more_runs_and_less_noise_show_smaller_differences() {
        let few = detectable_ratio(5, 5, 0.02, 0.05).expect("enough");
        let many = detectable_ratio(20, 20, 0.02, 0.05).expect("enough");
        let most = detectable_ratio(200, 200, 0.02, 0.05).expect("enough");
        assert!(few > many && many > most && most > 1.0);
        assert!(detectable_ratio(5, 5, 0.01, 0.05).expect("enough") < few);
        assert!((detectable_ratio(5, 5, 0.0, 0.05).expect("enough") - 1.0).abs() < 1e-12);
    }
}
