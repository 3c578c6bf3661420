//! The task heads, and the one place that knows them all.

mod prototypes;

use inkling_gpu::kernels::softmax_cross_entropy;
use inkling_gpu::{Allocate, Buffer, GpuError, Recorder};
use inkling_nn::Layout;

pub use prototypes::{Metric, PrototypeHead, Prototypes};

use crate::head::{Head, HeadTask, HeadTensors, QueryBatch};
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
}

/// A head and the place of its parameters, without memory.
#[derive(Clone, Copy, Debug)]
pub(crate) enum HeadModel {
    Prototypes(Prototypes),
}

/// Any head with its buffers.
#[derive(Debug)]
pub(crate) enum AnyHead<B> {
    Prototypes(PrototypeHead<B>),
}

impl HeadModel {
    /// Adds the head's parameters to `layout`, for embeddings of `dimension` values.
    pub(crate) fn new(settings: HeadSettings, layout: &mut Layout, dimension: u32) -> Result<Self, MetaError> {
        match settings {
            HeadSettings::Prototypes { metric, scale } => {
                Ok(Self::Prototypes(Prototypes::new(layout, metric, scale, dimension)))
            }
        }
    }

    /// Offsets in the flat parameters of the head's own, with their first values.
    pub(crate) fn initial(&self) -> Vec<(u32, f32)> {
        match self {
            Self::Prototypes(head) => head.initial().into_iter().collect(),
        }
    }

    pub(crate) fn allocate<A: Allocate>(
        &self,
        allocate: &mut A,
        limits: TaskLimits,
        query_batch: u32,
    ) -> Result<AnyHead<A::Buffer>, GpuError> {
        Ok(match self {
            Self::Prototypes(head) => AnyHead::Prototypes(head.allocate(allocate, limits, query_batch)?),
        })
    }
}

/// Passes a call on to the head at hand.
macro_rules! each {
    ($head:expr, $at_hand:ident => $call:expr) => {
        match $head {
            AnyHead::Prototypes($at_hand) => $call,
        }
    };
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

    fn score(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        batch: QueryBatch,
        tensors: HeadTensors<'_>,
    ) -> Result<(), GpuError> {
        each!(self, head => head.score(recorder, task, batch, tensors))
    }

    fn backward(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        batch: QueryBatch,
        tensors: HeadTensors<'_>,
        gradient: &Buffer,
    ) -> Result<(), GpuError> {
        each!(self, head => head.backward(recorder, task, batch, tensors, gradient))
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
