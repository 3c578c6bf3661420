//! Tangents of the normalisation kernels, and of their backward pass.

use inkling_gpu::{Gpu, kernels};
use inkling_reference as twin;

use super::bench::{Bench, noise, wide};
use super::norm_data::{NormData, OUTPUT_OFFSET, RELU, SHAPES, Shape, WEIGHT_OFFSET};
use super::tolerance::Tolerance;
use super::{case_list, params};
use crate::Case;

pub fn cases() -> Vec<Case> {
    case_list![
        "norm_tangent_sums/shapes" => sums_shapes,
        "norm_tangent_sums/many_pixels" => sums_long,
        "norm_tangent/shapes" => tangent_shapes,
        "norm_tangent/ties_and_kinks" => tangent_ties,
        "norm_backward_sums_tangent/shapes" => backward_sums_shapes,
        "norm_backward_sums_tangent/ties_and_kinks" => backward_sums_ties,
        "norm_backward_sums_tangent/many_pixels" => backward_sums_long,
        "norm_combine_backward_tangent/group_and_batch" => combine_shapes,
        "norm_combine_backward_tangent/many_images" => combine_long,
        "norm_backward_input_tangent/shapes" => input_shapes,
        "norm_backward_input_tangent/ties_and_kinks" => input_ties,
    ]
}

/// Tangents within ±1, and sums of rows of the size that makes the coupling as large as the rest.
struct Tangents {
    input: Vec<f32>,
    sums: Vec<f32>,
    direction: Vec<f32>,
}

impl Tangents {
    fn new(shape: &Shape) -> Self {
        let count = (shape.images_per_set * (shape.channels / shape.groups) * shape.pixels()) as f32;
        let sums = noise(6, 2 * shape.rows() as usize).iter().map(|value| value * count).collect();
        Self {
            input: noise(7, (shape.planes() * shape.pixels()) as usize),
            sums,
            direction: noise(8, (shape.tasks() * shape.stride()) as usize),
        }
    }
}

async fn sums(gpu: &Gpu, shape: &Shape, segment_pixels: u32) -> Result<(), String> {
    let segments = shape.pixels().div_ceil(segment_pixels);
    let (params, reference) = params!(norm_tangent_sums NormTangentSumsParams {
        images: shape.images,
        channels: shape.channels,
        pixels: shape.pixels(),
        groups: shape.groups,
        images_per_set: shape.images_per_set,
        segment_pixels: segment_pixels,
        segments: segments,
    });
    let (data, tangents) = (NormData::random(shape), Tangents::new(shape));
    let mut bench = Bench::new(gpu)?;
    let input = bench.input(&data.input).await?;
    let input_dot = bench.input(&tangents.input).await?;
    let statistics = bench.input(&data.statistics).await?;
    let output = bench.output(shape.planes() * segments * 2).await?;
    let buffers = kernels::norm_tangent_sums::Buffers {
        input: input.all(),
        input_dot: input_dot.all(),
        statistics: statistics.all(),
        sums: output.all(),
    };
    bench.run(params, buffers, shape.planes() * segments)?;
    let mut expected = output.initial.clone();
    twin::norm_tangent_sums(&reference, &data.input, &tangents.input, &data.statistics, &mut expected);
    // ẋ is at most 1, x̂ at most 2.5 · 2.
    let tolerance = Tolerance::sum(segment_pixels, 5.0);
    bench.check(&format!("sums of {shape:?} by {segment_pixels}"), &output, &expected, tolerance).await
}

async fn sums_shapes(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        for segment_pixels in [1, 5, 64, 1024] {
            sums(gpu, shape, segment_pixels).await?;
        }
    }
    Ok(())
}

/// 300 × 300 pixels, in three segments.
async fn sums_long(gpu: &Gpu) -> Result<(), String> {
    let shape = Shape { height: 300, width: 300, window: 1, bounds: RELU, ..SHAPES[0] };
    sums(gpu, &shape, 30_000).await
}

async fn tangent(gpu: &Gpu, shape: &Shape, data: &NormData, coupled: u32) -> Result<(), String> {
    let (params, reference) = params!(norm_tangent NormTangentParams {
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
        coupled: coupled,
    });
    let tangents = Tangents::new(shape);
    let mut bench = Bench::new(gpu)?;
    let input = bench.input(&data.input).await?;
    let input_dot = bench.input(&tangents.input).await?;
    let statistics = bench.input(&data.statistics).await?;
    let tangent_sums = bench.input(&tangents.sums).await?;
    let parameters = bench.input(&data.parameters).await?;
    let direction = bench.input(&tangents.direction).await?;
    let output = bench.output(OUTPUT_OFFSET + shape.planes() * shape.cells()).await?;
    let buffers = kernels::norm_tangent::Buffers {
        input: input.all(),
        input_dot: input_dot.all(),
        statistics: statistics.all(),
        tangent_sums: tangent_sums.all(),
        parameters: parameters.all(),
        direction: direction.all(),
        output_dot: output.all(),
    };
    bench.run(params, buffers, shape.planes() * shape.out_height())?;
    let mut expected = output.initial.clone();
    twin::norm_tangent(
        &reference,
        &data.input,
        &tangents.input,
        &data.statistics,
        &tangents.sums,
        &data.parameters,
        &tangents.direction,
        &mut expected,
    );
    // x̂˙ is at most 2 (1 + 1 + 5), γ̇ x̂ at most 5: some ten operations on numbers up to 20.
    let tolerance = Tolerance::cancelling(10, 20.0);
    bench.check(&format!("output_dot of {shape:?}, coupled {coupled}"), &output, &expected, tolerance).await
}

