//! The tangent of a loss's gradient; the loss itself is launched by the heads that it belongs to.

use inkling_gpu::kernels::softmax_cross_entropy_tangent as kernel;
use inkling_gpu::{Buffer, GpuError, Recorder};

use crate::axis::Rows;

/// `d_logits_dot` rows = scale · (diag(p) − ppᵀ) · `logits_dot` rows, p = softmax(`logits` row):
/// the tangent of softmax cross-entropy's gradient, whatever the labels. All are
/// `[tasks · images, ways]`; `scale` is the weight of a row in the loss.
///
/// # Errors
/// Device errors.
pub fn softmax_cross_entropy_tangent(
    recorder: &mut Recorder,
    rows: Rows,
    ways: u32,
    scale: f32,
    (logits, logits_dot): (&Buffer, &Buffer),
    d_logits_dot: &Buffer,
) -> Result<(), GpuError> {
    let params = kernel::Params { first_row: rows.first, rows: rows.count, ways, scale };
    let buffers =
        kernel::Buffers { logits: logits.all(), logits_dot: logits_dot.all(), d_logits_dot: d_logits_dot.all() };
    recorder.dispatch(params, buffers, u64::from(rows.count))
}
