//! Memory: what the ledger counts is what the plan said, to the byte and by category, and a larger
//! support costs its embeddings, their rows and labels, and nothing else.

use std::sync::Arc;

use inkling_data::{IDENTITY, ImageShape, Normalization, Pixels};
use inkling_gpu::{Bytes, Category, Gpu, Tier};
use inkling_meta::{
    Estimator, GradientSettings, HeadSettings, Images, LearnerConfig, Metric, Model, Optimizer, Purpose, SubsetTime,
    Task, TaskLimits,
};
use inkling_nn::{Backbone, NetworkConfig, Norm, Trained};

use super::fixture::{SIZE, config, draw, learner, message, settings};
use crate::Case;
use crate::kernels::{case_list, integers};

const ADAM: Optimizer =
    Optimizer::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0, decoupled: false };
const SGD: Optimizer = Optimizer::Sgd { momentum: 0.9, nesterov: false, weight_decay: 0.0 };
pub const PURPOSES: [Purpose; 4] = [
    Purpose::Evaluate,
    Purpose::Gradient,
    Purpose::Train { optimizer: ADAM, tasks_per_step: 2 },
    Purpose::Train { optimizer: SGD, tasks_per_step: 1 },
];
pub const SHAPE: ImageShape = ImageShape { channels: 1, height: SIZE, width: SIZE };

pub fn cases() -> Vec<Case> {
    case_list![
        "learner/plan_is_ledger_with_group_norm" => plan_is_ledger_with_group_norm,
        "learner/plan_is_ledger_with_frozen_norm" => plan_is_ledger_with_frozen_norm,
        "learner/plan_is_ledger_with_batch_norm" => plan_is_ledger_with_batch_norm,
        "learner/plan_grows_by_embeddings_rows_and_labels" => plan_grows,
        "learner/peak_grows_by_embeddings_rows_and_labels" => peak_grows,
        "learner/no_buffer_exceeds_a_binding" => no_buffer_exceeds_a_binding,
    ]
}

/// A task of bytes, as data sets give them.
pub struct BytesTask {
    support: Vec<Pixels>,
    query: Vec<Pixels>,
    support_labels: Vec<u32>,
    query_labels: Vec<u32>,
    affines: Vec<[f32; 6]>,
    normalization: Normalization,
}

impl BytesTask {
    /// Two ways.
    pub fn new(support: u32, queries: u32) -> Self {
        Self::of(SHAPE, support, queries)
    }

    /// The same of images of another shape.
    pub fn of(shape: ImageShape, support: u32, queries: u32) -> Self {
        let channels = shape.channels as usize;
        let image = |index: u32| -> Pixels {
            let bytes = integers(index.into(), shape.bytes(), 256).into_iter().map(|byte| byte as u8);
            Arc::from(bytes.collect::<Vec<u8>>())
        };
        Self {
            support: (0..support).map(image).collect(),
            query: (support..support + queries).map(image).collect(),
            support_labels: (0..support).map(|index| index % 2).collect(),
            query_labels: (0..queries).map(|index| index % 2).collect(),
            affines: vec![IDENTITY; support.max(queries) as usize],
            normalization: Normalization { mean: vec![0.5; channels], std: vec![0.25; channels] },
        }
    }

    fn images<'t>(&'t self, pixels: &'t [Pixels]) -> Images<'t> {
        Images::Bytes { pixels, affines: &self.affines[..pixels.len()], normalization: &self.normalization }
    }

    pub fn task(&self) -> Task<'_> {
        Task {
            ways: 2,
            support: self.images(&self.support),
            support_labels: &self.support_labels,
            query: self.images(&self.query),
            query_labels: &self.query_labels,
        }
    }
}

/// The bytes in `now` that were not there `before`.
pub fn since(now: Bytes, before: Bytes) -> Bytes {
    let mut difference = now;
    before.iter().for_each(|(category, bytes)| difference.subtract(category, bytes));
    difference
}

