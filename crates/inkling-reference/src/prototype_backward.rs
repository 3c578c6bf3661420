//! Twins of the prototype head, backward.

use crate::prototype::{SMALLEST_NORM, dot, norm};
use crate::{
    PrototypeBackwardFitParams, PrototypeBackwardQueryParams, PrototypeBackwardScaleParams,
    PrototypeCoefficientsParams, PrototypeFinishParams, Real,
};

/// Coefficients `[tasks, queries, ways, 3]` = (A, B, B'), so that `dL/de = Σ_w A μ_w + B e` and
/// `dL/dμ_w = Σ_q A e_q + B' μ_w`.
pub fn prototype_coefficients<F: Real>(
    params: &PrototypeCoefficientsParams,
    queries: &[F],
    prototypes: &[F],
    parameters: &[F],
    logits: &[F],
    d_logits: &[F],
    coefficients: &mut [F],
) {
    let [rows, ways, dimension] = [params.queries, params.ways, params.dimension].map(|value| value as usize);
    let two = F::of(2.0);
    for task in 0..params.tasks as usize {
        for query in task * rows..(task + 1) * rows {
            let e = &queries[query * dimension..(query + 1) * dimension];
            for way in 0..ways {
                let class = task * ways + way;
                let prototype = &prototypes[class * dimension..(class + 1) * dimension];
                let at = query * ways + way;
                let g = d_logits[at];
                let triple = if params.metric == 1 {
                    let scale = parameters[params.scale_offset as usize + task * params.parameter_stride as usize];
                    let smallest = F::of(SMALLEST_NORM);
                    let norms = norm(e).at_least(smallest) * norm(prototype).at_least(smallest);
                    let own = |vector: &[F]| {
                        // A norm that is held at its bound does not move.
                        if norm(vector) <= smallest { F::ZERO } else { -g * logits[at] / dot(vector, vector) }
                    };
                    [g * scale / norms, own(e), own(prototype)]
                } else {
                    [two * g, -two * g, -two * g]
                };
                coefficients[3 * at..3 * at + 3].copy_from_slice(&triple);
            }
        }
    }
}

/// Gradient with respect to the query embeddings `[tasks, queries, dimension]`.
pub fn prototype_backward_query<F: Real>(
    params: &PrototypeBackwardQueryParams,
    queries: &[F],
    prototypes: &[F],
    coefficients: &[F],
    d_queries: &mut [F],
) {
    let [rows, ways, dimension] = [params.queries, params.ways, params.dimension].map(|value| value as usize);
    for query in 0..params.tasks as usize * rows {
        for i in 0..dimension {
            let mut sum = F::ZERO;
            for way in 0..ways {
                let at = 3 * (query * ways + way);
                let prototype = prototypes[(query / rows * ways + way) * dimension + i];
                sum += coefficients[at] * prototype + coefficients[at + 1] * queries[query * dimension + i];
            }
            d_queries[query * dimension + i] = sum;
        }
    }
}

/// Gradient with respect to the prototypes `[tasks, ways, dimension]`, added to `d_prototypes`.
pub fn prototype_backward_fit<F: Real>(
    params: &PrototypeBackwardFitParams,
    queries: &[F],
    prototypes: &[F],
    coefficients: &[F],
    d_prototypes: &mut [F],
) {
    let [rows, ways, dimension] = [params.queries, params.ways, params.dimension].map(|value| value as usize);
    for class in 0..params.tasks as usize * ways {
        let (task, way) = (class / ways, class % ways);
        for i in 0..dimension {
            let mut sum = F::ZERO;
            for query in task * rows..(task + 1) * rows {
                let at = 3 * (query * ways + way);
                let prototype = prototypes[class * dimension + i];
                sum += coefficients[at] * queries[query * dimension + i] + coefficients[at + 2] * prototype;
            }
            d_prototypes[class * dimension + i] += sum;
        }
    }
}

/// Gradient of the cosine's scale, added to `gradient`.
pub fn prototype_backward_scale<F: Real>(
    params: &PrototypeBackwardScaleParams,
    parameters: &[F],
    logits: &[F],
    d_logits: &[F],
    gradient: &mut [F],
) {
    let terms = (params.queries * params.ways) as usize;
    for task in 0..params.tasks as usize {
        let scale = parameters[params.scale_offset as usize + task * params.parameter_stride as usize];
        let at = params.scale_offset as usize + task * params.gradient_stride as usize;
        let rows = task * terms..(task + 1) * terms;
        gradient[at] += dot(&d_logits[rows.clone()], &logits[rows]) / scale;
    }
}

/// The rows dL/dE `[tasks, support, dimension]` of the support embeddings.
pub fn prototype_finish<F: Real>(
    params: &PrototypeFinishParams,
    labels: &[u32],
    counts: &[F],
    d_prototypes: &[F],
    rows: &mut [F],
) {
    let [support, ways, dimension] = [params.support, params.ways, params.dimension].map(|value| value as usize);
    for n in 0..params.tasks as usize * support {
        let class = n / support * ways + labels[n] as usize;
        for i in 0..dimension {
            rows[n * dimension + i] = d_prototypes[class * dimension + i] / counts[class];
        }
    }
}
