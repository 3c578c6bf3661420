//! What a learner is made of, its geometry and its memory plan: everything that needs no device.

use inkling_data::ImageShape;
use inkling_gpu::{Bytes, Plan, Recorder, Tier};
use inkling_nn::{Conv4, Conv4Config, Layout, Weights};

use crate::heads::HeadModel;
use crate::workspace::{Purpose, Workspace};
use crate::{Estimator, GradientSettings, HeadSettings, MetaError, SubsetTime, TaskLimits};

/// What a learner is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct LearnerConfig {
    /// The network.
    pub network: Conv4Config,
    /// The head.
    pub head: HeadSettings,
    /// The estimator.
    pub gradient: GradientSettings,
    /// The shape of image bytes, where tasks come as bytes.
    pub source: Option<ImageShape>,
}

/// Geometry and layout of a learner, without memory.
#[derive(Clone, Debug)]
pub struct Model {
    pub(crate) config: LearnerConfig,
    pub(crate) network: Conv4,
    pub(crate) head: HeadModel,
    pub(crate) layout: Layout,
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
        let head = HeadModel::new(config.head, &mut layout, network.dimension())?;
        let draws = config.gradient.estimator == Estimator::Lite;
        if draws && head.finishes_once() && config.gradient.subset == SubsetTime::QueryBatch {
            return Err(MetaError::config(
                "gradient.subset",
                "query_batch",
                "this head solves once for all queries of a task (a truncated solve for each batch is another \
                 gradient); use gradient.subset = \"task\"",
            ));
        }
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
        self.head.check(limits)?;
        let mut plan = Plan::default();
        Workspace::new(&mut plan, self, limits, purpose)?;
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

    /// Initial weights: the network's from `normal`, the head's from its settings.
    ///
    /// # Errors
    /// None in practice: the vectors are of these layouts.
    pub fn initial_weights(&self, normal: impl FnMut() -> f32) -> Result<Weights, MetaError> {
        let (mut parameters, running) = self.network.initialize(normal);
        parameters.resize(self.layout.elements() as usize, 0.0);
        for (offset, value) in self.head.initial() {
            if let Some(parameter) = parameters.get_mut(offset as usize) {
                *parameter = value;
            }
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
}
