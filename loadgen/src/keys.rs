//! Keys of records: drawn evenly or by Zipf's law from a space of numbered keys.

use std::io::Write;

use clap::ValueEnum;
use rand::{Rng, RngExt};
use rand_distr::{Distribution, Zipf};
use serde::{Deserialize, Serialize};

use crate::partitioner::partition_of;

/// Keys far longer than any in use; a key is copied for each record.
pub const KEY_BYTES_MAX: u32 = 1_024;
/// Ranks are drawn as floating-point numbers, which are whole up to far beyond this.
pub const KEY_SPACE_MAX: u64 = 1_000_000_000_000;
/// At 10 the second key comes once in a thousand records: beyond, there is only one key.
pub const ZIPF_EXPONENT_MAX: f64 = 10.0;

/// How keys are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeyDistribution {
    /// Records have no key: partitions are filled in turn, a batch at a time.
    None,
    /// Every key as often as every other.
    Uniform,
    /// The k-th key in proportion to 1 / k^exponent.
    Zipf,
}

/// The keys of a load.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct KeySettings {
    /// Keys that there are.
    pub key_space: u64,
    /// Bytes of each.
    pub key_bytes: u32,
    /// Of Zipf's law; absent where keys are drawn evenly.
    pub zipf_exponent: Option<f64>,
}

/// Draws keys.
#[derive(Debug)]
pub struct KeySource {
    key_space: u64,
    zipf: Option<Zipf<f64>>,
    key: Vec<u8>,
}

impl KeySource {
    /// Keys of these settings, which the workload has checked.
    pub fn new(settings: &KeySettings) -> Self {
        let zipf = settings.zipf_exponent.map(|exponent| {
            Zipf::new(settings.key_space as f64, exponent).expect("the workload bounds key space and exponent")
        });
        Self { key_space: settings.key_space, zipf, key: vec![0; settings.key_bytes as usize] }
    }

    /// The next record's key.
    pub fn draw(&mut self, random: &mut impl Rng) -> &[u8] {
        let number = match &self.zipf {
            Some(zipf) => (zipf.sample(random) as u64).clamp(1, self.key_space) - 1,
            None => random.random_range(0..self.key_space),
        };
        write_key(&mut self.key, number);
        &self.key
    }
}

/// A key is its number in decimal digits behind zeros, so that people can read it in any tool.
fn write_key(key: &mut [u8], number: u64) {
    let width = key.len();
    let mut rest = key;
    write!(rest, "{number:0width$}").expect("the workload gives a key as many bytes as its number has digits");
}

/// What is known of the keys in a topic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum KeyRule {
    /// Nothing: runs of other loads have written there.
    Any,
    /// No record has one.
    Absent,
    /// They are of this load.
    Of(KeySettings),
}

/// What the keys of a partition's records look like.
#[derive(Debug)]
pub struct ExpectedKeys {
    /// In the whole topic.
    pub rule: KeyRule,
    /// Where the records are.
    pub partition: u32,
    /// Out of how many.
    pub partitions: u32,
}

impl ExpectedKeys {
    /// Whether a record may have this key. The checksum in the value does not cover it, but a changed key is mostly none of
    /// ours, or one of another partition.
    pub fn matches(&self, key: Option<&[u8]>) -> bool {
        match (self.rule, key) {
            (KeyRule::Any, _) | (KeyRule::Absent, None) => true,
            (KeyRule::Of(settings), Some(key)) => {
                is_key(key, &settings) && partition_of(key, self.partitions) == self.partition
            }
            (KeyRule::Absent, Some(_)) | (KeyRule::Of(_), None) => false,
        }
    }
}

/// Whether these bytes can be a key of such a load.
fn is_key(bytes: &[u8], settings: &KeySettings) -> bool {
    let is_whole = bytes.len() == settings.key_bytes as usize && bytes.iter().all(u8::is_ascii_digit);
    let digits = bytes.len().min(digits(settings.key_space));
    let (zeros, number) = bytes.split_at(bytes.len() - digits);
    let value = number.iter().fold(0_u64, |value, digit| value * 10 + u64::from(digit.wrapping_sub(b'0')));
    is_whole && zeros.iter().all(|&zero| zero == b'0') && value < settings.key_space
}

/// Decimal digits of a number.
pub fn digits(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rand::SeedableRng;
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::*;

    fn counts(settings: KeySettings, draws: usize) -> BTreeMap<Vec<u8>, usize> {
        let (mut source, mut random) = (KeySource::new(&settings), Xoshiro256PlusPlus::seed_from_u64(3));
        let mut counts = BTreeMap::new();
        for _ in 0..draws {
            let key = source.draw(&mut random).to_vec();
            assert!(is_key(&key, &settings));
            *counts.entry(key).or_default() += 1;
        }
        counts
    }

    #[test]
    fn even_keys_come_evenly_and_all_of_them() {
        let counts = counts(KeySettings { key_space: 100, key_bytes: 4, zipf_exponent: None }, 100_000);
        assert_eq!((counts.len(), counts.keys().next().map(Vec::as_slice)), (100, Some(b"0000".as_slice())));
        assert!(counts.values().all(|&count| (850..1_150).contains(&count)), "{counts:?}");
    }

    #[test]
    fn the_kth_key_comes_in_proportion_to_its_power() {
        let settings = KeySettings { key_space: 1_000, key_bytes: 3, zipf_exponent: Some(1.0) };
        let counts = counts(settings, 200_000);
        // The sum of 1 / k for a thousand keys is 7.4855.
        for (rank, key) in [(1.0, "000"), (2.0, "001"), (10.0, "009")] {
            let expected = 200_000.0 / 7.485_5 / rank;
            let found = counts[key.as_bytes()] as f64;
            assert!((found / expected - 1.0).abs() < 0.06, "{key}: {found} for {expected}");
        }
    }

    #[test]
    fn a_foreign_or_changed_key_is_none_of_ours() {
        let settings = KeySettings { key_space: 500, key_bytes: 8, zipf_exponent: None };
        assert!(is_key(b"00000499", &settings));
        for key in [b"00000500".as_slice(), b"0000049", b"0000o499", b"10000499", b"", b"000000499"] {
            assert!(!is_key(key, &settings), "{key:?}");
        }
    }
}
