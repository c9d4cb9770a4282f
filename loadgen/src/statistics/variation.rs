//! How far repeats of one run lie apart.

/// Standard deviation of the sample as a share of its mean; absent with fewer than two values or a mean of zero.
pub fn coefficient_of_variation(values: &[f64]) -> Option<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let deviation = (squares(values)? / (values.len() as f64 - 1.0)).sqrt();
    (mean != 0.0).then(|| deviation / mean.abs())
}

/// Standard deviation of the logarithms within the two sides, their means apart: the noise of a ratio, 0.02 for about 2 %. Absent when a
/// value is not positive, or when no side has two values.
pub fn pooled_log_deviation(a: &[f64], b: &[f64]) -> Option<f64> {
    let (a, b) = (logarithms(a)?, logarithms(b)?);
    let freedom = a.len().saturating_sub(1) + b.len().saturating_sub(1);
    let sum = squares(&a).unwrap_or(0.0) + squares(&b).unwrap_or(0.0);
    (freedom > 0).then(|| (sum / freedom as f64).sqrt())
}

/// The natural logarithms; absent when a value has none.
pub(super) fn logarithms(values: &[f64]) -> Option<Vec<f64>> {
    values.iter().map(|value| (*value > 0.0).then(|| value.ln())).collect()
}

/// Sum of the squared distances from the mean; absent with fewer than two values.
fn squares(values: &[f64]) -> Option<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (values.len() >= 2).then(|| values.iter().map(|value| (value - mean).powi(2)).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coefficient_is_the_deviation_over_the_mean() {
        let cv = coefficient_of_variation(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).expect("eight values");
        assert!((cv - (32.0_f64 / 7.0).sqrt() / 5.0).abs() < 1e-12);
        assert_eq!(coefficient_of_variation(&[1.0]), None);
        assert_eq!(coefficient_of_variation(&[-1.0, 1.0]), None);
    }

    #[test]
    fn distance_between_the_sides_is_not_noise() {
        let one = pooled_log_deviation(&[1.0, 1.1], &[1.0, 1.1]).expect("positive");
        let far = pooled_log_deviation(&[1.0, 1.1], &[100.0, 110.0]).expect("positive");
        assert!((one - far).abs() < 1e-12);
        assert_eq!(pooled_log_deviation(&[1.0], &[2.0]), None);
        assert_eq!(pooled_log_deviation(&[1.0, 0.0], &[2.0]), None);
    }
}
