//! Kernels of the linear heads: implicit, unrolled and Neumann.

use inkling_gpu::{Gpu, kernels};
use inkling_reference as twin;

use super::bench::{Bench, integers, noise};
use super::tolerance::Tolerance;
use super::{case_list, params};
use crate::Case;

pub fn cases() -> Vec<Case> {
    case_list![
        "linear_head_residual/shapes" => residual,
        "linear_head_residual/extremes" => residual_extremes,
        "linear_head_tangent/shapes" => tangent,
        "linear_head_combine/shapes" => combine,
        "linear_head_combine/ignores_what_it_does_not_keep" => combine_ignores,
        "linear_head_diagonal/shapes" => diagonal,
        "linear_head_rows/shapes" => rows,
        "linear_head_start/shapes" => start,
        "linear_head_start_gradient/shapes" => start_gradient,
        "linear_head_check/shapes" => check_weights,
    ]
}

/// One shape of a pass.
#[derive(Clone, Copy, Debug)]
struct Shape {
    tasks: u32,
    support: u32,
    ways: u32,
    dimension: u32,
    /// Which tasks are active, in no order.
    active: &'static [u32],
}

const SHAPES: [Shape; 6] = [
    Shape { tasks: 1, support: 1, ways: 1, dimension: 1, active: &[0] },
    Shape { tasks: 3, support: 5, ways: 2, dimension: 7, active: &[2, 0] },
    Shape { tasks: 2, support: 13, ways: 5, dimension: 67, active: &[1] },
    Shape { tasks: 5, support: 3, ways: 4, dimension: 64, active: &[4, 1, 3, 0] },
    Shape { tasks: 1, support: 7, ways: 71, dimension: 130, active: &[0] },
    Shape { tasks: 2, support: 2, ways: 3, dimension: 3, active: &[] },
];

impl Shape {
    /// Elements of w, and some more.
    fn stride(self) -> u32 {
        self.ways * (self.dimension + 1) + 5
    }

    fn images(self) -> u32 {
        self.tasks * self.support
    }

    fn embeddings(self) -> Vec<f32> {
        noise(1, (self.images() * self.dimension) as usize)
    }

    fn labels(self) -> Vec<u32> {
        integers(2, self.images() as usize, self.ways)
    }

    fn weights(self, seed: u64) -> Vec<f32> {
        noise(seed, (self.tasks * self.stride()) as usize)
    }

    /// Residuals of random probabilities.
    fn residuals(self) -> Vec<f32> {
        let ways = self.ways as usize;
        let raw: Vec<f32> = noise(4, self.images() as usize * ways).iter().map(|value| value + 1.1).collect();
        let mut residuals = Vec::new();
        for (row, label) in raw.chunks(ways).zip(self.labels()) {
            let total: f32 = row.iter().sum();
            let other = |(way, value): (usize, &f32)| {
                if way == label as usize { -(total - value) / total } else { value / total }
            };
            residuals.extend(row.iter().enumerate().map(other));
        }
        residuals
    }

    fn list(self) -> Vec<u32> {
        let mut list = vec![self.active.len() as u32];
        list.extend(self.active);
        list.resize(self.tasks as usize + 1, u32::MAX);
        list
    }

    /// Every third task has failed.
    fn states(self) -> Vec<u32> {
        (0..self.tasks).map(|task| u32::from(task % 3 == 1)).collect()
    }
}

/// Roundings of a probability whose logits are sums of `terms` products below one, and spread over
/// less than 16: the exponential's own are 3 + 2|x| units in the last place, in two factors.
fn probability(terms: u32, ways: u32) -> u32 {
    2 * (terms + 6) + 2 * (3 + 32) + 8 + ways / 4
}

async fn residual(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        let Shape { tasks, support, ways, dimension, .. } = shape;
        let (params, reference) = params!(linear_head_residual LinearHeadResidualParams {
            tasks: tasks,
            support: support,
            ways: ways,
            dimension: dimension,
            stride: shape.stride(),
        });
        let (x, y, w) = (shape.embeddings(), shape.labels(), shape.weights(3));
        let mut bench = Bench::new(gpu)?;
        let embeddings = bench.input(&x).await?;
        let labels = bench.input(&y).await?;
        let weights = bench.input(&w).await?;
        let products = bench.output(shape.images() * ways).await?;
        let buffers = kernels::linear_head_residual::Buffers {
            embeddings: embeddings.all(),
            labels: labels.all(),
            weights: weights.all(),
            products: products.all(),
        };
        bench.run(params, buffers, shape.images())?;
        let mut expected = products.initial.clone();
        twin::linear_head_residual(&reference, &x, &y, &w, &mut expected);
        let tolerance = Tolerance::roundings(probability(dimension + 1, ways));
        bench.check(&format!("{shape:?}"), &products, &expected, tolerance).await?;
    }
    Ok(())
}

