//! The backward twins of normalisation against central differences, as the layer composes them.

mod common;

use common::{along, check, check_tangent, dot, noise};
use inkling_reference::*;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Group(u32),
    Batch,
    Frozen,
}

const TASKS: u32 = 2;
const IMAGES_PER_TASK: u32 = 3;
const IMAGES: u32 = TASKS * IMAGES_PER_TASK;
const CHANNELS: u32 = 4;
const HEIGHT: u32 = 5;
const WIDTH: u32 = 4;
const EPSILON: f32 = 1e-3;
/// One task's weights, biases, and some padding between and behind them.
const STRIDE: u32 = 13;
const WEIGHT_OFFSET: u32 = 2;
const BIAS_OFFSET: u32 = 7;
const OUTPUT_OFFSET: u32 = 3;

/// No activation, a ReLU, and one with a ceiling within the values' reach.
const LINEAR: [f32; 2] = [f32::MIN, f32::MAX];
const RELU: [f32; 2] = [0.0, f32::MAX];
const CEILING: [f32; 2] = [0.0, 0.7];

struct Layer {
    mode: Mode,
    window: u32,
    bounds: [f32; 2],
    running: Vec<f64>,
}

impl Layer {
    /// (sets, images of a set, groups)
    fn rows(&self) -> (u32, u32, u32) {
        match self.mode {
            Mode::Group(groups) => (IMAGES, 1, groups),
            Mode::Batch => (TASKS, IMAGES_PER_TASK, CHANNELS),
            Mode::Frozen => (1, IMAGES, CHANNELS),
        }
    }

    fn statistics(&self, input: &[f64]) -> Vec<f64> {
        let (sets, images_per_set, groups) = self.rows();
        let mut statistics = vec![f64::NAN; (2 * sets * groups) as usize];
        if self.mode == Mode::Frozen {
            let params = NormRunningParams { channels: CHANNELS, mean_offset: 1, variance_offset: 6, epsilon: EPSILON };
            norm_running(&params, &self.running, &mut statistics);
            return statistics;
        }
        let (pixels, segment_pixels) = (HEIGHT * WIDTH, 7);
        let segments = pixels.div_ceil(segment_pixels);
        let mut moments = vec![f64::NAN; (IMAGES * CHANNELS * segments * 2) as usize];
        let params = NormMomentsParams { images: IMAGES, channels: CHANNELS, pixels, segment_pixels, segments };
        norm_moments(&params, input, &mut moments);
        let params = NormCombineParams {
            sets,
            images_per_set,
            channels: CHANNELS,
            groups,
            pixels,
            segment_pixels,
            segments,
            epsilon: EPSILON,
        };
        norm_combine(&params, &moments, &mut statistics);
        statistics
    }

    fn forward(&self, input: &[f64], parameters: &[f64]) -> Vec<f64> {
        let (_, images_per_set, groups) = self.rows();
        let (out_height, out_width) = (HEIGHT / self.window, WIDTH / self.window);
        let mut output = vec![0.0; (OUTPUT_OFFSET + IMAGES * CHANNELS * out_height * out_width) as usize];
        let params = NormForwardParams {
            images: IMAGES,
            channels: CHANNELS,
            height: HEIGHT,
            width: WIDTH,
            out_height,
            out_width,
            groups,
            images_per_set,
            window: self.window,
            floor: self.bounds[0],
            ceiling: self.bounds[1],
            output_offset: OUTPUT_OFFSET,
            images_per_task: IMAGES_PER_TASK,
            parameter_stride: STRIDE,
            weight_offset: WEIGHT_OFFSET,
            bias_offset: BIAS_OFFSET,
        };
        norm_forward(&params, input, &self.statistics(input), parameters, &mut output);
        output
    }

