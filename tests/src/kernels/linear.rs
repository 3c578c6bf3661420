//! Kernels of linear layers, and the row gatherer.

use inkling_gpu::{Gpu, kernels};
use inkling_reference as twin;

use super::bench::{Bench, integers, noise};
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

fn bias_offset(inputs: u32, outputs: u32) -> u32 {
    WEIGHT_OFFSET + inputs * outputs + 2
}

fn stride(inputs: u32, outputs: u32) -> u32 {
    bias_offset(inputs, outputs) + outputs + 1
}

async fn forward(gpu: &Gpu) -> Result<(), String> {
    for sizes in SHAPES {
        let [images, inputs, outputs, images_per_task] = sizes;
        for parameter_stride in [0, stride(inputs, outputs)] {
            let (params, reference) = params!(linear_forward LinearForwardParams {
                images: images,
                in_features: inputs,
                out_features: outputs,
                images_per_task: images_per_task,
                parameter_stride: parameter_stride,
                weight_offset: WEIGHT_OFFSET,
                bias_offset: bias_offset(inputs, outputs),
            });
            let values = noise(1, (images * inputs) as usize);
            let weights = noise(2, (images / images_per_task * stride(inputs, outputs)) as usize);
            let mut bench = Bench::new(gpu)?;
            let input = bench.input(&values).await?;
            let parameters = bench.input(&weights).await?;
            let output = bench.output(images * outputs).await?;
            let buffers = kernels::linear_forward::Buffers {
                input: input.all(),
                parameters: parameters.all(),
                output: output.all(),
            };
            bench.run(params, buffers, images * outputs)?;
            let mut expected = output.initial.clone();
            twin::linear_forward(&reference, &values, &weights, &mut expected);
            let tolerance = Tolerance::sum(inputs, 1.0);
            bench.check(&format!("output of {sizes:?}"), &output, &expected, tolerance).await?;
        }
    }
    Ok(())
}

async fn backward_input(gpu: &Gpu) -> Result<(), String> {
    for sizes in SHAPES {
        let [images, inputs, outputs, images_per_task] = sizes;
        for parameter_stride in [0, stride(inputs, outputs)] {
            let (params, reference) = params!(linear_backward_input LinearBackwardInputParams {
                images: images,
                in_features: inputs,
                out_features: outputs,
                images_per_task: images_per_task,
                parameter_stride: parameter_stride,
                weight_offset: WEIGHT_OFFSET,
            });
            let dy = noise(1, (images * outputs) as usize);
            let weights = noise(2, (images / images_per_task * stride(inputs, outputs)) as usize);
            let mut bench = Bench::new(gpu)?;
            let d_output = bench.input(&dy).await?;
            let parameters = bench.input(&weights).await?;
            let output = bench.output(images * inputs).await?;
            let buffers = kernels::linear_backward_input::Buffers {
                d_output: d_output.all(),
                parameters: parameters.all(),
                d_input: output.all(),
            };
            bench.run(params, buffers, images * inputs)?;
            let mut expected = output.initial.clone();
            twin::linear_backward_input(&reference, &dy, &weights, &mut expected);
            let tolerance = Tolerance::sum(outputs, 1.0);
            bench.check(&format!("d_input of {sizes:?}"), &output, &expected, tolerance).await?;
        }
    }
    Ok(())
}

async fn backward_weight(gpu: &Gpu) -> Result<(), String> {
    for sizes in SHAPES {
        let [images, inputs, outputs, images_per_task] = sizes;
        let stride = stride(inputs, outputs);
        for gradient_stride in [0, stride] {
            let (params, reference) = params!(linear_backward_weight LinearBackwardWeightParams {
                images: images,
                in_features: inputs,
                out_features: outputs,
                images_per_task: images_per_task,
                gradient_stride: gradient_stride,
                weight_offset: WEIGHT_OFFSET,
                bias_offset: bias_offset(inputs, outputs),
            });
            let owners = if gradient_stride == 0 { 1 } else { images / images_per_task };
            let values = noise(1, (images * inputs) as usize);
            let dy = noise(2, (images * outputs) as usize);
            let mut bench = Bench::new(gpu)?;
            let input = bench.input(&values).await?;
            let d_output = bench.input(&dy).await?;
            let output = bench.updated(noise(3, (owners * stride) as usize)).await?;
            let buffers = kernels::linear_backward_weight::Buffers {
                input: input.all(),
                d_output: d_output.all(),
                gradient: output.all(),
            };
            bench.run(params, buffers, owners * outputs * (inputs + 1))?;
            let mut expected = output.initial.clone();
            twin::linear_backward_weight(&reference, &values, &dy, &mut expected);
            let tolerance = Tolerance::sum(images, 1.0);
            let what = format!("gradient of {sizes:?}, stride {gradient_stride}");
            bench.check(&what, &output, &expected, tolerance).await?;
        }
    }
    Ok(())
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
