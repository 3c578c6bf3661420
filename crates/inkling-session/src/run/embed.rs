//! A learner at work on single images: each is embedded once, and tasks are solved from embeddings.

use inkling_data::{ImageShape, Normalization, Pixels};
use inkling_gpu::{Gpu, Tier};
use inkling_meta::{Images, Learner, LearnerConfig, Model, Purpose, Task, TaskLimits};
use inkling_nn::Weights;

use super::SessionError;
use super::model::{classifier_config, from_file, open_gpu, stored_ways};
use crate::config::GradientConfig;
use crate::model_card::ModelCard;
use crate::tensor_file::TensorFile;

/// Images of one pass: little enough that a browser paints in between.
pub(crate) const PASS: u32 = 8;
/// Embedded queries of one pass of a head.
const QUERY_PASS: u32 = 64;

/// A task of embeddings, `[images][d]` each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EmbeddedTask<'a> {
    /// Classes.
    pub(crate) ways: u32,
    /// Embeddings to learn from, one behind the other.
    pub(crate) support: &'a [f32],
    /// Their classes.
    pub(crate) labels: &'a [u32],
    /// Embeddings to classify.
    pub(crate) queries: &'a [f32],
}

/// A learner on a device.
#[derive(Debug)]
pub(crate) struct Embedder {
    gpu: Gpu,
    network: Learner,
    weights: Weights,
    normalization: Normalization,
    config: LearnerConfig,
    /// The learner that solves tasks, as soon as there is one.
    solver: Option<Learner>,
    /// Classes that the weights are made for, where they depend on it.
    ways: Option<u32>,
}

impl Embedder {
    /// Why a learner cannot embed single images, without a device.
    pub(crate) fn check(weights: &TensorFile, card: &ModelCard) -> Result<(), SessionError> {
        let model = Model::new(config(weights, card), Tier::Browser)?;
        model.check_embeds()?;
        let layouts = [model.layout(), model.network().running(), model.network().frozen()];
        from_file(weights, &model)?.to_flat(layouts, &[])?;
        Ok(())
    }

    /// Opens a device and puts the weights there.
    pub(crate) async fn open(
        weights: &TensorFile,
        card: &ModelCard,
        adapter: Option<String>,
    ) -> Result<Self, SessionError> {
        let gpu = open_gpu(adapter, false).await?;
        let config = config(weights, card);
        let model = Model::new(config.clone(), gpu.tier())?;
        model.check_embeds()?;
        let weights_of_model = from_file(weights, &model)?;
        let limits = TaskLimits { tasks: 1, ways: 2, support: PASS, queries: 1 };
        let mut network = Learner::new(&gpu, model, limits, Purpose::Evaluate)?;
        network.set_weights(&weights_of_model).await?;
        Ok(Self {
            gpu,
            network,
            weights: weights_of_model,
            normalization: Normalization { mean: card.mean.clone(), std: card.std.clone() },
            config,
            solver: None,
            ways: stored_ways(weights),
        })
    }

    /// d.
    pub(crate) fn dimension(&self) -> usize {
        self.network.model().network().dimension() as usize
    }

    /// The embeddings of images of the card's shape, `[images][d]`.
    pub(crate) async fn embed(&mut self, pixels: &[Pixels]) -> Result<Vec<f32>, SessionError> {
        let affines = vec![inkling_data::IDENTITY; pixels.len()];
        let images = Images::Bytes { pixels, affines: &affines, normalization: &self.normalization };
        Ok(self.network.embed(images).await?)
    }

    /// The embeddings of normalised images of the card's shape, `[images][d]`.
    pub(crate) async fn embed_values(&mut self, values: &[f32]) -> Result<Vec<f32>, SessionError> {
        Ok(self.network.embed(Images::Values(values)).await?)
    }

    /// The logits of embedded queries by the learner's own head, `[queries][ways]`.
    pub(crate) async fn logits(&mut self, task: EmbeddedTask<'_>) -> Result<Vec<f32>, SessionError> {
        let queries = task.queries.len() / self.dimension().max(1);
        let needed =
            TaskLimits { tasks: 1, ways: task.ways.max(2), support: task.labels.len() as u32, queries: queries as u32 };
        // Unlabelled: the scores of class 0 are computed and not looked at.
        let query_labels = vec![0; queries];
        let learned = Task {
            ways: task.ways,
            support: Images::Values(task.support),
            support_labels: task.labels,
            query: Images::Values(task.queries),
            query_labels: &query_labels,
        };
        let solver = self.solver(needed).await?;
        Ok(solver.logits_of_embeddings(&learned).await?)
    }

    /// A learner with room for such tasks; rooms double, so that a growing class changes it rarely.
    async fn solver(&mut self, needed: TaskLimits) -> Result<&mut Learner, SessionError> {
        let has = self.solver.as_ref().map(Learner::limits);
        if has.is_none_or(|has| has.union(needed) != has) {
            // The old one goes first: the device need not hold both.
            self.solver = None;
            let grown = has.map_or(needed, |has| has.union(needed));
            let limits = TaskLimits {
                tasks: 1,
                ways: self.ways.unwrap_or(grown.ways.next_power_of_two()),
                support: grown.support.next_power_of_two(),
                queries: grown.queries.next_power_of_two(),
            };
            let model = Model::new(self.config.clone(), self.gpu.tier())?;
            // What has a largest task says so before its memory is planned.
            let limits = if model.plan(limits, Purpose::Evaluate).is_ok() { limits } else { grown };
            let mut learner = Learner::new(&self.gpu, model, limits, Purpose::Evaluate)?;
            learner.set_weights(&self.weights).await?;
            self.solver = Some(learner);
        }
        self.solver.as_mut().ok_or(SessionError::Fault("a solver that was just made is gone"))
    }
}

fn config(weights: &TensorFile, card: &ModelCard) -> LearnerConfig {
    let [channels, height, width] = card.image_shape;
    let passes = GradientConfig { chunk: PASS, query_batch: QUERY_PASS, ..GradientConfig::default() };
    let ways = stored_ways(weights).unwrap_or(2);
    let solver = (&card.head, card.learner.as_ref());
    classifier_config((&card.model, &passes), solver, (ImageShape { channels, height, width }, ways))
}
