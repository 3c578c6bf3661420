//! What a learner is made of, its geometry and its memory plan: everything that needs no device.

use inkling_data::ImageShape;
use inkling_gpu::{Bytes, Plan, Recorder, Tier};
use inkling_nn::{Layout, Network, NetworkConfig, Trained, Weights};

use crate::film::{FilmModel, FilmSettings};
use crate::full_network::{FullNetworkModel, FullNetworkWorkspace, unrolled_graph};
use crate::heads::HeadModel;
use crate::rooms::Coupling;
use crate::workspace::{Purpose, Workspace, query_batch};
use crate::{Estimator, FullNetworkSettings, GradientSettings, HeadSettings, MetaError, SubsetTime, TaskLimits};

/// What adapts to a task.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LearnerKind {
    /// A head on embeddings; the network is the same for all tasks.
    Head(HeadSettings),
    /// Every parameter of the network, and of a linear classifier behind it.
    FullNetwork(FullNetworkSettings),
}

impl From<HeadSettings> for LearnerKind {
    fn from(head: HeadSettings) -> Self {
        Self::Head(head)
    }
}

impl From<FullNetworkSettings> for LearnerKind {
    fn from(settings: FullNetworkSettings) -> Self {
        Self::FullNetwork(settings)
    }
}

/// What a learner is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct LearnerConfig {
    /// The network.
    pub network: NetworkConfig,
    /// What adapts to a task.
    pub kind: LearnerKind,
    /// What adapts the network's norms to a task, which are those that the network trains; none
    /// where all tasks share the network.
    pub film: Option<FilmSettings>,
    /// The estimator.
    pub gradient: GradientSettings,
    /// The shape of image bytes, where tasks come as bytes.
    pub source: Option<ImageShape>,
}

/// What adapts to a task, without memory.
#[derive(Clone, Debug)]
pub(crate) enum KindModel {
    Head(HeadModel),
    FullNetwork(FullNetworkModel),
}

/// A truncated solve for each query batch is another gradient than one for all.
pub(crate) fn check_subset_time(head: &HeadModel, gradient: &GradientSettings) -> Result<(), MetaError> {
    let draws = gradient.estimator == Estimator::Lite && gradient.subset == SubsetTime::QueryBatch;
    if draws && head.finishes_once() {
        return Err(MetaError::config(
            "gradient.subset",
            "query_batch",
            "this head solves once for all queries of a task (a truncated solve for each batch is another \
             gradient); use gradient.subset = \"task\"",
        ));
    }
    Ok(())
}

/// Geometry and layout of a learner, without memory.
#[derive(Clone, Debug)]
pub struct Model {
    pub(crate) config: LearnerConfig,
    pub(crate) network: Network,
    /// Where the network takes feature maps: what makes them, and what it is a part of.
    pub(crate) first: Option<Box<FirstStages>>,
    pub(crate) kind: KindModel,
    pub(crate) film: Option<FilmModel>,
    pub(crate) layout: Layout,
}

/// Frozen first stages that feed the trained rest of a network.
#[derive(Clone, Debug)]
pub(crate) struct FirstStages {
    pub(crate) network: Network,
    whole: Network,
}

