//! Many questions asked of the same runs.

/// Holm's step-down correction: each p, raised so that the chance of even one false alarm among all of them stays below the level that the
/// result is held against. Order is kept.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&left, &right| p[left].total_cmp(&p[right]));
    let mut corrected = vec![0.0; p.len()];
    let mut largest = 0.0_f64;
    for (step, &index) in order.iter().enumerate() {
        largest = largest.max(p[index] * (p.len() - step) as f64).min(1.0);
        corrected[index] = largest;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn correction_is_that_of_r() {
        // p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
        let corrected = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (ours, published) in corrected.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((ours - published).abs() < 1e-12, "{corrected:?}");
        }
        assert!(holm(&[]).is_empty());
        assert_eq!(holm(&[0.7]), [0.7]);
    }

    proptest! {
        #[test]
        fn correction_never_lowers_and_keeps_the_order(p in proptest::collection::vec(0.0..=1.0_f64, 0..12)) {
            let corrected = holm(&p);
            for left in 0..p.len() {
                prop_assert!(corrected[left] >= p[left] && corrected[left] <= 1.0);
                for right in 0..p.len() {
                    prop_assert!(p[left] > p[right] || corrected[left] <= corrected[right]);
                }
            }
        }
    }
}
