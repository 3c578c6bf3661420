//! Twins of the shaders of linear layers; weight `[out_features, in_features]`.

use crate::{LinearBackwardInputParams, LinearBackwardWeightParams, LinearForwardParams, Real};

/// `y = W x + b` for each image: input `[images, in_features]`, output `[images, out_features]`.
pub fn linear_forward<F: Real>(params: &LinearForwardParams, input: &[F], parameters: &[F], output: &mut [F]) {
    let [inputs, outputs] = [params.in_features, params.out_features].map(|value| value as usize);
    for image in 0..params.images as usize {
        let task_offset = image / params.images_per_task as usize * params.parameter_stride as usize;
        for o in 0..outputs {
            let mut sum = parameters[params.bias_offset as usize + task_offset + o];
            for i in 0..inputs {
                let weight = parameters[params.weight_offset as usize + task_offset + o * inputs + i];
                sum += weight * input[image * inputs + i];
            }
            output[image * outputs + o] = sum;
        }
    }
}

/// Gradient with respect to the input.
pub fn linear_backward_input<F: Real>(
    params: &LinearBackwardInputParams,
    d_output: &[F],
    parameters: &[F],
    d_input: &mut [F],
) {
    let [inputs, outputs] = [params.in_features, params.out_features].map(|value| value as usize);
    for image in 0..params.images as usize {
        let task_offset = image / params.images_per_task as usize * params.parameter_stride as usize;
        for i in 0..inputs {
            let mut sum = F::ZERO;
            for o in 0..outputs {
                let weight = parameters[params.weight_offset as usize + task_offset + o * inputs + i];
                sum += weight * d_output[image * outputs + o];
            }
            d_input[image * inputs + i] = sum;
        }
    }
}

/// Gradient with respect to weights and biases, added to `gradient`.
pub fn linear_backward_weight<F: Real>(
    params: &LinearBackwardWeightParams,
    input: &[F],
    d_output: &[F],
    gradient: &mut [F],
) {
    let [inputs, outputs] = [params.in_features, params.out_features].map(|value| value as usize);
    for image in 0..params.images as usize {
        let task_offset = image / params.images_per_task as usize * params.gradient_stride as usize;
        for o in 0..outputs {
            let dy = d_output[image * outputs + o];
            gradient[params.bias_offset as usize + task_offset + o] += dy;
            for i in 0..inputs {
                let at = params.weight_offset as usize + task_offset + o * inputs + i;
                gradient[at] += dy * input[image * inputs + i];
            }
        }
    }
}
