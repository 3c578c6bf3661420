//! A learner over any extractor: a head, an estimator, and the buffers between them.

use inkling_data::{ImageShape, ImageUpload, Numbers};
use inkling_gpu::{Buffer, Category, Gpu, GpuError, Recorder};
use inkling_nn::{Layout, Weights};

use super::{Extractor, ExtractorUpdate, ImageCoupling, PassRoom};
use crate::heads::{AnyHead, HeadModel};
use crate::learner::outcomes_of;
use crate::model::check_subset_time;
use crate::{
    Estimator, GradientSettings, HeadReport, HeadSettings, LearnerKind, MetaError, OptimizerState, Outcome, Purpose,
    Task, TaskLimits, Update,
};

/// What a learner over an extractor is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct ExtractorConfig {
    /// What adapts to a task: a head.
    pub kind: LearnerKind,
    /// The estimator.
    pub gradient: GradientSettings,
    /// The shape of image bytes, where tasks come as bytes.
    pub source: Option<ImageShape>,
}

/// The buffers between extractor, estimator and head.
#[derive(Debug)]
pub(super) struct Buffers {
    pub(super) images: Buffer,
    pub(super) upload: Option<ImageUpload<Buffer>>,
    pub(super) embeddings: Buffer,
    pub(super) rows: Option<Buffer>,
    pub(super) pass_rows: Option<Buffer>,
    pub(super) indices: Option<Buffer>,
    pub(super) support_labels: Buffer,
    pub(super) query_labels: Buffer,
    pub(super) outcomes: Buffer,
    /// The head's own.
    pub(super) parameters: Buffer,
    pub(super) gradient: Option<Buffer>,
    pub(super) optimizer: Option<OptimizerState<Buffer>>,
    pub(super) head: AnyHead<Buffer>,
}

/// A head and an estimator that train an extractor, one task after the other.
///
/// The kernels of the heads run on the embeddings where the extractor leaves them, and the rows dL/dE
/// are taken from where a head leaves them. What an extractor of someone else allocates is not in the
/// ledger.
#[derive(Debug)]
pub struct ExtractorLearner<E> {
    pub(super) extractor: E,
    pub(super) gradient: GradientSettings,
    pub(super) recorder: Recorder,
    pub(super) buffers: Buffers,
    pub(super) limits: TaskLimits,
    pub(super) room: PassRoom,
    pub(super) query_batch: u32,
    head: HeadModel,
    /// Of the head's own parameters.
    layout: Layout,
    /// Queries of the tasks accumulated since the last update.
    pending: Vec<u32>,
}

impl<E: Extractor> ExtractorLearner<E> {
    /// Allocates what stands between the extractor and the head; the head's own parameters are zero
    /// until [`ExtractorLearner::initialize_head`]. Tasks run one by one: `limits.tasks` counts for nothing.
    ///
    /// # Errors
    /// [`MetaError::Config`] for learners of the whole network, and where extractor, head and
    /// estimator do not go together; device errors.
    pub fn new(
        gpu: &Gpu,
        mut extractor: E,
        config: ExtractorConfig,
        limits: TaskLimits,
        purpose: Purpose,
    ) -> Result<Self, MetaError> {
        let limits = TaskLimits { tasks: 1, ..limits };
        let coupling = extractor.coupling();
        let settings = head_of(&config, coupling)?;
        let mut layout = Layout::default();
        let head = HeadModel::new(settings, &mut layout, extractor.dimension())?;
        check_subset_time(&head, &config.gradient)?;
        let coupled = coupling == Some(ImageCoupling::Statistics);
        let query_batch = if coupled { limits.queries } else { config.gradient.query_batch_of(limits.queries) };
        head.check(limits, query_batch)?;
        let room = rooms(&config.gradient, (limits, query_batch), purpose, coupled);
        let mut recorder = gpu.recorder()?;
        extractor.reserve(&mut recorder, room)?;
        let sizes = Sizes { limits, room, query_batch, purpose, dimension: extractor.dimension() };
        let buffers = Buffers::new(gpu, (&config, &head, &layout), extractor.image(), sizes)?;
        let gradient = config.gradient;
        let pending = Vec::new();
        Ok(Self { extractor, gradient, recorder, buffers, limits, room, query_batch, head, layout, pending })
    }

