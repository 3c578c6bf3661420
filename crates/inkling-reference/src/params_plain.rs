//! Parameters of the twins of layers without parameters; see [`crate::params`].
#![allow(missing_docs)]

/// `shaders/nn/rectify_forward.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RectifyForwardParams {
    pub elements: u32,
    pub slope: f32,
}

/// `shaders/nn/rectify_backward.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RectifyBackwardParams {
    pub elements: u32,
    pub slope: f32,
}

/// `shaders/nn/silu_forward.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SiluForwardParams {
    pub elements: u32,
}

/// `shaders/nn/silu_backward.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SiluBackwardParams {
    pub elements: u32,
}

/// `shaders/nn/silu_backward_tangent.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SiluBackwardTangentParams {
    pub elements: u32,
}

/// `shaders/nn/max_pool_forward.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaxPoolForwardParams {
    pub planes: u32,
    pub in_height: u32,
    pub in_width: u32,
    pub out_height: u32,
    pub out_width: u32,
    pub kernel: u32,
    pub stride: u32,
    pub padding: u32,
}

/// `shaders/nn/max_pool_backward.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaxPoolBackwardParams {
    pub planes: u32,
    pub in_height: u32,
    pub in_width: u32,
    pub out_height: u32,
    pub out_width: u32,
    pub kernel: u32,
    pub stride: u32,
    pub padding: u32,
}

/// `shaders/nn/gate_forward.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GateForwardParams {
    pub planes: u32,
    pub pixels: u32,
}

/// `shaders/nn/gate_backward.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GateBackwardParams {
    pub planes: u32,
    pub pixels: u32,
}

/// `shaders/nn/gate_tangent.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GateTangentParams {
    pub planes: u32,
    pub pixels: u32,
}

/// `shaders/nn/gate_backward_tangent.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GateBackwardTangentParams {
    pub planes: u32,
    pub pixels: u32,
}

/// `shaders/nn/drop_forward.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DropForwardParams {
    pub images: u32,
    pub elements: u32,
    pub group: u32,
    pub layer: u32,
    pub threshold: u32,
    pub scale: f32,
}
