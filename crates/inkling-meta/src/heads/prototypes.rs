//! Prototypical networks (Snell et al. 2017): classes are represented by the mean of their support
//! embeddings; logits are negative squared distances to it, or scaled cosines.
//!
//! Both metrics have gradients of one form, dL/de = Σ_w A μ_w + B e and dL/dμ = Σ_m A e + B' μ:
//! only the kernel that computes A, B and B' knows the metric.

use inkling_gpu::kernels::{
    prototype_backward_fit, prototype_backward_query, prototype_backward_scale, prototype_coefficients,
    prototype_finish, prototype_fit, prototype_logits,
};
use inkling_gpu::{Allocate, Buffer, Category, GpuError, Recorder};
use inkling_nn::Layout;

use super::query_loss;
use crate::TaskLimits;
use crate::head::{Head, HeadTask, HeadTensors, QueryBatch};

/// Invocations that sum the gradient of the scale together.
const SCALE_INVOCATIONS: u64 = 64;

/// How a query is compared with a prototype.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Metric {
    /// −‖e − μ‖².
    #[default]
    Euclidean,
    /// s·e·μ/(‖e‖‖μ‖) with a learned scale s.
    Cosine,
}

/// The head's settings and the place of its parameters.
#[derive(Clone, Copy, Debug)]
pub struct Prototypes {
    metric: Metric,
    scale: f32,
    scale_offset: u32,
    dimension: u32,
}

/// The head with its buffers.
#[derive(Debug)]
pub struct PrototypeHead<B> {
    settings: Prototypes,
    prototypes: B,
    counts: B,
    d_prototypes: B,
    queries: B,
    d_queries: B,
    logits: B,
    d_logits: B,
    coefficients: B,
}

impl Prototypes {
    /// Adds the head's parameters (`head.scale` for cosine) to `layout`.
    pub fn new(layout: &mut Layout, metric: Metric, scale: f32, dimension: u32) -> Self {
        let scale_offset = match metric {
            Metric::Euclidean => 0,
            Metric::Cosine => layout.push("head.scale", &[1]),
        };
        Self { metric, scale, scale_offset, dimension }
    }

    /// Where the learned scale lies in the flat parameters, and its first value.
    pub fn initial(&self) -> Option<(u32, f32)> {
        (self.metric == Metric::Cosine).then_some((self.scale_offset, self.scale))
    }

    /// The head's buffers for tasks within `limits`, in query batches of up to `query_batch`.
    ///
    /// # Errors
    /// Those of the allocator.
    pub fn allocate<A: Allocate>(
        self,
        allocate: &mut A,
        limits: TaskLimits,
        query_batch: u32,
    ) -> Result<PrototypeHead<A::Buffer>, GpuError> {
        let (tasks, ways, d) = (u64::from(limits.tasks), u64::from(limits.ways), u64::from(self.dimension));
        let (classes, queries) = (tasks * ways, tasks * u64::from(query_batch));
        let mut values =
            |name: &str, elements| allocate.values(Category::Embeddings, &format!("head.{name}"), elements);
        Ok(PrototypeHead {
            settings: self,
            prototypes: values("prototypes", classes * d)?,
            counts: values("counts", classes)?,
            d_prototypes: values("d_prototypes", classes * d)?,
            queries: values("queries", queries * d)?,
            d_queries: values("d_queries", queries * d)?,
            logits: values("logits", queries * ways)?,
            d_logits: values("d_logits", queries * ways)?,
            coefficients: values("coefficients", 3 * queries * ways)?,
        })
    }
}