    fn sums(&self, params: &NormBackwardSumsParams, input: &[f64], parameters: &[f64], d_output: &[f64]) -> Vec<f64> {
        let mut sums = vec![f64::NAN; (IMAGES * CHANNELS * params.segments * 2) as usize];
        norm_backward_sums(params, input, &self.statistics(input), parameters, d_output, &mut sums);
        sums
    }

    fn row_sums(&self, segments: u32, sums: &[f64], parameters: &[f64]) -> Vec<f64> {
        let (sets, images_per_set, groups) = self.rows();
        let mut row_sums = vec![f64::NAN; (2 * sets * groups) as usize];
        let params = NormCombineBackwardParams {
            sets,
            images_per_set,
            channels: CHANNELS,
            groups,
            segments,
            images_per_task: IMAGES_PER_TASK,
            parameter_stride: STRIDE,
            weight_offset: WEIGHT_OFFSET,
        };
        norm_combine_backward(&params, sums, parameters, &mut row_sums);
        row_sums
    }

    /// (gradient of the parameters, gradient of the input)
    fn backward(&self, input: &[f64], parameters: &[f64], d_output: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let (_, images_per_set, groups) = self.rows();
        let (out_height, out_width) = (HEIGHT / self.window, WIDTH / self.window);
        let segment_cells = 3;
        let segments = (out_height * out_width).div_ceil(segment_cells);
        let params = NormBackwardSumsParams {
            images: IMAGES,
            channels: CHANNELS,
            height: HEIGHT,
            width: WIDTH,
            out_height,
            out_width,
            groups,
            images_per_set,
            window: self.window,
            floor: self.bounds[0],
            ceiling: self.bounds[1],
            d_output_offset: OUTPUT_OFFSET,
            images_per_task: IMAGES_PER_TASK,
            parameter_stride: STRIDE,
            weight_offset: WEIGHT_OFFSET,
            bias_offset: BIAS_OFFSET,
            segment_cells,
            segments,
        };
        let sums = self.sums(&params, input, parameters, d_output);
        let mut gradient = vec![0.0; parameters.len()];
        let weight_params = NormBackwardWeightParams {
            tasks: TASKS,
            images_per_task: IMAGES_PER_TASK,
            channels: CHANNELS,
            segments,
            sum_values: 2,
            gradient_stride: STRIDE,
            weight_offset: WEIGHT_OFFSET,
            bias_offset: BIAS_OFFSET,
        };
        norm_backward_weight(&weight_params, &sums, &mut gradient);
        let row_sums = self.row_sums(segments, &sums, parameters);
        let mut d_input = vec![f64::NAN; input.len()];
        let input_params = NormBackwardInputParams {
            images: IMAGES,
            channels: CHANNELS,
            height: HEIGHT,
            width: WIDTH,
            out_height,
            out_width,
            groups,
            images_per_set,
            window: self.window,
            floor: self.bounds[0],
            ceiling: self.bounds[1],
            d_output_offset: OUTPUT_OFFSET,
            images_per_task: IMAGES_PER_TASK,
            parameter_stride: STRIDE,
            weight_offset: WEIGHT_OFFSET,
            bias_offset: BIAS_OFFSET,
            coupled: u32::from(self.mode != Mode::Frozen),
        };
        let statistics = self.statistics(input);
        norm_backward_input(&input_params, input, &statistics, parameters, d_output, &row_sums, &mut d_input);
        (gradient, d_input)
    }
}

/// A point and a direction: input, parameters, gradient of the output.
struct Point {
    input: Vec<f64>,
    parameters: Vec<f64>,
    d_output: Vec<f64>,
}

impl Point {
    fn along(&self, direction: &Self, step: f64) -> Self {
        Self {
            input: along(&self.input, &direction.input, step),
            parameters: along(&self.parameters, &direction.parameters, step),
            d_output: along(&self.d_output, &direction.d_output, step),
        }
    }
}

impl Layer {
    fn coupled(&self) -> u32 {
        u32::from(self.mode != Mode::Frozen)
    }

