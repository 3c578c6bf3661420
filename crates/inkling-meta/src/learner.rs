//! A learner: a model with memory and weights on one device. It accumulates the gradients of
//! tasks, updates the weights, and classifies; the phases of one task are in `step`.

use inkling_data::Numbers;
use inkling_gpu::{Buffer, Gpu, Recorder, RecorderStats};
use inkling_nn::Weights;

use crate::head::Head;
use crate::model::Model;
use crate::step::Step;
use crate::task::check_pass;
use crate::workspace::{Purpose, Sizes, Workspace};
use crate::{Estimator, HeadReport, MetaError, SubsetTime, Task, TaskLimits, Update};

/// Mean loss and accuracy of a task's queries.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Mean cross-entropy.
    pub loss: f64,
    /// Share of queries whose label has the highest logit.
    pub accuracy: f64,
}

/// A model with memory and weights on a device.
#[derive(Debug)]
pub struct Learner {
    model: Model,
    limits: TaskLimits,
    sizes: Sizes,
    recorder: Recorder,
    workspace: Workspace<Buffer>,
    /// Tasks accumulated since the last update.
    pending: Vec<u32>,
    packed: bool,
}

impl Learner {
    /// Allocates all that the plan lists; the weights are zero.
    ///
    /// # Errors
    /// Device errors, out of memory among them.
    pub fn new(gpu: &Gpu, model: Model, limits: TaskLimits, purpose: Purpose) -> Result<Self, MetaError> {
        model.head.check(limits)?;
        let recorder = gpu.recorder()?;
        let workspace = Workspace::new(&mut gpu.clone(), &model, limits, purpose)?;
        let sizes = Sizes::new(&model, limits, purpose);
        Ok(Self { model, limits, sizes, recorder, workspace, pending: Vec::new(), packed: false })
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The largest tasks that there is room for, and how many of them at once.
    pub fn limits(&self) -> TaskLimits {
        self.limits
    }

    /// What was recorded so far.
    pub fn stats(&self) -> RecorderStats {
        self.recorder.stats()
    }

    /// The command stream, for profiles.
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// Puts weights on the device; `head.*` may be absent, all else must be there.
    ///
    /// # Errors
    /// [`inkling_nn::NnError::Weights`] lists every misfit; device errors.
    pub async fn set_weights(&mut self, weights: &Weights) -> Result<(), MetaError> {
        let [parameters, running] = weights.to_flat([&self.model.layout, self.model.network.running()], &[])?;
        self.recorder.upload_values(self.workspace.common.parameters.all(), &parameters).await?;
        self.recorder.upload_values(self.workspace.common.running.all(), &running).await?;
        self.packed = false;
        Ok(())
    }

    /// The present weights.
    ///
    /// # Errors
    /// Device errors.
    pub async fn weights(&mut self) -> Result<Weights, MetaError> {
        let mut weights = Weights::default();
        let parameters = self.recorder.read(self.workspace.common.parameters.all()).await?;
        weights.insert_flat(&self.model.layout, &parameters)?;
        let running = self.recorder.read(self.workspace.common.running.all()).await?;
        weights.insert_flat(self.model.network.running(), &running)?;
        Ok(weights)
    }

    /// The optimiser's moments by name; none without an optimiser.
    ///
    /// # Errors
    /// Device errors.
    pub async fn moments(&mut self) -> Result<Vec<(&'static str, Weights)>, MetaError> {
        let mut moments = Vec::new();
        let Some(state) = &self.workspace.common.optimizer else { return Ok(moments) };
        for (name, buffer) in state.names().iter().zip(state.moments()) {
            let vector = self.recorder.read(buffer.all()).await?;
            let mut tensors = Weights::default();
            tensors.insert_flat(&self.model.layout, &vector)?;
            moments.push((*name, tensors));
        }
        Ok(moments)
    }

    /// Puts moments back, in the order of [`Learner::moments`].
    ///
    /// # Errors
    /// [`inkling_nn::NnError::Weights`] lists every misfit; device errors.
    pub async fn set_moments(&mut self, moments: &[Weights]) -> Result<(), MetaError> {
        let Some(state) = &self.workspace.common.optimizer else { return Ok(()) };
        for (buffer, tensors) in state.moments().iter().zip(moments) {
            let [vector] = tensors.to_flat([&self.model.layout], &[])?;
            self.recorder.upload_values(buffer.all(), &vector).await?;
        }
        Ok(())
    }

    /// Names of the optimiser's moments.
    pub fn moment_names(&self) -> &'static [&'static str] {
        self.workspace.common.optimizer.as_ref().map_or(&[], |state| state.names())
    }

