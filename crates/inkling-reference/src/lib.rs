//! The CPU twin of every shader: the oracle of the tests.
//!
//! A twin carries the shader's name, takes its parameters and then its buffers in the order of
//! their bindings, and computes the same formula with plain loops, in f32 (what the shader is held
//! against) or f64 (what central differences are held against). It reads from top to bottom and
//! makes no attempt at speed. Sizes are trusted: an impossible shape panics on an index.

mod augment;
mod cholesky;
mod conv2d;
mod conv2d_packed;
mod conv3x3;
mod dense;
mod depthwise;
mod depthwise_strips;
mod elu;
mod film;
mod gather;
mod inner;
mod linear;
mod linear_head;
mod mahalanobis;
mod norm;
mod norm_backward;
mod norm_tangent;
mod norm_unpooled;
mod optim;
mod params;
mod params_depthwise;
mod params_film;
mod params_mahalanobis;
mod params_plain;
mod params_solve;
mod peak;
mod plain;
mod pointwise;
mod pool;
mod prototype;
mod prototype_backward;
mod real;
mod ridge;
mod softmax;
mod solve;
mod whole_head;
mod whole_mahalanobis;
mod whole_solve;
mod whole_versa;

pub use augment::augment;
pub use cholesky::{cholesky_panel, cholesky_solve, cholesky_update};
pub use conv2d::{conv2d_backward_input, conv2d_backward_weight, conv2d_forward, conv2d_reduce_partials};
pub use conv2d_packed::conv2d_packed_forward;
pub use conv3x3::{conv3x3_backward_weight, conv3x3_forward, conv3x3_pack};
pub use dense::{dense_product, segment_mean};
pub use depthwise::{depthwise_backward_input, depthwise_backward_weight, depthwise_forward};
pub use depthwise_strips::{
    depthwise3x3_same, depthwise3x3_stride2_backward_input, depthwise3x3_stride2_forward, depthwise5x5_same,
    depthwise5x5_stride2_backward_input, depthwise5x5_stride2_forward,
};
pub use elu::{elu_backward, elu_forward};
pub use film::{FILM_HIDDEN, film_backward, film_backward_hidden, film_forward};
pub use gather::gather_rows;
pub use inner::{
    broadcast_tasks, count_not_finite, expand_rates, inner_step, rate_gradient, scale_by_rates, sum_slices, sum_tasks,
    task_status,
};
pub use linear::{linear_backward_input, linear_backward_weight, linear_forward};
pub use linear_head::{
    linear_head_check, linear_head_combine, linear_head_diagonal, linear_head_residual, linear_head_rows,
    linear_head_start, linear_head_start_gradient, linear_head_tangent,
};
pub use mahalanobis::{
    mahalanobis_backward_query, mahalanobis_center, mahalanobis_dual_matrix, mahalanobis_expand, mahalanobis_gram,
    mahalanobis_logits, mahalanobis_matrix, mahalanobis_order, mahalanobis_project, mahalanobis_residuals,
    mahalanobis_rows, mahalanobis_verdict,
};
pub use norm::{norm_combine, norm_forward, norm_moments, norm_running};
pub use norm_backward::{norm_backward_input, norm_backward_sums, norm_backward_weight, norm_combine_backward};
pub use norm_tangent::{
    norm_backward_input_tangent, norm_backward_sums_tangent, norm_combine_backward_tangent, norm_tangent,
    norm_tangent_sums,
};
pub use norm_unpooled::{norm_frozen_backward, norm_unpooled_forward};
pub use optim::{adam_step, clip_scale, sgd_step, squared_norm};
pub use params::*;
pub use params_depthwise::*;
pub use params_film::*;
pub use params_mahalanobis::*;
pub use params_plain::*;
pub use params_solve::*;
pub use peak::{peak_copy, peak_multiply};
pub use plain::{
    drop_forward, gate_backward, gate_backward_tangent, gate_forward, gate_tangent, max_pool_backward,
    max_pool_forward, rectify_backward, rectify_forward, silu_backward, silu_backward_tangent, silu_forward,
};
pub use pointwise::{pointwise_backward_weight, pointwise_forward, pointwise_pack};
pub use pool::{global_average_pool_backward, global_average_pool_forward, sum_forward};
pub use prototype::{prototype_fit, prototype_logits};
pub use prototype_backward::{
    prototype_backward_fit, prototype_backward_query, prototype_backward_scale, prototype_coefficients,
    prototype_finish,
};
pub use real::Real;
pub use ridge::{
    ridge_backward_sum, ridge_backward_task, ridge_cholesky, ridge_gram, ridge_scale, ridge_solve, ridge_targets,
};
pub use softmax::{softmax_cross_entropy, softmax_cross_entropy_tangent};
pub use solve::{
    cg_control, cg_curvature, cg_direction, cg_finish, cg_start, cg_step, diagonal_low_rank, low_rank_project,
};
pub use whole_head::{HeadGradient, HeadInput, LinearHead, LowerGradient, RidgeHead};
pub use whole_mahalanobis::MahalanobisHead;
pub use whole_solve::{Solve, SolveOutcome};
pub use whole_versa::VersaHead;