async fn tangent_shapes(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        for coupled in [0, 1] {
            tangent(gpu, shape, &NormData::random(shape), coupled).await?;
        }
    }
    Ok(())
}

async fn tangent_ties(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        tangent(gpu, shape, &NormData::ties(shape), 1).await?;
    }
    Ok(())
}

/// The gradient of the output and its tangent.
fn d_outputs(shape: &Shape) -> (Vec<f32>, Vec<f32>) {
    let elements = (OUTPUT_OFFSET + shape.planes() * shape.cells()) as usize;
    (noise(5, elements), noise(9, elements))
}

async fn backward_sums(
    gpu: &Gpu,
    shape: &Shape,
    data: &NormData,
    coupled: u32,
    segment_cells: u32,
) -> Result<(), String> {
    let segments = shape.cells().div_ceil(segment_cells);
    let (params, reference) = params!(norm_backward_sums_tangent NormBackwardSumsTangentParams {
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
        coupled: coupled,
    });
    let tangents = Tangents::new(shape);
    let (dy, dy_dot) = d_outputs(shape);
    let mut bench = Bench::new(gpu)?;
    let input = bench.input(&data.input).await?;
    let input_dot = bench.input(&tangents.input).await?;
    let statistics = bench.input(&data.statistics).await?;
    let tangent_sums = bench.input(&tangents.sums).await?;
    let parameters = bench.input(&data.parameters).await?;
    let d_output = bench.input(&dy).await?;
    let d_output_dot = bench.input(&dy_dot).await?;
    let output = bench.output(shape.planes() * segments * 4).await?;
    let buffers = kernels::norm_backward_sums_tangent::Buffers {
        input: input.all(),
        input_dot: input_dot.all(),
        statistics: statistics.all(),
        tangent_sums: tangent_sums.all(),
        parameters: parameters.all(),
        d_output: d_output.all(),
        d_output_dot: d_output_dot.all(),
        sums: output.all(),
    };
    bench.run(params, buffers, shape.planes() * segments)?;
    let mut expected = output.initial.clone();
    twin::norm_backward_sums_tangent(
        &reference,
        &data.input,
        &tangents.input,
        &data.statistics,
        &tangents.sums,
        &data.parameters,
        &dy,
        &dy_dot,
        &mut expected,
    );
    // dy and its tangent are at most 1, x̂ at most 2.5 · 2, x̂˙ at most 2 (1 + 1 + 5).
    let tolerance = Tolerance::sum(segment_cells, 19.0);
    let what = format!("sums of {shape:?} by {segment_cells}, coupled {coupled}");
    bench.check(&what, &output, &expected, tolerance).await
}

async fn backward_sums_shapes(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        for (coupled, segment_cells) in [(0, 5), (1, 1), (1, 64), (1, 1024)] {
            backward_sums(gpu, shape, &NormData::random(shape), coupled, segment_cells).await?;
        }
    }
    Ok(())
}

async fn backward_sums_ties(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        backward_sums(gpu, shape, &NormData::ties(shape), 1, 7).await?;
    }
    Ok(())
}

/// 600 × 602 pixels, pooled.
async fn backward_sums_long(gpu: &Gpu) -> Result<(), String> {
    let shape = Shape { height: 600, width: 602, window: 2, bounds: RELU, ..SHAPES[0] };
    backward_sums(gpu, &shape, &NormData::random(&shape), 1, 16_384).await
}

