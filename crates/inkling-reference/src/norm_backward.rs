//! Twins of the normalisation shaders, backward.

use crate::norm::{Layout, layout};
use crate::{
    NormBackwardInputParams, NormBackwardSumsParams, NormBackwardWeightParams, NormCombineBackwardParams, Real,
};

/// Stands for "no weight".
const NONE: u32 = u32::MAX;

/// What one channel of one image is normalised with.
pub(crate) struct Affine<F> {
    pub mean: F,
    pub rstd: F,
    pub weight: F,
    pub bias: F,
    pub bounds: [F; 2],
}

/// The [`Affine`] of a shader's parameters: mean and rstd first in its row, weight and bias at
/// `parameter` of their slices.
macro_rules! affine {
    ($params:ident, $row:expr, $parameters:ident, $parameter:ident) => {{
        let row = $row;
        crate::norm_backward::Affine {
            mean: row[0],
            rstd: row[1],
            weight: $parameters[$params.weight_offset as usize + $parameter],
            bias: $parameters[$params.bias_offset as usize + $parameter],
            bounds: [F::of($params.floor.into()), F::of($params.ceiling.into())],
        }
    }};
}
pub(crate) use affine;

impl<F: Real> Affine<F> {
    /// The pixel of the cell's window that the gradient goes to, or none where the ReLU is closed:
    /// the first at which the value before the ReLU is largest.
    pub fn routed(&self, layout: &Layout, input: &[F], plane: usize, cell: usize) -> Option<usize> {
        let slope = self.weight * self.rstd;
        let direction = if slope > F::ZERO {
            F::ONE
        } else if slope < F::ZERO {
            -F::ONE
        } else {
            F::ZERO
        };
        let mut best: Option<usize> = None;
        layout.for_each_tap(plane, cell, |pixel| {
            if best.is_none_or(|best| direction * input[pixel] > direction * input[best]) {
                best = Some(pixel);
            }
        });
        let [floor, ceiling] = self.bounds;
        best.filter(|&pixel| {
            let z = slope * (input[pixel] - self.mean) + self.bias;
            !(z <= floor || z >= ceiling)
        })
    }

    pub fn normalised(&self, value: F) -> F {
        (value - self.mean) * self.rstd
    }

    /// The tangent of x̂ where that of x is `value_dot` and its row's means are (T0, T1).
    pub fn normalised_dot(&self, normalised: F, value_dot: F, [mean, product]: [F; 2]) -> F {
        self.rstd * (value_dot - mean - normalised * product)
    }
}

/// Sums `[images, channels, segments, 2]` of dŷ and dŷ·x̂ over the cells of each segment.
pub fn norm_backward_sums<F: Real>(
    params: &NormBackwardSumsParams,
    input: &[F],
    statistics: &[F],
    parameters: &[F],
    d_output: &[F],
    sums: &mut [F],
) {
    let layout = layout!(params);
    let [segment_cells, segments] = [params.segment_cells, params.segments].map(|value| value as usize);
    layout.for_each_plane(|plane, row, parameter| {
        let affine = affine!(params, &statistics[2 * row..], parameters, parameter);
        for segment in 0..segments {
            let (mut sum, mut product_sum) = (F::ZERO, F::ZERO);
            for cell in segment * segment_cells..layout.cells().min((segment + 1) * segment_cells) {
                if let Some(pixel) = affine.routed(&layout, input, plane, cell) {
                    let dy = d_output[params.d_output_offset as usize + plane * layout.cells() + cell];
                    sum += dy;
                    product_sum += dy * affine.normalised(input[pixel]);
                }
            }
            let at = 2 * (plane * segments + segment);
            sums[at] = sum;
            sums[at + 1] = product_sum;
        }
    });
}

/// Gradient of weight and bias from the first two of each segment's `sum_values` sums, added to
/// `gradient`.
pub fn norm_backward_weight<F: Real>(params: &NormBackwardWeightParams, sums: &[F], gradient: &mut [F]) {
    let [channels, segments, sum_values, images_per_task] =
        [params.channels, params.segments, params.sum_values, params.images_per_task].map(|value| value as usize);
    for image in 0..params.tasks as usize * images_per_task {
        let task_offset = image / images_per_task * params.gradient_stride as usize;
        for channel in 0..channels {
            for segment in 0..segments {
                let at = sum_values * ((image * channels + channel) * segments + segment);
                gradient[params.bias_offset as usize + task_offset + channel] += sums[at];
                gradient[params.weight_offset as usize + task_offset + channel] += sums[at + 1];
            }
        }
    }
}

/// Row sums `[sets, groups, 2]`: Σ γ dŷ and Σ γ dŷ·x̂ over each row of the statistics; without a
/// `weight_offset`, γ is one.
pub fn norm_combine_backward<F: Real>(
    params: &NormCombineBackwardParams,
    sums: &[F],
    parameters: &[F],
    row_sums: &mut [F],
) {
    let [channels, groups, segments, images_per_set, images_per_task] =
        [params.channels, params.groups, params.segments, params.images_per_set, params.images_per_task]
            .map(|value| value as usize);
    let rows = params.sets as usize * groups;
    row_sums[..2 * rows].fill(F::ZERO);
    for image in 0..params.sets as usize * images_per_set {
        let task_offset = image / images_per_task * params.parameter_stride as usize;
        for channel in 0..channels {
            let row = image / images_per_set * groups + channel / (channels / groups);
            let weight = match params.weight_offset {
                NONE => F::ONE,
                offset => parameters[offset as usize + task_offset + channel],
            };
            for segment in 0..segments {
                let at = 2 * ((image * channels + channel) * segments + segment);
                row_sums[2 * row] += weight * sums[at];
                row_sums[2 * row + 1] += weight * sums[at + 1];
            }
        }
    }
}

/// Gradient with respect to the input, every element of it.
pub fn norm_backward_input<F: Real>(
    params: &NormBackwardInputParams,
    input: &[F],
    statistics: &[F],
    parameters: &[F],
    d_output: &[F],
    row_sums: &[F],
    d_input: &mut [F],
) {
    let layout = layout!(params);
    let pixels = layout.height * layout.width;
    let count = layout.row_count();
    layout.for_each_plane(|plane, row, parameter| {
        let affine = affine!(params, &statistics[2 * row..], parameters, parameter);
        for pixel in plane * pixels..(plane + 1) * pixels {
            let mut coupling = F::ZERO;
            if params.coupled != 0 {
                coupling = (row_sums[2 * row] + affine.normalised(input[pixel]) * row_sums[2 * row + 1]) / count;
            }
            d_input[pixel] = -affine.rstd * coupling;
        }
        for cell in 0..layout.cells() {
            if let Some(pixel) = affine.routed(&layout, input, plane, cell) {
                let dy = d_output[params.d_output_offset as usize + plane * layout.cells() + cell];
                d_input[pixel] += affine.rstd * affine.weight * dy;
            }
        }
    });
}
