//! A network that adapts to a task by scales and shifts of its norms, which follow from what its
//! support images are like on the whole: ψ = G(z), z = (1/N) Σ g(x_n) (CNAPs, Requeima et al. 2019;
//! Simple CNAPs, Bateni et al. 2020). Here are its settings, geometry and memory; `conditioning`
//! runs it.

use inkling_data::Numbers;
use inkling_gpu::{Allocate, Buffer, Category, GpuError, Tier};
use inkling_nn::{
    Activations, Backbone, Film, FilmBuffers, Gradients, Keep, Layout, Network, NetworkConfig, Norm, Pass, Scratch,
    TaskAxis, Trained,
};

use crate::common::Common;
use crate::model::LearnerConfig;
use crate::workspace::{Purpose, most_images};
use crate::{Estimator, GradientSettings, MetaError, TaskLimits};

/// The set encoder g and the small networks G.
#[derive(Clone, Debug, PartialEq)]
pub struct FilmSettings {
    /// Channels of the set encoder's blocks, and values of z.
    pub channels: u32,
    /// Blocks of the set encoder; each halves the image.
    pub blocks: u32,
    /// Groups of its norms; they divide the channels.
    pub groups: u32,
    /// λ of the loss term λ Σ r², in which r are the learned sizes of γ − 1 and β.
    pub regulariser: f32,
    /// The support images through which the set encoder learns, with the estimator `lite`.
    pub subset: EncoderSubset,
}

/// Which support images LITE back-propagates through the set encoder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum EncoderSubset {
    /// A draw of their own, as many as through the network: unbiased.
    #[default]
    Independent,
    /// Those that go through the network. Biased, because the mean of a product of two sums over
    /// one draw is not the product of their means; for comparisons.
    Shared,
    /// These, by index.
    These(Vec<u32>),
}

impl EncoderSubset {
    /// Positions among `members` support images, and the factor N/H. `beside`: those of the draw
    /// for the network.
    pub(crate) fn draw(
        &self,
        gradient: &GradientSettings,
        (members, batches): (u32, u32),
        beside: (&[u32], f32),
        numbers: &mut Numbers,
    ) -> Result<(Vec<u32>, f32), MetaError> {
        let support_subset = match self {
            Self::Shared if gradient.estimator == Estimator::Lite => return Ok((beside.0.to_vec(), beside.1)),
            Self::Shared | Self::Independent => None,
            Self::These(subset) => Some(subset.clone()),
        };
        GradientSettings { support_subset, ..gradient.clone() }.back_propagated(members, batches, numbers)
    }
}

/// Geometry and layout, without memory.
#[derive(Clone, Debug)]
pub(crate) struct FilmModel {
    pub(crate) encoder: Network,
    pub(crate) film: Film,
    pub(crate) subset: EncoderSubset,
}

impl FilmModel {
    /// The set encoder's parameters come first in the flat vector, those of the small networks then.
    ///
    /// # Errors
    /// [`MetaError::Config`] where network or settings do not go with it.
    pub(crate) fn new(
        (config, settings): (&LearnerConfig, &FilmSettings),
        network: &Network,
        tier: Tier,
    ) -> Result<(Self, Layout), MetaError> {
        let images = config.network;
        if images.norm.couples_images() {
            return Err(MetaError::config(
                "model.norm",
                "batch",
                "FiLM takes the place of statistics of the task's images; use model.norm = \"group\" or \"frozen\"",
            ));
        }
        if settings.groups == 0 || !settings.channels.is_multiple_of(settings.groups) {
            return Err(MetaError::config(
                "film.groups",
                settings.groups,
                format!("must divide film.channels = {}", settings.channels),
            ));
        }
        let encoder = NetworkConfig {
            backbone: Backbone::SetEncoder { channels: settings.channels, blocks: settings.blocks },
            trained: Trained::All,
            norm: Norm::Group { groups: settings.groups },
            ..images
        };
        let encoder = Network::new(encoder, tier)?;
        let mut layout = encoder.layout().clone();
        let film = Film::new(&mut layout, network, encoder.dimension(), settings.regulariser)?;
        Ok((Self { encoder, film, subset: settings.subset.clone() }, layout))
    }

    /// Writes initial values into the flat parameters.
    pub(crate) fn initialize(&self, parameters: &mut [f32], mut normal: impl FnMut() -> f32) {
        let [encoder, ..] = self.encoder.initialize(&mut normal);
        parameters.iter_mut().zip(encoder).for_each(|(parameter, value)| *parameter = value);
        self.film.initialize(parameters, normal);
    }