/// `[sets, images_per_set, channels, groups, segments, images_per_task]`
async fn combine(gpu: &Gpu, sizes: [u32; 6]) -> Result<(), String> {
    let [sets, images_per_set, channels, groups, segments, images_per_task] = sizes;
    let (images, rows) = (sets * images_per_set, sets * groups);
    let stride = channels + 5;
    let (params, reference) = params!(norm_combine_backward_tangent NormCombineBackwardTangentParams {
        sets: sets,
        images_per_set: images_per_set,
        channels: channels,
        groups: groups,
        segments: segments,
        images_per_task: images_per_task,
        parameter_stride: stride,
        weight_offset: WEIGHT_OFFSET,
    });
    let values = noise(19, (images * channels * segments * 4) as usize);
    let vector = |seed| noise(seed, (images / images_per_task * stride) as usize);
    let (weights, weights_dot) = (vector(20), vector(21));
    let of_rows = |seed| noise(seed, 2 * rows as usize);
    let (statistic_values, tangent_values) = (of_rows(22), of_rows(23));
    let mut bench = Bench::new(gpu)?;
    let sums = bench.input(&values).await?;
    let parameters = bench.input(&weights).await?;
    let direction = bench.input(&weights_dot).await?;
    let statistics = bench.input(&statistic_values).await?;
    let tangent_sums = bench.input(&tangent_values).await?;
    let (row_sums, output) = (bench.output(2 * rows).await?, bench.output(8 * rows).await?);
    let buffers = kernels::norm_combine_backward_tangent::Buffers {
        sums: sums.all(),
        parameters: parameters.all(),
        direction: direction.all(),
        statistics: statistics.all(),
        tangent_sums: tangent_sums.all(),
        row_sums: row_sums.all(),
        rows: output.all(),
    };
    bench.run(params, buffers, 64 * rows)?;
    let (mut expected_sums, mut expected) = (wide(&row_sums.initial), wide(&output.initial));
    twin::norm_combine_backward_tangent(
        &reference,
        &wide(&values),
        &wide(&weights),
        &wide(&weights_dot),
        &wide(&statistic_values),
        &wide(&tangent_values),
        &mut expected_sums,
        &mut expected,
    );
    // Each term is two products of numbers up to one.
    let tolerance = Tolerance::sum(images_per_set * (channels / groups) * segments, 2.0);
    bench.check_f64(&format!("row sums of {sizes:?}"), &row_sums, &expected_sums, tolerance).await?;
    bench.check_f64(&format!("rows of {sizes:?}"), &output, &expected, tolerance).await
}

async fn combine_shapes(gpu: &Gpu) -> Result<(), String> {
    let sizes = [
        [1, 1, 1, 1, 1, 1],
        [6, 1, 12, 3, 5, 2],
        [2, 3, 7, 7, 4, 3],
        [1, 11, 5, 5, 3, 11],
        [67, 1, 4, 2, 3, 67],
        [2, 1, 24, 1, 4, 1],
    ];
    for sizes in sizes {
        combine(gpu, sizes).await?;
    }
    Ok(())
}

async fn combine_long(gpu: &Gpu) -> Result<(), String> {
    combine(gpu, [1, 70_001, 1, 1, 1, 70_001]).await
}

async fn backward_input(gpu: &Gpu, shape: &Shape, data: &NormData, coupled: u32) -> Result<(), String> {
    let (params, reference) = params!(norm_backward_input_tangent NormBackwardInputTangentParams {
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
    let tangents = Tangents::new(shape);
    let (dy, dy_dot) = d_outputs(shape);
    let count = (shape.images_per_set * (shape.channels / shape.groups) * shape.pixels()) as f32;
    let mut row_values: Vec<f32> = noise(10, 8 * shape.rows() as usize).iter().map(|value| value * count).collect();
    for (row, statistics) in row_values.chunks_exact_mut(8).zip(data.statistics.chunks_exact(2)) {
        row[..2].copy_from_slice(statistics);
    }
    let mut bench = Bench::new(gpu)?;
    let input = bench.input(&data.input).await?;
    let input_dot = bench.input(&tangents.input).await?;
    let rows = bench.input(&row_values).await?;
    let parameters = bench.input(&data.parameters).await?;
    let direction = bench.input(&tangents.direction).await?;
    let d_output = bench.input(&dy).await?;
    let d_output_dot = bench.input(&dy_dot).await?;
    let output = bench.output(shape.planes() * shape.pixels()).await?;
    let buffers = kernels::norm_backward_input_tangent::Buffers {
        input: input.all(),
        input_dot: input_dot.all(),
        rows: rows.all(),
        parameters: parameters.all(),
        direction: direction.all(),
        d_output: d_output.all(),
        d_output_dot: d_output_dot.all(),
        d_input_dot: output.all(),
    };
    bench.run(params, buffers, shape.planes() * shape.height.div_ceil(shape.window))?;
    let mut expected = output.initial.clone();
    twin::norm_backward_input_tangent(
        &reference,
        &data.input,
        &tangents.input,
        &row_values,
        &data.parameters,
        &tangents.direction,
        &dy,
        &dy_dot,
        &mut expected,
    );
    // γ dy − R0 − x̂ R1 is at most 7, its tangent at most 1 + 1 + 1 + 14 + 5, rstd at most 2: a dozen
    // operations on numbers up to 2 (22 + 2 · 7).
    let tolerance = Tolerance::cancelling(12, 72.0);
    bench.check(&format!("d_input_dot of {shape:?}, coupled {coupled}"), &output, &expected, tolerance).await
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
        backward_input(gpu, shape, &NormData::ties(shape), 1).await?;
    }
    Ok(())
}
