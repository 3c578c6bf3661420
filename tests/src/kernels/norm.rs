//! Normalisation kernels, forward.

use inkling_gpu::{Gpu, kernels};
use inkling_reference as twin;

use super::bench::{Bench, noise, wide};
use super::norm_data::{NormData, OUTPUT_OFFSET, SHAPES, Shape, WEIGHT_OFFSET};
use super::tolerance::Tolerance;
use super::{case_list, params};
use crate::Case;

pub fn cases() -> Vec<Case> {
    case_list![
        "norm_moments/shapes" => moments_shapes,
        "norm_moments/long_segments" => moments_long,
        "norm_combine/group_and_batch" => combine_shapes,
        "norm_combine/many_images" => combine_long,
        "norm_running/channels" => running,
        "norm_forward/shapes" => forward_shapes,
        "norm_forward/ties" => forward_ties,
    ]
}

/// `[images, channels, pixels, segment_pixels]` and the mean of the pixels, which lie within ±1 of it.
async fn moments(gpu: &Gpu, sizes: [u32; 4], mean: f32) -> Result<(), String> {
    let [images, channels, pixels, segment_pixels] = sizes;
    let segments = pixels.div_ceil(segment_pixels);
    let (params, reference) = params!(norm_moments NormMomentsParams {
        images: images,
        channels: channels,
        pixels: pixels,
        segment_pixels: segment_pixels,
        segments: segments,
    });
    let values: Vec<f32> = noise(7, (images * channels * pixels) as usize).iter().map(|value| value + mean).collect();
    let mut bench = Bench::new(gpu)?;
    let input = bench.input(&values).await?;
    let output = bench.output(images * channels * segments * 2).await?;
    let buffers = kernels::norm_moments::Buffers { input: input.all(), moments: output.all() };
    bench.run(params, buffers, images * channels * segments)?;
    let mut expected = output.initial.clone();
    twin::norm_moments(&reference, &values, &mut expected);
    // The corrected mean is good to some roundings of itself; a difference to it is then exact to
    // a rounding, and the squares add up without cancellation.
    let tolerance = Tolerance::chain(segment_pixels, 0.0).plus_roundings(8, 1.0);
    bench.check(&format!("moments of {sizes:?}"), &output, &expected, tolerance).await
}

async fn moments_shapes(gpu: &Gpu) -> Result<(), String> {
    for sizes in [[1, 1, 1, 1], [3, 5, 17, 7], [2, 3, 257, 64], [7, 13, 3, 64], [5, 7, 961, 961], [1, 2, 8, 4]] {
        moments(gpu, sizes, 0.0).await?;
        moments(gpu, sizes, 100.0).await?;
    }
    Ok(())
}

/// 300 × 300 pixels in one segment: two passes over them are 180,000 elements for one invocation.
async fn moments_long(gpu: &Gpu) -> Result<(), String> {
    moments(gpu, [1, 2, 90_000, 90_000], 1.0).await?;
    moments(gpu, [2, 1, 90_000, 16_384], 100.0).await
}

/// `[sets, images_per_set, channels, groups, pixels, segment_pixels]`
async fn combine(gpu: &Gpu, sizes: [u32; 6]) -> Result<(), String> {
    let [sets, images_per_set, channels, groups, pixels, segment_pixels] = sizes;
    let segments = pixels.div_ceil(segment_pixels);
    let (params, reference) = params!(norm_combine NormCombineParams {
        sets: sets,
        images_per_set: images_per_set,
        channels: channels,
        groups: groups,
        pixels: pixels,
        segment_pixels: segment_pixels,
        segments: segments,
        epsilon: 1e-5,
    });
    let mut values = noise(11, (sets * images_per_set * channels * segments * 2) as usize);
    values.chunks_exact_mut(2).for_each(|moments| moments[1] = (moments[1].abs() + 0.1) * segment_pixels as f32);
    let mut bench = Bench::new(gpu)?;
    let moments = bench.input(&values).await?;
    let output = bench.output(sets * groups * 2).await?;
    let buffers = kernels::norm_combine::Buffers { moments: moments.all(), statistics: output.all() };
    bench.run(params, buffers, 64 * sets * groups)?;
    let mut expected = wide(&output.initial);
    twin::norm_combine(&reference, &wide(&values), &mut expected);
    // An invocation unites every 64th segment, the first one then the 64 parts; each step rounds
    // the mean (at most 1) and the squares a few times.
    let chain = 4 * ((images_per_set * (channels / groups) * segments).div_ceil(64) + 64);
    bench.check_f64(&format!("statistics of {sizes:?}"), &output, &expected, Tolerance::chain(chain, 1.0)).await
}

async fn combine_shapes(gpu: &Gpu) -> Result<(), String> {
    let sizes = [
        [1, 1, 1, 1, 1, 1],
        [5, 1, 12, 3, 50, 16],
        [3, 1, 7, 7, 5, 64],
        [2, 3, 7, 7, 50, 16],
        [1, 11, 5, 5, 9, 3],
        // More rows than one workgroup has invocations, and more segments than that in a row.
        [67, 1, 4, 2, 31, 7],
        [2, 1, 24, 1, 64, 16],
    ];
    for sizes in sizes {
        combine(gpu, sizes).await?;
    }
    Ok(())
}

/// Batch statistics over more segments than an invocation may loop over.
async fn combine_long(gpu: &Gpu) -> Result<(), String> {
    combine(gpu, [1, 70_001, 1, 1, 3, 4]).await?;
    combine(gpu, [1, 35_003, 2, 2, 7, 3]).await
}

async fn running(gpu: &Gpu) -> Result<(), String> {
    for channels in [1, 3, 67, 128] {
        let (params, reference) = params!(norm_running NormRunningParams {
            channels: channels,
            mean_offset: 2,
            variance_offset: channels + 5,
            epsilon: 1e-5,
        });
        let mut values = noise(13, 2 * channels as usize + 9);
        values.iter_mut().skip(channels as usize + 5).for_each(|variance| *variance = variance.abs());
        let mut bench = Bench::new(gpu)?;
        let running = bench.input(&values).await?;
        let output = bench.output(2 * channels).await?;
        let buffers = kernels::norm_running::Buffers { running: running.all(), statistics: output.all() };
        bench.run(params, buffers, channels)?;
        let mut expected = output.initial.clone();
        twin::norm_running(&reference, &values, &mut expected);
        // A sum, a square root and a division.
        let tolerance = Tolerance::roundings(8);
        bench.check(&format!("statistics of {channels} channels"), &output, &expected, tolerance).await?;
    }
    Ok(())
}

async fn forward(gpu: &Gpu, shape: &Shape, data: &NormData, tolerance: Tolerance) -> Result<(), String> {
    let (params, reference) = params!(norm_forward NormForwardParams {
        images: shape.images,
        channels: shape.channels,
        height: shape.height,
        width: shape.width,
        out_height: shape.out_height(),
        out_width: shape.out_width(),
        groups: shape.groups,
        images_per_set: shape.images_per_set,
        window: shape.window,
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
    let output = bench.output(OUTPUT_OFFSET + shape.planes() * shape.cells()).await?;
    let buffers = kernels::norm_forward::Buffers {
        input: input.all(),
        statistics: statistics.all(),
        parameters: parameters.all(),
        output: output.all(),
    };
    bench.run(params, buffers, shape.planes() * shape.cells())?;
    let mut expected = output.initial.clone();
    twin::norm_forward(&reference, &data.input, &data.statistics, &data.parameters, &mut expected);
    bench.check(&format!("output of {shape:?}"), &output, &expected, tolerance).await
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
