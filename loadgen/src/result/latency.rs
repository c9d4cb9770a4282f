//! One latency distribution in figures, none of which claims more than its sample can carry.

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A percentile is reported only when at least this many samples lie above it.
const EXCEEDANCES_MIN: u128 = 10;

/// Figures of one latency distribution. A percentile that fewer than ten samples exceed is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Latency {
    /// Records measured.
    pub n: u64,
    /// Batches that these records travelled in. Records of a batch share their fate, so this is the effective
    /// sample size, and it decides which percentiles are reported. Absent when each record is its own sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_batches: Option<u64>,
    /// Smallest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_ns: Option<u64>,
    /// Arithmetic mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_ns: Option<f64>,
    /// Median.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_ns: Option<u64>,
    /// 75th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p75_ns: Option<u64>,
    /// 90th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p90_ns: Option<u64>,
    /// 95th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95_ns: Option<u64>,
    /// 99th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_ns: Option<u64>,
    /// 99.9th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_9_ns: Option<u64>,
    /// 99.99th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_99_ns: Option<u64>,
    /// Largest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ns: Option<u64>,
}

/// The percentiles that a result carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Percentile {
    /// Median.
    P50,
    /// 75th.
    P75,
    /// 90th.
    P90,
    /// 95th.
    P95,
    /// 99th.
    P99,
    /// 99.9th.
    P99_9,
    /// 99.99th.
    P99_99,
}

impl Percentile {
    /// All of them with their names.
    pub const NAMED: [(&'static str, Self); 7] = [
        ("p50", Self::P50),
        ("p75", Self::P75),
        ("p90", Self::P90),
        ("p95", Self::P95),
        ("p99", Self::P99),
        ("p99.9", Self::P99_9),
        ("p99.99", Self::P99_99),
    ];
}

impl Latency {
    /// The figures of a histogram of nanoseconds. `n_batches` is the number of independent samples when records
    /// were measured in batches.
    pub fn from_histogram(histogram: &Histogram<u64>, n_batches: Option<u64>) -> Self {
        let n = histogram.len();
        let samples = n_batches.map_or(n, |batches| batches.min(n));
        let at = |percentile| percentile_ns(histogram, percentile, samples);
        Self {
            n,
            n_batches,
            min_ns: (n > 0).then(|| histogram.min()),
            mean_ns: (n > 0).then(|| histogram.mean()),
            p50_ns: at(Percentile::P50),
            p75_ns: at(Percentile::P75),
            p90_ns: at(Percentile::P90),
            p95_ns: at(Percentile::P95),
            p99_ns: at(Percentile::P99),
            p99_9_ns: at(Percentile::P99_9),
            p99_99_ns: at(Percentile::P99_99),
            max_ns: (n > 0).then(|| histogram.max()),
        }
    }

    /// The value of a percentile, if the sample carries it.
    pub fn at(&self, percentile: Percentile) -> Option<u64> {
        match percentile {
            Percentile::P50 => self.p50_ns,
            Percentile::P75 => self.p75_ns,
            Percentile::P90 => self.p90_ns,
            Percentile::P95 => self.p95_ns,
            Percentile::P99 => self.p99_ns,
            Percentile::P99_9 => self.p99_9_ns,
            Percentile::P99_99 => self.p99_99_ns,
        }
    }

    /// The number of independent samples.
    pub fn samples(&self) -> u64 {
        self.n_batches.map_or(self.n, |batches| batches.min(self.n))
    }
}

impl Percentile {
    /// The share of samples at or below, 0 to 1.
    pub fn quantile(self) -> f64 {
        1.0 - f64::from(self.tail_per_10_000()) / 10_000.0
    }

    /// Whether enough of `samples` lie above to report it.
    pub fn is_carried_by(self, samples: u64) -> bool {
        u128::from(samples) * u128::from(self.tail_per_10_000()) >= EXCEEDANCES_MIN * 10_000
    }

    /// Samples above, of ten thousand. Whole numbers, so that the limit is exact.
    fn tail_per_10_000(self) -> u32 {
        match self {
            Self::P50 => 5_000,
            Self::P75 => 2_500,
            Self::P90 => 1_000,
            Self::P95 => 500,
            Self::P99 => 100,
            Self::P99_9 => 10,
            Self::P99_99 => 1,
        }
    }
}

/// A percentile of a histogram of nanoseconds, if `samples` independent samples carry it.
fn percentile_ns(histogram: &Histogram<u64>, percentile: Percentile, samples: u64) -> Option<u64> {
    percentile.is_carried_by(samples).then(|| histogram.value_at_quantile(percentile.quantile()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram_of(values: impl Iterator<Item = u64>) -> Histogram<u64> {
        let mut histogram = Histogram::new(3).expect("three digits are valid");
        values.for_each(|value| histogram.saturating_record(value));
        histogram
    }

    #[test]
    fn percentile_with_fewer_than_ten_exceedances_is_absent() {
        let latency = Latency::from_histogram(&histogram_of(1..=999), None);
        assert!(latency.p95_ns.is_some());
        assert_eq!(latency.p99_ns, None, "999 samples leave 9.99 above p99");
        let latency = Latency::from_histogram(&histogram_of(1..=1_000), None);
        assert!(latency.p99_ns.is_some());
        assert_eq!(latency.p99_9_ns, None);
        assert_eq!(latency.max_ns, Some(1_000));
    }

    #[test]
    fn records_of_one_batch_do_not_count_as_independent_samples() {
        let histogram = histogram_of(1..=100_000);
        assert!(Latency::from_histogram(&histogram, None).p99_99_ns.is_some());
        let batched = Latency::from_histogram(&histogram, Some(1_000));
        assert!(batched.p99_ns.is_some());
        assert_eq!(batched.p99_9_ns, None);
        assert_eq!((batched.n, batched.samples()), (100_000, 1_000));
    }

    #[test]
    fn empty_histogram_has_a_count_and_nothing_else() {
        let latency = Latency::from_histogram(&histogram_of(std::iter::empty()), None);
        assert_eq!(latency, Latency::default());
        assert_eq!(serde_json::to_string(&latency).expect("plain struct"), r#"{"n":0}"#);
    }
}
