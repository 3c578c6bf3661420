//! Depthwise convolution kernels that go through an image by strips.

use inkling_gpu::{Gpu, kernels};
use inkling_reference as twin;

use super::bench::{Bench, noise};
use super::tolerance::Tolerance;
use super::{case_list, params};
use crate::Case;

pub fn cases() -> Vec<Case> {
    case_list![
        "depthwise3x3_same/shapes" => same3,
        "depthwise5x5_same/shapes" => same5,
        "depthwise3x3_stride2_forward/shapes" => forward3,
        "depthwise5x5_stride2_forward/shapes" => forward5,
        "depthwise3x3_stride2_backward_input/shapes" => backward3,
        "depthwise5x5_stride2_backward_input/shapes" => backward5,
    ]
}

const WEIGHT_OFFSET: u32 = 3;

/// `[images, images_per_task, channels, height, width, rows of a strip]`
const SAME: [[u32; 6]; 6] = [
    [1, 1, 1, 1, 1, 1],
    [4, 2, 3, 5, 7, 5],
    [3, 1, 5, 4, 8, 3],
    [2, 2, 67, 3, 6, 32],
    [6, 3, 2, 13, 9, 4],
    [1, 1, 4, 28, 30, 7],
];

/// `[images, images_per_task, channels, in_height, in_width, out_height, out_width, padding, rows or
/// pairs of rows of a strip]`
const STRIDE2: [[u32; 9]; 7] = [
    [1, 1, 1, 1, 1, 1, 1, 1, 1],
    // SAME: no zeros before an even size for 3×3, one for 5×5.
    [3, 1, 5, 8, 6, 4, 3, 0, 2],
    [3, 1, 5, 8, 6, 4, 3, 1, 4],
    [2, 2, 7, 9, 11, 5, 6, 1, 3],
    [2, 2, 67, 3, 5, 2, 3, 2, 32],
    [6, 3, 2, 13, 18, 7, 9, 2, 1],
    [1, 1, 4, 28, 34, 14, 17, 0, 5],
];

/// Tests a kernel of stride 1 that keeps the size, in both directions.
macro_rules! same {
    ($gpu:ident, $stem:ident, $Twin:ident, $kernel:literal) => {
        for [images, images_per_task, channels, height, width, rows] in SAME {
            let stride = WEIGHT_OFFSET + channels * $kernel * $kernel + 2;
            for (parameter_stride, flip) in [(0, 0), (stride, 1), (stride, 0)] {
                let (params, reference) = params!($stem $Twin {
                    images: images,
                    channels: channels,
                    height: height,
                    width: width,
                    rows: rows,
                    images_per_task: images_per_task,
                    parameter_stride: parameter_stride,
                    weight_offset: WEIGHT_OFFSET,
                    flip: flip,
                });
                let elements = images * channels * height * width;
                let values = noise(1, elements as usize);
                let weights = noise(2, (images / images_per_task * stride) as usize);
                let mut bench = Bench::new($gpu)?;
                let (input, parameters) = (bench.input(&values).await?, bench.input(&weights).await?);
                let output = bench.output(elements).await?;
                let buffers = kernels::$stem::Buffers {
                    input: input.all(),
                    parameters: parameters.all(),
                    output: output.all(),
                };
                bench.run(params, buffers, images * channels * height.div_ceil(rows) * width.div_ceil(8))?;
                let mut expected = output.initial.clone();
                twin::$stem(&reference, &values, &weights, &mut expected);
                let what = format!(
                    "{images} images of {channels}×{height}×{width}, stride of tasks {parameter_stride}, flip {flip}"
                );
                bench.check(&what, &output, &expected, Tolerance::sum($kernel * $kernel, 1.0)).await?;
            }
        }
    };
}

async fn same3(gpu: &Gpu) -> Result<(), String> {
    same!(gpu, depthwise3x3_same, Depthwise3x3SameParams, 3);
    Ok(())
}

