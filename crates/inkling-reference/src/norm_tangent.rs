//! Twins of the normalisation shaders' tangents: of the forward pass and, forward over reverse, of
//! the backward pass. The tap of the pooling and the mask of the ReLU are those of the primal pass.

use crate::norm::layout;
use crate::norm_backward::affine;
use crate::{
    NormBackwardInputTangentParams, NormBackwardSumsTangentParams, NormCombineBackwardTangentParams, NormTangentParams,
    NormTangentSumsParams, Real,
};

/// Values of a row that [`norm_combine_backward_tangent`] writes.
const ROW: usize = 8;

/// Sums `[images, channels, segments, 2]` of ẋ and ẋ·x̂ over the pixels of each segment.
pub fn norm_tangent_sums<F: Real>(
    params: &NormTangentSumsParams,
    input: &[F],
    input_dot: &[F],
    statistics: &[F],
    sums: &mut [F],
) {
    let [channels, pixels, groups, images_per_set, segment_pixels, segments] =
        [params.channels, params.pixels, params.groups, params.images_per_set, params.segment_pixels, params.segments]
            .map(|value| value as usize);
    for plane in 0..params.images as usize * channels {
        let (image, channel) = (plane / channels, plane % channels);
        let row = image / images_per_set * groups + channel / (channels / groups);
        let (mean, rstd) = (statistics[2 * row], statistics[2 * row + 1]);
        for segment in 0..segments {
            let (mut sum, mut product_sum) = (F::ZERO, F::ZERO);
            for pixel in segment * segment_pixels..pixels.min((segment + 1) * segment_pixels) {
                let at = plane * pixels + pixel;
                sum += input_dot[at];
                product_sum += input_dot[at] * (input[at] - mean) * rstd;
            }
            let at = 2 * (plane * segments + segment);
            sums[at] = sum;
            sums[at + 1] = product_sum;
        }
    }
}

/// The means (T0, T1) over a row through which its pixels' tangents are coupled; zero where the
/// statistics are frozen.
fn row_means<F: Real>(coupled: u32, tangent_sums: [F; 2], count: F) -> [F; 2] {
    if coupled == 0 { [F::ZERO; 2] } else { tangent_sums.map(|sum| sum / count) }
}

/// Tangent of the layer: output_dot `[images, channels, out_height, out_width]` from element
/// `output_offset`.
// The bindings of the shader, in their order.
#[allow(clippy::too_many_arguments)]
pub fn norm_tangent<F: Real>(
    params: &NormTangentParams,
    input: &[F],
    input_dot: &[F],
    statistics: &[F],
    tangent_sums: &[F],
    parameters: &[F],
    direction: &[F],
    output_dot: &mut [F],
) {
    let layout = layout!(params);
    let count = layout.row_count();
    layout.for_each_plane(|plane, row, parameter| {
        let affine = affine!(params, &statistics[2 * row..], parameters, parameter);
        let means = row_means(params.coupled, [tangent_sums[2 * row], tangent_sums[2 * row + 1]], count);
        let weight_dot = direction[params.weight_offset as usize + parameter];
        let bias_dot = direction[params.bias_offset as usize + parameter];
        for cell in 0..layout.cells() {
            let mut y_dot = F::ZERO;
            if let Some(pixel) = affine.routed(&layout, input, plane, cell) {
                let normalised = affine.normalised(input[pixel]);
                let normalised_dot = affine.normalised_dot(normalised, input_dot[pixel], means);
                y_dot = weight_dot * normalised + affine.weight * normalised_dot + bias_dot;
            }
            output_dot[params.output_offset as usize + plane * layout.cells() + cell] = y_dot;
        }
    });
}

/// Sums `[images, channels, segments, 4]` over the cells of each segment: the tangents of Σ dŷ and
/// Σ dŷ·x̂, and these themselves.
// The bindings of the shader, in their order.
#[allow(clippy::too_many_arguments)]
pub fn norm_backward_sums_tangent<F: Real>(
    params: &NormBackwardSumsTangentParams,
    input: &[F],
    input_dot: &[F],
    statistics: &[F],
    tangent_sums: &[F],
    parameters: &[F],
    d_output: &[F],
    d_output_dot: &[F],
    sums: &mut [F],
) {
    let layout = layout!(params);
    let count = layout.row_count();
    let [segment_cells, segments] = [params.segment_cells, params.segments].map(|value| value as usize);
    layout.for_each_plane(|plane, row, parameter| {
        let affine = affine!(params, &statistics[2 * row..], parameters, parameter);
        let means = row_means(params.coupled, [tangent_sums[2 * row], tangent_sums[2 * row + 1]], count);
        for segment in 0..segments {
            let mut totals = [F::ZERO; 4];
            for cell in segment * segment_cells..layout.cells().min((segment + 1) * segment_cells) {
                if let Some(pixel) = affine.routed(&layout, input, plane, cell) {
                    let at = params.d_output_offset as usize + plane * layout.cells() + cell;
                    let (dy, dy_dot) = (d_output[at], d_output_dot[at]);
                    let normalised = affine.normalised(input[pixel]);
                    let normalised_dot = affine.normalised_dot(normalised, input_dot[pixel], means);
                    totals[0] += dy_dot;
                    totals[1] += dy_dot * normalised + dy * normalised_dot;
                    totals[2] += dy;
                    totals[3] += dy * normalised;
                }
            }
            let at = 4 * (plane * segments + segment);
            sums[at..at + 4].copy_from_slice(&totals);
        }
    });
}

