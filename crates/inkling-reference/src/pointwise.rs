//! Twins of the shaders of 1×1 convolutions on packed weights.

use crate::{PointwiseBackwardWeightParams, PointwiseForwardParams, PointwisePackParams, Real};

/// Output channels of a block.
const OUTPUTS: usize = 32;
/// Stands for "no bias".
const NONE: u32 = u32::MAX;

/// Packs weights as `[tasks, output blocks, rows of inputs, 32 outputs]`, zero where there is no
/// channel; transposed, inputs and outputs change places.
pub fn pointwise_pack<F: Real>(params: &PointwisePackParams, parameters: &[F], packed: &mut [F]) {
    let [blocks, rows, inputs, outputs] =
        [params.blocks, params.rows, params.inputs, params.outputs].map(|value| value as usize);
    for task in 0..params.tasks as usize {
        let weights = params.weight_offset as usize + task * params.parameter_stride as usize;
        let mut at = task * params.task_elements as usize;
        for block in 0..blocks {
            for n in 0..rows {
                for o in block * OUTPUTS..(block + 1) * OUTPUTS {
                    let weight = if params.transpose == 0 { o * inputs + n } else { n * outputs + o };
                    packed[at] = if n < inputs && o < outputs { parameters[weights + weight] } else { F::ZERO };
                    at += 1;
                }
            }
        }
    }
}

/// 1×1 convolution of a slab of input channels to a block of 32 output channels with packed weights
/// `[inputs, 32 outputs]`, for `images` images from `first_image` on; where `accumulate`, added to
/// what is there.
pub fn pointwise_forward<F: Real>(
    params: &PointwiseForwardParams,
    input: &[F],
    weights: &[F],
    parameters: &[F],
    output: &mut [F],
) {
    let [in_channels, out_channels, pixels, first_output] =
        [params.in_channels, params.out_channels, params.pixels, params.first_output].map(|value| value as usize);
    for image in params.first_image as usize..(params.first_image + params.images) as usize {
        for o in first_output..out_channels.min(first_output + OUTPUTS) {
            for pixel in 0..pixels {
                let mut sum = F::ZERO;
                for n in 0..params.slab_inputs as usize {
                    let plane = image * in_channels + params.first_input as usize + n;
                    sum += weights[n * OUTPUTS + o - first_output] * input[plane * pixels + pixel];
                }
                let at = (image * out_channels + o) * pixels + pixel;
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

/// Partial sums `[splits, outputs · inputs + outputs]` of the gradient of weights and biases.
pub fn pointwise_backward_weight<F: Real>(
    params: &PointwiseBackwardWeightParams,
    input: &[F],
    d_output: &[F],
    partials: &mut [F],
) {
    let [inputs, outputs, pixels, segments] =
        [params.in_channels, params.out_channels, params.pixels, params.segments].map(|value| value as usize);
    let length = outputs * (inputs + 1);
    partials[..params.splits as usize * length].fill(F::ZERO);
    for image in 0..params.images as usize {
        let (task, number) = (image / params.images_per_task as usize, image % params.images_per_task as usize);
        for pixel in 0..pixels {
            let segment = pixel / params.segment_pixels as usize;
            let split = number / params.images_per_split as usize * segments + segment;
            let sums = &mut partials[(task * params.splits_per_task as usize + split) * length..][..length];
            for o in 0..outputs {
                let dy = d_output[(image * outputs + o) * pixels + pixel];
                for n in 0..inputs {
                    sums[o * inputs + n] += dy * input[(image * inputs + n) * pixels + pixel];
                }
                sums[outputs * inputs + o] += dy;
            }
        }
    }
}