/// Logits of ten thousand, of which the label's is the largest or the smallest.
async fn residual_extremes(gpu: &Gpu) -> Result<(), String> {
    let (params, reference) = params!(linear_head_residual LinearHeadResidualParams {
        tasks: 1,
        support: 4,
        ways: 3,
        dimension: 1,
        stride: 6,
    });
    let (x, y, w) = ([1e4, -1e4, 20.0, 0.0], [0, 0, 0, 2], [1.0, 0.0, -1.0, 0.0, 0.0, 0.0]);
    let mut bench = Bench::new(gpu)?;
    let embeddings = bench.input(&x).await?;
    let labels = bench.input(&y).await?;
    let weights = bench.input(&w).await?;
    let products = bench.output(12).await?;
    let buffers = kernels::linear_head_residual::Buffers {
        embeddings: embeddings.all(),
        labels: labels.all(),
        weights: weights.all(),
        products: products.all(),
    };
    bench.run(params, buffers, 4 * 64)?;
    let mut expected = products.initial.clone();
    twin::linear_head_residual(&reference, &x, &y, &w, &mut expected);
    // Exponentials of up to −40, and those below f32's normal range may be zero.
    let tolerance = Tolerance::roundings(2 * 83 + 8).plus(1e-37);
    bench.check("extremes", &products, &expected, tolerance).await
}

async fn tangent(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        let Shape { support, ways, dimension, .. } = shape;
        let (params, reference) = params!(linear_head_tangent LinearHeadTangentParams {
            support: support,
            ways: ways,
            dimension: dimension,
            stride: shape.stride(),
        });
        let (x, y, r, v) = (shape.embeddings(), shape.labels(), shape.residuals(), shape.weights(3));
        let list = shape.list();
        let mut bench = Bench::new(gpu)?;
        let active_tasks = bench.input(&list).await?;
        let embeddings = bench.input(&x).await?;
        let labels = bench.input(&y).await?;
        let residuals = bench.input(&r).await?;
        let weights = bench.input(&v).await?;
        let products = bench.output(shape.images() * ways).await?;
        let buffers = kernels::linear_head_tangent::Buffers {
            active_tasks: active_tasks.all(),
            embeddings: embeddings.all(),
            labels: labels.all(),
            residuals: residuals.all(),
            weights: weights.all(),
            products: products.all(),
        };
        bench.run(params, buffers, shape.images() * 64)?;
        let mut expected = products.initial.clone();
        twin::linear_head_tangent(&reference, &list, &x, &y, &r, &v, &mut expected);
        // Products of some √d; their means over ways cancel; the probabilities do not quite sum to
        // one, which the two formulas feel differently.
        let size = 4.0 * f64::from(dimension + 1).sqrt();
        let tolerance = Tolerance::cancelling(dimension + 3 * ways + 12, size);
        bench.check(&format!("{shape:?}"), &products, &expected, tolerance).await?;
    }
    Ok(())
}

fn combine_workgroups(shape: Shape) -> u32 {
    ((shape.dimension + 1) * shape.ways.div_ceil(4)).div_ceil(64)
}

async fn combine(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        for (bias, keep, scale, pull) in [(1, 0.9, -0.3, 0.2), (0, 0.5, 1.0, 0.0), (1, 0.0, 0.25, 0.0)] {
            let (params, reference) = params!(linear_head_combine LinearHeadCombineParams {
                support: shape.support,
                ways: shape.ways,
                dimension: shape.dimension,
                stride: shape.stride(),
                workgroups: combine_workgroups(shape),
                bias: bias,
                keep: keep,
                scale: scale,
                pull: pull,
            });
            let (x, c, w, o) = (shape.embeddings(), shape.residuals(), shape.weights(3), shape.weights(5));
            let list = shape.list();
            let mut bench = Bench::new(gpu)?;
            let active_tasks = bench.input(&list).await?;
            let embeddings = bench.input(&x).await?;
            let coefficients = bench.input(&c).await?;
            let input = bench.input(&w).await?;
            let other = bench.input(&o).await?;
            let output = bench.output(shape.tasks * shape.stride()).await?;
            let buffers = kernels::linear_head_combine::Buffers {
                active_tasks: active_tasks.all(),
                embeddings: embeddings.all(),
                coefficients: coefficients.all(),
                input: input.all(),
                other: other.all(),
                output: output.all(),
            };
            bench.run(params, buffers, shape.tasks * combine_workgroups(shape) * 64)?;
            let mut expected = output.initial.clone();
            twin::linear_head_combine(&reference, &list, &x, &c, &w, &o, &mut expected);
            let tolerance = Tolerance::sum(shape.support + 4, 1.0);
            bench.check(&format!("{shape:?}, bias {bias}"), &output, &expected, tolerance).await?;
        }
    }
    Ok(())
}

