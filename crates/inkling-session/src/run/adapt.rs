//! Learning a new task from a folder of images.

use inkling_data::{ImageShape, Normalization, Pixels};
use inkling_meta::{Images, Learner, Model, Purpose, Task, TaskLimits};

use super::SessionError;
use super::memory::Planner;
use super::model::{classifier_config, classifier_ways, from_file, open_gpu};
use crate::config::GradientConfig;
use crate::model_card::ModelCard;
use crate::tensor_file::TensorFile;
use crate::units::ByteSize;

/// Images of one pass where the budget allows it: small enough for every device.
const PASS: u32 = 16;

/// What to learn, and what to classify.
#[derive(Clone, Copy, Debug)]
pub struct AdaptTask<'a> {
    /// The learner's weights.
    pub weights: &'a TensorFile,
    /// What network they belong to.
    pub card: &'a ModelCard,
    /// The support images of each class.
    pub support: &'a [Vec<Pixels>],
    /// The images to classify.
    pub queries: &'a [Pixels],
    /// The most bytes of the device to use.
    pub budget: Option<ByteSize>,
}

/// The probability of every class for every query image, `[queries][classes]`.
///
/// # Errors
/// When there are fewer than two classes, a class has no image, or weights or device fail.
pub async fn adapt(task: AdaptTask<'_>, adapter: Option<String>) -> Result<Vec<Vec<f32>>, SessionError> {
    let support: Vec<Pixels> = task.support.iter().flatten().cloned().collect();
    let classes = task.support.iter().zip(0..);
    let support_labels: Vec<u32> = classes.flat_map(|(images, label)| images.iter().map(move |_| label)).collect();
    let ways = task.support.len() as u32;
    // Unlabelled: the scores of class 0 are computed and not looked at.
    let query_labels = vec![0; task.queries.len()];
    let [channels, height, width] = task.card.image_shape;
    let shape = ImageShape { channels, height, width };
    let normalization = Normalization { mean: task.card.mean.clone(), std: task.card.std.clone() };
    let limits = TaskLimits { tasks: 1, ways, support: support.len() as u32, queries: task.queries.len() as u32 };
    let passes = GradientConfig { chunk: PASS, query_batch: PASS, ..GradientConfig::default() };
    let gpu = open_gpu(adapter, false).await?;
    let purpose = Purpose::Evaluate;
    let stored = classifier_ways(task.card.learner.as_ref(), task.weights, ways);
    let solver = (&task.card.head, task.card.learner.as_ref());
    let mut model = Model::new(classifier_config((&task.card.model, &passes), solver, (shape, stored)), gpu.tier())?;
    let weights = from_file(task.weights, &model)?;
    let planner = Planner { model: &model, tier: gpu.tier(), limits, purpose };
    let fitting = task.budget.map(|budget| planner.largest_pass(budget.0)).transpose()?.flatten();
    match fitting {
        Some(images) if images < PASS => model = planner.with_passes(images)?,
        _ => planner.check(task.budget).map(drop)?,
    }
    let mut learner = Learner::new(&gpu, model, limits, purpose)?;
    learner.set_weights(&weights).await?;
    let identity = |count: usize| vec![inkling_data::IDENTITY; count];
    let (support_affines, query_affines) = (identity(support.len()), identity(task.queries.len()));
    let images = |pixels, affines| Images::Bytes { pixels, affines, normalization: &normalization };
    let learned = Task {
        ways,
        support: images(&support, &support_affines),
        support_labels: &support_labels,
        query: images(task.queries, &query_affines),
        query_labels: &query_labels,
    };
    let logits = learner.logits(&learned).await?;
    Ok(logits.chunks(ways.max(1) as usize).map(softmax).collect())
}

fn softmax(logits: &[f32]) -> Vec<f32> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = logits.iter().map(|logit| (logit - largest).exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}
