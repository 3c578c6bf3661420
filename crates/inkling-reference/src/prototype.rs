//! Twins of the prototype head, forward.

use crate::{PrototypeFitParams, PrototypeLogitsParams, Real};

/// Norms below this count as this.
pub(crate) const SMALLEST_NORM: f64 = 1e-8;

/// The mean embedding of each class: embeddings `[tasks, support, dimension]`, prototypes
/// `[tasks, ways, dimension]`, counts `[tasks, ways]`.
pub fn prototype_fit<F: Real>(
    params: &PrototypeFitParams,
    embeddings: &[F],
    labels: &[u32],
    prototypes: &mut [F],
    counts: &mut [F],
) {
    let [support, ways, dimension] = [params.support, params.ways, params.dimension].map(|value| value as usize);
    for task in 0..params.tasks as usize {
        for way in 0..ways {
            let class = task * ways + way;
            let members: Vec<usize> =
                (task * support..(task + 1) * support).filter(|&n| labels[n] as usize == way).collect();
            for i in 0..dimension {
                let sum = members.iter().fold(F::ZERO, |sum, &n| sum + embeddings[n * dimension + i]);
                prototypes[class * dimension + i] = sum / F::count(members.len().max(1));
            }
            counts[class] = F::count(members.len());
        }
    }
}

/// Logits `[tasks, queries, ways]`: minus the squared distance, or the scaled cosine.
pub fn prototype_logits<F: Real>(
    params: &PrototypeLogitsParams,
    queries: &[F],
    prototypes: &[F],
    parameters: &[F],
    logits: &mut [F],
) {
    let [rows, ways, dimension] = [params.queries, params.ways, params.dimension].map(|value| value as usize);
    for task in 0..params.tasks as usize {
        for query in task * rows..(task + 1) * rows {
            let e = &queries[query * dimension..(query + 1) * dimension];
            for way in 0..ways {
                let class = task * ways + way;
                let prototype = &prototypes[class * dimension..(class + 1) * dimension];
                logits[query * ways + way] = if params.metric == 1 {
                    let scale = parameters[params.scale_offset as usize + task * params.parameter_stride as usize];
                    let smallest = F::of(SMALLEST_NORM);
                    let norms = norm(e).at_least(smallest) * norm(prototype).at_least(smallest);
                    scale * dot(e, prototype) / norms
                } else {
                    -e.iter().zip(prototype).fold(F::ZERO, |sum, (&e, &m)| sum + (e - m) * (e - m))
                };
            }
        }
    }
}

pub(crate) fn dot<F: Real>(a: &[F], b: &[F]) -> F {
    a.iter().zip(b).fold(F::ZERO, |sum, (&a, &b)| sum + a * b)
}

pub(crate) fn norm<F: Real>(a: &[F]) -> F {
    dot(a, a).sqrt()
}
