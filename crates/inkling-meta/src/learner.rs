//! A learner: a network, a head and an estimator on one device, with all buffers planned.
//!
//! A task is learned in the three phases of LITE: embed the support, score and back-propagate the
//! queries batch by batch, back-propagate the support rows that the estimator chooses.

use inkling_data::{ImageShape, Numbers};
use inkling_gpu::{Buffer, Bytes, Gpu, GpuError, Plan, Recorder, RecorderStats, Tier};
use inkling_nn::{Activations, Chunk, Conv4, Conv4Config, Layout, Pass, Weights};

use crate::head::{Head, HeadTask, HeadTensors, QueryBatch};
use crate::workspace::{Purpose, Room, Sizes, Workspace};
use crate::{Estimator, GradientSettings, Images, MetaError, Metric, Prototypes, SubsetTime, Task, TaskLimits, Update};

/// What a learner is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct LearnerConfig {
    /// The network.
    pub network: Conv4Config,
    /// The head's metric.
    pub metric: Metric,
    /// The estimator.
    pub gradient: GradientSettings,
    /// The shape of image bytes, where tasks come as bytes.
    pub source: Option<ImageShape>,
}

/// Mean loss and accuracy of a task's queries.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Mean cross-entropy.
    pub loss: f64,
    /// Share of queries whose label has the highest logit.
    pub accuracy: f64,
}

/// Geometry and layout of a learner, without memory.
#[derive(Clone, Debug)]
pub struct Model {
    config: LearnerConfig,
    network: Conv4,
    head: Prototypes,
    layout: Layout,
}

impl Model {
    /// A model for a device of the given tier.
    ///
    /// # Errors
    /// [`MetaError::Config`] where network, head and estimator do not go together.
    pub fn new(config: LearnerConfig, tier: Tier) -> Result<Self, MetaError> {
        let network = Conv4::new(config.network, tier)?;
        if config.network.norm.couples_images() && config.gradient.estimator != Estimator::Full {
            return Err(MetaError::config(
                "model.norm",
                "batch",
                "batch statistics couple the images of a pass, so a support gradient cannot be taken image by \
                 image; use model.norm = \"group\" (or \"frozen\"), or gradient.estimator = \"full\"",
            ));
        }
        if config.gradient.chunk == 0 {
            return Err(MetaError::config("gradient.chunk", 0, "a pass needs at least one image"));
        }
        let mut layout = network.layout().clone();
        let head = Prototypes::new(&mut layout, config.metric, network.dimension());
        Ok(Self { config, network, head, layout })
    }

    /// The trainable parameters, those of the head last.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The network.
    pub fn network(&self) -> &Conv4 {
        &self.network
    }

    /// What the model is made of.
    pub fn config(&self) -> &LearnerConfig {
        &self.config
    }

    /// The buffers of a learner, without a device.
    ///
    /// # Errors
    /// None in practice: a plan accepts every buffer.
    pub fn plan(&self, limits: TaskLimits, purpose: Purpose) -> Result<Plan, MetaError> {
        let mut plan = Plan::default();
        Workspace::new(&mut plan, &self.config, self.parts(), limits, purpose)?;
        Ok(plan)
    }

    /// Bytes by category of a run: the planned buffers and the recorder's own.
    ///
    /// # Errors
    /// As [`Model::plan`].
    pub fn planned_bytes(&self, limits: TaskLimits, purpose: Purpose) -> Result<Bytes, MetaError> {
        let mut bytes = Recorder::planned_bytes();
        for (category, count) in self.plan(limits, purpose)?.bytes().iter() {
            bytes.add(category, count);
        }
        Ok(bytes)
    }

    /// Initial weights: the network's from `normal`, the head's scale as given.
    ///
    /// # Errors
    /// None in practice: the vectors are of these layouts.
    pub fn initial_weights(&self, normal: impl FnMut() -> f32, scale: f32) -> Result<Weights, MetaError> {
        let (mut parameters, running) = self.network.initialize(normal);
        parameters.resize(self.layout.elements() as usize, 0.0);
        if let Some(value) = self.head.scale_offset().and_then(|offset| parameters.get_mut(offset as usize)) {
            *value = scale;
        }
        let mut weights = Weights::default();
        weights.insert_flat(&self.layout, &parameters)?;
        weights.insert_flat(self.network.running(), &running)?;
        Ok(weights)
    }

