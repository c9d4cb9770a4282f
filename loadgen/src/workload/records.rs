//! What records look like: sizes, keys, filler, and how their batches are compressed.

use serde::{Deserialize, Serialize};

use crate::filler::{ENTROPY_MAX, FillerPool};
use crate::keys::{self, KEY_BYTES_MAX, KEY_SPACE_MAX, KeyDistribution, KeyRule, KeySettings, ZIPF_EXPONENT_MAX};
use crate::options::LoadOptions;
use crate::payload::STAMP_BYTES;
use crate::result::{self, Compression};
use crate::sizes::SizeMixture;
use crate::workload::{BATCH_HEADER_BYTES, InvalidWorkload, RECORD_OVERHEAD_BYTES_MAX, Workload};

/// What records look like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordShape {
    /// Bytes of their values.
    pub sizes: SizeMixture,
    /// Their keys; absent where they have none.
    pub keys: Option<KeySettings>,
    /// Bits of information in a byte of filler, 0 to 8.
    pub entropy: f64,
    /// Codec of their batches.
    pub compression: Compression,
}

impl RecordShape {
    /// The option that batches encoded ahead cannot serve.
    pub(crate) fn what_raw_cannot(&self) -> Option<&'static str> {
        let refusals = [
            (self.keys.is_some(), "--keys"),
            (self.sizes.min_bytes() != self.sizes.max_bytes(), "--sizes"),
            (self.entropy < ENTROPY_MAX, "--entropy"),
            (self.compression != Compression::None, "--compression"),
        ];
        refusals.into_iter().find(|(asked, _)| *asked).map(|(_, option)| option)
    }

    /// Checks the options against each other.
    pub(super) fn from_options(args: &LoadOptions) -> Result<Self, InvalidWorkload> {
        let keys = (args.keys != KeyDistribution::None).then(|| KeySettings {
            key_space: args.key_space,
            key_bytes: args.key_bytes,
            zipf_exponent: (args.keys == KeyDistribution::Zipf).then_some(args.zipf_exponent),
        });
        let shape = Self { sizes: args.sizes(), keys, entropy: args.entropy, compression: args.compression };
        shape.check(args.batch_bytes).map(|()| shape)
    }

    /// Holds it against the bounds and what a batch can hold, wherever it comes from.
    pub(crate) fn check(&self, batch_bytes: u64) -> Result<(), InvalidWorkload> {
        self.keys.as_ref().map_or(Ok(()), check_keys)?;
        let key_bytes = self.keys.map_or(0, |keys| u64::from(keys.key_bytes));
        let around = key_bytes + (RECORD_OVERHEAD_BYTES_MAX + BATCH_HEADER_BYTES) as u64;
        for value_bytes in [self.sizes.min_bytes(), self.sizes.max_bytes()] {
            if value_bytes < STAMP_BYTES as u64 || value_bytes.saturating_add(around) > batch_bytes {
                return Err(InvalidWorkload::RecordBytes(value_bytes, batch_bytes));
            }
        }
        if !(0.0..=ENTROPY_MAX).contains(&self.entropy) {
            return Err(InvalidWorkload::Entropy);
        }
        Ok(())
    }

    /// Bytes of a key; absent where records have none.
    pub fn key_bytes(&self) -> Option<usize> {
        self.keys.map(|keys| keys.key_bytes as usize)
    }

    /// What a reader of this load alone finds for keys.
    pub fn key_rule(&self) -> KeyRule {
        self.keys.map_or(KeyRule::Absent, KeyRule::Of)
    }

    /// Key and value bytes of a record on average.
    pub fn payload_bytes_mean(&self) -> f64 {
        self.sizes.mean_bytes() + self.key_bytes().unwrap_or(0) as f64
    }

    /// Whether all records are alike, so that nothing has to be decided for each of them.
    pub fn is_plain(&self) -> bool {
        self.sizes.is_fixed() && self.keys.is_none() && self.compression == Compression::None
    }

    /// Fills in what the result file tells of it.
    pub(super) fn describe(&self, workload: &mut result::Workload) {
        workload.record_bytes = self.sizes.mean_bytes().round() as u32;
        if !self.sizes.is_fixed() {
            let shares = self.sizes.shares().map(|(bytes, share)| result::SizeShare { bytes: bytes as u32, share });
            workload.sizes = shares.collect();
        }
        workload.key_bytes = self.keys.map(|keys| keys.key_bytes);
        workload.keys =
            self.keys.map(|keys| result::Keys { key_space: keys.key_space, zipf_exponent: keys.zipf_exponent });
        workload.entropy_bits_per_byte = (self.entropy < ENTROPY_MAX).then_some(self.entropy);
        workload.compression = self.compression;
    }
}

