//! `HdrHistogram` percentile distribution (`.hgrm`), as its plotter reads it; values in milliseconds.

use std::fmt::Write;

use super::Refusal;
use crate::result::{RunResult, decode_histogram};

/// Steps between a percentile and the next that halves the distance to 100 %; the reference's default.
const TICKS_PER_HALF_DISTANCE: u32 = 5;
const NANOSECONDS_PER_MILLISECOND: f64 = 1e6;

/// The distribution of the histogram of this name.
pub(super) fn write(result: &RunResult, name: &str) -> Result<String, Refusal> {
    let Some(text) = result.histograms.get(name) else {
        let there: Vec<&str> = result.histograms.keys().map(String::as_str).collect();
        let there = if there.is_empty() { "none".into() } else { there.join(", ") };
        return Err(Refusal::new(format!("result {} has no histogram {name:?}; it has {there}", result.id)));
    };
    let histogram = decode_histogram(text).map_err(|error| Refusal::new(format!("histograms.{name}: {error}")))?;
    let ms = |ns: u64| ns as f64 / NANOSECONDS_PER_MILLISECOND;
    let mut out = String::from("       Value     Percentile TotalCount 1/(1-Percentile)\n\n");
    let mut total = 0;
    for step in histogram.iter_quantiles(TICKS_PER_HALF_DISTANCE) {
        total += step.count_since_last_iteration();
        let quantile = step.quantile_iterated_to();
        let value = ms(step.value_iterated_to());
        let _ = write!(out, "{value:12.3} {quantile:.12} {total:10}");
        // The last line has no distance to 100 % left.
        let _ = if quantile < 1.0 { writeln!(out, " {:14.2}", 1.0 / (1.0 - quantile)) } else { writeln!(out) };
    }
    let (mean, deviation) =
        (histogram.mean() / NANOSECONDS_PER_MILLISECOND, histogram.stdev() / NANOSECONDS_PER_MILLISECOND);
    let _ = writeln!(out, "#[Mean    = {mean:12.3}, StdDeviation   = {deviation:12.3}]");
    let _ = writeln!(out, "#[Max     = {:12.3}, Total count    = {:12}]", ms(histogram.max()), histogram.len());
    let _ = writeln!(out, "#[Buckets = {:12}, SubBuckets     = {:12}]", histogram.buckets(), sub_buckets(&histogram));
    Ok(out)
}

/// The linear buckets of a power of two that this many significant digits take.
fn sub_buckets(histogram: &hdrhistogram::Histogram<u64>) -> u64 {
    (2 * 10_u64.pow(u32::from(histogram.sigfig()))).next_power_of_two()
}