    fn tangent_sums(&self, at: &Point, dot: &Point) -> Vec<f64> {
        let (sets, images_per_set, groups) = self.rows();
        let (pixels, segment_pixels) = (HEIGHT * WIDTH, 7);
        let segments = pixels.div_ceil(segment_pixels);
        let params = NormTangentSumsParams {
            images: IMAGES,
            channels: CHANNELS,
            pixels,
            groups,
            images_per_set,
            segment_pixels,
            segments,
        };
        let mut sums = vec![f64::NAN; (IMAGES * CHANNELS * segments * 2) as usize];
        norm_tangent_sums(&params, &at.input, &dot.input, &self.statistics(&at.input), &mut sums);
        let params = NormCombineBackwardParams {
            sets,
            images_per_set,
            channels: CHANNELS,
            groups,
            segments,
            images_per_task: IMAGES_PER_TASK,
            parameter_stride: STRIDE,
            weight_offset: u32::MAX,
        };
        let mut row_sums = vec![f64::NAN; (2 * sets * groups) as usize];
        norm_combine_backward(&params, &sums, &at.parameters, &mut row_sums);
        row_sums
    }

    fn tangent(&self, at: &Point, dot: &Point) -> Vec<f64> {
        let (_, images_per_set, groups) = self.rows();
        let params = NormTangentParams {
            images: IMAGES,
            channels: CHANNELS,
            height: HEIGHT,
            width: WIDTH,
            out_height: HEIGHT / self.window,
            out_width: WIDTH / self.window,
            groups,
            images_per_set,
            window: self.window,
            floor: self.bounds[0],
            ceiling: self.bounds[1],
            output_offset: OUTPUT_OFFSET,
            images_per_task: IMAGES_PER_TASK,
            parameter_stride: STRIDE,
            weight_offset: WEIGHT_OFFSET,
            bias_offset: BIAS_OFFSET,
            coupled: self.coupled(),
        };
        let mut output_dot = vec![0.0; at.d_output.len()];
        norm_tangent(
            &params,
            &at.input,
            &dot.input,
            &self.statistics(&at.input),
            &self.tangent_sums(at, dot),
            &at.parameters,
            &dot.parameters,
            &mut output_dot,
        );
        output_dot
    }

