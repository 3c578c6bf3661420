//! Twins of the pooling shaders, and of the sum.

use crate::{GlobalAveragePoolBackwardParams, GlobalAveragePoolForwardParams, Real, SumForwardParams};

/// The mean of each channel: input `[images, channels, pixels]`, output `[images, channels]`.
pub fn global_average_pool_forward<F: Real>(params: &GlobalAveragePoolForwardParams, input: &[F], output: &mut [F]) {
    let pixels = params.pixels as usize;
    for plane in 0..(params.images * params.channels) as usize {
        let values = &input[plane * pixels..(plane + 1) * pixels];
        output[params.output_offset as usize + plane] =
            values.iter().fold(F::ZERO, |sum, &value| sum + value) / F::count(pixels);
    }
}

/// Gradient with respect to the input; where `accumulate`, added to what is there.
pub fn global_average_pool_backward<F: Real>(
    params: &GlobalAveragePoolBackwardParams,
    d_output: &[F],
    d_input: &mut [F],
) {
    let pixels = params.pixels as usize;
    for plane in 0..(params.images * params.channels) as usize {
        let value = d_output[params.d_output_offset as usize + plane] / F::count(pixels);
        for d_input in &mut d_input[plane * pixels..(plane + 1) * pixels] {
            *d_input = if params.accumulate == 0 { value } else { *d_input + value };
        }
    }
}

/// The sum of two tensors of `elements` values.
pub fn sum_forward<F: Real>(params: &SumForwardParams, first: &[F], second: &[F], output: &mut [F]) {
    for at in 0..params.elements as usize {
        output[at] = first[at] + second[at];
    }
}
