//! Hessian-vector products of networks larger than Conv-4, and MAML through them: against float64,
//! central differences, the products of the same network with more of it trained, and the ways to
//! cut a pass.

use inkling_gpu::Gpu;
use inkling_meta::{
    Estimator, FullNetworkKind, FullNetworkSettings, InnerRates, Learner, LearnerConfig, Model, Purpose,
};
use inkling_nn::{Norm, Trained};
use inkling_session::tensor_file::TensorFile;

use super::backbones::{B0, LIMITS, LITE0, NoiseTask, RESNET12, RESNET18, Subject, WAYS, golden_weights};
use super::fixture::{draw, message, settings};
use super::gradient::Closeness;
use super::memory::since;
use super::tangents::Problem;
use crate::Case;
use crate::kernels::{case_list, noise};

pub fn cases() -> Vec<Case> {
    case_list![
        "hessian/maml_of_efficientnet_lite0" => maml_of_lite0,
        "hessian/maml_of_efficientnet_b0" => maml_of_b0,
        "hessian/maml_of_resnet12" => maml_of_resnet12,
        "hessian/maml_of_resnet18" => maml_of_resnet18,
        "hessian/of_efficientnet_b0_equals_central_differences" => equals_differences,
        "hessian/of_what_is_trained_is_a_part_of_the_whole" => parts_of_the_whole,
        "hessian/of_resnet12_with_batch_norm_is_symmetric" => is_symmetric,
        "hessian/of_backbones_in_chunks_and_tasks" => chunks_and_tasks,
    ]
}

const IMAGES: u32 = 3;
const TASKS: u32 = 2;

/// Sums of fifty layers in another order, along and back twice.
const CLOSENESS: Closeness = Closeness { relative: 2e-4, cancelling_share: f64::INFINITY, head_floor: 0.0 };

fn problem(gpu: &Gpu, subject: Subject, trained: Trained) -> Result<Problem, String> {
    Problem::of(gpu, subject.network(trained), IMAGES, subject.variance())
}

/// Answers of an implementation in float64 (`tests/golden/adapted.py`).
macro_rules! answers {
    ($name:literal) => {
        include_bytes!(concat!("../../golden/adapted/", $name, ".safetensors"))
    };
}

/// Steps on the support, and their rate.
const INNER_STEPS: u32 = 2;
/// The seed of the first direction, and how many each tensor has.
const DIRECTION_SEED: u64 = 10_000;
const DIRECTIONS: usize = 3;

async fn maml_of_lite0(gpu: &Gpu) -> Result<(), String> {
    check_maml(gpu, LITE0, 0.001, answers!("efficientnet-lite0")).await
}

async fn maml_of_b0(gpu: &Gpu) -> Result<(), String> {
    check_maml(gpu, B0, 0.1, answers!("efficientnet-b0")).await
}

async fn maml_of_resnet12(gpu: &Gpu) -> Result<(), String> {
    check_maml(gpu, RESNET12, 0.01, answers!("resnet-12")).await
}

async fn maml_of_resnet18(gpu: &Gpu) -> Result<(), String> {
    check_maml(gpu, RESNET18, 0.001, answers!("resnet-18")).await
}

