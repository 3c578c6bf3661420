//! Parameters of the twins of the depthwise convolutions; see [`crate::params`].
#![allow(missing_docs)]

/// `shaders/nn/depthwise_forward.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DepthwiseForwardParams {
    pub images: u32,
    pub channels: u32,
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

/// `shaders/nn/depthwise_backward_input.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DepthwiseBackwardInputParams {
    pub images: u32,
    pub channels: u32,
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

/// `shaders/nn/depthwise_backward_weight.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DepthwiseBackwardWeightParams {
    pub images: u32,
    pub channels: u32,
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

/// `shaders/nn/depthwise3x3_same.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Depthwise3x3SameParams {
    pub images: u32,
    pub channels: u32,
    pub height: u32,
    pub width: u32,
    pub rows: u32,
    pub images_per_task: u32,
    pub parameter_stride: u32,
    pub weight_offset: u32,
    pub flip: u32,
}

/// `shaders/nn/depthwise5x5_same.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Depthwise5x5SameParams {
    pub images: u32,
    pub channels: u32,
    pub height: u32,
    pub width: u32,
    pub rows: u32,
    pub images_per_task: u32,
    pub parameter_stride: u32,
    pub weight_offset: u32,
    pub flip: u32,
}

/// `shaders/nn/depthwise3x3_stride2_forward.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Depthwise3x3Stride2ForwardParams {
    pub images: u32,
    pub channels: u32,
    pub in_height: u32,
    pub in_width: u32,
    pub out_height: u32,
    pub out_width: u32,
    pub padding: u32,
    pub rows: u32,
    pub images_per_task: u32,
    pub parameter_stride: u32,
    pub weight_offset: u32,
}

/// `shaders/nn/depthwise5x5_stride2_forward.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Depthwise5x5Stride2ForwardParams {
    pub images: u32,
    pub channels: u32,
    pub in_height: u32,
    pub in_width: u32,
    pub out_height: u32,
    pub out_width: u32,
    pub padding: u32,
    pub rows: u32,
    pub images_per_task: u32,
    pub parameter_stride: u32,
    pub weight_offset: u32,
}

/// `shaders/nn/depthwise3x3_stride2_backward_input.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Depthwise3x3Stride2BackwardInputParams {
    pub images: u32,
    pub channels: u32,
    pub in_height: u32,
    pub in_width: u32,
    pub out_height: u32,
    pub out_width: u32,
    pub padding: u32,
    pub pairs: u32,
    pub images_per_task: u32,
    pub parameter_stride: u32,
    pub weight_offset: u32,
}

/// `shaders/nn/depthwise5x5_stride2_backward_input.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Depthwise5x5Stride2BackwardInputParams {
    pub images: u32,
    pub channels: u32,
    pub in_height: u32,
    pub in_width: u32,
    pub out_height: u32,
    pub out_width: u32,
    pub padding: u32,
    pub pairs: u32,
    pub images_per_task: u32,
    pub parameter_stride: u32,
    pub weight_offset: u32,
}
