//! What a head is: three phases on embeddings, with rows dL/dE at the end.

use inkling_gpu::{Buffer, GpuError, Recorder};

/// The sizes of the tasks at hand, which are solved side by side.
#[derive(Clone, Copy, Debug)]
pub struct HeadTask {
    /// Tasks of the pass.
    pub tasks: u32,
    /// W, the number of classes.
    pub ways: u32,
    /// N, the number of support images that are members of each task.
    pub support: u32,
    /// M, the number of query images of each task.
    pub queries: u32,
    /// The place of the first task among those of its step, under which a head with warm starts
    /// keeps what the tasks have come to; none for tasks that leave nothing behind.
    pub place: Option<u32>,
}

/// The tasks' tensors, which every phase may read.
#[derive(Clone, Copy, Debug)]
pub struct HeadTensors<'b> {
    /// Flat parameters, shared by the tasks; the head's own are among them.
    pub parameters: &'b Buffer,
    /// E, `[tasks, N, d]`.
    pub embeddings: &'b Buffer,
    /// `[tasks, N]` labels of the support.
    pub support_labels: &'b Buffer,
    /// `[tasks, M]` labels of the queries.
    pub query_labels: &'b Buffer,
    /// `[·, 2]`: loss and correctness of each query, `[tasks, M]` rows from `first_outcome` on.
    pub outcomes: &'b Buffer,
    /// See `outcomes`.
    pub first_outcome: u32,
}

/// One batch of queries: as many of each task.
#[derive(Clone, Copy, Debug)]
pub struct QueryBatch {
    /// The number, in its task, of the batch's first query.
    pub first: u32,
    /// M_b, queries of each task in the batch.
    pub queries: u32,
}

/// A task head. `fit`, then `score` and `backward` for each batch, then `finish` when gradients
/// are wanted. Each may record many launches and hand them over on the way.
///
/// Results do not depend on how the queries are cut into batches.
pub trait Head {
    /// Solves the tasks from their support embeddings and forgets gradients of earlier tasks.
    ///
    /// # Errors
    /// Device errors.
    fn fit(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        tensors: HeadTensors<'_>,
    ) -> impl Future<Output = Result<(), GpuError>>;

    /// The embeddings of the present query batch, `[tasks, M_b, d]`: write them before
    /// [`Head::query`]. Their gradient is [`Head::d_queries`] afterwards.
    fn queries(&self) -> &Buffer;

    /// dL/dE_q of the present query batch, `[tasks, M_b, d]`.
    fn d_queries(&self) -> &Buffer;

    /// The logits of the present query batch, `[tasks, M_b, W]`.
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
    ) -> impl Future<Output = Result<(), GpuError>>;

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
    ) -> impl Future<Output = Result<(), GpuError>>;

    /// Writes the rows dL/dE `[tasks, N, d]` of all batches since `fit` or the last `finish`, adds
    /// what remains of the head's own gradient, and starts to accumulate anew.
    ///
    /// # Errors
    /// Device errors.
    fn finish(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        tensors: HeadTensors<'_>,
        rows: &Buffer,
        gradient: &Buffer,
    ) -> impl Future<Output = Result<(), GpuError>>;
}
