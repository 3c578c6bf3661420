//! Twins of the depthwise convolutions of one kernel size and stride. The strips in which the shaders
//! go through an image change no sum, so that the twins know nothing of them.

use crate::depthwise::{depthwise_backward_input, depthwise_forward};
use crate::{
    Depthwise3x3SameParams, Depthwise3x3Stride2BackwardInputParams, Depthwise3x3Stride2ForwardParams,
    Depthwise5x5SameParams, Depthwise5x5Stride2BackwardInputParams, Depthwise5x5Stride2ForwardParams,
    DepthwiseBackwardInputParams, DepthwiseForwardParams, Real,
};

/// The parameters of a kernel for any geometry.
macro_rules! common {
    ($Params:ident, $params:ident, $kernel:literal, $stride:literal, $padding:expr, { $($field:ident: $value:expr),* $(,)? }) => {
        $Params {
            images: $params.images,
            channels: $params.channels,
            kernel: $kernel,
            stride: $stride,
            padding: $padding,
            images_per_task: $params.images_per_task,
            parameter_stride: $params.parameter_stride,
            weight_offset: $params.weight_offset,
            accumulate: 0,
            $($field: $value),*
        }
    };
}

/// Stride 1 and a size that stays. Turned by half a turn, the convolution is the gradient with respect
/// to its input.
macro_rules! same {
    ($params:ident, $kernel:literal, $input:ident, $parameters:ident, $output:ident) => {{
        let (in_height, in_width, out_height, out_width) =
            ($params.height, $params.width, $params.height, $params.width);
        if $params.flip == 0 {
            let params = common!(DepthwiseForwardParams, $params, $kernel, 1, $kernel / 2, {
                in_height: in_height, in_width: in_width, out_height: out_height, out_width: out_width,
            });
            depthwise_forward(&params, $input, $parameters, $output);
        } else {
            let params = common!(DepthwiseBackwardInputParams, $params, $kernel, 1, $kernel / 2, {
                in_height: in_height, in_width: in_width, out_height: out_height, out_width: out_width,
            });
            depthwise_backward_input(&params, $input, $parameters, $output);
        }
    }};
}

/// Depthwise convolution with 3×3 kernels, turned by half a turn where `flip`.
pub fn depthwise3x3_same<F: Real>(params: &Depthwise3x3SameParams, input: &[F], parameters: &[F], output: &mut [F]) {
    same!(params, 3, input, parameters, output);
}

/// Depthwise convolution with 5×5 kernels, turned by half a turn where `flip`.
pub fn depthwise5x5_same<F: Real>(params: &Depthwise5x5SameParams, input: &[F], parameters: &[F], output: &mut [F]) {
    same!(params, 5, input, parameters, output);
}

/// Depthwise convolution with 3×3 kernels and stride 2.
pub fn depthwise3x3_stride2_forward<F: Real>(
    params: &Depthwise3x3Stride2ForwardParams,
    input: &[F],
    parameters: &[F],
    output: &mut [F],
) {
    let params = common!(DepthwiseForwardParams, params, 3, 2, params.padding, {
        in_height: params.in_height, in_width: params.in_width,
        out_height: params.out_height, out_width: params.out_width,
    });
    depthwise_forward(&params, input, parameters, output);
}

/// Depthwise convolution with 5×5 kernels and stride 2.
pub fn depthwise5x5_stride2_forward<F: Real>(
    params: &Depthwise5x5Stride2ForwardParams,
    input: &[F],
    parameters: &[F],
    output: &mut [F],
) {
    let params = common!(DepthwiseForwardParams, params, 5, 2, params.padding, {
        in_height: params.in_height, in_width: params.in_width,
        out_height: params.out_height, out_width: params.out_width,
    });
    depthwise_forward(&params, input, parameters, output);
}

/// Gradient of [`depthwise3x3_stride2_forward`] with respect to the input.
pub fn depthwise3x3_stride2_backward_input<F: Real>(
    params: &Depthwise3x3Stride2BackwardInputParams,
    d_output: &[F],
    parameters: &[F],
    d_input: &mut [F],
) {
    let params = common!(DepthwiseBackwardInputParams, params, 3, 2, params.padding, {
        in_height: params.in_height, in_width: params.in_width,
        out_height: params.out_height, out_width: params.out_width,
    });
    depthwise_backward_input(&params, d_output, parameters, d_input);
}

/// Gradient of [`depthwise5x5_stride2_forward`] with respect to the input.
pub fn depthwise5x5_stride2_backward_input<F: Real>(
    params: &Depthwise5x5Stride2BackwardInputParams,
    d_output: &[F],
    parameters: &[F],
    d_input: &mut [F],
) {
    let params = common!(DepthwiseBackwardInputParams, params, 5, 2, params.padding, {
        in_height: params.in_height, in_width: params.in_width,
        out_height: params.out_height, out_width: params.out_width,
    });
    depthwise_backward_input(&params, d_output, parameters, d_input);
}
