//! Normalisation, ReLU and max-pooling as one layer, forward and backward.
//!
//! Group, batch and frozen norm differ only in which values share a row of statistics: a row
//! belongs to one set of images and one group of channels. Group norm's sets are single images;
//! batch norm's are a task's images in the pass, its groups single channels; frozen norm reads its
//! rows from the running statistics.

use inkling_gpu::kernels::{
    norm_backward_input, norm_backward_sums, norm_backward_weight, norm_combine, norm_combine_backward, norm_forward,
    norm_moments, norm_running,
};
use inkling_gpu::{Buffer, GpuError, Recorder, Slice};

use crate::NnError;
use crate::axis::Span;
use crate::layout::Layout;

/// Pixels of one partial moment.
pub(crate) const SEGMENT_PIXELS: u32 = 1024;
/// Output cells of one partial sum of the backward pass.
pub(crate) const SEGMENT_CELLS: u32 = 256;

/// Invocations that reduce one row of partial sums together.
pub(crate) const ROW_INVOCATIONS: u64 = 64;

/// Which statistics normalise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Norm {
    /// Those of each image and group of channels.
    Group {
        /// Groups; they divide the channels.
        groups: u32,
    },
    /// Those of each channel over all images of a task in a forward pass, biased variance.
    Batch,
    /// The running statistics.
    Frozen,
}

impl Norm {
    /// Whether the images of a task in a pass influence each other.
    pub fn couples_images(self) -> bool {
        self == Norm::Batch
    }
}

/// What follows a norm; it cuts off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    Linear,
    /// max(z, 0).
    Relu,
    /// min(max(z, 0), 6).
    Relu6,
}

impl Activation {
    /// The lowest and the highest value.
    pub(crate) fn bounds(self) -> [f32; 2] {
        match self {
            Self::Linear => [f32::MIN, f32::MAX],
            Self::Relu => [0.0, f32::MAX],
            Self::Relu6 => [0.0, 6.0],
        }
    }
}

/// What a layer is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormPoolShape {
    /// Which statistics normalise.
    pub norm: Norm,
    /// What follows.
    pub activation: Activation,
    /// Height and width of the pooling's windows, which are its steps: 1 (none) or 2.
    pub window: u32,
    /// Added to the variance.
    pub epsilon: f32,
}

/// A layer: y = maxpool(activation(γ·(x − mean)·rstd + β)), windows without padding.
#[derive(Clone, Debug)]
pub struct NormPool {
    pub(crate) norm: Norm,
    pub(crate) floor: f32,
    pub(crate) ceiling: f32,
    pub(crate) window: u32,
    epsilon: f32,
    pub(crate) channels: u32,
    pub(crate) in_size: [u32; 2],
    pub(crate) out_size: [u32; 2],
    pub(crate) weight_offset: u32,
    pub(crate) bias_offset: u32,
    mean_offset: u32,
    variance_offset: u32,
}

/// One chunk's part of a span: the whole span, or one of several parts of one task.
#[derive(Clone, Copy, Debug)]
pub struct NormPart<'b> {
    /// Images of the chunk.
    pub images: u32,
    /// Images of the span before this chunk; not zero only where images are coupled, and then
    /// such that `first · channels` is a multiple of 32.
    pub first: u32,
    /// The layer's input for the chunk.
    pub input: &'b Buffer,
    /// Gradient of the layer's output, from `d_output_offset` elements on; backward only.
    pub d_output: &'b Buffer,
    /// See `d_output`.
    pub d_output_offset: u32,
    /// Where the gradient of the input goes; none where nobody needs it.
    pub d_input: Option<&'b Buffer>,
}

/// Scratch and parameters of a span.
#[derive(Clone, Copy, Debug)]
pub struct NormContext<'b> {
    /// The span's tasks and images.
    pub span: Span,
    /// Flat parameters.
    pub parameters: &'b Buffer,
    /// Statistics of the span, [`NormPool::statistics_elements`].
    pub statistics: &'b Buffer,
    /// Partial sums, [`NormPool::partial_elements`] for all images of the span.
    pub partials: &'b Buffer,
    /// Sums by row, [`NormPool::statistics_elements`].
    pub row_sums: &'b Buffer,
}

