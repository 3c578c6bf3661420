//! The linear head's parts against central differences and their own symmetries, the whole heads
//! against central differences of the whole, and the heads against each other.
//!
//! Rates, ridges and counts are powers of two, so that nothing is rounded when it becomes f32.

mod common;

use common::{check, dot, noise};
use inkling_reference::*;

const TASKS: u32 = 2;
const WAYS: u32 = 3;
const LABELS: [u32; 8] = [0, 1, 2, 1, 2, 0, 0, 1];
const QUERY_LABELS: [u32; 8] = [1, 0, 2, 2, 0, 1, 1, 0];
const SUPPORT: u32 = 4;

struct Data {
    dimension: u32,
    embeddings: Vec<f64>,
    queries: Vec<f64>,
}

impl Data {
    fn new(dimension: u32) -> Self {
        let count = (TASKS * SUPPORT * dimension) as usize;
        Self { dimension, embeddings: noise(1, count), queries: noise(2, count) }
    }

    fn input<'i>(&'i self, embeddings: &'i [f64], queries: &'i [f64]) -> HeadInput<'i, f64> {
        HeadInput {
            tasks: TASKS,
            ways: WAYS,
            dimension: self.dimension,
            embeddings,
            support_labels: &LABELS,
            queries,
            query_labels: &QUERY_LABELS,
        }
    }

    fn stride(&self) -> usize {
        (WAYS * (self.dimension + 1)) as usize
    }

    fn residuals(&self, embeddings: &[f64], w: &[f64]) -> Vec<f64> {
        let params = LinearHeadResidualParams {
            tasks: TASKS,
            support: SUPPORT,
            ways: WAYS,
            dimension: self.dimension,
            stride: self.stride() as u32,
        };
        let mut residuals = vec![f64::NAN; (TASKS * SUPPORT * WAYS) as usize];
        linear_head_residual(&params, embeddings, &LABELS, w, &mut residuals);
        residuals
    }

    fn tangents(&self, residuals: &[f64], v: &[f64]) -> Vec<f64> {
        let params = LinearHeadTangentParams {
            support: SUPPORT,
            ways: WAYS,
            dimension: self.dimension,
            stride: self.stride() as u32,
        };
        let mut tangents = vec![f64::NAN; residuals.len()];
        linear_head_tangent(&params, &[2, 1, 0], &self.embeddings, &LABELS, residuals, v, &mut tangents);
        tangents
    }

    /// keep · input + Xᵀ C / N
    fn combine(&self, embeddings: &[f64], coefficients: &[f64], keep: f32, input: &[f64]) -> Vec<f64> {
        let params = LinearHeadCombineParams {
            support: SUPPORT,
            ways: WAYS,
            dimension: self.dimension,
            stride: self.stride() as u32,
            workgroups: 0,
            bias: 1,
            keep,
            scale: 1.0 / SUPPORT as f32,
            pull: 0.0,
        };
        let mut output = vec![f64::NAN; TASKS as usize * self.stride()];
        linear_head_combine(&params, &[2, 0, 1], embeddings, coefficients, input, input, &mut output);
        output
    }

    /// ∇_w of the ridged support loss.
    fn gradient(&self, embeddings: &[f64], w: &[f64]) -> Vec<f64> {
        self.combine(embeddings, &self.residuals(embeddings, w), RIDGE, w)
    }

    /// H v.
    fn product(&self, w: &[f64], v: &[f64]) -> Vec<f64> {
        let residuals = self.residuals(&self.embeddings, w);
        self.combine(&self.embeddings, &self.tangents(&residuals, v), RIDGE, v)
    }

    /// Σ_t of the ridged support loss.
    fn lower_loss(&self, w: &[f64]) -> f64 {
        let d = self.dimension as usize;
        let ways = WAYS as usize;
        let mut loss = 0.5 * f64::from(RIDGE) * dot(w, w);
        for (image, &label) in LABELS.iter().enumerate() {
            let w = &w[image / SUPPORT as usize * self.stride()..];
            let x = &self.embeddings[image * d..(image + 1) * d];
            let logits: Vec<f64> = (0..ways).map(|k| dot(&w[k * d..(k + 1) * d], x) + w[ways * d + k]).collect();
            let total: f64 = logits.iter().map(|logit| logit.exp()).sum();
            loss += (total.ln() - logits[label as usize]) / f64::from(SUPPORT);
        }
        loss
    }
}

