//! Parameters of the twins: field by field those of the shader of the same name, whose header says
//! what they mean. Offsets and strides count elements.
#![allow(missing_docs)]

/// `shaders/nn/conv2d_forward.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conv2dForwardParams {
    pub images: u32,
    pub in_channels: u32,
    pub out_channels: u32,
    pub in_height: u32,
    pub in_width: u32,
    pub out_height: u32,
    pub out_width: u32,
    pub kernel: u32,
    pub stride: u32,
    pub padding: u32,
    pub images_per_task: u32,
    pub parameter_stride: u32,
    pub weight_offset: u32,
    pub bias_offset: u32,
    pub accumulate: u32,
}

/// `shaders/nn/conv2d_backward_input.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conv2dBackwardInputParams {
    pub images: u32,
    pub in_channels: u32,
    pub out_channels: u32,
    pub in_height: u32,
    pub in_width: u32,
    pub out_height: u32,
    pub out_width: u32,
    pub kernel: u32,
    pub stride: u32,
    pub padding: u32,
    pub images_per_task: u32,
    pub parameter_stride: u32,
    pub weight_offset: u32,
    pub accumulate: u32,
}

/// `shaders/nn/conv2d_backward_weight.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conv2dBackwardWeightParams {
    pub images: u32,
    pub in_channels: u32,
    pub out_channels: u32,
    pub in_height: u32,
    pub in_width: u32,
    pub out_height: u32,
    pub out_width: u32,
    pub kernel: u32,
    pub stride: u32,
    pub padding: u32,
    pub splits: u32,
    pub images_per_split: u32,
    pub splits_per_task: u32,
    pub images_per_task: u32,
}

/// `shaders/nn/conv2d_reduce_partials.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conv2dReducePartialsParams {
    pub tasks: u32,
    pub splits_per_task: u32,
    pub weights: u32,
    pub biases: u32,
    pub added: u32,
    pub weight_offset: u32,
    pub bias_offset: u32,
    pub gradient_stride: u32,
}

/// `shaders/nn/conv3x3_pack.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conv3x3PackParams {
    pub tasks: u32,
    pub in_channels: u32,
    pub out_channels: u32,
    pub slabs: u32,
    pub elements: u32,
    pub parameter_stride: u32,
    pub weight_offset: u32,
    pub transpose: u32,
}

/// `shaders/nn/conv3x3_forward.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conv3x3ForwardParams {
    pub first_image: u32,
    pub images: u32,
    pub in_channels: u32,
    pub out_channels: u32,
    pub height: u32,
    pub width: u32,
    pub tiles_x: u32,
    pub tiles_y: u32,
    pub first_input: u32,
    pub slab_inputs: u32,
    pub first_output: u32,
    pub bias_offset: u32,
    pub accumulate: u32,
}

/// `shaders/nn/conv3x3_backward_weight.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conv3x3BackwardWeightParams {
    pub images: u32,
    pub in_channels: u32,
    pub out_channels: u32,
    pub height: u32,
    pub width: u32,
    pub splits: u32,
    pub images_per_split: u32,
    pub splits_per_task: u32,
    pub images_per_task: u32,
}

/// `shaders/nn/pointwise_pack.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PointwisePackParams {
    pub tasks: u32,
    pub blocks: u32,
    pub rows: u32,
    pub inputs: u32,
    pub outputs: u32,
    pub task_elements: u32,
    pub parameter_stride: u32,
    pub weight_offset: u32,
    pub transpose: u32,
}

/// `shaders/nn/pointwise_forward.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PointwiseForwardParams {
    pub first_image: u32,
    pub images: u32,
    pub in_channels: u32,
    pub out_channels: u32,
    pub pixels: u32,
    pub first_input: u32,
    pub slab_inputs: u32,
    pub first_output: u32,
    pub bias_offset: u32,
    pub accumulate: u32,
}

/// `shaders/nn/sum_forward.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SumForwardParams {
    pub elements: u32,
}

/// `shaders/nn/elu_forward.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EluForwardParams {
    pub elements: u32,
}

/// `shaders/nn/elu_backward.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EluBackwardParams {
    pub elements: u32,
}

/// `shaders/nn/norm_moments.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormMomentsParams {
    pub images: u32,
    pub channels: u32,
    pub pixels: u32,
    pub segment_pixels: u32,
    pub segments: u32,
}

/// `shaders/nn/norm_combine.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormCombineParams {
    pub sets: u32,
    pub images_per_set: u32,
    pub channels: u32,
    pub groups: u32,
    pub pixels: u32,
    pub segment_pixels: u32,
    pub segments: u32,
    pub epsilon: f32,
}

