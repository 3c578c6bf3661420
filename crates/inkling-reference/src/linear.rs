//! Twins of the shaders of linear layers; weight `[out_features, in_features]`.

use crate::{LinearBackwardInputParams, LinearBackwardWeightParams, LinearForwardParams, Real};

/// Stands for "no bias".
const NONE: u32 = u32::MAX;

/// `y = W x + b` for `images` images from `first_image` on, counted over all tasks: input
/// `[·, in_features]`, output `[·, out_features]`; where `accumulate`, added to what is there.
pub fn linear_forward<F: Real>(params: &LinearForwardParams, input: &[F], parameters: &[F], output: &mut [F]) {
    let [inputs, outputs] = [params.in_features, params.out_features].map(|value| value as usize);
    for image in params.first_image as usize..(params.first_image + params.images) as usize {
        let task_offset = image / params.images_per_task as usize * params.parameter_stride as usize;
        for o in 0..outputs {
            let before = if params.accumulate != 0 { output[image * outputs + o] } else { F::ZERO };
            let mut sum = match params.bias_offset {
                NONE => before,
                offset => before + parameters[offset as usize + task_offset + o],
            };
            for i in 0..inputs {
                let weight = parameters[params.weight_offset as usize + task_offset + o * inputs + i];
                sum += weight * input[image * inputs + i];
            }
            output[image * outputs + o] = sum;
        }
    }
}

/// Gradient with respect to the input; where `accumulate`, added to what is there.
pub fn linear_backward_input<F: Real>(
    params: &LinearBackwardInputParams,
    d_output: &[F],
    parameters: &[F],
    d_input: &mut [F],
) {
    let [inputs, outputs] = [params.in_features, params.out_features].map(|value| value as usize);
    for image in params.first_image as usize..(params.first_image + params.images) as usize {
        let task_offset = image / params.images_per_task as usize * params.parameter_stride as usize;
        for i in 0..inputs {
            let mut sum = if params.accumulate != 0 { d_input[image * inputs + i] } else { F::ZERO };
            for o in 0..outputs {
                let weight = parameters[params.weight_offset as usize + task_offset + o * inputs + i];
                sum += weight * d_output[image * outputs + o];
            }
            d_input[image * inputs + i] = sum;
        }
    }
}

/// Gradient with respect to weights and, where there is a `bias_offset`, biases, added to `gradient`.
pub fn linear_backward_weight<F: Real>(
    params: &LinearBackwardWeightParams,
    input: &[F],
    d_output: &[F],
    gradient: &mut [F],
) {
    let [inputs, outputs] = [params.in_features, params.out_features].map(|value| value as usize);
    for image in params.first_image as usize..(params.first_image + params.images) as usize {
        let task_offset = image / params.images_per_task as usize * params.gradient_stride as usize;
        for o in 0..outputs {
            let dy = d_output[image * outputs + o];
            if params.bias_offset != NONE {
                gradient[params.bias_offset as usize + task_offset + o] += dy;
            }
            for i in 0..inputs {
                let at = params.weight_offset as usize + task_offset + o * inputs + i;
                gradient[at] += dy * input[image * inputs + i];
            }
        }
    }
}
