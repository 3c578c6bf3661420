//! Convolution of each channel by itself, without bias, forward and backward: 3×3 and 5×5 kernels by
//! strips (`strips.rs`), all others by kernels for any geometry.

mod strips;

use inkling_gpu::kernels::{
    conv2d_reduce_partials, depthwise_backward_input, depthwise_backward_weight, depthwise_forward,
};
use inkling_gpu::{Buffer, GpuError, Recorder};

use crate::axis::Span;
use crate::conv2d::{GradientTarget, Padding, Write, most_splits};
use crate::layout::Layout;
use strips::Strips;

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
    strips: Option<Strips>,
}

impl Depthwise {
    /// Adds the layer's `weight` [C,1,k,k] to `layout` under `name`.
    pub fn new(layout: &mut Layout, name: &str, shape: DepthwiseShape, channels: u32, in_size: [u32; 2]) -> Self {
        let (c, k) = (channels as usize, shape.kernel as usize);
        let weight_offset = layout.push(format!("{name}.weight"), &[c, 1, k, k]);
        let out_size = in_size.map(|size| shape.padding.out_size(size, shape.kernel, shape.stride));
        let strips = Strips::of(shape, in_size, out_size);
        Self { channels, shape, in_size, out_size, weight_offset, strips }
    }

    /// Height and width of the output.
    pub fn out_size(&self) -> [u32; 2] {
        self.out_size
    }

    /// Where the weights begin, and how many there are.
    pub fn weight_range(&self) -> (u32, u32) {
        (self.weight_offset, self.channels * self.fan_in())
    }

    /// Height and width of the kernel, and the stride.
    pub(crate) fn window(&self) -> [u32; 2] {
        [self.shape.kernel, self.shape.stride]
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

    /// `output` = convolution of `input`, for the images of `span`, or is added to.
    ///
    /// # Errors
    /// Device errors.
    pub fn forward(
        &self,
        recorder: &mut Recorder,
        span: Span,
        input: &Buffer,
        parameters: &Buffer,
        (output, write): (&Buffer, Write),
    ) -> Result<(), GpuError> {
        recorder.work(f64::from(span.all_images()) * self.flops());
        // The strips' kernels only replace: to be able to add costs as many loads again.
        if let (Some(strips), Write::Replace) = (self.strips, write) {
            return self.strips_forward(recorder, strips, span, parameters, (input, output));
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
            accumulate: write as u32,
        };
        let buffers =
            depthwise_forward::Buffers { input: input.all(), parameters: parameters.all(), output: output.all() };
        let rows = u64::from(span.all_images() * self.channels) * u64::from(self.out_size[0]);
        recorder.dispatch(params, buffers, rows * u64::from(self.out_size[1].div_ceil(4)))
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
        if let (Some(strips), Write::Replace) = (self.strips, write) {
            return self.strips_backward_input(recorder, strips, span, parameters, (d_output, d_input));
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

    /// `output_dot` = the tangent of [`Depthwise::forward`]: convolution of `input_dot`, where the
    /// input has a tangent, with the weights, plus that of `input` with the direction, where the
    /// weights have one.
    ///
    /// # Errors
    /// Device errors.
    pub fn tangent(
        &self,
        recorder: &mut Recorder,
        span: Span,
        (input, input_dot): (&Buffer, Option<&Buffer>),
        (parameters, direction): (&Buffer, Option<&Buffer>),
        output_dot: &Buffer,
    ) -> Result<(), GpuError> {
        let mut write = Write::Replace;
        if let Some(input_dot) = input_dot {
            self.forward(recorder, span, input_dot, parameters, (output_dot, write))?;
            write = Write::Add;
        }
        match direction {
            Some(direction) => self.forward(recorder, span, input, direction, (output_dot, write)),
            None => Ok(()),
        }
    }

    /// `d_input_dot` = the tangent of [`Depthwise::backward_input`], or is added to: that of
    /// `d_output_dot` with the weights plus that of `d_output` with the direction, where the weights
    /// have one.
    ///
    /// # Errors
    /// Device errors.
    pub fn backward_input_tangent(
        &self,
        recorder: &mut Recorder,
        span: Span,
        (d_output, d_output_dot): (&Buffer, &Buffer),
        (parameters, direction): (&Buffer, Option<&Buffer>),
        (d_input_dot, write): (&Buffer, Write),
    ) -> Result<(), GpuError> {
        self.backward_input(recorder, span, d_output_dot, parameters, (d_input_dot, write))?;
        match direction {
            Some(direction) => self.backward_input(recorder, span, d_output, direction, (d_input_dot, Write::Add)),
            None => Ok(()),
        }
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

    /// Adds the tangent of [`Depthwise::backward_weight`]: the gradient of `input` and `d_output_dot`
    /// plus, where the input has a tangent, that of `input_dot` and `d_output`.
    ///
    /// # Errors
    /// Device errors.
    pub fn backward_weight_tangent(
        &self,
        recorder: &mut Recorder,
        span: Span,
        (input, input_dot): (&Buffer, Option<&Buffer>),
        (d_output, d_output_dot): (&Buffer, &Buffer),
        target: GradientTarget<'_>,
    ) -> Result<(), GpuError> {
        self.backward_weight(recorder, span, input, d_output_dot, target)?;
        match input_dot {
            Some(input_dot) => self.backward_weight(recorder, span, input_dot, d_output, target),
            None => Ok(()),
        }
    }
}