impl Model {
    /// A model for a device of the given tier.
    ///
    /// # Errors
    /// [`MetaError::Config`] where network, head and estimator do not go together.
    pub fn new(config: LearnerConfig, tier: Tier) -> Result<Self, MetaError> {
        let network = Network::new(config.network, tier)?;
        let embeds = matches!(config.kind, LearnerKind::Head(_));
        if embeds && config.network.norm.couples_images() && config.gradient.estimator != Estimator::Full {
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
        if config.film.is_some() && !embeds {
            return Err(MetaError::config(
                "model.trained",
                "film",
                "a learner of the whole network adapts its norms by itself; leave [learner] out, or train \"norms\"",
            ));
        }
        let modulated = [Trained::Modulated, Trained::Norms].contains(&config.network.trained);
        if config.film.is_some() && !modulated {
            return Err(MetaError::config(
                "model.trained",
                "film",
                "FiLM takes the place of trained norms, beside which nothing of the network is trained",
            ));
        }
        let (film, mut layout) = match &config.film {
            Some(settings) => {
                let (film, layout) = FilmModel::new((&config, settings), &network, tier)?;
                (Some(film), layout)
            }
            None => (None, network.layout().clone()),
        };
        let kind = match config.kind {
            LearnerKind::Head(head) => {
                let head = HeadModel::new(head, &mut layout, network.dimension())?;
                check_subset_time(&head, &config.gradient)?;
                KindModel::Head(head)
            }
            LearnerKind::FullNetwork(_) if network.drops() => {
                return Err(MetaError::config(
                    "model.drop_rate",
                    "above zero",
                    "learners of the whole network drop nothing; leave it out",
                ));
            }
            LearnerKind::FullNetwork(settings) => {
                KindModel::FullNetwork(FullNetworkModel::new(settings, &config.gradient, &network, &mut layout)?)
            }
        };
        Ok(Self { config, network, first: None, kind, film, layout })
    }

    /// The model that learns from feature maps, those of the first stages of its network, where
    /// nothing of these is trained: they are made once for each image ([`crate::Learner::features`]),
    /// and are the values of tasks. Images as bytes still go through the whole network. The weights
    /// stay those of the whole.
    ///
    /// Other models stay as they are: where training begins with the images, batch statistics couple
    /// them, or the network adapts to a task.
    #[must_use]
    pub fn over_features(mut self) -> Self {
        let has_head = matches!(self.kind, KindModel::Head(_));
        let splits = has_head && self.film.is_none() && !self.network.couples_images();
        if let Some((first, rest)) = self.network.split().filter(|_| splits) {
            let whole = std::mem::replace(&mut self.network, rest);
            self.first = Some(Box::new(FirstStages { network: first, whole }));
        }
        self
    }

    /// Whether tasks are made of feature maps.
    pub fn is_over_features(&self) -> bool {
        self.first.is_some()
    }

    /// # Errors
    /// [`MetaError::Config`] for tasks that a head has no room for, with what could be changed.
    pub(crate) fn check(&self, limits: TaskLimits) -> Result<(), MetaError> {
        match &self.kind {
            KindModel::Head(head) => head.check(limits, query_batch(self, limits)),
            KindModel::FullNetwork(_) => Ok(()),
        }
    }

    /// What the images of a task have in common in the network.
    pub(crate) fn coupling(&self) -> Coupling {
        match &self.film {
            _ if self.network.config().norm.couples_images() => Coupling::Statistics,
            Some(_) => Coupling::Parameters,
            None => Coupling::Free,
        }
    }

    /// The scales and shifts that FiLM starts from, which are not trained themselves.
    pub(crate) fn base(&self) -> Option<&Layout> {
        self.film.as_ref().map(|_| self.network.layout())
    }

    /// # Errors
    /// [`MetaError::Config`] where a learner has no gradient, and the purpose is one.
    pub(crate) fn check_purpose(&self, purpose: Purpose) -> Result<(), MetaError> {
        match &self.kind {
            KindModel::FullNetwork(full)
                if full.settings.kind.fine_tune().is_some() && purpose != Purpose::Evaluate =>
            {
                Err(MetaError::config(
                    "learner.kind",
                    "finetuner",
                    "it adapts weights to each task that were trained otherwise, and has no gradient of its own to \
                     train them by; evaluate it (inkling eval --model FILE --set learner.kind=finetuner), or train \
                     with another learner or head",
                ))
            }
            _ => Ok(()),
        }
    }

    /// The trainable parameters, those of the head last.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The network; its part behind the frozen stages where tasks are made of feature maps.
    pub fn network(&self) -> &Network {
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
        self.check(limits)?;
        self.check_purpose(purpose)?;
        let mut plan = Plan::default();
        match &self.kind {
            KindModel::Head(head) => drop(Workspace::new(&mut plan, (self, head), limits, purpose)?),
            KindModel::FullNetwork(full) => {
                drop(FullNetworkWorkspace::new(&mut plan, (self, full), limits, purpose)?);
            }
        }
        Ok(plan)
    }

    /// The buffers that a MAML with these inner steps would need for one task if it kept its whole
    /// unrolled graph, as automatic differentiation does; none for learners with a head. The
    /// baseline of memory reports: K sets of activations and of their gradients.
    ///
    /// # Errors
    /// None in practice: a plan accepts every buffer.
    pub fn unrolled_graph_plan(&self, limits: TaskLimits, purpose: Purpose) -> Result<Option<Plan>, MetaError> {
        let KindModel::FullNetwork(full) = &self.kind else { return Ok(None) };
        let mut plan = Plan::default();
        unrolled_graph(&mut plan, (self, full), limits, purpose)?;
        Ok(Some(plan))
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

    /// Initial weights: those of the network and of a classifier from `normal`, a head's from its
    /// settings.
    ///
    /// # Errors
    /// None in practice: the vectors are of these layouts.
    pub fn initial_weights(&self, mut normal: impl FnMut() -> f32) -> Result<Weights, MetaError> {
        let whole = self.first.as_ref().map_or(&self.network, |first| &first.whole);
        let [mut parameters, frozen, running] = whole.initialize(&mut normal);
        let mut weights = Weights::default();
        if let Some(base) = self.base() {
            weights.insert_flat(base, &std::mem::take(&mut parameters))?;
        }
        parameters.resize(self.layout.elements() as usize, 0.0);
        if let Some(film) = &self.film {
            film.initialize(&mut parameters, &mut normal);
        }
        match &self.kind {
            KindModel::Head(head) => head.initialize(&mut parameters, &mut normal),
            KindModel::FullNetwork(full) => full.initialize(&self.layout, &mut parameters, normal),
        }
        weights.insert_flat(&self.layout, &parameters)?;
        weights.insert_flat(self.network.frozen(), &frozen)?;
        weights.insert_flat(self.network.running(), &running)?;
        Ok(weights)
    }

    /// Floating-point operations of the convolutions for one task with its gradient: support and
    /// query forward, query backward, and what the estimator or the inner steps do for the support.
    pub fn task_flops(&self, task: TaskLimits) -> f64 {
        let gradient = &self.config.gradient;
        let (forward, backward) = (self.network.forward_flops(), self.network.backward_flops());
        let (support, queries) = (f64::from(task.support), f64::from(task.queries));
        if let KindModel::FullNetwork(full) = &self.kind {
            return support * full.support_flops(forward, backward) + queries * (forward + backward);
        }
        let batches = task.queries.div_ceil(gradient.query_batch_of(task.queries));
        let drawn = f64::from(gradient.h.saturating_mul(batches).min(task.support));
        let drawn_for_film = if gradient.estimator == Estimator::Lite { drawn } else { support };
        let film = self.film.as_ref().map_or(0.0, |film| film.flops(support, Some(drawn_for_film)));
        let support_flops = match gradient.estimator {
            Estimator::Full => support * (forward + backward),
            Estimator::Chunked => support * (2.0 * forward + backward),
            Estimator::Lite => support * forward + drawn * (forward + backward),
            Estimator::Subsampled => f64::from(gradient.h.min(task.support)) * (2.0 * forward + backward),
        };
        film + support_flops + queries * (forward + backward)
    }
}
