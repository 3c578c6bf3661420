//! What a head is: three phases on embeddings, with rows dL/dE at the end.

use inkling_gpu::{Buffer, GpuError, Recorder};

/// The sizes of the task at hand.
#[derive(Clone, Copy, Debug)]
pub struct HeadTask {
    /// W, the number of classes.
    pub ways: u32,
    /// N, the number of support images that are members of the task.
    pub support: u32,
    /// M, the number of query images.
    pub queries: u32,
}

/// The task's tensors, which every phase may read.
#[derive(Clone, Copy, Debug)]
pub struct HeadTensors<'b> {
    /// Flat parameters; the head's own are among them.
    pub parameters: &'b Buffer,
    /// E, `[N, d]`.
    pub embeddings: &'b Buffer,
    /// `[N]` labels of the support.
    pub support_labels: &'b Buffer,
    /// `[M]` labels of the queries.
    pub query_labels: &'b Buffer,
    /// `[·, 2]`: loss and correctness of each query, from row `first_outcome` on.
    pub outcomes: &'b Buffer,
    /// See `outcomes`.
    pub first_outcome: u32,
}

/// One batch of queries.
#[derive(Clone, Copy, Debug)]
pub struct QueryBatch {
    /// The number of the batch's first query.
    pub first: u32,
    /// Queries in the batch.
    pub queries: u32,
}

/// A task head. `fit`, then `query` for each batch, then `finish` when gradients are wanted.
///
/// Results do not depend on how the queries are cut into batches.
pub trait Head {
    /// Solves the task from its support embeddings and forgets gradients of earlier tasks.
    ///
    /// # Errors
    /// Device errors.
    fn fit(&self, recorder: &mut Recorder, task: HeadTask, tensors: HeadTensors<'_>) -> Result<(), GpuError>;

    /// The embeddings of the present query batch, `[M_b, d]`: write them before
    /// [`Head::query`]. Their gradient is [`Head::d_queries`] afterwards.
    fn queries(&self) -> &Buffer;

    /// dL/dE_q of the present query batch, `[M_b, d]`.
    fn d_queries(&self) -> &Buffer;

    /// The logits of the present query batch, `[M_b, W]`.
    fn logits(&self) -> &Buffer;

    /// Scores the batch: writes logits and outcomes.
    ///
    /// # Errors
    /// Device errors.
    fn score(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        batch: QueryBatch,
        tensors: HeadTensors<'_>,
    ) -> Result<(), GpuError>;

    /// After [`Head::score`]: writes dL/dE_q, adds to what `finish` needs and to the gradient of
    /// the head's own parameters.
    ///
    /// # Errors
    /// Device errors.
    fn backward(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        batch: QueryBatch,
        tensors: HeadTensors<'_>,
        gradient: &Buffer,
    ) -> Result<(), GpuError>;

    /// Writes the rows dL/dE `[N, d]` of all batches since `fit` or the last `finish`, and starts
    /// to accumulate anew.
    ///
    /// # Errors
    /// Device errors.
    fn finish(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        tensors: HeadTensors<'_>,
        rows: &Buffer,
    ) -> Result<(), GpuError>;
}
