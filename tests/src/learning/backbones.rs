//! Networks larger than Conv-4 in whole learners: their gradients are those of the loss, whatever the
//! estimator; and what they take is what the plan said.

use inkling_gpu::Gpu;
use inkling_meta::{
    Estimator, GradientSettings, HeadSettings, Images, Learner, LearnerConfig, Metric, Model, Purpose, Task, TaskLimits,
};
use inkling_nn::{Backbone, NetworkConfig, Norm, Trained, Weights};
use inkling_session::tensor_file::TensorFile;

use super::fixture::{draw, message, settings};
use super::gradient::{Closeness, Gradient};
use super::memory::since;
use crate::Case;
use crate::kernels::{case_list, noise};

pub(super) const WAYS: u32 = 2;
const SUPPORT: u32 = 4;
const QUERIES: u32 = 3;
pub(super) const LIMITS: TaskLimits = TaskLimits { tasks: 1, ways: WAYS, support: SUPPORT, queries: QUERIES };

/// Sums of fifty layers in another order.
const CLOSENESS: Closeness = Closeness { relative: 1e-4, cancelling_share: f64::INFINITY, head_floor: 0.1 };

/// A network on images of the smallest size that it takes.
#[derive(Clone, Copy)]
pub(super) struct Subject {
    pub(super) backbone: Backbone,
    pub(super) size: u32,
    pub(super) norm: Norm,
}

impl Subject {
    /// The network with so much of it trained.
    pub(super) fn network(self, trained: Trained) -> NetworkConfig {
        let Self { backbone, size: image_size, norm } = self;
        NetworkConfig { backbone, trained, in_channels: 3, image_size, norm }
    }

    /// The centre of drawn variances.
    pub(super) fn variance(self) -> f32 {
        variance(self.backbone)
    }
}

/// With variance 1, SiLU and the gates of B0's sixteen blocks leave next to nothing of the images; with
/// 0.6 the values of some draws grow beyond all bounds.
fn variance(backbone: Backbone) -> f32 {
    if matches!(backbone, Backbone::EfficientNetB0 { .. }) { 0.8 } else { 1.0 }
}

pub(super) const LITE0: Subject = Subject { backbone: Backbone::EfficientNetLite0, size: 32, norm: Norm::Frozen };
pub(super) const B0: Subject =
    Subject { backbone: Backbone::EfficientNetB0 { drop_permille: 0 }, size: 32, norm: Norm::Frozen };
pub(super) const RESNET12: Subject =
    Subject { backbone: Backbone::ResNet12 { drop_permille: 0 }, size: 16, norm: Norm::Group { groups: 4 } };
pub(super) const RESNET18: Subject = Subject { backbone: Backbone::ResNet18, size: 32, norm: Norm::Frozen };

pub fn cases() -> Vec<Case> {
    case_list![
        "backbones/estimators_agree" => estimators_agree,
        "backbones/the_gradient_is_that_of_the_loss" => gradient_of_the_loss,
        "backbones/plan_is_ledger" => plan_is_ledger,
        "backbones/embeddings_once_or_in_the_task" => embeddings_once,
        "backbones/efficientnet_b0" => efficientnet_b0,
        "backbones/resnet12_with_group_norm" => resnet12,
        "backbones/resnet12_with_batch_norm" => resnet12_batch,
        "backbones/resnet18" => resnet18,
        "backbones/dropped_in_training_alone" => dropped,
        "backbones/embeddings_against_float64" => against_float64,
    ]
}

/// Embeddings of an implementation in float64 (`tests/golden/backbones.py`).
const LITE0_EMBEDDINGS: &[u8] = include_bytes!("../../golden/embeddings/efficientnet-lite0.safetensors");
/// Height and width of the images that there are embeddings of: even at every stride, and odd.
const GOLDEN_SIZES: [u32; 2] = [32, 47];
const GOLDEN_IMAGES: u32 = 2;
const GOLDEN_IMAGE_SEED: u64 = 1000;
/// Fifty layers, each with roundings of some 1e-6 of its values.
const GOLDEN_TOLERANCE: f64 = 2e-5;