impl Head for PrototypeHead<Buffer> {
    async fn fit(&self, recorder: &mut Recorder, task: HeadTask, tensors: HeadTensors<'_>) -> Result<(), GpuError> {
        recorder.clear(self.d_prototypes.all());
        let dimension = self.settings.dimension;
        let params = prototype_fit::Params { tasks: task.tasks, support: task.support, ways: task.ways, dimension };
        let buffers = prototype_fit::Buffers {
            embeddings: tensors.embeddings.all(),
            labels: tensors.support_labels.all(),
            prototypes: self.prototypes.all(),
            counts: self.counts.all(),
        };
        recorder.dispatch(params, buffers, u64::from(task.tasks * task.ways) * u64::from(dimension))
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
        let params = prototype_logits::Params {
            tasks: task.tasks,
            queries: batch.queries,
            ways: task.ways,
            dimension: self.settings.dimension,
            metric: self.settings.metric as u32,
            scale_offset: self.settings.scale_offset,
            parameter_stride: 0,
        };
        let buffers = prototype_logits::Buffers {
            queries: self.queries.all(),
            prototypes: self.prototypes.all(),
            parameters: tensors.parameters.all(),
            logits: self.logits.all(),
        };
        let rows = task.tasks * batch.queries;
        recorder.dispatch(params, buffers, u64::from(rows) * u64::from(task.ways))?;
        query_loss(recorder, task, batch, tensors, [&self.logits, &self.d_logits])
    }

    async fn backward(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        batch: QueryBatch,
        tensors: HeadTensors<'_>,
        gradient: &Buffer,
    ) -> Result<(), GpuError> {
        let Prototypes { metric, scale_offset, dimension, .. } = self.settings;
        let HeadTask { tasks, ways, .. } = task;
        let queries = batch.queries;
        let (rows, d) = (u64::from(tasks * queries), u64::from(dimension));
        let params = prototype_coefficients::Params {
            tasks,
            queries,
            ways,
            dimension,
            metric: metric as u32,
            scale_offset,
            parameter_stride: 0,
        };
        let buffers = prototype_coefficients::Buffers {
            queries: self.queries.all(),
            prototypes: self.prototypes.all(),
            parameters: tensors.parameters.all(),
            logits: self.logits.all(),
            d_logits: self.d_logits.all(),
            coefficients: self.coefficients.all(),
        };
        recorder.dispatch(params, buffers, rows * u64::from(ways))?;
        let params = prototype_backward_query::Params { tasks, queries, ways, dimension };
        let buffers = prototype_backward_query::Buffers {
            queries: self.queries.all(),
            prototypes: self.prototypes.all(),
            coefficients: self.coefficients.all(),
            d_queries: self.d_queries.all(),
        };
        recorder.dispatch(params, buffers, rows * d)?;
        let params = prototype_backward_fit::Params { tasks, queries, ways, dimension };
        let buffers = prototype_backward_fit::Buffers {
            queries: self.queries.all(),
            prototypes: self.prototypes.all(),
            coefficients: self.coefficients.all(),
            d_prototypes: self.d_prototypes.all(),
        };
        recorder.dispatch(params, buffers, u64::from(tasks * ways) * d)?;
        if metric == Metric::Euclidean {
            return Ok(());
        }
        let params = prototype_backward_scale::Params {
            tasks,
            queries,
            ways,
            scale_offset,
            parameter_stride: 0,
            gradient_stride: 0,
        };
        let buffers = prototype_backward_scale::Buffers {
            parameters: tensors.parameters.all(),
            logits: self.logits.all(),
            d_logits: self.d_logits.all(),
            gradient: gradient.all(),
        };
        recorder.dispatch(params, buffers, SCALE_INVOCATIONS)
    }

    async fn finish(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        tensors: HeadTensors<'_>,
        rows: &Buffer,
        _gradient: &Buffer,
    ) -> Result<(), GpuError> {
        let dimension = self.settings.dimension;
        let params = prototype_finish::Params { tasks: task.tasks, support: task.support, ways: task.ways, dimension };
        let buffers = prototype_finish::Buffers {
            labels: tensors.support_labels.all(),
            counts: self.counts.all(),
            d_prototypes: self.d_prototypes.all(),
            rows: rows.all(),
        };
        recorder.dispatch(params, buffers, u64::from(task.tasks * task.support) * u64::from(dimension))?;
        recorder.clear(self.d_prototypes.all());
        Ok(())
    }
}
