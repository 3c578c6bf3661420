//! Twins of the shaders that measure what an adapter can do at best.

use crate::{PeakCopyParams, PeakMultiplyParams, Real};

/// `output` = `input`, `[quads, 4]`.
pub fn peak_copy<F: Real>(params: &PeakCopyParams, input: &[F], output: &mut [F]) {
    let values = 4 * params.quads as usize;
    output[..values].copy_from_slice(&input[..values]);
}

/// Twelve values of each invocation, multiplied and added to 8·rounds times; their sum.
pub fn peak_multiply<F: Real>(params: &PeakMultiplyParams, factors: &[F], output: &mut [F]) {
    for (index, sum) in output.iter_mut().enumerate().take(params.invocations as usize) {
        *sum = F::ZERO;
        for lane in 0..12 {
            let mut value = F::count(index + lane);
            for _ in 0..8 * params.rounds {
                value = value * factors[0] + factors[1];
            }
            *sum += value;
        }
    }
}
