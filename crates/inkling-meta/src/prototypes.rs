//! Prototypical networks (Snell et al. 2017): classes are represented by the mean of their support
//! embeddings; logits are negative squared distances to it, or scaled cosines.
//!
//! Both metrics have gradients of one form, dL/de = Σ_w A μ_w + B e and dL/dμ = Σ_m A e + B' μ:
//! only the kernel that computes A, B and B' knows the metric.

use inkling_gpu::kernels::{
    prototype_backward_fit, prototype_backward_query, prototype_backward_scale, prototype_coefficients,
    prototype_finish, prototype_fit, prototype_logits, softmax_cross_entropy,
};
use inkling_gpu::{Allocate, Buffer, Category, GpuError, Recorder};
use inkling_nn::Layout;

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
    pub fn new(layout: &mut Layout, metric: Metric, dimension: u32) -> Self {
        let scale_offset = match metric {
            Metric::Euclidean => 0,
            Metric::Cosine => layout.push("head.scale", &[1]),
        };
        Self { metric, scale_offset, dimension }
    }

    /// The offset of the learned scale in the flat parameters.
    pub fn scale_offset(&self) -> Option<u32> {
        (self.metric == Metric::Cosine).then_some(self.scale_offset)
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
        let (ways, queries, d) = (u64::from(limits.ways), u64::from(query_batch), u64::from(self.dimension));
        let mut values =
            |name: &str, elements| allocate.values(Category::Embeddings, &format!("head.{name}"), elements);
        Ok(PrototypeHead {
            settings: self,
            prototypes: values("prototypes", ways * d)?,
            counts: values("counts", ways)?,
            d_prototypes: values("d_prototypes", ways * d)?,
            queries: values("queries", queries * d)?,
            d_queries: values("d_queries", queries * d)?,
            logits: values("logits", queries * ways)?,
            d_logits: values("d_logits", queries * ways)?,
            coefficients: values("coefficients", 3 * queries * ways)?,
        })
    }
}

impl Head for PrototypeHead<Buffer> {
    fn fit(&self, recorder: &mut Recorder, task: HeadTask, tensors: HeadTensors<'_>) -> Result<(), GpuError> {
        recorder.clear(self.d_prototypes.all());
        let dimension = self.settings.dimension;
        let params = prototype_fit::Params { tasks: 1, support: task.support, ways: task.ways, dimension };
        let buffers = prototype_fit::Buffers {
            embeddings: tensors.embeddings.all(),
            labels: tensors.support_labels.all(),
            prototypes: self.prototypes.all(),
            counts: self.counts.all(),
        };
        recorder.dispatch(params, buffers, u64::from(task.ways) * u64::from(dimension))
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

    fn score(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        batch: QueryBatch,
        tensors: HeadTensors<'_>,
    ) -> Result<(), GpuError> {
        let params = prototype_logits::Params {
            tasks: 1,
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
        recorder.dispatch(params, buffers, u64::from(batch.queries) * u64::from(task.ways))?;
        let params = softmax_cross_entropy::Params {
            rows: batch.queries,
            ways: task.ways,
            scale: 1.0 / task.queries as f32,
            label_offset: batch.first,
            outcome_offset: tensors.first_outcome + batch.first,
        };
        let buffers = softmax_cross_entropy::Buffers {
            logits: self.logits.all(),
            labels: tensors.query_labels.all(),
            d_logits: self.d_logits.all(),
            outcomes: tensors.outcomes.all(),
        };
        recorder.dispatch(params, buffers, u64::from(batch.queries))
    }

    fn backward(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        batch: QueryBatch,
        tensors: HeadTensors<'_>,
        gradient: &Buffer,
    ) -> Result<(), GpuError> {
        let Prototypes { metric, scale_offset, dimension } = self.settings;
        let HeadTask { ways, .. } = task;
        let queries = batch.queries;
        let (rows, d) = (u64::from(queries), u64::from(dimension));
        let params = prototype_coefficients::Params {
            tasks: 1,
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
        let params = prototype_backward_query::Params { tasks: 1, queries, ways, dimension };
        let buffers = prototype_backward_query::Buffers {
            queries: self.queries.all(),
            prototypes: self.prototypes.all(),
            coefficients: self.coefficients.all(),
            d_queries: self.d_queries.all(),
        };
        recorder.dispatch(params, buffers, rows * d)?;
        let params = prototype_backward_fit::Params { tasks: 1, queries, ways, dimension };
        let buffers = prototype_backward_fit::Buffers {
            queries: self.queries.all(),
            prototypes: self.prototypes.all(),
            coefficients: self.coefficients.all(),
            d_prototypes: self.d_prototypes.all(),
        };
        recorder.dispatch(params, buffers, u64::from(ways) * d)?;
        if metric == Metric::Euclidean {
            return Ok(());
        }
        let params = prototype_backward_scale::Params {
            tasks: 1,
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

    fn finish(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        tensors: HeadTensors<'_>,
        rows: &Buffer,
    ) -> Result<(), GpuError> {
        let dimension = self.settings.dimension;
        let params = prototype_finish::Params { tasks: 1, support: task.support, ways: task.ways, dimension };
        let buffers = prototype_finish::Buffers {
            labels: tensors.support_labels.all(),
            counts: self.counts.all(),
            d_prototypes: self.d_prototypes.all(),
            rows: rows.all(),
        };
        recorder.dispatch(params, buffers, u64::from(task.support) * u64::from(dimension))?;
        recorder.clear(self.d_prototypes.all());
        Ok(())
    }
}
