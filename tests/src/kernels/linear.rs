//! Kernels of linear layers, and the row gatherer.

use inkling_gpu::{Gpu, kernels};
use inkling_reference as twin;

use super::bench::{Bench, Output, integers, noise};
use super::tolerance::Tolerance;
use super::{case_list, params};
use crate::Case;

pub fn cases() -> Vec<Case> {
    case_list![
        "linear_forward/shapes" => forward,
        "linear_backward_input/shapes" => backward_input,
        "linear_backward_weight/shapes" => backward_weight,
        "gather_rows/shapes" => gather,
    ]
}

/// `[images, in_features, out_features, images_per_task]`
const SHAPES: [[u32; 4]; 5] = [[1, 1, 1, 1], [6, 5, 3, 2], [7, 67, 5, 7], [4, 3, 71, 1], [10, 130, 17, 5]];

const WEIGHT_OFFSET: u32 = 3;

const NONE: u32 = u32::MAX;

/// `(first image, images)`: all of them, and some that begin and end within tasks.
fn parts(images: u32) -> [(u32, u32); 2] {
    let first = u32::from(images > 1);
    [(0, images), (first, (images - first).div_ceil(2))]
}

/// An output to be overwritten, or one to be added to.
async fn written(bench: &mut Bench, elements: u32, accumulate: u32) -> Result<Output, String> {
    match accumulate {
        0 => bench.output(elements).await,
        _ => bench.updated(noise(4, elements as usize)).await,
    }
}

fn bias_offset(inputs: u32, outputs: u32) -> u32 {
    WEIGHT_OFFSET + inputs * outputs + 2
}

fn stride(inputs: u32, outputs: u32) -> u32 {
    bias_offset(inputs, outputs) + outputs + 1
}

async fn forward(gpu: &Gpu) -> Result<(), String> {
    for sizes in SHAPES {
        let [images, inputs, outputs, _] = sizes;
        let stride = stride(inputs, outputs);
        for part in parts(images) {
            forward_part(gpu, sizes, part, (0, bias_offset(inputs, outputs), 0)).await?;
            forward_part(gpu, sizes, part, (stride, NONE, 0)).await?;
            forward_part(gpu, sizes, part, (stride, bias_offset(inputs, outputs), 1)).await?;
        }
    }
    Ok(())
}

async fn forward_part(
    gpu: &Gpu,
    sizes: [u32; 4],
    (first_image, count): (u32, u32),
    (parameter_stride, bias_offset, accumulate): (u32, u32, u32),
) -> Result<(), String> {
    let [images, inputs, outputs, images_per_task] = sizes;
    let (params, reference) = params!(linear_forward LinearForwardParams {
        first_image: first_image,
        images: count,
        in_features: inputs,
        out_features: outputs,
        images_per_task: images_per_task,
        parameter_stride: parameter_stride,
        weight_offset: WEIGHT_OFFSET,
        bias_offset: bias_offset,
        accumulate: accumulate,
    });
    let values = noise(1, (images * inputs) as usize);
    let weights = noise(2, (images / images_per_task * stride(inputs, outputs)) as usize);
    let mut bench = Bench::new(gpu)?;
    let input = bench.input(&values).await?;
    let parameters = bench.input(&weights).await?;
    let output = written(&mut bench, images * outputs, accumulate).await?;
    let buffers =
        kernels::linear_forward::Buffers { input: input.all(), parameters: parameters.all(), output: output.all() };
    bench.run(params, buffers, count * outputs)?;
    let mut expected = output.initial.clone();
    twin::linear_forward(&reference, &values, &weights, &mut expected);
    let what = format!("output of {sizes:?}, {count} from {first_image}, accumulate {accumulate}");
    bench.check(&what, &output, &expected, Tolerance::sum(inputs, 1.0)).await
}

