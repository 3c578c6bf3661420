//! The Mahalanobis head against central differences, and its logits against elimination.

mod common;

use common::{check, noise};
use inkling_reference::{HeadInput, MahalanobisHead};

const TASKS: u32 = 2;
const WAYS: u32 = 3;
/// One, two and four members, in another order in the second task.
const LABELS: [u32; 14] = [2, 0, 1, 2, 1, 2, 2, 1, 1, 0, 1, 2, 2, 1];
const SUPPORT: u32 = 7;
const QUERY_LABELS: [u32; 6] = [1, 0, 2, 2, 0, 1];

struct Data {
    dimension: u32,
    embeddings: Vec<f64>,
    queries: Vec<f64>,
}

impl Data {
    fn new(dimension: u32) -> Self {
        let count = |images: usize| images * dimension as usize;
        Self { dimension, embeddings: noise(1, count(LABELS.len())), queries: noise(2, count(QUERY_LABELS.len())) }
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
}

#[test]
fn gradients_are_those_of_central_differences() {
    // The system on the support, and on the features; classes one by one, in parts, at once.
    for (dimension, class_block) in [(4, 3), (7, 1), (8, 2), (11, 3)] {
        let data = Data::new(dimension);
        let head = MahalanobisHead { class_block };
        let run = |embeddings: &[f64], queries: &[f64]| head.run(&data.input(embeddings, queries));
        let found = run(&data.embeddings, &data.queries);
        let what = format!("dimension {dimension}");
        check(&format!("support, {what}"), &data.embeddings, &found.rows, |embeddings| {
            run(embeddings, &data.queries).loss
        });
        check(&format!("queries, {what}"), &data.queries, &found.d_queries, |queries| {
            run(&data.embeddings, queries).loss
        });
    }
}

/// The unbiased covariance of some rows, `[d, d]`; zeros for a single row.
fn covariance(rows: &[&[f64]], d: usize) -> Vec<f64> {
    let count = rows.len() as f64;
    let mean: Vec<f64> = (0..d).map(|i| rows.iter().map(|row| row[i]).sum::<f64>() / count).collect();
    let mut covariance = vec![0.0; d * d];
    for row in rows {
        for i in 0..d {
            for j in 0..d {
                covariance[i * d + j] += (row[i] - mean[i]) * (row[j] - mean[j]) / (count - 1.0).max(1.0);
            }
        }
    }
    covariance
}

/// zᵀ A⁻¹ z by Gauss and Jordan.
fn quadratic(mut a: Vec<f64>, z: &[f64]) -> f64 {
    let d = z.len();
    let mut x = z.to_vec();
    for pivot in 0..d {
        for other in (0..d).filter(|&other| other != pivot) {
            let factor = a[other * d + pivot] / a[pivot * d + pivot];
            for column in pivot..d {
                a[other * d + column] -= factor * a[pivot * d + column];
            }
            x[other] -= factor * x[pivot];
        }
    }
    (0..d).map(|i| z[i] * x[i] / a[i * d + i]).sum()
}

/// The loss from the method's text: covariances written out, one class after the other.
fn loss_of(data: &Data) -> f64 {
    let (d, support) = (data.dimension as usize, SUPPORT as usize);
    let queries = QUERY_LABELS.len() / TASKS as usize;
    let mut loss = 0.0;
    for task in 0..TASKS as usize {
        let rows: Vec<&[f64]> = data.embeddings[task * support * d..(task + 1) * support * d].chunks(d).collect();
        let labels = &LABELS[task * support..(task + 1) * support];
        let of_task = covariance(&rows, d);
        let labelled = QUERY_LABELS.iter().enumerate().skip(task * queries).take(queries);
        for (query, &label) in labelled {
            let logit = |way: u32| {
                let members: Vec<&[f64]> =
                    rows.iter().zip(labels).filter(|(_, label)| **label == way).map(|(row, _)| *row).collect();
                let count = members.len() as f64;
                let lambda = count / (count + 1.0);
                let own = covariance(&members, d);
                let q = (0..d * d).map(|at| {
                    let one = if at / d == at % d { 1.0 } else { 0.0 };
                    one + lambda * own[at] + (1.0 - lambda) * of_task[at]
                });
                let mean = |i: usize| members.iter().map(|row| row[i]).sum::<f64>() / count;
                let z: Vec<f64> = (0..d).map(|i| data.queries[query * d + i] - mean(i)).collect();
                -quadratic(q.collect(), &z)
            };
            let total: f64 = (0..WAYS).map(|way| logit(way).exp()).sum();
            loss += (total.ln() - logit(label)) / queries as f64;
        }
    }
    loss
}

#[test]
fn the_loss_is_that_of_the_methods_text() {
    // Below the support, equal to it, above it, and in several tiles.
    for dimension in [3, 7, 10, 67] {
        let data = Data::new(dimension);
        let expected = loss_of(&data);
        let found = MahalanobisHead { class_block: 2 }.run(&data.input(&data.embeddings, &data.queries)).loss;
        assert!((found - expected).abs() < 1e-11 * expected, "dimension {dimension}: {found}, {expected}");
    }
}