/// Loss and exact gradient after inner steps, tensor by tensor: its norm, and its products with drawn
/// directions; and the bytes against the plan.
async fn check_maml(gpu: &Gpu, subject: Subject, inner_learning_rate: f32, answers: &[u8]) -> Result<(), String> {
    let kind = FullNetworkKind::Maml;
    let full = FullNetworkSettings {
        kind,
        ways: WAYS,
        inner_steps: INNER_STEPS,
        inner_learning_rate,
        rates: InnerRates::Fixed,
    };
    let network = subject.network(Trained::All);
    let gradient = settings(Estimator::Full, 0, 1);
    let config = LearnerConfig { network, kind: full.into(), film: None, gradient, source: None };
    let model = Model::new(config, gpu.tier()).map_err(message)?;
    let weights = golden_weights(&model)?;
    let planned = model.planned_bytes(LIMITS, Purpose::Gradient).map_err(message)?;
    let before = gpu.ledger().live();
    gpu.ledger().reset_peak();
    let mut learner = Learner::new(gpu, model, LIMITS, Purpose::Gradient).map_err(message)?;
    learner.set_weights(&weights).await.map_err(message)?;
    learner.clear_gradient();
    learner.accumulate(&NoiseTask::new(subject).task(), &mut draw(0)).await.map_err(message)?;
    let outcomes = learner.outcomes().await.map_err(message)?;
    let peak = since(gpu.ledger().peak(), before);
    if peak != planned {
        return Err(format!("{peak:?} bytes, planned {planned:?}"));
    }
    let found = learner.gradient().await.map_err(message)?;

    let answers = TensorFile::decode(answers)?;
    let answer = |name: &str| answers.tensors.get(name).and_then(|tensor| tensor.as_f32()).ok_or("no such answer");
    let (loss, expected) = (outcomes.first().map_or(f64::NAN, |outcome| outcome.loss), answer("loss")?);
    let wanted = expected.first().copied().map_or(f64::NAN, f64::from);
    let close = (loss - wanted).abs() <= 1e-4 * wanted.abs();
    if !close {
        return Err(format!("loss {loss}, expected {wanted}"));
    }
    let sums = answer("sums")?;
    let (mut worst, mut tensors) = ((0.0_f64, String::new()), 0);
    for ((row, (name, tensor)), sums) in (0..).zip(found.iter()).zip(sums.chunks_exact(1 + DIRECTIONS)) {
        let values = || tensor.values.iter().map(|&value| f64::from(value));
        let norm = values().map(|value| value * value).sum::<f64>().sqrt();
        let along = |k: usize| {
            let direction = noise(DIRECTION_SEED + (DIRECTIONS * row + k) as u64, tensor.values.len());
            values().zip(direction).map(|(value, direction)| value * f64::from(direction)).sum::<f64>()
        };
        let found = std::iter::once(norm).chain((0..DIRECTIONS).map(along));
        let scale = sums.first().copied().map_or(0.0, f64::from);
        for (found, &expected) in found.zip(sums) {
            let error = (found - f64::from(expected)).abs() / scale;
            // Written so that a NaN counts.
            let smaller = error <= worst.0;
            if !smaller {
                worst = (error, name.to_owned());
            }
        }
        tensors += 1;
    }
    // Measured on a CPU: 5e-6. Another order of sums, or a ReLU that float32 sees closed, is a little more.
    let close = worst.0 <= 1e-4 && (1 + DIRECTIONS) * tensors == sums.len();
    if close { Ok(()) } else { Err(format!("{} is off by {:.1e} of its norm, of {tensors} tensors", worst.1, worst.0)) }
}

/// B0 has no kinks: along a direction its gradient is smooth.
async fn equals_differences(gpu: &Gpu) -> Result<(), String> {
    let problem = problem(gpu, B0, Trained::All)?;
    let (tasks, direction) = (problem.tasks(0, 1), problem.directions(5, 0, 1));
    let product = problem.product(gpu, &tasks, &direction, &[IMAGES]).await?;
    // The gradient rounds at some 1e-6, the difference then at 1e-3 of it; the next term is as small.
    const STEP: f32 = 1e-3;
    let mut gradients = Vec::new();
    for step in [STEP, -STEP] {
        let mut moved = tasks.clone();
        moved.parameters.iter_mut().zip(&direction).for_each(|(value, along)| *value += step * along);
        gradients.push(problem.by_name(&problem.product(gpu, &moved, &direction, &[IMAGES]).await?.gradient)?);
    }
    let expected = gradients[0].minus(&gradients[1]).scaled(0.5 / f64::from(STEP));
    let found = problem.by_name(&product.hv)?;
    let error = found.minus(&expected).norm() / expected.norm();
    // Written so that a NaN fails.
    let close = error <= 0.01;
    if close { Ok(()) } else { Err(format!("off by {error:.1e} of its norm")) }
}

