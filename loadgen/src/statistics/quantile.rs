//! Order statistics.

/// The middle value, or the mean of the two in the middle; absent without values.
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// The value below which a `share` (0 to 1) of the values lies, between two neighbours on the straight line that joins them (type 7 of
/// Hyndman and Fan, the default of R and `NumPy`); absent without values.
pub fn quantile(values: &[f64], share: f64) -> Option<f64> {
    assert!((0.0..=1.0).contains(&share), "a share of the values");
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let position = share * last as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(last);
    Some(sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_of_an_even_number_lies_between_the_two_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn quantiles_are_those_that_r_gives_by_default() {
        // quantile(c(1, 2, 4, 8, 16), c(0.1, 0.25, 0.9))
        let values = [16.0, 8.0, 4.0, 2.0, 1.0];
        let near = |share, expected: f64| (quantile(&values, share).expect("values") - expected).abs() < 1e-12;
        assert!(near(0.1, 1.4) && near(0.25, 2.0) && near(0.9, 12.8) && near(1.0, 16.0));
    }
}
