//! The task heads, and the one place that knows them all.

mod classifier;
mod cost;
mod implicit;
mod linear;
mod lower;
mod mahalanobis;
mod neumann;
mod perceptron;
mod prototypes;
mod ridge;
mod unrolled;
mod versa;
mod warm;

use inkling_gpu::kernels::softmax_cross_entropy;
use inkling_gpu::{Allocate, Buffer, GpuError, Recorder};
use inkling_nn::Layout;

pub use implicit::ImplicitSettings;
use linear::{LinearHead, LinearModel};
pub use linear::{LinearSettings, LinearStart, LowerGradient};
pub use mahalanobis::MahalanobisSettings;
use mahalanobis::{MahalanobisHead, MahalanobisModel};
pub use neumann::NeumannSettings;
pub use prototypes::{Metric, PrototypeHead, Prototypes};
pub use ridge::RidgeSettings;
use ridge::{RidgeHead, RidgeModel};
pub use versa::VersaSettings;
use versa::{VersaHead, VersaModel};

use crate::head::{Head, HeadTask, HeadTensors, QueryBatch};
use crate::solve::SolveReport;
use crate::{MetaError, TaskLimits};

/// Which head solves a task, with its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HeadSettings {
    /// Class means under a metric (Snell et al. 2017).
    Prototypes {
        /// How a query is compared with a class mean.
        metric: Metric,
        /// The first value of the cosine's learned scale; without meaning for distances.
        scale: f32,
    },
    /// A linear classifier that gradient steps fit.
    Linear(LinearSettings),
    /// Ridge regression in closed form (Bertinetto et al. 2019).
    Ridge(RidgeSettings),
    /// Distances under the covariance of each class (Bateni et al. 2020).
    Mahalanobis(MahalanobisSettings),
    /// A linear classifier that perceptrons write from the class means (Requeima et al. 2019).
    Versa(VersaSettings),
}

/// What became of one task's solution.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadReport {
    /// Whether the inner loop diverged, a series did, or a system was not positive definite in f32:
    /// the task then has chance outcomes and adds nothing to the gradient.
    pub failed: bool,
    /// The solve by conjugate gradient, where there was one; of a Neumann head the one that
    /// estimates the largest eigenvalue.
    pub solve: Option<SolveReport>,
}

/// A head and the place of its parameters, without memory.
#[derive(Clone, Copy, Debug)]
pub struct HeadModel(Kind);

#[derive(Clone, Copy, Debug)]
enum Kind {
    Prototypes(Prototypes),
    Linear(LinearModel),
    Ridge(RidgeModel),
    Mahalanobis(MahalanobisModel),
    Versa(VersaModel),
}

/// Any head with its buffers.
#[derive(Debug)]
pub struct AnyHead<B>(Any<B>);

#[derive(Debug)]
enum Any<B> {
    Prototypes(PrototypeHead<B>),
    Linear(LinearHead<B>),
    Ridge(RidgeHead<B>),
    Mahalanobis(MahalanobisHead<B>),
    Versa(VersaHead<B>),
}

impl HeadModel {
    /// Adds the head's parameters to `layout`, for embeddings of `dimension` values.
    ///
    /// # Errors
    /// [`MetaError::Config`] for settings that cannot be.
    pub fn new(settings: HeadSettings, layout: &mut Layout, dimension: u32) -> Result<Self, MetaError> {
        Ok(Self(match settings {
            HeadSettings::Prototypes { metric, scale } => {
                Kind::Prototypes(Prototypes::new(layout, metric, scale, dimension))
            }
            HeadSettings::Linear(settings) => Kind::Linear(LinearModel::new(settings, layout, dimension)?),
            HeadSettings::Ridge(settings) => Kind::Ridge(RidgeModel::new(settings, layout, dimension)?),
            HeadSettings::Mahalanobis(settings) => Kind::Mahalanobis(MahalanobisModel::new(settings, dimension)),
            HeadSettings::Versa(settings) => Kind::Versa(VersaModel::new(settings, layout, dimension)?),
        }))
    }

    /// Puts the first values of the head's own parameters into the flat ones, which are zero there;
    /// `normal` is a source of standard normal deviates.
    pub fn initialize(&self, parameters: &mut [f32], normal: &mut dyn FnMut() -> f32) {
        let values = match &self.0 {
            Kind::Prototypes(head) => head.initial().into_iter().collect(),
            Kind::Linear(_) | Kind::Mahalanobis(_) => Vec::new(),
            Kind::Ridge(head) => head.initial().to_vec(),
            Kind::Versa(head) => return head.initialize(parameters, normal),
        };
        for (offset, value) in values {
            if let Some(parameter) = parameters.get_mut(offset as usize) {
                *parameter = value;
            }
        }
    }

    /// Refuses tasks that the head cannot solve, in batches of up to `query_batch` queries of each.
    ///
    /// # Errors
    /// [`MetaError::Config`] with what could be changed.
    pub fn check(&self, limits: TaskLimits, query_batch: u32) -> Result<(), MetaError> {
        match &self.0 {
            Kind::Prototypes(_) => Ok(()),
            Kind::Linear(head) => head.check(limits),
            Kind::Ridge(head) => head.check(limits),
            Kind::Mahalanobis(head) => head.check(limits, query_batch),
            Kind::Versa(head) => head.check(limits),
        }
    }

