//! A learner: a model with memory and weights on one device. It accumulates the gradients of
//! tasks, updates the weights, and classifies; how a pass of tasks runs is the engine's.

use inkling_data::Numbers;
use inkling_gpu::{Gpu, Recorder, RecorderStats};
use inkling_nn::{Layout, Weights};

use crate::engine::Engine;
use crate::model::{LearnerKind, Model};
use crate::solve::SolveReport;
use crate::task::check_pass;
use crate::workspace::Purpose;
use crate::{EncoderSubset, Estimator, HeadReport, MetaError, Task, TaskLimits, TaskStatus, Update};

/// Mean loss and accuracy of a task's queries, and what has become of the task.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Mean cross-entropy.
    pub loss: f64,
    /// Share of queries whose label has the highest logit.
    pub accuracy: f64,
    /// Whether the task could be solved; where not, loss and accuracy may not be numbers.
    pub status: TaskStatus,
}

/// What a learner makes of one task.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inspection {
    /// The logits of each query, `[M, W]`.
    pub logits: Vec<f32>,
    /// The embeddings of the support, `[N, d]`; none of a learner that adapts the whole network.
    pub support_embeddings: Vec<f32>,
    /// The embeddings of the queries, `[M, d]`; none of a learner that adapts the whole network.
    pub query_embeddings: Vec<f32>,
}

/// A model with memory and weights on a device.
#[derive(Debug)]
pub struct Learner {
    model: Model,
    limits: TaskLimits,
    recorder: Recorder,
    engine: Engine,
    /// Tasks accumulated since the last update.
    pending: Vec<u32>,
    /// The factor of the backbone's learning rate.
    backbone_factor: f32,
}

