//! Every buffer of a learner, handed out by a device or written down by a plan.

use inkling_gpu::{Allocate, Buffer, Category, GpuError};
use inkling_nn::{Activations, Gradients, Keep, Network, Pass, Scratch, TaskAxis};

use crate::common::Common;
use crate::features::FirstRoom;
use crate::film::FilmWorkspace;
use crate::heads::{AnyHead, HeadModel};
use crate::model::Model;
use crate::rooms::{Batch, Coupling};
use crate::{Estimator, Optimizer, TaskLimits};

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

impl Purpose {
    /// Tasks that a head may keep warm starts for.
    pub(crate) fn kept_tasks(self, limits: TaskLimits) -> u32 {
        if self == Self::Evaluate { 0 } else { self.step_tasks(limits) }
    }

    /// Tasks whose outcomes are kept until they are read.
    pub(crate) fn step_tasks(self, limits: TaskLimits) -> u32 {
        match self {
            Self::Train { tasks_per_step, .. } => tasks_per_step.max(limits.tasks),
            Self::Evaluate | Self::Gradient => limits.tasks,
        }
    }
}

/// The most images of one chunk: no activation may exceed a binding, and where the norm couples
/// chunks they begin at multiples of what it asks for.
pub(crate) fn most_images(network: &Network) -> u32 {
    let most = (MAX_ACTIVATION_BYTES / (4 * network.largest_activation()).max(1)).clamp(1, 1 << 20) as u32;
    let unit = if network.config().norm.couples_images() { network.coupled_chunk() } else { 1 };
    (most / unit).max(1) * unit
}

/// M_b, the most queries of one batch. Batch statistics are those of one forward pass of all.
pub(crate) fn query_batch(model: &Model, limits: TaskLimits) -> u32 {
    let coupled = model.network.config().norm.couples_images();
    if coupled { limits.queries } else { model.config.gradient.query_batch_of(limits.queries) }
}

/// A chunk's activations with the number of images that fit.
#[derive(Debug)]
pub(crate) struct Room<T> {
    pub(crate) images: u32,
    pub(crate) buffers: T,
}

/// All buffers of a learner that embeds and lets a head solve.
#[derive(Debug)]
pub(crate) struct Workspace<B> {
    pub(crate) common: Common<B>,
    /// The frozen first stages of a model over features.
    pub(crate) first: Option<FirstRoom<B>>,
    /// `full`: the activations of the whole support, chunk by chunk.
    pub(crate) kept: Vec<Room<Activations<B>>>,
    /// The chunk at work: query batches, and support images that are not kept. Several where a
    /// query batch is too large for one, or the norm couples the images of a task.
    pub(crate) work: Vec<Room<Activations<B>>>,
    /// One for each chunk that goes through the network together with others.
    pub(crate) gradients: Vec<Gradients<B>>,
    pub(crate) scratch: Scratch<B>,
    pub(crate) embeddings: B,
    pub(crate) rows: Option<B>,
    pub(crate) chunk_rows: Option<B>,
    pub(crate) chunk_indices: Option<B>,
    pub(crate) head: AnyHead<B>,
    pub(crate) film: Option<FilmWorkspace<B>>,
}

/// The sizes that everything else follows from.
#[derive(Debug)]
pub(crate) struct Sizes {
    /// Images of each kept chunk.
    pub(crate) kept: Vec<u32>,
    /// Images of each chunk at work.
    pub(crate) work: Vec<u32>,
    /// Images of each chunk of the longest pass.
    gradients: Vec<u32>,
    /// M_b.
    pub(crate) query_batch: u32,
}

impl Sizes {
    pub(crate) fn new(model: &Model, limits: TaskLimits, purpose: Purpose) -> Self {
        let (network, gradient) = (&model.network, &model.config.gradient);
        let coupling = model.coupling();
        let coupled = coupling == Coupling::Statistics;
        let trains = purpose != Purpose::Evaluate;
        let keeps = trains && gradient.estimator == Estimator::Full;
        let most = most_images(network);
        let tasks = limits.tasks.max(1);
        let query_batch = query_batch(model, limits);
        let batch = |tasks, each| Batch { tasks, each, coupling };
        let support = batch(tasks, limits.support);
        let kept = if keeps { support.rooms(most) } else { Vec::new() };
        // What is back-propagated stays until then; what is not goes piece by piece.
        let queries = batch(if trains || !coupled { tasks } else { 1 }, query_batch).rooms(most);
        let pieces = match (keeps, coupled) {
            (true, _) => Vec::new(),
            (false, true) => batch(1, limits.support).rooms(most),
            (false, false) => vec![gradient.chunk.clamp(1, most).min(support.images().max(1))],
        };
        let work = longest(&queries, &pieces);
        let gradients = match (trains, coupled) {
            (false, _) => vec![0],
            (true, false) => vec![kept.iter().chain(&work).copied().max().unwrap_or(1)],
            (true, true) => {
                let of_one = longest(&batch(1, limits.support).rooms(most), &batch(1, limits.queries).rooms(most));
                longest(&of_one, &[kept.iter().chain(&work).copied().max().unwrap_or(1)])
            }
        };
        Self { kept, work, gradients, query_batch }
    }

