//! An interval for figures that no table covers.

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::Serialize;

use super::quantile::quantile;

const RESAMPLES: usize = 2_000;
const SEED: u64 = 0xB007;

/// Two bounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

/// The percentile interval of a figure that is made of several groups of runs. Each group is drawn anew with replacement, 2,000 times from a
/// fixed seed. Absent when a group is empty or the figure does not exist for a draw.
pub fn bootstrap_interval(
    groups: &[&[f64]],
    confidence: f64,
    figure: impl Fn(&[Vec<f64>]) -> Option<f64>,
) -> Option<Interval> {
    if groups.iter().any(|group| group.is_empty()) {
        return None;
    }
    let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let mut draw = |group: &[f64]| group.iter().map(|_| group[random.random_range(0..group.len())]).collect();
    let figures: Vec<f64> = (0..RESAMPLES)
        .map(|_| figure(&groups.iter().map(|group| draw(group)).collect::<Vec<_>>()))
        .collect::<Option<_>>()?;
    let tail = (1.0 - confidence) / 2.0;
    Some(Interval { low: quantile(&figures, tail)?, high: quantile(&figures, 1.0 - tail)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::median;

    fn mean(values: &[f64]) -> f64 {
        values.iter().sum::<f64>() / values.len() as f64
    }

    #[test]
    fn interval_of_a_mean_is_as_wide_as_theory_says() {
        let values: Vec<f64> = (0..100).map(f64::from).collect();
        let interval = bootstrap_interval(&[&values], 0.95, |groups| Some(mean(&groups[0]))).expect("values");
        let half_width = 1.96 * (99.0 * 101.0 / 12.0 / 100.0_f64).sqrt();
        assert!((interval.low - (49.5 - half_width)).abs() < 0.5, "{interval:?}");
        assert!((interval.high - (49.5 + half_width)).abs() < 0.5, "{interval:?}");
    }

    #[test]
    fn same_values_give_the_same_interval_and_no_values_none() {
        let figure = |groups: &[Vec<f64>]| Some(median(&groups[1])? / median(&groups[0])?);
        let groups: [&[f64]; 2] = [&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0]];
        assert_eq!(bootstrap_interval(&groups, 0.9, figure), bootstrap_interval(&groups, 0.9, figure));
        assert_eq!(bootstrap_interval(&[&[1.0], &[]], 0.9, figure), None);
    }
}
