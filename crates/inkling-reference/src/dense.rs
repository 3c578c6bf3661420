//! Twins of the kernels of quadratic bilevel tasks.

use crate::{DenseProductParams, Real, SegmentMeanParams};

/// y_t = matrix_{m(t)} x_{v(t)} + scale · z_{a(t)}.
#[allow(clippy::too_many_arguments)]
pub fn dense_product<F: Real>(
    params: &DenseProductParams,
    matrices: &[F],
    matrix_of: &[u32],
    vectors: &[F],
    vector_of: &[u32],
    addends: &[F],
    addend_of: &[u32],
    product: &mut [F],
) {
    let scale = F::of(params.scale.into());
    for task in 0..params.tasks as usize {
        let first = |numbers: &[u32], stride: u32| (numbers[task] * stride) as usize;
        let matrix = first(matrix_of, params.matrix_stride);
        let vector = first(vector_of, params.vector_stride);
        let addend = first(addend_of, params.addend_stride);
        for row in 0..params.rows as usize {
            let mut sum = F::ZERO;
            for column in 0..params.columns as usize {
                let element = matrix + row * params.row_stride as usize + column * params.column_stride as usize;
                sum += matrices[element] * vectors[vector + column];
            }
            product[task * params.stride as usize + row] = sum + scale * addends[addend + row];
        }
    }
}

/// The mean of the rows from firsts_s to firsts_{s+1}, for every segment s.
pub fn segment_mean<F: Real>(params: &SegmentMeanParams, firsts: &[u32], rows: &[F], mean: &mut [F]) {
    let stride = params.stride as usize;
    for segment in 0..params.segments as usize {
        let (first, end) = (firsts[segment] as usize, firsts[segment + 1] as usize);
        let count = F::of((end - first).max(1) as f64);
        for element in 0..params.length as usize {
            let sum = (first..end).fold(F::ZERO, |sum, row| sum + rows[row * stride + element]);
            mean[segment * stride + element] = sum / count;
        }
    }
}