/// `shaders/nn/norm_running.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormRunningParams {
    pub channels: u32,
    pub mean_offset: u32,
    pub variance_offset: u32,
    pub epsilon: f32,
}

/// `shaders/nn/norm_forward.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormForwardParams {
    pub images: u32,
    pub channels: u32,
    pub height: u32,
    pub width: u32,
    pub out_height: u32,
    pub out_width: u32,
    pub groups: u32,
    pub images_per_set: u32,
    pub window: u32,
    pub floor: f32,
    pub ceiling: f32,
    pub output_offset: u32,
    pub images_per_task: u32,
    pub parameter_stride: u32,
    pub weight_offset: u32,
    pub bias_offset: u32,
}

/// `shaders/bench/peak_copy.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PeakCopyParams {
    pub quads: u32,
}

/// `shaders/bench/peak_multiply.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PeakMultiplyParams {
    pub invocations: u32,
    pub rounds: u32,
}

/// `shaders/nn/conv2d_packed_forward.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conv2dPackedForwardParams {
    pub first_image: u32,
    pub images: u32,
    pub in_channels: u32,
    pub out_channels: u32,
    pub in_height: u32,
    pub in_width: u32,
    pub out_height: u32,
    pub out_width: u32,
    pub kernel: u32,
    pub stride: u32,
    pub padding: u32,
    pub first_term: u32,
    pub slab_terms: u32,
    pub first_output: u32,
    pub bias_offset: u32,
    pub accumulate: u32,
}

/// `shaders/nn/pointwise_backward_weight.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PointwiseBackwardWeightParams {
    pub images: u32,
    pub in_channels: u32,
    pub out_channels: u32,
    pub pixels: u32,
    pub splits: u32,
    pub images_per_split: u32,
    pub segments: u32,
    pub segment_pixels: u32,
    pub splits_per_task: u32,
    pub images_per_task: u32,
}

/// `shaders/nn/norm_unpooled_forward.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormUnpooledForwardParams {
    pub images: u32,
    pub channels: u32,
    pub pixels: u32,
    pub segment_pixels: u32,
    pub groups: u32,
    pub images_per_set: u32,
    pub floor: f32,
    pub ceiling: f32,
    pub output_offset: u32,
    pub images_per_task: u32,
    pub parameter_stride: u32,
    pub weight_offset: u32,
    pub bias_offset: u32,
}

/// `shaders/nn/norm_frozen_backward.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormFrozenBackwardParams {
    pub images: u32,
    pub channels: u32,
    pub pixels: u32,
    pub segment_pixels: u32,
    pub segments: u32,
    pub floor: f32,
    pub ceiling: f32,
    pub d_output_offset: u32,
    pub images_per_task: u32,
    pub parameter_stride: u32,
    pub weight_offset: u32,
    pub bias_offset: u32,
}

/// `shaders/nn/norm_backward_sums.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormBackwardSumsParams {
    pub images: u32,
    pub channels: u32,
    pub height: u32,
    pub width: u32,
    pub out_height: u32,
    pub out_width: u32,
    pub groups: u32,
    pub images_per_set: u32,
    pub window: u32,
    pub floor: f32,
    pub ceiling: f32,
    pub d_output_offset: u32,
    pub images_per_task: u32,
    pub parameter_stride: u32,
    pub weight_offset: u32,
    pub bias_offset: u32,
    pub segment_cells: u32,
    pub segments: u32,
}

/// `shaders/nn/norm_backward_weight.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormBackwardWeightParams {
    pub tasks: u32,
    pub images_per_task: u32,
    pub channels: u32,
    pub segments: u32,
    pub sum_values: u32,
    pub gradient_stride: u32,
    pub weight_offset: u32,
    pub bias_offset: u32,
}

/// `shaders/nn/norm_combine_backward.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormCombineBackwardParams {
    pub sets: u32,
    pub images_per_set: u32,
    pub channels: u32,
    pub groups: u32,
    pub segments: u32,
    pub images_per_task: u32,
    pub parameter_stride: u32,
    pub weight_offset: u32,
}

/// `shaders/nn/norm_backward_input.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormBackwardInputParams {
    pub images: u32,
    pub channels: u32,
    pub height: u32,
    pub width: u32,
    pub out_height: u32,
    pub out_width: u32,
    pub groups: u32,
    pub images_per_set: u32,
    pub window: u32,
    pub floor: f32,
    pub ceiling: f32,
    pub d_output_offset: u32,
    pub images_per_task: u32,
    pub parameter_stride: u32,
    pub weight_offset: u32,
    pub bias_offset: u32,
    pub coupled: u32,
}

