//! Twins of ELU and its gradient.

use crate::{EluBackwardParams, EluForwardParams, Real};

/// ELU of `elements` values, in place.
pub fn elu_forward<F: Real>(params: &EluForwardParams, values: &mut [F]) {
    for value in &mut values[..params.elements as usize] {
        if *value <= F::ZERO {
            *value = value.exp() - F::ONE;
        }
    }
}

/// From the gradient of ELU's output, and that output, to the gradient of its input, in place.
pub fn elu_backward<F: Real>(params: &EluBackwardParams, output: &[F], gradient: &mut [F]) {
    for at in 0..params.elements as usize {
        if output[at] <= F::ZERO {
            gradient[at] = gradient[at] * (output[at] + F::ONE);
        }
    }
}
