//! Depthwise convolution kernels.

use inkling_gpu::{Gpu, kernels};
use inkling_reference as twin;

use super::bench::{Bench, noise};
use super::tolerance::Tolerance;
use super::{case_list, params};
use crate::Case;

pub fn cases() -> Vec<Case> {
    case_list![
        "depthwise_forward/geometries" => forward,
        "depthwise_backward_input/geometries" => backward_input,
        "depthwise_backward_weight/geometries" => backward_weight,
    ]
}

#[derive(Clone, Copy, Debug)]
struct Shape {
    images: u32,
    images_per_task: u32,
    channels: u32,
    in_size: [u32; 2],
    out_size: [u32; 2],
    kernel: u32,
    stride: u32,
    padding: u32,
}

/// `[images, images_per_task, channels], [in_height, in_width], [out_height, out_width], [kernel,
/// stride, padding]`
const fn shape(counts: [u32; 3], in_size: [u32; 2], out_size: [u32; 2], window: [u32; 3]) -> Shape {
    let [images, images_per_task, channels] = counts;
    let [kernel, stride, padding] = window;
    Shape { images, images_per_task, channels, in_size, out_size, kernel, stride, padding }
}

const SHAPES: &[Shape] = &[
    shape([1, 1, 1], [1, 1], [1, 1], [3, 1, 1]),
    shape([4, 2, 3], [5, 7], [5, 7], [3, 1, 1]),
    // SAME at stride 2: no zeros before an even size, one before an odd one.
    shape([3, 1, 5], [8, 6], [4, 3], [3, 2, 0]),
    shape([2, 2, 7], [9, 11], [5, 6], [3, 2, 1]),
    shape([2, 1, 4], [7, 13], [7, 13], [5, 1, 2]),
    shape([6, 3, 2], [14, 10], [7, 5], [5, 2, 1]),
    shape([2, 2, 67], [6, 4], [6, 4], [3, 1, 1]),
];

const WEIGHT_OFFSET: u32 = 3;

impl Shape {
    fn inputs(&self) -> u32 {
        self.images * self.channels * self.in_size[0] * self.in_size[1]
    }

    fn outputs(&self) -> u32 {
        self.images * self.channels * self.out_size[0] * self.out_size[1]
    }

    fn weights(&self) -> u32 {
        self.channels * self.kernel * self.kernel
    }

    fn stride_of_tasks(&self) -> u32 {
        WEIGHT_OFFSET + self.weights() + 2
    }

    /// The flat vectors of all tasks.
    fn parameters(&self) -> Vec<f32> {
        noise(2, (self.images / self.images_per_task * self.stride_of_tasks()) as usize)
    }
}

async fn forward(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        for (parameter_stride, accumulate) in [(0, 0), (shape.stride_of_tasks(), 0), (0, 1)] {
            let (params, reference) = params!(depthwise_forward DepthwiseForwardParams {
                images: shape.images,
                channels: shape.channels,
                in_height: shape.in_size[0],
                in_width: shape.in_size[1],
                out_height: shape.out_size[0],
                out_width: shape.out_size[1],
                kernel: shape.kernel,
                stride: shape.stride,
                padding: shape.padding,
                images_per_task: shape.images_per_task,
                parameter_stride: parameter_stride,
                weight_offset: WEIGHT_OFFSET,
                accumulate: accumulate,
            });
            let (values, weights) = (noise(1, shape.inputs() as usize), shape.parameters());
            let mut bench = Bench::new(gpu)?;
            let input = bench.input(&values).await?;
            let parameters = bench.input(&weights).await?;
            let output = match accumulate {
                0 => bench.output(shape.outputs()).await?,
                _ => bench.updated(noise(4, shape.outputs() as usize)).await?,
            };
            let buffers = kernels::depthwise_forward::Buffers {
                input: input.all(),
                parameters: parameters.all(),
                output: output.all(),
            };
            let rows = shape.images * shape.channels * shape.out_size[0];
            bench.run(params, buffers, rows * shape.out_size[1].div_ceil(4))?;
            let mut expected = output.initial.clone();
            twin::depthwise_forward(&reference, &values, &weights, &mut expected);
            let what = format!("output of {shape:?}, stride of tasks {parameter_stride}, accumulate {accumulate}");
            bench.check(&what, &output, &expected, Tolerance::sum(shape.kernel * shape.kernel + 1, 1.0)).await?;
        }
    }
    Ok(())
}