impl Learner {
    /// Allocates all that the plan lists; the weights are zero.
    ///
    /// # Errors
    /// Device errors, out of memory among them.
    pub fn new(gpu: &Gpu, model: Model, limits: TaskLimits, purpose: Purpose) -> Result<Self, MetaError> {
        model.check(limits)?;
        model.check_purpose(purpose)?;
        let recorder = gpu.recorder()?;
        let engine = Engine::new(gpu, &model, limits, purpose)?;
        Ok(Self { model, limits, recorder, engine, pending: Vec::new(), backbone_factor: 1.0 })
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The largest tasks that there is room for, and how many of them at once.
    pub fn limits(&self) -> TaskLimits {
        self.limits
    }

    /// What works on a pass: memory, command stream, model.
    pub(crate) fn parts(&mut self) -> (&mut Engine, &mut Recorder, &Model) {
        (&mut self.engine, &mut self.recorder, &self.model)
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
        let network = &self.model.network;
        let unused = Layout::default();
        let base = self.model.base().unwrap_or(&unused);
        let layouts = [&self.model.layout, network.running(), network.frozen(), base];
        let [parameters, running, frozen, base] = weights.to_flat(layouts, &[])?;
        if let Some(to) = self.engine.base() {
            self.recorder.upload_values(to.all(), &base).await?;
        }
        if let Some(to) = &self.engine.common().frozen {
            self.recorder.upload_values(to.all(), &frozen).await?;
        }
        self.recorder.upload_values(self.engine.common().parameters.all(), &parameters).await?;
        self.recorder.upload_values(self.engine.common().running.all(), &running).await?;
        self.engine.forget_weights();
        self.engine.forget_frozen_weights();
        Ok(())
    }

    /// The present weights.
    ///
    /// # Errors
    /// Device errors.
    pub async fn weights(&mut self) -> Result<Weights, MetaError> {
        let mut weights = Weights::default();
        let parameters = self.recorder.read(self.engine.common().parameters.all()).await?;
        weights.insert_flat(&self.model.layout, &parameters)?;
        let running = self.recorder.read(self.engine.common().running.all()).await?;
        weights.insert_flat(self.model.network.running(), &running)?;
        if let (Some(base), Some(layout)) = (self.engine.base(), self.model.base()) {
            let base = self.recorder.read(base.all()).await?;
            weights.insert_flat(layout, &base)?;
        }
        if let Some(frozen) = &self.engine.common().frozen {
            let frozen = self.recorder.read(frozen.all()).await?;
            weights.insert_flat(self.model.network.frozen(), &frozen)?;
        }
        Ok(weights)
    }

    /// The optimiser's moments by name; none without an optimiser.
    ///
    /// # Errors
    /// Device errors.
    pub async fn moments(&mut self) -> Result<Vec<(&'static str, Weights)>, MetaError> {
        let mut moments = Vec::new();
        let Some(state) = &self.engine.common().optimizer else { return Ok(moments) };
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
        let Some(state) = &self.engine.common().optimizer else { return Ok(()) };
        for (buffer, tensors) in state.moments().iter().zip(moments) {
            let [vector] = tensors.to_flat([&self.model.layout], &[])?;
            self.recorder.upload_values(buffer.all(), &vector).await?;
        }
        Ok(())
    }

    /// What the head keeps for the tasks of a step between two steps, `[tasks, ·]` each: its warm
    /// starts by name; nothing for heads without.
    ///
    /// # Errors
    /// Device errors.
    pub async fn warm_starts(&mut self) -> Result<Vec<(&'static str, Vec<f32>)>, MetaError> {
        let Engine::Head(engine) = &self.engine else { return Ok(Vec::new()) };
        let mut vectors = Vec::new();
        for (name, buffer) in engine.workspace.head.warm_starts() {
            vectors.push((name, self.recorder.read(buffer.all()).await?));
        }
        Ok(vectors)
    }

    /// Puts warm starts back, in the order of [`Learner::warm_starts`].
    ///
    /// # Errors
    /// [`MetaError::Task`] where they belong to another number of tasks; device errors.
    pub async fn set_warm_starts(&mut self, vectors: &[Vec<f32>]) -> Result<(), MetaError> {
        let Engine::Head(engine) = &self.engine else { return Ok(()) };
        for ((name, buffer), values) in engine.workspace.head.warm_starts().into_iter().zip(vectors) {
            if 4 * values.len() as u64 != buffer.bytes() {
                let found = values.len();
                return Err(MetaError::Task(format!(
                    "{name} has {found} values, which is not what this task list keeps"
                )));
            }
            self.recorder.upload_values(buffer.all(), values).await?;
        }
        Ok(())
    }

    /// Names of the optimiser's moments.
    pub fn moment_names(&self) -> &'static [&'static str] {
        self.engine.common().optimizer.as_ref().map_or(&[], |state| state.names())
    }

    /// Changes the estimator to another that needs no more room: between `chunked`, `lite` and
    /// `subsampled`, with their H.
    ///
    /// # Errors
    /// [`MetaError::Config`] for `full`, whose activations were not planned, or from it.
    pub fn set_estimator(&mut self, estimator: Estimator, h: u32) -> Result<(), MetaError> {
        if let LearnerKind::FullNetwork(settings) = self.model.config.kind {
            settings.check_estimator(estimator)?;
        }
        let present = self.model.config.gradient.estimator;
        if (present == Estimator::Full) != (estimator == Estimator::Full) {
            return Err(MetaError::config("gradient.estimator", "full", "needs a plan of its own; make a new learner"));
        }
        self.model.config.gradient.estimator = estimator;
        self.model.config.gradient.h = h;
        Ok(())
    }

    /// Changes the draw for the set encoder of FiLM; of no meaning to learners without.
    pub fn set_encoder_subset(&mut self, subset: EncoderSubset) {
        if let Some(film) = &mut self.model.film {
            film.subset = subset;
        }
    }

    /// From now on updates change the backbone at this factor of the learning rate; papers that start
    /// from pretrained weights use 0.1.
    pub fn set_backbone_factor(&mut self, factor: f32) {
        self.backbone_factor = factor;
    }

    /// Whether MAML leaves its Hessians out from now on, as in the first steps of MAML++ (Antoniou et
    /// al. 2019). Other learners have no such choice.
    pub fn set_first_order(&mut self, first_order: bool) {
        if let Engine::FullNetwork(engine) = &mut self.engine {
            engine.first_order = first_order;
        }
    }

