//! Where a history of figures changed its level.

use std::ops::Range;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::Serialize;

use super::quantile::median;

/// Longer histories are looked at from this many points before their end: the work grows with the square.
pub const POINTS_MAX: usize = 500;

/// A level holds for at least so many points; with fewer no permutation test could confirm it.
const SEGMENT_MIN: usize = 3;
const PERMUTATIONS: usize = 199;
/// A change is reported when at most this share of the permutations shows a larger one. Strict, since a history asks again with each commit.
const LEVEL: f64 = 0.01;
const SEED: u64 = 0xC4A4_6E00;

/// A change of level.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ChangePoint {
    /// The first point of the new level.
    pub index: usize,
    /// Median from the change before, or the start, to this one.
    pub before: f64,
    /// Median from here to the next change, or the end.
    pub after: f64,
    /// Share of shuffled histories that show as much.
    pub p: f64,
}

/// The changes of level, in order: divisive segmentation by the energy distance (Matteson and James), each cut confirmed by shuffling the
/// segment that it cuts, 199 times from a fixed seed. It sees changes of level and of spread, and does not care about the distribution.
pub fn change_points(values: &[f64]) -> Vec<ChangePoint> {
    let start = values.len().saturating_sub(POINTS_MAX);
    let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let mut cuts: Vec<(usize, f64)> = Vec::new();
    let mut open: Vec<Range<usize>> = std::iter::once(start..values.len()).collect();
    while let Some(segment) = open.pop() {
        if let Some((offset, p)) = confirmed_cut(&values[segment.clone()], &mut random) {
            let index = segment.start + offset;
            cuts.push((index, p));
            open.extend([segment.start..index, index..segment.end]);
        }
    }
    cuts.sort_unstable_by_key(|(index, _)| *index);
    let ends: Vec<usize> =
        std::iter::once(start).chain(cuts.iter().map(|(index, _)| *index)).chain([values.len()]).collect();
    let level = |range: Range<usize>| median(&values[range]).expect("a segment has values");
    let changes = cuts.iter().zip(ends.windows(3));
    changes
        .map(|(&(index, p), ends)| ChangePoint {
            index,
            before: level(ends[0]..ends[1]),
            after: level(ends[1]..ends[2]),
            p,
        })
        .collect()
}

/// The cut with the largest distance, if shuffling does not show as much.
fn confirmed_cut(values: &[f64], random: &mut Xoshiro256PlusPlus) -> Option<(usize, f64)> {
    let (cut, distance) = best_cut(values)?;
    if distance <= 0.0 {
        return None;
    }
    let mut shuffled = values.to_vec();
    let mut as_large = 1;
    for _ in 0..PERMUTATIONS {
        shuffled.shuffle(random);
        as_large += usize::from(best_cut(&shuffled).is_some_and(|(_, other)| other >= distance));
        // Further shuffles cannot confirm it any more.
        if as_large as f64 > LEVEL * (PERMUTATIONS + 1) as f64 {
            return None;
        }
    }
    Some((cut, as_large as f64 / (PERMUTATIONS + 1) as f64))
}

/// The cut into two segments whose energy distance, weighted by their lengths, is largest.
fn best_cut(values: &[f64]) -> Option<(usize, f64)> {
    let count = values.len();
    if count < 2 * SEGMENT_MIN {
        return None;
    }
    let gap = |left: usize, right: usize| (values[left] - values[right]).abs();
    let to_left: Vec<f64> = (0..count).map(|index| (0..index).map(|left| gap(left, index)).sum()).collect();
    let total: f64 = to_left.iter().sum();
    let (mut within_left, mut within_right) = (0.0, total);
    let mut best: Option<(usize, f64)> = None;
    for cut in 1..=count - SEGMENT_MIN {
        let moved = cut - 1;
        within_left += to_left[moved];
        within_right -= (cut..count).map(|right| gap(moved, right)).sum::<f64>();
        if cut < SEGMENT_MIN {
            continue;
        }
        let (left, right) = (cut as f64, (count - cut) as f64);
        let between = total - within_left - within_right;
        let mean_within = |sum: f64, size: f64| 2.0 * sum / (size * (size - 1.0));
        let energy = 2.0 * between / (left * right) - mean_within(within_left, left) - mean_within(within_right, right);
        let distance = energy * left * right / (left + right);
        if best.is_none_or(|(_, largest)| distance > largest) {
            best = Some((cut, distance));
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;

    fn noise(count: usize, seed: u64) -> Vec<f64> {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        (0..count).map(|_| random.random::<f64>() - 0.5).collect()
    }

    #[test]
    fn each_change_of_level_is_found_where_it_is() {
        let levels = |index: usize| match index {
            0..20 => 100.0,
            20..45 => 110.0,
            _ => 97.0,
        };
        let values: Vec<f64> =
            noise(70, 1).iter().enumerate().map(|(index, noise)| levels(index) + 4.0 * noise).collect();
        let changes = change_points(&values);
        assert_eq!(changes.iter().map(|change| change.index).collect::<Vec<_>>(), [20, 45], "{changes:?}");
        assert!((changes[0].before - 100.0).abs() < 2.0 && (changes[1].after - 97.0).abs() < 2.0);
        assert!(changes.iter().all(|change| change.p <= LEVEL));
    }

    #[test]
    fn noise_alone_seldom_shows_a_change() {
        let alarms = (0..200).filter(|seed| !change_points(&noise(30, *seed)).is_empty()).count();
        assert!(alarms <= 7, "{alarms} of 200 at a level of {LEVEL}");
    }

    #[test]
    fn distance_is_that_of_the_definition() {
        let values = [1.0, 2.0, 1.5, 1.0, 7.0, 8.0, 7.5];
        let (cut, distance) = best_cut(&values).expect("long enough");
        let mean = |pairs: Vec<f64>| pairs.iter().sum::<f64>() / pairs.len() as f64;
        let (left, right) = values.split_at(cut);
        let within = |side: &[f64]| {
            let pairs = side
                .iter()
                .enumerate()
                .flat_map(|(index, one)| side[..index].iter().map(move |other| (one - other).abs()));
            mean(pairs.collect())
        };
        let between = mean(left.iter().flat_map(|one| right.iter().map(move |other| (one - other).abs())).collect());
        let (m, n) = (left.len() as f64, right.len() as f64);
        let expected = (2.0 * between - within(left) - within(right)) * m * n / (m + n);
        assert_eq!(cut, 4);
        assert!((distance - expected).abs() < 1e-9);
    }

    #[test]
    fn short_and_constant_histories_have_no_change_and_long_ones_are_cut() {
        assert!(change_points(&[]).is_empty());
        assert!(change_points(&[1.0, 1.0, 9.0, 9.0, 9.0]).is_empty());
        assert!(change_points(&[5.0; 50]).is_empty());
        let mut long = vec![1.0; 40];
        long.extend(vec![9.0; POINTS_MAX]);
        assert!(change_points(&long).is_empty(), "the change lies before what is looked at");
    }
}
