//! Networks larger than Conv-4 in whole learners: their gradients are those of the loss, whatever the
//! estimator; and what they take is what the plan said.

use inkling_gpu::Gpu;
use inkling_meta::{
    Estimator, GradientSettings, HeadSettings, Images, Learner, LearnerConfig, Metric, Model, Purpose, Task, TaskLimits,
};
use inkling_nn::{Backbone, NetworkConfig, Norm, Trained, Weights};

use super::fixture::{draw, message, settings};
use super::gradient::{Closeness, Gradient};
use super::memory::since;
use crate::Case;
use crate::kernels::{case_list, noise};

/// The smallest that EfficientNet-Lite0 takes.
const SIZE: u32 = 32;
const WAYS: u32 = 2;
const SUPPORT: u32 = 4;
const QUERIES: u32 = 3;
const LIMITS: TaskLimits = TaskLimits { tasks: 1, ways: WAYS, support: SUPPORT, queries: QUERIES };

/// Sums of fifty layers in another order.
const CLOSENESS: Closeness = Closeness { relative: 1e-4, cancelling_share: f64::INFINITY, head_floor: 0.1 };

pub fn cases() -> Vec<Case> {
    case_list![
        "backbones/estimators_agree" => estimators_agree,
        "backbones/the_gradient_is_that_of_the_loss" => gradient_of_the_loss,
        "backbones/plan_is_ledger" => plan_is_ledger,
        "backbones/embeddings_once_or_in_the_task" => embeddings_once,
    ]
}

struct NoiseTask {
    images: Vec<f32>,
    labels: Vec<u32>,
}

impl NoiseTask {
    fn new() -> Self {
        let count = SUPPORT + QUERIES;
        let labels = (0..SUPPORT).chain(0..QUERIES).map(|index| index % WAYS).collect();
        Self { images: noise(5, (count * 3 * SIZE * SIZE) as usize), labels }
    }

    fn halves(&self) -> (&[f32], &[f32]) {
        self.images.split_at((SUPPORT * 3 * SIZE * SIZE) as usize)
    }

    fn task(&self) -> Task<'_> {
        let (support, query) = self.halves();
        let (support_labels, query_labels) = self.labels.split_at(SUPPORT as usize);
        Task {
            ways: WAYS,
            support: Images::Values(support),
            support_labels,
            query: Images::Values(query),
            query_labels,
        }
    }
}

fn config(trained: Trained, gradient: GradientSettings) -> LearnerConfig {
    let backbone = Backbone::EfficientNetLite0;
    let network = NetworkConfig { backbone, trained, in_channels: 3, image_size: SIZE, norm: Norm::Frozen };
    let kind = HeadSettings::Prototypes { metric: Metric::Cosine, scale: 5.0 }.into();
    LearnerConfig { network, kind, film: None, gradient, source: None }
}

/// Random weights, with nothing at a special value.
fn weights(model: &Model) -> Result<Weights, String> {
    let mut numbers = noise(7, 6_000_000).into_iter();
    let mut next = || numbers.next().unwrap_or(0.5);
    let plain = model.initial_weights(|| 3.0_f32.sqrt() * next()).map_err(message)?;
    let mut numbers = noise(8, 200_000).into_iter();
    let mut weights = Weights::default();
    for (name, tensor) in plain.iter() {
        let is_vector = tensor.shape.len() == 1 && !name.ends_with("scale");
        let mut moved = |value: &f32| if is_vector { value + 0.2 * numbers.next().unwrap_or(0.0) } else { *value };
        weights.insert(name, tensor.shape.clone(), tensor.values.iter().map(&mut moved).collect());
    }
    Ok(weights)
}

async fn learner(gpu: &Gpu, config: LearnerConfig, weights: Option<&Weights>) -> Result<Learner, String> {
    let model = Model::new(config, gpu.tier()).map_err(message)?;
    let random = self::weights(&model)?;
    let mut learner = Learner::new(gpu, model, LIMITS, Purpose::Gradient).map_err(message)?;
    learner.set_weights(weights.unwrap_or(&random)).await.map_err(message)?;
    learner.clear_gradient();
    Ok(learner)
}

async fn solve(gpu: &Gpu, config: LearnerConfig) -> Result<(f64, Gradient), String> {
    let mut learner = learner(gpu, config, None).await?;
    learner.accumulate(&NoiseTask::new().task(), &mut draw(0)).await.map_err(message)?;
    let outcome = learner.outcomes().await.map_err(message)?;
    let gradient = Gradient::from(&learner.gradient().await.map_err(message)?);
    Ok((outcome.first().map_or(f64::NAN, |outcome| outcome.loss), gradient))
}

