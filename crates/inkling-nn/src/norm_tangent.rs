//! The tangents of a norm layer: of its forward pass (JVP) and, forward over reverse, of its
//! backward pass, exact to second order through mean and variance. The pooling keeps its tap and
//! the ReLU its mask: both are constant where the layer is differentiable.

use inkling_gpu::kernels::{
    norm_backward_input_tangent, norm_backward_sums_tangent, norm_combine_backward, norm_combine_backward_tangent,
    norm_tangent, norm_tangent_sums,
};
use inkling_gpu::{Buffer, GpuError, Recorder};

use crate::norm::{Norm, NormContext, NormPart, NormPool, ROW_INVOCATIONS, SEGMENT_CELLS, SEGMENT_PIXELS};

/// Stands for "weights of one" in `norm_combine_backward`.
const NONE: u32 = u32::MAX;
/// Values of a segment of `norm_backward_sums_tangent`.
const SUM_VALUES: u32 = 4;
/// Values of a row of `norm_combine_backward_tangent`.
const ROW_VALUES: u64 = 8;

/// One chunk's part of a span, with its tangents.
#[derive(Clone, Copy, Debug)]
pub struct NormTangentPart<'b> {
    /// The primal part.
    pub part: NormPart<'b>,
    /// Tangent of `part.input`.
    pub input_dot: &'b Buffer,
    /// Tangent of `part.d_output`, from the same element on; backward only.
    pub d_output_dot: &'b Buffer,
    /// Tangent of `part.d_input`; backward only, none where nobody needs it.
    pub d_input_dot: Option<&'b Buffer>,
}

/// What the tangents of a span share.
#[derive(Clone, Copy, Debug)]
pub struct NormTangentContext<'b> {
    /// Statistics, parameters and scratch of the primal pass.
    pub primal: NormContext<'b>,
    /// A flat vector of the parameters' layout, or one for each task.
    pub direction: &'b Buffer,
    /// Kept from the tangent to its backward pass, [`NormPool::statistics_elements`].
    pub tangent_sums: &'b Buffer,
    /// Partial sums, [`NormPool::tangent_partial_elements`] for all images of the span.
    pub partials: &'b Buffer,
    /// What rows share, [`NormPool::tangent_row_elements`].
    pub rows: &'b Buffer,
}

impl NormPool {
    /// Elements of the partial sums that the backward tangent of `images` images needs.
    pub fn tangent_partial_elements(&self, images: u32) -> u64 {
        u64::from(SUM_VALUES) * u64::from(images) * u64::from(self.channels) * u64::from(self.cell_segments())
    }

    /// Elements of the rows of a span of up to `images` images.
    pub fn tangent_row_elements(&self, images: u32) -> u64 {
        ROW_VALUES / 2 * self.statistics_elements(images)
    }

    fn coupled(&self) -> u32 {
        u32::from(self.norm != Norm::Frozen)
    }