async fn backward_input(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        for (parameter_stride, accumulate) in [(0, 0), (shape.stride_of_tasks(), 0), (0, 1)] {
            let (params, reference) = params!(depthwise_backward_input DepthwiseBackwardInputParams {
                images: shape.images,
                channels: shape.channels,
                in_height: shape.in_size[0],
                in_width: shape.in_size[1],
                out_height: shape.out_size[0],
                out_width: shape.out_size[1],
                kernel: shape.kernel,
                stride: shape.stride,
                padding: shape.padding,
                images_per_task: shape.images_per_task,
                parameter_stride: parameter_stride,
                weight_offset: WEIGHT_OFFSET,
                accumulate: accumulate,
            });
            let (dy, weights) = (noise(1, shape.outputs() as usize), shape.parameters());
            let mut bench = Bench::new(gpu)?;
            let d_output = bench.input(&dy).await?;
            let parameters = bench.input(&weights).await?;
            let output = match accumulate {
                0 => bench.output(shape.inputs()).await?,
                _ => bench.updated(noise(4, shape.inputs() as usize)).await?,
            };
            let buffers = kernels::depthwise_backward_input::Buffers {
                d_output: d_output.all(),
                parameters: parameters.all(),
                d_input: output.all(),
            };
            bench.run(params, buffers, shape.inputs())?;
            let mut expected = output.initial.clone();
            twin::depthwise_backward_input(&reference, &dy, &weights, &mut expected);
            let what = format!("d_input of {shape:?}, stride of tasks {parameter_stride}, accumulate {accumulate}");
            bench.check(&what, &output, &expected, Tolerance::sum(shape.kernel * shape.kernel + 1, 1.0)).await?;
        }
    }
    Ok(())
}

async fn backward_weight(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        for images_per_split in [1, 2, shape.images_per_task] {
            let splits_per_task = shape.images_per_task.div_ceil(images_per_split);
            let splits = shape.images / shape.images_per_task * splits_per_task;
            let (params, reference) = params!(depthwise_backward_weight DepthwiseBackwardWeightParams {
                images: shape.images,
                channels: shape.channels,
                in_height: shape.in_size[0],
                in_width: shape.in_size[1],
                out_height: shape.out_size[0],
                out_width: shape.out_size[1],
                kernel: shape.kernel,
                stride: shape.stride,
                padding: shape.padding,
                splits: splits,
                images_per_split: images_per_split,
                splits_per_task: splits_per_task,
                images_per_task: shape.images_per_task,
            });
            let (values, dy) = (noise(1, shape.inputs() as usize), noise(2, shape.outputs() as usize));
            let mut bench = Bench::new(gpu)?;
            let input = bench.input(&values).await?;
            let d_output = bench.input(&dy).await?;
            let output = bench.output(splits * shape.weights()).await?;
            let buffers = kernels::depthwise_backward_weight::Buffers {
                input: input.all(),
                d_output: d_output.all(),
                partials: output.all(),
            };
            bench.run(params, buffers, splits * shape.weights())?;
            let mut expected = output.initial.clone();
            twin::depthwise_backward_weight(&reference, &values, &dy, &mut expected);
            let tolerance = Tolerance::sum(images_per_split * shape.out_size[0] * shape.out_size[1], 1.0);
            let what = format!("partials of {shape:?}, {images_per_split} images a split");
            bench.check(&what, &output, &expected, tolerance).await?;
        }
    }
    Ok(())
}