    /// The most images of any chunk.
    fn largest(&self) -> u32 {
        self.kept.iter().chain(&self.work).copied().max().unwrap_or(1)
    }
}

/// Room by room the larger of two lists.
fn longest(first: &[u32], second: &[u32]) -> Vec<u32> {
    let at = |list: &[u32], index: usize| list.get(index).copied().unwrap_or(0);
    (0..first.len().max(second.len())).map(|index| at(first, index).max(at(second, index))).collect()
}

impl<B> Workspace<B> {
    /// Hands out all buffers of a learner.
    pub(crate) fn new<A: Allocate<Buffer = B>>(
        allocate: &mut A,
        (model, head): (&Model, &HeadModel),
        limits: TaskLimits,
        purpose: Purpose,
    ) -> Result<Self, GpuError> {
        let sizes = Sizes::new(model, limits, purpose);
        let network = &model.network;
        let (support, d) = (u64::from(limits.tasks * limits.support), u64::from(network.dimension()));
        let trains = purpose != Purpose::Evaluate;
        let largest = sizes.largest();
        let coupled = network.config().norm.couples_images();
        let pass = if coupled { limits.support.max(limits.queries).max(largest) } else { largest };
        let chunk_rows = if trains && sizes.kept.is_empty() { sizes.work.first().copied() } else { None };

        let first = FirstRoom::new(allocate, model)?;
        let loaded = first.as_ref().map_or(largest, FirstRoom::images);
        let common = Common::new(allocate, model, limits, purpose, loaded)?;
        let mut values = |category, name: &str, elements| allocate.values(category, name, elements);
        let embeddings = values(Category::Embeddings, "embeddings", support * d)?;
        let rows = trains.then(|| values(Category::Embeddings, "rows", support * d)).transpose()?;
        let mut of_chunk = |name: &str, per_image: u64| {
            let images = chunk_rows.map(u64::from);
            images.map(|images| values(Category::Workspace, name, images * per_image)).transpose()
        };
        let chunk_rows_buffer = of_chunk("chunk.rows", d)?;
        let chunk_indices = of_chunk("chunk.indices", 1)?;
        let keep = if trains { Keep::Gradient } else { Keep::Nothing };
        let mut room = |name: &str, sizes: &[u32]| -> Result<Vec<Room<Activations<B>>>, GpuError> {
            let numbered = sizes.iter().enumerate();
            let one = |(index, &images): (usize, &u32)| {
                let buffers = network.activations(allocate, &format!("{name}.{index}"), images, keep)?;
                Ok(Room { images, buffers })
            };
            numbered.map(one).collect()
        };
        let kept = room("support", &sizes.kept)?;
        let work = room("chunk", &sizes.work)?;
        let mut gradients = Vec::new();
        for (index, &images) in sizes.gradients.iter().enumerate() {
            // A forward pass names a place for gradients and never writes there.
            gradients.push(network.gradients(allocate, &format!("gradients.{index}"), images)?);
        }
        let own = if model.film.is_some() { limits.tasks } else { 1 };
        let scratch = network.scratch(allocate, largest, pass, own)?;
        let head = head.allocate(allocate, limits, sizes.query_batch, purpose.kept_tasks(limits))?;
        let chunk = (purpose, model.config.gradient.chunk);
        let film = model.film.as_ref().map(|film| FilmWorkspace::new(allocate, film, limits, chunk)).transpose()?;
        Ok(Self {
            common,
            first,
            kept,
            work,
            gradients,
            scratch,
            embeddings,
            rows,
            chunk_rows: chunk_rows_buffer,
            chunk_indices,
            head,
            film,
        })
    }
}

impl Workspace<Buffer> {
    /// Where the gradient of the network goes.
    pub(crate) fn network_gradient(&self) -> Option<&Buffer> {
        match &self.film {
            Some(film) => film.back.as_ref().map(|back| &back.d_vectors),
            None => self.common.gradient.as_ref(),
        }
    }

    /// A pass of these tasks.
    pub(crate) fn pass(&self, axis: TaskAxis) -> Pass<'_> {
        let Common { parameters, frozen, running, .. } = &self.common;
        let parameters = self.film.as_ref().map_or(parameters, |film| &film.vectors);
        Pass { parameters, frozen: frozen.as_ref(), running, scratch: &self.scratch, axis }
    }
}