    /// Whether the gradient of all queries together is something else than the sum of those of
    /// their parts: the head then has to finish once for each task.
    pub fn finishes_once(&self) -> bool {
        matches!(&self.0, Kind::Linear(head) if head.finishes_once())
    }

    /// The head's buffers for passes within `limits`, in batches of up to `query_batch` queries of
    /// each task, with warm starts for `kept_tasks` tasks where the head has them.
    ///
    /// # Errors
    /// Those of the allocator.
    pub fn allocate<A: Allocate>(
        &self,
        allocate: &mut A,
        limits: TaskLimits,
        query_batch: u32,
        kept_tasks: u32,
    ) -> Result<AnyHead<A::Buffer>, GpuError> {
        Ok(AnyHead(match &self.0 {
            Kind::Prototypes(head) => Any::Prototypes(head.allocate(allocate, limits, query_batch)?),
            Kind::Linear(head) => Any::Linear(head.allocate(allocate, limits, query_batch, kept_tasks)?),
            Kind::Ridge(head) => Any::Ridge(head.allocate(allocate, limits, query_batch)?),
            Kind::Mahalanobis(head) => Any::Mahalanobis(head.allocate(allocate, limits, query_batch)?),
            Kind::Versa(head) => Any::Versa(head.allocate(allocate, limits, query_batch)?),
        }))
    }
}

/// Passes a call on to the head at hand.
macro_rules! each {
    ($head:expr, $at_hand:ident => $call:expr) => {
        match &$head.0 {
            Any::Prototypes($at_hand) => $call,
            Any::Linear($at_hand) => $call,
            Any::Ridge($at_hand) => $call,
            Any::Mahalanobis($at_hand) => $call,
            Any::Versa($at_hand) => $call,
        }
    };
}

impl AnyHead<Buffer> {
    /// What is kept for the tasks of a step from one step to the next, by name: `[tasks, ·]` each.
    pub fn warm_starts(&self) -> Vec<(&'static str, &Buffer)> {
        match &self.0 {
            Any::Linear(head) => head.warm_starts(),
            Any::Prototypes(_) | Any::Ridge(_) | Any::Mahalanobis(_) | Any::Versa(_) => Vec::new(),
        }
    }

    /// What became of the tasks of the last pass; nothing for heads that cannot fail. Reads back:
    /// not for within a step.
    ///
    /// # Errors
    /// Device errors.
    pub async fn reports(&self, recorder: &mut Recorder) -> Result<Vec<HeadReport>, GpuError> {
        match &self.0 {
            Any::Prototypes(_) | Any::Versa(_) => Ok(Vec::new()),
            Any::Linear(head) => head.reports(recorder).await,
            Any::Ridge(head) => head.reports(recorder).await,
            Any::Mahalanobis(head) => head.reports(recorder).await,
        }
    }
}

impl Head for AnyHead<Buffer> {
    async fn fit(&self, recorder: &mut Recorder, task: HeadTask, tensors: HeadTensors<'_>) -> Result<(), GpuError> {
        each!(self, head => head.fit(recorder, task, tensors).await)
    }

    fn queries(&self) -> &Buffer {
        each!(self, head => head.queries())
    }

    fn d_queries(&self) -> &Buffer {
        each!(self, head => head.d_queries())
    }

    fn logits(&self) -> &Buffer {
        each!(self, head => head.logits())
    }

    async fn score(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        batch: QueryBatch,
        tensors: HeadTensors<'_>,
    ) -> Result<(), GpuError> {
        each!(self, head => head.score(recorder, task, batch, tensors).await)
    }

    async fn backward(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        batch: QueryBatch,
        tensors: HeadTensors<'_>,
        gradient: &Buffer,
    ) -> Result<(), GpuError> {
        each!(self, head => head.backward(recorder, task, batch, tensors, gradient).await)
    }

    async fn finish(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        tensors: HeadTensors<'_>,
        rows: &Buffer,
        gradient: &Buffer,
    ) -> Result<(), GpuError> {
        each!(self, head => head.finish(recorder, task, tensors, rows, gradient).await)
    }
}

/// Softmax cross-entropy of a query batch, the mean over each task's queries: writes the outcomes
/// and dL/d logits. `logits` and their gradient are `[tasks, M_b, W]`.
pub(crate) fn query_loss(
    recorder: &mut Recorder,
    task: HeadTask,
    batch: QueryBatch,
    tensors: HeadTensors<'_>,
    [logits, d_logits]: [&Buffer; 2],
) -> Result<(), GpuError> {
    let rows = task.tasks * batch.queries;
    let params = softmax_cross_entropy::Params {
        rows,
        ways: task.ways,
        scale: 1.0 / task.queries as f32,
        rows_per_task: batch.queries,
        task_stride: task.queries,
        label_offset: batch.first,
        outcome_offset: tensors.first_outcome + batch.first,
    };
    let buffers = softmax_cross_entropy::Buffers {
        logits: logits.all(),
        labels: tensors.query_labels.all(),
        d_logits: d_logits.all(),
        outcomes: tensors.outcomes.all(),
    };
    recorder.dispatch(params, buffers, u64::from(rows))
}