impl NormPool {
    /// Adds `weight`, `bias` to `layout` and `running_mean`, `running_var` to `running`.
    ///
    /// # Errors
    /// [`NnError::Config`] when the groups do not divide the channels.
    pub fn new(
        layout: &mut Layout,
        running: &mut Layout,
        name: &str,
        shape: NormPoolShape,
        (channels, in_size): (u32, [u32; 2]),
    ) -> Result<Self, NnError> {
        let NormPoolShape { norm, activation, window, epsilon } = shape;
        let [floor, ceiling] = activation.bounds();
        if let Norm::Group { groups } = norm
            && (groups == 0 || !channels.is_multiple_of(groups))
        {
            return Err(NnError::Config {
                key: "model.groups",
                value: groups.to_string(),
                reason: format!("must divide the {channels} channels; use one of their divisors"),
            });
        }
        let shape = [channels as usize];
        Ok(Self {
            norm,
            floor,
            ceiling,
            window,
            epsilon,
            channels,
            in_size,
            out_size: in_size.map(|size| size / window.max(1)),
            weight_offset: layout.push(format!("{name}.weight"), &shape),
            bias_offset: layout.push(format!("{name}.bias"), &shape),
            mean_offset: running.push(format!("{name}.running_mean"), &shape),
            variance_offset: running.push(format!("{name}.running_var"), &shape),
        })
    }

    /// Height and width of the output.
    pub fn out_size(&self) -> [u32; 2] {
        self.out_size
    }

    /// Elements of one image's output.
    pub fn out_elements(&self) -> u64 {
        u64::from(self.channels) * self.cells()
    }

    /// The offset of `weight` in the flat parameters.
    pub fn weight_offset(&self) -> u32 {
        self.weight_offset
    }

    /// The offset of `running_var` in the flat running statistics.
    pub fn variance_offset(&self) -> u32 {
        self.variance_offset
    }

    /// Elements of the statistics, and of the row sums, of a span of up to `images` images,
    /// however many tasks they belong to.
    pub fn statistics_elements(&self, images: u32) -> u64 {
        let (sets, groups) = match self.norm {
            Norm::Group { groups } => (images, groups),
            Norm::Batch => (images, self.channels),
            Norm::Frozen => (1, self.channels),
        };
        2 * u64::from(sets) * u64::from(groups)
    }

    /// Elements of the partial sums of a span of `images` images.
    pub fn partial_elements(&self, images: u32) -> u64 {
        let segments = self.segments().max(self.cell_segments());
        2 * u64::from(images) * u64::from(self.channels) * u64::from(segments)
    }

    pub(crate) fn pixels(&self) -> u32 {
        self.in_size[0] * self.in_size[1]
    }

    fn cells(&self) -> u64 {
        u64::from(self.out_size[0]) * u64::from(self.out_size[1])
    }

    pub(crate) fn segments(&self) -> u32 {
        self.pixels().div_ceil(SEGMENT_PIXELS).max(1)
    }

    pub(crate) fn cell_segments(&self) -> u32 {
        (self.cells() as u32).div_ceil(SEGMENT_CELLS).max(1)
    }

    /// Sets, images per set, groups.
    pub(crate) fn rows(&self, span: Span) -> (u32, u32, u32) {
        match self.norm {
            Norm::Group { groups } => (span.all_images(), 1, groups),
            Norm::Batch => (span.tasks(), span.images(), self.channels),
            Norm::Frozen => (1, span.all_images(), self.channels),
        }
    }

