//! Convolution kernels: the baseline for any geometry.

use inkling_gpu::{Gpu, kernels};
use inkling_reference as twin;

use super::bench::{Bench, Output, noise};
use super::tolerance::Tolerance;
use super::{case_list, params};
use crate::Case;

pub fn cases() -> Vec<Case> {
    case_list![
        "conv2d_forward/geometries" => forward,
        "conv2d_backward_input/geometries" => backward_input,
        "conv2d_backward_weight/geometries" => backward_weight,
        "conv2d_reduce_partials/tasks" => reduce,
    ]
}

#[derive(Clone, Copy, Debug)]
struct Shape {
    images: u32,
    images_per_task: u32,
    in_channels: u32,
    out_channels: u32,
    in_size: [u32; 2],
    kernel: u32,
    stride: u32,
    padding: u32,
}

/// `[images, images_per_task, in_channels, out_channels], [height, width], [kernel, stride, padding]`
const fn shape(counts: [u32; 4], in_size: [u32; 2], window: [u32; 3]) -> Shape {
    let [images, images_per_task, in_channels, out_channels] = counts;
    let [kernel, stride, padding] = window;
    Shape { images, images_per_task, in_channels, out_channels, in_size, kernel, stride, padding }
}

const SHAPES: &[Shape] = &[
    shape([1, 1, 1, 1], [1, 1], [1, 1, 0]),
    shape([1, 1, 1, 1], [1, 1], [3, 1, 1]),
    shape([4, 2, 3, 5], [5, 7], [3, 1, 1]),
    shape([3, 1, 2, 7], [8, 5], [3, 2, 1]),
    shape([2, 2, 5, 3], [9, 4], [3, 1, 0]),
    shape([6, 3, 7, 9], [5, 6], [1, 1, 0]),
    shape([2, 1, 3, 4], [7, 6], [1, 2, 0]),
    shape([2, 2, 3, 2], [6, 7], [5, 1, 2]),
    shape([3, 3, 17, 19], [13, 11], [3, 1, 1]),
];

const WEIGHT_OFFSET: u32 = 3;
const NONE: u32 = u32::MAX;

impl Shape {
    fn out_size(&self) -> [u32; 2] {
        self.in_size.map(|size| (size + 2 * self.padding - self.kernel) / self.stride + 1)
    }

    fn inputs(&self) -> u32 {
        self.images * self.in_channels * self.in_size[0] * self.in_size[1]
    }

    fn out_pixels(&self) -> u32 {
        self.out_size()[0] * self.out_size()[1]
    }

    fn outputs(&self) -> u32 {
        self.images * self.out_channels * self.out_pixels()
    }

    fn weights(&self) -> u32 {
        self.out_channels * self.in_channels * self.kernel * self.kernel
    }

    fn bias_offset(&self) -> u32 {
        WEIGHT_OFFSET + self.weights() + 2
    }

    fn stride_of_tasks(&self) -> u32 {
        self.bias_offset() + self.out_channels + 1
    }

    /// The flat vectors of all tasks.
    fn parameters(&self) -> Vec<f32> {
        noise(2, (self.images / self.images_per_task * self.stride_of_tasks()) as usize)
    }
}

/// An output to be overwritten, or one to be added to.
async fn written(bench: &mut Bench, elements: u32, accumulate: u32) -> Result<Output, String> {
    match accumulate {
        0 => bench.output(elements).await,
        _ => bench.updated(noise(4, elements as usize)).await,
    }
}

async fn forward(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        for (parameter_stride, accumulate) in [(0, 0), (shape.stride_of_tasks(), 0), (shape.stride_of_tasks(), 1)] {
            let (params, reference) = params!(conv2d_forward Conv2dForwardParams {
                images: shape.images,
                in_channels: shape.in_channels,
                out_channels: shape.out_channels,
                in_height: shape.in_size[0],
                in_width: shape.in_size[1],
                out_height: shape.out_size()[0],
                out_width: shape.out_size()[1],
                kernel: shape.kernel,
                stride: shape.stride,
                padding: shape.padding,
                images_per_task: shape.images_per_task,
                parameter_stride: parameter_stride,
                weight_offset: WEIGHT_OFFSET,
                // The accumulating half of a tangent comes with a bias and without.
                bias_offset: if accumulate * shape.padding == 1 { NONE } else { shape.bias_offset() },
                accumulate: accumulate,
            });
            let (values, weights) = (noise(1, shape.inputs() as usize), shape.parameters());
            let mut bench = Bench::new(gpu)?;
            let input = bench.input(&values).await?;
            let parameters = bench.input(&weights).await?;
            let output = written(&mut bench, shape.outputs(), accumulate).await?;
            let buffers = kernels::conv2d_forward::Buffers {
                input: input.all(),
                parameters: parameters.all(),
                output: output.all(),
            };
            bench.run(params, buffers, shape.images * shape.out_channels.div_ceil(4) * shape.out_pixels())?;
            let mut expected = output.initial.clone();
            twin::conv2d_forward(&reference, &values, &weights, &mut expected);
            let tolerance = Tolerance::sum(shape.in_channels * shape.kernel * shape.kernel, 1.0);
            let what = format!("output of {shape:?}, stride of tasks {parameter_stride}, accumulate {accumulate}");
            bench.check(&what, &output, &expected, tolerance).await?;
        }
    }
    Ok(())
}

