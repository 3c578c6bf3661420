//! Normalisation kernels that do not pool.

use inkling_gpu::{Gpu, kernels};
use inkling_reference as twin;

use super::bench::{Bench, noise};
use super::norm_data::{NormData, OUTPUT_OFFSET, SHAPES, Shape, WEIGHT_OFFSET};
use super::tolerance::Tolerance;
use super::{case_list, params};
use crate::Case;

pub fn cases() -> Vec<Case> {
    case_list![
        "norm_unpooled_forward/shapes" => forward_shapes,
        "norm_unpooled_forward/ties_and_kinks" => forward_ties,
        "norm_frozen_backward/shapes" => backward_shapes,
        "norm_frozen_backward/ties_and_kinks" => backward_ties,
    ]
}

async fn forward(gpu: &Gpu, shape: &Shape, data: &NormData, tolerance: Tolerance) -> Result<(), String> {
    for segment_pixels in [3, 4, 64] {
        let (params, reference) = params!(norm_unpooled_forward NormUnpooledForwardParams {
            images: shape.images,
            channels: shape.channels,
            pixels: shape.pixels(),
            segment_pixels: segment_pixels,
            groups: shape.groups,
            images_per_set: shape.images_per_set,
            floor: shape.bounds[0],
            ceiling: shape.bounds[1],
            output_offset: OUTPUT_OFFSET,
            images_per_task: shape.images_per_task,
            parameter_stride: shape.stride(),
            weight_offset: WEIGHT_OFFSET,
            bias_offset: shape.bias_offset(),
        });
        let mut bench = Bench::new(gpu)?;
        let input = bench.input(&data.input).await?;
        let statistics = bench.input(&data.statistics).await?;
        let parameters = bench.input(&data.parameters).await?;
        let output = bench.output(OUTPUT_OFFSET + shape.planes() * shape.pixels()).await?;
        let buffers = kernels::norm_unpooled_forward::Buffers {
            input: input.all(),
            statistics: statistics.all(),
            parameters: parameters.all(),
            output: output.all(),
        };
        bench.run(params, buffers, shape.planes() * shape.pixels().div_ceil(segment_pixels))?;
        let mut expected = output.initial.clone();
        twin::norm_unpooled_forward(&reference, &data.input, &data.statistics, &data.parameters, &mut expected);
        let what = format!("output of {shape:?} by {segment_pixels}");
        bench.check(&what, &output, &expected, tolerance).await?;
    }
    Ok(())
}

async fn forward_shapes(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        // Four operations on numbers up to 2.5 · 2 + 1.
        forward(gpu, shape, &NormData::random(shape), Tolerance::cancelling(4, 6.0)).await?;
    }
    Ok(())
}

async fn forward_ties(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        forward(gpu, shape, &NormData::ties(shape), Tolerance::EXACT).await?;
    }
    Ok(())
}

/// The same images with frozen statistics and without pooling.
fn frozen(shape: &Shape) -> Shape {
    Shape { groups: shape.channels, images_per_set: shape.images, window: 1, ..*shape }
}

async fn backward(gpu: &Gpu, shape: &Shape, data: &NormData, tolerance: Tolerance) -> Result<(), String> {
    for segment_pixels in [3, 4, 64] {
        let segments = shape.pixels().div_ceil(segment_pixels);
        let (params, reference) = params!(norm_frozen_backward NormFrozenBackwardParams {
            images: shape.images,
            channels: shape.channels,
            pixels: shape.pixels(),
            segment_pixels: segment_pixels,
            segments: segments,
            floor: shape.bounds[0],
            ceiling: shape.bounds[1],
            d_output_offset: OUTPUT_OFFSET,
            images_per_task: shape.images_per_task,
            parameter_stride: shape.stride(),
            weight_offset: WEIGHT_OFFSET,
            bias_offset: shape.bias_offset(),
        });
        let mut bench = Bench::new(gpu)?;
        let input = bench.input(&data.input).await?;
        let statistics = bench.input(&data.statistics).await?;
        let parameters = bench.input(&data.parameters).await?;
        let dy = noise(5, (OUTPUT_OFFSET + shape.planes() * shape.pixels()) as usize);
        let d_output = bench.input(&dy).await?;
        let sums = bench.output(shape.planes() * segments * 2).await?;
        let d_input = bench.output(shape.planes() * shape.pixels()).await?;
        let buffers = kernels::norm_frozen_backward::Buffers {
            input: input.all(),
            statistics: statistics.all(),
            parameters: parameters.all(),
            d_output: d_output.all(),
            sums: sums.all(),
            d_input: d_input.all(),
        };
        bench.run(params, buffers, shape.planes() * segments)?;
        let (mut of_sums, mut of_input) = (sums.initial.clone(), d_input.initial.clone());
        let (statistics, parameters) = (&data.statistics, &data.parameters);
        twin::norm_frozen_backward(&reference, &data.input, statistics, parameters, &dy, &mut of_sums, &mut of_input);
        // dy is at most 1, x̂ at most 2.5 · 2.
        let of = format!("{shape:?} by {segment_pixels}");
        bench.check(&format!("sums of {of}"), &sums, &of_sums, Tolerance::sum(segment_pixels, 5.0)).await?;
        bench.check(&format!("d_input of {of}"), &d_input, &of_input, tolerance).await?;
    }
    Ok(())
}

async fn backward_shapes(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES.iter().map(frozen) {
        // Products of three numbers.
        backward(gpu, &shape, &NormData::random(&shape), Tolerance::roundings(3)).await?;
    }
    Ok(())
}

async fn backward_ties(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES.iter().map(frozen) {
        backward(gpu, &shape, &NormData::ties(&shape), Tolerance::EXACT).await?;
    }
    Ok(())
}