    /// (tangent of the parameters' gradient, tangent of the input's)
    fn backward_tangent(&self, at: &Point, dot: &Point) -> (Vec<f64>, Vec<f64>) {
        let (sets, images_per_set, groups) = self.rows();
        let (out_height, out_width) = (HEIGHT / self.window, WIDTH / self.window);
        let segment_cells = 3;
        let segments = (out_height * out_width).div_ceil(segment_cells);
        let (statistics, tangent_sums) = (self.statistics(&at.input), self.tangent_sums(at, dot));
        let params = NormBackwardSumsTangentParams {
            images: IMAGES,
            channels: CHANNELS,
            height: HEIGHT,
            width: WIDTH,
            out_height,
            out_width,
            groups,
            images_per_set,
            window: self.window,
            floor: self.bounds[0],
            ceiling: self.bounds[1],
            d_output_offset: OUTPUT_OFFSET,
            images_per_task: IMAGES_PER_TASK,
            parameter_stride: STRIDE,
            weight_offset: WEIGHT_OFFSET,
            bias_offset: BIAS_OFFSET,
            segment_cells,
            segments,
            coupled: self.coupled(),
        };
        let mut sums = vec![f64::NAN; (IMAGES * CHANNELS * segments * 4) as usize];
        let (w, v) = (&at.parameters, &dot.parameters);
        norm_backward_sums_tangent(
            &params,
            &at.input,
            &dot.input,
            &statistics,
            &tangent_sums,
            w,
            &at.d_output,
            &dot.d_output,
            &mut sums,
        );
        let mut gradient_dot = vec![0.0; w.len()];
        let params = NormBackwardWeightParams {
            tasks: TASKS,
            images_per_task: IMAGES_PER_TASK,
            channels: CHANNELS,
            segments,
            sum_values: 4,
            gradient_stride: STRIDE,
            weight_offset: WEIGHT_OFFSET,
            bias_offset: BIAS_OFFSET,
        };
        norm_backward_weight(&params, &sums, &mut gradient_dot);
        let params = NormCombineBackwardTangentParams {
            sets,
            images_per_set,
            channels: CHANNELS,
            groups,
            segments,
            images_per_task: IMAGES_PER_TASK,
            parameter_stride: STRIDE,
            weight_offset: WEIGHT_OFFSET,
        };
        let mut row_sums = vec![f64::NAN; (2 * sets * groups) as usize];
        let mut rows = vec![f64::NAN; (8 * sets * groups) as usize];
        norm_combine_backward_tangent(&params, &sums, w, v, &statistics, &tangent_sums, &mut row_sums, &mut rows);
        let params = NormBackwardInputTangentParams {
            images: IMAGES,
            channels: CHANNELS,
            height: HEIGHT,
            width: WIDTH,
            out_height,
            out_width,
            groups,
            images_per_set,
            window: self.window,
            floor: self.bounds[0],
            ceiling: self.bounds[1],
            d_output_offset: OUTPUT_OFFSET,
            images_per_task: IMAGES_PER_TASK,
            parameter_stride: STRIDE,
            weight_offset: WEIGHT_OFFSET,
            bias_offset: BIAS_OFFSET,
            coupled: self.coupled(),
        };
        let mut d_input_dot = vec![f64::NAN; at.input.len()];
        norm_backward_input_tangent(
            &params,
            &at.input,
            &dot.input,
            &rows,
            w,
            v,
            &at.d_output,
            &dot.d_output,
            &mut d_input_dot,
        );
        (gradient_dot, d_input_dot)
    }
}

#[test]
fn tangents_of_every_mode_window_and_activation_agree_with_central_differences() {
    let mut running = noise(3, 10);
    running.iter_mut().for_each(|value| *value = value.abs() + 0.1);
    for mode in [Mode::Group(1), Mode::Group(2), Mode::Group(4), Mode::Batch, Mode::Frozen] {
        for window in [1, 2] {
            for bounds in [LINEAR, RELU, CEILING] {
                let layer = Layer { mode, window, bounds, running: running.clone() };
                let outputs = (OUTPUT_OFFSET + IMAGES * CHANNELS * (HEIGHT / window) * (WIDTH / window)) as usize;
                let point = |seed| Point {
                    input: noise(seed, (IMAGES * CHANNELS * HEIGHT * WIDTH) as usize),
                    parameters: noise(seed + 1, (TASKS * STRIDE) as usize),
                    d_output: noise(seed + 2, outputs),
                };
                let (at, dot) = (point(1), point(5));
                let name = format!("{mode:?}, window {window}, bounds {bounds:?}");
                check_tangent(&format!("{name}, output"), &layer.tangent(&at, &dot), |step| {
                    let moved = at.along(&dot, step);
                    layer.forward(&moved.input, &moved.parameters)
                });
                let (gradient_dot, d_input_dot) = layer.backward_tangent(&at, &dot);
                let moved = |step| {
                    let moved = at.along(&dot, step);
                    layer.backward(&moved.input, &moved.parameters, &moved.d_output)
                };
                check_tangent(&format!("{name}, gradient"), &gradient_dot, |step| moved(step).0);
                check_tangent(&format!("{name}, d_input"), &d_input_dot, |step| moved(step).1);
            }
        }
    }
}