    /// Floating-point operations for a task of this many support images, of which `drawn` are
    /// back-propagated, or without a gradient.
    pub(crate) fn flops(&self, support: f64, drawn: Option<f64>) -> f64 {
        let (forward, backward) = (self.encoder.forward_flops(), self.encoder.backward_flops());
        let back = drawn.map_or(0.0, |drawn| drawn * (forward + backward) + 2.0 * self.film.flops());
        support * forward + self.film.flops() + back
    }
}

/// The buffers of the set encoder and the small networks.
#[derive(Debug)]
pub(crate) struct FilmWorkspace<B> {
    /// The network's own scales and shifts, flat.
    pub(crate) base: B,
    /// Those of each task, `[tasks, stride]`.
    pub(crate) vectors: B,
    /// g(x_n), `[tasks, N, ·]`.
    pub(crate) codes: B,
    /// z, `[tasks, ·]`.
    pub(crate) z: B,
    /// The first row of each task's codes, and the end of the last one's.
    pub(crate) firsts: B,
    pub(crate) buffers: FilmBuffers<B>,
    pub(crate) work: Activations<B>,
    pub(crate) gradients: Gradients<B>,
    pub(crate) scratch: Scratch<B>,
    pub(crate) back: Option<FilmBack<B>>,
    /// Images that go through the set encoder together.
    pub(crate) chunk: u32,
}

/// What only gradients need.
#[derive(Debug)]
pub(crate) struct FilmBack<B> {
    /// `[tasks, stride]`.
    pub(crate) d_vectors: B,
    /// dL/dz, `[tasks, ·]`.
    pub(crate) d_z: B,
    /// The codes of a chunk, and then their gradients.
    pub(crate) rows: B,
    /// The task of each image of a chunk.
    pub(crate) tasks: B,
}

impl<B> FilmWorkspace<B> {
    /// `chunk`: images of a pass that the estimator asks for.
    pub(crate) fn new<A: Allocate<Buffer = B>>(
        allocate: &mut A,
        film: &FilmModel,
        limits: TaskLimits,
        (purpose, chunk): (Purpose, u32),
    ) -> Result<Self, GpuError> {
        let trains = purpose != Purpose::Evaluate;
        let (encoder, stride) = (&film.encoder, u64::from(film.film.stride()));
        let (tasks, z) = (u64::from(limits.tasks), u64::from(encoder.dimension()));
        let support = tasks * u64::from(limits.support);
        let chunk = chunk.clamp(1, most_images(encoder)).min((support as u32).max(1));
        let mut values = |category, name: &str, elements| allocate.values(category, name, elements);
        let base = values(Category::Parameters, "film.base", stride)?;
        let vectors = values(Category::Parameters, "film.vectors", tasks * stride)?;
        let codes = values(Category::Embeddings, "film.codes", support * z)?;
        let mean = values(Category::Embeddings, "film.z", tasks * z)?;
        let firsts = values(Category::Embeddings, "film.firsts", tasks + 1)?;
        let mut back = || {
            Ok::<_, GpuError>(FilmBack {
                d_vectors: values(Category::Gradient, "film.d_vectors", tasks * stride)?,
                d_z: values(Category::Embeddings, "film.d_z", tasks * z)?,
                rows: values(Category::Workspace, "film.rows", u64::from(chunk) * z)?,
                tasks: values(Category::Workspace, "film.tasks", u64::from(chunk))?,
            })
        };
        let back = if trains { Some(back()?) } else { None };
        let keep = if trains { Keep::Gradient } else { Keep::Nothing };
        Ok(Self {
            base,
            vectors,
            codes,
            z: mean,
            firsts,
            back,
            buffers: film.film.buffers(allocate, limits.tasks, trains)?,
            work: encoder.activations(allocate, "encoder", chunk, keep)?,
            // A forward pass names a place for gradients and never writes there.
            gradients: encoder.gradients(allocate, "encoder.gradients", if trains { chunk } else { 0 })?,
            scratch: encoder.scratch(allocate, chunk, chunk, 1)?,
            chunk,
        })
    }
}

impl FilmWorkspace<Buffer> {
    /// A pass of the set encoder, whose parameters all tasks share.
    pub(crate) fn pass<'b>(&'b self, common: &'b Common<Buffer>, images: u32) -> Pass<'b> {
        Pass {
            parameters: &common.parameters,
            frozen: None,
            // Group norm reads none.
            running: &common.running,
            scratch: &self.scratch,
            axis: TaskAxis::shared(1, images),
        }
    }
}
