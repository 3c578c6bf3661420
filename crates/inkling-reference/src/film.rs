//! Twins of the shaders that modulate the scales and shifts of norms.

use crate::{FilmBackwardHiddenParams, FilmBackwardParams, FilmForwardParams, Real};

/// Values in the hidden layer behind a norm's scale, and as many behind its shift.
pub const FILM_HIDDEN: usize = 64;

/// w' = γ w and b' = γ b + β for one norm and each task, with γ = 1 + r·o and β = r·o of two small
/// networks' last layers: hidden `[tasks, hidden_stride]`, film `[tasks, film_stride]`.
pub fn film_forward<F: Real>(params: &FilmForwardParams, parameters: &[F], base: &[F], hidden: &[F], film: &mut [F]) {
    for task in 0..params.tasks as usize {
        let at = task * params.hidden_stride as usize + params.hidden_offset as usize;
        for c in 0..params.channels as usize {
            let output = |weight: u32, bias: u32, at: usize| {
                let mut sum = parameters[bias as usize + c];
                for j in 0..FILM_HIDDEN {
                    sum += parameters[weight as usize + c * FILM_HIDDEN + j] * hidden[at + j];
                }
                sum
            };
            let gamma_output = output(params.gamma_weight, params.gamma_bias, at);
            let beta_output = output(params.beta_weight, params.beta_bias, at + FILM_HIDDEN);
            let gamma = F::ONE + parameters[params.gamma_size as usize + c] * gamma_output;
            let beta = parameters[params.beta_size as usize + c] * beta_output;
            let (scale, shift) = (params.scale_offset as usize + c, params.shift_offset as usize + c);
            let to = task * params.film_stride as usize;
            film[to + scale] = gamma * base[scale];
            film[to + shift] = gamma * base[shift] + beta;
        }
    }
}

/// Gradients of the small networks' last layers, of their outputs `[tasks, 2, channels]`, and of
/// the sizes r, to which `decay`·r is added.
pub fn film_backward<F: Real>(
    params: &FilmBackwardParams,
    (parameters, base, hidden): (&[F], &[F], &[F]),
    d_film: &[F],
    d_outputs: &mut [F],
    gradient: &mut [F],
) {
    let channels = params.channels as usize;
    let kinds = [
        [params.gamma_weight, params.gamma_bias, params.gamma_size],
        [params.beta_weight, params.beta_bias, params.beta_size],
    ];
    for (kind, places) in kinds.into_iter().enumerate() {
        let [weight, bias, size] = places.map(|place| place as usize);
        for c in 0..channels {
            let (scale, shift) = (params.scale_offset as usize + c, params.shift_offset as usize + c);
            let r = parameters[size + c];
            gradient[size + c] += F::of(f64::from(params.decay)) * r;
            for task in 0..params.tasks as usize {
                let from = task * params.film_stride as usize;
                let d_factor = match kind {
                    0 => base[scale] * d_film[from + scale] + base[shift] * d_film[from + shift],
                    _ => d_film[from + shift],
                };
                let d_output = r * d_factor;
                d_outputs[(2 * task + kind) * channels + c] = d_output;
                let at = task * params.hidden_stride as usize + params.hidden_offset as usize + kind * FILM_HIDDEN;
                let mut output = parameters[bias + c];
                for j in 0..FILM_HIDDEN {
                    output += parameters[weight + c * FILM_HIDDEN + j] * hidden[at + j];
                    gradient[weight + c * FILM_HIDDEN + j] += d_output * hidden[at + j];
                }
                gradient[size + c] += output * d_factor;
                gradient[bias + c] += d_output;
            }
        }
    }
}

/// The gradient of the hidden values: d_outputs `[tasks, 2, channels]`, d_hidden `[tasks,
/// hidden_stride]`.
pub fn film_backward_hidden<F: Real>(
    params: &FilmBackwardHiddenParams,
    parameters: &[F],
    d_outputs: &[F],
    d_hidden: &mut [F],
) {
    let channels = params.channels as usize;
    for task in 0..params.tasks as usize {
        for (kind, weight) in [params.gamma_weight, params.beta_weight].into_iter().enumerate() {
            for j in 0..FILM_HIDDEN {
                let mut sum = F::ZERO;
                for c in 0..channels {
                    let d_output = d_outputs[(2 * task + kind) * channels + c];
                    sum += d_output * parameters[weight as usize + c * FILM_HIDDEN + j];
                }
                let to = task * params.hidden_stride as usize + params.hidden_offset as usize;
                d_hidden[to + kind * FILM_HIDDEN + j] = sum;
            }
        }
    }
}