#[test]
fn every_mode_window_and_activation_agrees_with_central_differences() {
    let input = noise(1, (IMAGES * CHANNELS * HEIGHT * WIDTH) as usize);
    let parameters = noise(2, (TASKS * STRIDE) as usize);
    // Negative and positive weights both occur: max-pooling after a falling map takes the minimum.
    assert!(parameters[2..6].iter().any(|&weight| weight < 0.0));
    assert!(parameters[2..6].iter().any(|&weight| weight > 0.0));
    let mut running = noise(3, 10);
    running.iter_mut().for_each(|value| *value = value.abs() + 0.1);
    for mode in [Mode::Group(1), Mode::Group(2), Mode::Group(4), Mode::Batch, Mode::Frozen] {
        for window in [1, 2] {
            for bounds in [LINEAR, RELU, CEILING] {
                let layer = Layer { mode, window, bounds, running: running.clone() };
                let outputs = layer.forward(&input, &parameters).len();
                let d_output = noise(4, outputs);
                let (gradient, d_input) = layer.backward(&input, &parameters, &d_output);
                let name = format!("{mode:?}, window {window}, bounds {bounds:?}");
                check(&format!("{name}, input"), &input, &d_input, |input| {
                    dot(&layer.forward(input, &parameters), &d_output)
                });
                check(&format!("{name}, parameters"), &parameters, &gradient, |parameters| {
                    dot(&layer.forward(&input, parameters), &d_output)
                });
            }
        }
    }
}

#[test]
fn a_shared_gradient_is_the_sum_of_the_tasks() {
    let sums = noise(5, (IMAGES * CHANNELS * 3 * 2) as usize);
    let params = NormBackwardWeightParams {
        tasks: TASKS,
        images_per_task: IMAGES_PER_TASK,
        channels: CHANNELS,
        segments: 3,
        sum_values: 2,
        gradient_stride: 8,
        weight_offset: 0,
        bias_offset: 4,
    };
    let mut separate = [0.0; 16];
    norm_backward_weight(&params, &sums, &mut separate);
    let mut shared = [0.0; 8];
    norm_backward_weight(&NormBackwardWeightParams { gradient_stride: 0, ..params }, &sums, &mut shared);
    for i in 0..8 {
        // Six f64 additions of numbers below one, in another order.
        assert!((shared[i] - separate[i] - separate[8 + i]).abs() < 1e-14);
    }
}

/// One image of one channel, 2×2, frozen at mean 0 and rstd 1, γ = 1, β = 0, pooled by 2.
fn route(input: [f64; 4], [floor, ceiling]: [f32; 2]) -> [f64; 4] {
    let params = NormBackwardInputParams {
        images: 1,
        channels: 1,
        height: 2,
        width: 2,
        out_height: 1,
        out_width: 1,
        groups: 1,
        images_per_set: 1,
        window: 2,
        floor,
        ceiling,
        d_output_offset: 0,
        images_per_task: 1,
        parameter_stride: 0,
        weight_offset: 0,
        bias_offset: 1,
        coupled: 0,
    };
    let mut d_input = [f64::NAN; 4];
    norm_backward_input(&params, &input, &[0.0, 1.0], &[1.0, 0.0], &[5.0], &[0.0, 0.0], &mut d_input);
    d_input
}

#[test]
fn ties_go_to_the_first_pixel_and_an_activation_is_closed_at_its_bounds() {
    assert_eq!(route([1.0, 3.0, 3.0, 3.0], RELU), [0.0, 5.0, 0.0, 0.0]);
    assert_eq!(route([2.0, 2.0, 2.0, 2.0], LINEAR), [5.0, 0.0, 0.0, 0.0]);
    assert_eq!(route([0.0, -1.0, -2.0, 0.0], RELU), [0.0; 4]);
    assert_eq!(route([0.0, -1.0, -2.0, 0.0], LINEAR), [5.0, 0.0, 0.0, 0.0]);
    assert_eq!(route([1.0, 6.0, 3.0, 3.0], [0.0, 6.0]), [0.0; 4]);
}

