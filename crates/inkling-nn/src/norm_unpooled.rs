//! Normalisation without pooling: launches of the kernels that see images as rows of pixels.

use inkling_gpu::kernels::{norm_frozen_backward, norm_unpooled_forward};
use inkling_gpu::{Buffer, GpuError, Recorder};

use crate::norm::{Norm, NormContext, NormPart, NormPool, SEGMENT_CELLS};

/// Pixels of an invocation of the forward pass.
const FORWARD_PIXELS: u32 = 64;

impl NormPool {
    /// Without windows the images are rows of pixels, and their shape is nobody's business.
    pub(crate) fn unpooled_forward(
        &self,
        recorder: &mut Recorder,
        images: u32,
        input: &Buffer,
        context: NormContext<'_>,
        (output, output_offset): (&Buffer, u32),
    ) -> Result<(), GpuError> {
        let (_, images_per_set, groups) = self.rows(context.span);
        let params = norm_unpooled_forward::Params {
            images,
            channels: self.channels,
            pixels: self.pixels(),
            segment_pixels: FORWARD_PIXELS,
            groups,
            images_per_set,
            floor: self.floor,
            ceiling: self.ceiling,
            output_offset,
            images_per_task: context.span.images_per_task(),
            parameter_stride: context.span.parameter_stride(),
            weight_offset: context.span.parameter_offset(self.weight_offset),
            bias_offset: context.span.parameter_offset(self.bias_offset),
        };
        let buffers = norm_unpooled_forward::Buffers {
            input: input.all(),
            statistics: context.statistics.all(),
            parameters: context.parameters.all(),
            output: output.all(),
        };
        let segments = u64::from(self.pixels().div_ceil(FORWARD_PIXELS));
        recorder.dispatch(params, buffers, u64::from(images * self.channels) * segments)
    }

    /// All of the backward pass of a part where the statistics are frozen: the input's gradient and the
    /// sums for those of weight and bias.
    pub(crate) fn frozen_backward(
        &self,
        recorder: &mut Recorder,
        part: &NormPart<'_>,
        context: NormContext<'_>,
        d_input: &Buffer,
    ) -> Result<(), GpuError> {
        let segments = self.cell_segments();
        let params = norm_frozen_backward::Params {
            images: part.images,
            channels: self.channels,
            pixels: self.pixels(),
            segment_pixels: SEGMENT_CELLS,
            segments,
            floor: self.floor,
            ceiling: self.ceiling,
            d_output_offset: part.d_output_offset,
            images_per_task: context.span.images_per_task(),
            parameter_stride: context.span.parameter_stride(),
            weight_offset: context.span.parameter_offset(self.weight_offset),
            bias_offset: context.span.parameter_offset(self.bias_offset),
        };
        let buffers = norm_frozen_backward::Buffers {
            input: part.input.all(),
            statistics: context.statistics.all(),
            parameters: context.parameters.all(),
            d_output: part.d_output.all(),
            sums: self.partial_slice(part, context.partials, 2 * segments)?,
            d_input: d_input.all(),
        };
        recorder.dispatch(params, buffers, u64::from(part.images * self.channels) * u64::from(segments))
    }

    /// Whether tangents go through the layer where its scale and shift have none: it is then linear
    /// where its activation is open.
    pub(crate) fn is_linear_when_frozen(&self) -> bool {
        self.norm == Norm::Frozen && self.window == 1
    }

    /// The tangent of a part where statistics, scale and shift are frozen: what the gradient of the
    /// output would be on its way back.
    pub(crate) fn frozen_tangent(
        &self,
        recorder: &mut Recorder,
        part: &NormPart<'_>,
        context: NormContext<'_>,
        (input_dot, output_dot): (&Buffer, &Buffer),
    ) -> Result<(), GpuError> {
        let part = NormPart { d_output: input_dot, d_output_offset: 0, ..*part };
        self.frozen_backward(recorder, &part, context, output_dot)
    }
}