async fn same5(gpu: &Gpu) -> Result<(), String> {
    same!(gpu, depthwise5x5_same, Depthwise5x5SameParams, 5);
    Ok(())
}

/// Tests a kernel of stride 2: `$from` its input, `$to` its output, either of which has the size of the
/// convolution's input.
macro_rules! stride2 {
    ($gpu:ident, $stem:ident, $Twin:ident, $kernel:literal, $rows:ident, $from:ident, $to:ident, $counts:expr) => {
        for shape in STRIDE2 {
            let [images, images_per_task, channels, in_height, in_width, out_height, out_width, padding, rows] = shape;
            let stride = WEIGHT_OFFSET + channels * $kernel * $kernel + 2;
            for parameter_stride in [0, stride] {
                let (params, reference) = params!($stem $Twin {
                    images: images,
                    channels: channels,
                    in_height: in_height,
                    in_width: in_width,
                    out_height: out_height,
                    out_width: out_width,
                    padding: padding,
                    $rows: rows,
                    images_per_task: images_per_task,
                    parameter_stride: parameter_stride,
                    weight_offset: WEIGHT_OFFSET,
                });
                let sizes = [[in_height, in_width], [out_height, out_width]].map(|size| images * channels * size[0] * size[1]);
                let (from_elements, to_elements, strips): (u32, u32, u32) = $counts(sizes, shape);
                let values = noise(1, from_elements as usize);
                let weights = noise(2, (images / images_per_task * stride) as usize);
                let mut bench = Bench::new($gpu)?;
                let (from, parameters) = (bench.input(&values).await?, bench.input(&weights).await?);
                let to = bench.output(to_elements).await?;
                let buffers = kernels::$stem::Buffers {
                    $from: from.all(),
                    parameters: parameters.all(),
                    $to: to.all(),
                };
                bench.run(params, buffers, images * channels * strips)?;
                let mut expected = to.initial.clone();
                twin::$stem(&reference, &values, &weights, &mut expected);
                let what = format!("{shape:?}, stride of tasks {parameter_stride}");
                bench.check(&what, &to, &expected, Tolerance::sum($kernel * $kernel, 1.0)).await?;
            }
        }
    };
}

/// Elements read and written, and strips of a channel.
fn forward_counts([inputs, outputs]: [u32; 2], shape: [u32; 9]) -> (u32, u32, u32) {
    let [.., out_height, out_width, _, rows] = shape;
    (inputs, outputs, out_height.div_ceil(rows) * out_width.div_ceil(4))
}

/// As [`forward_counts`].
fn backward_counts([inputs, outputs]: [u32; 2], shape: [u32; 9]) -> (u32, u32, u32) {
    let [_, _, _, in_height, in_width, _, _, padding, pairs] = shape;
    (outputs, inputs, (in_height + padding).div_ceil(2 * pairs) * (in_width + padding).div_ceil(8))
}

async fn forward3(gpu: &Gpu) -> Result<(), String> {
    stride2!(
        gpu,
        depthwise3x3_stride2_forward,
        Depthwise3x3Stride2ForwardParams,
        3,
        rows,
        input,
        output,
        forward_counts
    );
    Ok(())
}

async fn forward5(gpu: &Gpu) -> Result<(), String> {
    stride2!(
        gpu,
        depthwise5x5_stride2_forward,
        Depthwise5x5Stride2ForwardParams,
        5,
        rows,
        input,
        output,
        forward_counts
    );
    Ok(())
}

async fn backward3(gpu: &Gpu) -> Result<(), String> {
    stride2!(
        gpu,
        depthwise3x3_stride2_backward_input,
        Depthwise3x3Stride2BackwardInputParams,
        3,
        pairs,
        d_output,
        d_input,
        backward_counts
    );
    Ok(())
}

async fn backward5(gpu: &Gpu) -> Result<(), String> {
    stride2!(
        gpu,
        depthwise5x5_stride2_backward_input,
        Depthwise5x5Stride2BackwardInputParams,
        5,
        pairs,
        d_output,
        d_input,
        backward_counts
    );
    Ok(())
}
