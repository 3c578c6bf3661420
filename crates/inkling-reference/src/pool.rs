//! Twins of the pooling shaders.

use crate::{GlobalAveragePoolBackwardParams, GlobalAveragePoolForwardParams, Real};

/// The mean of each channel: input `[images, channels, pixels]`, output `[images, channels]`.
pub fn global_average_pool_forward<F: Real>(params: &GlobalAveragePoolForwardParams, input: &[F], output: &mut [F]) {
    let pixels = params.pixels as usize;
    for plane in 0..(params.images * params.channels) as usize {
        let values = &input[plane * pixels..(plane + 1) * pixels];
        output[plane] = values.iter().fold(F::ZERO, |sum, &value| sum + value) / F::count(pixels);
    }
}

/// Gradient with respect to the input.
pub fn global_average_pool_backward<F: Real>(
    params: &GlobalAveragePoolBackwardParams,
    d_output: &[F],
    d_input: &mut [F],
) {
    let pixels = params.pixels as usize;
    for plane in 0..(params.images * params.channels) as usize {
        d_input[plane * pixels..(plane + 1) * pixels].fill(d_output[plane] / F::count(pixels));
    }
}