const RIDGE: f32 = 0.25;

#[test]
fn the_lower_gradient_and_its_products() {
    let data = Data::new(5);
    let count = TASKS as usize * data.stride();
    let [w, u, v] = [3, 4, 5].map(|seed| noise(seed, count));
    check("w", &w, &data.gradient(&data.embeddings, &w), |w| data.lower_loss(w));
    // Hv is the derivative of the gradient along v.
    check("Hv", &w, &data.product(&w, &v), |w| dot(&data.gradient(&data.embeddings, w), &v));
    let (left, right) = (dot(&u, &data.product(&w, &v)), dot(&v, &data.product(&w, &u)));
    assert!((left - right).abs() < 1e-13 * left.abs().max(1.0), "uᵀHv = {left}, vᵀHu = {right}");
    assert!(dot(&v, &data.product(&w, &v)) > f64::from(RIDGE) * dot(&v, &v));

    let residuals = data.residuals(&data.embeddings, &w);
    let params = LinearHeadDiagonalParams {
        tasks: TASKS,
        support: SUPPORT,
        ways: WAYS,
        dimension: 5,
        stride: data.stride() as u32,
        ridge: RIDGE,
    };
    let mut diagonal = vec![f64::NAN; count];
    linear_head_diagonal(&params, &data.embeddings, &LABELS, &residuals, &mut diagonal);
    for (at, &found) in diagonal.iter().enumerate() {
        let mut unit = vec![0.0; count];
        unit[at] = 1.0;
        assert!((data.product(&w, &unit)[at] - found).abs() < 1e-13, "diagonal {at}");
    }
}

#[test]
fn the_rows_of_a_product() {
    let data = Data::new(5);
    let count = TASKS as usize * data.stride();
    let [w, v] = [3, 5].map(|seed| noise(seed, count));
    let residuals = data.residuals(&data.embeddings, &w);
    let tangents = data.tangents(&residuals, &v);
    let params = LinearHeadRowsParams {
        tasks: TASKS,
        support: SUPPORT,
        ways: WAYS,
        dimension: 5,
        stride: data.stride() as u32,
        keep: 0.0,
        scale: 1.0 / SUPPORT as f32,
        factor: 1.0,
    };
    let mut rows = vec![f64::NAN; data.embeddings.len()];
    linear_head_rows(&params, &[0, 0], &residuals, &tangents, &v, &w, &mut rows);
    check("rows", &data.embeddings, &rows, |embeddings| dot(&data.gradient(embeddings, &w), &v));
    linear_head_rows(&params, &[0, 1], &residuals, &tangents, &v, &w, &mut rows);
    assert!(rows[20..].iter().all(|&row| row == 0.0) && rows[..20].iter().any(|&row| row != 0.0));
}

fn linear(inner_steps: u32, gradient: LowerGradient) -> LinearHead {
    LinearHead { inner_steps, rate: 0.5, ridge: RIDGE, proximal: false, gradient }
}

#[test]
fn unrolled_is_exact() {
    let data = Data::new(5);
    let start = noise(7, data.stride());
    for proximal in [false, true] {
        let head = LinearHead { proximal, ..linear(3, LowerGradient::Unrolled) };
        let found = head.run(&data.input(&data.embeddings, &data.queries), &start);
        check("support", &data.embeddings, &found.rows, |embeddings| {
            head.run(&data.input(embeddings, &data.queries), &start).loss
        });
        check("queries", &data.queries, &found.d_queries, |queries| {
            head.run(&data.input(&data.embeddings, queries), &start).loss
        });
        check("start", &start, &found.parameters, |start| {
            head.run(&data.input(&data.embeddings, &data.queries), start).loss
        });
    }
}