async fn backward_input(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        for (parameter_stride, accumulate) in [(0, 0), (shape.stride_of_tasks(), 0), (0, 1)] {
            let (params, reference) = params!(conv2d_backward_input Conv2dBackwardInputParams {
                images: shape.images,
                in_channels: shape.in_channels,
                out_channels: shape.out_channels,
                in_height: shape.in_size[0],
                in_width: shape.in_size[1],
                out_height: shape.out_size()[0],
                out_width: shape.out_size()[1],
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
            let output = written(&mut bench, shape.inputs(), accumulate).await?;
            let buffers = kernels::conv2d_backward_input::Buffers {
                d_output: d_output.all(),
                parameters: parameters.all(),
                d_input: output.all(),
            };
            bench.run(params, buffers, shape.inputs())?;
            let mut expected = output.initial.clone();
            twin::conv2d_backward_input(&reference, &dy, &weights, &mut expected);
            let tolerance = Tolerance::sum(shape.out_channels * shape.kernel * shape.kernel, 1.0);
            let what = format!("d_input of {shape:?}, stride of tasks {parameter_stride}, accumulate {accumulate}");
            bench.check(&what, &output, &expected, tolerance).await?;
        }
    }
    Ok(())
}

async fn backward_weight(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        for images_per_split in [1, 2, shape.images_per_task] {
            let splits_per_task = shape.images_per_task.div_ceil(images_per_split);
            let splits = shape.images / shape.images_per_task * splits_per_task;
            let (params, reference) = params!(conv2d_backward_weight Conv2dBackwardWeightParams {
                images: shape.images,
                in_channels: shape.in_channels,
                out_channels: shape.out_channels,
                in_height: shape.in_size[0],
                in_width: shape.in_size[1],
                out_height: shape.out_size()[0],
                out_width: shape.out_size()[1],
                kernel: shape.kernel,
                stride: shape.stride,
                padding: shape.padding,
                splits: splits,
                images_per_split: images_per_split,
                splits_per_task: splits_per_task,
                images_per_task: shape.images_per_task,
            });
            let (values, dy) = (noise(1, shape.inputs() as usize), noise(2, shape.outputs() as usize));
            let elements = splits * (shape.weights() + shape.out_channels);
            let mut bench = Bench::new(gpu)?;
            let input = bench.input(&values).await?;
            let d_output = bench.input(&dy).await?;
            let output = bench.output(elements).await?;
            let buffers = kernels::conv2d_backward_weight::Buffers {
                input: input.all(),
                d_output: d_output.all(),
                partials: output.all(),
            };
            bench.run(params, buffers, elements)?;
            let mut expected = output.initial.clone();
            twin::conv2d_backward_weight(&reference, &values, &dy, &mut expected);
            let tolerance = Tolerance::sum(images_per_split * shape.out_pixels(), 1.0);
            let what = format!("partials of {shape:?}, {images_per_split} images a split");
            bench.check(&what, &output, &expected, tolerance).await?;
        }
    }
    Ok(())
}

async fn reduce(gpu: &Gpu) -> Result<(), String> {
    let sizes = [(1, 1, 1, 1, 2), (3, 5, 67, 7, 74), (3, 5, 67, 7, 67), (2, 3, 63, 1, 64), (1, 40, 130, 13, 143)];
    for (tasks, splits, weights, biases, added) in sizes {
        let stride = WEIGHT_OFFSET + weights + 2 + biases + 1;
        let (params, reference) = params!(conv2d_reduce_partials Conv2dReducePartialsParams {
            tasks: tasks,
            splits_per_task: splits,
            weights: weights,
            biases: biases,
            added: added,
            weight_offset: WEIGHT_OFFSET,
            bias_offset: WEIGHT_OFFSET + weights + 2,
            gradient_stride: stride,
        });
        let values = noise(1, (tasks * splits * (weights + biases)) as usize);
        let mut bench = Bench::new(gpu)?;
        let partials = bench.input(&values).await?;
        let output = bench.updated(noise(2, (tasks * stride) as usize)).await?;
        let buffers = kernels::conv2d_reduce_partials::Buffers { partials: partials.all(), gradient: output.all() };
        bench.run(params, buffers, tasks * added)?;
        let mut expected = output.initial.clone();
        twin::conv2d_reduce_partials(&reference, &values, &mut expected);
        let what =
            format!("gradient of {tasks} tasks, {splits} splits, {added} of {weights} weights and {biases} biases");
        bench.check(&what, &output, &expected, Tolerance::sum(splits, 1.0)).await?;
    }
    Ok(())
}
