//! Twins of the 3×3 convolution shaders (stride 1, padding 1) that work on packed weights.

use crate::conv2d::{Geometry, Splits};
use crate::{Conv3x3BackwardWeightParams, Conv3x3ForwardParams, Conv3x3PackParams, Real};

/// Output channels of a block.
const OUTPUTS: usize = 16;
/// Input channels of a slab.
const INPUTS: usize = 64;
/// Stands for "no bias".
const NONE: u32 = u32::MAX;

/// Packs weights as `[tasks, output blocks, input slabs, 64 inputs, 9 taps, 16 outputs]`, zero where there
/// is no channel; transposed, inputs and outputs change places and the taps flip.
pub fn conv3x3_pack<F: Real>(params: &Conv3x3PackParams, parameters: &[F], packed: &mut [F]) {
    let [in_channels, out_channels, slabs] =
        [params.in_channels, params.out_channels, params.slabs].map(|value| value as usize);
    let blocks = params.elements as usize / (slabs * INPUTS * 9 * OUTPUTS);
    let mut at = 0;
    for task_and_block in 0..params.tasks as usize * blocks {
        let (task, block) = (task_and_block / blocks, task_and_block % blocks);
        let offset = params.weight_offset as usize + task * params.parameter_stride as usize;
        for slab in 0..slabs {
            for input in slab * INPUTS..(slab + 1) * INPUTS {
                for tap in 0..9 {
                    for output in block * OUTPUTS..(block + 1) * OUTPUTS {
                        let weight = if params.transpose == 0 {
                            (output * in_channels + input) * 9 + tap
                        } else {
                            (input * out_channels + output) * 9 + 8 - tap
                        };
                        let exists = input < in_channels && output < out_channels;
                        packed[at] = if exists { parameters[offset + weight] } else { F::ZERO };
                        at += 1;
                    }
                }
            }
        }
    }
}

/// Convolution of a slab of input channels to a block of 16 output channels with packed weights
/// `[64 inputs, 9 taps, 16 outputs]`, for `images` images from `first_image` on; where
/// `accumulate`, added to what is there.
pub fn conv3x3_forward<F: Real>(
    params: &Conv3x3ForwardParams,
    input: &[F],
    weights: &[F],
    parameters: &[F],
    output: &mut [F],
) {
    let [in_channels, out_channels, height, width] =
        [params.in_channels, params.out_channels, params.height, params.width].map(|value| value as usize);
    let first_output = params.first_output as usize;
    for image in params.first_image as usize..(params.first_image + params.images) as usize {
        for o in first_output..out_channels.min(first_output + OUTPUTS) {
            for y in 0..height {
                for x in 0..width {
                    let mut sum = F::ZERO;
                    for n in 0..params.slab_inputs as usize {
                        let plane = image * in_channels + params.first_input as usize + n;
                        for tap in 0..9 {
                            // The row and column of the input, shifted by one against a border at −1.
                            let (row, column) = (y + tap / 3, x + tap % 3);
                            if (1..=height).contains(&row) && (1..=width).contains(&column) {
                                let weight = weights[(n * 9 + tap) * OUTPUTS + o - first_output];
                                sum += weight * input[(plane * height + row - 1) * width + column - 1];
                            }
                        }
                    }
                    let at = ((image * out_channels + o) * height + y) * width + x;
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
}

/// Partial sums `[splits, weights + biases]` of the gradient with respect to weights and biases.
pub fn conv3x3_backward_weight<F: Real>(
    params: &Conv3x3BackwardWeightParams,
    input: &[F],
    d_output: &[F],
    partials: &mut [F],
) {
    let [height, width] = [params.height, params.width].map(|value| value as usize);
    let geometry = Geometry {
        images: params.images as usize,
        in_channels: params.in_channels as usize,
        out_channels: params.out_channels as usize,
        in_height: height,
        in_width: width,
        out_height: height,
        out_width: width,
        kernel: 3,
        stride: 1,
        padding: 1,
    };
    let splits = Splits {
        splits: params.splits as usize,
        images_per_split: params.images_per_split as usize,
        splits_per_task: params.splits_per_task as usize,
        images_per_task: params.images_per_task as usize,
    };
    geometry.backward_weight(&splits, input, d_output, partials);
}