/// At a solved lower level the loss is a function of the embeddings alone. A step shrinks the error
/// of w by at least 1 − 0.5 · 0.25 (the ridge), so 240 leave 1e-14.
#[test]
fn implicit_is_exact_where_the_inner_loop_has_converged() {
    let data = Data::new(5);
    let start = vec![0.0; data.stride()];
    let largest = 4.0;
    let heads = [
        linear(240, LowerGradient::Implicit(data.stride() as u32 + 4)),
        // η = 1/4 and eigenvalues between 1/4 and 4: a term shrinks the error by 15/16.
        linear(240, LowerGradient::Neumann(500, 1.0 / largest)),
    ];
    for head in heads {
        let found = head.run(&data.input(&data.embeddings, &data.queries), &start);
        check("support", &data.embeddings, &found.rows, |embeddings| {
            head.run(&data.input(embeddings, &data.queries), &start).loss
        });
        check("queries", &data.queries, &found.d_queries, |queries| {
            head.run(&data.input(&data.embeddings, queries), &start).loss
        });
    }
    // A proximal term pulls to the start, which then has a gradient.
    let start = noise(7, data.stride());
    let head = LinearHead { proximal: true, ..heads[0] };
    let found = head.run(&data.input(&data.embeddings, &data.queries), &start);
    check("start", &start, &found.parameters, |start| {
        head.run(&data.input(&data.embeddings, &data.queries), start).loss
    });
    // Unrolling long enough gives the same.
    let unrolled = linear(240, LowerGradient::Unrolled);
    let start = vec![0.0; data.stride()];
    let [long, solved] =
        [unrolled, heads[0]].map(|head| head.run(&data.input(&data.embeddings, &data.queries), &start).rows);
    let error = long.iter().zip(&solved).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(error < 1e-12, "unrolled and implicit differ by {error}");
}

/// A truncated implicit gradient is another number: otherwise the test above would prove nothing.
#[test]
fn few_steps_are_visibly_few() {
    let data = Data::new(5);
    let start = vec![0.0; data.stride()];
    let rows = |head: LinearHead| head.run(&data.input(&data.embeddings, &data.queries), &start).rows;
    let exact = rows(linear(240, LowerGradient::Implicit(20)));
    for head in [linear(240, LowerGradient::Implicit(2)), linear(2, LowerGradient::Implicit(20))] {
        let found = rows(head);
        let error = exact.iter().zip(&found).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
        assert!(error > 1e-3 * dot(&exact, &exact).sqrt(), "{head:?}: {error}");
    }
}

#[test]
fn ridge() {
    // Support smaller than the dimension, equal, larger.
    for dimension in [3, 4, 7] {
        let data = Data::new(dimension);
        let parameters = [0.5, 2.0, 0.25];
        let run = |embeddings: &[f64], queries: &[f64], parameters: &[f64; 3]| {
            RidgeHead.run(&data.input(embeddings, queries), parameters)
        };
        let found = run(&data.embeddings, &data.queries, &parameters);
        let what = format!("dimension {dimension}");
        check(&format!("support, {what}"), &data.embeddings, &found.rows, |embeddings| {
            run(embeddings, &data.queries, &parameters).loss
        });
        check(&format!("queries, {what}"), &data.queries, &found.d_queries, |queries| {
            run(&data.embeddings, queries, &parameters).loss
        });
        check(&format!("parameters, {what}"), &parameters, &found.parameters, |parameters| {
            run(&data.embeddings, &data.queries, &[parameters[0], parameters[1], parameters[2]]).loss
        });
    }
}

