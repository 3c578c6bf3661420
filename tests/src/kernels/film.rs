//! Kernels that modulate the scales and shifts of norms, and the way back.

use inkling_gpu::{Gpu, kernels};
use inkling_reference::{self as twin, FILM_HIDDEN};

use super::bench::{Bench, noise};
use super::tolerance::Tolerance;
use super::{case_list, params};
use crate::Case;

pub fn cases() -> Vec<Case> {
    case_list![
        "film_forward/shapes" => forward,
        "film_backward/shapes" => backward,
        "film_backward_hidden/shapes" => backward_hidden,
    ]
}

/// `[tasks, channels]`
const SHAPES: [[u32; 2]; 4] = [[1, 1], [3, 5], [2, 67], [1, 130]];

const HIDDEN: u32 = FILM_HIDDEN as u32;
/// The norm's values follow those of another.
const HIDDEN_OFFSET: u32 = 2 * HIDDEN;
const HIDDEN_STRIDE: u32 = 5 * HIDDEN;
const SCALE_OFFSET: u32 = 3;
const GAMMA_WEIGHT: u32 = 2;

/// Where a flat vector has what, for this many channels.
struct Places {
    shift: u32,
    film_stride: u32,
    gamma_bias: u32,
    gamma_size: u32,
    beta_weight: u32,
    beta_bias: u32,
    beta_size: u32,
    parameters: u32,
}

fn places(channels: u32) -> Places {
    let shift = SCALE_OFFSET + channels + 1;
    let gamma_bias = GAMMA_WEIGHT + channels * HIDDEN + 1;
    let gamma_size = gamma_bias + channels + 2;
    let beta_weight = gamma_size + channels;
    let beta_bias = beta_weight + channels * HIDDEN;
    let beta_size = beta_bias + channels + 1;
    let parameters = beta_size + channels + 3;
    Places {
        shift,
        film_stride: shift + channels + 2,
        gamma_bias,
        gamma_size,
        beta_weight,
        beta_bias,
        beta_size,
        parameters,
    }
}

async fn forward(gpu: &Gpu) -> Result<(), String> {
    for [tasks, channels] in SHAPES {
        let places = places(channels);
        let (params, reference) = params!(film_forward FilmForwardParams {
            tasks: tasks,
            channels: channels,
            hidden_stride: HIDDEN_STRIDE,
            hidden_offset: HIDDEN_OFFSET,
            film_stride: places.film_stride,
            scale_offset: SCALE_OFFSET,
            shift_offset: places.shift,
            gamma_weight: GAMMA_WEIGHT,
            gamma_bias: places.gamma_bias,
            gamma_size: places.gamma_size,
            beta_weight: places.beta_weight,
            beta_bias: places.beta_bias,
            beta_size: places.beta_size,
        });
        let parameters = noise(1, places.parameters as usize);
        let base = noise(2, places.film_stride as usize);
        let hidden = noise(3, (tasks * HIDDEN_STRIDE) as usize);
        let mut bench = Bench::new(gpu)?;
        let buffers = [bench.input(&parameters).await?, bench.input(&base).await?, bench.input(&hidden).await?];
        let [on_device, base_on_device, hidden_on_device] = &buffers;
        let film = bench.output(tasks * places.film_stride).await?;
        let bindings = kernels::film_forward::Buffers {
            parameters: on_device.all(),
            base: base_on_device.all(),
            hidden: hidden_on_device.all(),
            film: film.all(),
        };
        bench.run(params, bindings, tasks * channels)?;
        let mut expected = film.initial.clone();
        twin::film_forward(&reference, &parameters, &base, &hidden, &mut expected);
        // A sum of HIDDEN products, and five more roundings.
        bench.check("film", &film, &expected, Tolerance::sum(HIDDEN + 5, 1.0)).await?;
    }
    Ok(())
}

async fn backward(gpu: &Gpu) -> Result<(), String> {
    for [tasks, channels] in SHAPES {
        let places = places(channels);
        let (params, reference) = params!(film_backward FilmBackwardParams {
            tasks: tasks,
            channels: channels,
            hidden_stride: HIDDEN_STRIDE,
            hidden_offset: HIDDEN_OFFSET,
            film_stride: places.film_stride,
            scale_offset: SCALE_OFFSET,
            shift_offset: places.shift,
            gamma_weight: GAMMA_WEIGHT,
            gamma_bias: places.gamma_bias,
            gamma_size: places.gamma_size,
            beta_weight: places.beta_weight,
            beta_bias: places.beta_bias,
            beta_size: places.beta_size,
            decay: 0.25,
        });
        let parameters = noise(1, places.parameters as usize);
        let base = noise(2, places.film_stride as usize);
        let hidden = noise(3, (tasks * HIDDEN_STRIDE) as usize);
        let d_film_values = noise(4, (tasks * places.film_stride) as usize);
        let mut bench = Bench::new(gpu)?;
        let on_device = bench.input(&parameters).await?;
        let base_on_device = bench.input(&base).await?;
        let hidden_on_device = bench.input(&hidden).await?;
        let d_film = bench.input(&d_film_values).await?;
        let d_outputs = bench.output(tasks * 2 * channels).await?;
        let gradient = bench.updated(noise(5, places.parameters as usize)).await?;
        let bindings = kernels::film_backward::Buffers {
            parameters: on_device.all(),
            base: base_on_device.all(),
            hidden: hidden_on_device.all(),
            d_film: d_film.all(),
            d_outputs: d_outputs.all(),
            gradient: gradient.all(),
        };
        bench.run(params, bindings, 2 * channels)?;
        let (mut outputs, mut expected) = (d_outputs.initial.clone(), gradient.initial.clone());
        twin::film_backward(&reference, (&parameters, &base, &hidden), &d_film_values, &mut outputs, &mut expected);
        bench.check("d_outputs", &d_outputs, &outputs, Tolerance::cancelling(3, 2.0)).await?;
        // For each task the output, a sum of HIDDEN products of up to about ten, times up to two.
        bench.check("gradient", &gradient, &expected, Tolerance::sum(tasks * (HIDDEN + 6), 2.0)).await?;
    }
    Ok(())
}

async fn backward_hidden(gpu: &Gpu) -> Result<(), String> {
    for [tasks, channels] in SHAPES {
        let places = places(channels);
        let (params, reference) = params!(film_backward_hidden FilmBackwardHiddenParams {
            tasks: tasks,
            channels: channels,
            hidden_stride: HIDDEN_STRIDE,
            hidden_offset: HIDDEN_OFFSET,
            gamma_weight: GAMMA_WEIGHT,
            beta_weight: places.beta_weight,
        });
        let parameters = noise(1, places.parameters as usize);
        let d_outputs = noise(2, (tasks * 2 * channels) as usize);
        let mut bench = Bench::new(gpu)?;
        let (on_device, outputs) = (bench.input(&parameters).await?, bench.input(&d_outputs).await?);
        let d_hidden = bench.output(tasks * HIDDEN_STRIDE).await?;
        let bindings = kernels::film_backward_hidden::Buffers {
            parameters: on_device.all(),
            d_outputs: outputs.all(),
            d_hidden: d_hidden.all(),
        };
        bench.run(params, bindings, tasks * 2 * HIDDEN)?;
        let mut expected = d_hidden.initial.clone();
        twin::film_backward_hidden(&reference, &parameters, &d_outputs, &mut expected);
        bench.check("d_hidden", &d_hidden, &expected, Tolerance::sum(channels, 1.0)).await?;
    }
    Ok(())
}
