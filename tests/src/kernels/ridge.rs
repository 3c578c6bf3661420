//! Kernels of the ridge head.

use inkling_gpu::{Gpu, kernels};
use inkling_reference as twin;

use super::bench::{Bench, integers, noise, wide};
use super::tolerance::Tolerance;
use super::{case_list, params};
use crate::Case;

pub fn cases() -> Vec<Case> {
    case_list![
        "ridge_gram/both_forms" => gram,
        "ridge_cholesky/shapes" => cholesky,
        "ridge_cholesky/in_pieces" => cholesky_in_pieces,
        "ridge_cholesky/not_positive" => cholesky_not_positive,
        "ridge_solve/shapes" => solve,
        "ridge_targets/shapes" => targets,
        "ridge_scale/shapes" => scale,
        "ridge_backward_task/shapes" => backward_task,
        "ridge_backward_sum/shapes" => backward_sum,
    ]
}

async fn gram(gpu: &Gpu) -> Result<(), String> {
    for (tasks, support, dimension) in [(1, 1, 1), (3, 5, 67), (2, 71, 3), (2, 13, 13)] {
        let forms = [(support, dimension, dimension, 1), (dimension, support, 1, dimension)];
        for (size, terms, row_stride, column_stride) in forms {
            let (params, reference) = params!(ridge_gram RidgeGramParams {
                tasks: tasks,
                size: size,
                terms: terms,
                row_stride: row_stride,
                column_stride: column_stride,
                lambda_offset: 2,
            });
            let (x, learned) = (noise(1, (tasks * support * dimension) as usize), [9.0, 9.0, 0.75]);
            let mut bench = Bench::new(gpu)?;
            let embeddings = bench.input(&x).await?;
            let parameters = bench.input(&learned).await?;
            let matrix = bench.output(tasks * size * size).await?;
            let buffers = kernels::ridge_gram::Buffers {
                embeddings: embeddings.all(),
                parameters: parameters.all(),
                matrix: matrix.all(),
            };
            bench.run(params, buffers, tasks * size * size)?;
            let mut expected = matrix.initial.clone();
            twin::ridge_gram(&reference, &x, &learned, &mut expected);
            let what = format!("{tasks} × {support} × {dimension}, size {size}");
            bench.check(&what, &matrix, &expected, Tolerance::sum(terms + 4, 1.0)).await?;
        }
    }
    Ok(())
}

/// Well-conditioned matrices: 2 I plus a little of a Gram matrix, so that eigenvalues lie between 2
/// and about 3.
fn matrices(tasks: u32, size: u32) -> Vec<f32> {
    let size = size as usize;
    let mut all = Vec::new();
    for task in 0..u64::from(tasks) {
        let x = noise(10 + task, size * size);
        for i in 0..size {
            for j in 0..size {
                let product: f32 = (0..size).map(|k| x[i * size + k] * x[j * size + k]).sum();
                all.push(product / (4 * size) as f32 + if i == j { 2.0 } else { 0.0 });
            }
        }
    }
    all
}

/// Roundings of a factor or a solution of a matrix with a condition below two: each element is a sum
/// of up to `size` terms, whose errors the triangular solves pass on without growth to speak of.
fn factor_tolerance(size: u32) -> Tolerance {
    Tolerance::sum(4 * size + 16, 1.0)
}

const SIZES: [(u32, u32); 5] = [(1, 1), (3, 5), (2, 64), (2, 67), (1, 131)];

async fn check_cholesky(gpu: &Gpu, tasks: u32, size: u32, piece: u32) -> Result<(), String> {
    let a = matrices(tasks, size);
    let mut bench = Bench::new(gpu)?;
    let states = bench.input(&vec![7_u32; tasks as usize]).await?;
    let matrix = bench.updated(a).await?;
    let (mut verdicts, mut expected) = (vec![7; tasks as usize], matrix.initial.clone());
    let mut first_row = 0;
    while first_row < size {
        let end_row = (first_row + piece).min(size);
        let (params, reference) = params!(ridge_cholesky RidgeCholeskyParams {
            tasks: tasks,
            size: size,
            first_row: first_row,
            end_row: end_row,
        });
        let buffers = kernels::ridge_cholesky::Buffers { states: states.all(), matrix: matrix.all() };
        bench.run(params, buffers, tasks * 64)?;
        twin::ridge_cholesky(&reference, &mut verdicts, &mut expected);
        first_row = end_row;
    }
    let what = format!("{tasks} × {size} in pieces of {piece}");
    bench.check_integers(&format!("states of {what}"), &states, &vec![0; tasks as usize]).await?;
    bench.check(&format!("factor of {what}"), &matrix, &expected, factor_tolerance(size)).await
}

