//! Convolution of each channel by itself, without bias, forward and backward.

use inkling_gpu::kernels::{
    conv2d_reduce_partials, depthwise_backward_input, depthwise_backward_weight, depthwise_forward, depthwise3x3_same,
    depthwise5x5_same,
};
use inkling_gpu::{Buffer, GpuError, Recorder};

use crate::axis::Span;
use crate::conv2d::{GradientTarget, Padding, Write, most_splits};
use crate::layout::Layout;

/// Pixels that one partial sum of the weight gradient adds up, at least one image.
const SPLIT_PIXELS: u32 = 4096;

/// What a layer of this geometry is made of.
#[derive(Clone, Copy, Debug)]
pub struct DepthwiseShape {
    /// Height and width of the kernel.
    pub kernel: u32,
    /// Step between output pixels.
    pub stride: u32,
    /// Zeros around the input.
    pub padding: Padding,
}

/// A depthwise convolution: its geometry and where its weights lie.
#[derive(Clone, Debug)]
pub struct Depthwise {
    channels: u32,
    shape: DepthwiseShape,
    in_size: [u32; 2],
    out_size: [u32; 2],
    weight_offset: u32,
}

impl Depthwise {
    /// Adds the layer's `weight` [C,1,k,k] to `layout` under `name`.
    pub fn new(layout: &mut Layout, name: &str, shape: DepthwiseShape, channels: u32, in_size: [u32; 2]) -> Self {
        let (c, k) = (channels as usize, shape.kernel as usize);
        let weight_offset = layout.push(format!("{name}.weight"), &[c, 1, k, k]);
        let out_size = in_size.map(|size| shape.padding.out_size(size, shape.kernel, shape.stride));
        Self { channels, shape, in_size, out_size, weight_offset }
    }

    /// Height and width of the output.
    pub fn out_size(&self) -> [u32; 2] {
        self.out_size
    }

    /// Where the weights begin, and how many there are.
    pub fn weight_range(&self) -> (u32, u32) {
        (self.weight_offset, self.channels * self.fan_in())
    }

    /// Inputs of each output.
    pub fn fan_in(&self) -> u32 {
        self.shape.kernel * self.shape.kernel
    }

    /// Floating-point operations of the forward pass of one image; each direction of the backward
    /// pass takes as many.
    pub fn flops(&self) -> f64 {
        2.0 * f64::from(self.channels * self.out_size[0] * self.out_size[1]) * f64::from(self.fan_in())
    }

    fn padding(&self) -> u32 {
        self.shape.padding.before(self.in_size[0], self.shape.kernel, self.shape.stride)
    }

    /// `output` = convolution of `input`, for the images of `span`.
    ///
    /// # Errors
    /// Device errors.
    pub fn forward(
        &self,
        recorder: &mut Recorder,
        span: Span,
        input: &Buffer,
        parameters: &Buffer,
        output: &Buffer,
    ) -> Result<(), GpuError> {
        recorder.work(f64::from(span.all_images()) * self.flops());
        if self.keeps_size() {
            return self.same(recorder, span, parameters, (input, output), (false, Write::Replace));
        }
        let params = depthwise_forward::Params {
            images: span.all_images(),
            channels: self.channels,
            in_height: self.in_size[0],
            in_width: self.in_size[1],
            out_height: self.out_size[0],
            out_width: self.out_size[1],
            kernel: self.shape.kernel,
            stride: self.shape.stride,
            padding: self.padding(),
            images_per_task: span.images_per_task(),
            parameter_stride: span.parameter_stride(),
            weight_offset: span.parameter_offset(self.weight_offset),
        };
        let buffers =
            depthwise_forward::Buffers { input: input.all(), parameters: parameters.all(), output: output.all() };
        let rows = u64::from(span.all_images() * self.channels) * u64::from(self.out_size[0]);
        recorder.dispatch(params, buffers, rows * u64::from(self.out_size[1].div_ceil(4)))
    }

    /// Whether the kernels for stride 1 take the layer: then the way back is the way there with the
    /// convolution's kernels turned.
    fn keeps_size(&self) -> bool {
        let DepthwiseShape { kernel, stride, .. } = self.shape;
        let centred = self.in_size == self.out_size && self.padding() == kernel / 2;
        stride == 1 && centred && (kernel == 3 || kernel == 5)
    }

