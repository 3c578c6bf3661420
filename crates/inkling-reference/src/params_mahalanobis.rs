//! Parameters of the twins of the Mahalanobis head and of its Cholesky solve; see [`crate::params`].
#![allow(missing_docs)]

/// `shaders/solve/cholesky_panel.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CholeskyPanelParams {
    pub tasks: u32,
    pub systems: u32,
    pub size: u32,
    pub first: u32,
    pub state_stride: u32,
    pub state_offset: u32,
}

/// `shaders/solve/cholesky_update.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CholeskyUpdateParams {
    pub systems: u32,
    pub size: u32,
    pub first: u32,
}

/// `shaders/solve/cholesky_solve.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CholeskySolveParams {
    pub tasks: u32,
    pub systems: u32,
    pub sides: u32,
    pub size: u32,
    pub stride: u32,
    pub offset: u32,
}

/// `shaders/heads/mahalanobis_center.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MahalanobisCenterParams {
    pub tasks: u32,
    pub support: u32,
    pub ways: u32,
    pub dimension: u32,
}

/// `shaders/heads/mahalanobis_order.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MahalanobisOrderParams {
    pub tasks: u32,
    pub support: u32,
    pub ways: u32,
}

/// `shaders/heads/mahalanobis_gram.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MahalanobisGramParams {
    pub tasks: u32,
    pub size: u32,
    pub terms: u32,
    pub row_stride: u32,
    pub column_stride: u32,
    pub stride: u32,
    pub offset: u32,
    pub lower: u32,
}

/// `shaders/heads/mahalanobis_matrix.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MahalanobisMatrixParams {
    pub tasks: u32,
    pub classes: u32,
    pub first_class: u32,
    pub ways: u32,
    pub support: u32,
    pub dimension: u32,
    pub gram_stride: u32,
}

/// `shaders/heads/mahalanobis_dual_matrix.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MahalanobisDualMatrixParams {
    pub tasks: u32,
    pub classes: u32,
    pub first_class: u32,
    pub ways: u32,
    pub support: u32,
    pub gram_stride: u32,
}

/// `shaders/heads/mahalanobis_residuals.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MahalanobisResidualsParams {
    pub tasks: u32,
    pub queries: u32,
    pub ways: u32,
    pub dimension: u32,
}

/// `shaders/heads/mahalanobis_project.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MahalanobisProjectParams {
    pub tasks: u32,
    pub classes: u32,
    pub first_class: u32,
    pub ways: u32,
    pub queries: u32,
    pub support: u32,
    pub dimension: u32,
    pub backward: u32,
}

/// `shaders/heads/mahalanobis_expand.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MahalanobisExpandParams {
    pub tasks: u32,
    pub classes: u32,
    pub first_class: u32,
    pub ways: u32,
    pub queries: u32,
    pub support: u32,
    pub dimension: u32,
}

/// `shaders/heads/mahalanobis_logits.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MahalanobisLogitsParams {
    pub tasks: u32,
    pub classes: u32,
    pub first_class: u32,
    pub ways: u32,
    pub queries: u32,
    pub support: u32,
    pub dimension: u32,
    pub dual: u32,
}

/// `shaders/heads/mahalanobis_verdict.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MahalanobisVerdictParams {
    pub tasks: u32,
    pub queries: u32,
    pub ways: u32,
}

/// `shaders/heads/mahalanobis_backward_query.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MahalanobisBackwardQueryParams {
    pub tasks: u32,
    pub queries: u32,
    pub ways: u32,
    pub dimension: u32,
}

/// `shaders/heads/mahalanobis_rows.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MahalanobisRowsParams {
    pub tasks: u32,
    pub classes: u32,
    pub first_class: u32,
    pub ways: u32,
    pub queries: u32,
    pub support: u32,
    pub dimension: u32,
}
