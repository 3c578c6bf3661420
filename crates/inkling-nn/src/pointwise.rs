//! 1×1 convolutions as products with packed weights, in either direction.

use inkling_gpu::kernels::{pointwise_forward, pointwise_pack};
use inkling_gpu::{Buffer, GpuError, Recorder};

use crate::axis::Span;
use crate::conv2d::{NONE, Write};

/// Output channels of one launch.
const BLOCK: u32 = 32;
/// Input channels of one launch.
const SLAB: u32 = 512;
/// Bytes of a launch's uniform: 512 inputs × 32 outputs.
const UNIFORM_BYTES: u64 = 512 * 32 * 4;

/// One direction of a layer.
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

    /// Packs the weights of `tasks` tasks that lie `stride` elements apart.
    ///
    /// # Errors
    /// Device errors.
    pub(crate) fn pack(
        self,
        recorder: &mut Recorder,
        (parameters, weight_offset): (&Buffer, u32),
        (tasks, stride): (u32, u32),
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
            for block in 0..self.blocks() {
                for slab in 0..self.inputs.div_ceil(SLAB) {
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
                    let row = u64::from(block * self.rows() + slab * SLAB);
                    let start = u64::from(first_task + task) * self.packed_bytes() + row * u64::from(BLOCK) * 4;
                    let buffers = pointwise_forward::Buffers {
                        input: input.all(),
                        weights: packed.slice(start, UNIFORM_BYTES)?,
                        parameters: parameters.all(),
                        output: output.all(),
                    };
                    recorder.dispatch(params, buffers, u64::from(images) * u64::from(pixels.div_ceil(4)))?;
                }
            }
        }
        Ok(())
    }
}
