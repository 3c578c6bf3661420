//! The backward twins of the depthwise convolution against central differences, and the twins of
//! faster kernels against the plain ones of the same formula.

mod common;

use common::{along, check, check_tangent, dot, noise};
use inkling_reference::*;

const CHANNELS: u32 = 3;
const OFFSET: u32 = 5;
const TASKS: u32 = 2;
const IMAGES_PER_TASK: u32 = 2;
const IMAGES: u32 = TASKS * IMAGES_PER_TASK;

fn stride(kernel: u32) -> u32 {
    OFFSET + CHANNELS * kernel * kernel + 2
}

fn forward_params([in_size, out_size]: [[u32; 2]; 2], [kernel, step, padding]: [u32; 3]) -> DepthwiseForwardParams {
    DepthwiseForwardParams {
        images: IMAGES,
        channels: CHANNELS,
        in_height: in_size[0],
        in_width: in_size[1],
        out_height: out_size[0],
        out_width: out_size[1],
        kernel,
        stride: step,
        padding,
        images_per_task: IMAGES_PER_TASK,
        parameter_stride: stride(kernel),
        weight_offset: OFFSET,
        accumulate: 0,
    }
}

fn backward_params(forward: &DepthwiseForwardParams) -> DepthwiseBackwardInputParams {
    DepthwiseBackwardInputParams {
        images: forward.images,
        channels: forward.channels,
        in_height: forward.in_height,
        in_width: forward.in_width,
        out_height: forward.out_height,
        out_width: forward.out_width,
        kernel: forward.kernel,
        stride: forward.stride,
        padding: forward.padding,
        images_per_task: forward.images_per_task,
        parameter_stride: forward.parameter_stride,
        weight_offset: forward.weight_offset,
        accumulate: 0,
    }
}

fn weight_gradient(
    forward: &DepthwiseForwardParams,
    input: &[f64],
    d_output: &[f64],
    splits_per_task: u32,
) -> Vec<f64> {
    let weights = CHANNELS * forward.kernel * forward.kernel;
    let params = DepthwiseBackwardWeightParams {
        images: forward.images,
        channels: forward.channels,
        in_height: forward.in_height,
        in_width: forward.in_width,
        out_height: forward.out_height,
        out_width: forward.out_width,
        kernel: forward.kernel,
        stride: forward.stride,
        padding: forward.padding,
        splits: TASKS * splits_per_task,
        images_per_split: IMAGES_PER_TASK / splits_per_task,
        splits_per_task,
        images_per_task: IMAGES_PER_TASK,
    };
    let mut partials = vec![f64::NAN; (TASKS * splits_per_task * weights) as usize];
    depthwise_backward_weight(&params, input, d_output, &mut partials);
    let reduce = Conv2dReducePartialsParams {
        tasks: TASKS,
        splits_per_task,
        weights,
        biases: 0,
        added: weights,
        weight_offset: OFFSET,
        bias_offset: 0,
        gradient_stride: stride(forward.kernel),
    };
    let mut gradient = vec![0.0; (TASKS * stride(forward.kernel)) as usize];
    conv2d_reduce_partials(&reduce, &partials, &mut gradient);
    gradient
}

#[test]
fn every_geometry_agrees_with_central_differences() {
    for (sizes, window) in [
        ([[5, 4], [5, 4]], [3, 1, 1]),
        // SAME at stride 2: no zeros before an even size, one before an odd one.
        ([[6, 4], [3, 2]], [3, 2, 0]),
        ([[5, 7], [3, 4]], [3, 2, 1]),
        ([[6, 5], [6, 5]], [5, 1, 2]),
        ([[8, 6], [4, 3]], [5, 2, 1]),
    ] {
        let forward = forward_params(sizes, window);
        let input = noise(1, (IMAGES * CHANNELS * sizes[0][0] * sizes[0][1]) as usize);
        let parameters = noise(2, (TASKS * stride(window[0])) as usize);
        let d_output = noise(3, (IMAGES * CHANNELS * sizes[1][0] * sizes[1][1]) as usize);
        let loss = |input: &[f64], parameters: &[f64]| {
            let mut output = vec![f64::NAN; d_output.len()];
            depthwise_forward(&forward, input, parameters, &mut output);
            dot(&output, &d_output)
        };
        let mut d_input = vec![f64::NAN; input.len()];
        depthwise_backward_input(&backward_params(&forward), &d_output, &parameters, &mut d_input);
        check("input", &input, &d_input, |input| loss(input, &parameters));
        for splits_per_task in [1, 2] {
            let gradient = weight_gradient(&forward, &input, &d_output, splits_per_task);
            check("parameters", &parameters, &gradient, |parameters| loss(&input, parameters));
        }
    }
}

