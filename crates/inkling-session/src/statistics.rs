//! Means of samples and how well they are known.

/// The mean, and half the width of its 95 % interval: 1.96·s/√n with the unbiased s.
pub fn mean_and_interval(values: &[f64]) -> (f64, f64) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, 1.96 * (squares / (count - 1.0).max(1.0) / count).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_the_mean() {
        let (mean, interval) = mean_and_interval(&[0.0, 1.0, 0.0, 1.0]);
        // s² = 1/3, so 1.96·√(1/12).
        assert!((mean - 0.5).abs() < 1e-12 && (interval - 1.96 * (1.0_f64 / 12.0).sqrt()).abs() < 1e-12);
        assert_eq!(mean_and_interval(&[0.25]), (0.25, 0.0));
    }
}
