//! Parameters of the twins of FiLM: field by field those of the shader of the same name.
#![allow(missing_docs)]

/// `shaders/nn/film_forward.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FilmForwardParams {
    pub tasks: u32,
    pub channels: u32,
    pub hidden_stride: u32,
    pub hidden_offset: u32,
    pub film_stride: u32,
    pub scale_offset: u32,
    pub shift_offset: u32,
    pub gamma_weight: u32,
    pub gamma_bias: u32,
    pub gamma_size: u32,
    pub beta_weight: u32,
    pub beta_bias: u32,
    pub beta_size: u32,
}

/// `shaders/nn/film_backward.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FilmBackwardParams {
    pub tasks: u32,
    pub channels: u32,
    pub hidden_stride: u32,
    pub hidden_offset: u32,
    pub film_stride: u32,
    pub scale_offset: u32,
    pub shift_offset: u32,
    pub gamma_weight: u32,
    pub gamma_bias: u32,
    pub gamma_size: u32,
    pub beta_weight: u32,
    pub beta_bias: u32,
    pub beta_size: u32,
    pub decay: f32,
}

/// `shaders/nn/film_backward_hidden.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FilmBackwardHiddenParams {
    pub tasks: u32,
    pub channels: u32,
    pub hidden_stride: u32,
    pub hidden_offset: u32,
    pub gamma_weight: u32,
    pub beta_weight: u32,
}