/// A direction that leaves the rest as it is has the product of the whole network.
async fn parts_of_the_whole(gpu: &Gpu) -> Result<(), String> {
    let parts = [
        (LITE0, Trained::Modulated),
        (LITE0, Trained::LastNorms { stages: 2 }),
        (B0, Trained::Last { stages: 1 }),
        (RESNET18, Trained::Norms),
    ];
    for (subject, trained) in parts {
        let (whole, part) = (problem(gpu, subject, Trained::All)?, problem(gpu, subject, trained)?);
        let (tasks, direction) = (part.tasks(0, 1), part.directions(5, 0, 1));
        let found = part.by_name(&part.product(gpu, &tasks, &direction, &[IMAGES]).await?.hv)?;
        let zeros = vec![0.0; part.frozen().len()];
        let mut all = whole.tasks(0, 1);
        all.parameters = part.widened(&whole, &tasks.parameters, part.frozen())?;
        let wide = part.widened(&whole, &direction, &zeros)?;
        let expected = whole.by_name(&whole.product(gpu, &all, &wide, &[IMAGES]).await?.hv)?;
        found.check(&format!("{trained:?}"), &expected.only_those_of(&found), CLOSENESS)?;
    }
    Ok(())
}

/// vᵀH(Hv) = ‖Hv‖², where batch statistics couple the images.
async fn is_symmetric(gpu: &Gpu) -> Result<(), String> {
    let problem = problem(gpu, Subject { norm: Norm::Batch, ..RESNET12 }, Trained::All)?;
    let (tasks, v) = (problem.tasks(0, 1), problem.directions(5, 0, 1));
    let hv = problem.product(gpu, &tasks, &v, &[IMAGES]).await?.hv;
    let hhv = problem.product(gpu, &tasks, &hv, &[IMAGES]).await?.hv;
    let [v, hv, hhv] = [&v, &hv, &hhv].map(|vector| problem.by_name(vector));
    let (hv, left) = (hv?, v?.dot(&hhv?));
    let error = (left / hv.dot(&hv) - 1.0).abs();
    // Written so that a NaN fails.
    let close = error <= 1e-3;
    if close { Ok(()) } else { Err(format!("vᵀH(Hv) = {left}, (Hv)ᵀHv = {}", hv.dot(&hv))) }
}

async fn chunks_and_tasks(gpu: &Gpu) -> Result<(), String> {
    let coupled = Subject { norm: Norm::Batch, ..RESNET12 };
    let cuts: [(Subject, Trained, [&[u32]; 2]); 3] = [
        (LITE0, Trained::All, [&[2, 1, 3], &[3, 1, 2]]),
        (B0, Trained::Norms, [&[2, 1, 3], &[3, 1, 2]]),
        (coupled, Trained::Last { stages: 1 }, [&[2, 1, 3], &[3, 1, 2]]),
    ];
    for (subject, trained, cuts) in cuts {
        let problem = problem(gpu, subject, trained)?;
        let (tasks, direction) = (problem.tasks(0, TASKS), problem.directions(5, 0, TASKS));
        let together = problem.product(gpu, &tasks, &direction, &[TASKS * IMAGES]).await?;
        let expected = problem.split(&together.hv)?;
        for chunks in cuts {
            let cut = problem.product(gpu, &tasks, &direction, chunks).await?;
            for (found, expected) in problem.split(&cut.hv)?.iter().zip(&expected) {
                found.check(&format!("{trained:?}, chunks of {chunks:?}"), expected, CLOSENESS)?;
            }
        }
        // Bit for bit: a task's sums do not know of the others.
        let stride = together.hv.len() / TASKS as usize;
        for (task, hv) in (0..TASKS).zip(together.hv.chunks_exact(stride)) {
            let direction = problem.directions(5, task, 1);
            let alone = problem.product(gpu, &problem.tasks(task, 1), &direction, &[IMAGES]).await?;
            if alone.hv != hv || problem.by_name(hv)?.norm() == 0.0 {
                return Err(format!("{trained:?}, task {task}: another product than alone"));
            }
        }
    }
    Ok(())
}
