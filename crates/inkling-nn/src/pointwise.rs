//! 1×1 convolutions as products with packed weights, in either direction, and the gradient of their
//! weights.

use inkling_gpu::kernels::{pointwise_backward_weight, pointwise_forward, pointwise_pack};
use inkling_gpu::{Buffer, GpuError, Recorder};

use crate::axis::Span;
use crate::conv2d::{NONE, Splits, Write};

/// Output channels of one launch.
pub(crate) const BLOCK: u32 = 32;
/// Input channels, or terms, of one launch.
pub(crate) const SLAB: u32 = 512;
/// Pixels that one split of the weight gradient sums over: several images, or a part of one.
const SPLIT_PIXELS: u32 = 1024;
/// Output channels of one invocation of `pointwise_backward_weight`.
const WEIGHT_OUTPUTS: u32 = 16;
/// Input channels of one invocation of `pointwise_backward_weight`.
const WEIGHT_INPUTS: u32 = 8;
/// Bytes of a launch's uniform: 512 inputs × 32 outputs.
pub(crate) const UNIFORM_BYTES: u64 = 512 * 32 * 4;

/// One direction of a layer. Of a convolution with larger kernels, packed by the same rule, every tap
/// of every channel counts as an input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Direction {
    pub inputs: u32,
    pub outputs: u32,
    /// Whether it is the way back.
    pub transpose: bool,
}

impl Direction {
    fn blocks(self) -> u32 {
        self.outputs.div_ceil(BLOCK)
    }

    /// Inputs of a block, padded so that every slab begins at a multiple of 256 bytes.
    fn rows(self) -> u32 {
        self.inputs.next_multiple_of(2)
    }

    /// Bytes of one task's packed weights. A launch binds a whole uniform, so behind the last slab
    /// there is room for one.
    pub(crate) fn packed_bytes(self) -> u64 {
        u64::from(self.blocks() * self.rows() * BLOCK) * 4 + UNIFORM_BYTES
    }

    /// Blocks of outputs and slabs of inputs: the launches of one task, slab after slab.
    pub(crate) fn launches(self) -> impl Iterator<Item = (u32, u32)> {
        let slabs = self.inputs.div_ceil(SLAB);
        (0..self.blocks() * slabs).map(move |launch| (launch / slabs, launch % slabs))
    }

    /// Where a task's packed block and slab begins, in bytes.
    pub(crate) fn start(self, task: u32, block: u32, slab: u32) -> u64 {
        let row = u64::from(block * self.rows() + slab * SLAB);
        u64::from(task) * self.packed_bytes() + row * u64::from(BLOCK) * 4
    }

    /// Packs the weights of `tasks` tasks that lie `stride` elements apart.
    ///
    /// # Errors
    /// Device errors.
    pub(crate) fn pack(
        self,
        recorder: &mut Recorder,
        (parameters, weight_offset, tasks, stride): (&Buffer, u32, u32, u32),
        packed: &Buffer,
    ) -> Result<(), GpuError> {
        let params = pointwise_pack::Params {
            tasks,
            blocks: self.blocks(),
            rows: self.rows(),
            inputs: self.inputs,
            outputs: self.outputs,
            task_elements: (self.packed_bytes() / 4) as u32,
            parameter_stride: stride,
            weight_offset,
            transpose: u32::from(self.transpose),
        };
        let buffers = pointwise_pack::Buffers { parameters: parameters.all(), packed: packed.all() };
        recorder.dispatch(params, buffers, u64::from(tasks) * u64::from(self.blocks() * self.rows() * BLOCK))
    }

    /// Launches the products of the images of `span`: for every task with weights of its own, block
    /// of outputs and slab of inputs.
    ///
    /// # Errors
    /// Device errors.
    pub(crate) async fn launch(
        self,
        recorder: &mut Recorder,
        (span, pixels): (Span, u32),
        (bias_offset, write): (u32, Write),
        (packed, parameters): (&Buffer, &Buffer),
        (input, output): (&Buffer, &Buffer),
    ) -> Result<(), GpuError> {
        let (tasks, first_task, images) = span.parameter_tasks();
        let flops = 2.0 * f64::from(self.inputs * self.outputs) * f64::from(pixels);
        for task in 0..tasks {
            if task > 0 {
                recorder.breathe().await?;
            }
            recorder.work(f64::from(images) * flops);
            let bias_offset = if bias_offset == NONE { NONE } else { bias_offset + task * span.parameter_stride() };
            for (block, slab) in self.launches() {
                let first = slab == 0;
                let params = pointwise_forward::Params {
                    first_image: task * images,
                    images,
                    in_channels: self.inputs,
                    out_channels: self.outputs,
                    pixels,
                    first_input: slab * SLAB,
                    slab_inputs: (self.inputs - slab * SLAB).min(SLAB),
                    first_output: block * BLOCK,
                    bias_offset: if first { bias_offset } else { NONE },
                    accumulate: if first { write as u32 } else { Write::Add as u32 },
                };
                let buffers = pointwise_forward::Buffers {
                    input: input.all(),
                    weights: packed.slice(self.start(first_task + task, block, slab), UNIFORM_BYTES)?,
                    parameters: parameters.all(),
                    output: output.all(),
                };
                recorder.dispatch(params, buffers, u64::from(images) * u64::from(pixels.div_ceil(4)))?;
            }
        }
        Ok(())
    }
}

/// Images of one split of the weight gradient, and splits of one image where it is more than one.
pub(crate) fn split(pixels: u32) -> (u32, u32) {
    ((SPLIT_PIXELS / pixels).max(1), pixels.div_ceil(SPLIT_PIXELS))
}

/// Partial sums of the gradient of weight and bias.
///
/// # Errors
/// Device errors.
pub(crate) fn weight_products(
    recorder: &mut Recorder,
    (span, pixels): (Span, u32),
    (in_channels, out_channels): (u32, u32),
    (splits, segments): (Splits, u32),
    (input, d_output, partials): (&Buffer, &Buffer, &Buffer),
) -> Result<(), GpuError> {
    let params = pointwise_backward_weight::Params {
        images: span.all_images(),
        in_channels,
        out_channels,
        pixels,
        splits: splits.all,
        images_per_split: splits.images_per_split,
        segments,
        segment_pixels: pixels.min(SPLIT_PIXELS),
        splits_per_task: splits.per_task,
        images_per_task: splits.images_per_task,
    };
    let buffers =
        pointwise_backward_weight::Buffers { input: input.all(), d_output: d_output.all(), partials: partials.all() };
    let tiles = in_channels.div_ceil(WEIGHT_INPUTS) * out_channels.div_ceil(WEIGHT_OUTPUTS);
    recorder.dispatch(params, buffers, u64::from(tiles) * u64::from(splits.all))
}
