//! Linear classifiers with weights of each task's own, as the heads that solve leave them.

use inkling_gpu::kernels::{linear_backward_input, linear_backward_weight, linear_forward};
use inkling_gpu::{Buffer, GpuError, Recorder};

use crate::head::HeadTask;

/// Elements from one task's vector to the next: w of the largest task, in whole 256 bytes.
pub(super) fn stride_of(ways: u32, dimension: u32) -> u32 {
    (ways * (dimension + 1)).next_multiple_of(64)
}

/// Linear classifiers, one for each task, `[tasks, stride]`: weight `[W, d]`, then bias `[W]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Classifier<'b> {
    pub(super) weights: &'b Buffer,
    pub(super) stride: u32,
}

impl Classifier<'_> {
    /// X w of `each` images of each task.
    pub(super) fn logits(
        self,
        recorder: &mut Recorder,
        task: HeadTask,
        each: u32,
        dimension: u32,
        images: &Buffer,
        logits: &Buffer,
    ) -> Result<(), GpuError> {
        let params = linear_forward::Params {
            first_image: 0,
            images: task.tasks * each,
            in_features: dimension,
            out_features: task.ways,
            images_per_task: each,
            parameter_stride: self.stride,
            weight_offset: 0,
            bias_offset: task.ways * dimension,
            accumulate: 0,
        };
        let buffers =
            linear_forward::Buffers { input: images.all(), parameters: self.weights.all(), output: logits.all() };
        recorder.dispatch(params, buffers, u64::from(task.tasks * each) * u64::from(task.ways))
    }

    /// dL/dE_q from the gradient of the logits.
    pub(super) fn d_queries(
        self,
        recorder: &mut Recorder,
        task: HeadTask,
        each: u32,
        dimension: u32,
        d_logits: &Buffer,
        d_queries: &Buffer,
    ) -> Result<(), GpuError> {
        let params = linear_backward_input::Params {
            first_image: 0,
            images: task.tasks * each,
            in_features: dimension,
            out_features: task.ways,
            images_per_task: each,
            parameter_stride: self.stride,
            weight_offset: 0,
            accumulate: 0,
        };
        let buffers = linear_backward_input::Buffers {
            d_output: d_logits.all(),
            parameters: self.weights.all(),
            d_input: d_queries.all(),
        };
        recorder.dispatch(params, buffers, u64::from(task.tasks * each) * u64::from(dimension))
    }

    /// Adds dL/dw of the queries; `images` are E_q and the gradient of the logits.
    pub(super) fn add_d_weights(
        self,
        recorder: &mut Recorder,
        task: HeadTask,
        each: u32,
        dimension: u32,
        [queries, d_logits]: [&Buffer; 2],
        d_weights: &Buffer,
    ) -> Result<(), GpuError> {
        let params = linear_backward_weight::Params {
            first_image: 0,
            images: task.tasks * each,
            in_features: dimension,
            out_features: task.ways,
            images_per_task: each,
            gradient_stride: self.stride,
            weight_offset: 0,
            bias_offset: task.ways * dimension,
        };
        let buffers = linear_backward_weight::Buffers {
            input: queries.all(),
            d_output: d_logits.all(),
            gradient: d_weights.all(),
        };
        recorder.dispatch(params, buffers, u64::from(task.tasks) * u64::from(task.ways * (dimension + 1)))
    }
}