/// The weights that the other implementation draws: tensor by tensor in the order of their names.
pub(super) fn golden_weights(model: &Model) -> Result<Weights, String> {
    let plain = model.initial_weights(|| 0.0).map_err(message)?;
    let variance = if variance(model.network().config().backbone) < 1.0 { 0.8 } else { 1.0 };
    let mut names: Vec<(&str, &[usize])> = plain.iter().map(|(name, tensor)| (name, &*tensor.shape)).collect();
    names.sort_unstable();
    let mut weights = Weights::default();
    for (seed, (name, shape)) in (0..).zip(names) {
        let (centre, spread) = match shape {
            [_, inputs @ ..] if shape.len() > 1 => (0.0, (6.0 / inputs.iter().product::<usize>() as f64).sqrt()),
            _ if name.ends_with("running_var") => (variance, 0.5 * variance),
            _ if name.ends_with("weight") => (1.0, 0.2),
            _ => (0.0, 0.2),
        };
        let drawn = noise(seed, shape.iter().product());
        let values = drawn.into_iter().map(|value| (centre + spread * f64::from(value)) as f32).collect();
        weights.insert(name, shape.to_vec(), values);
    }
    Ok(weights)
}

async fn against_float64(gpu: &Gpu) -> Result<(), String> {
    let golden = TensorFile::decode(LITE0_EMBEDDINGS)?;
    for size in GOLDEN_SIZES {
        let plain = config(LITE0, Trained::Nothing, settings(Estimator::Chunked, 0, 2));
        let network = NetworkConfig { image_size: size, ..plain.network };
        let kind = HeadSettings::Prototypes { metric: Metric::Euclidean, scale: 1.0 }.into();
        let model = Model::new(LearnerConfig { network, kind, ..plain }, gpu.tier()).map_err(message)?;
        let weights = golden_weights(&model)?;
        let mut learner = Learner::new(gpu, model, LIMITS, Purpose::Evaluate).map_err(message)?;
        learner.set_weights(&weights).await.map_err(message)?;
        let images = noise(GOLDEN_IMAGE_SEED + u64::from(size), (GOLDEN_IMAGES * 3 * size * size) as usize);
        let found = learner.embed(Images::Values(&images)).await.map_err(message)?;
        let expected = golden.tensors.get(&size.to_string()).and_then(|tensor| tensor.as_f32());
        let expected = expected.ok_or_else(|| format!("no embeddings of {size} pixels"))?;
        let difference: f64 = found.iter().zip(expected).map(|(a, b)| f64::from(a - b).powi(2)).sum();
        let whole: f64 = expected.iter().map(|value| f64::from(*value).powi(2)).sum();
        let error = (difference / whole).sqrt();
        // Written so that a NaN fails.
        let close = found.len() == expected.len() && error <= GOLDEN_TOLERANCE;
        if !close {
            return Err(format!("{size} pixels: {} values, relative error {error:.1e}", found.len()));
        }
    }
    Ok(())
}

pub(super) struct NoiseTask {
    images: Vec<f32>,
    labels: Vec<u32>,
    elements: usize,
}

impl NoiseTask {
    pub(super) fn new(subject: Subject) -> Self {
        let (count, elements) = (SUPPORT + QUERIES, 3 * subject.size * subject.size);
        let labels = (0..SUPPORT).chain(0..QUERIES).map(|index| index % WAYS).collect();
        Self { images: noise(5, (count * elements) as usize), labels, elements: elements as usize }
    }

    fn halves(&self) -> (&[f32], &[f32]) {
        self.images.split_at(SUPPORT as usize * self.elements)
    }