/// Two launches each, of which the second adds: the products of one factor with the other's tangent.
#[test]
fn tangents_agree_with_central_differences() {
    for (sizes, window) in [([[5, 4], [5, 4]], [3, 1, 1]), ([[5, 7], [3, 4]], [3, 2, 1]), ([[6, 5], [6, 5]], [5, 1, 2])]
    {
        let forward = forward_params(sizes, window);
        let backward = backward_params(&forward);
        let inputs = (IMAGES * CHANNELS * sizes[0][0] * sizes[0][1]) as usize;
        let outputs = (IMAGES * CHANNELS * sizes[1][0] * sizes[1][1]) as usize;
        let parameters = (TASKS * stride(window[0])) as usize;
        let [(x, x_dot), (w, w_dot), (dy, dy_dot)] =
            [inputs, parameters, outputs].map(|count| (noise(1 + count as u64, count), noise(2 + count as u64, count)));
        let mut y_dot = vec![f64::NAN; outputs];
        depthwise_forward(&forward, &x_dot, &w, &mut y_dot);
        depthwise_forward(&DepthwiseForwardParams { accumulate: 1, ..forward }, &x, &w_dot, &mut y_dot);
        check_tangent("output", &y_dot, |step| {
            let mut y = vec![f64::NAN; outputs];
            depthwise_forward(&forward, &along(&x, &x_dot, step), &along(&w, &w_dot, step), &mut y);
            y
        });
        let mut dx_dot = vec![f64::NAN; inputs];
        depthwise_backward_input(&backward, &dy_dot, &w, &mut dx_dot);
        depthwise_backward_input(&DepthwiseBackwardInputParams { accumulate: 1, ..backward }, &dy, &w_dot, &mut dx_dot);
        check_tangent("d_input", &dx_dot, |step| {
            let mut dx = vec![f64::NAN; inputs];
            depthwise_backward_input(&backward, &along(&dy, &dy_dot, step), &along(&w, &w_dot, step), &mut dx);
            dx
        });
        let products = [weight_gradient(&forward, &x, &dy_dot, 1), weight_gradient(&forward, &x_dot, &dy, 1)];
        check_tangent("gradient", &along(&products[0], &products[1], 1.0), |step| {
            weight_gradient(&forward, &along(&x, &x_dot, step), &along(&dy, &dy_dot, step), 1)
        });
    }
}

/// What the kernels for stride 1 are called with, for either of their sizes.
macro_rules! same_params {
    ($Params:ident, $forward:ident, $flip:expr) => {
        $Params {
            images: $forward.images,
            channels: $forward.channels,
            height: $forward.in_height,
            width: $forward.in_width,
            rows: 4,
            images_per_task: $forward.images_per_task,
            parameter_stride: $forward.parameter_stride,
            weight_offset: $forward.weight_offset,
            flip: $flip,
        }
    };
}

#[test]
fn kernels_for_stride_1_are_both_directions_of_the_plain_ones() {
    for kernel in [3, 5] {
        let forward = forward_params([[6, 7]; 2], [kernel, 1, kernel / 2]);
        let input = noise(1, (IMAGES * CHANNELS * 6 * 7) as usize);
        let parameters = noise(2, (TASKS * stride(kernel)) as usize);
        let run = |flip: u32| {
            let mut output = vec![f64::NAN; input.len()];
            if kernel == 3 {
                let params = same_params!(Depthwise3x3SameParams, forward, flip);
                depthwise3x3_same(&params, &input, &parameters, &mut output);
            } else {
                let params = same_params!(Depthwise5x5SameParams, forward, flip);
                depthwise5x5_same(&params, &input, &parameters, &mut output);
            }
            output
        };
        let mut plain = vec![f64::NAN; input.len()];
        depthwise_forward(&forward, &input, &parameters, &mut plain);
        let mut back = vec![f64::NAN; input.len()];
        depthwise_backward_input(&backward_params(&forward), &input, &parameters, &mut back);
        for (found, expected) in run(0).iter().chain(&run(1)).zip(plain.iter().chain(&back)) {
            assert!((found - expected).abs() < 1e-12, "{found}, expected {expected}");
        }
    }
}