async fn estimators_agree(gpu: &Gpu) -> Result<(), String> {
    for trained in [Trained::Norms, Trained::All] {
        let full = solve(gpu, config(trained, settings(Estimator::Full, 0, 1))).await?;
        if full.1.norm() == 0.0 {
            return Err(format!("{trained:?}: no gradient"));
        }
        let batches = GradientSettings { query_batch: 2, ..settings(Estimator::Lite, SUPPORT, 2) };
        for gradient in [settings(Estimator::Chunked, 0, 3), batches] {
            let what = format!("{trained:?}, {:?}", gradient.estimator);
            let found = solve(gpu, config(trained, gradient)).await?;
            if (found.0 - full.0).abs() > 1e-5 {
                return Err(format!("{what}: loss {}, expected {}", found.0, full.0));
            }
            found.1.check(&what, &full.1, CLOSENESS)?;
        }
    }
    Ok(())
}

/// The slope of the loss along the gradient is the gradient's squared norm.
async fn gradient_of_the_loss(gpu: &Gpu) -> Result<(), String> {
    for trained in [Trained::Norms, Trained::All] {
        let config = || config(trained, settings(Estimator::Full, 0, 1));
        let (_, gradient) = solve(gpu, config()).await?;
        let model = Model::new(config(), gpu.tier()).map_err(message)?;
        let weights = weights(&model)?;
        let mut losses = [0.0; 2];
        // Far enough that the loss moves by much more than its rounding, near enough for its curvature.
        let step = 2e-3 / gradient.norm();
        for (loss, sign) in losses.iter_mut().zip([1.0, -1.0]) {
            let mut moved = Weights::default();
            for (name, tensor) in weights.iter() {
                let slope = gradient.get(name).unwrap_or(&[]);
                let along = |(at, value): (usize, &f32)| {
                    let slope = slope.get(at).copied().unwrap_or(0.0);
                    (f64::from(*value) + sign * step * slope) as f32
                };
                let values = tensor.values.iter().enumerate().map(along).collect();
                moved.insert(name, tensor.shape.clone(), values);
            }
            let mut learner = learner(gpu, config(), Some(&moved)).await?;
            *loss = learner.evaluate(&NoiseTask::new().task()).await.map_err(message)?.loss;
        }
        let (found, expected) = ((losses[0] - losses[1]) / (2.0 * step), gradient.norm() * gradient.norm());
        let error = (found - expected).abs() / expected;
        if error.is_nan() || error > 0.02 {
            return Err(format!("{trained:?}: the loss rises by {found} along a gradient of squared norm {expected}"));
        }
    }
    Ok(())
}

async fn plan_is_ledger(gpu: &Gpu) -> Result<(), String> {
    for trained in [Trained::Norms, Trained::All] {
        for gradient in [settings(Estimator::Full, 0, 1), settings(Estimator::Lite, 2, 2)] {
            let what = format!("{trained:?}, {:?}", gradient.estimator);
            let model = Model::new(config(trained, gradient.clone()), gpu.tier()).map_err(message)?;
            let planned = model.planned_bytes(LIMITS, Purpose::Gradient).map_err(message)?;
            let before = gpu.ledger().live();
            gpu.ledger().reset_peak();
            let mut learner = learner(gpu, config(trained, gradient), None).await?;
            learner.accumulate(&NoiseTask::new().task(), &mut draw(0)).await.map_err(message)?;
            learner.outcomes().await.map_err(message)?;
            let peak = since(gpu.ledger().peak(), before);
            if peak != planned {
                return Err(format!("{what}: {peak:?} bytes, planned {planned:?}"));
            }
        }
    }
    Ok(())
}

/// A network of which nothing is trained embeds images once for all tasks.
async fn embeddings_once(gpu: &Gpu) -> Result<(), String> {
    let mut learner = learner(gpu, config(Trained::Nothing, settings(Estimator::Full, 0, 1)), None).await?;
    let noise = NoiseTask::new();
    let (support, query) = noise.halves();
    let expected = learner.evaluate(&noise.task()).await.map_err(message)?;
    let support = learner.embed(Images::Values(support)).await.map_err(message)?;
    let query = learner.embed(Images::Values(query)).await.map_err(message)?;
    let task = Task { support: Images::Values(&support), query: Images::Values(&query), ..noise.task() };
    let found = learner.evaluate_embeddings(&task).await.map_err(message)?;
    if found == expected { Ok(()) } else { Err(format!("{found:?}, expected {expected:?}")) }
}