    /// Floating-point operations of the convolutions for one task with its gradient: support and
    /// query forward, query backward, and what the estimator does for the support.
    pub fn task_flops(&self, task: TaskLimits) -> f64 {
        let gradient = &self.config.gradient;
        let (forward, backward) = (self.network.forward_flops(), self.network.backward_flops());
        let (support, queries) = (f64::from(task.support), f64::from(task.queries));
        let batches = task.queries.div_ceil(gradient.query_batch_of(task.queries));
        let drawn = f64::from(gradient.h.saturating_mul(batches).min(task.support));
        let support_flops = match gradient.estimator {
            Estimator::Full => support * (forward + backward),
            Estimator::Chunked => support * (2.0 * forward + backward),
            Estimator::Lite => support * forward + drawn * (forward + backward),
            Estimator::Subsampled => f64::from(gradient.h.min(task.support)) * (2.0 * forward + backward),
        };
        support_flops + queries * (forward + backward)
    }

    fn parts(&self) -> (&Conv4, Prototypes, &Layout) {
        (&self.network, self.head, &self.layout)
    }
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

impl std::fmt::Debug for Sizes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "kept {:?}, work {:?}, query batch {}", self.kept, self.work, self.query_batch)
    }
}

impl Learner {
    /// Allocates all that the plan lists; the weights are zero.
    ///
    /// # Errors
    /// Device errors, out of memory among them.
    pub fn new(gpu: &Gpu, model: Model, limits: TaskLimits, purpose: Purpose) -> Result<Self, MetaError> {
        let recorder = gpu.recorder()?;
        let workspace = Workspace::new(&mut gpu.clone(), &model.config, model.parts(), limits, purpose)?;
        let sizes = Sizes::new(&model.config, &model.network, limits, purpose);
        Ok(Self { model, limits, sizes, recorder, workspace, pending: Vec::new(), packed: false })
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
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
        self.recorder.upload_values(self.workspace.parameters.all(), &parameters).await?;
        self.recorder.upload_values(self.workspace.running.all(), &running).await?;
        self.packed = false;
        Ok(())
    }

    /// The present weights.
    ///
    /// # Errors
    /// Device errors.
    pub async fn weights(&mut self) -> Result<Weights, MetaError> {
        let mut weights = Weights::default();
        let parameters = self.recorder.read(self.workspace.parameters.all()).await?;
        weights.insert_flat(&self.model.layout, &parameters)?;
        let running = self.recorder.read(self.workspace.running.all()).await?;
        weights.insert_flat(self.model.network.running(), &running)?;
        Ok(weights)
    }

    /// The optimiser's moments by name; none without an optimiser.
    ///
    /// # Errors
    /// Device errors.
    pub async fn moments(&mut self) -> Result<Vec<(&'static str, Weights)>, MetaError> {
        let mut moments = Vec::new();
        let Some(state) = &self.workspace.optimizer else { return Ok(moments) };
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
        let Some(state) = &self.workspace.optimizer else { return Ok(()) };
        for (buffer, tensors) in state.moments().iter().zip(moments) {
            let [vector] = tensors.to_flat([&self.model.layout], &[])?;
            self.recorder.upload_values(buffer.all(), &vector).await?;
        }
        Ok(())
    }