/// A vector that is not kept may hold anything: the first launch finds memory that nobody wrote.
async fn combine_ignores(gpu: &Gpu) -> Result<(), String> {
    let (params, reference) = params!(linear_head_combine LinearHeadCombineParams {
        support: 1,
        ways: 1,
        dimension: 1,
        stride: 2,
        workgroups: 1,
        bias: 1,
        keep: 0.0,
        scale: 1.0,
        pull: 0.0,
    });
    let nan = [f32::NAN; 2];
    let mut bench = Bench::new(gpu)?;
    let active_tasks = bench.input(&[1_u32, 0]).await?;
    let embeddings = bench.input(&[3.0_f32]).await?;
    let coefficients = bench.input(&[0.5_f32]).await?;
    let input = bench.input(&nan).await?;
    let output = bench.output(2).await?;
    let buffers = kernels::linear_head_combine::Buffers {
        active_tasks: active_tasks.all(),
        embeddings: embeddings.all(),
        coefficients: coefficients.all(),
        input: input.all(),
        other: input.all(),
        output: output.all(),
    };
    bench.run(params, buffers, 64)?;
    let mut expected = output.initial.clone();
    twin::linear_head_combine(&reference, &[1, 0], &[3.0], &[0.5], &nan, &nan, &mut expected);
    bench.check("a vector of NaN", &output, &expected, Tolerance::EXACT).await
}

async fn diagonal(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        let (params, reference) = params!(linear_head_diagonal LinearHeadDiagonalParams {
            tasks: shape.tasks,
            support: shape.support,
            ways: shape.ways,
            dimension: shape.dimension,
            stride: shape.stride(),
            ridge: 0.125,
        });
        let (x, y, r) = (shape.embeddings(), shape.labels(), shape.residuals());
        let mut bench = Bench::new(gpu)?;
        let embeddings = bench.input(&x).await?;
        let labels = bench.input(&y).await?;
        let residuals = bench.input(&r).await?;
        let diagonal = bench.output(shape.tasks * shape.stride()).await?;
        let buffers = kernels::linear_head_diagonal::Buffers {
            embeddings: embeddings.all(),
            labels: labels.all(),
            residuals: residuals.all(),
            diagonal: diagonal.all(),
        };
        bench.run(params, buffers, shape.tasks * shape.ways * (shape.dimension + 1))?;
        let mut expected = diagonal.initial.clone();
        twin::linear_head_diagonal(&reference, &x, &y, &r, &mut expected);
        // All terms are positive.
        bench.check(&format!("{shape:?}"), &diagonal, &expected, Tolerance::chain(shape.support, 0.0)).await?;
    }
    Ok(())
}

async fn rows(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        for (keep, scale, factor) in [(0.0, -0.2, 1.0), (1.0, 0.75, -0.5)] {
            let (params, reference) = params!(linear_head_rows LinearHeadRowsParams {
                tasks: shape.tasks,
                support: shape.support,
                ways: shape.ways,
                dimension: shape.dimension,
                stride: shape.stride(),
                keep: keep,
                scale: scale,
                factor: factor,
            });
            let count = shape.images() * shape.dimension;
            let (states, r) = (shape.states(), shape.residuals());
            let t = noise(6, (shape.images() * shape.ways) as usize);
            let (v, w) = (shape.weights(3), shape.weights(5));
            let mut bench = Bench::new(gpu)?;
            let state_buffer = bench.input(&states).await?;
            let residuals = bench.input(&r).await?;
            let tangents = bench.input(&t).await?;
            let direction = bench.input(&v).await?;
            let weights = bench.input(&w).await?;
            let rows = if keep == 0.0 {
                bench.updated(vec![f32::MAX; count as usize]).await?
            } else {
                bench.updated(noise(7, count as usize)).await?
            };
            let buffers = kernels::linear_head_rows::Buffers {
                states: state_buffer.all(),
                residuals: residuals.all(),
                tangents: tangents.all(),
                direction: direction.all(),
                weights: weights.all(),
                rows: rows.all(),
            };
            bench.run(params, buffers, count)?;
            let mut expected = rows.initial.clone();
            twin::linear_head_rows(&reference, &states, &r, &t, &v, &w, &mut expected);
            let tolerance = Tolerance::sum(2 * shape.ways + 4, 1.0);
            bench.check(&format!("{shape:?}, keep {keep}"), &rows, &expected, tolerance).await?;
        }
    }
    Ok(())
}