async fn backward_input(gpu: &Gpu) -> Result<(), String> {
    for sizes in SHAPES {
        let [images, inputs, outputs, images_per_task] = sizes;
        let parts = parts(images);
        for ((first_image, count), parameter_stride, accumulate) in
            [(parts[0], 0, 0), (parts[0], stride(inputs, outputs), 1), (parts[1], stride(inputs, outputs), 0)]
        {
            let (params, reference) = params!(linear_backward_input LinearBackwardInputParams {
                first_image: first_image,
                images: count,
                in_features: inputs,
                out_features: outputs,
                images_per_task: images_per_task,
                parameter_stride: parameter_stride,
                weight_offset: WEIGHT_OFFSET,
                accumulate: accumulate,
            });
            let dy = noise(1, (images * outputs) as usize);
            let weights = noise(2, (images / images_per_task * stride(inputs, outputs)) as usize);
            let mut bench = Bench::new(gpu)?;
            let d_output = bench.input(&dy).await?;
            let parameters = bench.input(&weights).await?;
            let output = written(&mut bench, images * inputs, accumulate).await?;
            let buffers = kernels::linear_backward_input::Buffers {
                d_output: d_output.all(),
                parameters: parameters.all(),
                d_input: output.all(),
            };
            bench.run(params, buffers, count * inputs)?;
            let mut expected = output.initial.clone();
            twin::linear_backward_input(&reference, &dy, &weights, &mut expected);
            let what = format!("d_input of {sizes:?}, {count} from {first_image}, accumulate {accumulate}");
            bench.check(&what, &output, &expected, Tolerance::sum(outputs, 1.0)).await?;
        }
    }
    Ok(())
}

async fn backward_weight(gpu: &Gpu) -> Result<(), String> {
    for sizes in SHAPES {
        let [images, inputs, outputs, _] = sizes;
        for part in parts(images) {
            backward_weight_part(gpu, sizes, part, (0, bias_offset(inputs, outputs))).await?;
            backward_weight_part(gpu, sizes, part, (stride(inputs, outputs), bias_offset(inputs, outputs))).await?;
            backward_weight_part(gpu, sizes, part, (stride(inputs, outputs), NONE)).await?;
        }
    }
    Ok(())
}

async fn backward_weight_part(
    gpu: &Gpu,
    sizes: [u32; 4],
    (first_image, count): (u32, u32),
    (gradient_stride, bias_offset): (u32, u32),
) -> Result<(), String> {
    let [images, inputs, outputs, images_per_task] = sizes;
    let (params, reference) = params!(linear_backward_weight LinearBackwardWeightParams {
        first_image: first_image,
        images: count,
        in_features: inputs,
        out_features: outputs,
        images_per_task: images_per_task,
        gradient_stride: gradient_stride,
        weight_offset: WEIGHT_OFFSET,
        bias_offset: bias_offset,
    });
    let values = noise(1, (images * inputs) as usize);
    let dy = noise(2, (images * outputs) as usize);
    let mut bench = Bench::new(gpu)?;
    let input = bench.input(&values).await?;
    let d_output = bench.input(&dy).await?;
    let tasks = if gradient_stride == 0 { 1 } else { images / images_per_task };
    let output = bench.updated(noise(3, (tasks * stride(inputs, outputs)) as usize)).await?;
    let buffers = kernels::linear_backward_weight::Buffers {
        input: input.all(),
        d_output: d_output.all(),
        gradient: output.all(),
    };
    let touched = (first_image + count).div_ceil(images_per_task) - first_image / images_per_task;
    let owners = if gradient_stride == 0 { 1 } else { touched };
    bench.run(params, buffers, owners * outputs * (inputs + 1))?;
    let mut expected = output.initial.clone();
    twin::linear_backward_weight(&reference, &values, &dy, &mut expected);
    let what = format!("gradient of {sizes:?}, {count} from {first_image}, stride {gradient_stride}");
    bench.check(&what, &output, &expected, Tolerance::sum(count, 1.0)).await
}

async fn gather(gpu: &Gpu) -> Result<(), String> {
    for (rows, dimension, sources) in [(1, 1, 1), (3, 67, 5), (71, 5, 13), (130, 64, 200)] {
        let (params, reference) = params!(gather_rows GatherRowsParams {
            rows: rows,
            dimension: dimension,
            scale: 2.75,
        });
        let values = noise(1, sources as usize * dimension as usize);
        let rows_of = integers(2, rows as usize, sources);
        let mut bench = Bench::new(gpu)?;
        let source = bench.input(&values).await?;
        let indices = bench.input(&rows_of).await?;
        let output = bench.output(rows * dimension).await?;
        let buffers =
            kernels::gather_rows::Buffers { source: source.all(), indices: indices.all(), destination: output.all() };
        bench.run(params, buffers, rows * dimension)?;
        let mut expected = output.initial.clone();
        twin::gather_rows(&reference, &values, &rows_of, &mut expected);
        let what = format!("{rows} rows of {dimension}");
        bench.check(&what, &output, &expected, Tolerance::roundings(1)).await?;
    }
    Ok(())
}
