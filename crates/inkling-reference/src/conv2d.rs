//! Twins of the convolution shaders: `y_o = b_o + Σ_{i,u,v} w_oiuv x_i(stride·(y,x) + (u,v) − padding)`
//! with zeros outside the image.

use crate::{
    Conv2dBackwardInputParams, Conv2dBackwardWeightParams, Conv2dForwardParams, Conv2dReducePartialsParams, Real,
};

/// The sizes that the three passes share.
pub(crate) struct Geometry {
    pub images: usize,
    pub in_channels: usize,
    pub out_channels: usize,
    pub in_height: usize,
    pub in_width: usize,
    pub out_height: usize,
    pub out_width: usize,
    pub kernel: usize,
    pub stride: usize,
    pub padding: usize,
}

impl Geometry {
    fn input(&self, image: usize, channel: usize, y: usize, x: usize) -> usize {
        ((image * self.in_channels + channel) * self.in_height + y) * self.in_width + x
    }

    fn output(&self, image: usize, channel: usize, y: usize, x: usize) -> usize {
        ((image * self.out_channels + channel) * self.out_height + y) * self.out_width + x
    }

    fn weight(&self, o: usize, i: usize, u: usize, v: usize) -> usize {
        ((o * self.in_channels + i) * self.kernel + u) * self.kernel + v
    }

    /// Calls `visit(image, input, output, weight)` with flat indices for every product of the
    /// convolution; that of the weight counts from the first weight.
    fn for_each_product(&self, mut visit: impl FnMut(usize, usize, usize, usize)) {
        for image in 0..self.images {
            for o in 0..self.out_channels {
                for out_y in 0..self.out_height {
                    for out_x in 0..self.out_width {
                        let output = self.output(image, o, out_y, out_x);
                        for i in 0..self.in_channels {
                            for u in 0..self.kernel {
                                for v in 0..self.kernel {
                                    let (y, x) = (out_y * self.stride + u, out_x * self.stride + v);
                                    let inside_y = y >= self.padding && y - self.padding < self.in_height;
                                    let inside_x = x >= self.padding && x - self.padding < self.in_width;
                                    if inside_y && inside_x {
                                        let input = self.input(image, i, y - self.padding, x - self.padding);
                                        visit(image, input, output, self.weight(o, i, u, v));
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// Calls `visit(image, o, output)` for every output element.
    fn for_each_output(&self, mut visit: impl FnMut(usize, usize, usize)) {
        let pixels = self.out_height * self.out_width;
        for image in 0..self.images {
            for o in 0..self.out_channels {
                for pixel in 0..pixels {
                    visit(image, o, (image * self.out_channels + o) * pixels + pixel);
                }
            }
        }
    }
}

macro_rules! geometry {
    ($params:ident) => {
        Geometry {
            images: $params.images as usize,
            in_channels: $params.in_channels as usize,
            out_channels: $params.out_channels as usize,
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

/// Stands for "no bias".
const NONE: u32 = u32::MAX;

/// Convolution with bias, or without: input `[images, in_channels, in_height, in_width]`, output
/// `[images, out_channels, out_height, out_width]`; where `accumulate`, added to what is there.
pub fn conv2d_forward<F: Real>(params: &Conv2dForwardParams, input: &[F], parameters: &[F], output: &mut [F]) {
    let geometry = geometry!(params);
    let task_offset = |image| image / params.images_per_task as usize * params.parameter_stride as usize;
    geometry.for_each_output(|image, o, at| {
        let before = if params.accumulate != 0 { output[at] } else { F::ZERO };
        let has_bias = params.bias_offset != NONE;
        let bias = if has_bias { parameters[params.bias_offset as usize + task_offset(image) + o] } else { F::ZERO };
        output[at] = before + bias;
    });
    geometry.for_each_product(|image, x, y, weight| {
        output[y] += parameters[params.weight_offset as usize + task_offset(image) + weight] * input[x];
    });
}

/// Gradient with respect to the input; where `accumulate`, added to what is there.
pub fn conv2d_backward_input<F: Real>(
    params: &Conv2dBackwardInputParams,
    d_output: &[F],
    parameters: &[F],
    d_input: &mut [F],
) {
    let geometry = geometry!(params);
    let task_offset = |image| image / params.images_per_task as usize * params.parameter_stride as usize;
    let inputs = geometry.images * geometry.in_channels * geometry.in_height * geometry.in_width;
    if params.accumulate == 0 {
        d_input[..inputs].fill(F::ZERO);
    }
    geometry.for_each_product(|image, x, y, weight| {
        d_input[x] += parameters[params.weight_offset as usize + task_offset(image) + weight] * d_output[y];
    });
}

/// Partial sums `[splits, weights + biases]` of the gradient with respect to weights and biases.
pub fn conv2d_backward_weight<F: Real>(
    params: &Conv2dBackwardWeightParams,
    input: &[F],
    d_output: &[F],
    partials: &mut [F],
) {
    let splits = Splits {
        splits: params.splits as usize,
        images_per_split: params.images_per_split as usize,
        splits_per_task: params.splits_per_task as usize,
        images_per_task: params.images_per_task as usize,
    };
    geometry!(params).backward_weight(&splits, input, d_output, partials);
}

/// How the images of a weight gradient are divided; a split belongs to one task.
pub(crate) struct Splits {
    pub splits: usize,
    pub images_per_split: usize,
    pub splits_per_task: usize,
    pub images_per_task: usize,
}

impl Splits {
    fn of(&self, image: usize) -> usize {
        let (task, in_task) = (image / self.images_per_task, image % self.images_per_task);
        task * self.splits_per_task + in_task / self.images_per_split
    }
}

impl Geometry {
    pub(crate) fn backward_weight<F: Real>(&self, splits: &Splits, input: &[F], d_output: &[F], partials: &mut [F]) {
        let weights = self.out_channels * self.in_channels * self.kernel * self.kernel;
        let length = weights + self.out_channels;
        partials[..splits.splits * length].fill(F::ZERO);
        self.for_each_output(|image, o, at| partials[splits.of(image) * length + weights + o] += d_output[at]);
        self.for_each_product(|image, x, y, weight| {
            partials[splits.of(image) * length + weight] += input[x] * d_output[y];
        });
    }
}

/// Adds the splits of `[tasks, splits_per_task, weights + biases]` to the gradient: the first
/// `added` of each task.
pub fn conv2d_reduce_partials<F: Real>(params: &Conv2dReducePartialsParams, partials: &[F], gradient: &mut [F]) {
    let [splits, weights, biases] = [params.splits_per_task, params.weights, params.biases].map(|value| value as usize);
    let length = weights + biases;
    for task in 0..params.tasks as usize {
        for k in 0..params.added as usize {
            let mut sum = F::ZERO;
            for split in 0..splits {
                sum += partials[(task * splits + split) * length + k];
            }
            let offset =
                if k < weights { params.weight_offset as usize + k } else { params.bias_offset as usize + k - weights };
            gradient[task * params.gradient_stride as usize + offset] += sum;
        }
    }
}