    /// The partial sums of one chunk of a span, `values` for each channel of an image.
    pub(crate) fn partial_slice<'b>(
        &self,
        part: &NormPart<'b>,
        buffer: &'b Buffer,
        values: u32,
    ) -> Result<Slice<'b>, GpuError> {
        let bytes_per_image = 4 * u64::from(self.channels) * u64::from(values);
        buffer.slice(u64::from(part.first) * bytes_per_image, u64::from(part.images) * bytes_per_image)
    }

    /// Computes the statistics of a span.
    ///
    /// # Errors
    /// Device errors.
    pub fn statistics(
        &self,
        recorder: &mut Recorder,
        parts: &[NormPart<'_>],
        context: NormContext<'_>,
        running: &Buffer,
    ) -> Result<(), GpuError> {
        if self.norm == Norm::Frozen {
            let params = norm_running::Params {
                channels: self.channels,
                mean_offset: self.mean_offset,
                variance_offset: self.variance_offset,
                epsilon: self.epsilon,
            };
            let buffers = norm_running::Buffers { running: running.all(), statistics: context.statistics.all() };
            return recorder.dispatch(params, buffers, u64::from(self.channels));
        }
        let segments = self.segments();
        for part in parts {
            let params = norm_moments::Params {
                images: part.images,
                channels: self.channels,
                pixels: self.pixels(),
                segment_pixels: SEGMENT_PIXELS,
                segments,
            };
            let moments = self.partial_slice(part, context.partials, 2 * segments)?;
            let buffers = norm_moments::Buffers { input: part.input.all(), moments };
            recorder.dispatch(params, buffers, u64::from(part.images * self.channels) * u64::from(segments))?;
        }
        let (sets, images_per_set, groups) = self.rows(context.span);
        let params = norm_combine::Params {
            sets,
            images_per_set,
            channels: self.channels,
            groups,
            pixels: self.pixels(),
            segment_pixels: SEGMENT_PIXELS,
            segments,
            epsilon: self.epsilon,
        };
        let buffers = norm_combine::Buffers { moments: context.partials.all(), statistics: context.statistics.all() };
        recorder.dispatch(params, buffers, ROW_INVOCATIONS * u64::from(sets) * u64::from(groups))
    }

    /// `output`, from `output_offset` elements on, = the layer of `input`, for `images` images.
    ///
    /// # Errors
    /// Device errors.
    pub fn forward(
        &self,
        recorder: &mut Recorder,
        images: u32,
        input: &Buffer,
        context: NormContext<'_>,
        (output, output_offset): (&Buffer, u32),
    ) -> Result<(), GpuError> {
        if self.window == 1 {
            return self.unpooled_forward(recorder, images, input, context, (output, output_offset));
        }
        let (_, images_per_set, groups) = self.rows(context.span);
        let params = norm_forward::Params {
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
            images_per_task: context.span.images_per_task(),
            parameter_stride: context.span.parameter_stride(),
            weight_offset: context.span.parameter_offset(self.weight_offset),
            bias_offset: context.span.parameter_offset(self.bias_offset),
        };
        let buffers = norm_forward::Buffers {
            input: input.all(),
            statistics: context.statistics.all(),
            parameters: context.parameters.all(),
            output: output.all(),
        };
        recorder.dispatch(params, buffers, u64::from(images * self.channels) * u64::from(self.out_size[0]))
    }

    /// Adds the gradient of weight and bias to `gradient`, if they have one, and writes each part's
    /// `d_input`.
    ///
    /// # Errors
    /// Device errors.
    pub fn backward(
        &self,
        recorder: &mut Recorder,
        parts: &[NormPart<'_>],
        context: NormContext<'_>,
        gradient: Option<&Buffer>,
    ) -> Result<(), GpuError> {
        let couples = self.norm != Norm::Frozen;
        // Frozen statistics leave the input's gradient to no other image: one kernel does all.
        let is_one_pass = !couples && self.window == 1;
        for part in parts {
            match part.d_input {
                Some(d_input) if is_one_pass => self.frozen_backward(recorder, part, context, d_input)?,
                _ if couples || gradient.is_some() => self.backward_sums(recorder, part, context)?,
                _ => {}
            }
        }
        if let Some(gradient) = gradient {
            self.backward_weight(recorder, context.span, (context.partials, 2), gradient)?;
        }
        if couples {
            let (sets, images_per_set, groups) = self.rows(context.span);
            let params = norm_combine_backward::Params {
                sets,
                images_per_set,
                channels: self.channels,
                groups,
                segments: self.cell_segments(),
                images_per_task: context.span.images_per_task(),
                parameter_stride: context.span.parameter_stride(),
                weight_offset: context.span.parameter_offset(self.weight_offset),
            };
            let buffers = norm_combine_backward::Buffers {
                sums: context.partials.all(),
                parameters: context.parameters.all(),
                row_sums: context.row_sums.all(),
            };
            recorder.dispatch(params, buffers, ROW_INVOCATIONS * u64::from(sets) * u64::from(groups))?;
        }
        parts.iter().filter(|_| !is_one_pass).try_for_each(|part| self.backward_input(recorder, part, context))
    }

    /// Adds the gradient of weight and bias from the first two of each segment's `sum_values` sums.
    pub(crate) fn backward_weight(
        &self,
        recorder: &mut Recorder,
        span: Span,
        (sums, sum_values): (&Buffer, u32),
        gradient: &Buffer,
    ) -> Result<(), GpuError> {
        let (tasks, images_per_task) = span.gradient_tasks();
        let params = norm_backward_weight::Params {
            tasks,
            images_per_task,
            channels: self.channels,
            segments: self.cell_segments(),
            sum_values,
            gradient_stride: span.gradient_stride(),
            weight_offset: span.gradient_offset(self.weight_offset),
            bias_offset: span.gradient_offset(self.bias_offset),
        };
        let buffers = norm_backward_weight::Buffers { sums: sums.all(), gradient: gradient.all() };
        recorder.dispatch(params, buffers, ROW_INVOCATIONS * u64::from(tasks * self.channels))
    }

    fn backward_sums(
        &self,
        recorder: &mut Recorder,
        part: &NormPart<'_>,
        context: NormContext<'_>,
    ) -> Result<(), GpuError> {
        let segments = self.cell_segments();
        let (_, images_per_set, groups) = self.rows(context.span);
        let params = norm_backward_sums::Params {
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
            images_per_task: context.span.images_per_task(),
            parameter_stride: context.span.parameter_stride(),
            weight_offset: context.span.parameter_offset(self.weight_offset),
            bias_offset: context.span.parameter_offset(self.bias_offset),
            segment_cells: SEGMENT_CELLS,
            segments,
        };
        let buffers = norm_backward_sums::Buffers {
            input: part.input.all(),
            statistics: context.statistics.all(),
            parameters: context.parameters.all(),
            d_output: part.d_output.all(),
            sums: self.partial_slice(part, context.partials, 2 * segments)?,
        };
        recorder.dispatch(params, buffers, u64::from(part.images * self.channels) * u64::from(segments))
    }

    pub(crate) fn backward_input(
        &self,
        recorder: &mut Recorder,
        part: &NormPart<'_>,
        context: NormContext<'_>,
    ) -> Result<(), GpuError> {
        let Some(d_input) = part.d_input else { return Ok(()) };
        let (_, images_per_set, groups) = self.rows(context.span);
        let params = norm_backward_input::Params {
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
            images_per_task: context.span.images_per_task(),
            parameter_stride: context.span.parameter_stride(),
            weight_offset: context.span.parameter_offset(self.weight_offset),
            bias_offset: context.span.parameter_offset(self.bias_offset),
            coupled: u32::from(self.norm != Norm::Frozen),
        };
        let buffers = norm_backward_input::Buffers {
            input: part.input.all(),
            statistics: context.statistics.all(),
            parameters: context.parameters.all(),
            d_output: part.d_output.all(),
            row_sums: context.row_sums.all(),
            d_input: d_input.all(),
        };
        let rows = u64::from(self.in_size[0].div_ceil(self.window));
        recorder.dispatch(params, buffers, u64::from(part.images * self.channels) * rows)
    }
}
