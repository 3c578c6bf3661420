//! Layers without parameters: the mean over pixels, and the sum of two tensors.

use inkling_gpu::kernels::{global_average_pool_backward, global_average_pool_forward, sum_forward};
use inkling_gpu::{Buffer, GpuError, Recorder};

use crate::conv2d::Write;

/// The mean over the pixels of each channel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AveragePool {
    channels: u32,
    pixels: u32,
}

impl AveragePool {
    /// For inputs of `channels` channels and this height and width.
    pub(crate) fn new(channels: u32, size: [u32; 2]) -> Self {
        Self { channels, pixels: size[0] * size[1] }
    }

    /// `output`, from an element on, = the means of `input`, `[images, channels]`.
    ///
    /// # Errors
    /// Device errors.
    pub(crate) fn forward(
        &self,
        recorder: &mut Recorder,
        images: u32,
        input: &Buffer,
        (output, output_offset): (&Buffer, u32),
    ) -> Result<(), GpuError> {
        let Self { channels, pixels } = *self;
        let params = global_average_pool_forward::Params { images, channels, pixels, output_offset };
        let buffers = global_average_pool_forward::Buffers { input: input.all(), output: output.all() };
        recorder.dispatch(params, buffers, u64::from(images * channels))
    }

    /// `d_input` = the gradient with respect to the input, of `d_output` from an element on, or is added
    /// to.
    ///
    /// # Errors
    /// Device errors.
    pub(crate) fn backward(
        &self,
        recorder: &mut Recorder,
        images: u32,
        (d_output, d_output_offset): (&Buffer, u32),
        (d_input, write): (&Buffer, Write),
    ) -> Result<(), GpuError> {
        let Self { channels, pixels } = *self;
        let accumulate = write as u32;
        let params = global_average_pool_backward::Params { images, channels, pixels, d_output_offset, accumulate };
        let buffers = global_average_pool_backward::Buffers { d_output: d_output.all(), d_input: d_input.all() };
        recorder.dispatch(params, buffers, u64::from(images * channels) * u64::from(pixels))
    }
}

/// The sum of two tensors of one shape.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sum {
    /// Of one image.
    elements: u64,
}

impl Sum {
    /// For tensors of `elements` values for each image.
    pub(crate) fn new(elements: u64) -> Self {
        Self { elements }
    }

    /// `output` = the sum of both.
    ///
    /// # Errors
    /// Device errors.
    pub(crate) fn forward(
        &self,
        recorder: &mut Recorder,
        images: u32,
        [first, second]: [&Buffer; 2],
        output: &Buffer,
    ) -> Result<(), GpuError> {
        // Within a buffer, and so below 2^32.
        let elements = u64::from(images) * self.elements;
        let params = sum_forward::Params { elements: elements as u32 };
        let buffers = sum_forward::Buffers { first: first.all(), second: second.all(), output: output.all() };
        recorder.dispatch(params, buffers, elements.div_ceil(4))
    }
}
