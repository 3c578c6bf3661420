//! Twins of the linear head: weights `[tasks, stride]`, of a task weight `[ways, dimension]`, then
//! bias `[ways]`; X = [E 1].

use crate::{
    LinearHeadCheckParams, LinearHeadCombineParams, LinearHeadDiagonalParams, LinearHeadResidualParams,
    LinearHeadRowsParams, LinearHeadStartGradientParams, LinearHeadStartParams, LinearHeadTangentParams, Real,
};

/// Tasks in a list of active ones: `[their number, the tasks …]`.
fn listed(active: &[u32]) -> impl Iterator<Item = usize> + '_ {
    active[1..=active[0] as usize].iter().map(|&task| task as usize)
}

/// W x + b of one image.
fn products<F: Real>(ways: usize, embedding: &[F], weights: &[F]) -> Vec<F> {
    let dimension = embedding.len();
    let product = |way: usize| {
        let row = &weights[way * dimension..(way + 1) * dimension];
        let sum = row.iter().zip(embedding).fold(F::ZERO, |sum, (&w, &x)| sum + w * x);
        sum + weights[ways * dimension + way]
    };
    (0..ways).map(product).collect()
}

/// softmax(W x + b) − onehot(y) of each support image: `[tasks, support, ways]`.
pub fn linear_head_residual<F: Real>(
    params: &LinearHeadResidualParams,
    embeddings: &[F],
    labels: &[u32],
    weights: &[F],
    residuals: &mut [F],
) {
    let [support, ways, d, stride] =
        [params.support, params.ways, params.dimension, params.stride].map(|value| value as usize);
    for image in 0..params.tasks as usize * support {
        let embedding = &embeddings[image * d..(image + 1) * d];
        let logits = products(ways, embedding, &weights[image / support * stride..]);
        let label = labels[image] as usize;
        let largest = logits.iter().fold(logits[0], |largest, &logit| largest.at_least(logit));
        let exponential = |way: usize| (logits[way] - largest).exp();
        let others = (0..ways).filter(|&way| way != label).fold(F::ZERO, |sum, way| sum + exponential(way));
        let total = others + exponential(label);
        for way in 0..ways {
            residuals[image * ways + way] = if way == label { -others } else { exponential(way) } / total;
        }
    }
}

/// (diag(p) − ppᵀ)(V x + v) of each support image of the active tasks: `[tasks, support, ways]`.
pub fn linear_head_tangent<F: Real>(
    params: &LinearHeadTangentParams,
    active_tasks: &[u32],
    embeddings: &[F],
    labels: &[u32],
    residuals: &[F],
    direction: &[F],
    tangents: &mut [F],
) {
    let [support, ways, d, stride] =
        [params.support, params.ways, params.dimension, params.stride].map(|value| value as usize);
    for task in listed(active_tasks) {
        for image in task * support..(task + 1) * support {
            let changes = products(ways, &embeddings[image * d..(image + 1) * d], &direction[task * stride..]);
            let label = labels[image] as usize;
            let p = |way: usize| residuals[image * ways + way] + if way == label { F::ONE } else { F::ZERO };
            // p_w Σ_k p_k (u_w − u_k): no cancellation where one probability is close to one.
            for way in 0..ways {
                let spread = (0..ways).fold(F::ZERO, |sum, k| sum + p(k) * (changes[way] - changes[k]));
                tangents[image * ways + way] = p(way) * spread;
            }
        }
    }
}

/// keep · input + scale · Xᵀ C + pull · other for the active tasks.
pub fn linear_head_combine<F: Real>(
    params: &LinearHeadCombineParams,
    active_tasks: &[u32],
    embeddings: &[F],
    coefficients: &[F],
    input: &[F],
    other: &[F],
    output: &mut [F],
) {
    let [support, ways, d, stride] =
        [params.support, params.ways, params.dimension, params.stride].map(|value| value as usize);
    let [keep, scale, pull] = [params.keep, params.scale, params.pull].map(|value| F::of(value.into()));
    for task in listed(active_tasks) {
        for way in 0..ways {
            for feature in 0..=d {
                let is_bias = feature == d;
                let at = task * stride + if is_bias { ways * d + way } else { way * d + feature };
                if is_bias && params.bias == 0 {
                    output[at] = F::ZERO;
                    continue;
                }
                let mut sum = F::ZERO;
                for image in task * support..(task + 1) * support {
                    let x = if is_bias { F::ONE } else { embeddings[image * d + feature] };
                    sum += x * coefficients[image * ways + way];
                }
                let of = |factor: F, vector: &[F]| if factor == F::ZERO { F::ZERO } else { factor * vector[at] };
                output[at] = scale * sum + of(keep, input) + of(pull, other);
            }
        }
    }
}