    /// The extractor.
    pub fn extractor(&self) -> &E {
        &self.extractor
    }

    /// The extractor and the command stream, which its own calls need.
    pub fn parts(&mut self) -> (&mut E, &mut Recorder) {
        (&mut self.extractor, &mut self.recorder)
    }

    /// The extractor, which the learner gives back.
    pub fn into_extractor(self) -> E {
        self.extractor
    }

    /// Gives the head's own parameters their first values; `normal` is a source of standard normal
    /// deviates.
    ///
    /// # Errors
    /// Device errors.
    pub async fn initialize_head(&mut self, mut normal: impl FnMut() -> f32) -> Result<(), MetaError> {
        let mut parameters = vec![0.0; self.layout.elements() as usize];
        self.head.initialize(&mut parameters, &mut normal);
        Ok(self.recorder.upload_values(self.buffers.parameters.all(), &parameters).await?)
    }

    /// Puts the head's own parameters on the device.
    ///
    /// # Errors
    /// [`inkling_nn::NnError::Weights`] lists every misfit; device errors.
    pub async fn set_head_weights(&mut self, weights: &Weights) -> Result<(), MetaError> {
        let [parameters] = weights.to_flat([&self.layout], &[])?;
        Ok(self.recorder.upload_values(self.buffers.parameters.all(), &parameters).await?)
    }

    /// The head's own parameters.
    ///
    /// # Errors
    /// Device errors.
    pub async fn head_weights(&mut self) -> Result<Weights, MetaError> {
        let vector = self.recorder.read(self.buffers.parameters.all()).await?;
        self.named(vector)
    }

    /// The accumulated gradient of the head's own parameters.
    ///
    /// # Errors
    /// Device errors.
    pub async fn head_gradient(&mut self) -> Result<Weights, MetaError> {
        let Some(gradient) = &self.buffers.gradient else { return Ok(Weights::default()) };
        let vector = self.recorder.read(gradient.all()).await?;
        self.named(vector)
    }

    fn named(&self, mut vector: Vec<f32>) -> Result<Weights, MetaError> {
        // A buffer has four bytes at least, also where the head has no parameters.
        vector.truncate(self.layout.elements() as usize);
        let mut weights = Weights::default();
        weights.insert_flat(&self.layout, &vector)?;
        Ok(weights)
    }

    /// What became of the head in the last task; nothing for heads that cannot fail. Reads back: not
    /// for every step.
    ///
    /// # Errors
    /// Device errors.
    pub async fn head_reports(&mut self) -> Result<Vec<HeadReport>, MetaError> {
        Ok(self.buffers.head.reports(&mut self.recorder).await?)
    }

    /// Sets the accumulated gradients to zero.
    pub fn clear_gradient(&mut self) {
        if let Some(gradient) = &self.buffers.gradient {
            self.recorder.clear(gradient.all());
        }
        self.extractor.clear_gradient(&mut self.recorder);
        self.pending.clear();
    }

    /// Adds one task's gradient; `numbers` draws the estimator's subset.
    ///
    /// # Errors
    /// [`MetaError::Task`] and [`MetaError::Config`] for tasks and subsets that do not fit; device
    /// errors.
    pub async fn accumulate(&mut self, task: &Task<'_>, numbers: &mut Numbers) -> Result<(), MetaError> {
        if self.buffers.gradient.is_none() {
            return Err(MetaError::Task("the learner was made without a gradient".into()));
        }
        let first_outcome = self.pending.iter().sum();
        self.check(task, first_outcome)?;
        let place = self.pending.len() as u32;
        self.run_with_gradient(task, (first_outcome, place), numbers).await?;
        self.pending.push(task.query_labels.len() as u32);
        Ok(())
    }

