//! Central differences, and numbers to differentiate at.
// Each test uses a part of it.
#![allow(dead_code)]

/// Uniform numbers in (−1, 1) from a seed (SplitMix64).
pub fn noise(seed: u64, count: usize) -> Vec<f64> {
    // A seed is mixed first: those of neighbouring seeds would be one sequence, shifted by a place.
    let mut state = mixed(seed);
    (0..count)
        .map(|_| {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            (mixed(state) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
        })
        .collect()
}

fn mixed(state: u64) -> u64 {
    let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Σ a b: a scalar loss whose gradient with respect to `a` is `b`.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Compares a gradient with the central differences of `loss` at `at`, element by element.
///
/// With step h = 1e-5 the truncation h²·f'''/6 stays below 1e-9 for the third derivatives met here
/// (up to some tens), and the rounding ε·|f|/h below 1e-9 for losses up to some tens.
pub fn check(name: &str, at: &[f64], gradient: &[f64], loss: impl Fn(&[f64]) -> f64) {
    assert_eq!(at.len(), gradient.len(), "{name}");
    const STEP: f64 = 1e-5;
    let largest = gradient.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    assert!(largest > 1e-3, "{name}: a gradient of zeros proves nothing");
    let mut moved = at.to_vec();
    for i in 0..at.len() {
        moved[i] = at[i] + STEP;
        let above = loss(&moved);
        moved[i] = at[i] - STEP;
        let below = loss(&moved);
        moved[i] = at[i];
        let difference = (above - below) / (2.0 * STEP);
        let error = (difference - gradient[i]).abs();
        assert!(error <= 1e-8 * (1.0 + largest), "{name}[{i}]: gradient {}, difference {difference}", gradient[i]);
    }
}

/// a + step · b
pub fn along(a: &[f64], b: &[f64], step: f64) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + step * b).collect()
}

/// Compares a tangent with the central difference of `value`, which takes the step along the
/// direction; truncation and rounding as in [`check`].
pub fn check_tangent(name: &str, tangent: &[f64], value: impl Fn(f64) -> Vec<f64>) {
    const STEP: f64 = 1e-5;
    let largest = tangent.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    assert!(largest > 1e-3, "{name}: a tangent of zeros proves nothing");
    let (above, below) = (value(STEP), value(-STEP));
    assert_eq!(above.len(), tangent.len(), "{name}");
    for (i, &tangent) in tangent.iter().enumerate() {
        let difference = (above[i] - below[i]) / (2.0 * STEP);
        let error = (difference - tangent).abs();
        assert!(error <= 1e-8 * (1.0 + largest), "{name}[{i}]: tangent {tangent}, difference {difference}");
    }
}
