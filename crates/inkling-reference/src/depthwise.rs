//! Twins of the depthwise convolution shaders:
//! `y_c = Σ_{u,v} w_cuv x_c(stride·(y,x) + (u,v) − padding)` with zeros outside the image.

use crate::{DepthwiseBackwardInputParams, DepthwiseBackwardWeightParams, DepthwiseForwardParams, Real};

/// The sizes that the three passes share.
struct Geometry {
    images: usize,
    channels: usize,
    in_height: usize,
    in_width: usize,
    out_height: usize,
    out_width: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
}

impl Geometry {
    /// Calls `visit(image, input, output, weight)` with flat indices for every product; that of the
    /// weight counts from the first weight.
    fn for_each_product(&self, mut visit: impl FnMut(usize, usize, usize, usize)) {
        for plane in 0..self.images * self.channels {
            let (image, channel) = (plane / self.channels, plane % self.channels);
            for cell in 0..self.out_height * self.out_width {
                let (out_y, out_x) = (cell / self.out_width, cell % self.out_width);
                for tap in 0..self.kernel * self.kernel {
                    let y = out_y * self.stride + tap / self.kernel;
                    let x = out_x * self.stride + tap % self.kernel;
                    let inside_y = y >= self.padding && y - self.padding < self.in_height;
                    let inside_x = x >= self.padding && x - self.padding < self.in_width;
                    if inside_y && inside_x {
                        let row = plane * self.in_height + y - self.padding;
                        let input = row * self.in_width + x - self.padding;
                        let output = plane * self.out_height * self.out_width + cell;
                        visit(image, input, output, channel * self.kernel * self.kernel + tap);
                    }
                }
            }
        }
    }
}

macro_rules! geometry {
    ($params:ident) => {
        Geometry {
            images: $params.images as usize,
            channels: $params.channels as usize,
            in_height: $params.in_height as usize,
            in_width: $params.in_width as usize,
            out_height: $params.out_height as usize,
            out_width: $params.out_width as usize,
            kernel: $params.kernel as usize,
            stride: $params.stride as usize,
            padding: $params.padding as usize,
        }
    };
}

/// Depthwise convolution: input `[images, channels, in_height, in_width]`, output
/// `[images, channels, out_height, out_width]`; where `accumulate`, added to what is there.
pub fn depthwise_forward<F: Real>(params: &DepthwiseForwardParams, input: &[F], parameters: &[F], output: &mut [F]) {
    let geometry = geometry!(params);
    let task_offset = |image| image / params.images_per_task as usize * params.parameter_stride as usize;
    let outputs = geometry.images * geometry.channels * geometry.out_height * geometry.out_width;
    if params.accumulate == 0 {
        output[..outputs].fill(F::ZERO);
    }
    geometry.for_each_product(|image, x, y, weight| {
        output[y] += parameters[params.weight_offset as usize + task_offset(image) + weight] * input[x];
    });
}

/// Gradient with respect to the input; where `accumulate`, added to what is there.
pub fn depthwise_backward_input<F: Real>(
    params: &DepthwiseBackwardInputParams,
    d_output: &[F],
    parameters: &[F],
    d_input: &mut [F],
) {
    let geometry = geometry!(params);
    let task_offset = |image| image / params.images_per_task as usize * params.parameter_stride as usize;
    let inputs = geometry.images * geometry.channels * geometry.in_height * geometry.in_width;
    if params.accumulate == 0 {
        d_input[..inputs].fill(F::ZERO);
    }
    geometry.for_each_product(|image, x, y, weight| {
        d_input[x] += parameters[params.weight_offset as usize + task_offset(image) + weight] * d_output[y];
    });
}

/// Partial sums `[splits, channels, kernel, kernel]` of the gradient with respect to the weights.
pub fn depthwise_backward_weight<F: Real>(
    params: &DepthwiseBackwardWeightParams,
    input: &[F],
    d_output: &[F],
    partials: &mut [F],
) {
    let geometry = geometry!(params);
    let weights = geometry.channels * geometry.kernel * geometry.kernel;
    partials[..params.splits as usize * weights].fill(F::ZERO);
    geometry.for_each_product(|image, x, y, weight| {
        let (task, number) = (image / params.images_per_task as usize, image % params.images_per_task as usize);
        let split = task * params.splits_per_task as usize + number / params.images_per_split as usize;
        partials[split * weights + weight] += d_output[y] * input[x];
    });
}