    /// The outcomes of the accumulated tasks.
    ///
    /// # Errors
    /// Device errors.
    pub async fn outcomes(&mut self) -> Result<Vec<Outcome>, MetaError> {
        let pending = self.pending.clone();
        self.read_outcomes(&pending).await
    }

    /// Changes the parameters of the extractor and of the head by the mean gradient of the
    /// accumulated tasks, clears it, and gives each task's outcome. `step` counts from one.
    ///
    /// # Errors
    /// Device errors.
    pub async fn update(&mut self, step: u64, learning_rate: f32, clip_norm: f32) -> Result<Vec<Outcome>, MetaError> {
        let (Some(optimizer), Some(gradient)) = (&self.buffers.optimizer, &self.buffers.gradient) else {
            return Err(MetaError::Task("the learner was made without an optimiser".into()));
        };
        let scale = 1.0 / self.pending.len().max(1) as f32;
        if self.layout.elements() > 0 {
            let update = Update { learning_rate, slower: None, scale, clip_norm };
            optimizer.step(&mut self.recorder, gradient, &self.buffers.parameters, step, update)?;
        }
        let update = ExtractorUpdate { step, learning_rate, scale, clip_norm };
        self.extractor.update(&mut self.recorder, update).await?;
        let outcomes = self.outcomes().await?;
        self.clear_gradient();
        Ok(outcomes)
    }

    /// Learns from the support and classifies the queries, without gradients.
    ///
    /// # Errors
    /// [`MetaError::Task`] for tasks that do not fit; device errors.
    pub async fn evaluate(&mut self, task: &Task<'_>) -> Result<Outcome, MetaError> {
        self.check(task, 0)?;
        self.classify(task).await?;
        let outcomes = self.read_outcomes(&[task.query_labels.len() as u32]).await?;
        Ok(outcomes.first().copied().unwrap_or_default())
    }

    fn check(&self, task: &Task<'_>, first_outcome: u32) -> Result<(), MetaError> {
        let elements = self.extractor.image().iter().map(|&side| u64::from(side)).product();
        task.check(elements, self.limits)?;
        let outcomes = u64::from(first_outcome) + task.query_labels.len() as u64;
        if 8 * outcomes > self.buffers.outcomes.bytes() {
            return Err(MetaError::Task("more tasks in one step than were planned".into()));
        }
        Ok(())
    }

    async fn read_outcomes(&mut self, queries: &[u32]) -> Result<Vec<Outcome>, MetaError> {
        let bytes = 8 * queries.iter().map(|&queries| u64::from(queries)).sum::<u64>();
        let values = self.recorder.read(self.buffers.outcomes.slice(0, bytes)?).await?;
        Ok(outcomes_of(queries, &values))
    }
}

/// The head, where there is one, and nothing of the extractor stands against the estimator.
fn head_of(config: &ExtractorConfig, coupling: Option<ImageCoupling>) -> Result<HeadSettings, MetaError> {
    let settings = match config.kind {
        LearnerKind::Head(settings) => settings,
        LearnerKind::FullNetwork(full) => {
            return Err(MetaError::config(
                "learner.kind",
                full.kind.name(),
                "it differentiates through its own steps on every parameter, for which each layer needs exact \
                 products with its Hessian; an extractor has a forward and a backward pass. Use a head on its \
                 embeddings (prototypes, implicit, ridge ...), or a network of our own with inkling_meta::Learner",
            ));
        }
    };
    let value = match config.gradient.estimator {
        Estimator::Full => return Ok(settings),
        Estimator::Chunked => "chunked",
        Estimator::Lite => "lite",
        Estimator::Subsampled => "subsampled",
    };
    let reason = match coupling {
        None if config.gradient.chunk == 0 => {
            return Err(MetaError::config("gradient.chunk", 0, "a pass needs at least one image"));
        }
        None => return Ok(settings),
        Some(ImageCoupling::Statistics) => {
            "batch statistics couple the images of a pass, so a support gradient cannot be taken image by image; use \
             group norm, freeze the batch norms, or gradient.estimator = \"full\""
        }
        Some(ImageCoupling::Chance) => {
            "the extractor draws values by chance (dropout), so the pass that is back-propagated is not the one that \
             the head has seen; leave the dropout out, freeze it, or use gradient.estimator = \"full\""
        }
    };
    Err(MetaError::config("gradient.estimator", value, reason))
}

