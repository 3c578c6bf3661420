//! Convolution kernels: 3×3 on packed weights.

use inkling_gpu::{Gpu, kernels};
use inkling_reference as twin;

use super::bench::{Bench, noise};
use super::tolerance::Tolerance;
use super::{case_list, params};
use crate::Case;

pub fn cases() -> Vec<Case> {
    case_list![
        "conv3x3_pack/directions" => pack,
        "conv3x3_forward/shapes" => forward,
        "conv3x3_backward_weight/shapes" => backward_weight,
    ]
}

/// Elements of one packed block and slab: 64 inputs × 9 taps × 16 outputs.
const PACKED: u32 = 64 * 9 * 16;
const OFFSET: u32 = 3;
const NONE: u32 = u32::MAX;

async fn pack(gpu: &Gpu) -> Result<(), String> {
    for [in_channels, out_channels, tasks] in [[1_u32, 1, 1], [3, 17, 3], [64, 16, 1], [67, 5, 2], [130, 33, 1]] {
        for transpose in [0, 1] {
            let (blocks, slabs) = (out_channels.div_ceil(16), in_channels.div_ceil(64));
            let elements = blocks * slabs * PACKED;
            let stride = OFFSET + in_channels * out_channels * 9 + 2;
            let (params, reference) = params!(conv3x3_pack Conv3x3PackParams {
                tasks: tasks,
                in_channels: in_channels,
                out_channels: out_channels,
                slabs: slabs,
                elements: elements,
                parameter_stride: stride,
                weight_offset: OFFSET,
                transpose: transpose,
            });
            let values = noise(1, (tasks * stride) as usize);
            let mut bench = Bench::new(gpu)?;
            let parameters = bench.input(&values).await?;
            let output = bench.output(tasks * elements).await?;
            let buffers = kernels::conv3x3_pack::Buffers { parameters: parameters.all(), packed: output.all() };
            bench.run(params, buffers, tasks * elements)?;
            let mut expected = output.initial.clone();
            twin::conv3x3_pack(&reference, &values, &mut expected);
            let what = format!("packed {in_channels} to {out_channels} of {tasks} tasks, transpose {transpose}");
            bench.check(&what, &output, &expected, Tolerance::EXACT).await?;
        }
    }
    Ok(())
}

#[derive(Clone, Copy, Debug)]
struct Shape {
    images: u32,
    images_per_task: u32,
    in_channels: u32,
    out_channels: u32,
    height: u32,
    width: u32,
}

/// `[images, images_per_task, in_channels, out_channels, height, width]`
const fn shape(sizes: [u32; 6]) -> Shape {
    let [images, images_per_task, in_channels, out_channels, height, width] = sizes;
    Shape { images, images_per_task, in_channels, out_channels, height, width }
}

const SHAPES: &[Shape] = &[
    shape([1, 1, 1, 1, 1, 1]),
    shape([4, 2, 3, 5, 5, 7]),
    shape([3, 1, 2, 17, 2, 4]),
    shape([2, 2, 67, 19, 3, 6]),
    shape([6, 3, 5, 16, 13, 11]),
    shape([1, 1, 16, 33, 28, 28]),
];

async fn forward(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        for accumulate in [0, 1] {
            for has_bias in [false, true] {
                for slab in 0..shape.in_channels.div_ceil(64) {
                    for block in 0..shape.out_channels.div_ceil(16) {
                        forward_tile(gpu, shape, (has_bias, accumulate), slab, block).await?;
                    }
                }
            }
        }
    }
    Ok(())
}

/// One launch, for the images of the last task: those of the others, and the other blocks of output
/// channels, must stay as they are.
async fn forward_tile(
    gpu: &Gpu,
    shape: &Shape,
    (has_bias, accumulate): (bool, u32),
    slab: u32,
    block: u32,
) -> Result<(), String> {
    let (tiles_x, tiles_y) = (shape.width.div_ceil(4), shape.height.div_ceil(2));
    let slab_inputs = (shape.in_channels - 64 * slab).min(64);
    let (params, reference) = params!(conv3x3_forward Conv3x3ForwardParams {
        first_image: shape.images - shape.images_per_task,
        images: shape.images_per_task,
        in_channels: shape.in_channels,
        out_channels: shape.out_channels,
        height: shape.height,
        width: shape.width,
        tiles_x: tiles_x,
        tiles_y: tiles_y,
        first_input: 64 * slab,
        slab_inputs: slab_inputs,
        first_output: 16 * block,
        bias_offset: if has_bias { OFFSET } else { NONE },
        accumulate: accumulate,
    });
    let pixels = shape.height * shape.width;
    let values = noise(1, (shape.images * shape.in_channels * pixels) as usize);
    let packed = noise(2, PACKED as usize);
    let biases = noise(3, (OFFSET + shape.out_channels) as usize);
    let mut bench = Bench::new(gpu)?;
    let input = bench.input(&values).await?;
    let weights = bench.input(&packed).await?;
    let parameters = bench.input(&biases).await?;
    let outputs = shape.images * shape.out_channels * pixels;
    let output = match accumulate {
        0 => bench.output(outputs).await?,
        _ => bench.updated(noise(4, outputs as usize)).await?,
    };
    let buffers = kernels::conv3x3_forward::Buffers {
        input: input.all(),
        weights: weights.all(),
        parameters: parameters.all(),
        output: output.all(),
    };
    bench.run(params, buffers, shape.images_per_task * tiles_x * tiles_y)?;
    let mut expected = output.initial.clone();
    twin::conv3x3_forward(&reference, &values, &packed, &biases, &mut expected);
    let tolerance = Tolerance::sum(9 * slab_inputs, 1.0);
    let what = format!("output of {shape:?}, bias {has_bias}, accumulate {accumulate}, slab {slab}, block {block}");
    bench.check(&what, &output, &expected, tolerance).await
}

async fn backward_weight(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        for images_per_split in [1, 2, shape.images_per_task] {
            let splits_per_task = shape.images_per_task.div_ceil(images_per_split);
            let splits = shape.images / shape.images_per_task * splits_per_task;
            let (params, reference) = params!(conv3x3_backward_weight Conv3x3BackwardWeightParams {
                images: shape.images,
                in_channels: shape.in_channels,
                out_channels: shape.out_channels,
                height: shape.height,
                width: shape.width,
                splits: splits,
                images_per_split: images_per_split,
                splits_per_task: splits_per_task,
                images_per_task: shape.images_per_task,
            });
            let pixels = shape.height * shape.width;
            let values = noise(1, (shape.images * shape.in_channels * pixels) as usize);
            let dy = noise(2, (shape.images * shape.out_channels * pixels) as usize);
            let mut bench = Bench::new(gpu)?;
            let input = bench.input(&values).await?;
            let d_output = bench.input(&dy).await?;
            let output = bench.output(splits * shape.out_channels * (9 * shape.in_channels + 1)).await?;
            let buffers = kernels::conv3x3_backward_weight::Buffers {
                input: input.all(),
                d_output: d_output.all(),
                partials: output.all(),
            };
            bench.run(params, buffers, shape.in_channels.div_ceil(4) * shape.out_channels.div_ceil(8) * splits)?;
            let mut expected = output.initial.clone();
            twin::conv3x3_backward_weight(&reference, &values, &dy, &mut expected);
            let tolerance = Tolerance::sum(images_per_split * pixels, 1.0);
            let what = format!("partials of {shape:?}, {images_per_split} images a split");
            bench.check(&what, &output, &expected, tolerance).await?;
        }
    }
    Ok(())
}
