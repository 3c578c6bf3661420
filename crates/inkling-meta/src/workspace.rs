//! Every buffer of a learner, handed out by a device or written down by a plan.

use inkling_data::{ImageShape, ImageUpload};
use inkling_gpu::{Allocate, Category, GpuError};
use inkling_nn::{Activations, Conv4, Gradients, Layout, Scratch};

use crate::model::LearnerConfig;
use crate::{Estimator, Optimizer, OptimizerState, PrototypeHead, Prototypes, TaskLimits};

/// No activation of one chunk exceeds this, so that each fits one binding.
const MAX_ACTIVATION_BYTES: u64 = 128 << 20;

/// What a learner is for, and so which buffers it needs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Purpose {
    /// Forward passes only.
    Evaluate,
    /// Gradients, without updates.
    Gradient,
    /// Gradients and updates; a step averages over `tasks_per_step` tasks.
    Train {
        /// The update rule.
        optimizer: Optimizer,
        /// Tasks of one step.
        tasks_per_step: u32,
    },
}

/// A chunk's activations with the number of images that fit.
#[derive(Debug)]
pub struct Room<T> {
    pub(crate) images: u32,
    pub(crate) buffers: T,
}

/// All buffers of a learner.
#[derive(Debug)]
pub struct Workspace<B> {
    pub(crate) parameters: B,
    pub(crate) running: B,
    pub(crate) gradient: Option<B>,
    pub(crate) optimizer: Option<OptimizerState<B>>,
    pub(crate) upload: Option<ImageUpload<B>>,
    /// `full`: the activations of the whole support, chunk by chunk.
    pub(crate) kept: Vec<Room<Activations<B>>>,
    /// The chunk at work: query batches, and support images that are not kept. Several only where
    /// the norm couples the images of a pass.
    pub(crate) work: Vec<Room<Activations<B>>>,
    /// One for each chunk of a coupled pass, else one.
    pub(crate) gradients: Vec<Room<Gradients<B>>>,
    pub(crate) scratch: Scratch<B>,
    pub(crate) embeddings: B,
    pub(crate) rows: Option<B>,
    pub(crate) chunk_rows: Option<B>,
    pub(crate) chunk_indices: Option<B>,
    pub(crate) support_labels: B,
    pub(crate) query_labels: B,
    pub(crate) outcomes: B,
    pub(crate) head: PrototypeHead<B>,
}

/// The sizes that everything else follows from.
#[derive(Debug)]
pub(crate) struct Sizes {
    /// Images of each kept chunk.
    pub(crate) kept: Vec<u32>,
    /// Images of each chunk at work.
    pub(crate) work: Vec<u32>,
    /// M_b.
    pub(crate) query_batch: u32,
}

impl Sizes {
    pub(crate) fn new(config: &LearnerConfig, network: &Conv4, limits: TaskLimits, purpose: Purpose) -> Self {
        let coupled = network.config().norm.couples_images();
        let keeps = purpose != Purpose::Evaluate && config.gradient.estimator == Estimator::Full;
        let most = (MAX_ACTIVATION_BYTES / (4 * network.largest_activation()).max(1)).clamp(1, 1 << 20) as u32;
        let unit = if coupled { network.coupled_chunk() } else { 1 };
        let most = (most / unit).max(1) * unit;
        let cut = |images: u32| -> Vec<u32> {
            (0..images.div_ceil(most)).map(|index| (images - index * most).min(most)).collect()
        };
        // Batch statistics are those of one forward pass of all queries.
        let query_batch =
            if coupled { limits.queries } else { config.gradient.query_batch_of(limits.queries).min(most) };
        let chunk = config.gradient.chunk.clamp(1, most).min(limits.support.max(1));
        let work = match (coupled, keeps) {
            (true, true) => cut(limits.queries),
            (true, false) => cut(limits.queries.max(limits.support)),
            (false, true) => vec![query_batch],
            (false, false) => vec![query_batch.max(chunk)],
        };
        Self { kept: if keeps { cut(limits.support) } else { Vec::new() }, work, query_batch }
    }
}

