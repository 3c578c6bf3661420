//! The backward twins of the convolution against central differences.

mod common;

use common::{check, dot, noise};
use inkling_reference::*;

struct Shape {
    kernel: u32,
    stride: u32,
    padding: u32,
    height: u32,
    width: u32,
}

fn check_shape(shape: &Shape) {
    let (tasks, images_per_task, in_channels, out_channels) = (2, 2, 2, 3);
    let images = tasks * images_per_task;
    let out = |size: u32| (size + 2 * shape.padding - shape.kernel) / shape.stride + 1;
    let (out_height, out_width) = (out(shape.height), out(shape.width));
    let weights = out_channels * in_channels * shape.kernel * shape.kernel;
    let (weight_offset, bias_offset, stride) = (5, 7 + weights, 12 + weights);
    let forward = Conv2dForwardParams {
        images,
        in_channels,
        out_channels,
        in_height: shape.height,
        in_width: shape.width,
        out_height,
        out_width,
        kernel: shape.kernel,
        stride: shape.stride,
        padding: shape.padding,
        images_per_task,
        parameter_stride: stride,
        weight_offset,
        bias_offset,
    };
    let backward_input = Conv2dBackwardInputParams {
        images,
        in_channels,
        out_channels,
        in_height: shape.height,
        in_width: shape.width,
        out_height,
        out_width,
        kernel: shape.kernel,
        stride: shape.stride,
        padding: shape.padding,
        images_per_task,
        parameter_stride: stride,
        weight_offset,
        bias_offset,
    };
    let backward_weight = Conv2dBackwardWeightParams {
        images,
        in_channels,
        out_channels,
        in_height: shape.height,
        in_width: shape.width,
        out_height,
        out_width,
        kernel: shape.kernel,
        stride: shape.stride,
        padding: shape.padding,
        images_per_task,
        gradient_stride: stride,
        weight_offset,
        bias_offset,
    };
    let input = noise(1, (images * in_channels * shape.height * shape.width) as usize);
    let parameters = noise(2, (tasks * stride) as usize);
    let d_output = noise(3, (images * out_channels * out_height * out_width) as usize);
    let loss = |input: &[f64], parameters: &[f64]| {
        let mut output = vec![f64::NAN; d_output.len()];
        conv2d_forward(&forward, input, parameters, &mut output);
        dot(&output, &d_output)
    };
    let mut d_input = vec![f64::NAN; input.len()];
    conv2d_backward_input(&backward_input, &d_output, &parameters, &mut d_input);
    check("input", &input, &d_input, |input| loss(input, &parameters));
    let mut gradient = vec![0.0; parameters.len()];
    conv2d_backward_weight(&backward_weight, &input, &d_output, &mut gradient);
    check("parameters", &parameters, &gradient, |parameters| loss(&input, parameters));

    let mut shared = vec![0.0; stride as usize];
    conv2d_backward_weight(
        &Conv2dBackwardWeightParams { gradient_stride: 0, ..backward_weight },
        &input,
        &d_output,
        &mut shared,
    );
    for (i, value) in shared.iter().enumerate() {
        // Under a hundred f64 additions of numbers below one, in another order.
        assert!((value - gradient[i] - gradient[stride as usize + i]).abs() < 1e-13);
    }
}

#[test]
fn kernel_3_padding_1() {
    check_shape(&Shape { kernel: 3, stride: 1, padding: 1, height: 5, width: 4 });
}

#[test]
fn kernel_3_stride_2() {
    check_shape(&Shape { kernel: 3, stride: 2, padding: 1, height: 6, width: 5 });
}

#[test]
fn kernel_3_without_padding() {
    check_shape(&Shape { kernel: 3, stride: 1, padding: 0, height: 3, width: 5 });
}

#[test]
fn kernel_1_strides_1_and_2() {
    check_shape(&Shape { kernel: 1, stride: 1, padding: 0, height: 3, width: 4 });
    check_shape(&Shape { kernel: 1, stride: 2, padding: 0, height: 5, width: 4 });
}

#[test]
fn a_known_convolution() {
    let params = Conv2dForwardParams {
        images: 1,
        in_channels: 1,
        out_channels: 1,
        in_height: 2,
        in_width: 2,
        out_height: 2,
        out_width: 2,
        kernel: 3,
        stride: 1,
        padding: 1,
        images_per_task: 1,
        parameter_stride: 0,
        weight_offset: 0,
        bias_offset: 9,
    };
    let parameters = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 100.0];
    let mut output = [f64::NAN; 4];
    conv2d_forward(&params, &[1.0, 10.0, 100.0, 1000.0], &parameters, &mut output);
    // Cross-correlation: the weight at (1, 1) meets the pixel itself, that at (1, 2) its right neighbour.
    assert_eq!(output, [9965.0, 8854.0, 6632.0, 5521.0]);
}