    pub(super) fn task(&self) -> Task<'_> {
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

fn config(subject: Subject, trained: Trained, gradient: GradientSettings) -> LearnerConfig {
    let network = subject.network(trained);
    let kind = HeadSettings::Prototypes { metric: Metric::Cosine, scale: 5.0 }.into();
    LearnerConfig { network, kind, film: None, gradient, source: None }
}

/// Random weights, with nothing at a special value.
pub fn weights(model: &Model) -> Result<Weights, String> {
    let network = model.network();
    let parameters = network.layout().parameters() + network.frozen().parameters() + model.layout().parameters();
    let mut numbers = noise(7, parameters as usize).into_iter();
    let mut next = || numbers.next().unwrap_or(0.5);
    let plain = model.initial_weights(|| 3.0_f32.sqrt() * next()).map_err(message)?;
    // With variance 1, SiLU and the gates of B0's sixteen blocks leave next to nothing of the images.
    let is_b0 = matches!(network.config().backbone, Backbone::EfficientNetB0 { .. });
    let mut numbers = noise(8, 200_000).into_iter();
    let mut weights = Weights::default();
    for (name, tensor) in plain.iter() {
        let is_vector = tensor.shape.len() == 1 && !name.ends_with("scale");
        let share = if is_b0 && name.ends_with("running_var") { 0.68 } else { 1.0 };
        let mut number = || 0.2 * numbers.next().unwrap_or(0.0);
        let mut moved = |value: &f32| if is_vector { share * (value + number()) } else { *value };
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

async fn solve(gpu: &Gpu, subject: Subject, config: LearnerConfig) -> Result<(f64, Gradient), String> {
    let mut learner = learner(gpu, config, None).await?;
    learner.accumulate(&NoiseTask::new(subject).task(), &mut draw(0)).await.map_err(message)?;
    let outcome = learner.outcomes().await.map_err(message)?;
    let gradient = Gradient::from(&learner.gradient().await.map_err(message)?);
    Ok((outcome.first().map_or(f64::NAN, |outcome| outcome.loss), gradient))
}

async fn estimators_agree(gpu: &Gpu) -> Result<(), String> {
    check_estimators(gpu, LITE0, Trained::Norms).await?;
    check_estimators(gpu, LITE0, Trained::All).await
}

async fn check_estimators(gpu: &Gpu, subject: Subject, trained: Trained) -> Result<(), String> {
    let full = solve(gpu, subject, config(subject, trained, settings(Estimator::Full, 0, 1))).await?;
    if full.1.norm() == 0.0 {
        return Err(format!("{trained:?}: no gradient"));
    }
    let batches = GradientSettings { query_batch: 2, ..settings(Estimator::Lite, SUPPORT, 2) };
    for gradient in [settings(Estimator::Chunked, 0, 3), batches] {
        let what = format!("{trained:?}, {:?}", gradient.estimator);
        let found = solve(gpu, subject, config(subject, trained, gradient)).await?;
        if (found.0 - full.0).abs() > 1e-5 {
            return Err(format!("{what}: loss {}, expected {}", found.0, full.0));
        }
        found.1.check(&what, &full.1, CLOSENESS)?;
    }
    Ok(())
}

async fn gradient_of_the_loss(gpu: &Gpu) -> Result<(), String> {
    check_gradient(gpu, LITE0, Trained::Norms).await?;
    check_gradient(gpu, LITE0, Trained::All).await
}

/// The slope of the loss along the gradient is the gradient's squared norm.
async fn check_gradient(gpu: &Gpu, subject: Subject, trained: Trained) -> Result<(), String> {
    let config = || config(subject, trained, settings(Estimator::Full, 0, 1));
    let (_, gradient) = solve(gpu, subject, config()).await?;
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
        *loss = learner.evaluate(&NoiseTask::new(subject).task()).await.map_err(message)?.loss;
    }
    let (found, expected) = ((losses[0] - losses[1]) / (2.0 * step), gradient.norm() * gradient.norm());
    let error = (found - expected).abs() / expected;
    if error.is_nan() || error > 0.02 {
        return Err(format!("{trained:?}: the loss rises by {found} along a gradient of squared norm {expected}"));
    }
    Ok(())
}

async fn plan_is_ledger(gpu: &Gpu) -> Result<(), String> {
    for trained in [Trained::Norms, Trained::All] {
        check_plan(gpu, LITE0, trained, settings(Estimator::Full, 0, 1)).await?;
        check_plan(gpu, LITE0, trained, settings(Estimator::Lite, 2, 2)).await?;
    }
    Ok(())
}

async fn check_plan(gpu: &Gpu, subject: Subject, trained: Trained, gradient: GradientSettings) -> Result<(), String> {
    let what = format!("{trained:?}, {:?}", gradient.estimator);
    let model = Model::new(config(subject, trained, gradient.clone()), gpu.tier()).map_err(message)?;
    let planned = model.planned_bytes(LIMITS, Purpose::Gradient).map_err(message)?;
    let before = gpu.ledger().live();
    gpu.ledger().reset_peak();
    let mut learner = learner(gpu, config(subject, trained, gradient), None).await?;
    learner.accumulate(&NoiseTask::new(subject).task(), &mut draw(0)).await.map_err(message)?;
    learner.outcomes().await.map_err(message)?;
    let peak = since(gpu.ledger().peak(), before);
    if peak == planned { Ok(()) } else { Err(format!("{what}: {peak:?} bytes, planned {planned:?}")) }
}

/// A network of which nothing is trained embeds images once for all tasks.
async fn embeddings_once(gpu: &Gpu) -> Result<(), String> {
    let nothing = config(LITE0, Trained::Nothing, settings(Estimator::Full, 0, 1));
    let mut learner = learner(gpu, nothing, None).await?;
    let noise = NoiseTask::new(LITE0);
    let (support, query) = noise.halves();
    let expected = learner.evaluate(&noise.task()).await.map_err(message)?;
    let support = learner.embed(Images::Values(support)).await.map_err(message)?;
    let query = learner.embed(Images::Values(query)).await.map_err(message)?;
    let task = Task { support: Images::Values(&support), query: Images::Values(&query), ..noise.task() };
    let found = learner.evaluate_embeddings(&task).await.map_err(message)?;
    if found == expected { Ok(()) } else { Err(format!("{found:?}, expected {expected:?}")) }
}

async fn efficientnet_b0(gpu: &Gpu) -> Result<(), String> {
    check_all(gpu, B0).await
}

async fn resnet18(gpu: &Gpu) -> Result<(), String> {
    check_all(gpu, RESNET18).await
}

async fn resnet12(gpu: &Gpu) -> Result<(), String> {
    check_all(gpu, RESNET12).await
}

async fn check_all(gpu: &Gpu, subject: Subject) -> Result<(), String> {
    check_estimators(gpu, subject, Trained::All).await?;
    check_gradient(gpu, subject, Trained::All).await?;
    check_plan(gpu, subject, Trained::All, settings(Estimator::Lite, 2, 2)).await
}

/// Batch statistics couple the images, which pass in two chunks.
async fn resnet12_batch(gpu: &Gpu) -> Result<(), String> {
    let subject = Subject { norm: Norm::Batch, ..RESNET12 };
    check_gradient(gpu, subject, Trained::All).await?;
    check_plan(gpu, subject, Trained::All, settings(Estimator::Full, 0, 2)).await
}

/// Dropout and stochastic depth: the same of an image in each of its passes, whatever the estimator, and
/// nothing in an evaluation.
async fn dropped(gpu: &Gpu) -> Result<(), String> {
    let drop_permille = 400;
    for (plain, backbone) in
        [(RESNET12, Backbone::ResNet12 { drop_permille }), (B0, Backbone::EfficientNetB0 { drop_permille })]
    {
        let subject = Subject { backbone, ..plain };
        let noise = NoiseTask::new(subject);
        let full = settings(Estimator::Full, 0, 1);
        let batches = GradientSettings { query_batch: 2, ..settings(Estimator::Lite, SUPPORT, 2) };
        let lite = solve(gpu, subject, config(subject, Trained::Norms, batches)).await?;
        let mut dropping = learner(gpu, config(subject, Trained::Norms, full.clone()), None).await?;
        dropping.accumulate(&noise.task(), &mut draw(0)).await.map_err(message)?;
        let loss = dropping.outcomes().await.map_err(message)?.first().map_or(f64::NAN, |outcome| outcome.loss);
        let gradient = Gradient::from(&dropping.gradient().await.map_err(message)?);
        lite.1.check("gradient with drops", &gradient, CLOSENESS)?;
        let evaluated = dropping.evaluate(&noise.task()).await.map_err(message)?.loss;
        let mut plain = learner(gpu, config(plain, Trained::Norms, full), None).await?;
        let expected = plain.evaluate(&noise.task()).await.map_err(message)?.loss;
        if (evaluated - expected).abs() > 1e-5 || (loss - lite.0).abs() > 1e-5 || (loss - expected).abs() < 1e-4 {
            let losses = format!("{loss} and {} in training, {evaluated} in an evaluation", lite.0);
            return Err(format!("{backbone:?}: losses {losses}, {expected} without drops"));
        }
    }
    Ok(())
}
