//! Twins of the optimisers: PyTorch's formulas on a slice of flat vectors.

use crate::{AdamStepParams, ClipScaleParams, Real, SgdStepParams, SquaredNormParams};

/// One step of Adam (`decoupled` = 0: weight decay joins the gradient) or AdamW (1).
pub fn adam_step<F: Real>(
    params: &AdamStepParams,
    gradient: &[F],
    clip: &[F],
    parameters: &mut [F],
    moment1: &mut [F],
    moment2: &mut [F],
) {
    let [rate, beta1, beta2, epsilon, decay, correction1, correction2] = [
        params.learning_rate,
        params.beta1,
        params.beta2,
        params.epsilon,
        params.weight_decay,
        params.correction1,
        params.correction2,
    ]
    .map(|value| F::of(value.into()));
    let first = params.offset as usize;
    for at in first..first + params.length as usize {
        let mut g = clip[0] * gradient[at];
        if params.decoupled != 0 {
            let parameter = parameters[at];
            parameters[at] -= rate * decay * parameter;
        } else {
            g += decay * parameters[at];
        }
        moment1[at] = beta1 * moment1[at] + (F::ONE - beta1) * g;
        moment2[at] = beta2 * moment2[at] + (F::ONE - beta2) * g * g;
        let denominator = moment2[at].sqrt() / correction2.sqrt() + epsilon;
        parameters[at] -= rate / correction1 * moment1[at] / denominator;
    }
}

/// One step of gradient descent with momentum.
pub fn sgd_step<F: Real>(params: &SgdStepParams, gradient: &[F], clip: &[F], parameters: &mut [F], velocity: &mut [F]) {
    let [rate, momentum, decay] =
        [params.learning_rate, params.momentum, params.weight_decay].map(|value| F::of(value.into()));
    let first = params.offset as usize;
    for at in first..first + params.length as usize {
        let g = clip[0] * gradient[at] + decay * parameters[at];
        velocity[at] = momentum * velocity[at] + g;
        let step = if params.nesterov != 0 { g + momentum * velocity[at] } else { velocity[at] };
        parameters[at] -= rate * step;
    }
}

/// The sum of squares of each block of `block` elements.
pub fn squared_norm<F: Real>(params: &SquaredNormParams, vector: &[F], partials: &mut [F]) {
    let blocks = vector[..params.length as usize].chunks(params.block as usize);
    for (partial, values) in partials.iter_mut().zip(blocks) {
        *partial = values.iter().fold(F::ZERO, |sum, &value| sum + value * value);
    }
}

/// The factor and the norm: clip = `[scale · min(1, max_norm / norm), norm]`, norm times `scale`.
pub fn clip_scale<F: Real>(params: &ClipScaleParams, partials: &[F], clip: &mut [F]) {
    let [max_norm, scale] = [params.max_norm, params.scale].map(|value| F::of(value.into()));
    let sum = partials[..params.partials as usize].iter().fold(F::ZERO, |sum, &partial| sum + partial);
    let norm = scale * sum.sqrt();
    clip[0] = if max_norm > F::ZERO && norm > max_norm { scale * (max_norm / norm) } else { scale };
    clip[1] = norm;
}
