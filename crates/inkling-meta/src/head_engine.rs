//! A learner with a head on embeddings: its memory, and one pass of tasks through the phases in
//! `step`, with the support images that the estimator draws.

use inkling_data::{Normalization, Numbers, Pixels};
use inkling_gpu::{Buffer, Gpu, Recorder};
use inkling_nn::TaskAxis;

use crate::features::{FirstPass, no_features};
use crate::head::Head;
use crate::heads::HeadModel;
use crate::images::Place;
use crate::model::Model;
use crate::step::Step;
use crate::workspace::{Purpose, Sizes, Workspace};
use crate::{Estimator, Images, Inspection, MetaError, SubsetTime, Task, TaskLimits};

/// A learner's memory on a device, for a head on embeddings.
#[derive(Debug)]
pub(crate) struct HeadEngine {
    sizes: Sizes,
    pub(crate) workspace: Workspace<Buffer>,
    /// Whether the weights are ready for passes.
    packed: bool,
    /// Whether those of frozen first stages are.
    first_packed: bool,
}

/// Rows to back-propagate, as positions among the members of all tasks, and their factor.
type Subset = (Vec<u32>, f32);

/// What the estimator has drawn for the tasks of a pass.
struct Draw {
    /// The members of each task's support.
    members: Vec<Vec<u32>>,
    /// Rows of the network: once, or for every query batch.
    rows: Vec<Subset>,
    /// Rows of FiLM's set encoder.
    encoder: Subset,
}

impl HeadEngine {
    pub(crate) fn new(
        gpu: &Gpu,
        (model, head): (&Model, &HeadModel),
        limits: TaskLimits,
        purpose: Purpose,
    ) -> Result<Self, MetaError> {
        let workspace = Workspace::new(&mut gpu.clone(), (model, head), limits, purpose)?;
        Ok(Self { sizes: Sizes::new(model, limits, purpose), workspace, packed: false, first_packed: false })
    }

    /// To be called when the trained weights have changed.
    pub(crate) fn forget_weights(&mut self) {
        self.packed = false;
    }

    /// To be called when the frozen weights have changed.
    pub(crate) fn forget_frozen_weights(&mut self) {
        self.first_packed = false;
    }

    fn prepare(&mut self, recorder: &mut Recorder, model: &Model) -> Result<(), MetaError> {
        if !self.packed {
            model.network.prepare(recorder, self.workspace.pass(TaskAxis::shared(1, 1)))?;
            if let (Some(film), Some(workspace)) = (&model.film, &self.workspace.film) {
                film.encoder.prepare(recorder, workspace.pass(&self.workspace.common, 1))?;
            }
            self.packed = true;
        }
        if !self.first_packed {
            if let Some(first) = FirstPass::new(model, &self.workspace) {
                first.prepare(recorder)?;
            }
            self.first_packed = true;
        }
        Ok(())
    }

    /// The feature maps of frozen first stages, on the host.
    pub(crate) async fn features(
        &mut self,
        recorder: &mut Recorder,
        model: &Model,
        (images, normalization): (&[(&Pixels, [f32; 6])], &Normalization),
    ) -> Result<Vec<f32>, MetaError> {
        self.prepare(recorder, model)?;
        let first = FirstPass::new(model, &self.workspace).ok_or_else(no_features)?;
        let upload = self.workspace.common.upload.as_ref().ok_or_else(no_features)?;
        first.read(recorder, (upload, normalization, model.network.config().image_size), images).await
    }

