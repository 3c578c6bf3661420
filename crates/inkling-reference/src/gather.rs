//! Twin of the row gatherer.

use crate::{GatherRowsParams, Real};

/// Rows `indices` of `source`, times `scale`: destination `[rows, dimension]`.
pub fn gather_rows<F: Real>(params: &GatherRowsParams, source: &[F], indices: &[u32], destination: &mut [F]) {
    let dimension = params.dimension as usize;
    for row in 0..params.rows as usize {
        for i in 0..dimension {
            let value = source[indices[row] as usize * dimension + i];
            destination[row * dimension + i] = F::of(params.scale.into()) * value;
        }
    }
}
