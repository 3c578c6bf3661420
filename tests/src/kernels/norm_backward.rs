//! Normalisation kernels, backward.

use inkling_gpu::{Gpu, kernels};
use inkling_reference as twin;

use super::bench::{Bench, noise, wide};
use super::norm_data::{NormData, OUTPUT_OFFSET, RELU, SHAPES, Shape, WEIGHT_OFFSET};
use super::tolerance::Tolerance;
use super::{case_list, params};
use crate::Case;

pub fn cases() -> Vec<Case> {
    case_list![
        "norm_backward_sums/shapes" => sums_shapes,
        "norm_backward_sums/ties_and_kinks" => sums_ties,
        "norm_backward_sums/many_pixels" => sums_long,
        "norm_backward_weight/tasks" => weight_shapes,
        "norm_backward_weight/many_images" => weight_long,
        "norm_combine_backward/group_and_batch" => combine_shapes,
        "norm_combine_backward/many_images" => combine_long,
        "norm_backward_input/shapes" => input_shapes,
        "norm_backward_input/ties_and_kinks" => input_ties,
    ]
}

async fn sums(gpu: &Gpu, shape: &Shape, data: &NormData, segment_cells: u32) -> Result<(), String> {
    let segments = shape.cells().div_ceil(segment_cells);
    let (params, reference) = params!(norm_backward_sums NormBackwardSumsParams {
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
        d_output_offset: OUTPUT_OFFSET,
        images_per_task: shape.images_per_task,
        parameter_stride: shape.stride(),
        weight_offset: WEIGHT_OFFSET,
        bias_offset: shape.bias_offset(),
        segment_cells: segment_cells,
        segments: segments,
    });
    let mut bench = Bench::new(gpu)?;
    let input = bench.input(&data.input).await?;
    let statistics = bench.input(&data.statistics).await?;
    let parameters = bench.input(&data.parameters).await?;
    let dy = noise(5, (OUTPUT_OFFSET + shape.planes() * shape.cells()) as usize);
    let d_output = bench.input(&dy).await?;
    let output = bench.output(shape.planes() * segments * 2).await?;
    let buffers = kernels::norm_backward_sums::Buffers {
        input: input.all(),
        statistics: statistics.all(),
        parameters: parameters.all(),
        d_output: d_output.all(),
        sums: output.all(),
    };
    bench.run(params, buffers, shape.planes() * segments)?;
    let mut expected = output.initial.clone();
    twin::norm_backward_sums(&reference, &data.input, &data.statistics, &data.parameters, &dy, &mut expected);
    // dy is at most 1, x̂ at most 2.5 · 2.
    let tolerance = Tolerance::sum(segment_cells, 5.0);
    bench.check(&format!("sums of {shape:?} by {segment_cells}"), &output, &expected, tolerance).await
}

async fn sums_shapes(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        for segment_cells in [1, 5, 64, 1024] {
            sums(gpu, shape, &NormData::random(shape), segment_cells).await?;
        }
    }
    Ok(())
}

async fn sums_ties(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        sums(gpu, shape, &NormData::ties(shape), 7).await?;
    }
    Ok(())
}

/// 300 × 300 cells without pooling, and 600 × 602 pixels pooled to as many.
async fn sums_long(gpu: &Gpu) -> Result<(), String> {
    let shape = Shape { height: 300, width: 300, window: 1, bounds: RELU, ..SHAPES[0] };
    sums(gpu, &shape, &NormData::random(&shape), 30_000).await?;
    let shape = Shape { height: 600, width: 602, window: 2, bounds: RELU, ..SHAPES[0] };
    sums(gpu, &shape, &NormData::random(&shape), 16_384).await
}

/// `[tasks, images_per_task, channels, segments]`; `sum_values` of a segment, two of which count
async fn weight(gpu: &Gpu, sizes: [u32; 4], sum_values: u32, shared: bool) -> Result<(), String> {
    let [tasks, images_per_task, channels, segments] = sizes;
    let stride = 2 * channels + 6;
    let (params, reference) = params!(norm_backward_weight NormBackwardWeightParams {
        tasks: tasks,
        images_per_task: images_per_task,
        channels: channels,
        segments: segments,
        sum_values: sum_values,
        gradient_stride: if shared { 0 } else { stride },
        weight_offset: WEIGHT_OFFSET,
        bias_offset: WEIGHT_OFFSET + channels + 2,
    });
    let owners = if shared { 1 } else { tasks };
    let values = noise(17, (tasks * images_per_task * channels * segments * sum_values) as usize);
    let mut bench = Bench::new(gpu)?;
    let sums = bench.input(&values).await?;
    let output = bench.updated(noise(18, (owners * stride) as usize)).await?;
    let buffers = kernels::norm_backward_weight::Buffers { sums: sums.all(), gradient: output.all() };
    bench.run(params, buffers, 64 * channels * owners)?;
    let mut expected = wide(&output.initial);
    twin::norm_backward_weight(&reference, &wide(&values), &mut expected);
    let tolerance = Tolerance::sum(tasks / owners * images_per_task * segments, 1.0);
    bench.check_f64(&format!("gradient of {sizes:?}, shared {shared}"), &output, &expected, tolerance).await
}

async fn weight_shapes(gpu: &Gpu) -> Result<(), String> {
    for sizes in [[1, 1, 1, 1], [3, 2, 5, 3], [2, 7, 67, 1], [5, 13, 3, 4]] {
        weight(gpu, sizes, 2, false).await?;
        weight(gpu, sizes, 2, true).await?;
        weight(gpu, sizes, 4, false).await?;
    }
    Ok(())
}