async fn cholesky(gpu: &Gpu) -> Result<(), String> {
    for (tasks, size) in SIZES {
        check_cholesky(gpu, tasks, size, size).await?;
    }
    Ok(())
}

async fn cholesky_in_pieces(gpu: &Gpu) -> Result<(), String> {
    check_cholesky(gpu, 2, 67, 13).await
}

/// One pivot that is negative, one that is zero, one that is no number: the task is marked, and the
/// others are not disturbed.
async fn cholesky_not_positive(gpu: &Gpu) -> Result<(), String> {
    let (tasks, size) = (4, 3);
    let mut a = matrices(tasks, size);
    a[9 + 4] = -1.0;
    a[18..27].fill(0.0);
    a[27] = f32::NAN;
    let mut bench = Bench::new(gpu)?;
    let states = bench.input(&[7_u32; 4]).await?;
    let matrix = bench.input(&a).await?;
    let params = kernels::ridge_cholesky::Params { tasks, size, first_row: 0, end_row: size };
    let buffers = kernels::ridge_cholesky::Buffers { states: states.all(), matrix: matrix.all() };
    bench.run(params, buffers, tasks * 64)?;
    bench.check_integers("states", &states, &[0, 1, 1, 1]).await
}

async fn solve(gpu: &Gpu) -> Result<(), String> {
    for (tasks, size) in SIZES {
        for ways in [1, 3, 5] {
            // Both layouts: [size, ways], and [ways, size] with something behind.
            for (stride, row_stride, way_stride) in [(size * ways, ways, 1), (size * ways + 3, 1, size)] {
                let (params, reference) = params!(ridge_solve RidgeSolveParams {
                    tasks: tasks,
                    size: size,
                    ways: ways,
                    stride: stride,
                    row_stride: row_stride,
                    way_stride: way_stride,
                });
                let mut u = matrices(tasks, size);
                let whole = twin::RidgeCholeskyParams { tasks, size, first_row: 0, end_row: size };
                twin::ridge_cholesky(&whole, &mut vec![0; tasks as usize], &mut u);
                let mut bench = Bench::new(gpu)?;
                let factor = bench.input(&u).await?;
                let solution = bench.updated(noise(5, (tasks * stride) as usize)).await?;
                let buffers = kernels::ridge_solve::Buffers { factor: factor.all(), solution: solution.all() };
                bench.run(params, buffers, tasks * ways.div_ceil(4) * 64)?;
                let mut expected = wide(&solution.initial);
                twin::ridge_solve(&reference, &wide(&u), &mut expected);
                let what = format!("{tasks} × {size} × {ways}, rows {row_stride} apart");
                bench.check_f64(&what, &solution, &expected, factor_tolerance(size)).await?;
            }
        }
    }
    Ok(())
}

async fn targets(gpu: &Gpu) -> Result<(), String> {
    for (rows, ways) in [(1, 1), (7, 5), (67, 3)] {
        for subtract in [0, 1] {
            let (params, reference) =
                params!(ridge_targets RidgeTargetsParams { rows: rows, ways: ways, subtract: subtract });
            let y = integers(1, rows as usize, ways);
            let p =
                if subtract == 0 { vec![f32::NAN; (rows * ways) as usize] } else { noise(2, (rows * ways) as usize) };
            let mut bench = Bench::new(gpu)?;
            let labels = bench.input(&y).await?;
            let predictions = bench.input(&p).await?;
            let targets = bench.output(rows * ways).await?;
            let buffers = kernels::ridge_targets::Buffers {
                labels: labels.all(),
                predictions: predictions.all(),
                targets: targets.all(),
            };
            bench.run(params, buffers, rows * ways)?;
            let mut expected = targets.initial.clone();
            twin::ridge_targets(&reference, &y, &p, &mut expected);
            let what = format!("{rows} × {ways}, subtract {subtract}");
            bench.check(&what, &targets, &expected, Tolerance::roundings(1)).await?;
        }
    }
    Ok(())
}