    /// Changes the estimator to another that needs no more room: between `chunked`, `lite` and
    /// `subsampled`, with their H.
    ///
    /// # Errors
    /// [`MetaError::Config`] for `full`, whose activations were not planned, or from it.
    pub fn set_estimator(&mut self, estimator: Estimator, h: u32) -> Result<(), MetaError> {
        let present = self.model.config.gradient.estimator;
        if (present == Estimator::Full) != (estimator == Estimator::Full) {
            return Err(MetaError::config("gradient.estimator", "full", "needs a plan of its own; make a new learner"));
        }
        self.model.config.gradient.estimator = estimator;
        self.model.config.gradient.h = h;
        Ok(())
    }

    /// Sets the accumulated gradient to zero.
    pub fn clear_gradient(&mut self) {
        if let Some(gradient) = &self.workspace.common.gradient {
            self.recorder.clear(gradient.all());
        }
        self.pending.clear();
    }

    /// The accumulated gradient, under its parameters' names and shapes.
    ///
    /// # Errors
    /// Device errors.
    pub async fn gradient(&mut self) -> Result<Weights, MetaError> {
        let mut weights = Weights::default();
        if let Some(gradient) = &self.workspace.common.gradient {
            let vector = self.recorder.read(gradient.all()).await?;
            weights.insert_flat(&self.model.layout, &vector)?;
        }
        Ok(weights)
    }

    /// Adds one task's gradient; `numbers` draws the estimator's subset.
    ///
    /// # Errors
    /// As [`Learner::accumulate_pass`].
    pub async fn accumulate(&mut self, task: &Task<'_>, numbers: &mut Numbers) -> Result<(), MetaError> {
        self.accumulate_pass(std::slice::from_ref(task), std::slice::from_mut(numbers)).await
    }