impl<B> Workspace<B> {
    /// Hands out all buffers of a learner.
    pub(crate) fn new<A: Allocate<Buffer = B>>(
        allocate: &mut A,
        config: &LearnerConfig,
        (network, head, layout): (&Conv4, Prototypes, &Layout),
        limits: TaskLimits,
        purpose: Purpose,
    ) -> Result<Self, GpuError> {
        let sizes = Sizes::new(config, network, limits, purpose);
        let (parameters, d) = (u64::from(layout.elements()), u64::from(network.dimension()));
        let trains = purpose != Purpose::Evaluate;
        let (optimizer, tasks) = match purpose {
            Purpose::Train { optimizer, tasks_per_step } => (Some(optimizer), tasks_per_step.max(1)),
            _ => (None, 1),
        };
        let chunks = || sizes.kept.iter().chain(&sizes.work).copied();
        let largest = chunks().max().unwrap_or(1);
        let coupled = network.config().norm.couples_images();
        let pass = if coupled { limits.support.max(limits.queries) } else { largest };
        let chunk_rows = if trains && sizes.kept.is_empty() { sizes.work.first().copied() } else { None };

        let mut values = |category, name: &str, elements| allocate.values(category, name, elements);
        let parameters_buffer = values(Category::Parameters, "parameters", parameters)?;
        let running = values(Category::Parameters, "running", u64::from(network.running().elements()))?;
        let gradient = trains.then(|| values(Category::Gradient, "gradient", parameters)).transpose()?;
        let embeddings = values(Category::Embeddings, "embeddings", u64::from(limits.support) * d)?;
        let rows = trains.then(|| values(Category::Embeddings, "rows", u64::from(limits.support) * d)).transpose()?;
        let mut of_chunk = |name: &str, per_image: u64| {
            let images = chunk_rows.map(u64::from);
            images.map(|images| values(Category::Workspace, name, images * per_image)).transpose()
        };
        let chunk_rows_buffer = of_chunk("chunk.rows", d)?;
        let chunk_indices = of_chunk("chunk.indices", 1)?;
        let support_labels = values(Category::Embeddings, "support.labels", u64::from(limits.support))?;
        let query_labels = values(Category::Embeddings, "query.labels", u64::from(limits.queries))?;
        // One row more than queries: the gradient's norm comes back with them.
        let outcomes =
            values(Category::Embeddings, "outcomes", 2 * (u64::from(tasks) * u64::from(limits.queries) + 1))?;

        let optimizer = optimizer.map(|optimizer| optimizer.allocate(allocate, layout.elements())).transpose()?;
        let upload = config.source.map(|shape: ImageShape| ImageUpload::new(allocate, shape, largest)).transpose()?;
        let mut room = |name: &str, sizes: &[u32]| -> Result<Vec<Room<Activations<B>>>, GpuError> {
            let numbered = sizes.iter().enumerate();
            let one = |(index, &images): (usize, &u32)| {
                let buffers = network.activations(allocate, &format!("{name}.{index}"), images)?;
                Ok(Room { images, buffers })
            };
            numbered.map(one).collect()
        };
        let kept = room("support", &sizes.kept)?;
        let work = room("chunk", &sizes.work)?;
        let mut gradients = Vec::new();
        if trains {
            let chunk = |index: usize| {
                let of = |sizes: &[u32]| sizes.get(index).copied().unwrap_or(0);
                of(&sizes.kept).max(of(&sizes.work))
            };
            let count = if coupled { sizes.kept.len().max(sizes.work.len()) } else { 1 };
            for index in 0..count {
                let images = if coupled { chunk(index) } else { largest };
                let buffers = network.gradients(allocate, &format!("gradients.{index}"), images)?;
                gradients.push(Room { images, buffers });
            }
        } else {
            // A forward pass names a place for gradients and never writes there.
            gradients.push(Room { images: 0, buffers: network.gradients(allocate, "gradients", 0)? });
        }
        let scratch = network.scratch(allocate, largest, pass, 1)?;
        let head = head.allocate(allocate, limits, sizes.query_batch)?;
        Ok(Self {
            parameters: parameters_buffer,
            running,
            gradient,
            optimizer,
            upload,
            kept,
            work,
            gradients,
            scratch,
            embeddings,
            rows,
            chunk_rows: chunk_rows_buffer,
            chunk_indices,
            support_labels,
            query_labels,
            outcomes,
            head,
        })
    }
}