    /// Adds the gradients of tasks of one size; `numbers` draws each task's subset.
    pub(crate) async fn accumulate(
        &mut self,
        recorder: &mut Recorder,
        model: &Model,
        (tasks, first_task, first_outcome): (&[Task<'_>], u32, u32),
        numbers: &mut [Numbers],
    ) -> Result<(), MetaError> {
        self.prepare(recorder, model)?;
        let draw_seed = |numbers: &mut Numbers| numbers.below(u32::MAX);
        // Before all else, so that what is dropped does not depend on the estimator.
        let drop_seeds = if model.network.drops() { numbers.iter_mut().map(draw_seed).collect() } else { Vec::new() };
        let Draw { members, rows, encoder } = self.draw(model, tasks, numbers)?;
        let support = members.first().map_or(0, Vec::len) as u32;
        let fresh = draws_for_each_batch(model);
        let place = (support, first_outcome, Some(first_task));
        let step = Step::new(model, &self.sizes, (recorder, &self.workspace), tasks, place);
        let mut step = step.with_drops(drop_seeds);
        step.embed(&members).await?;
        let mut subsets = rows.into_iter();
        for batch in step.batches() {
            step.score(batch).await?;
            step.back_propagate_queries(batch).await?;
            if fresh && let Some((subset, factor)) = subsets.next() {
                step.back_propagate_support(&members, &subset, factor).await?;
            }
        }
        if let Some((subset, factor)) = subsets.next() {
            step.back_propagate_support(&members, &subset, factor).await?;
        }
        step.back_propagate_condition(&members, (&encoder.0, encoder.1)).await
    }

    fn draw(&self, model: &Model, tasks: &[Task<'_>], numbers: &mut [Numbers]) -> Result<Draw, MetaError> {
        let gradient = &model.config.gradient;
        let queries = tasks.first().map_or(0, |task| task.query_labels.len());
        let batches = queries.div_ceil(self.sizes.query_batch.max(1) as usize) as u32;
        let fresh = draws_for_each_batch(model);
        let mut all_members = Vec::with_capacity(tasks.len());
        let mut rows = vec![(Vec::new(), 1.0); if fresh { batches as usize } else { 1 }];
        let mut encoder = (Vec::new(), 1.0);
        let mut first = 0;
        for (task, numbers) in tasks.iter().zip(numbers) {
            let members = gradient.members(task.support_labels, task.ways, numbers)?;
            let count = members.len() as u32;
            let mut beside = (Vec::new(), 1.0);
            for (subset, factor) in &mut rows {
                beside = gradient.back_propagated(count, if fresh { 1 } else { batches }, numbers)?;
                subset.extend(beside.0.iter().map(|position| first + position));
                *factor = beside.1;
            }
            if let Some(film) = &model.film {
                let draws = (count, if fresh { 1 } else { batches });
                let (positions, factor) = film.subset.draw(gradient, draws, (&beside.0, beside.1), numbers)?;
                encoder.0.extend(positions.iter().map(|position| first + position));
                encoder.1 = factor;
            }
            first += count;
            all_members.push(members);
        }
        Ok(Draw { members: all_members, rows, encoder })
    }

    /// Learns from the supports and scores the queries; `seen` gets what is to be seen of one task.
    pub(crate) async fn classify(
        &mut self,
        recorder: &mut Recorder,
        model: &Model,
        tasks: &[Task<'_>],
        mut seen: Option<&mut Inspection>,
    ) -> Result<(), MetaError> {
        self.prepare(recorder, model)?;
        let workspace = &self.workspace;
        let row_bytes = 4 * u64::from(model.network.dimension());
        let (support, ways) = tasks.first().map_or((0, 0), |task| (task.support_labels.len() as u32, task.ways));
        let mut step = Step::new(model, &self.sizes, (recorder, &self.workspace), tasks, (support, 0, None));
        let members: Vec<Vec<u32>> = tasks.iter().map(|_| (0..support).collect()).collect();
        step.embed(&members).await?;
        if let Some(seen) = &mut seen {
            let slice = workspace.embeddings.slice(0, u64::from(support) * row_bytes)?;
            seen.support_embeddings = step.recorder.read(slice).await?;
        }
        for batch in step.batches() {
            step.score(batch).await?;
            if let Some(seen) = &mut seen {
                let queries = u64::from(batch.queries);
                let logits = workspace.head.logits().slice(0, 4 * queries * u64::from(ways))?;
                seen.logits.extend(step.recorder.read::<f32>(logits).await?);
                let embeddings = workspace.head.queries().slice(0, queries * row_bytes)?;
                seen.query_embeddings.extend(step.recorder.read::<f32>(embeddings).await?);
            }
        }
        Ok(())
    }

    /// Learns from the supports.
    pub(crate) async fn adapt(
        &mut self,
        recorder: &mut Recorder,
        model: &Model,
        tasks: &[Task<'_>],
    ) -> Result<(), MetaError> {
        self.prepare(recorder, model)?;
        let support = tasks.first().map_or(0, |task| task.support_labels.len() as u32);
        let members: Vec<Vec<u32>> = tasks.iter().map(|_| (0..support).collect()).collect();
        Step::new(model, &self.sizes, (recorder, &self.workspace), tasks, (support, 0, None)).embed(&members).await
    }

    /// Embeds images, `[images, d]`, a piece at a time.
    pub(crate) async fn embed(
        &mut self,
        recorder: &mut Recorder,
        model: &Model,
        images: Images<'_>,
    ) -> Result<Vec<f32>, MetaError> {
        self.prepare(recorder, model)?;
        let count = images.count(model.network.image_elements()) as u32;
        let row = 4 * u64::from(model.network.dimension());
        let room = (self.workspace.embeddings.bytes() / row.max(1)).clamp(1, u64::from(u32::MAX)) as u32;
        let unlabelled =
            Task { ways: 0, support: images, support_labels: &[], query: Images::Values(&[]), query_labels: &[] };
        let mut embeddings = Vec::with_capacity(count as usize * model.network.dimension() as usize);
        for first in (0..count).step_by(room as usize) {
            let piece = room.min(count - first);
            let places: Vec<Place> = (first..first + piece).map(|image| Place { task: 0, image }).collect();
            let tasks = std::slice::from_ref(&unlabelled);
            let mut step = Step::new(model, &self.sizes, (recorder, &self.workspace), tasks, (piece, 0, None));
            step.embed_places(&places).await?;
            let rows = self.workspace.embeddings.slice(0, u64::from(piece) * row)?;
            embeddings.extend(recorder.read::<f32>(rows).await?);
        }
        Ok(embeddings)
    }

    /// Fits the head to one task's embeddings and scores its embedded queries; `seen` gets their
    /// logits.
    pub(crate) async fn classify_embeddings(
        &mut self,
        recorder: &mut Recorder,
        model: &Model,
        task: &Task<'_>,
        (support, queries): (&[f32], &[f32]),
        mut seen: Option<&mut Vec<f32>>,
    ) -> Result<(), MetaError> {
        let tasks = std::slice::from_ref(task);
        let members = task.support_labels.len() as u32;
        let mut step = Step::new(model, &self.sizes, (recorder, &self.workspace), tasks, (members, 0, None));
        step.fit_embeddings(support).await?;
        let dimension = model.network.dimension() as usize;
        for batch in step.batches() {
            let from = batch.first as usize * dimension;
            let rows = queries.get(from..from + batch.queries as usize * dimension).unwrap_or_default();
            step.score_embeddings(batch, rows).await?;
            if let Some(logits) = &mut seen {
                let bytes = 4 * u64::from(batch.queries) * u64::from(task.ways);
                logits.extend(step.recorder.read::<f32>(self.workspace.head.logits().slice(0, bytes)?).await?);
            }
        }
        Ok(())
    }
}

fn draws_for_each_batch(model: &Model) -> bool {
    let gradient = &model.config.gradient;
    gradient.subset == SubsetTime::QueryBatch && gradient.estimator == Estimator::Lite
}