/// `(tasks, ways, dimension)`
const SHAPES: [(u32, u32, u32); 3] = [(1, 1, 1), (3, 5, 13), (67, 2, 67)];

fn states(tasks: u32) -> Vec<u32> {
    (0..tasks).map(|task| u32::from(task % 3 == 1)).collect()
}

async fn scale(gpu: &Gpu) -> Result<(), String> {
    for (tasks, ways, dimension) in SHAPES {
        for bias_offset in [1, u32::MAX] {
            let stride = ways * (dimension + 1) + 3;
            let (params, reference) = params!(ridge_scale RidgeScaleParams {
                tasks: tasks,
                ways: ways,
                dimension: dimension,
                stride: stride,
                scale_offset: 2,
                bias_offset: bias_offset,
            });
            let (verdicts, learned) = (states(tasks), [9.0, 0.3, 2.5]);
            let w = noise(1, (tasks * stride) as usize);
            let mut bench = Bench::new(gpu)?;
            let states = bench.input(&verdicts).await?;
            let parameters = bench.input(&learned).await?;
            let input = bench.input(&w).await?;
            let output = bench.output(tasks * stride).await?;
            let buffers = kernels::ridge_scale::Buffers {
                states: states.all(),
                parameters: parameters.all(),
                input: input.all(),
                output: output.all(),
            };
            bench.run(params, buffers, tasks * ways * (dimension + 1))?;
            let mut expected = output.initial.clone();
            twin::ridge_scale(&reference, &verdicts, &learned, &w, &mut expected);
            let what = format!("{tasks} × {ways} × {dimension}, bias at {bias_offset}");
            bench.check(&what, &output, &expected, Tolerance::roundings(1)).await?;
        }
    }
    Ok(())
}

async fn backward_task(gpu: &Gpu) -> Result<(), String> {
    for (tasks, ways, dimension) in SHAPES {
        let (stride, length) = (ways * (dimension + 1) + 3, 7 * ways);
        let (params, reference) = params!(ridge_backward_task RidgeBackwardTaskParams {
            tasks: tasks,
            length: length,
            first_stride: length + 2,
            ways: ways,
            dimension: dimension,
            stride: stride,
        });
        let verdicts = states(tasks);
        let [a, b] = [1, 2].map(|seed| noise(seed, (tasks * (length + 2)) as usize));
        let [w, d] = [3, 4].map(|seed| noise(seed, (tasks * stride) as usize));
        let mut bench = Bench::new(gpu)?;
        let states = bench.input(&verdicts).await?;
        let first = bench.input(&a).await?;
        let second = bench.input(&b).await?;
        let weights = bench.input(&w).await?;
        let d_weights = bench.input(&d).await?;
        let partials = bench.output(4 * tasks).await?;
        let buffers = kernels::ridge_backward_task::Buffers {
            states: states.all(),
            first: first.all(),
            second: second.all(),
            weights: weights.all(),
            d_weights: d_weights.all(),
            partials: partials.all(),
        };
        bench.run(params, buffers, tasks * 64)?;
        let mut expected = partials.initial.clone();
        twin::ridge_backward_task(&reference, &verdicts, &a, &b, &w, &d, &mut expected);
        let what = format!("{tasks} × {ways} × {dimension}");
        let tolerance = Tolerance::sum(length.max(ways * dimension), 1.0);
        bench.check(&what, &partials, &expected, tolerance).await?;
    }
    Ok(())
}

async fn backward_sum(gpu: &Gpu) -> Result<(), String> {
    for tasks in [1, 3, 131] {
        let (params, reference) = params!(ridge_backward_sum RidgeBackwardSumParams {
            tasks: tasks,
            lambda_offset: 1,
            scale_offset: 0,
            bias_offset: 3,
        });
        let sums = noise(1, 4 * tasks as usize);
        let mut bench = Bench::new(gpu)?;
        let partials = bench.input(&sums).await?;
        let gradient = bench.updated(noise(2, 5)).await?;
        let buffers = kernels::ridge_backward_sum::Buffers { partials: partials.all(), gradient: gradient.all() };
        bench.run(params, buffers, 64)?;
        let mut expected = gradient.initial.clone();
        twin::ridge_backward_sum(&reference, &sums, &mut expected);
        let tolerance = Tolerance::sum(tasks + 4, 1.0);
        bench.check(&format!("{tasks} tasks"), &gradient, &expected, tolerance).await?;
    }
    Ok(())
}
