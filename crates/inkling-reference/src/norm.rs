//! Twins of the normalisation shaders, forward.

use crate::{NormCombineParams, NormForwardParams, NormMomentsParams, NormRunningParams, Real};

/// The [`Layout`] of a shader's parameters.
macro_rules! layout {
    ($params:ident) => {
        crate::norm::Layout {
            images: $params.images as usize,
            channels: $params.channels as usize,
            height: $params.height as usize,
            width: $params.width as usize,
            out_height: $params.out_height as usize,
            out_width: $params.out_width as usize,
            groups: $params.groups as usize,
            images_per_set: $params.images_per_set as usize,
            window: $params.window as usize,
            images_per_task: $params.images_per_task as usize,
            parameter_stride: $params.parameter_stride as usize,
        }
    };
}
pub(crate) use layout;

/// Mean and sum of squared deviations of each segment: moments `[images, channels, segments, 2]`.
pub fn norm_moments<F: Real>(params: &NormMomentsParams, input: &[F], moments: &mut [F]) {
    let [pixels, segment_pixels, segments] =
        [params.pixels, params.segment_pixels, params.segments].map(|value| value as usize);
    for plane in 0..(params.images * params.channels) as usize {
        for segment in 0..segments {
            let first = segment * segment_pixels;
            let end = pixels.min(first + segment_pixels);
            let values = &input[plane * pixels + first..plane * pixels + end];
            let (mean, squares) = mean_and_squares(values);
            let at = 2 * (plane * segments + segment);
            moments[at] = mean;
            moments[at + 1] = squares;
        }
    }
}

/// The second pass corrects the mean for the rounding of the first.
fn mean_and_squares<F: Real>(values: &[F]) -> (F, F) {
    let count = F::count(values.len());
    let sum = values.iter().fold(F::ZERO, |sum, &value| sum + value);
    let mean = sum / count;
    let mut residue = F::ZERO;
    let mut squares = F::ZERO;
    for &value in values {
        residue += value - mean;
        squares += (value - mean) * (value - mean);
    }
    (mean + residue / count, (squares - residue * residue / count).at_least(F::ZERO))
}

/// Statistics `[sets, groups, 2]`: mean and `1/√(biased variance + epsilon)` of each row, its
/// segments united by Chan's formula.
pub fn norm_combine<F: Real>(params: &NormCombineParams, moments: &[F], statistics: &mut [F]) {
    let [channels, groups, pixels, segment_pixels, segments] =
        [params.channels, params.groups, params.pixels, params.segment_pixels, params.segments]
            .map(|value| value as usize);
    let images_per_set = params.images_per_set as usize;
    let group_channels = channels / groups;
    for set in 0..params.sets as usize {
        for group in 0..groups {
            let (mut count, mut mean, mut squares) = (F::ZERO, F::ZERO, F::ZERO);
            for image in set * images_per_set..(set + 1) * images_per_set {
                for channel in group * group_channels..(group + 1) * group_channels {
                    for segment in 0..segments {
                        let at = 2 * ((image * channels + channel) * segments + segment);
                        let other_count = F::count(segment_pixels.min(pixels - segment * segment_pixels));
                        let union = count + other_count;
                        let delta = moments[at] - mean;
                        mean += delta * other_count / union;
                        squares += moments[at + 1] + delta * delta * count * other_count / union;
                        count = union;
                    }
                }
            }
            let row = 2 * (set * groups + group);
            statistics[row] = mean;
            statistics[row + 1] = F::ONE / (squares / count + F::of(params.epsilon.into())).sqrt();
        }
    }
}

/// Statistics `[1, channels, 2]` of a frozen normalisation from its running mean and variance.
pub fn norm_running<F: Real>(params: &NormRunningParams, running: &[F], statistics: &mut [F]) {
    for channel in 0..params.channels as usize {
        let variance = running[params.variance_offset as usize + channel];
        statistics[2 * channel] = running[params.mean_offset as usize + channel];
        statistics[2 * channel + 1] = F::ONE / (variance + F::of(params.epsilon.into())).sqrt();
    }
}

/// Normalisation, scale and shift, bounds and max-pooling: input `[images, channels, height, width]`,
/// output `[images, channels, out_height, out_width]` from element `output_offset`.
pub fn norm_forward<F: Real>(
    params: &NormForwardParams,
    input: &[F],
    statistics: &[F],
    parameters: &[F],
    output: &mut [F],
) {
    let layout = layout!(params);
    let [floor, ceiling] = [params.floor, params.ceiling].map(|bound| F::of(bound.into()));
    layout.for_each_plane(|plane, row, parameter| {
        let (mean, rstd) = (statistics[2 * row], statistics[2 * row + 1]);
        let weight = parameters[params.weight_offset as usize + parameter];
        let bias = parameters[params.bias_offset as usize + parameter];
        for cell in 0..layout.cells() {
            let mut best = None;
            layout.for_each_tap(plane, cell, |pixel| {
                let z = weight * rstd * (input[pixel] - mean) + bias;
                let y = if z <= floor {
                    floor
                } else if z >= ceiling {
                    ceiling
                } else {
                    z
                };
                best = Some(best.map_or(y, |best| if y > best { y } else { best }));
            });
            output[params.output_offset as usize + plane * layout.cells() + cell] = best.unwrap_or(F::ZERO);
        }
    });
}

/// How the shaders that see an image, its statistics, its weights and its pooled cells index them.
pub(crate) struct Layout {
    pub images: usize,
    pub channels: usize,
    pub height: usize,
    pub width: usize,
    pub out_height: usize,
    pub out_width: usize,
    pub groups: usize,
    pub images_per_set: usize,
    pub window: usize,
    pub images_per_task: usize,
    pub parameter_stride: usize,
}

impl Layout {
    pub fn cells(&self) -> usize {
        self.out_height * self.out_width
    }

    /// Values of one row of the statistics.
    pub fn row_count<F: Real>(&self) -> F {
        F::count(self.images_per_set * (self.channels / self.groups) * self.height * self.width)
    }

    /// Calls `visit(plane, row of the statistics, offset of the channel's weight in its slice)`.
    pub fn for_each_plane(&self, mut visit: impl FnMut(usize, usize, usize)) {
        for image in 0..self.images {
            for channel in 0..self.channels {
                let row = image / self.images_per_set * self.groups + channel / (self.channels / self.groups);
                let parameter = image / self.images_per_task * self.parameter_stride + channel;
                visit(image * self.channels + channel, row, parameter);
            }
        }
    }

    /// Calls `visit(index of the pixel)` for the pixels of a cell's window, in reading order.
    pub fn for_each_tap(&self, plane: usize, cell: usize, mut visit: impl FnMut(usize)) {
        let (cell_y, cell_x) = (cell / self.out_width, cell % self.out_width);
        for y in cell_y * self.window..(cell_y + 1) * self.window {
            for x in cell_x * self.window..(cell_x + 1) * self.window {
                visit((plane * self.height + y) * self.width + x);
            }
        }
    }
}
