//! Linear classifiers that gradient steps fit on the support: the lower level that the implicit,
//! unrolled and Neumann heads share, and their parts as a [`Head`].
//!
//! The lower variable w is weight [W, d] and bias [W] of each task, flat. It minimises
//!   g(E, w) = (1/N) Σ cross-entropy(softmax(X w), y) + (ridge/2) ‖w − w_0‖²,   X = [E 1],
//! with w_0 = 0 unless the ridge is proximal. How dL/dE comes from there is left to `implicit`,
//! `unrolled` and `neumann`.

use inkling_gpu::{Allocate, Buffer, GpuError, Recorder};
use inkling_nn::Layout;

use super::classifier::Classifier;
use super::implicit::{Implicit, ImplicitSettings};
use super::lower::{Lower, values};
use super::neumann::{Neumann, NeumannSettings};
use super::unrolled::Unrolled;
use super::{HeadReport, query_loss};
use crate::head::{Head, HeadTask, HeadTensors, QueryBatch};
use crate::{MetaError, TaskLimits};

/// Where the inner loop of every task starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinearStart {
    /// At zero.
    #[default]
    Zero,
    /// Where the same task's loop ended in the last step; at zero in the first. For steps that all
    /// go through one list of tasks (Algorithm 2 of Yang et al. 2025).
    Warm,
    /// At the parameters `head.weight` `[ways, d]` and `head.bias` `[ways]`; tasks of fewer ways use
    /// the first rows. Unrolled they have an exact gradient; with a proximal ridge the implicit one;
    /// else Reptile's w_0 − w_K, which is no derivative (at a solved lower level that is zero).
    Learned {
        /// The most classes of a task.
        ways: u32,
    },
}

/// How the gradient passes through the lower level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LowerGradient {
    /// By conjugate gradient on the implicit function (MRML, Yang et al. 2025).
    Implicit(ImplicitSettings),
    /// Exactly, back through every inner step (ANIL, Raghu et al. 2020; ITD-BiO, Ji et al. 2021).
    Unrolled,
    /// By a truncated Neumann series on the implicit function (stocBiO, Ji et al. 2021).
    Neumann(NeumannSettings),
}

/// A linear head's settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearSettings {
    /// K, gradient steps on the support.
    pub inner_steps: u32,
    /// Their learning rate.
    pub inner_learning_rate: f32,
    /// λ of the ridge.
    pub ridge: f32,
    /// Whether the ridge pulls towards the start instead of zero.
    pub proximal: bool,
    /// The start.
    pub start: LinearStart,
    /// The gradient.
    pub gradient: LowerGradient,
}

/// The settings and the place of the head's parameters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinearModel {
    pub(super) settings: LinearSettings,
    pub(super) dimension: u32,
    /// Offsets of a learned start's weight and bias.
    pub(super) learned: Option<[u32; 2]>,
}

/// How the gradient passes, with its buffers.
#[derive(Debug)]
enum Through<B> {
    Implicit(Implicit<B>),
    Unrolled(Unrolled<B>),
    Neumann(Neumann<B>),
}

/// A linear head with its buffers.
#[derive(Debug)]
pub(crate) struct LinearHead<B> {
    lower: Lower<B>,
    through: Through<B>,
    queries: B,
    d_queries: B,
    logits: B,
    d_logits: B,
}

fn positive(key: &'static str, value: f32) -> Result<(), MetaError> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(MetaError::config(key, value, "must be a positive number"))
}

impl LinearModel {
    /// Adds a learned start to `layout`.
    ///
    /// # Errors
    /// [`MetaError::Config`] for settings that cannot be.
    pub(crate) fn new(settings: LinearSettings, layout: &mut Layout, dimension: u32) -> Result<Self, MetaError> {
        let LinearSettings { inner_steps, inner_learning_rate, ridge, proximal, start, gradient } = settings;
        if inner_steps == 0 {
            return Err(MetaError::config("head.inner_steps", 0, "the inner loop needs at least one step"));
        }
        positive("head.inner_lr", inner_learning_rate)?;
        if !ridge.is_finite() || ridge < 0.0 {
            return Err(MetaError::config("head.ridge", ridge, "must be zero or a positive number"));
        }
        if inner_learning_rate * ridge >= 2.0 {
            return Err(MetaError::config(
                "head.inner_lr",
                inner_learning_rate,
                format!(
                    "with head.ridge = {ridge} the ridge alone makes the inner loop diverge; their product must be \
                     below 2"
                ),
            ));
        }
        match gradient {
            LowerGradient::Implicit(implicit) => implicit.check(ridge)?,
            LowerGradient::Neumann(neumann) => neumann.check(ridge)?,
            LowerGradient::Unrolled => {}
        }
        let learned = match start {
            LinearStart::Zero | LinearStart::Warm if proximal => {
                let reason =
                    "the ridge pulls to a learned start: use head.start = \"learned\", or leave the ridge plain";
                return Err(MetaError::config("head.proximal", true, reason));
            }
            LinearStart::Warm if gradient == LowerGradient::Unrolled => {
                let reason = "back through its steps the gradient is exact for a start that does not depend on the \
                              network; use head.start = \"zero\" or \"learned\", or head.kind = \"implicit\"";
                return Err(MetaError::config("head.start", "warm", reason));
            }
            LinearStart::Zero | LinearStart::Warm => None,
            LinearStart::Learned { ways } => {
                let weight = layout.push("head.weight", &[ways as usize, dimension as usize]);
                Some([weight, layout.push("head.bias", &[ways as usize])])
            }
        };
        Ok(Self { settings, dimension, learned })
    }

