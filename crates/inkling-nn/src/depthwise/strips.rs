//! Launches of the depthwise kernels that walk down strips of an image: 3×3 and 5×5, of stride 1 where
//! the size stays, and of stride 2.

use inkling_gpu::kernels::{
    depthwise3x3_same, depthwise3x3_stride2_backward_input, depthwise3x3_stride2_forward, depthwise5x5_same,
    depthwise5x5_stride2_backward_input, depthwise5x5_stride2_forward,
};
use inkling_gpu::{Buffer, GpuError, Recorder};

use super::{Depthwise, DepthwiseShape};
use crate::axis::Span;

/// Rows of the output that a strip has at most: enough that the rows it shares with its neighbours
/// cost little, few enough that a GPU finds work for all its cores.
const ROWS: u32 = 32;

/// Which kernels take a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strips {
    Same3x3,
    Same5x5,
    Stride2By3x3,
    Stride2By5x5,
}

impl Strips {
    /// None for layers of another geometry.
    pub(super) fn of(shape: DepthwiseShape, in_size: [u32; 2], out_size: [u32; 2]) -> Option<Self> {
        let DepthwiseShape { kernel, stride, padding } = shape;
        let is_centred = in_size == out_size && padding.before(in_size[0], kernel, stride) == kernel / 2;
        match (kernel, stride) {
            (3, 1) if is_centred => Some(Self::Same3x3),
            (5, 1) if is_centred => Some(Self::Same5x5),
            (3, 2) => Some(Self::Stride2By3x3),
            (5, 2) => Some(Self::Stride2By5x5),
            _ => None,
        }
    }
}

/// Launches a kernel of stride 1: both directions are the same, with the convolution's kernels turned.
macro_rules! same {
    ($stem:ident, $layer:ident, $recorder:ident, $span:ident, $buffers:expr, $flip:literal) => {{
        let [height, width] = $layer.in_size;
        let rows = height.min(ROWS);
        let params = $stem::Params {
            images: $span.all_images(),
            channels: $layer.channels,
            height,
            width,
            rows,
            images_per_task: $span.images_per_task(),
            parameter_stride: $span.parameter_stride(),
            weight_offset: $span.parameter_offset($layer.weight_offset),
            flip: $flip,
        };
        let (parameters, input, output): (&Buffer, &Buffer, &Buffer) = $buffers;
        let buffers = $stem::Buffers { input: input.all(), parameters: parameters.all(), output: output.all() };
        $recorder.dispatch(params, buffers, $layer.strips($span, height.div_ceil(rows) * width.div_ceil(8)))
    }};
}

/// Launches a forward kernel of stride 2.
macro_rules! stride2_forward {
    ($stem:ident, $layer:ident, $recorder:ident, $span:ident, $buffers:expr) => {{
        let [out_height, out_width] = $layer.out_size;
        let rows = out_height.min(ROWS);
        let params = $stem::Params {
            images: $span.all_images(),
            channels: $layer.channels,
            in_height: $layer.in_size[0],
            in_width: $layer.in_size[1],
            out_height,
            out_width,
            padding: $layer.padding(),
            rows,
            images_per_task: $span.images_per_task(),
            parameter_stride: $span.parameter_stride(),
            weight_offset: $span.parameter_offset($layer.weight_offset),
        };
        let (parameters, input, output): (&Buffer, &Buffer, &Buffer) = $buffers;
        let buffers = $stem::Buffers { input: input.all(), parameters: parameters.all(), output: output.all() };
        $recorder.dispatch(params, buffers, $layer.strips($span, out_height.div_ceil(rows) * out_width.div_ceil(4)))
    }};
}

/// Launches a backward kernel of stride 2.
macro_rules! stride2_backward_input {
    ($stem:ident, $layer:ident, $recorder:ident, $span:ident, $buffers:expr) => {{
        let [in_height, in_width] = $layer.in_size;
        let padding = $layer.padding();
        let all_pairs = (in_height + padding).div_ceil(2);
        let pairs = all_pairs.min(ROWS / 2);
        let params = $stem::Params {
            images: $span.all_images(),
            channels: $layer.channels,
            in_height,
            in_width,
            out_height: $layer.out_size[0],
            out_width: $layer.out_size[1],
            padding,
            pairs,
            images_per_task: $span.images_per_task(),
            parameter_stride: $span.parameter_stride(),
            weight_offset: $span.parameter_offset($layer.weight_offset),
        };
        let (parameters, d_output, d_input): (&Buffer, &Buffer, &Buffer) = $buffers;
        let buffers = $stem::Buffers { d_output: d_output.all(), parameters: parameters.all(), d_input: d_input.all() };
        let strips = all_pairs.div_ceil(pairs) * (in_width + padding).div_ceil(8);
        $recorder.dispatch(params, buffers, $layer.strips($span, strips))
    }};
}

impl Depthwise {
    /// Invocations for so many strips of each channel.
    fn strips(&self, span: Span, strips: u32) -> u64 {
        u64::from(span.all_images() * self.channels) * u64::from(strips)
    }

    pub(super) fn strips_forward(
        &self,
        recorder: &mut Recorder,
        strips: Strips,
        span: Span,
        parameters: &Buffer,
        (input, output): (&Buffer, &Buffer),
    ) -> Result<(), GpuError> {
        let buffers = (parameters, input, output);
        match strips {
            Strips::Same3x3 => same!(depthwise3x3_same, self, recorder, span, buffers, 0),
            Strips::Same5x5 => same!(depthwise5x5_same, self, recorder, span, buffers, 0),
            Strips::Stride2By3x3 => stride2_forward!(depthwise3x3_stride2_forward, self, recorder, span, buffers),
            Strips::Stride2By5x5 => stride2_forward!(depthwise5x5_stride2_forward, self, recorder, span, buffers),
        }
    }

    pub(super) fn strips_backward_input(
        &self,
        recorder: &mut Recorder,
        strips: Strips,
        span: Span,
        parameters: &Buffer,
        (d_output, d_input): (&Buffer, &Buffer),
    ) -> Result<(), GpuError> {
        let buffers = (parameters, d_output, d_input);
        match strips {
            Strips::Same3x3 => same!(depthwise3x3_same, self, recorder, span, buffers, 1),
            Strips::Same5x5 => same!(depthwise5x5_same, self, recorder, span, buffers, 1),
            Strips::Stride2By3x3 => {
                stride2_backward_input!(depthwise3x3_stride2_backward_input, self, recorder, span, buffers)
            }
            Strips::Stride2By5x5 => {
                stride2_backward_input!(depthwise5x5_stride2_backward_input, self, recorder, span, buffers)
            }
        }
    }
}
