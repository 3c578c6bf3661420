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
        accumulate: 0,
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
        accumulate: 0,
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

    // The two images of a task in one split, or each in its own.
    for splits_per_task in [1, 2] {
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
            splits: tasks * splits_per_task,
            images_per_split: images_per_task / splits_per_task,
            splits_per_task,
            images_per_task,
        };
        let reduce = Conv2dReducePartialsParams {
            tasks,
            splits_per_task,
            weights,
            biases: out_channels,
            added: weights + out_channels,
            weight_offset,
            bias_offset,
            gradient_stride: stride,
        };
        let mut partials = vec![f64::NAN; (tasks * splits_per_task * (weights + out_channels)) as usize];
        conv2d_backward_weight(&backward_weight, &input, &d_output, &mut partials);
        let mut gradient = vec![0.0; parameters.len()];
        conv2d_reduce_partials(&reduce, &partials, &mut gradient);
        check("parameters", &parameters, &gradient, |parameters| loss(&input, parameters));
    }
}

/// The packed 3×3 convolution in both directions, and its weight gradient, against the plain twins
/// of the same formula: 70 input channels are two slabs, 18 outputs two blocks.
#[test]
fn packed_convolution_equals_the_plain_one() {
    let (images, in_channels, out_channels, height, width) = (2, 70, 18, 3, 4);
    let weights = out_channels * in_channels * 9;
    let parameters = noise(1, (3 + weights + out_channels) as usize);
    let input = noise(2, (images * in_channels * height * width) as usize);
    let d_output = noise(3, (images * out_channels * height * width) as usize);
    let close = |a: &[f64], b: &[f64]| {
        assert_eq!(a.len(), b.len());
        // Sums of 70 · 9 products of numbers below one, in another order.
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12));
    };

    let plain = Conv2dForwardParams {
        images,
        in_channels,
        out_channels,
        in_height: height,
        in_width: width,
        out_height: height,
        out_width: width,
        kernel: 3,
        stride: 1,
        padding: 1,
        images_per_task: images,
        parameter_stride: 0,
        weight_offset: 3,
        bias_offset: 3 + weights,
        accumulate: 0,
    };
    let mut expected = vec![f64::NAN; d_output.len()];
    conv2d_forward(&plain, &input, &parameters, &mut expected);
    close(&tiles(images, [in_channels, out_channels, height, width], 0, 3 + weights, &input, &parameters), &expected);

    let plain = Conv2dBackwardInputParams {
        images,
        in_channels,
        out_channels,
        in_height: height,
        in_width: width,
        out_height: height,
        out_width: width,
        kernel: 3,
        stride: 1,
        padding: 1,
        images_per_task: images,
        parameter_stride: 0,
        weight_offset: 3,
        accumulate: 0,
    };
    let mut expected = vec![f64::NAN; input.len()];
    conv2d_backward_input(&plain, &d_output, &parameters, &mut expected);
    close(&tiles(images, [out_channels, in_channels, height, width], 1, u32::MAX, &d_output, &parameters), &expected);
}

/// Packs and convolves block by block and slab by slab; `[in_channels, out_channels, height, width]`
/// are those of the convolution that is run.
fn tiles(
    images: u32,
    [in_channels, out_channels, height, width]: [u32; 4],
    transpose: u32,
    bias_offset: u32,
    input: &[f64],
    parameters: &[f64],
) -> Vec<f64> {
    let (blocks, slabs) = (out_channels.div_ceil(16), in_channels.div_ceil(64));
    let elements = blocks * slabs * 64 * 9 * 16;
    let mut packed = vec![f64::NAN; elements as usize];
    let params = Conv3x3PackParams {
        tasks: 1,
        in_channels,
        out_channels,
        slabs,
        elements,
        parameter_stride: 0,
        weight_offset: 3,
        transpose,
    };
    conv3x3_pack(&params, parameters, &mut packed);
    let mut output = vec![f64::NAN; (images * out_channels * height * width) as usize];
    for (at, weights) in packed.chunks_exact(64 * 9 * 16).enumerate() {
        let (block, slab) = (at as u32 / slabs, at as u32 % slabs);
        let params = Conv3x3ForwardParams {
            first_image: 0,
            images,
            in_channels,
            out_channels,
            height,
            width,
            tiles_x: width.div_ceil(4),
            tiles_y: height.div_ceil(2),
            first_input: 64 * slab,
            slab_inputs: (in_channels - 64 * slab).min(64),
            first_output: 16 * block,
            bias_offset: if slab == 0 { bias_offset } else { u32::MAX },
            accumulate: u32::from(slab > 0),
        };
        conv3x3_forward(&params, input, weights, parameters, &mut output);
    }
    output
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
        accumulate: 0,
    };
    let parameters = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 100.0];
    let mut output = [f64::NAN; 4];
    conv2d_forward(&params, &[1.0, 10.0, 100.0, 1000.0], &parameters, &mut output);
    // Cross-correlation: the weight at (1, 1) meets the pixel itself, that at (1, 2) its right neighbour.
    assert_eq!(output, [9965.0, 8854.0, 6632.0, 5521.0]);
}