#[test]
fn moments_survive_a_mean_far_from_zero() {
    // f32 with mean 1000 and deviation ±1: E[x²] − E[x]² would keep one digit at best.
    let input: Vec<f32> = (0..1000).map(|i| 1000.0 + if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
    let params = NormMomentsParams { images: 1, channels: 1, pixels: 1000, segment_pixels: 300, segments: 4 };
    let mut moments = [0.0_f32; 8];
    norm_moments(&params, &input, &mut moments);
    let params = NormCombineParams {
        sets: 1,
        images_per_set: 1,
        channels: 1,
        groups: 1,
        pixels: 1000,
        segment_pixels: 300,
        segments: 4,
        epsilon: 0.0,
    };
    let mut statistics = [0.0_f32; 2];
    norm_combine(&params, &moments, &mut statistics);
    assert_eq!(statistics[0], 1000.0);
    // Some roundings of 2⁻²⁴ each; the variance is exactly one.
    assert!((statistics[1] - 1.0).abs() < 8.0 * f32::EPSILON, "{}", statistics[1]);
}

/// The twins without pooling, of two tasks with scales of their own, against central differences.
#[test]
fn frozen_norms_without_pooling_agree_with_central_differences() {
    let pixels = HEIGHT * WIDTH;
    let (segment_pixels, segments) = (7, pixels.div_ceil(7));
    let statistics: Vec<f64> = (0..CHANNELS).flat_map(|channel| [0.1 * f64::from(channel), 1.5]).collect();
    let input = noise(1, (IMAGES * CHANNELS * pixels) as usize);
    let parameters = noise(2, (TASKS * STRIDE) as usize);
    let d_output = noise(3, (OUTPUT_OFFSET + IMAGES * CHANNELS * pixels) as usize);
    for [floor, ceiling] in [LINEAR, RELU, CEILING] {
        let forward = NormUnpooledForwardParams {
            images: IMAGES,
            channels: CHANNELS,
            pixels,
            segment_pixels,
            groups: CHANNELS,
            images_per_set: IMAGES,
            floor,
            ceiling,
            output_offset: OUTPUT_OFFSET,
            images_per_task: IMAGES_PER_TASK,
            parameter_stride: STRIDE,
            weight_offset: WEIGHT_OFFSET,
            bias_offset: BIAS_OFFSET,
        };
        let loss = |input: &[f64], parameters: &[f64]| {
            let mut output = vec![0.0; d_output.len()];
            norm_unpooled_forward(&forward, input, &statistics, parameters, &mut output);
            dot(&output, &d_output)
        };
        let backward = NormFrozenBackwardParams {
            images: IMAGES,
            channels: CHANNELS,
            pixels,
            segment_pixels,
            segments,
            floor,
            ceiling,
            d_output_offset: OUTPUT_OFFSET,
            images_per_task: IMAGES_PER_TASK,
            parameter_stride: STRIDE,
            weight_offset: WEIGHT_OFFSET,
            bias_offset: BIAS_OFFSET,
        };
        let mut sums = vec![f64::NAN; (2 * IMAGES * CHANNELS * segments) as usize];
        let mut d_input = vec![f64::NAN; input.len()];
        norm_frozen_backward(&backward, &input, &statistics, &parameters, &d_output, &mut sums, &mut d_input);
        check("input", &input, &d_input, |input| loss(input, &parameters));
        let weight = NormBackwardWeightParams {
            tasks: TASKS,
            images_per_task: IMAGES_PER_TASK,
            channels: CHANNELS,
            segments,
            sum_values: 2,
            gradient_stride: STRIDE,
            weight_offset: WEIGHT_OFFSET,
            bias_offset: BIAS_OFFSET,
        };
        let mut gradient = vec![0.0; parameters.len()];
        norm_backward_weight(&weight, &sums, &mut gradient);
        check("parameters", &parameters, &gradient, |parameters| loss(&input, parameters));
    }
}
