//! Twins of the normalisation shaders that do not pool: the general ones with windows of one pixel.

use crate::{
    NormBackwardInputParams, NormBackwardSumsParams, NormForwardParams, NormFrozenBackwardParams,
    NormUnpooledForwardParams, Real, norm_backward_input, norm_backward_sums, norm_forward,
};

/// Normalisation, scale and shift, activation: input `[images, channels, pixels]`, output alike.
pub fn norm_unpooled_forward<F: Real>(
    params: &NormUnpooledForwardParams,
    input: &[F],
    statistics: &[F],
    parameters: &[F],
    output: &mut [F],
) {
    let params = NormForwardParams {
        images: params.images,
        channels: params.channels,
        height: params.pixels,
        width: 1,
        out_height: params.pixels,
        out_width: 1,
        groups: params.groups,
        images_per_set: params.images_per_set,
        window: 1,
        floor: params.floor,
        ceiling: params.ceiling,
        output_offset: params.output_offset,
        images_per_task: params.images_per_task,
        parameter_stride: params.parameter_stride,
        weight_offset: params.weight_offset,
        bias_offset: params.bias_offset,
    };
    norm_forward(&params, input, statistics, parameters, output);
}

/// The gradient of the input where the statistics are frozen, and the sums of
/// [`norm_backward_sums`].
pub fn norm_frozen_backward<F: Real>(
    params: &NormFrozenBackwardParams,
    input: &[F],
    statistics: &[F],
    parameters: &[F],
    d_output: &[F],
    sums: &mut [F],
    d_input: &mut [F],
) {
    let NormFrozenBackwardParams { images, channels, pixels, .. } = *params;
    let of_sums = NormBackwardSumsParams {
        images,
        channels,
        height: pixels,
        width: 1,
        out_height: pixels,
        out_width: 1,
        groups: channels,
        images_per_set: images,
        window: 1,
        floor: params.floor,
        ceiling: params.ceiling,
        d_output_offset: params.d_output_offset,
        images_per_task: params.images_per_task,
        parameter_stride: params.parameter_stride,
        weight_offset: params.weight_offset,
        bias_offset: params.bias_offset,
        segment_cells: params.segment_pixels,
        segments: params.segments,
    };
    norm_backward_sums(&of_sums, input, statistics, parameters, d_output, sums);
    let of_input = NormBackwardInputParams {
        images,
        channels,
        height: pixels,
        width: 1,
        out_height: pixels,
        out_width: 1,
        groups: channels,
        images_per_set: images,
        window: 1,
        floor: params.floor,
        ceiling: params.ceiling,
        d_output_offset: params.d_output_offset,
        images_per_task: params.images_per_task,
        parameter_stride: params.parameter_stride,
        weight_offset: params.weight_offset,
        bias_offset: params.bias_offset,
        coupled: 0,
    };
    let row_sums = vec![F::ZERO; 2 * channels as usize];
    norm_backward_input(&of_input, input, statistics, parameters, d_output, &row_sums, d_input);
}
