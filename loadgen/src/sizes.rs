//! Sizes of values: one for all, or a mixture by weight.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::quantity::parse_bytes;

/// More sizes would be a distribution, which nobody can read off a command line.
const SIZES_MAX: usize = 16;

/// Weights of this size can still be told apart when they are added up.
const WEIGHT_MAX: f64 = 1e9;

/// Sizes of values with their shares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<(u64, f64)>", into = "Vec<(u64, f64)>")]
pub struct SizeMixture {
    /// Bytes of a value and the weight of all sizes up to this one.
    cumulated: Vec<(u64, f64)>,
}

impl SizeMixture {
    /// All values alike.
    pub fn fixed(value_bytes: u64) -> Self {
        Self { cumulated: vec![(value_bytes, 1.0)] }
    }

    /// Parses `100:80,1000:15,10KiB:5`: sizes with their weights, in any unit that adds up.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut cumulated: Vec<(u64, f64)> = Vec::new();
        let mut sum = 0.0;
        for part in text.split(',') {
            let wrong = || format!("{part:?} is no size with a weight, as in 1000:15");
            let (bytes, weight) = part.split_once(':').ok_or_else(wrong)?;
            let (bytes, weight) = (parse_bytes(bytes)?, weight.trim().parse::<f64>().map_err(|_| wrong())?);
            if !(weight > 0.0 && weight <= WEIGHT_MAX) {
                return Err(format!("the weight of {part:?} must be above 0 and at most 10^9"));
            }
            if cumulated.iter().any(|size| size.0 == bytes) {
                return Err(format!("size {bytes} stands there twice"));
            }
            sum += weight;
            cumulated.push((bytes, sum));
        }
        if cumulated.len() > SIZES_MAX {
            return Err(format!("{} sizes are more than {SIZES_MAX}", cumulated.len()));
        }
        Ok(Self { cumulated })
    }

    /// Whether all values are alike.
    pub fn is_fixed(&self) -> bool {
        self.cumulated.len() == 1
    }

    /// Bytes of a value on average.
    pub fn mean_bytes(&self) -> f64 {
        self.shares().map(|(bytes, share)| bytes as f64 * share).sum()
    }

    /// Bytes of the smallest value.
    pub fn min_bytes(&self) -> u64 {
        self.cumulated.iter().map(|size| size.0).min().unwrap_or(0)
    }

    /// Bytes of the largest value.
    pub fn max_bytes(&self) -> u64 {
        self.cumulated.iter().map(|size| size.0).max().unwrap_or(0)
    }

    /// Each size with its share of the records, 0 to 1.
    pub fn shares(&self) -> impl Iterator<Item = (u64, f64)> + '_ {
        let mut before = 0.0;
        self.cumulated.iter().map(move |&(bytes, until)| {
            let weight = until - std::mem::replace(&mut before, until);
            (bytes, weight / self.total())
        })
    }

    /// Draws the size of the next value.
    pub fn draw(&self, random: &mut impl Rng) -> u64 {
        if self.is_fixed() {
            return self.cumulated[0].0;
        }
        let at = random.random::<f64>() * self.total();
        let found = self.cumulated.iter().find(|size| at < size.1);
        // Rounding may leave the last weight a hair below the sum.
        found.or(self.cumulated.last()).map_or(0, |size| size.0)
    }

    fn total(&self) -> f64 {
        self.cumulated.last().map_or(1.0, |size| size.1)
    }
}

impl From<SizeMixture> for Vec<(u64, f64)> {
    fn from(mixture: SizeMixture) -> Self {
        mixture.cumulated
    }
}

impl TryFrom<Vec<(u64, f64)>> for SizeMixture {
    type Error = &'static str;

    /// What comes from elsewhere is believed only when `parse` could have made it.
    fn try_from(cumulated: Vec<(u64, f64)>) -> Result<Self, Self::Error> {
        let ascends = cumulated.is_sorted_by(|one, next| one.1 < next.1);
        let in_bounds = cumulated.iter().all(|size| size.1 > 0.0 && size.1 <= WEIGHT_MAX * SIZES_MAX as f64);
        if ascends && in_bounds && (1..=SIZES_MAX).contains(&cumulated.len()) {
            return Ok(Self { cumulated });
        }
        Err("sizes and weights are no mixture")
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::*;

    #[test]
    fn a_mixture_is_drawn_by_its_weights() {
        let mixture = SizeMixture::parse("100:80,1000:15,10kB:5").expect("valid");
        assert!((mixture.mean_bytes() - 730.0).abs() < 1e-9);
        assert_eq!((mixture.min_bytes(), mixture.max_bytes()), (100, 10_000));
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        let drawn: Vec<u64> = (0..100_000).map(|_| mixture.draw(&mut random)).collect();
        for (bytes, share) in mixture.shares() {
            let found = drawn.iter().filter(|&&one| one == bytes).count() as f64 / 1e5;
            assert!((found - share).abs() < 0.005, "{bytes}: {found} for {share}");
        }
    }

    #[test]
    fn what_is_no_mixture_is_refused() {
        for text in ["", "100", "100:", "100:0", "100:-1", "100:nan", "100:inf", "x:1", "100:1,100:2", "100:1,"] {
            assert!(SizeMixture::parse(text).is_err(), "{text}");
        }
        let many: Vec<String> = (0..17).map(|size| format!("{}:1", 100 + size)).collect();
        assert!(SizeMixture::parse(&many.join(",")).is_err_and(|error| error.contains("17")));
        let elsewhere = |text: &str| serde_json::from_str::<SizeMixture>(text);
        let mixture = SizeMixture::parse("100:80,1000:15").expect("valid");
        let text = serde_json::to_string(&mixture).expect("plain");
        assert_eq!(elsewhere(&text).expect("our own"), mixture);
        for text in ["[]", "[[100, 0.0]]", "[[100, 2.0], [200, 1.0]]", "[[100, 1e300]]", "[[-1, 1.0]]"] {
            assert!(elsewhere(text).is_err(), "{text}");
        }
    }
}
