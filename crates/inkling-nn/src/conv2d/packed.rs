//! The forward pass of convolutions of any geometry on weights that are packed by rows of terms.

use inkling_gpu::kernels::conv2d_packed_forward;
use inkling_gpu::{Buffer, GpuError, Recorder};

use super::{Conv2d, NONE, Write};
use crate::axis::Span;
use crate::pointwise::{BLOCK, SLAB, UNIFORM_BYTES};

impl Conv2d {
    /// Launches `conv2d_packed_forward` for every task with weights of its own, block of outputs and
    /// slab of terms.
    pub(super) async fn packed_forward(
        &self,
        recorder: &mut Recorder,
        span: Span,
        (bias_offset, write): (u32, Write),
        (packed, parameters): (&Buffer, &Buffer),
        (input, output): (&Buffer, &Buffer),
    ) -> Result<(), GpuError> {
        let rows = self.rows(self.in_channels, self.out_channels, false);
        let (tasks, first_task, images) = span.parameter_tasks();
        let quads = u64::from(self.out_size[0]) * u64::from(self.out_size[1].div_ceil(4));
        for task in 0..tasks {
            if task > 0 {
                recorder.breathe().await?;
            }
            recorder.work(f64::from(images) * self.flops());
            let bias_offset = if bias_offset == NONE { NONE } else { bias_offset + task * span.parameter_stride() };
            for (block, slab) in rows.launches() {
                let first = slab == 0;
                let params = conv2d_packed_forward::Params {
                    first_image: task * images,
                    images,
                    in_channels: self.in_channels,
                    out_channels: self.out_channels,
                    in_height: self.in_size[0],
                    in_width: self.in_size[1],
                    out_height: self.out_size[0],
                    out_width: self.out_size[1],
                    kernel: self.kernel,
                    stride: self.stride,
                    padding: self.padding,
                    first_term: slab * SLAB,
                    slab_terms: (rows.inputs - slab * SLAB).min(SLAB),
                    first_output: block * BLOCK,
                    bias_offset: if first { bias_offset } else { NONE },
                    accumulate: if first { write as u32 } else { Write::Add as u32 },
                };
                let buffers = conv2d_packed_forward::Buffers {
                    input: input.all(),
                    weights: packed.slice(rows.start(first_task + task, block, slab), UNIFORM_BYTES)?,
                    parameters: parameters.all(),
                    output: output.all(),
                };
                recorder.dispatch(params, buffers, u64::from(images) * quads)?;
            }
        }
        Ok(())
    }
}