fn same(what: &str, found: Bytes, planned: Bytes) -> Result<(), String> {
    for ((category, found), (_, planned)) in found.iter().zip(planned.iter()) {
        if found != planned {
            return Err(format!("{what}: {found} bytes of {}, planned {planned}", category.name()));
        }
    }
    Ok(())
}

/// Runs one step of a purpose and gives the peak; the ledger must equal the plan all the way.
pub async fn step(
    gpu: &Gpu,
    config: LearnerConfig,
    limits: TaskLimits,
    purpose: Purpose,
    task: &BytesTask,
) -> Result<Bytes, String> {
    let what = format!("{:?}, {:?}, {purpose:?}", config.network.norm, config.gradient.estimator);
    let model = Model::new(config.clone(), gpu.tier()).map_err(message)?;
    let planned = model.planned_bytes(limits, purpose).map_err(message)?;
    let before = gpu.ledger().live();
    gpu.ledger().reset_peak();

    let mut learner = learner(gpu, config, limits, purpose).await?;
    same(&format!("{what}, live before a step"), since(gpu.ledger().live(), before), planned)?;
    match purpose {
        Purpose::Evaluate => {
            learner.evaluate(&task.task()).await.map_err(message)?;
            learner.logits(&task.task()).await.map_err(message)?;
        }
        Purpose::Gradient => {
            learner.accumulate(&task.task(), &mut draw(0)).await.map_err(message)?;
            learner.gradient().await.map_err(message)?;
            learner.evaluate(&task.task()).await.map_err(message)?;
        }
        Purpose::Train { tasks_per_step, .. } => {
            for number in 0..u64::from(tasks_per_step) {
                learner.accumulate(&task.task(), &mut draw(number)).await.map_err(message)?;
            }
            learner.update(1, 1e-3, 1.0).await.map_err(message)?;
            learner.weights().await.map_err(message)?;
            learner.moments().await.map_err(message)?;
        }
    }
    same(&format!("{what}, live after a step"), since(gpu.ledger().live(), before), planned)?;
    let peak = since(gpu.ledger().peak(), before);
    same(&format!("{what}, peak"), peak, planned)?;
    drop(learner);
    same(&format!("{what}, after all"), since(gpu.ledger().live(), before), Bytes::default())?;
    Ok(peak)
}

async fn plan_is_ledger(gpu: &Gpu, norm: Norm, estimators: &[Estimator]) -> Result<(), String> {
    let task = BytesTask::new(5, 4);
    for (index, &estimator) in estimators.iter().enumerate() {
        for purpose in PURPOSES {
            // Room for more than the task, and every other time for a head with a parameter.
            let limits = TaskLimits { tasks: 1, ways: 3, support: 7, queries: 9 };
            let metric = if index % 2 == 0 { Metric::Euclidean } else { Metric::Cosine };
            let gradient = GradientSettings { query_batch: 4, ..settings(estimator, 3, 3) };
            let config = LearnerConfig { source: Some(SHAPE), ..config((norm, metric), gradient) };
            step(gpu, config, limits, purpose, &task).await?;
        }
    }
    Ok(())
}

async fn plan_is_ledger_with_group_norm(gpu: &Gpu) -> Result<(), String> {
    let all = [Estimator::Full, Estimator::Chunked, Estimator::Lite, Estimator::Subsampled];
    plan_is_ledger(gpu, Norm::Group { groups: 2 }, &all).await
}

async fn plan_is_ledger_with_frozen_norm(gpu: &Gpu) -> Result<(), String> {
    let all = [Estimator::Full, Estimator::Chunked, Estimator::Lite, Estimator::Subsampled];
    plan_is_ledger(gpu, Norm::Frozen, &all).await
}

async fn plan_is_ledger_with_batch_norm(gpu: &Gpu) -> Result<(), String> {
    plan_is_ledger(gpu, Norm::Batch, &[Estimator::Full]).await
}