    /// What became of the heads of the last pass's tasks; nothing for heads that cannot fail, nor for
    /// learners without a head. Reads back: not for every step.
    ///
    /// # Errors
    /// Device errors.
    pub async fn head_reports(&mut self) -> Result<Vec<HeadReport>, MetaError> {
        match &self.engine {
            Engine::Head(engine) => Ok(engine.workspace.head.reports(&mut self.recorder).await?),
            Engine::FullNetwork(_) => Ok(Vec::new()),
        }
    }

    /// How conjugate gradient fared for the tasks of the last pass; nothing for learners without
    /// one. Reads back: not for every step.
    ///
    /// # Errors
    /// Device errors.
    pub async fn solve_reports(&mut self) -> Result<Vec<SolveReport>, MetaError> {
        match &self.engine {
            Engine::FullNetwork(engine) => engine.solve_reports(&mut self.recorder).await,
            Engine::Head(engine) => {
                let reports = engine.workspace.head.reports(&mut self.recorder).await?;
                Ok(reports.into_iter().filter_map(|report| report.solve).collect())
            }
        }
    }

    /// Sets the accumulated gradient to zero.
    pub fn clear_gradient(&mut self) {
        if let Some(gradient) = &self.engine.common().gradient {
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
        if let Some(gradient) = &self.engine.common().gradient {
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
        let first_task = self.pending.len() as u32;
        match &mut self.engine {
            Engine::Head(engine) => {
                engine.accumulate(&mut self.recorder, &self.model, (tasks, first_task, first_outcome), numbers).await?;
            }
            Engine::FullNetwork(engine) => {
                let place = (first_task, first_outcome);
                engine.accumulate(&mut self.recorder, &self.model, tasks, place).await?;
            }
        }
        self.pending.extend(tasks.iter().map(|task| task.query_labels.len() as u32));
        Ok(())
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
        self.engine.forget_weights();
        let common = self.engine.common();
        let (Some(optimizer), Some(gradient)) = (&common.optimizer, &common.gradient) else {
            return Err(MetaError::Task("the learner was made without an optimiser".into()));
        };
        // The parameters of a network that FiLM adapts are not updated themselves.
        let of_backbone = if self.model.film.is_some() { 0 } else { self.model.network.layout().elements() };
        let update = Update {
            learning_rate,
            slower: (self.backbone_factor != 1.0).then_some((of_backbone, self.backbone_factor)),
            clip_norm,
            scale: 1.0 / self.pending.len().max(1) as f32,
        };
        optimizer.step(&mut self.recorder, gradient, &common.parameters, step, update)?;
        // The norm travels behind the outcomes: one read-back for the whole step.
        let queries: u32 = self.pending.iter().sum();
        let behind = common.outcomes.slice(8 * u64::from(queries), optimizer.clip().bytes())?;
        self.recorder.copy(optimizer.clip().all(), behind);
        let values = self.read_outcomes(self.pending.len(), queries).await?;
        let outcomes = outcomes_of(&self.pending, &values);
        self.clear_gradient();
        Ok((outcomes, values.get(2 * queries as usize + 1).copied().unwrap_or(f32::NAN)))
    }

    /// The outcomes of the accumulated tasks.
    ///
    /// # Errors
    /// Device errors.
    pub async fn outcomes(&mut self) -> Result<Vec<Outcome>, MetaError> {
        let queries: u32 = self.pending.iter().sum();
        let values = self.read_outcomes(self.pending.len(), queries).await?;
        Ok(outcomes_of(&self.pending, &values))
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
        let values = self.read_outcomes(tasks.len(), queries * tasks.len() as u32).await?;
        Ok(outcomes_of(&vec![queries; tasks.len()], &values))
    }

    /// Learns from the support and gives the logits of each query, `[M, W]`.
    ///
    /// # Errors
    /// As [`Learner::evaluate`].
    pub async fn logits(&mut self, task: &Task<'_>) -> Result<Vec<f32>, MetaError> {
        Ok(self.inspect(task).await?.logits)
    }

    /// Learns from the support and classifies the queries, and gives all that is to be seen of it.
    /// Takes no memory beyond the plan.
    ///
    /// # Errors
    /// As [`Learner::evaluate`].
    pub async fn inspect(&mut self, task: &Task<'_>) -> Result<Inspection, MetaError> {
        let mut seen = Inspection::default();
        self.classify(std::slice::from_ref(task), Some(&mut seen)).await?;
        Ok(seen)
    }

    /// Learns from the support alone, and waits until the device has done it: what adapting takes
    /// before the first query.
    ///
    /// # Errors
    /// As [`Learner::evaluate`].
    pub async fn adapt(&mut self, task: &Task<'_>) -> Result<(), MetaError> {
        let tasks = std::slice::from_ref(task);
        self.start(tasks, 0)?;
        match &mut self.engine {
            Engine::Head(engine) => engine.adapt(&mut self.recorder, &self.model, tasks).await?,
            Engine::FullNetwork(engine) => engine.adapt(&mut self.recorder, &self.model, tasks).await?,
        }
        Ok(self.recorder.finish().await?)
    }

    /// Gives the queries of each task.
    async fn classify(&mut self, tasks: &[Task<'_>], seen: Option<&mut Inspection>) -> Result<u32, MetaError> {
        self.start(tasks, 0)?;
        match &mut self.engine {
            Engine::Head(engine) => engine.classify(&mut self.recorder, &self.model, tasks, seen).await?,
            Engine::FullNetwork(engine) => {
                let logits = seen.map(|seen| &mut seen.logits);
                engine.classify(&mut self.recorder, &self.model, tasks, logits).await?;
            }
        }
        Ok(tasks.first().map_or(0, |task| task.query_labels.len() as u32))
    }

    /// The outcome of one task that was scored last.
    pub(crate) async fn outcome_of_one(&mut self, queries: u32) -> Result<Outcome, MetaError> {
        let values = self.read_outcomes(1, queries).await?;
        Ok(outcomes_of(&[queries], &values).first().copied().unwrap_or_default())
    }

    /// Checks the tasks of a pass.
    fn start(&mut self, tasks: &[Task<'_>], first_outcome: u32) -> Result<(), MetaError> {
        check_pass(tasks, self.model.network.image_elements(), self.limits)?;
        let queries: usize = tasks.iter().map(|task| task.query_labels.len()).sum();
        if 8 * (u64::from(first_outcome) + queries as u64 + 1) > self.engine.common().outcomes.bytes() {
            return Err(MetaError::Task("more tasks in one step than were planned".into()));
        }
        Ok(())
    }

    /// `[queries, 2]` outcomes, a row for the gradient's norm, and the status of each task where the
    /// learner has one.
    async fn read_outcomes(&mut self, tasks: usize, queries: u32) -> Result<Vec<f32>, MetaError> {
        let outcomes = &self.engine.common().outcomes;
        let mut bytes = 8 * (u64::from(queries) + 1);
        if let Some(status) = self.engine.status() {
            let statuses = 4 * tasks as u64;
            self.recorder.copy(status.slice(0, statuses)?, outcomes.slice(bytes, statuses)?);
            bytes += statuses;
        }
        Ok(self.recorder.read(outcomes.slice(0, bytes)?).await?)
    }
}

/// The outcome of each task, by its number of queries, from what was read.
pub(crate) fn outcomes_of(queries: &[u32], values: &[f32]) -> Vec<Outcome> {
    let all: u32 = queries.iter().sum();
    let (mut rest, behind) = values.split_at_checked(2 * all as usize).unwrap_or((values, &[]));
    let mut outcomes = Vec::with_capacity(queries.len());
    for (index, &queries) in queries.iter().enumerate() {
        let (task, after) = rest.split_at_checked(2 * queries as usize).unwrap_or((rest, &[]));
        let status = behind.get(2 + index).map_or(TaskStatus::Solved, |&code| TaskStatus::of(code));
        outcomes.push(Outcome { status, ..mean_outcome(task) });
        rest = after;
    }
    outcomes
}

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
    Outcome { loss: sums.0 / count, accuracy: sums.1 / count, status: TaskStatus::Solved }
}