/// Offsets of the learned start for a shape: weight, bias, and all elements.
fn offsets(shape: Shape) -> [u32; 3] {
    let bias = 3 + shape.ways * shape.dimension + 2;
    [3, bias, bias + shape.ways + 4]
}

async fn start(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        let [weight_offset, bias_offset, elements] = offsets(shape);
        let (params, reference) = params!(linear_head_start LinearHeadStartParams {
            tasks: shape.tasks,
            ways: shape.ways,
            dimension: shape.dimension,
            stride: shape.stride(),
            weight_offset: weight_offset,
            bias_offset: bias_offset,
        });
        let learned = noise(1, elements as usize);
        let mut bench = Bench::new(gpu)?;
        let parameters = bench.input(&learned).await?;
        let weights = bench.output(shape.tasks * shape.stride()).await?;
        let buffers = kernels::linear_head_start::Buffers { parameters: parameters.all(), weights: weights.all() };
        bench.run(params, buffers, shape.tasks * shape.stride())?;
        let mut expected = weights.initial.clone();
        twin::linear_head_start(&reference, &learned, &mut expected);
        bench.check(&format!("{shape:?}"), &weights, &expected, Tolerance::EXACT).await?;
    }
    Ok(())
}

async fn start_gradient(gpu: &Gpu) -> Result<(), String> {
    for shape in SHAPES {
        let [weight_offset, bias_offset, elements] = offsets(shape);
        let (params, reference) = params!(linear_head_start_gradient LinearHeadStartGradientParams {
            tasks: shape.tasks,
            ways: shape.ways,
            dimension: shape.dimension,
            stride: shape.stride(),
            weight_offset: weight_offset,
            bias_offset: bias_offset,
            first_factor: 0.5,
            second_factor: -1.0,
        });
        let (states, a, b) = (shape.states(), shape.weights(1), shape.weights(2));
        let mut bench = Bench::new(gpu)?;
        let state_buffer = bench.input(&states).await?;
        let first = bench.input(&a).await?;
        let second = bench.input(&b).await?;
        let gradient = bench.updated(noise(3, elements as usize)).await?;
        let buffers = kernels::linear_head_start_gradient::Buffers {
            states: state_buffer.all(),
            first: first.all(),
            second: second.all(),
            gradient: gradient.all(),
        };
        bench.run(params, buffers, shape.ways * (shape.dimension + 1))?;
        let mut expected = gradient.initial.clone();
        twin::linear_head_start_gradient(&reference, &states, &a, &b, &mut expected);
        let tolerance = Tolerance::sum(2 * shape.tasks, 1.0);
        bench.check(&format!("{shape:?}"), &gradient, &expected, tolerance).await?;
    }
    Ok(())
}

async fn check_weights(gpu: &Gpu) -> Result<(), String> {
    let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1.1e18, -1.1e18, 0.9e18, f32::from_bits(0xffc0_0001)];
    for (length, stride, keep) in [(1, 1, 0), (67, 70, 1), (1_000, 1_024, 0)] {
        let tasks = 2 * odd.len() as u32;
        let (params, reference) = params!(linear_head_check LinearHeadCheckParams {
            tasks: tasks,
            length: length,
            stride: stride,
            keep: keep,
        });
        let mut values = noise(1, (tasks * stride) as usize);
        for (task, value) in odd.into_iter().enumerate() {
            // In the last element of every other task.
            values[2 * task * stride as usize + length as usize - 1] = value;
        }
        let mut bench = Bench::new(gpu)?;
        let states = bench.input(&vec![keep; tasks as usize]).await?;
        let weights = bench.updated(values).await?;
        let buffers = kernels::linear_head_check::Buffers { states: states.all(), weights: weights.all() };
        bench.run(params, buffers, tasks * 64)?;
        let (mut verdicts, mut expected) = (vec![keep; tasks as usize], weights.initial.clone());
        twin::linear_head_check(&reference, &mut verdicts, &mut expected);
        let what = format!("{length} of {stride}");
        bench.check_integers(&format!("states, {what}"), &states, &verdicts).await?;
        bench.check(&format!("weights, {what}"), &weights, &expected, Tolerance::EXACT).await?;
        if verdicts.iter().sum::<u32>() != if keep == 1 { tasks } else { 6 } {
            return Err(format!("{what}: {verdicts:?}"));
        }
    }
    Ok(())
}