/// The passes that wait for their rows at once: under `full` those of the whole support; those of a
/// query batch.
fn rooms(
    gradient: &GradientSettings,
    (limits, query_batch): (TaskLimits, u32),
    purpose: Purpose,
    coupled: bool,
) -> PassRoom {
    let trains = purpose != Purpose::Evaluate;
    let most = limits.support.max(query_batch).max(1);
    let images = if coupled { most } else { gradient.chunk.clamp(1, most) };
    let kept = if gradient.estimator == Estimator::Full { limits.support.div_ceil(images) } else { 0 };
    let passes = if trains { kept + query_batch.div_ceil(images) } else { 1 };
    PassRoom { passes, images, trains }
}

/// What the sizes of buffers follow from.
struct Sizes {
    limits: TaskLimits,
    room: PassRoom,
    query_batch: u32,
    purpose: Purpose,
    dimension: u32,
}

impl Buffers {
    fn new(
        gpu: &Gpu,
        (config, head, layout): (&ExtractorConfig, &HeadModel, &Layout),
        image: [u32; 3],
        sizes: Sizes,
    ) -> Result<Self, GpuError> {
        let Sizes { limits, room, query_batch, purpose, dimension } = sizes;
        let mut allocate = gpu.clone();
        let values = |category, name: &str, elements: u64| gpu.buffer(category, name, 4 * elements);
        let (support, queries, d) = (u64::from(limits.support), u64::from(limits.queries), u64::from(dimension));
        let images = u64::from(room.images);
        let when = |wanted: bool, name: &str, elements: u64| {
            wanted.then(|| values(Category::Embeddings, name, elements)).transpose()
        };
        // Where nothing is kept of the support, its rows are gathered pass by pass.
        let gathers = room.trains && config.gradient.estimator != Estimator::Full;
        let step_tasks = purpose.step_tasks(limits);
        let elements = layout.elements();
        let optimizer = match purpose {
            Purpose::Train { optimizer, .. } => Some(optimizer.allocate(&mut allocate, elements)?),
            Purpose::Evaluate | Purpose::Gradient => None,
        };
        let image_elements: u64 = image.iter().map(|&side| u64::from(side)).product();
        Ok(Self {
            images: values(Category::Images, "images", images * image_elements)?,
            upload: config.source.map(|shape| ImageUpload::new(&mut allocate, shape, room.images)).transpose()?,
            embeddings: values(Category::Embeddings, "embeddings", support * d)?,
            rows: when(room.trains, "rows", support * d)?,
            pass_rows: when(gathers, "pass.rows", images * d)?,
            indices: when(gathers, "pass.indices", images)?,
            support_labels: values(Category::Embeddings, "support.labels", support)?,
            query_labels: values(Category::Embeddings, "query.labels", queries)?,
            outcomes: values(Category::Embeddings, "outcomes", 2 * u64::from(step_tasks) * queries)?,
            parameters: values(Category::Parameters, "head.parameters", u64::from(elements))?,
            gradient: when(room.trains, "head.gradient", u64::from(elements))?,
            optimizer,
            head: head.allocate(&mut allocate, limits, query_batch, purpose.kept_tasks(limits))?,
        })
    }
}