/// What a kernel for stride 2 is called with; its strips have `$rows: 2`.
macro_rules! stride2_params {
    ($Params:ident, $forward:ident, $rows:ident) => {
        $Params {
            images: $forward.images,
            channels: $forward.channels,
            in_height: $forward.in_height,
            in_width: $forward.in_width,
            out_height: $forward.out_height,
            out_width: $forward.out_width,
            padding: $forward.padding,
            $rows: 2,
            images_per_task: $forward.images_per_task,
            parameter_stride: $forward.parameter_stride,
            weight_offset: $forward.weight_offset,
        }
    };
}

#[test]
fn kernels_for_stride_2_are_the_plain_ones() {
    for kernel in [3, 5] {
        let forward = forward_params([[7, 8], [4, 4]], [kernel, 2, kernel / 2]);
        let input = noise(1, (IMAGES * CHANNELS * 7 * 8) as usize);
        let d_output = noise(3, (IMAGES * CHANNELS * 4 * 4) as usize);
        let parameters = noise(2, (TASKS * stride(kernel)) as usize);
        let (mut output, mut d_input) = (vec![f64::NAN; d_output.len()], vec![f64::NAN; input.len()]);
        if kernel == 3 {
            let params = stride2_params!(Depthwise3x3Stride2ForwardParams, forward, rows);
            depthwise3x3_stride2_forward(&params, &input, &parameters, &mut output);
            let params = stride2_params!(Depthwise3x3Stride2BackwardInputParams, forward, pairs);
            depthwise3x3_stride2_backward_input(&params, &d_output, &parameters, &mut d_input);
        } else {
            let params = stride2_params!(Depthwise5x5Stride2ForwardParams, forward, rows);
            depthwise5x5_stride2_forward(&params, &input, &parameters, &mut output);
            let params = stride2_params!(Depthwise5x5Stride2BackwardInputParams, forward, pairs);
            depthwise5x5_stride2_backward_input(&params, &d_output, &parameters, &mut d_input);
        }
        let mut plain = vec![f64::NAN; d_output.len()];
        depthwise_forward(&forward, &input, &parameters, &mut plain);
        let mut back = vec![f64::NAN; input.len()];
        depthwise_backward_input(&backward_params(&forward), &d_output, &parameters, &mut back);
        assert_eq!((output, d_input), (plain, back));
    }
}

/// The packed 1×1 convolution in both directions against the plain twins: 70 outputs are three
/// blocks.
#[test]
fn pointwise_products_are_both_directions_of_a_convolution() {
    let (images, inputs, outputs, pixels) = (2, 5, 70, 6);
    let parameters = noise(1, (OFFSET + inputs * outputs) as usize);
    let product = |from: u32, to: u32, transpose: u32, input: &[f64]| {
        let (blocks, rows) = (to.div_ceil(32), from.next_multiple_of(2));
        let mut packed = vec![f64::NAN; (blocks * rows * 32) as usize];
        let params = PointwisePackParams {
            tasks: 1,
            blocks,
            rows,
            inputs: from,
            outputs: to,
            task_elements: blocks * rows * 32,
            parameter_stride: 0,
            weight_offset: OFFSET,
            transpose,
        };
        pointwise_pack(&params, &parameters, &mut packed);
        let mut output = vec![f64::NAN; (images * to * pixels) as usize];
        for block in 0..blocks {
            let params = PointwiseForwardParams {
                first_image: 0,
                images,
                in_channels: from,
                out_channels: to,
                pixels,
                first_input: 0,
                slab_inputs: from,
                first_output: 32 * block,
                bias_offset: u32::MAX,
                accumulate: 0,
            };
            let weights = &packed[(block * rows * 32) as usize..];
            pointwise_forward(&params, input, weights, &parameters, &mut output);
        }
        output
    };
    let weight = |o: u32, n: u32| parameters[(OFFSET + o * inputs + n) as usize];
    let at =
        |channels: u32, image: u32, channel: u32, pixel: u32| ((image * channels + channel) * pixels + pixel) as usize;
    let input = noise(2, (images * inputs * pixels) as usize);
    let d_output = noise(3, (images * outputs * pixels) as usize);
    let (output, d_input) = (product(inputs, outputs, 0, &input), product(outputs, inputs, 1, &d_output));
    for image in 0..images {
        for pixel in 0..pixels {
            for o in 0..outputs {
                let sum: f64 = (0..inputs).map(|n| weight(o, n) * input[at(inputs, image, n, pixel)]).sum();
                assert!((output[at(outputs, image, o, pixel)] - sum).abs() < 1e-12);
            }
            for n in 0..inputs {
                let sum: f64 = (0..outputs).map(|o| weight(o, n) * d_output[at(outputs, image, o, pixel)]).sum();
                assert!((d_input[at(inputs, image, n, pixel)] - sum).abs() < 1e-12);
            }
        }
    }
}