impl Workload {
    /// Key and value bytes of a record on average, to a whole byte.
    pub fn payload_bytes(&self) -> u64 {
        self.records.payload_bytes_mean().round() as u64
    }

    /// Bytes of the largest value.
    pub fn value_bytes_max(&self) -> usize {
        self.records.sizes.max_bytes() as usize
    }

    /// What the producers of a run fill records with that are not all alike.
    pub fn filler_pool(&self) -> Option<FillerPool> {
        let pool = || FillerPool::new(self.value_bytes_max(), self.records.entropy, self.seed);
        (!self.records.is_plain()).then(pool)
    }
}

impl LoadOptions {
    /// Sizes of values.
    pub fn sizes(&self) -> SizeMixture {
        self.sizes.clone().unwrap_or_else(|| SizeMixture::fixed(self.record_bytes))
    }

    /// Key and value bytes of a record on average: what turns records into bytes.
    pub fn payload_bytes_mean(&self) -> f64 {
        let key_bytes = if self.keys == KeyDistribution::None { 0 } else { self.key_bytes };
        self.sizes().mean_bytes() + f64::from(key_bytes)
    }
}

fn check_keys(keys: &KeySettings) -> Result<(), InvalidWorkload> {
    if !(1..=KEY_SPACE_MAX).contains(&keys.key_space) {
        return Err(InvalidWorkload::KeySpace);
    }
    let digits = keys::digits(keys.key_space - 1);
    if keys.key_bytes > KEY_BYTES_MAX || (keys.key_bytes as usize) < digits {
        return Err(InvalidWorkload::KeyBytes(keys.key_bytes, digits, keys.key_space));
    }
    if keys.zipf_exponent.is_some_and(|exponent| !(exponent > 0.0 && exponent <= ZIPF_EXPONENT_MAX)) {
        return Err(InvalidWorkload::ZipfExponent);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::result::Compression;
    use crate::workload::tests::parse;

    #[test]
    fn a_rate_in_bytes_counts_keys_and_the_mean_of_the_sizes() {
        let line = "--rate 7.46MB/s --sizes 100:80,1000:15,10000:5 --keys uniform --key-bytes 16";
        let workload = parse(line).expect("valid");
        assert!((workload.arrivals.records_per_s - 10_000.0).abs() < 1e-6);
        let told = workload.describe();
        assert_eq!((told.record_bytes, told.key_bytes, told.sizes.len()), (730, Some(16), 3));
        assert_eq!(told.keys.map(|keys| (keys.key_space, keys.zipf_exponent)), Some((100_000, None)));
    }

    #[test]
    fn a_plain_load_is_told_as_before() {
        let told = parse("--key-bytes 20 --zipf-exponent 2").expect("valid").describe();
        assert_eq!((told.key_bytes, told.keys, told.entropy_bits_per_byte), (None, None, None));
        assert_eq!((told.compression, told.sizes.len(), told.record_bytes), (Compression::None, 0, 1_000));
        let told = parse("--compression zstd --entropy 4").expect("valid").describe();
        assert_eq!((told.compression, told.entropy_bits_per_byte), (Compression::Zstd, Some(4.0)));
    }

    #[test]
    fn contradictions_name_the_option() {
        let refused = |line: &str| parse(line).expect_err(line);
        assert!(refused("--keys uniform --key-space 0").contains("--key-space"));
        assert!(refused("--keys uniform --key-bytes 3 --key-space 1001").contains("--key-bytes 3"));
        assert!(parse("--keys uniform --key-bytes 3 --key-space 1000").is_ok());
        assert!(refused("--keys uniform --key-bytes 2000").contains("1024"));
        assert!(refused("--keys zipf --zipf-exponent 0").contains("--zipf-exponent"));
        assert!(refused("--keys zipf --zipf-exponent nan").contains("--zipf-exponent"));
        assert!(refused("--sizes 31:1,100:1").contains("31"));
        assert!(refused("--sizes 100:1,16384:1").contains("16384"));
        assert!(refused("--sizes 100:1 --record-bytes 100").contains("--record-bytes"));
        assert!(refused("--entropy 8.1").contains("--entropy"));
        assert!(refused("--compression brotli").contains("brotli"));
    }
}
