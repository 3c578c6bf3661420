//! Kernels of 1×1 convolutions on packed weights.

use inkling_gpu::{Gpu, kernels};
use inkling_reference as twin;

use super::bench::{Bench, noise};
use super::tolerance::Tolerance;
use super::{case_list, params};
use crate::Case;

pub fn cases() -> Vec<Case> {
    case_list![
        "pointwise_pack/directions" => pack,
        "pointwise_forward/shapes" => forward,
        "pointwise_backward_weight/shapes" => backward_weight,
    ]
}

/// Elements of a launch's uniform: 512 inputs × 32 outputs.
const UNIFORM: u32 = 512 * 32;
const OFFSET: u32 = 3;
const NONE: u32 = u32::MAX;

async fn pack(gpu: &Gpu) -> Result<(), String> {
    for [inputs, outputs, tasks] in [[1_u32, 1, 1], [3, 33, 3], [64, 32, 1], [67, 5, 2], [530, 70, 1]] {
        for transpose in [0, 1] {
            let (blocks, rows) = (outputs.div_ceil(32), inputs.next_multiple_of(2));
            let task_elements = blocks * rows * 32;
            let stride = OFFSET + inputs * outputs + 2;
            let (params, reference) = params!(pointwise_pack PointwisePackParams {
                tasks: tasks,
                blocks: blocks,
                rows: rows,
                inputs: inputs,
                outputs: outputs,
                task_elements: task_elements,
                parameter_stride: stride,
                weight_offset: OFFSET,
                transpose: transpose,
            });
            let values = noise(1, (tasks * stride) as usize);
            let mut bench = Bench::new(gpu)?;
            let parameters = bench.input(&values).await?;
            let output = bench.output(tasks * task_elements).await?;
            let buffers = kernels::pointwise_pack::Buffers { parameters: parameters.all(), packed: output.all() };
            bench.run(params, buffers, tasks * task_elements)?;
            let mut expected = output.initial.clone();
            twin::pointwise_pack(&reference, &values, &mut expected);
            let what = format!("packed {inputs} to {outputs} of {tasks} tasks, transpose {transpose}");
            bench.check(&what, &output, &expected, Tolerance::EXACT).await?;
        }
    }
    Ok(())
}

/// `[images, images_per_task, in_channels, out_channels, pixels]`
const SHAPES: [[u32; 5]; 6] =
    [[1, 1, 1, 1, 1], [4, 2, 3, 5, 35], [3, 1, 2, 33, 8], [2, 2, 67, 31, 49], [6, 3, 5, 32, 143], [1, 1, 520, 40, 6]];

async fn forward(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        for (has_bias, accumulate) in [(false, 0), (true, 0), (false, 1), (true, 1)] {
            for slab in 0..shape[2].div_ceil(512) {
                for block in 0..shape[3].div_ceil(32) {
                    forward_tile(gpu, shape, (has_bias, accumulate), slab, block).await?;
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
    [images, images_per_task, in_channels, out_channels, pixels]: [u32; 5],
    (has_bias, accumulate): (bool, u32),
    slab: u32,
    block: u32,
) -> Result<(), String> {
    let slab_inputs = (in_channels - 512 * slab).min(512);
    let (params, reference) = params!(pointwise_forward PointwiseForwardParams {
        first_image: images - images_per_task,
        images: images_per_task,
        in_channels: in_channels,
        out_channels: out_channels,
        pixels: pixels,
        first_input: 512 * slab,
        slab_inputs: slab_inputs,
        first_output: 32 * block,
        bias_offset: if has_bias { OFFSET } else { NONE },
        accumulate: accumulate,
    });
    let values = noise(1, (images * in_channels * pixels) as usize);
    let packed = noise(2, UNIFORM as usize);
    let biases = noise(3, (OFFSET + out_channels) as usize);
    let mut bench = Bench::new(gpu)?;
    let input = bench.input(&values).await?;
    let weights = bench.input(&packed).await?;
    let parameters = bench.input(&biases).await?;
    let outputs = images * out_channels * pixels;
    let output = match accumulate {
        0 => bench.output(outputs).await?,
        _ => bench.updated(noise(4, outputs as usize)).await?,
    };
    let buffers = kernels::pointwise_forward::Buffers {
        input: input.all(),
        weights: weights.all(),
        parameters: parameters.all(),
        output: output.all(),
    };
    bench.run(params, buffers, images_per_task * pixels.div_ceil(4))?;
    let mut expected = output.initial.clone();
    twin::pointwise_forward(&reference, &values, &packed, &biases, &mut expected);
    let what = format!(
        "{images_per_task} of {images} images, {in_channels} to {out_channels} channels, {pixels} pixels, slab {slab}, \
         block {block}, bias {has_bias}, accumulate {accumulate}"
    );
    bench.check(&what, &output, &expected, Tolerance::sum(slab_inputs + 2, 1.0)).await
}

/// `[images, images_per_task, in_channels, out_channels, pixels, images_per_split, segment_pixels]`
const SPLITS: [[u32; 7]; 7] = [
    [1, 1, 1, 1, 1, 1, 1],
    [4, 2, 3, 5, 35, 2, 35],
    [5, 5, 9, 17, 6, 2, 6],
    [2, 2, 67, 31, 49, 1, 20],
    [6, 3, 8, 16, 143, 1, 64],
    [3, 1, 20, 33, 12, 4, 12],
    // More terms of a sum than an invocation may loop over in all.
    [1, 1, 2, 3, 70_001, 1, 35_001],
];

async fn backward_weight(gpu: &Gpu) -> Result<(), String> {
    for shape in SPLITS {
        let [images, images_per_task, in_channels, out_channels, pixels, images_per_split, segment_pixels] = shape;
        let segments = pixels.div_ceil(segment_pixels);
        let splits_per_task = images_per_task.div_ceil(images_per_split) * segments;
        let splits = images / images_per_task * splits_per_task;
        let (params, reference) = params!(pointwise_backward_weight PointwiseBackwardWeightParams {
            images: images,
            in_channels: in_channels,
            out_channels: out_channels,
            pixels: pixels,
            splits: splits,
            images_per_split: images_per_split,
            segments: segments,
            segment_pixels: segment_pixels,
            splits_per_task: splits_per_task,
            images_per_task: images_per_task,
        });
        let values = noise(1, (images * in_channels * pixels) as usize);
        let dy = noise(2, (images * out_channels * pixels) as usize);
        let mut bench = Bench::new(gpu)?;
        let (input, d_output) = (bench.input(&values).await?, bench.input(&dy).await?);
        let output = bench.output(splits * out_channels * (in_channels + 1)).await?;
        let buffers = kernels::pointwise_backward_weight::Buffers {
            input: input.all(),
            d_output: d_output.all(),
            partials: output.all(),
        };
        bench.run(params, buffers, splits * in_channels.div_ceil(8) * out_channels.div_ceil(16))?;
        let mut expected = output.initial.clone();
        twin::pointwise_backward_weight(&reference, &values, &dy, &mut expected);
        let tolerance = Tolerance::sum(images_per_split * segment_pixels, 1.0);
        bench.check(&format!("partials of {shape:?}"), &output, &expected, tolerance).await?;
    }
    Ok(())
}