async fn weight_long(gpu: &Gpu) -> Result<(), String> {
    weight(gpu, [1, 70_001, 2, 1], 2, false).await?;
    weight(gpu, [70_001, 1, 1, 2], 2, true).await
}

/// `[sets, images_per_set, channels, groups, segments, images_per_task]`
async fn combine(gpu: &Gpu, sizes: [u32; 6], weight_offset: u32) -> Result<(), String> {
    let [sets, images_per_set, channels, groups, segments, images_per_task] = sizes;
    let images = sets * images_per_set;
    let (params, reference) = params!(norm_combine_backward NormCombineBackwardParams {
        sets: sets,
        images_per_set: images_per_set,
        channels: channels,
        groups: groups,
        segments: segments,
        images_per_task: images_per_task,
        parameter_stride: channels + 5,
        weight_offset: weight_offset,
    });
    let values = noise(19, (images * channels * segments * 2) as usize);
    let weights = noise(20, (images / images_per_task * (channels + 5)) as usize);
    let mut bench = Bench::new(gpu)?;
    let sums = bench.input(&values).await?;
    let parameters = bench.input(&weights).await?;
    let output = bench.output(sets * groups * 2).await?;
    let buffers = kernels::norm_combine_backward::Buffers {
        sums: sums.all(),
        parameters: parameters.all(),
        row_sums: output.all(),
    };
    bench.run(params, buffers, 64 * sets * groups)?;
    let mut expected = wide(&output.initial);
    twin::norm_combine_backward(&reference, &wide(&values), &wide(&weights), &mut expected);
    let tolerance = Tolerance::sum(images_per_set * (channels / groups) * segments, 1.0);
    bench.check_f64(&format!("row sums of {sizes:?}"), &output, &expected, tolerance).await
}

async fn combine_shapes(gpu: &Gpu) -> Result<(), String> {
    let sizes = [
        [1, 1, 1, 1, 1, 1],
        [6, 1, 12, 3, 5, 2],
        [3, 1, 7, 7, 1, 3],
        [2, 3, 7, 7, 4, 3],
        [1, 11, 5, 5, 3, 11],
        [67, 1, 4, 2, 3, 67],
        [2, 1, 24, 1, 4, 1],
    ];
    for sizes in sizes {
        combine(gpu, sizes, WEIGHT_OFFSET).await?;
        // The tangent's sums have no weights.
        combine(gpu, sizes, u32::MAX).await?;
    }
    Ok(())
}

async fn combine_long(gpu: &Gpu) -> Result<(), String> {
    combine(gpu, [1, 70_001, 1, 1, 1, 70_001], WEIGHT_OFFSET).await?;
    combine(gpu, [1, 35_003, 2, 2, 2, 35_003], WEIGHT_OFFSET).await
}

async fn backward_input(gpu: &Gpu, shape: &Shape, data: &NormData, coupled: u32) -> Result<(), String> {
    let (params, reference) = params!(norm_backward_input NormBackwardInputParams {
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
        d_output_offset: OUTPUT_OFFSET,
        images_per_task: shape.images_per_task,
        parameter_stride: shape.stride(),
        weight_offset: WEIGHT_OFFSET,
        bias_offset: shape.bias_offset(),
        coupled: coupled,
    });
    // Sums of the size that makes the coupling as large as the rest.
    let count = (shape.images_per_set * (shape.channels / shape.groups) * shape.pixels()) as f32;
    let row_values: Vec<f32> = noise(6, 2 * shape.rows() as usize).iter().map(|value| value * count).collect();
    let dy = noise(5, (OUTPUT_OFFSET + shape.planes() * shape.cells()) as usize);
    let mut bench = Bench::new(gpu)?;
    let input = bench.input(&data.input).await?;
    let statistics = bench.input(&data.statistics).await?;
    let parameters = bench.input(&data.parameters).await?;
    let d_output = bench.input(&dy).await?;
    let row_sums = bench.input(&row_values).await?;
    let output = bench.output(shape.planes() * shape.pixels()).await?;
    let buffers = kernels::norm_backward_input::Buffers {
        input: input.all(),
        statistics: statistics.all(),
        parameters: parameters.all(),
        d_output: d_output.all(),
        row_sums: row_sums.all(),
        d_input: output.all(),
    };
    let windows = shape.height.div_ceil(shape.window) * shape.width.div_ceil(shape.window);
    bench.run(params, buffers, shape.planes() * windows)?;
    let mut expected = output.initial.clone();
    twin::norm_backward_input(
        &reference,
        &data.input,
        &data.statistics,
        &data.parameters,
        &dy,
        &row_values,
        &mut expected,
    );
    // rstd (γ dy − R0/n − x̂ R1/n): at most 2 (1 + 1 + 5), some eight operations.
    let tolerance = Tolerance::cancelling(8, 14.0);
    bench.check(&format!("d_input of {shape:?}, coupled {coupled}"), &output, &expected, tolerance).await
}

async fn input_shapes(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        for coupled in [0, 1] {
            backward_input(gpu, shape, &NormData::random(shape), coupled).await?;
        }
    }
    Ok(())
}

async fn input_ties(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        for coupled in [0, 1] {
            backward_input(gpu, shape, &NormData::ties(shape), coupled).await?;
        }
    }
    Ok(())
}
