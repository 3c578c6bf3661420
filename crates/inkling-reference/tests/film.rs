//! The backward twins of FiLM against central differences.

mod common;

use common::{check, dot, noise};
use inkling_reference::*;

const TASKS: u32 = 2;
const CHANNELS: u32 = 3;
const HIDDEN: u32 = FILM_HIDDEN as u32;
const HIDDEN_STRIDE: u32 = 4 * HIDDEN;
const HIDDEN_OFFSET: u32 = HIDDEN;
const FILM_STRIDE: u32 = 9;
const WEIGHTS: u32 = CHANNELS * HIDDEN;
/// Weight, bias and size of γ, then those of β.
const OFFSETS: [u32; 6] = [1, 1 + WEIGHTS, 5 + WEIGHTS, 8 + WEIGHTS, 8 + 2 * WEIGHTS, 11 + 2 * WEIGHTS];
const PARAMETERS: u32 = 15 + 2 * WEIGHTS;
const DECAY: f32 = 0.5;

fn forward_params() -> FilmForwardParams {
    let [gamma_weight, gamma_bias, gamma_size, beta_weight, beta_bias, beta_size] = OFFSETS;
    FilmForwardParams {
        tasks: TASKS,
        channels: CHANNELS,
        hidden_stride: HIDDEN_STRIDE,
        hidden_offset: HIDDEN_OFFSET,
        film_stride: FILM_STRIDE,
        scale_offset: 1,
        shift_offset: 5,
        gamma_weight,
        gamma_bias,
        gamma_size,
        beta_weight,
        beta_bias,
        beta_size,
    }
}

fn backward_params() -> FilmBackwardParams {
    let [gamma_weight, gamma_bias, gamma_size, beta_weight, beta_bias, beta_size] = OFFSETS;
    FilmBackwardParams {
        tasks: TASKS,
        channels: CHANNELS,
        hidden_stride: HIDDEN_STRIDE,
        hidden_offset: HIDDEN_OFFSET,
        film_stride: FILM_STRIDE,
        scale_offset: 1,
        shift_offset: 5,
        gamma_weight,
        gamma_bias,
        gamma_size,
        beta_weight,
        beta_bias,
        beta_size,
        decay: DECAY,
    }
}

#[test]
fn film_backward_against_differences() {
    let parameters = noise(1, PARAMETERS as usize);
    let base = noise(2, FILM_STRIDE as usize);
    let hidden = noise(3, (TASKS * HIDDEN_STRIDE) as usize);
    let d_film = noise(4, (TASKS * FILM_STRIDE) as usize);
    let sizes = [OFFSETS[2], OFFSETS[5]];
    let loss = |parameters: &[f64], hidden: &[f64]| {
        let mut film = vec![0.0; d_film.len()];
        film_forward(&forward_params(), parameters, &base, hidden, &mut film);
        let of_sizes = sizes.iter().flat_map(|&first| &parameters[first as usize..(first + CHANNELS) as usize]);
        dot(&film, &d_film) + 0.5 * f64::from(DECAY) * of_sizes.map(|r| r * r).sum::<f64>()
    };
    let mut d_outputs = vec![0.0; (TASKS * 2 * CHANNELS) as usize];
    let mut gradient = vec![0.0; PARAMETERS as usize];
    film_backward(&backward_params(), (&parameters, &base, &hidden), &d_film, &mut d_outputs, &mut gradient);
    check("parameters", &parameters, &gradient, |parameters| loss(parameters, &hidden));

    let back = FilmBackwardHiddenParams {
        tasks: TASKS,
        channels: CHANNELS,
        hidden_stride: HIDDEN_STRIDE,
        hidden_offset: HIDDEN_OFFSET,
        gamma_weight: OFFSETS[0],
        beta_weight: OFFSETS[3],
    };
    let mut d_hidden = vec![0.0; hidden.len()];
    film_backward_hidden(&back, &parameters, &d_outputs, &mut d_hidden);
    check("hidden", &hidden, &d_hidden, |hidden| loss(&parameters, hidden));
}
