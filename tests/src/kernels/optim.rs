//! Optimisers and clipping.

use inkling_gpu::{Gpu, kernels};
use inkling_reference as twin;

use super::bench::{Bench, noise, wide};
use super::tolerance::Tolerance;
use super::{case_list, params};
use crate::Case;

pub fn cases() -> Vec<Case> {
    case_list![
        "adam_step/adam_and_adamw" => adam,
        "sgd_step/plain_and_nesterov" => sgd,
        "squared_norm/shapes" => squared_norm,
        "clip_scale/limits" => clip_shapes,
        "clip_scale/many_partials" => clip_long,
        "clip_scale/not_finite" => clip_not_finite,
    ]
}

/// Slices of a vector: (offset, length, elements behind).
const SLICES: [(u32, u32, u32); 4] = [(0, 1, 0), (3, 61, 5), (64, 67, 1), (7, 1_000, 24)];

async fn adam(gpu: &Gpu) -> Result<(), String> {
    for (offset, length, behind) in SLICES {
        for decoupled in [0, 1] {
            let (params, reference) = params!(adam_step AdamStepParams {
                offset: offset,
                length: length,
                learning_rate: 0.01,
                beta1: 0.9,
                beta2: 0.99,
                epsilon: 1e-8,
                weight_decay: 0.1,
                decoupled: decoupled,
                correction1: 0.271,
                correction2: 0.0297,
            });
            let count = (offset + length + behind) as usize;
            let (g, clip_values) = (noise(1, count), [0.5, 9.0]);
            let mut bench = Bench::new(gpu)?;
            let gradient = bench.input(&g).await?;
            let clip = bench.input(&clip_values).await?;
            let parameters = bench.updated(noise(2, count)).await?;
            let moment1 = bench.updated(noise(3, count)).await?;
            let moment2 = bench.updated(noise(4, count).iter().map(|v| v.abs() + 0.1).collect()).await?;
            let buffers = kernels::adam_step::Buffers {
                gradient: gradient.all(),
                clip: clip.all(),
                parameters: parameters.all(),
                moment1: moment1.all(),
                moment2: moment2.all(),
            };
            bench.run(params, buffers, length)?;
            let [mut p, mut m, mut v] = [&parameters, &moment1, &moment2].map(|output| output.initial.clone());
            twin::adam_step(&reference, &g, &clip_values, &mut p, &mut m, &mut v);
            let what = format!("{length} from {offset}, decoupled {decoupled}");
            // Some four operations on numbers up to one; the step is at most 0.01/0.271 · 1 · √0.0297/√0.09.
            bench.check(&format!("moment1 of {what}"), &moment1, &m, Tolerance::cancelling(4, 1.0)).await?;
            bench.check(&format!("moment2 of {what}"), &moment2, &v, Tolerance::roundings(6)).await?;
            bench.check(&format!("parameters of {what}"), &parameters, &p, Tolerance::cancelling(4, 1.0)).await?;
        }
    }
    Ok(())
}

async fn sgd(gpu: &Gpu) -> Result<(), String> {
    for (offset, length, behind) in SLICES {
        for nesterov in [0, 1] {
            let (params, reference) = params!(sgd_step SgdStepParams {
                offset: offset,
                length: length,
                learning_rate: 0.1,
                momentum: 0.9,
                nesterov: nesterov,
                weight_decay: 0.01,
            });
            let count = (offset + length + behind) as usize;
            let (g, clip_values) = (noise(1, count), [0.5, 9.0]);
            let mut bench = Bench::new(gpu)?;
            let gradient = bench.input(&g).await?;
            let clip = bench.input(&clip_values).await?;
            let parameters = bench.updated(noise(2, count)).await?;
            let velocity = bench.updated(noise(3, count)).await?;
            let buffers = kernels::sgd_step::Buffers {
                gradient: gradient.all(),
                clip: clip.all(),
                parameters: parameters.all(),
                velocity: velocity.all(),
            };
            bench.run(params, buffers, length)?;
            let [mut p, mut v] = [&parameters, &velocity].map(|output| output.initial.clone());
            twin::sgd_step(&reference, &g, &clip_values, &mut p, &mut v);
            let what = format!("{length} from {offset}, nesterov {nesterov}");
            // Some six operations on numbers up to two.
            bench.check(&format!("velocity of {what}"), &velocity, &v, Tolerance::cancelling(6, 2.0)).await?;
            bench.check(&format!("parameters of {what}"), &parameters, &p, Tolerance::cancelling(6, 2.0)).await?;
        }
    }
    Ok(())
}

async fn squared_norm(gpu: &Gpu) -> Result<(), String> {
    for (length, block) in [(1, 512), (513, 512), (67, 1), (1_000, 7), (40_000, 512), (90_001, 90_000)] {
        let (params, reference) = params!(squared_norm SquaredNormParams { length: length, block: block });
        let values = noise(1, length as usize);
        let mut bench = Bench::new(gpu)?;
        let vector = bench.input(&values).await?;
        let output = bench.output(length.div_ceil(block)).await?;
        let buffers = kernels::squared_norm::Buffers { vector: vector.all(), partials: output.all() };
        bench.run(params, buffers, length.div_ceil(block))?;
        let mut expected = wide(&output.initial);
        // The guard is no block.
        twin::squared_norm(&reference, &wide(&values), &mut expected);
        let tolerance = Tolerance::chain(block, 0.0);
        bench.check_f64(&format!("{length} in blocks of {block}"), &output, &expected, tolerance).await?;
    }
    Ok(())
}

async fn clip(gpu: &Gpu, values: &[f32], max_norm: f32, scale: f32) -> Result<(), String> {
    let count = values.len() as u32;
    let (params, reference) = params!(clip_scale ClipScaleParams {
        partials: count,
        max_norm: max_norm,
        scale: scale,
    });
    let mut bench = Bench::new(gpu)?;
    let partials = bench.input(values).await?;
    let output = bench.output(2).await?;
    let buffers = kernels::clip_scale::Buffers { partials: partials.all(), clip: output.all() };
    bench.run(params, buffers, 64)?;
    let mut expected = wide(&output.initial);
    twin::clip_scale(&reference, &wide(values), &mut expected);
    // The norm is half as far off as its square.
    let tolerance = Tolerance::chain(count.div_ceil(64) + 64, 0.0);
    bench.check_f64(&format!("{count} partials, at most {max_norm}"), &output, &expected, tolerance).await
}

async fn clip_shapes(gpu: &Gpu) -> Result<(), String> {
    for count in [1, 3, 64, 67, 1_000] {
        let values: Vec<f32> = noise(1, count).iter().map(|value| value.abs()).collect();
        for max_norm in [0.0, 0.25, 1e6] {
            for scale in [1.0, 0.0625] {
                clip(gpu, &values, max_norm, scale).await?;
            }
        }
    }
    Ok(())
}

async fn clip_long(gpu: &Gpu) -> Result<(), String> {
    let values: Vec<f32> = noise(1, 70_001).iter().map(|value| value.abs()).collect();
    clip(gpu, &values, 1.0, 0.5).await
}

/// An infinite norm reaches the host as it is.
async fn clip_not_finite(gpu: &Gpu) -> Result<(), String> {
    clip(gpu, &[1.0, f32::INFINITY, 2.0], 1.0, 0.5).await
}