/// Logits by elimination instead of Cholesky, and always by the system of the features.
#[test]
fn ridge_is_the_closed_form() {
    for dimension in [3, 7] {
        let data = Data::new(dimension);
        let (d, support) = (dimension as usize, SUPPORT as usize);
        let mut loss = 0.0;
        for task in 0..TASKS as usize {
            let x = |n: usize, i: usize| data.embeddings[(task * support + n) * d + i];
            // [EᵀE + λI | EᵀY]
            let mut system: Vec<Vec<f64>> = (0..d)
                .map(|i| {
                    let products = (0..d).map(|j| (0..support).map(|n| x(n, i) * x(n, j)).sum::<f64>());
                    let mut row: Vec<f64> = products.collect();
                    row[i] += 0.5;
                    let of = |way: u32| (0..support).filter(move |n| LABELS[task * support + n] == way);
                    row.extend((0..WAYS).map(|way| of(way).map(|n| x(n, i)).sum::<f64>()));
                    row
                })
                .collect();
            for pivot in 0..d {
                let row = system[pivot].clone();
                for other in (0..d).filter(|&other| other != pivot) {
                    let factor = system[other][pivot] / row[pivot];
                    system[other].iter_mut().zip(&row).for_each(|(value, row)| *value -= factor * row);
                }
            }
            for query in 0..support {
                let e = &data.queries[(task * support + query) * d..][..d];
                let logit =
                    |way: usize| (0..d).map(|i| 2.0 * e[i] * system[i][d + way] / system[i][i]).sum::<f64>() + 0.25;
                let total: f64 = (0..WAYS as usize).map(|way| logit(way).exp()).sum();
                let label = QUERY_LABELS[task * support + query] as usize;
                loss += (total.ln() - logit(label)) / support as f64;
            }
        }
        let found = RidgeHead.run(&data.input(&data.embeddings, &data.queries), &[0.5, 2.0, 0.25]).loss;
        assert!((found - loss).abs() < 1e-12 * loss, "dimension {dimension}: {found}, {loss}");
    }
}

#[test]
fn conjugate_gradient_solves_and_says_how() {
    // Diagonal systems: a good one, an indefinite one, one that is no number, b = 0.
    let diagonal = [1.0, 2.0, 4.0, 8.0, 1.0, -2.0, 4.0, 8.0, f64::NAN, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0];
    let mut b = noise(1, 16);
    b[12..].fill(0.0);
    let solve =
        Solve { tasks: 4, length: 4, max_iterations: 9, tolerance: 1e-6, damping: 0.0, diagonal: None, start: None };
    let apply = |active: &[u32], p: &[f64], hp: &mut [f64]| {
        for task in active[1..=active[0] as usize].iter().map(|&task| task as usize) {
            (4 * task..4 * task + 4).for_each(|at| hp[at] = diagonal[at] * p[at]);
        }
    };
    let found = solve.run(&b, apply);
    assert_eq!(found.states, [1, 3, 4, 1]);
    assert_eq!((found.iterations[0], found.iterations[2], found.iterations[3]), (4, 0, 0));
    (0..4).for_each(|at| assert!((found.solution[at] - b[at] / diagonal[at]).abs() < 1e-9));
    assert_eq!(found.solution[8..], [0.0; 8]);
    // The best iterate of the indefinite system is no worse than zero.
    let residual: f64 = (4..8).map(|at| (b[at] - diagonal[at] * found.solution[at]).powi(2)).sum();
    assert!(residual <= dot(&b[4..8], &b[4..8]));

    // Damping, a preconditioner that is exact, and a start that is the solution.
    let positive: Vec<f64> = diagonal[..4].to_vec();
    let damped: Vec<f64> = (0..4).map(|at| b[at] / (positive[at] + 0.5)).collect();
    let one = Solve { tasks: 1, damping: 0.5, diagonal: Some(&positive), ..solve };
    let preconditioned = one.run(&b[..4], apply);
    assert_eq!((preconditioned.states[0], preconditioned.iterations[0]), (1, 1));
    let warm = Solve { start: Some(&damped), ..one }.run(&b[..4], apply);
    assert_eq!((warm.states[0], warm.iterations[0]), (1, 0));
    for found in [preconditioned, warm] {
        (0..4).for_each(|at| assert!((found.solution[at] - damped[at]).abs() < 1e-12));
    }
}
