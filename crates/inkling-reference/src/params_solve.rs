//! Parameters of the twins of the solver and of the heads that solve; see [`crate::params`].
#![allow(missing_docs)]

/// `shaders/solve/cg_start.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CgStartParams {
    pub tasks: u32,
    pub length: u32,
    pub stride: u32,
    pub block: u32,
    pub damping: f32,
    pub jacobi: u32,
}

/// `shaders/solve/cg_control.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CgControlParams {
    pub tasks: u32,
    pub blocks: u32,
    pub iteration: u32,
    pub max_iterations: u32,
    pub tolerance: f32,
    pub workgroups_0: u32,
    pub workgroups_1: u32,
    pub workgroups_2: u32,
    pub workgroups_3: u32,
}

/// `shaders/solve/cg_direction.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CgDirectionParams {
    pub length: u32,
    pub stride: u32,
    pub block: u32,
    pub damping: f32,
    pub jacobi: u32,
}

/// `shaders/solve/cg_curvature.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CgCurvatureParams {
    pub length: u32,
    pub stride: u32,
    pub block: u32,
    pub damping: f32,
}

/// `shaders/solve/cg_step.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CgStepParams {
    pub length: u32,
    pub stride: u32,
    pub block: u32,
    pub damping: f32,
    pub jacobi: u32,
}

/// `shaders/solve/cg_finish.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CgFinishParams {
    pub tasks: u32,
    pub length: u32,
    pub stride: u32,
}

/// `shaders/solve/low_rank_project.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LowRankProjectParams {
    pub length: u32,
    pub stride: u32,
    pub rank: u32,
}

/// `shaders/solve/diagonal_low_rank.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DiagonalLowRankParams {
    pub length: u32,
    pub stride: u32,
    pub rank: u32,
}

/// `shaders/heads/linear_head_residual.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearHeadResidualParams {
    pub tasks: u32,
    pub support: u32,
    pub ways: u32,
    pub dimension: u32,
    pub stride: u32,
}

/// `shaders/heads/linear_head_tangent.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearHeadTangentParams {
    pub support: u32,
    pub ways: u32,
    pub dimension: u32,
    pub stride: u32,
}

/// `shaders/heads/linear_head_combine.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearHeadCombineParams {
    pub support: u32,
    pub ways: u32,
    pub dimension: u32,
    pub stride: u32,
    pub workgroups: u32,
    pub bias: u32,
    pub keep: f32,
    pub scale: f32,
    pub pull: f32,
}

/// `shaders/heads/linear_head_diagonal.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearHeadDiagonalParams {
    pub tasks: u32,
    pub support: u32,
    pub ways: u32,
    pub dimension: u32,
    pub stride: u32,
    pub ridge: f32,
}

/// `shaders/heads/linear_head_rows.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearHeadRowsParams {
    pub tasks: u32,
    pub support: u32,
    pub ways: u32,
    pub dimension: u32,
    pub stride: u32,
    pub keep: f32,
    pub scale: f32,
    pub factor: f32,
}

/// `shaders/heads/linear_head_start.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearHeadStartParams {
    pub tasks: u32,
    pub ways: u32,
    pub dimension: u32,
    pub stride: u32,
    pub weight_offset: u32,
    pub bias_offset: u32,
}

/// `shaders/heads/linear_head_start_gradient.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearHeadStartGradientParams {
    pub tasks: u32,
    pub ways: u32,
    pub dimension: u32,
    pub stride: u32,
    pub weight_offset: u32,
    pub bias_offset: u32,
    pub first_factor: f32,
    pub second_factor: f32,
}

/// `shaders/heads/linear_head_check.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearHeadCheckParams {
    pub tasks: u32,
    pub length: u32,
    pub stride: u32,
    pub keep: u32,
}

/// `shaders/heads/ridge_gram.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RidgeGramParams {
    pub tasks: u32,
    pub size: u32,
    pub terms: u32,
    pub row_stride: u32,
    pub column_stride: u32,
    pub lambda_offset: u32,
}

/// `shaders/heads/ridge_cholesky.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RidgeCholeskyParams {
    pub tasks: u32,
    pub size: u32,
    pub first_row: u32,
    pub end_row: u32,
}

/// `shaders/heads/ridge_solve.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RidgeSolveParams {
    pub tasks: u32,
    pub size: u32,
    pub ways: u32,
    pub stride: u32,
    pub row_stride: u32,
    pub way_stride: u32,
}

/// `shaders/heads/ridge_targets.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RidgeTargetsParams {
    pub rows: u32,
    pub ways: u32,
    pub subtract: u32,
}

/// `shaders/heads/ridge_scale.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RidgeScaleParams {
    pub tasks: u32,
    pub ways: u32,
    pub dimension: u32,
    pub stride: u32,
    pub scale_offset: u32,
    pub bias_offset: u32,
}

/// `shaders/heads/ridge_backward_task.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RidgeBackwardTaskParams {
    pub tasks: u32,
    pub length: u32,
    pub first_stride: u32,
    pub ways: u32,
    pub dimension: u32,
    pub stride: u32,
}

/// `shaders/heads/ridge_backward_sum.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RidgeBackwardSumParams {
    pub tasks: u32,
    pub lambda_offset: u32,
    pub scale_offset: u32,
    pub bias_offset: u32,
}

/// `shaders/solve/dense_product.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DenseProductParams {
    pub tasks: u32,
    pub rows: u32,
    pub columns: u32,
    pub matrix_stride: u32,
    pub row_stride: u32,
    pub column_stride: u32,
    pub vector_stride: u32,
    pub addend_stride: u32,
    pub stride: u32,
    pub scale: f32,
}

/// `shaders/solve/segment_mean.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SegmentMeanParams {
    pub segments: u32,
    pub length: u32,
    pub stride: u32,
}