    /// Names of the optimiser's moments.
    pub fn moment_names(&self) -> &'static [&'static str] {
        self.workspace.optimizer.as_ref().map_or(&[], |state| state.names())
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
        if let Some(gradient) = &self.workspace.gradient {
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
        if let Some(gradient) = &self.workspace.gradient {
            let vector = self.recorder.read(gradient.all()).await?;
            weights.insert_flat(&self.model.layout, &vector)?;
        }
        Ok(weights)
    }

    /// Adds one task's gradient; `numbers` draws the estimator's subset.
    ///
    /// # Errors
    /// [`MetaError::Task`] and [`MetaError::Config`] for tasks and subsets that do not fit; device
    /// errors.
    pub async fn accumulate(&mut self, task: &Task<'_>, numbers: &mut Numbers) -> Result<(), MetaError> {
        let first_outcome: u32 = self.pending.iter().sum();
        let queries = self.start(task, first_outcome).await?;
        let gradient = &self.model.config.gradient;
        let members = gradient.members(task.support_labels, task.ways, numbers)?;
        let batches = task.query_labels.len().div_ceil(self.sizes.query_batch as usize) as u32;
        let fresh = gradient.subset == SubsetTime::QueryBatch && gradient.estimator == Estimator::Lite;
        let subsets = (0..if fresh { batches } else { 1 })
            .map(|_| gradient.back_propagated(members.len() as u32, if fresh { 1 } else { batches }, numbers))
            .collect::<Result<Vec<_>, _>>()?;
        let mut step = Step {
            model: &self.model,
            sizes: &self.sizes,
            recorder: &mut self.recorder,
            workspace: &self.workspace,
            task,
            head_task: HeadTask { ways: task.ways, support: members.len() as u32, queries },
            first_outcome,
        };
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
        self.pending.push(queries);
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
        let (Some(optimizer), Some(gradient)) = (&self.workspace.optimizer, &self.workspace.gradient) else {
            return Err(MetaError::Task("the learner was made without an optimiser".into()));
        };
        let update = Update { learning_rate, clip_norm, scale: 1.0 / self.pending.len().max(1) as f32 };
        optimizer.step(&mut self.recorder, gradient, &self.workspace.parameters, step, update)?;
        self.packed = false;
        // The norm travels behind the outcomes: one read-back for the whole step.
        let queries: u32 = self.pending.iter().sum();
        let behind = self.workspace.outcomes.slice(8 * u64::from(queries), optimizer.clip().bytes())?;
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
    /// [`MetaError::Task`] for tasks that do not fit; device errors.
    pub async fn evaluate(&mut self, task: &Task<'_>) -> Result<Outcome, MetaError> {
        let queries = self.classify(task, None).await?;
        let values = self.read_outcomes(queries).await?;
        Ok(mean_outcome(&values))
    }

    /// Learns from the support and gives the logits of each query, `[M, W]`.
    ///
    /// # Errors
    /// As [`Learner::evaluate`].
    pub async fn logits(&mut self, task: &Task<'_>) -> Result<Vec<f32>, MetaError> {
        let mut logits = Vec::new();
        self.classify(task, Some(&mut logits)).await?;
        Ok(logits)
    }

    async fn classify(&mut self, task: &Task<'_>, mut logits: Option<&mut Vec<f32>>) -> Result<u32, MetaError> {
        let queries = self.start(task, 0).await?;
        let support = task.support_labels.len() as u32;
        let mut step = Step {
            model: &self.model,
            sizes: &self.sizes,
            recorder: &mut self.recorder,
            workspace: &self.workspace,
            task,
            head_task: HeadTask { ways: task.ways, support, queries },
            first_outcome: 0,
        };
        let members: Vec<u32> = (0..support).collect();
        step.embed(&members).await?;
        for batch in step.batches() {
            step.score(batch).await?;
            if let Some(logits) = &mut logits {
                let bytes = 4 * u64::from(batch.queries) * u64::from(task.ways);
                let slice = self.workspace.head.logits().slice(0, bytes)?;
                logits.extend(step.recorder.read::<f32>(slice).await?);
            }
        }
        Ok(queries)
    }

    /// Checks a task and packs the weights where they have changed.
    async fn start(&mut self, task: &Task<'_>, first_outcome: u32) -> Result<u32, MetaError> {
        task.check(self.model.network.image_elements(), self.limits)?;
        let queries = task.query_labels.len() as u32;
        if 8 * u64::from(first_outcome + queries + 1) > self.workspace.outcomes.bytes() {
            return Err(MetaError::Task("more tasks in one step than were planned".into()));
        }
        if !self.packed {
            let scratch = &self.workspace.scratch;
            self.model.network.prepare(&mut self.recorder, &self.workspace.parameters, scratch)?;
            self.packed = true;
        }
        Ok(queries)
    }

    async fn read_outcomes(&mut self, queries: u32) -> Result<Vec<f32>, MetaError> {
        let slice = self.workspace.outcomes.slice(0, 8 * u64::from(queries))?;
        Ok(self.recorder.read(slice).await?)
    }
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
    Outcome { loss: sums.0 / count, accuracy: sums.1 / count }
}

/// One task on its way through the phases.
struct Step<'l> {
    model: &'l Model,
    sizes: &'l Sizes,
    recorder: &'l mut Recorder,
    workspace: &'l Workspace<Buffer>,
    task: &'l Task<'l>,
    head_task: HeadTask,
    first_outcome: u32,
}