    /// Adds the gradients of tasks of one size, which run side by side; `numbers` draws each task's
    /// subset.
    ///
    /// # Errors
    /// [`MetaError::Task`] and [`MetaError::Config`] for tasks and subsets that do not fit; device
    /// errors.
    pub async fn accumulate_pass(&mut self, tasks: &[Task<'_>], numbers: &mut [Numbers]) -> Result<(), MetaError> {
        let first_outcome: u32 = self.pending.iter().sum();
        self.start(tasks, first_outcome)?;
        let (members, subsets) = self.draw(tasks, numbers)?;
        let support = members.first().map_or(0, Vec::len) as u32;
        let fresh = self.draws_for_each_batch();
        let place = (&mut self.recorder, &self.workspace);
        let mut step = Step::new(&self.model, &self.sizes, place, tasks, (support, first_outcome));
        step.embed(&members).await?;
        let mut subsets = subsets.into_iter();
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
        self.pending.extend(tasks.iter().map(|task| task.query_labels.len() as u32));
        Ok(())
    }

    fn draws_for_each_batch(&self) -> bool {
        let gradient = &self.model.config.gradient;
        gradient.subset == SubsetTime::QueryBatch && gradient.estimator == Estimator::Lite
    }

    /// The members of each task, and the rows to back-propagate, as positions among the members of
    /// all tasks, with their factor: once, or for every query batch.
    fn draw(&self, tasks: &[Task<'_>], numbers: &mut [Numbers]) -> Result<Draw, MetaError> {
        let gradient = &self.model.config.gradient;
        let queries = tasks.first().map_or(0, |task| task.query_labels.len());
        let batches = queries.div_ceil(self.sizes.query_batch.max(1) as usize) as u32;
        let fresh = self.draws_for_each_batch();
        let mut all_members = Vec::with_capacity(tasks.len());
        let mut subsets = vec![(Vec::new(), 1.0); if fresh { batches as usize } else { 1 }];
        let mut first = 0;
        for (task, numbers) in tasks.iter().zip(numbers) {
            let members = gradient.members(task.support_labels, task.ways, numbers)?;
            let count = members.len() as u32;
            for (subset, factor) in &mut subsets {
                let (positions, of_task) = gradient.back_propagated(count, if fresh { 1 } else { batches }, numbers)?;
                subset.extend(positions.iter().map(|position| first + position));
                *factor = of_task;
            }
            first += count;
            all_members.push(members);
        }
        Ok((all_members, subsets))
    }

    /// Updates the weights with the mean gradient of the accumulated tasks, clears it, and gives
    /// each task's outcome and the gradient's norm. `step` counts from one.
    ///
    /// # Errors
    /// Device errors.
    pub async fn update(
        &mut self,
        step: u64,
        learning_rate: f32,
        clip_norm: f32,
    ) -> Result<(Vec<Outcome>, f32), MetaError> {
        let (Some(optimizer), Some(gradient)) = (&self.workspace.common.optimizer, &self.workspace.common.gradient)
        else {
            return Err(MetaError::Task("the learner was made without an optimiser".into()));
        };
        let update = Update { learning_rate, clip_norm, scale: 1.0 / self.pending.len().max(1) as f32 };
        optimizer.step(&mut self.recorder, gradient, &self.workspace.common.parameters, step, update)?;
        self.packed = false;
        // The norm travels behind the outcomes: one read-back for the whole step.
        let queries: u32 = self.pending.iter().sum();
        let behind = self.workspace.common.outcomes.slice(8 * u64::from(queries), optimizer.clip().bytes())?;
        self.recorder.copy(optimizer.clip().all(), behind);
        let values = self.read_outcomes(queries + 1).await?;
        let outcomes = self.outcomes_of(&values);
        self.clear_gradient();
        Ok((outcomes, values.last().copied().unwrap_or(f32::NAN)))
    }

    /// The outcomes of the accumulated tasks.
    ///
    /// # Errors
    /// Device errors.
    pub async fn outcomes(&mut self) -> Result<Vec<Outcome>, MetaError> {
        let queries: u32 = self.pending.iter().sum();
        let values = self.read_outcomes(queries).await?;
        Ok(self.outcomes_of(&values))
    }

    /// What became of the heads of the last pass's tasks; nothing for heads that cannot fail. Reads
    /// back: not for every step.
    ///
    /// # Errors
    /// Device errors.
    pub async fn head_reports(&mut self) -> Result<Vec<HeadReport>, MetaError> {
        Ok(self.workspace.head.reports(&mut self.recorder).await?)
    }

    /// The outcome of each pending task, from `[queries, 2]` values of all of them.
    fn outcomes_of(&self, values: &[f32]) -> Vec<Outcome> {
        let mut rest = values;
        let mut outcomes = Vec::with_capacity(self.pending.len());
        for &queries in &self.pending {
            let (task, after) = rest.split_at_checked(2 * queries as usize).unwrap_or((rest, &[]));
            outcomes.push(mean_outcome(task));
            rest = after;
        }
        outcomes
    }

    /// Learns from the support and classifies the queries, without gradients.
    ///
    /// # Errors
    /// As [`Learner::evaluate_pass`].
    pub async fn evaluate(&mut self, task: &Task<'_>) -> Result<Outcome, MetaError> {
        let outcomes = self.evaluate_pass(std::slice::from_ref(task)).await?;
        Ok(outcomes.first().copied().unwrap_or_default())
    }

    /// Learns from the supports of tasks of one size and classifies their queries, side by side.
    ///
    /// # Errors
    /// [`MetaError::Task`] for tasks that do not fit; device errors.
    pub async fn evaluate_pass(&mut self, tasks: &[Task<'_>]) -> Result<Vec<Outcome>, MetaError> {
        let queries = self.classify(tasks, None).await?;
        let values = self.read_outcomes(queries * tasks.len() as u32).await?;
        Ok(values.chunks(2 * queries.max(1) as usize).map(mean_outcome).collect())
    }

    /// Learns from the support and gives the logits of each query, `[M, W]`.
    ///
    /// # Errors
    /// As [`Learner::evaluate`].
    pub async fn logits(&mut self, task: &Task<'_>) -> Result<Vec<f32>, MetaError> {
        let mut logits = Vec::new();
        self.classify(std::slice::from_ref(task), Some(&mut logits)).await?;
        Ok(logits)
    }

    /// Gives the queries of each task.
    async fn classify(&mut self, tasks: &[Task<'_>], mut logits: Option<&mut Vec<f32>>) -> Result<u32, MetaError> {
        self.start(tasks, 0)?;
        let (support, queries, ways) = tasks
            .first()
            .map_or((0, 0, 0), |task| (task.support_labels.len() as u32, task.query_labels.len() as u32, task.ways));
        let place = (&mut self.recorder, &self.workspace);
        let mut step = Step::new(&self.model, &self.sizes, place, tasks, (support, 0));
        let members: Vec<Vec<u32>> = tasks.iter().map(|_| (0..support).collect()).collect();
        step.embed(&members).await?;
        for batch in step.batches() {
            step.score(batch).await?;
            if let Some(logits) = &mut logits {
                let bytes = 4 * u64::from(batch.queries) * u64::from(ways);
                let slice = self.workspace.head.logits().slice(0, bytes)?;
                logits.extend(step.recorder.read::<f32>(slice).await?);
            }
        }
        Ok(queries)
    }

    /// Checks the tasks of a pass and packs the weights where they have changed.
    fn start(&mut self, tasks: &[Task<'_>], first_outcome: u32) -> Result<(), MetaError> {
        check_pass(tasks, self.model.network.image_elements(), self.limits)?;
        let queries: usize = tasks.iter().map(|task| task.query_labels.len()).sum();
        if 8 * (u64::from(first_outcome) + queries as u64 + 1) > self.workspace.common.outcomes.bytes() {
            return Err(MetaError::Task("more tasks in one step than were planned".into()));
        }
        if !self.packed {
            let (parameters, scratch) = (&self.workspace.common.parameters, &self.workspace.scratch);
            let axis = inkling_nn::TaskAxis::shared(1, self.limits.support);
            self.model.network.prepare(&mut self.recorder, parameters, axis, scratch)?;
            self.packed = true;
        }
        Ok(())
    }

    async fn read_outcomes(&mut self, queries: u32) -> Result<Vec<f32>, MetaError> {
        let slice = self.workspace.common.outcomes.slice(0, 8 * u64::from(queries))?;
        Ok(self.recorder.read(slice).await?)
    }
}

/// The members of each task's support; subsets of all members with the factors of their rows.
type Draw = (Vec<Vec<u32>>, Vec<(Vec<u32>, f32)>);

/// Means in f64: a task may have thousands of queries.
fn mean_outcome(values: &[f32]) -> Outcome {
    let mut sums = (0.0, 0.0);
    for pair in values.chunks_exact(2) {
        if let [loss, correct] = pair {
            sums.0 += f64::from(*loss);
            sums.1 += f64::from(*correct);
        }
    }
    let count = (values.len() / 2).max(1) as f64;
    Outcome { loss: sums.0 / count, accuracy: sums.1 / count }
}
