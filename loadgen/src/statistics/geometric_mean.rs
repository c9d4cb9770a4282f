//! The mean of ratios.

use super::variation::logarithms;

/// The mean for which twice as fast and half as fast cancel out; absent without values, or when one is not positive.
pub fn geometric_mean(values: &[f64]) -> Option<f64> {
    let logarithms = logarithms(values)?;
    (!values.is_empty()).then(|| (logarithms.iter().sum::<f64>() / values.len() as f64).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_and_half_cancel_out() {
        assert!((geometric_mean(&[2.0, 0.5]).expect("positive") - 1.0).abs() < 1e-12);
        assert!((geometric_mean(&[1.0, 10.0, 100.0]).expect("positive") - 10.0).abs() < 1e-9);
        assert_eq!(geometric_mean(&[]), None);
        assert_eq!(geometric_mean(&[1.0, 0.0]), None);
    }
}
