//! Where the warm-up of a series ends.

/// Values of a batch, as White's MSER-5 has it: means of five are smoother than single values.
const BATCH: usize = 5;

/// The number of values at the start that do not belong to the steady rest, by MSER-5: leave out what makes the standard error of the mean of the
/// rest smallest. Absent when that is more than half, which says that the series never became steady, or when there are fewer than two batches.
pub fn warmup_length(values: &[f64]) -> Option<usize> {
    let means: Vec<f64> = values.chunks_exact(BATCH).map(|batch| batch.iter().sum::<f64>() / BATCH as f64).collect();
    if means.len() < 2 {
        return None;
    }
    // With fewer than this many batches left a chance agreement would look like the steadiest rest.
    let cuts = 0..means.len().saturating_sub(BATCH).max(1);
    let best = cuts.min_by(|&left, &right| squared_error(&means[left..]).total_cmp(&squared_error(&means[right..])))?;
    (best <= means.len() / 2).then_some(best * BATCH)
}

/// The squared standard error of the mean, a constant factor aside.
fn squared_error(means: &[f64]) -> f64 {
    let count = means.len() as f64;
    let mean = means.iter().sum::<f64>() / count;
    means.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count * count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ramp_before_a_steady_rest_is_left_out() {
        let wobble = |index: usize| (index * 7 % 5) as f64 - 2.0;
        let series: Vec<f64> =
            (0..120).map(|index| if index < 20 { 5.0 * index as f64 } else { 100.0 + wobble(index) }).collect();
        assert_eq!(warmup_length(&series), Some(20));
        assert_eq!(warmup_length(&series[20..]), Some(0));
    }

    #[test]
    fn series_that_never_gets_steady_has_no_answer() {
        let climbing: Vec<f64> = (0..100).map(|index| f64::from(index).exp2()).collect();
        assert_eq!(warmup_length(&climbing), Some(0), "leaving out the start does not make an explosion steadier");
        let late: Vec<f64> = (0..100).map(|index| if index < 70 { f64::from(index * 37 % 41) } else { 50.0 }).collect();
        assert_eq!(warmup_length(&late), None);
        assert_eq!(warmup_length(&[1.0; 9]), None);
    }
}