/// `shaders/nn/norm_tangent_sums.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormTangentSumsParams {
    pub images: u32,
    pub channels: u32,
    pub pixels: u32,
    pub groups: u32,
    pub images_per_set: u32,
    pub segment_pixels: u32,
    pub segments: u32,
}

/// `shaders/nn/norm_tangent.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormTangentParams {
    pub images: u32,
    pub channels: u32,
    pub height: u32,
    pub width: u32,
    pub out_height: u32,
    pub out_width: u32,
    pub groups: u32,
    pub images_per_set: u32,
    pub window: u32,
    pub floor: f32,
    pub ceiling: f32,
    pub output_offset: u32,
    pub images_per_task: u32,
    pub parameter_stride: u32,
    pub weight_offset: u32,
    pub bias_offset: u32,
    pub coupled: u32,
}

/// `shaders/nn/norm_backward_sums_tangent.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormBackwardSumsTangentParams {
    pub images: u32,
    pub channels: u32,
    pub height: u32,
    pub width: u32,
    pub out_height: u32,
    pub out_width: u32,
    pub groups: u32,
    pub images_per_set: u32,
    pub window: u32,
    pub floor: f32,
    pub ceiling: f32,
    pub d_output_offset: u32,
    pub images_per_task: u32,
    pub parameter_stride: u32,
    pub weight_offset: u32,
    pub bias_offset: u32,
    pub segment_cells: u32,
    pub segments: u32,
    pub coupled: u32,
}

/// `shaders/nn/norm_combine_backward_tangent.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormCombineBackwardTangentParams {
    pub sets: u32,
    pub images_per_set: u32,
    pub channels: u32,
    pub groups: u32,
    pub segments: u32,
    pub images_per_task: u32,
    pub parameter_stride: u32,
    pub weight_offset: u32,
}

/// `shaders/nn/norm_backward_input_tangent.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormBackwardInputTangentParams {
    pub images: u32,
    pub channels: u32,
    pub height: u32,
    pub width: u32,
    pub out_height: u32,
    pub out_width: u32,
    pub groups: u32,
    pub images_per_set: u32,
    pub window: u32,
    pub floor: f32,
    pub ceiling: f32,
    pub d_output_offset: u32,
    pub images_per_task: u32,
    pub parameter_stride: u32,
    pub weight_offset: u32,
    pub bias_offset: u32,
    pub coupled: u32,
}

/// `shaders/nn/global_average_pool_forward.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GlobalAveragePoolForwardParams {
    pub images: u32,
    pub channels: u32,
    pub pixels: u32,
    pub output_offset: u32,
}

/// `shaders/nn/global_average_pool_backward.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GlobalAveragePoolBackwardParams {
    pub images: u32,
    pub channels: u32,
    pub pixels: u32,
    pub d_output_offset: u32,
    pub accumulate: u32,
}

/// `shaders/nn/linear_forward.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearForwardParams {
    pub first_image: u32,
    pub images: u32,
    pub in_features: u32,
    pub out_features: u32,
    pub images_per_task: u32,
    pub parameter_stride: u32,
    pub weight_offset: u32,
    pub bias_offset: u32,
    pub accumulate: u32,
}

/// `shaders/nn/linear_backward_input.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearBackwardInputParams {
    pub first_image: u32,
    pub images: u32,
    pub in_features: u32,
    pub out_features: u32,
    pub images_per_task: u32,
    pub parameter_stride: u32,
    pub weight_offset: u32,
    pub accumulate: u32,
}

/// `shaders/nn/linear_backward_weight.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearBackwardWeightParams {
    pub first_image: u32,
    pub images: u32,
    pub in_features: u32,
    pub out_features: u32,
    pub images_per_task: u32,
    pub gradient_stride: u32,
    pub weight_offset: u32,
    pub bias_offset: u32,
}

/// `shaders/nn/softmax_cross_entropy.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SoftmaxCrossEntropyParams {
    pub rows: u32,
    pub ways: u32,
    pub scale: f32,
    pub rows_per_task: u32,
    pub task_stride: u32,
    pub label_offset: u32,
    pub outcome_offset: u32,
}

/// `shaders/nn/softmax_cross_entropy_tangent.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SoftmaxCrossEntropyTangentParams {
    pub first_row: u32,
    pub rows: u32,
    pub ways: u32,
    pub scale: f32,
}