    /// The sums through which the tangents of a span's pixels are coupled; call before
    /// [`NormPool::tangent`].
    ///
    /// # Errors
    /// Device errors.
    pub fn tangent_sums(
        &self,
        recorder: &mut Recorder,
        parts: &[NormTangentPart<'_>],
        context: NormTangentContext<'_>,
    ) -> Result<(), GpuError> {
        if self.norm == Norm::Frozen {
            return Ok(());
        }
        let (sets, images_per_set, groups) = self.rows(context.primal.span);
        let segments = self.segments();
        for NormTangentPart { part, input_dot, .. } in parts {
            let params = norm_tangent_sums::Params {
                images: part.images,
                channels: self.channels,
                pixels: self.pixels(),
                groups,
                images_per_set,
                segment_pixels: SEGMENT_PIXELS,
                segments,
            };
            let buffers = norm_tangent_sums::Buffers {
                input: part.input.all(),
                input_dot: input_dot.all(),
                statistics: context.primal.statistics.all(),
                sums: self.partial_slice(part, context.primal.partials, 2 * segments)?,
            };
            recorder.dispatch(params, buffers, u64::from(part.images * self.channels) * u64::from(segments))?;
        }
        let params = norm_combine_backward::Params {
            sets,
            images_per_set,
            channels: self.channels,
            groups,
            segments,
            images_per_task: context.primal.span.images_per_task(),
            parameter_stride: 0,
            weight_offset: NONE,
        };
        let buffers = norm_combine_backward::Buffers {
            sums: context.primal.partials.all(),
            parameters: context.primal.parameters.all(),
            row_sums: context.tangent_sums.all(),
        };
        recorder.dispatch(params, buffers, ROW_INVOCATIONS * u64::from(sets) * u64::from(groups))
    }

    /// `output_dot`, from `output_offset` elements on, = the tangent of the layer, for one part.
    ///
    /// # Errors
    /// Device errors.
    pub fn tangent(
        &self,
        recorder: &mut Recorder,
        part: &NormTangentPart<'_>,
        context: NormTangentContext<'_>,
        (output_dot, output_offset): (&Buffer, u32),
    ) -> Result<(), GpuError> {
        let NormContext { span, parameters, statistics, .. } = context.primal;
        let (_, images_per_set, groups) = self.rows(span);
        let images = part.part.images;
        let params = norm_tangent::Params {
            images,
            channels: self.channels,
            height: self.in_size[0],
            width: self.in_size[1],
            out_height: self.out_size[0],
            out_width: self.out_size[1],
            groups,
            images_per_set,
            window: self.window,
            floor: self.floor,
            ceiling: self.ceiling,
            output_offset,
            images_per_task: span.images_per_task(),
            parameter_stride: span.parameter_stride(),
            weight_offset: span.parameter_offset(self.weight_offset),
            bias_offset: span.parameter_offset(self.bias_offset),
            coupled: self.coupled(),
        };
        let buffers = norm_tangent::Buffers {
            input: part.part.input.all(),
            input_dot: part.input_dot.all(),
            statistics: statistics.all(),
            tangent_sums: context.tangent_sums.all(),
            parameters: parameters.all(),
            direction: context.direction.all(),
            output_dot: output_dot.all(),
        };
        recorder.dispatch(params, buffers, u64::from(images * self.channels) * u64::from(self.out_size[0]))
    }

    /// Adds the tangent of the gradient of weight and bias to `gradient_dot`, and writes each part's
    /// `d_input` and `d_input_dot`. The gradient itself is left alone.
    ///
    /// # Errors
    /// Device errors.
    pub fn backward_tangent(
        &self,
        recorder: &mut Recorder,
        parts: &[NormTangentPart<'_>],
        context: NormTangentContext<'_>,
        gradient_dot: &Buffer,
    ) -> Result<(), GpuError> {
        for part in parts {
            self.backward_sums_tangent(recorder, part, context)?;
        }
        self.backward_weight(recorder, context.primal.span, (context.partials, SUM_VALUES), gradient_dot)?;
        self.combine_backward_tangent(recorder, context)?;
        for part in parts {
            self.backward_input(recorder, &part.part, context.primal)?;
            self.backward_input_tangent(recorder, part, context)?;
        }
        Ok(())
    }

    fn backward_sums_tangent(
        &self,
        recorder: &mut Recorder,
        part: &NormTangentPart<'_>,
        context: NormTangentContext<'_>,
    ) -> Result<(), GpuError> {
        let NormTangentPart { part, input_dot, d_output_dot, .. } = part;
        let NormContext { span, parameters, statistics, .. } = context.primal;
        let (_, images_per_set, groups) = self.rows(span);
        let segments = self.cell_segments();
        let params = norm_backward_sums_tangent::Params {
            images: part.images,
            channels: self.channels,
            height: self.in_size[0],
            width: self.in_size[1],
            out_height: self.out_size[0],
            out_width: self.out_size[1],
            groups,
            images_per_set,
            window: self.window,
            floor: self.floor,
            ceiling: self.ceiling,
            d_output_offset: part.d_output_offset,
            images_per_task: span.images_per_task(),
            parameter_stride: span.parameter_stride(),
            weight_offset: span.parameter_offset(self.weight_offset),
            bias_offset: span.parameter_offset(self.bias_offset),
            segment_cells: SEGMENT_CELLS,
            segments,
            coupled: self.coupled(),
        };
        let buffers = norm_backward_sums_tangent::Buffers {
            input: part.input.all(),
            input_dot: input_dot.all(),
            statistics: statistics.all(),
            tangent_sums: context.tangent_sums.all(),
            parameters: parameters.all(),
            d_output: part.d_output.all(),
            d_output_dot: d_output_dot.all(),
            sums: self.partial_slice(part, context.partials, SUM_VALUES * segments)?,
        };
        recorder.dispatch(params, buffers, u64::from(part.images * self.channels) * u64::from(segments))
    }

    fn combine_backward_tangent(
        &self,
        recorder: &mut Recorder,
        context: NormTangentContext<'_>,
    ) -> Result<(), GpuError> {
        let NormContext { span, parameters, statistics, row_sums, .. } = context.primal;
        let (sets, images_per_set, groups) = self.rows(span);
        let params = norm_combine_backward_tangent::Params {
            sets,
            images_per_set,
            channels: self.channels,
            groups,
            segments: self.cell_segments(),
            images_per_task: span.images_per_task(),
            parameter_stride: span.parameter_stride(),
            weight_offset: span.parameter_offset(self.weight_offset),
        };
        let buffers = norm_combine_backward_tangent::Buffers {
            sums: context.partials.all(),
            parameters: parameters.all(),
            direction: context.direction.all(),
            statistics: statistics.all(),
            tangent_sums: context.tangent_sums.all(),
            row_sums: row_sums.all(),
            rows: context.rows.all(),
        };
        recorder.dispatch(params, buffers, ROW_INVOCATIONS * u64::from(sets) * u64::from(groups))
    }

    fn backward_input_tangent(
        &self,
        recorder: &mut Recorder,
        part: &NormTangentPart<'_>,
        context: NormTangentContext<'_>,
    ) -> Result<(), GpuError> {
        let NormTangentPart { part, input_dot, d_output_dot, d_input_dot } = part;
        let Some(d_input_dot) = d_input_dot else { return Ok(()) };
        let span = context.primal.span;
        let (_, images_per_set, groups) = self.rows(span);
        let params = norm_backward_input_tangent::Params {
            images: part.images,
            channels: self.channels,
            height: self.in_size[0],
            width: self.in_size[1],
            out_height: self.out_size[0],
            out_width: self.out_size[1],
            groups,
            images_per_set,
            window: self.window,
            floor: self.floor,
            ceiling: self.ceiling,
            d_output_offset: part.d_output_offset,
            images_per_task: span.images_per_task(),
            parameter_stride: span.parameter_stride(),
            weight_offset: span.parameter_offset(self.weight_offset),
            bias_offset: span.parameter_offset(self.bias_offset),
            coupled: self.coupled(),
        };
        let buffers = norm_backward_input_tangent::Buffers {
            input: part.input.all(),
            input_dot: input_dot.all(),
            rows: context.rows.all(),
            parameters: context.primal.parameters.all(),
            direction: context.direction.all(),
            d_output: part.d_output.all(),
            d_output_dot: d_output_dot.all(),
            d_input_dot: d_input_dot.all(),
        };
        let rows = u64::from(self.in_size[0].div_ceil(self.window));
        recorder.dispatch(params, buffers, u64::from(part.images * self.channels) * rows)
    }
}
