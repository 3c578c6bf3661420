//! Launches of the kernels for 3×3 convolutions of stride 1 with padding 1.

use inkling_gpu::kernels::{conv3x3_backward_weight, conv3x3_forward, conv3x3_pack};
use inkling_gpu::{Buffer, GpuError, Recorder};

use super::{Conv2d, NONE, Splits, Write};
use crate::axis::Span;

/// Output channels of one `conv3x3_forward` launch.
const BLOCK: u32 = 16;
/// Input channels of one `conv3x3_forward` launch.
const SLAB: u32 = 64;
/// Input channels of one invocation of `conv3x3_backward_weight`.
const WEIGHT_INPUTS: u32 = 4;
/// Output channels of one invocation of `conv3x3_backward_weight`.
const WEIGHT_OUTPUTS: u32 = 8;
/// Bytes of one packed block and slab: 64 inputs × 9 taps × 16 outputs.
const PACKED_BYTES: u64 = 64 * 9 * 16 * 4;

/// Bytes of one task's packed weights in one direction.
pub(super) fn packed_bytes(inputs: u32, outputs: u32) -> u64 {
    u64::from(outputs.div_ceil(BLOCK) * inputs.div_ceil(SLAB)) * PACKED_BYTES
}

impl Conv2d {
    /// Packs the weights of so many tasks, whose flat vectors lie so many elements apart.
    pub(super) fn pack_tiles(
        &self,
        recorder: &mut Recorder,
        (parameters, weight_offset, tasks, parameter_stride): (&Buffer, u32, u32, u32),
        (in_channels, out_channels, transpose): (u32, u32, u32),
        packed: &Buffer,
    ) -> Result<(), GpuError> {
        let elements = (packed_bytes(in_channels, out_channels) / 4) as u32;
        let params = conv3x3_pack::Params {
            tasks,
            in_channels,
            out_channels,
            slabs: in_channels.div_ceil(SLAB),
            elements,
            parameter_stride,
            weight_offset,
            transpose,
        };
        let buffers = conv3x3_pack::Buffers { parameters: parameters.all(), packed: packed.all() };
        recorder.dispatch(params, buffers, u64::from(tasks) * u64::from(elements))
    }

    /// Launches `conv3x3_forward` for every task with weights of its own, block of outputs and slab
    /// of inputs.
    pub(super) async fn tiles(
        &self,
        recorder: &mut Recorder,
        span: Span,
        (in_channels, out_channels): (u32, u32),
        (bias_offset, write): (u32, Write),
        (packed, parameters): (&Buffer, &Buffer),
        (input, output): (&Buffer, &Buffer),
    ) -> Result<(), GpuError> {
        let [height, width] = self.in_size;
        let (tiles_x, tiles_y) = (width.div_ceil(4), height.div_ceil(2));
        let (slabs, blocks) = (in_channels.div_ceil(SLAB), out_channels.div_ceil(BLOCK));
        let (tasks, first_task, images) = span.parameter_tasks();
        for task in 0..tasks {
            if task > 0 {
                recorder.breathe().await?;
            }
            let tile_flops = f64::from(images) * self.flops() / f64::from(blocks * slabs);
            let task_bytes = u64::from(first_task + task) * packed_bytes(in_channels, out_channels);
            let bias_offset = if bias_offset == NONE { NONE } else { bias_offset + task * span.parameter_stride() };
            for tile in 0..blocks * slabs {
                // The widest layers have more tiles than a submission has launches.
                if tile > 0 {
                    recorder.breathe().await?;
                }
                recorder.work(tile_flops);
                let (block, slab) = (tile / slabs, tile % slabs);
                let params = conv3x3_forward::Params {
                    first_image: task * images,
                    images,
                    in_channels,
                    out_channels,
                    height,
                    width,
                    tiles_x,
                    tiles_y,
                    first_input: slab * SLAB,
                    slab_inputs: (in_channels - slab * SLAB).min(SLAB),
                    first_output: block * BLOCK,
                    bias_offset: if slab == 0 { bias_offset } else { NONE },
                    accumulate: if slab == 0 { write as u32 } else { Write::Add as u32 },
                };
                let buffers = conv3x3_forward::Buffers {
                    input: input.all(),
                    weights: packed.slice(task_bytes + u64::from(tile) * PACKED_BYTES, PACKED_BYTES)?,
                    parameters: parameters.all(),
                    output: output.all(),
                };
                recorder.dispatch(params, buffers, u64::from(images) * u64::from(tiles_x * tiles_y))?;
            }
        }
        Ok(())
    }

    /// Partial sums of the gradient of weight and bias.
    pub(super) fn tiled_weight_products(
        &self,
        recorder: &mut Recorder,
        span: Span,
        splits: Splits,
        (input, d_output, partials): (&Buffer, &Buffer, &Buffer),
    ) -> Result<(), GpuError> {
        let params = conv3x3_backward_weight::Params {
            images: span.all_images(),
            in_channels: self.in_channels,
            out_channels: self.out_channels,
            height: self.in_size[0],
            width: self.in_size[1],
            splits: splits.all,
            images_per_split: splits.images_per_split,
            splits_per_task: splits.per_task,
            images_per_task: splits.images_per_task,
        };
        let buffers =
            conv3x3_backward_weight::Buffers { input: input.all(), d_output: d_output.all(), partials: partials.all() };
        let tiles = self.in_channels.div_ceil(WEIGHT_INPUTS) * self.out_channels.div_ceil(WEIGHT_OUTPUTS);
        recorder.dispatch(params, buffers, u64::from(tiles) * u64::from(splits.all))
    }
}