/// Row sums `[sets, groups, 2]` Σ γ dŷ and Σ γ dŷ·x̂, and rows `[sets, groups, 8]`: the statistics,
/// the tangent sums, the row sums, and their tangents.
// The bindings of the shader, in their order.
#[allow(clippy::too_many_arguments)]
pub fn norm_combine_backward_tangent<F: Real>(
    params: &NormCombineBackwardTangentParams,
    sums: &[F],
    parameters: &[F],
    direction: &[F],
    statistics: &[F],
    tangent_sums: &[F],
    row_sums: &mut [F],
    rows: &mut [F],
) {
    let [channels, groups, segments, images_per_set, images_per_task] =
        [params.channels, params.groups, params.segments, params.images_per_set, params.images_per_task]
            .map(|value| value as usize);
    for row in 0..params.sets as usize * groups {
        let (set, group) = (row / groups, row % groups);
        let mut totals = [F::ZERO; 4];
        for image in set * images_per_set..(set + 1) * images_per_set {
            let task_offset = image / images_per_task * params.parameter_stride as usize;
            for channel in group * (channels / groups)..(group + 1) * (channels / groups) {
                let at = params.weight_offset as usize + task_offset + channel;
                let (weight, weight_dot) = (parameters[at], direction[at]);
                for segment in 0..segments {
                    let at = 4 * ((image * channels + channel) * segments + segment);
                    totals[0] += weight * sums[at + 2];
                    totals[1] += weight * sums[at + 3];
                    totals[2] += weight_dot * sums[at + 2] + weight * sums[at];
                    totals[3] += weight_dot * sums[at + 3] + weight * sums[at + 1];
                }
            }
        }
        row_sums[2 * row..2 * row + 2].copy_from_slice(&totals[..2]);
        let to = &mut rows[ROW * row..ROW * (row + 1)];
        to[..2].copy_from_slice(&statistics[2 * row..2 * row + 2]);
        to[2..4].copy_from_slice(&tangent_sums[2 * row..2 * row + 2]);
        to[4..].copy_from_slice(&totals);
    }
}

/// Tangent of the gradient with respect to the input, every element of it.
// The bindings of the shader, in their order.
#[allow(clippy::too_many_arguments)]
pub fn norm_backward_input_tangent<F: Real>(
    params: &NormBackwardInputTangentParams,
    input: &[F],
    input_dot: &[F],
    rows: &[F],
    parameters: &[F],
    direction: &[F],
    d_output: &[F],
    d_output_dot: &[F],
    d_input_dot: &mut [F],
) {
    let layout = layout!(params);
    let pixels = layout.height * layout.width;
    let count = layout.row_count();
    layout.for_each_plane(|plane, row, parameter| {
        let values = &rows[ROW * row..ROW * (row + 1)];
        let affine = affine!(params, values, parameters, parameter);
        let weight_dot = direction[params.weight_offset as usize + parameter];
        let means = row_means(params.coupled, [values[2], values[3]], count);
        let [r0, r1] = row_means(params.coupled, [values[4], values[5]], count);
        let [r0_dot, r1_dot] = row_means(params.coupled, [values[6], values[7]], count);
        // dx = rstd · inner, and rstd˙ = −rstd² · T1.
        let tangent = |inner: F, inner_dot: F| affine.rstd * (inner_dot - affine.rstd * means[1] * inner);
        for pixel in plane * pixels..(plane + 1) * pixels {
            let normalised = affine.normalised(input[pixel]);
            let normalised_dot = affine.normalised_dot(normalised, input_dot[pixel], means);
            let inner = -(r0 + normalised * r1);
            let inner_dot = -(r0_dot + normalised_dot * r1 + normalised * r1_dot);
            d_input_dot[pixel] = tangent(inner, inner_dot);
        }
        for cell in 0..layout.cells() {
            if let Some(pixel) = affine.routed(&layout, input, plane, cell) {
                let at = params.d_output_offset as usize + plane * layout.cells() + cell;
                let inner_dot = weight_dot * d_output[at] + affine.weight * d_output_dot[at];
                d_input_dot[pixel] += tangent(affine.weight * d_output[at], inner_dot);
            }
        }
    });
}
