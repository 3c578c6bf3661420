//! Training in numbers: a few LITE steps give the same losses on every adapter, and the same bits
//! on the same one.

use inkling_data::glyphs::Glyphs;
use inkling_data::{Dataset, Episode, EpisodePlan, EpisodeSpec, IDENTITY, Normalization, Split};
use inkling_gpu::Gpu;
use inkling_meta::{
    Estimator, GradientSettings, HeadSettings, Images, Learner, LearnerConfig, Metric, Optimizer, Purpose, SubsetTime,
    Task, TaskLimits,
};
use inkling_nn::{Backbone, NetworkConfig, Norm, Trained, Weights};

use super::fixture::{draw, learner, message};
use crate::Case;
use crate::kernels::case_list;

const SIZE: u32 = 20;
const LEARNING_RATE: f32 = 0.01;

/// The query loss before the first update and after each of two, as a processor computed it
/// natively (lavapipe).
const LOSSES: [f64; 3] = [1.658_180_237, 1.251_260_573, 1.072_255_105];
/// The first loss is a forward pass of four blocks: a few hundred roundings of 6e-8 in sequence.
const FORWARD_TOLERANCE: f64 = 2e-5;
/// Adam divides a gradient by its own size, so that a component near zero, where another order of
/// sums decides the sign, moves by up to the learning rate either way. Its effect on the loss is
/// that of a component near zero.
const STEP_TOLERANCE: f64 = 5e-4;

pub fn cases() -> Vec<Case> {
    case_list![
        "training/lite_steps_give_the_native_losses" => lite_steps_give_the_native_losses,
        "training/same_seed_same_bits" => same_seed_same_bits,
        "training/reading_back_changes_no_bit" => reading_back_changes_no_bit,
    ]
}

/// Five characters, two drawings each to learn from and two to recognise.
struct Characters {
    episode: Episode,
    affines: Vec<[f32; 6]>,
    normalization: Normalization,
}

impl Characters {
    fn draw(index: u64) -> Result<Self, String> {
        let glyphs = Glyphs::new(SIZE, 0).map_err(message)?;
        let spec = EpisodeSpec::Fixed { ways: 5, shots: 2, queries: 2 };
        let plan = EpisodePlan::draw(&glyphs, Split::Train, &spec, 7, index).map_err(message)?;
        let episode = plan.load(&glyphs).map_err(message)?;
        Ok(Self { affines: vec![IDENTITY; 10], normalization: glyphs.normalization(), episode })
    }

    fn task(&self) -> Task<'_> {
        let images = |pixels| Images::Bytes { pixels, affines: &self.affines, normalization: &self.normalization };
        Task {
            ways: self.episode.ways(),
            support: images(self.episode.support()),
            support_labels: self.episode.support_labels(),
            query: images(self.episode.query()),
            query_labels: self.episode.query_labels(),
        }
    }

    async fn learner(&self, gpu: &Gpu) -> Result<Learner, String> {
        let config = LearnerConfig {
            network: NetworkConfig {
                backbone: Backbone::Conv4 { channels: 8 },
                trained: Trained::All,
                in_channels: 1,
                image_size: SIZE,
                norm: Norm::Group { groups: 4 },
            },
            kind: HeadSettings::Prototypes { metric: Metric::Euclidean, scale: 1.0 }.into(),
            film: None,
            gradient: GradientSettings {
                estimator: Estimator::Lite,
                h: 2,
                chunk: 3,
                subset: SubsetTime::Task,
                query_batch: 5,
                support_subset: None,
            },
            source: Some(self.episode.image_shape()),
        };
        let optimizer =
            Optimizer::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0, decoupled: false };
        let limits = TaskLimits { tasks: 1, ways: 5, support: 10, queries: 10 };
        learner(gpu, config, limits, Purpose::Train { optimizer, tasks_per_step: 2 }).await
    }
}

async fn lite_steps_give_the_native_losses(gpu: &Gpu) -> Result<(), String> {
    let characters = Characters::draw(0)?;
    let mut learner = characters.learner(gpu).await?;
    let mut losses = Vec::new();
    for step in 1..=LOSSES.len() as u64 {
        learner.accumulate(&characters.task(), &mut draw(step)).await.map_err(message)?;
        let (outcomes, norm) = learner.update(step, LEARNING_RATE, 0.0).await.map_err(message)?;
        if !(norm.is_finite() && norm > 0.0) {
            return Err(format!("step {step}: a gradient of norm {norm}"));
        }
        losses.extend(outcomes.iter().map(|outcome| outcome.loss));
    }
    let tolerances = [FORWARD_TOLERANCE, STEP_TOLERANCE, STEP_TOLERANCE];
    let close = |((loss, expected), tolerance): ((&f64, &f64), f64)| (loss - expected).abs() <= tolerance * expected;
    if losses.len() == LOSSES.len() && losses.iter().zip(&LOSSES).zip(tolerances).all(close) {
        Ok(())
    } else {
        Err(format!("losses {losses:?}, natively {LOSSES:?}"))
    }
}

/// Two steps of two tasks each: the weights, the moments and the last gradient.
async fn run(gpu: &Gpu, read_in_between: bool) -> Result<Vec<Weights>, String> {
    let tasks = [Characters::draw(0)?, Characters::draw(1)?];
    let mut learner = tasks[0].learner(gpu).await?;
    let mut results = Vec::new();
    for step in 1..=2 {
        for (number, characters) in (2 * step..).zip(&tasks) {
            learner.accumulate(&characters.task(), &mut draw(number)).await.map_err(message)?;
            if read_in_between {
                // Ends the submission.
                learner.gradient().await.map_err(message)?;
            }
        }
        if step == 2 {
            results.push(learner.gradient().await.map_err(message)?);
        }
        learner.update(step, LEARNING_RATE, 1.0).await.map_err(message)?;
    }
    results.push(learner.weights().await.map_err(message)?);
    results.extend(learner.moments().await.map_err(message)?.into_iter().map(|(_, moment)| moment));
    Ok(results)
}

/// Equality of bits: a NaN equals itself, zeros of either sign differ.
fn same_bits(what: &str, one: &[Weights], other: &[Weights]) -> Result<(), String> {
    let bits = |all: &[Weights]| -> Vec<(String, Vec<u32>)> {
        let tensors = all.iter().flat_map(Weights::iter);
        tensors.map(|(name, tensor)| (name.to_owned(), tensor.values.iter().map(|v| v.to_bits()).collect())).collect()
    };
    let (one, other) = (bits(one), bits(other));
    match one.iter().zip(&other).find(|(one, other)| one != other) {
        None if one.len() == other.len() && !one.is_empty() => Ok(()),
        None => Err(format!("{what}: {} and {} tensors", one.len(), other.len())),
        Some(((name, _), _)) => Err(format!("{what}: other bits in {name}")),
    }
}

async fn same_seed_same_bits(gpu: &Gpu) -> Result<(), String> {
    same_bits("two runs", &run(gpu, false).await?, &run(gpu, false).await?)
}

async fn reading_back_changes_no_bit(gpu: &Gpu) -> Result<(), String> {
    same_bits("with read-back", &run(gpu, true).await?, &run(gpu, false).await?)
}