/// (1/N) Σ_n p (1 − p) x² + ridge for every weight and bias.
pub fn linear_head_diagonal<F: Real>(
    params: &LinearHeadDiagonalParams,
    embeddings: &[F],
    labels: &[u32],
    residuals: &[F],
    diagonal: &mut [F],
) {
    let [support, ways, d, stride] =
        [params.support, params.ways, params.dimension, params.stride].map(|value| value as usize);
    for task in 0..params.tasks as usize {
        for way in 0..ways {
            for feature in 0..=d {
                let mut sum = F::ZERO;
                for image in task * support..(task + 1) * support {
                    let x = if feature == d { F::ONE } else { embeddings[image * d + feature] };
                    let residual = residuals[image * ways + way];
                    let is_label = labels[image] as usize == way;
                    let spread =
                        if is_label { (F::ONE + residual) * -residual } else { residual * (F::ONE - residual) };
                    sum += spread * x * x;
                }
                let at = task * stride + if feature == d { ways * d + way } else { way * d + feature };
                diagonal[at] = sum / F::count(support) + F::of(params.ridge.into());
            }
        }
    }
}

/// Rows dL/dE `[tasks, support, dimension]`; zero where a task's state is not.
pub fn linear_head_rows<F: Real>(
    params: &LinearHeadRowsParams,
    states: &[u32],
    residuals: &[F],
    tangents: &[F],
    direction: &[F],
    weights: &[F],
    rows: &mut [F],
) {
    let [support, ways, d, stride] =
        [params.support, params.ways, params.dimension, params.stride].map(|value| value as usize);
    let [keep, scale, factor] = [params.keep, params.scale, params.factor].map(|value| F::of(value.into()));
    for image in 0..params.tasks as usize * support {
        let task = image / support;
        for feature in 0..d {
            let row = &mut rows[image * d + feature];
            if states[task] != 0 {
                *row = F::ZERO;
                continue;
            }
            let mut sum = F::ZERO;
            for way in 0..ways {
                let at = task * stride + way * d + feature;
                sum += residuals[image * ways + way] * direction[at];
                sum += factor * tangents[image * ways + way] * weights[at];
            }
            let kept = if keep == F::ZERO { F::ZERO } else { keep * *row };
            *row = kept + scale * sum;
        }
    }
}

/// The learned start for every task, zeros behind it.
pub fn linear_head_start<F: Real>(params: &LinearHeadStartParams, parameters: &[F], weights: &mut [F]) {
    let [ways, d, stride] = [params.ways, params.dimension, params.stride].map(|value| value as usize);
    for (at, weight) in weights[..params.tasks as usize * stride].iter_mut().enumerate() {
        let element = at % stride;
        *weight = match element {
            _ if element < ways * d => parameters[params.weight_offset as usize + element],
            _ if element < ways * (d + 1) => parameters[params.bias_offset as usize + element - ways * d],
            _ => F::ZERO,
        };
    }
}

/// Adds Σ (first_factor · first + second_factor · second) over the tasks whose state is zero.
pub fn linear_head_start_gradient<F: Real>(
    params: &LinearHeadStartGradientParams,
    states: &[u32],
    first: &[F],
    second: &[F],
    gradient: &mut [F],
) {
    let [ways, d, stride] = [params.ways, params.dimension, params.stride].map(|value| value as usize);
    let [first_factor, second_factor] = [params.first_factor, params.second_factor].map(|value| F::of(value.into()));
    for element in 0..ways * (d + 1) {
        let mut sum = F::ZERO;
        for task in (0..params.tasks as usize).filter(|&task| states[task] == 0) {
            let at = task * stride + element;
            sum += first_factor * first[at] + second_factor * second[at];
        }
        let weights = ways * d;
        let at = if element < weights {
            params.weight_offset as usize + element
        } else {
            params.bias_offset as usize + element - weights
        };
        gradient[at] += sum;
    }
}

/// state = 1 and w = 0 for tasks with an element that is not finite or beyond 1e18, else state = 0, or as
/// it was with `keep`.
pub fn linear_head_check<F: Real>(params: &LinearHeadCheckParams, states: &mut [u32], weights: &mut [F]) {
    let usable = |weight: &F| weight.as_f64().abs() <= 1e18_f32.into();
    for (task, state) in states[..params.tasks as usize].iter_mut().enumerate() {
        let first = task * params.stride as usize;
        let weights = &mut weights[first..first + params.length as usize];
        let diverged = !weights.iter().all(usable);
        if diverged || params.keep == 0 {
            *state = u32::from(diverged);
        }
        if diverged {
            weights.fill(F::ZERO);
        }
    }
}
