//! Launches of the kernels for any geometry.

use inkling_gpu::kernels::{conv2d_backward_input, conv2d_backward_weight, conv2d_forward};
use inkling_gpu::{Buffer, GpuError, Recorder};

use super::{Conv2d, Splits, Write, elements};
use crate::axis::Span;

impl Conv2d {
    pub(super) fn baseline_forward(
        &self,
        recorder: &mut Recorder,
        span: Span,
        (bias_offset, write): (u32, Write),
        parameters: &Buffer,
        (input, output): (&Buffer, &Buffer),
    ) -> Result<(), GpuError> {
        recorder.work(f64::from(span.all_images()) * self.flops());
        let params = conv2d_forward::Params {
            images: span.all_images(),
            in_channels: self.in_channels,
            out_channels: self.out_channels,
            in_height: self.in_size[0],
            in_width: self.in_size[1],
            out_height: self.out_size[0],
            out_width: self.out_size[1],
            kernel: self.kernel,
            stride: self.stride,
            padding: self.padding,
            images_per_task: span.images_per_task(),
            parameter_stride: span.parameter_stride(),
            weight_offset: span.parameter_offset(self.weight_offset),
            bias_offset,
            accumulate: write as u32,
        };
        let buffers =
            conv2d_forward::Buffers { input: input.all(), parameters: parameters.all(), output: output.all() };
        let blocks = self.out_channels.div_ceil(4);
        recorder.dispatch(params, buffers, u64::from(span.all_images()) * elements(blocks, self.out_size))
    }

    pub(super) fn baseline_backward_input(
        &self,
        recorder: &mut Recorder,
        span: Span,
        parameters: &Buffer,
        (d_output, d_input): (&Buffer, &Buffer),
        write: Write,
    ) -> Result<(), GpuError> {
        recorder.work(f64::from(span.all_images()) * self.flops());
        let params = conv2d_backward_input::Params {
            images: span.all_images(),
            in_channels: self.in_channels,
            out_channels: self.out_channels,
            in_height: self.in_size[0],
            in_width: self.in_size[1],
            out_height: self.out_size[0],
            out_width: self.out_size[1],
            kernel: self.kernel,
            stride: self.stride,
            padding: self.padding,
            images_per_task: span.images_per_task(),
            parameter_stride: span.parameter_stride(),
            weight_offset: span.parameter_offset(self.weight_offset),
            accumulate: write as u32,
        };
        let buffers = conv2d_backward_input::Buffers {
            d_output: d_output.all(),
            parameters: parameters.all(),
            d_input: d_input.all(),
        };
        recorder.dispatch(params, buffers, u64::from(span.all_images()) * self.in_elements())
    }

    /// Partial sums of the gradient of weight and bias.
    pub(super) fn baseline_weight_products(
        &self,
        recorder: &mut Recorder,
        span: Span,
        splits: Splits,
        (input, d_output, partials): (&Buffer, &Buffer, &Buffer),
    ) -> Result<(), GpuError> {
        let params = conv2d_backward_weight::Params {
            images: span.all_images(),
            in_channels: self.in_channels,
            out_channels: self.out_channels,
            in_height: self.in_size[0],
            in_width: self.in_size[1],
            out_height: self.out_size[0],
            out_width: self.out_size[1],
            kernel: self.kernel,
            stride: self.stride,
            padding: self.padding,
            splits: splits.all,
            images_per_split: splits.images_per_split,
            splits_per_task: splits.per_task,
            images_per_task: splits.images_per_task,
        };
        let buffers =
            conv2d_backward_weight::Buffers { input: input.all(), d_output: d_output.all(), partials: partials.all() };
        recorder.dispatch(params, buffers, u64::from(splits.all) * self.parameter_elements())
    }
}
