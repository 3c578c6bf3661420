//! Twins of the ridge head: W* = Eᵀ(EEᵀ + λI)⁻¹Y, or (EᵀE + λI)⁻¹EᵀY where that is smaller.

use crate::{
    Real, RidgeBackwardSumParams, RidgeBackwardTaskParams, RidgeCholeskyParams, RidgeGramParams, RidgeScaleParams,
    RidgeSolveParams, RidgeTargetsParams,
};

/// Inner products plus λI, `[tasks, size, size]`; λ is not below 1e-6.
pub fn ridge_gram<F: Real>(params: &RidgeGramParams, embeddings: &[F], parameters: &[F], matrix: &mut [F]) {
    let [size, terms, row_stride, column_stride] =
        [params.size, params.terms, params.row_stride, params.column_stride].map(|value| value as usize);
    let lambda = parameters[params.lambda_offset as usize].at_least(F::of(1e-6));
    for task in 0..params.tasks as usize {
        let x = |row: usize, k: usize| embeddings[task * size * terms + row * row_stride + k * column_stride];
        for row in 0..size {
            for column in 0..size {
                let start = if row == column { lambda } else { F::ZERO };
                let sum = (0..terms).fold(start, |sum, k| sum + x(row, k) * x(column, k));
                matrix[(task * size + row) * size + column] = sum;
            }
        }
    }
}

/// Rows `first_row..end_row` of the Cholesky factor U (A = UᵀU), in place of the upper triangle.
pub fn ridge_cholesky<F: Real>(params: &RidgeCholeskyParams, states: &mut [u32], matrix: &mut [F]) {
    let size = params.size as usize;
    for task in 0..params.tasks as usize {
        let a = &mut matrix[task * size * size..(task + 1) * size * size];
        if params.first_row == 0 {
            states[task] = 0;
        }
        for j in params.first_row as usize..params.end_row as usize {
            for i in j..size {
                for k in 0..j {
                    let product = a[k * size + j] * a[k * size + i];
                    a[j * size + i] -= product;
                }
            }
            let pivot = a[j * size + j];
            let positive = pivot > F::ZERO && pivot.as_f64().is_finite();
            let root = if positive { pivot.sqrt() } else { F::ONE };
            if !positive {
                states[task] = 1;
            }
            a[j * size + j] = root;
            (j + 1..size).for_each(|i| a[j * size + i] = a[j * size + i] / root);
        }
    }
}

/// Solves UᵀU x = b in place for `ways` right-hand sides of each task.
pub fn ridge_solve<F: Real>(params: &RidgeSolveParams, factor: &[F], solution: &mut [F]) {
    let size = params.size as usize;
    for task in 0..params.tasks as usize {
        let u = |row: usize, column: usize| factor[(task * size + row) * size + column];
        for way in 0..params.ways as usize {
            let start = task * params.stride as usize + way * params.way_stride as usize;
            let at = |row: usize| start + row * params.row_stride as usize;
            for j in 0..size {
                let sum = (0..j).fold(solution[at(j)], |sum, k| sum - u(k, j) * solution[at(k)]);
                solution[at(j)] = sum / u(j, j);
            }
            for j in (0..size).rev() {
                let sum = (j + 1..size).fold(solution[at(j)], |sum, k| sum - u(j, k) * solution[at(k)]);
                solution[at(j)] = sum / u(j, j);
            }
        }
    }
}

/// One-hot labels `[rows, ways]`, less the predictions where asked for.
pub fn ridge_targets<F: Real>(params: &RidgeTargetsParams, labels: &[u32], predictions: &[F], targets: &mut [F]) {
    let ways = params.ways as usize;
    for index in 0..params.rows as usize * ways {
        let target = if labels[index / ways] as usize == index % ways { F::ONE } else { F::ZERO };
        targets[index] = if params.subtract != 0 { target - predictions[index] } else { target };
    }
}

/// (scale · weight, bias), or (scale · weight, 0) without a bias; weights of zero for failed tasks.
pub fn ridge_scale<F: Real>(
    params: &RidgeScaleParams,
    states: &[u32],
    parameters: &[F],
    input: &[F],
    output: &mut [F],
) {
    let [ways, d, stride] = [params.ways, params.dimension, params.stride].map(|value| value as usize);
    let scale = parameters[params.scale_offset as usize];
    let bias = parameters.get(params.bias_offset as usize).copied().unwrap_or(F::ZERO);
    for task in 0..params.tasks as usize {
        for at in task * stride..task * stride + ways * d {
            output[at] = if states[task] == 0 { scale * input[at] } else { F::ZERO };
        }
        output[task * stride + ways * d..task * stride + ways * (d + 1)].fill(bias);
    }
}

/// (−Σ first·second, Σ weight·d_weight, Σ d_bias, 0) of each task.
pub fn ridge_backward_task<F: Real>(
    params: &RidgeBackwardTaskParams,
    states: &[u32],
    first: &[F],
    second: &[F],
    weights: &[F],
    d_weights: &[F],
    partials: &mut [F],
) {
    let [length, first_stride, ways, d, stride] =
        [params.length, params.first_stride, params.ways, params.dimension, params.stride].map(|value| value as usize);
    for task in 0..params.tasks as usize {
        let sum_of = |a: &[F], b: &[F], from: usize, count: usize| {
            (from..from + count).fold(F::ZERO, |sum, at| sum + a[at] * b[at])
        };
        let biases = task * stride + ways * d;
        let d_bias = d_weights[biases..biases + ways].iter().fold(F::ZERO, |sum, &value| sum + value);
        let sums = [
            -sum_of(first, second, task * first_stride, length),
            sum_of(weights, d_weights, task * stride, ways * d),
            d_bias,
            F::ZERO,
        ];
        partials[4 * task..4 * task + 4].copy_from_slice(&if states[task] == 0 { sums } else { [F::ZERO; 4] });
    }
}

/// Adds the sums over tasks to the gradient of λ, scale and bias.
pub fn ridge_backward_sum<F: Real>(params: &RidgeBackwardSumParams, partials: &[F], gradient: &mut [F]) {
    let sum = |k: usize| (0..params.tasks as usize).fold(F::ZERO, |sum, task| sum + partials[4 * task + k]);
    gradient[params.lambda_offset as usize] += sum(0);
    gradient[params.scale_offset as usize] += sum(1);
    gradient[params.bias_offset as usize] += sum(2);
}