    /// A truncated solve is not linear in its right-hand side, and Reptile's step counts once.
    pub(crate) fn finishes_once(&self) -> bool {
        self.settings.gradient != LowerGradient::Unrolled
    }

    /// Refuses tasks that a learned start has no room for.
    pub(crate) fn check(&self, limits: TaskLimits) -> Result<(), MetaError> {
        match self.settings.start {
            LinearStart::Learned { ways } if ways < limits.ways => {
                let reason = format!("the learned start has {ways} ways, but tasks have up to {}", limits.ways);
                Err(MetaError::config("head.start", "learned", reason))
            }
            _ => Ok(()),
        }
    }

    /// The head's buffers for passes within `limits`, in query batches of up to `query_batch`, with
    /// warm starts for `kept_tasks`.
    pub(crate) fn allocate<A: Allocate>(
        self,
        allocate: &mut A,
        limits: TaskLimits,
        query_batch: u32,
        kept_tasks: u32,
    ) -> Result<LinearHead<A::Buffer>, GpuError> {
        let lower = Lower::allocate(self, allocate, limits, kept_tasks)?;
        let through = match self.settings.gradient {
            LowerGradient::Implicit(settings) => {
                Through::Implicit(Implicit::allocate(settings, allocate, [limits.tasks, kept_tasks], &lower)?)
            }
            LowerGradient::Unrolled => Through::Unrolled(Unrolled::allocate(allocate, limits.tasks, &lower)?),
            LowerGradient::Neumann(settings) => {
                Through::Neumann(Neumann::allocate(settings, allocate, limits.tasks, &lower)?)
            }
        };
        let queries = u64::from(limits.tasks) * u64::from(query_batch);
        let (d, ways) = (u64::from(self.dimension), u64::from(limits.ways));
        let mut values = |name: &str, elements| values(allocate, name, elements);
        Ok(LinearHead {
            lower,
            through,
            queries: values("queries", queries * d)?,
            d_queries: values("d_queries", queries * d)?,
            logits: values("logits", queries * ways)?,
            d_logits: values("d_logits", queries * ways)?,
        })
    }
}

impl LinearHead<Buffer> {
    /// As [`super::AnyHead::warm_starts`].
    pub(crate) fn warm_starts(&self) -> Vec<(&'static str, &Buffer)> {
        let solution = match &self.through {
            Through::Implicit(implicit) => implicit.warm.as_ref(),
            Through::Unrolled(_) | Through::Neumann(_) => None,
        };
        let named = [("warm.w", self.lower.warm.as_ref()), ("warm.v", solution)];
        named.into_iter().filter_map(|(name, warm)| Some((name, warm?.buffer()))).collect()
    }

    /// What became of the tasks of the last pass. Reads back: not for within a step.
    pub(crate) async fn reports(&self, recorder: &mut Recorder) -> Result<Vec<HeadReport>, GpuError> {
        let everyone: Vec<u32> = recorder.read(self.lower.everyone.slice(0, 4)?).await?;
        let tasks = everyone.first().copied().unwrap_or(0);
        let states: Vec<u32> = recorder.read(self.lower.states.all()).await?;
        let solves = match &self.through {
            Through::Implicit(implicit) => implicit.reports(recorder, tasks).await?,
            Through::Neumann(neumann) => neumann.reports(recorder, tasks).await?,
            Through::Unrolled(_) => Vec::new(),
        };
        let mut solves = solves.into_iter();
        let report = |&state: &u32| HeadReport { failed: state != 0, solve: solves.next() };
        Ok(states.iter().take(tasks as usize).map(report).collect())
    }
}

impl Head for LinearHead<Buffer> {
    async fn fit(&self, recorder: &mut Recorder, task: HeadTask, tensors: HeadTensors<'_>) -> Result<(), GpuError> {
        self.lower.fit(recorder, task, tensors).await
    }

    fn queries(&self) -> &Buffer {
        &self.queries
    }

    fn d_queries(&self) -> &Buffer {
        &self.d_queries
    }

    fn logits(&self) -> &Buffer {
        &self.logits
    }

    async fn score(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        batch: QueryBatch,
        tensors: HeadTensors<'_>,
    ) -> Result<(), GpuError> {
        let classifier = Classifier { weights: self.lower.solved()?, stride: self.lower.stride };
        classifier.logits(recorder, task, batch.queries, self.lower.model.dimension, &self.queries, &self.logits)?;
        query_loss(recorder, task, batch, tensors, [&self.logits, &self.d_logits])
    }

    async fn backward(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        batch: QueryBatch,
        _tensors: HeadTensors<'_>,
        _gradient: &Buffer,
    ) -> Result<(), GpuError> {
        let classifier = Classifier { weights: self.lower.solved()?, stride: self.lower.stride };
        let (queries, dimension) = (batch.queries, self.lower.model.dimension);
        classifier.d_queries(recorder, task, queries, dimension, &self.d_logits, &self.d_queries)?;
        let images = [&self.queries, &self.d_logits];
        classifier.add_d_weights(recorder, task, queries, dimension, images, &self.lower.d_weights)
    }

    async fn finish(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        tensors: HeadTensors<'_>,
        rows: &Buffer,
        gradient: &Buffer,
    ) -> Result<(), GpuError> {
        let lower = &self.lower;
        match &self.through {
            Through::Implicit(implicit) => implicit.finish(recorder, lower, task, tensors, rows, gradient).await?,
            Through::Unrolled(unrolled) => unrolled.finish(recorder, lower, task, tensors, rows, gradient).await?,
            Through::Neumann(neumann) => neumann.finish(recorder, lower, task, tensors, rows, gradient).await?,
        }
        recorder.clear(lower.d_weights.all());
        Ok(())
    }
}
