//! Twin of the convolution of any geometry on packed weights.

use crate::{Conv2dPackedForwardParams, Real};

/// Output channels of a block.
const OUTPUTS: usize = 32;
/// Stands for "no bias".
const NONE: u32 = u32::MAX;

/// Convolution of a slab of terms to a block of 32 output channels with packed weights
/// `[terms, 32 outputs]`, for `images` images from `first_image` on; where `accumulate`, added to what
/// is there. Term (n·k + u)·k + v is the product of channel n at row u and column v of the kernel.
pub fn conv2d_packed_forward<F: Real>(
    params: &Conv2dPackedForwardParams,
    input: &[F],
    weights: &[F],
    parameters: &[F],
    output: &mut [F],
) {
    let [in_channels, in_height, in_width] =
        [params.in_channels, params.in_height, params.in_width].map(|value| value as usize);
    let [out_channels, out_height, out_width] =
        [params.out_channels, params.out_height, params.out_width].map(|value| value as usize);
    let [kernel, stride, padding, first_output] =
        [params.kernel, params.stride, params.padding, params.first_output].map(|value| value as usize);
    let value = |image: usize, term: usize, y: usize, x: usize| {
        let (n, u, v) = (term / (kernel * kernel), term / kernel % kernel, term % kernel);
        let (y, x) = (y * stride + u, x * stride + v);
        let is_inside = y >= padding && y - padding < in_height && x >= padding && x - padding < in_width;
        if !is_inside {
            return F::ZERO;
        }
        input[((image * in_channels + n) * in_height + y - padding) * in_width + x - padding]
    };
    for image in params.first_image as usize..(params.first_image + params.images) as usize {
        for o in first_output..out_channels.min(first_output + OUTPUTS) {
            for pixel in 0..out_height * out_width {
                let (y, x) = (pixel / out_width, pixel % out_width);
                let mut sum = F::ZERO;
                for row in 0..params.slab_terms as usize {
                    let term = params.first_term as usize + row;
                    sum += weights[row * OUTPUTS + o - first_output] * value(image, term, y, x);
                }
                let at = (image * out_channels + o) * out_height * out_width + pixel;
                if params.accumulate != 0 {
                    sum += output[at];
                }
                if params.bias_offset != NONE {
                    sum += parameters[params.bias_offset as usize + o];
                }
                output[at] = sum;
            }
        }
    }
}