    fn same(
        &self,
        recorder: &mut Recorder,
        span: Span,
        parameters: &Buffer,
        (input, output): (&Buffer, &Buffer),
        (is_flipped, write): (bool, Write),
    ) -> Result<(), GpuError> {
        let [height, width] = self.in_size;
        let (images, channels, images_per_task) = (span.all_images(), self.channels, span.images_per_task());
        let parameter_stride = span.parameter_stride();
        let weight_offset = span.parameter_offset(self.weight_offset);
        let (flip, accumulate) = (u32::from(is_flipped), write as u32);
        let tiles = u64::from(images * channels) * u64::from(height.div_ceil(4) * width.div_ceil(4));
        let (input, parameters, output) = (input.all(), parameters.all(), output.all());
        if self.shape.kernel == 3 {
            let params = depthwise3x3_same::Params {
                images,
                channels,
                height,
                width,
                images_per_task,
                parameter_stride,
                weight_offset,
                flip,
                accumulate,
            };
            recorder.dispatch(params, depthwise3x3_same::Buffers { input, parameters, output }, tiles)
        } else {
            let params = depthwise5x5_same::Params {
                images,
                channels,
                height,
                width,
                images_per_task,
                parameter_stride,
                weight_offset,
                flip,
                accumulate,
            };
            recorder.dispatch(params, depthwise5x5_same::Buffers { input, parameters, output }, tiles)
        }
    }

    /// `d_input` = gradient with respect to the input, or is added to.
    ///
    /// # Errors
    /// Device errors.
    pub fn backward_input(
        &self,
        recorder: &mut Recorder,
        span: Span,
        d_output: &Buffer,
        parameters: &Buffer,
        (d_input, write): (&Buffer, Write),
    ) -> Result<(), GpuError> {
        recorder.work(f64::from(span.all_images()) * self.flops());
        if self.keeps_size() {
            return self.same(recorder, span, parameters, (d_output, d_input), (true, write));
        }
        let params = depthwise_backward_input::Params {
            images: span.all_images(),
            channels: self.channels,
            in_height: self.in_size[0],
            in_width: self.in_size[1],
            out_height: self.out_size[0],
            out_width: self.out_size[1],
            kernel: self.shape.kernel,
            stride: self.shape.stride,
            padding: self.padding(),
            images_per_task: span.images_per_task(),
            parameter_stride: span.parameter_stride(),
            weight_offset: span.parameter_offset(self.weight_offset),
            accumulate: write as u32,
        };
        let buffers = depthwise_backward_input::Buffers {
            d_output: d_output.all(),
            parameters: parameters.all(),
            d_input: d_input.all(),
        };
        let pixels = u64::from(self.in_size[0]) * u64::from(self.in_size[1]);
        recorder.dispatch(params, buffers, u64::from(span.all_images() * self.channels) * pixels)
    }

    /// Elements of the partial sums that the weight gradient of up to `images` images needs, of up
    /// to `tasks` tasks with a gradient of their own.
    pub fn partial_elements(&self, images: u32, tasks: u32) -> u64 {
        most_splits(images, tasks, self.split_images()) * u64::from(self.weight_range().1)
    }

    /// Images of one split; it depends on the geometry alone.
    fn split_images(&self) -> u32 {
        (SPLIT_PIXELS / (self.out_size[0] * self.out_size[1]).max(1)).max(1)
    }

    /// Adds the gradient with respect to the weights.
    ///
    /// # Errors
    /// Device errors.
    pub fn backward_weight(
        &self,
        recorder: &mut Recorder,
        span: Span,
        input: &Buffer,
        d_output: &Buffer,
        target: GradientTarget<'_>,
    ) -> Result<(), GpuError> {
        recorder.work(f64::from(span.all_images()) * self.flops());
        let (tasks, images_per_task) = span.gradient_tasks();
        let images_per_split = self.split_images();
        let splits_per_task = images_per_task.div_ceil(images_per_split).max(1);
        let splits = tasks * splits_per_task;
        let (_, weights) = self.weight_range();
        let params = depthwise_backward_weight::Params {
            images: span.all_images(),
            channels: self.channels,
            in_height: self.in_size[0],
            in_width: self.in_size[1],
            out_height: self.out_size[0],
            out_width: self.out_size[1],
            kernel: self.shape.kernel,
            stride: self.shape.stride,
            padding: self.padding(),
            splits,
            images_per_split,
            splits_per_task,
            images_per_task,
        };
        let buffers = depthwise_backward_weight::Buffers {
            input: input.all(),
            d_output: d_output.all(),
            partials: target.partials.all(),
        };
        recorder.dispatch(params, buffers, u64::from(splits) * u64::from(weights))?;
        let params = conv2d_reduce_partials::Params {
            tasks,
            splits_per_task,
            weights,
            biases: 0,
            added: weights,
            weight_offset: span.gradient_offset(self.weight_offset),
            bias_offset: 0,
            gradient_stride: span.gradient_stride(),
        };
        let buffers =
            conv2d_reduce_partials::Buffers { partials: target.partials.all(), gradient: target.gradient.all() };
        recorder.dispatch(params, buffers, u64::from(tasks) * u64::from(weights))
    }
}