/// The packed convolution against the plain one: 35 outputs are two blocks, 18 terms two slabs here.
#[test]
fn packed_terms_are_the_plain_convolution() {
    let (images, in_channels, out_channels, kernel, offset) = (2, 2, 35, 3, 4);
    let forward = Conv2dForwardParams {
        images,
        in_channels,
        out_channels,
        in_height: 6,
        in_width: 7,
        out_height: 3,
        out_width: 4,
        kernel,
        stride: 2,
        padding: 1,
        images_per_task: images,
        parameter_stride: 0,
        weight_offset: offset,
        bias_offset: 1,
        accumulate: 0,
    };
    let terms = in_channels * kernel * kernel;
    let input = noise(1, (images * in_channels * 42) as usize);
    let parameters = noise(2, (offset + out_channels * terms + out_channels) as usize);
    let mut plain = vec![f64::NAN; (images * out_channels * 12) as usize];
    conv2d_forward(&forward, &input, &parameters, &mut plain);
    let pack = PointwisePackParams {
        tasks: 1,
        blocks: 2,
        rows: terms,
        inputs: terms,
        outputs: out_channels,
        task_elements: 2 * terms * 32,
        parameter_stride: 0,
        weight_offset: offset,
        transpose: 0,
    };
    let mut packed = vec![f64::NAN; (2 * terms * 32) as usize];
    pointwise_pack(&pack, &parameters, &mut packed);
    let mut output = vec![f64::NAN; plain.len()];
    for (block, first_term) in [(0, 0), (0, 10), (1, 0), (1, 10)] {
        let params = Conv2dPackedForwardParams {
            first_image: 0,
            images,
            in_channels,
            out_channels,
            in_height: 6,
            in_width: 7,
            out_height: 3,
            out_width: 4,
            kernel,
            stride: 2,
            padding: 1,
            first_term,
            slab_terms: if first_term == 0 { 10 } else { terms - 10 },
            first_output: 32 * block,
            bias_offset: if first_term == 0 { 1 } else { u32::MAX },
            accumulate: u32::from(first_term > 0),
        };
        let weights = &packed[((block * terms + first_term) * 32) as usize..];
        conv2d_packed_forward(&params, &input, weights, &parameters, &mut output);
    }
    for (found, expected) in output.iter().zip(&plain) {
        assert!((found - expected).abs() < 1e-12, "{found}, expected {expected}");
    }
}

/// Partial sums of 1×1 kernels, by images and by parts of an image, against the plain ones.
#[test]
fn pointwise_weight_gradients_are_the_plain_ones() {
    let (images, in_channels, out_channels, pixels) = (4, 3, 5, 6);
    let input = noise(1, (images * in_channels * pixels) as usize);
    let d_output = noise(2, (images * out_channels * pixels) as usize);
    let length = (out_channels * (in_channels + 1)) as usize;
    let total = |partials: &[f64]| -> Vec<f64> {
        (0..length).map(|at| partials.iter().skip(at).step_by(length).sum()).collect()
    };
    let plain = Conv2dBackwardWeightParams {
        images,
        in_channels,
        out_channels,
        in_height: pixels,
        in_width: 1,
        out_height: pixels,
        out_width: 1,
        kernel: 1,
        stride: 1,
        padding: 0,
        splits: 1,
        images_per_split: images,
        splits_per_task: 1,
        images_per_task: images,
    };
    let mut expected = vec![f64::NAN; length];
    conv2d_backward_weight(&plain, &input, &d_output, &mut expected);
    for (images_per_split, segments, segment_pixels) in [(4, 1, 6), (3, 1, 6), (1, 2, 4)] {
        let splits = images.div_ceil(images_per_split) * segments;
        let params = PointwiseBackwardWeightParams {
            images,
            in_channels,
            out_channels,
            pixels,
            splits,
            images_per_split,
            segments,
            segment_pixels,
            splits_per_task: splits,
            images_per_task: images,
        };
        let mut partials = vec![f64::NAN; splits as usize * length];
        pointwise_backward_weight(&params, &input, &d_output, &mut partials);
        for (found, expected) in total(&partials).iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-12, "{found}, expected {expected}");
        }
    }
}