/// Conv-4 with 64 channels on 84×84 colour images; LITE with H = 40, passes of 8 images.
fn large(estimator: Estimator, norm: Norm, image_size: u32) -> LearnerConfig {
    LearnerConfig {
        network: NetworkConfig {
            backbone: Backbone::Conv4 { channels: 64 },
            trained: Trained::All,
            in_channels: 3,
            image_size,
            norm,
        },
        kind: HeadSettings::Prototypes { metric: Metric::Euclidean, scale: 1.0 }.into(),
        film: None,
        gradient: GradientSettings {
            estimator,
            h: 40,
            chunk: 8,
            subset: SubsetTime::Task,
            query_batch: 8,
            support_subset: None,
        },
        source: Some(ImageShape { channels: 3, height: image_size, width: image_size }),
    }
}

fn limits(support: u32) -> TaskLimits {
    TaskLimits { tasks: 1, ways: 10, support, queries: 40 }
}

const TIERS: [Tier; 3] = [Tier::Cpu, Tier::Gpu, Tier::Browser];
const TRAIN: Purpose = Purpose::Train { optimizer: ADAM, tasks_per_step: 1 };

async fn plan_grows(_: &Gpu) -> Result<(), String> {
    for tier in TIERS {
        let bytes = |estimator, support| {
            let model = Model::new(large(estimator, Norm::Group { groups: 8 }, 84), tier).map_err(message)?;
            model.planned_bytes(limits(support), TRAIN).map_err(message)
        };
        let (few, many) = (bytes(Estimator::Lite, 100)?, bytes(Estimator::Lite, 1000)?);
        // 64 channels of 5×5 pixels in an embedding, one more in its row of the gradient, a label.
        let mut growth = Bytes::default();
        growth.add(Category::Embeddings, 900 * (2 * 64 * 5 * 5 + 1) * 4);
        same(&format!("{tier:?}, N = 1000 over N = 100"), since(many, few), growth)?;
        let full = bytes(Estimator::Full, 1000)?;
        if 20 * many.total() > full.total() {
            return Err(format!("{tier:?}: lite plans {} bytes, full {}", many.total(), full.total()));
        }
    }
    Ok(())
}

/// The same on the device, with peaks in place of plans, small enough for a test.
async fn peak_grows(gpu: &Gpu) -> Result<(), String> {
    let gradient = GradientSettings { query_batch: 4, ..settings(Estimator::Lite, 4, 3) };
    let variant = (Norm::Group { groups: 2 }, Metric::Euclidean);
    let config = LearnerConfig { source: Some(SHAPE), ..config(variant, gradient) };
    let mut peaks = Vec::new();
    for support in [6, 38] {
        let task = BytesTask::new(support, 8);
        let limits = TaskLimits { tasks: 1, ways: 2, support, queries: 8 };
        peaks.push(step(gpu, config.clone(), limits, TRAIN, &task).await?);
    }
    let mut growth = Bytes::default();
    growth.add(Category::Embeddings, 32 * (2 * 4 + 1) * 4);
    same("N = 38 over N = 6", since(peaks[1], peaks[0]), growth)
}

/// Whatever is asked for in one pass, no buffer is larger than every device binds.
async fn no_buffer_exceeds_a_binding(_: &Gpu) -> Result<(), String> {
    for tier in TIERS {
        for image_size in [28, 84, 224] {
            for (estimator, norm) in [
                (Estimator::Full, Norm::Group { groups: 8 }),
                (Estimator::Full, Norm::Batch),
                (Estimator::Chunked, Norm::Group { groups: 8 }),
                (Estimator::Lite, Norm::Frozen),
            ] {
                let mut config = large(estimator, norm, image_size);
                (config.gradient.chunk, config.gradient.query_batch) = (1000, 0);
                let model = Model::new(config, tier).map_err(message)?;
                for purpose in PURPOSES {
                    let limits = TaskLimits { tasks: 1, ways: 50, support: 1000, queries: 500 };
                    let plan = model.plan(limits, purpose).map_err(message)?;
                    let largest = plan.largest().ok_or("an empty plan")?;
                    if largest.bytes > 128 << 20 {
                        let what = format!("{tier:?}, {estimator:?}, {norm:?}, {image_size} pixels, {purpose:?}");
                        return Err(format!("{what}: {} has {} bytes", largest.name, largest.bytes));
                    }
                }
            }
        }
    }
    Ok(())
}