impl<'l> Step<'l> {
    fn tensors(&self) -> HeadTensors<'l> {
        HeadTensors {
            parameters: &self.workspace.parameters,
            embeddings: &self.workspace.embeddings,
            support_labels: &self.workspace.support_labels,
            query_labels: &self.workspace.query_labels,
            outcomes: &self.workspace.outcomes,
            first_outcome: self.first_outcome,
        }
    }

    fn pass(&self) -> Pass<'l> {
        Pass {
            parameters: &self.workspace.parameters,
            running: &self.workspace.running,
            scratch: &self.workspace.scratch,
        }
    }

    fn batches(&self) -> Vec<QueryBatch> {
        let (queries, size) = (self.head_task.queries, self.sizes.query_batch);
        (0..queries.div_ceil(size))
            .map(|index| QueryBatch { first: index * size, queries: size.min(queries - index * size) })
            .collect()
    }

    /// Lays `images` images into the rooms, filling each before the next.
    fn chunks(&self, rooms: &'l [Room<Activations<Buffer>>], images: u32) -> Vec<Chunk<'l>> {
        let mut chunks = Vec::new();
        let mut first_row = 0;
        for (index, room) in rooms.iter().enumerate() {
            let gradients = self.workspace.gradients.get(index).or_else(|| self.workspace.gradients.first());
            let count = room.images.min(images - first_row);
            if let (Some(gradients), true) = (gradients, count > 0) {
                let chunk =
                    Chunk { images: count, activations: &room.buffers, gradients: &gradients.buffers, first_row };
                chunks.push(chunk);
                first_row += count;
            }
        }
        chunks
    }

    /// Where the norm couples images all chunks are one pass; otherwise each is its own.
    fn passes<'c>(&self, chunks: &'c [Chunk<'l>]) -> Vec<&'c [Chunk<'l>]> {
        let coupled = self.model.network.config().norm.couples_images();
        chunks.chunks(if coupled { chunks.len().max(1) } else { 1 }).collect()
    }

    /// Phase 1: embeds the members of the support and fits the head.
    async fn embed(&mut self, members: &[u32]) -> Result<(), MetaError> {
        let label = |&index: &u32| self.task.support_labels.get(index as usize).copied().unwrap_or(0);
        let labels: Vec<u32> = members.iter().map(label).collect();
        self.recorder.upload_values(self.workspace.support_labels.all(), &labels).await?;
        self.recorder.upload_values(self.workspace.query_labels.all(), self.task.query_labels).await?;
        let coupled = self.model.network.config().norm.couples_images();
        let embeddings = &self.workspace.embeddings;
        if self.workspace.kept.is_empty() && !coupled {
            let room = self.workspace.work.first().map_or(1, |room| room.images);
            for (index, indices) in members.chunks(self.chunk_images(room)).enumerate() {
                let mut chunks = self.chunks(&self.workspace.work, indices.len() as u32);
                for chunk in &mut chunks {
                    chunk.first_row = index as u32 * self.chunk_images(room) as u32;
                }
                self.forward(&chunks, self.task.support, indices, embeddings).await?;
            }
        } else {
            let rooms = if self.workspace.kept.is_empty() { &self.workspace.work } else { &self.workspace.kept };
            let chunks = self.chunks(rooms, members.len() as u32);
            self.forward(&chunks, self.task.support, members, embeddings).await?;
        }
        self.workspace.head.fit(self.recorder, self.head_task, self.tensors())?;
        Ok(())
    }

    /// C, within the room that the query batches may have made larger.
    fn chunk_images(&self, room: u32) -> usize {
        self.model.config.gradient.chunk.clamp(1, room) as usize
    }

    /// Loads the images of all chunks, which together hold `indices`, and embeds them.
    async fn forward(
        &mut self,
        chunks: &[Chunk<'l>],
        images: Images<'_>,
        indices: &[u32],
        embeddings: &Buffer,
    ) -> Result<(), MetaError> {
        let mut rest = indices;
        for chunks in self.passes(chunks) {
            for chunk in chunks {
                let (part, after) = rest.split_at_checked(chunk.images as usize).unwrap_or((rest, &[]));
                self.load(images, part, &chunk.activations.images).await?;
                rest = after;
            }
            self.model.network.forward(self.recorder, self.pass(), chunks, embeddings).await?;
        }
        Ok(())
    }

    async fn load(&mut self, images: Images<'_>, indices: &[u32], to: &Buffer) -> Result<(), MetaError> {
        let missing = || MetaError::Task("an image index beyond the task; this is a fault of the program".into());
        match images {
            Images::Values(values) => {
                let length = self.model.network.image_elements() as usize;
                let mut chunk = Vec::with_capacity(indices.len() * length);
                for &index in indices {
                    let from = index as usize * length;
                    chunk.extend_from_slice(values.get(from..from + length).ok_or_else(missing)?);
                }
                self.recorder.upload_values(to.all(), &chunk).await?;
            }
            Images::Bytes { pixels, affines, normalization } => {
                let Some(upload) = &self.workspace.upload else {
                    return Err(MetaError::Task("the learner was made for images as values".into()));
                };
                let one = |&index: &u32| Some((pixels.get(index as usize)?, *affines.get(index as usize)?));
                let chunk: Vec<_> = indices.iter().map(one).collect::<Option<_>>().ok_or_else(missing)?;
                let size = self.model.network.config().image_size;
                upload.load(self.recorder, &chunk, normalization, size, to).await?;
            }
        }
        Ok(())
    }

    /// Phase 2, forward: embeds and scores a batch of queries.
    async fn score(&mut self, batch: QueryBatch) -> Result<(), MetaError> {
        let chunks = self.chunks(&self.workspace.work, batch.queries);
        let indices: Vec<u32> = (batch.first..batch.first + batch.queries).collect();
        let head = &self.workspace.head;
        self.forward(&chunks, self.task.query, &indices, head.queries()).await?;
        head.score(self.recorder, self.head_task, batch, self.tensors())?;
        Ok(())
    }

    /// Phase 2, backward: back-propagates the batch that was scored last.
    async fn back_propagate_queries(&mut self, batch: QueryBatch) -> Result<(), MetaError> {
        let Some(gradient) = &self.workspace.gradient else { return Ok(()) };
        let head = &self.workspace.head;
        head.backward(self.recorder, self.head_task, batch, self.tensors(), gradient)?;
        let chunks = self.chunks(&self.workspace.work, batch.queries);
        self.backward(&chunks, head.d_queries(), gradient).await?;
        Ok(())
    }

    async fn backward(&mut self, chunks: &[Chunk<'l>], rows: &Buffer, gradient: &Buffer) -> Result<(), GpuError> {
        for chunks in self.passes(chunks) {
            self.model.network.backward(self.recorder, self.pass(), chunks, rows, gradient).await?;
        }
        Ok(())
    }

    /// Phase 3: back-propagates the rows of `subset` (positions among `members`), scaled.
    async fn back_propagate_support(&mut self, members: &[u32], subset: &[u32], factor: f32) -> Result<(), MetaError> {
        let (Some(gradient), Some(rows)) = (&self.workspace.gradient, &self.workspace.rows) else { return Ok(()) };
        self.workspace.head.finish(self.recorder, self.head_task, self.tensors(), rows)?;
        if !self.workspace.kept.is_empty() {
            let chunks = self.chunks(&self.workspace.kept, members.len() as u32);
            self.backward(&chunks, rows, gradient).await?;
            return Ok(());
        }
        let (Some(chunk_rows), Some(indices)) = (&self.workspace.chunk_rows, &self.workspace.chunk_indices) else {
            return Ok(());
        };
        let room = self.workspace.work.first().map_or(1, |room| room.images);
        for positions in subset.chunks(self.chunk_images(room)) {
            let image = |&position: &u32| members.get(position as usize).copied().unwrap_or(0);
            let images: Vec<u32> = positions.iter().map(image).collect();
            let chunks = self.chunks(&self.workspace.work, positions.len() as u32);
            // The embeddings come out again; the gathered rows then take their place.
            self.forward(&chunks, self.task.support, &images, chunk_rows).await?;
            self.recorder.upload_values(indices.all(), positions).await?;
            let params = inkling_gpu::kernels::gather_rows::Params {
                rows: positions.len() as u32,
                dimension: self.model.network.dimension(),
                scale: factor,
            };
            let buffers = inkling_gpu::kernels::gather_rows::Buffers {
                source: rows.all(),
                indices: indices.all(),
                destination: chunk_rows.all(),
            };
            let values = positions.len() as u64 * u64::from(self.model.network.dimension());
            self.recorder.dispatch(params, buffers, values)?;
            self.backward(&chunks, chunk_rows, gradient).await?;
        }
        Ok(())
    }
}