/// `shaders/heads/prototype_fit.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PrototypeFitParams {
    pub tasks: u32,
    pub support: u32,
    pub ways: u32,
    pub dimension: u32,
}

/// `shaders/heads/prototype_logits.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PrototypeLogitsParams {
    pub tasks: u32,
    pub queries: u32,
    pub ways: u32,
    pub dimension: u32,
    pub metric: u32,
    pub scale_offset: u32,
    pub parameter_stride: u32,
}

/// `shaders/heads/prototype_coefficients.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PrototypeCoefficientsParams {
    pub tasks: u32,
    pub queries: u32,
    pub ways: u32,
    pub dimension: u32,
    pub metric: u32,
    pub scale_offset: u32,
    pub parameter_stride: u32,
}

/// `shaders/heads/prototype_backward_query.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PrototypeBackwardQueryParams {
    pub tasks: u32,
    pub queries: u32,
    pub ways: u32,
    pub dimension: u32,
}

/// `shaders/heads/prototype_backward_fit.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PrototypeBackwardFitParams {
    pub tasks: u32,
    pub queries: u32,
    pub ways: u32,
    pub dimension: u32,
}

/// `shaders/heads/prototype_backward_scale.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PrototypeBackwardScaleParams {
    pub tasks: u32,
    pub queries: u32,
    pub ways: u32,
    pub scale_offset: u32,
    pub parameter_stride: u32,
    pub gradient_stride: u32,
}

/// `shaders/heads/prototype_finish.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PrototypeFinishParams {
    pub tasks: u32,
    pub support: u32,
    pub ways: u32,
    pub dimension: u32,
}

/// `shaders/heads/gather_rows.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GatherRowsParams {
    pub rows: u32,
    pub dimension: u32,
    pub scale: f32,
}

/// `shaders/optim/adam_step.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStepParams {
    pub offset: u32,
    pub length: u32,
    pub learning_rate: f32,
    pub beta1: f32,
    pub beta2: f32,
    pub epsilon: f32,
    pub weight_decay: f32,
    pub decoupled: u32,
    pub correction1: f32,
    pub correction2: f32,
}

/// `shaders/optim/sgd_step.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SgdStepParams {
    pub offset: u32,
    pub length: u32,
    pub learning_rate: f32,
    pub momentum: f32,
    pub nesterov: u32,
    pub weight_decay: f32,
}

/// `shaders/optim/squared_norm.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SquaredNormParams {
    pub length: u32,
    pub block: u32,
}

/// `shaders/optim/clip_scale.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClipScaleParams {
    pub partials: u32,
    pub max_norm: f32,
    pub scale: f32,
}

/// `shaders/optim/broadcast_tasks.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BroadcastTasksParams {
    pub tasks: u32,
    pub length: u32,
}

/// `shaders/optim/inner_step.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InnerStepParams {
    pub tasks: u32,
    pub length: u32,
    pub rate: f32,
    pub rates_per_element: u32,
    pub prox: f32,
}

/// `shaders/optim/scale_by_rates.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScaleByRatesParams {
    pub tasks: u32,
    pub length: u32,
    pub factor: f32,
    pub rates_per_element: u32,
}

/// `shaders/optim/rate_gradient.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateGradientParams {
    pub length: u32,
}

/// `shaders/optim/sum_tasks.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SumTasksParams {
    pub tasks: u32,
    pub length: u32,
    pub first_task: u32,
    pub factor: f32,
    pub anchor: f32,
}

/// `shaders/optim/count_not_finite.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CountNotFiniteParams {
    pub tasks: u32,
    pub length: u32,
    pub block: u32,
}

/// `shaders/optim/task_status.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TaskStatusParams {
    pub tasks: u32,
    pub blocks: u32,
    pub first_task: u32,
    pub code: f32,
}

/// `shaders/optim/expand_rates.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExpandRatesParams {
    pub slices: u32,
    pub first: u32,
}

/// `shaders/optim/sum_slices.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SumSlicesParams {
    pub slices: u32,
    pub first: u32,
}

/// `shaders/data/augment.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AugmentParams {
    pub mean: [f32; 4],
    pub inverse_std: [f32; 4],
    pub images: u32,
    pub channels: u32,
    pub in_height: u32,
    pub in_width: u32,
    pub out_height: u32,
    pub out_width: u32,
    pub pixel_offset: u32,
    pub affine_offset: u32,
    pub fill: f32,
}
