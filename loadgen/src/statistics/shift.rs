//! How far two sides lie apart, with an interval that the same ranks give.

use serde::Serialize;

use super::quantile::median;
use super::rank_sum::RankSums;
use super::variation::logarithms;

/// An estimate between two bounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The best guess.
    pub value: f64,
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
    /// How often such an interval holds the truth, 0 to 1. It is what these numbers of runs achieve: at least what was asked for, unless they
    /// are so few that even the widest interval does not; then it is less.
    pub confidence: f64,
}

/// Hodges and Lehmann's estimate of what `b` has more than `a`: the median of all differences, between the differences that the exact
/// Mann-Whitney test would just not reject. Absent when a side has no values.
pub fn hodges_lehmann(a: &[f64], b: &[f64], confidence: f64) -> Option<Estimate> {
    let mut differences: Vec<f64> = a.iter().flat_map(|a| b.iter().map(move |b| b - a)).collect();
    differences.sort_unstable_by(f64::total_cmp);
    let value = median(&differences)?;
    let (cut, confidence) = cut(a.len(), b.len(), confidence);
    Some(Estimate { value, low: differences[cut], high: differences[differences.len() - 1 - cut], confidence })
}

/// The same for the ratio of `b` to `a`, by logarithms; absent when a value is not positive.
pub fn hodges_lehmann_ratio(a: &[f64], b: &[f64], confidence: f64) -> Option<Estimate> {
    let shift = hodges_lehmann(&logarithms(a)?, &logarithms(b)?, confidence)?;
    Some(Estimate { value: shift.value.exp(), low: shift.low.exp(), high: shift.high.exp(), ..shift })
}

/// How many differences to leave out at each end, and the confidence that the rest has.
fn cut(a: usize, b: usize, confidence: f64) -> (usize, f64) {
    let sums = RankSums::untied(a, b);
    let least = (a * (a + 1)) as u64;
    // Outside of the interval from the k-th to the k-th last difference U is at most k - 1, whose doubled rank sum is this.
    let outside = |k: usize| 2.0 * sums.lower_tail(least + 2 * (k as u64 - 1));
    let mut k = 1;
    while k < (a * b).div_ceil(2) && outside(k + 1) <= 1.0 - confidence {
        k += 1;
    }
    (k - 1, (1.0 - outside(k)).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::mann_whitney;
    use proptest::prelude::*;

    #[test]
    fn interval_is_that_of_the_text_book() {
        // Hollander and Wolfe, example 4.1: 0.305, from -0.15 to 0.76 with 96 %.
        let x = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
        let y = [1.15, 0.88, 0.90, 0.74, 1.21];
        let shift = hodges_lehmann(&y, &x, 0.95).expect("values");
        assert!((shift.value - 0.305).abs() < 1e-9);
        assert!((shift.low + 0.15).abs() < 1e-9 && (shift.high - 0.76).abs() < 1e-9, "{shift:?}");
        assert!((shift.confidence - 0.960_04).abs() < 1e-5);
    }

    #[test]
    fn too_few_runs_give_the_widest_interval_and_say_how_little_it_holds() {
        let shift = hodges_lehmann(&[1.0, 2.0, 3.0], &[11.0, 12.0, 13.0], 0.95).expect("values");
        assert!((shift.confidence - 0.90).abs() < 1e-12);
        assert!((shift.low - 8.0).abs() < 1e-12 && (shift.high - 12.0).abs() < 1e-12);
        assert!(hodges_lehmann(&[1.0], &[2.0], 0.95).expect("values").confidence.abs() < 1e-12);
    }

    #[test]
    fn ratio_does_not_depend_on_the_unit() {
        let (a, b) = ([1.0, 1.1, 0.9, 1.05, 0.95], [2.0, 2.2, 1.8, 2.1, 1.9]);
        let ratio = hodges_lehmann_ratio(&a, &b, 0.95).expect("positive");
        let scaled =
            hodges_lehmann_ratio(&a.map(|value| value * 1e9), &b.map(|value| value * 1e9), 0.95).expect("positive");
        assert!((ratio.value - scaled.value).abs() < 1e-9 && (ratio.value - 2.0).abs() < 1e-9);
        assert_eq!(hodges_lehmann_ratio(&a, &[0.0], 0.95), None);
    }

    proptest! {
        /// Interval and test are two views of the same ranks.
        #[test]
        fn interval_excludes_zero_just_when_the_test_rejects(
            a in proptest::collection::vec(0.0..1.0_f64, 4..9), b in proptest::collection::vec(0.3..1.3_f64, 4..9),
        ) {
            let shift = hodges_lehmann(&a, &b, 0.95).expect("values");
            let rejected = mann_whitney(&a, &b).expect("values").p <= 0.05;
            prop_assert_eq!(shift.low > 0.0 || shift.high < 0.0, rejected, "{:?}", shift);
            prop_assert!(shift.low <= shift.value && shift.value <= shift.high);
        }
    }
}
