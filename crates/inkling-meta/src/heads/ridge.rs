//! Ridge regression on one-hot labels (R2D2, Bertinetto et al. 2019), in closed form:
//!   W* = Eᵀ(EEᵀ + λI)⁻¹Y = (EᵀE + λI)⁻¹EᵀY,   logits = scale · E_q W* + bias,
//! by whichever system is smaller, with the exact gradient through the solve. λ, scale and bias are
//! learned: `head.lambda` (below 1e-6 it counts as that), `head.scale`, `head.bias`. λ is not
//! divided by N, and there is no constant feature. (A bias that is the same for all ways changes no
//! probability; it is there because the method has it.)

use inkling_gpu::kernels::{
    linear_head_combine, linear_head_rows, ridge_backward_sum, ridge_backward_task, ridge_cholesky, ridge_gram,
    ridge_scale, ridge_solve, ridge_targets,
};
use inkling_gpu::{Allocate, Buffer, GpuError, Recorder};
use inkling_nn::Layout;

use super::classifier::{Classifier, stride_of};
use super::lower::{combine_workgroups, list_everyone, values};
use super::{HeadReport, query_loss};
use crate::head::{Head, HeadTask, HeadTensors, QueryBatch};
use crate::{MetaError, TaskLimits};

/// The largest system: beyond it a launch of `ridge_solve` would loop too long.
const LARGEST_SIZE: u32 = 1_800;
/// Loop iterations of one launch of `ridge_cholesky` at most.
const LOOP_BOUND: u32 = 40_000;
/// Stands for "no value" in a shader's parameters.
const NONE: u32 = u32::MAX;

/// The first values of the learned parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RidgeSettings {
    /// λ.
    pub lambda: f32,
    /// The factor of the logits.
    pub scale: f32,
}

/// The settings and the place of the parameters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RidgeModel {
    settings: RidgeSettings,
    dimension: u32,
    lambda_offset: u32,
    scale_offset: u32,
    bias_offset: u32,
}

/// The head with its buffers. Classifiers are `[tasks, stride]`, their biases zero but for `scaled`.
#[derive(Debug)]
pub(crate) struct RidgeHead<B> {
    model: RidgeModel,
    stride: u32,
    /// `[1 + tasks]`: a list of all tasks.
    everyone: B,
    /// `[tasks]`: one where the system was not positive definite in f32.
    states: B,
    /// The factor of the system, `[tasks, size, size]`.
    factor: B,
    /// S: (EEᵀ + λI)⁻¹Y, or Y − EW*; `[tasks, N, W]`.
    solution: B,
    /// Q: (EEᵀ + λI)⁻¹EG, or E(EᵀE + λI)⁻¹G; `[tasks, N, W]`.
    second: B,
    /// W*.
    weights: B,
    /// scale · W* and the bias.
    scaled: B,
    /// Gradient of `scaled`.
    d_scaled: B,
    /// G, the gradient of W*.
    upstream: B,
    /// G − EᵀQ; the other system solves in `upstream`'s place.
    direction: B,
    partials: B,
    queries: B,
    d_queries: B,
    logits: B,
    d_logits: B,
}

/// Which system is solved.
#[derive(Clone, Copy)]
struct Form {
    dual: bool,
    size: u32,
}

impl RidgeModel {
    /// Adds the parameters to `layout`.
    ///
    /// # Errors
    /// [`MetaError::Config`] for settings that cannot be.
    pub(crate) fn new(settings: RidgeSettings, layout: &mut Layout, dimension: u32) -> Result<Self, MetaError> {
        if !settings.lambda.is_finite() || settings.lambda <= 0.0 {
            let reason = "must be a positive number: the system is singular without it";
            return Err(MetaError::config("head.lambda", settings.lambda, reason));
        }
        if !settings.scale.is_finite() || settings.scale == 0.0 {
            return Err(MetaError::config("head.scale", settings.scale, "must be a number other than zero"));
        }
        let [lambda_offset, scale_offset, bias_offset] =
            ["head.lambda", "head.scale", "head.bias"].map(|name| layout.push(name, &[1]));
        Ok(Self { settings, dimension, lambda_offset, scale_offset, bias_offset })
    }

    /// First values by offset.
    pub(crate) fn initial(&self) -> [(u32, f32); 3] {
        [(self.lambda_offset, self.settings.lambda), (self.scale_offset, self.settings.scale), (self.bias_offset, 0.0)]
    }

    /// Refuses tasks whose systems are too large.
    pub(crate) fn check(&self, limits: TaskLimits) -> Result<(), MetaError> {
        let size = self.dimension.min(limits.support);
        if size <= LARGEST_SIZE {
            return Ok(());
        }
        let reason = format!(
            "its system has min(support, dimension) = {size} unknowns, at most {LARGEST_SIZE} can be solved: lower the \
             support or the channels, or use another head"
        );
        Err(MetaError::config("head.kind", "ridge", reason))
    }

    /// The buffers for passes within `limits`, in query batches of up to `query_batch`.
    pub(crate) fn allocate<A: Allocate>(
        self,
        allocate: &mut A,
        limits: TaskLimits,
        query_batch: u32,
    ) -> Result<RidgeHead<A::Buffer>, GpuError> {
        let stride = stride_of(limits.ways, self.dimension);
        let [tasks, ways, support, d, batch] =
            [limits.tasks, limits.ways, limits.support, self.dimension, query_batch].map(u64::from);
        let size = support.min(d);
        let (vector, rows) = (tasks * u64::from(stride), tasks * support * ways);
        let mut values = |name: &str, elements| values(allocate, name, elements);
        Ok(RidgeHead {
            model: self,
            stride,
            everyone: values("everyone", 1 + tasks)?,
            states: values("states", tasks)?,
            factor: values("factor", tasks * size * size)?,
            solution: values("solution", rows)?,
            second: values("second", rows)?,
            weights: values("weights", vector)?,
            scaled: values("scaled", vector)?,
            d_scaled: values("d_scaled", vector)?,
            upstream: values("upstream", vector)?,
            direction: values("direction", vector)?,
            partials: values("partials", 4 * tasks)?,
            queries: values("queries", tasks * batch * d)?,
            d_queries: values("d_queries", tasks * batch * d)?,
            logits: values("logits", tasks * batch * ways)?,
            d_logits: values("d_logits", tasks * batch * ways)?,
        })
    }
}

impl RidgeHead<Buffer> {
    /// What became of the tasks of the last pass. Reads back: not for within a step.
    pub(crate) async fn reports(&self, recorder: &mut Recorder) -> Result<Vec<HeadReport>, GpuError> {
        let everyone: Vec<u32> = recorder.read(self.everyone.slice(0, 4)?).await?;
        let states: Vec<u32> = recorder.read(self.states.all()).await?;
        let tasks = everyone.first().copied().unwrap_or(0) as usize;
        Ok(states.iter().take(tasks).map(|&state| HeadReport { failed: state != 0, solve: None }).collect())
    }

    fn form(&self, task: HeadTask) -> Form {
        let dual = task.support < self.model.dimension;
        Form { dual, size: task.support.min(self.model.dimension) }
    }

    /// The Cholesky factor of the system.
    async fn factorize(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        tensors: HeadTensors<'_>,
    ) -> Result<(), GpuError> {
        let (d, Form { dual, size }) = (self.model.dimension, self.form(task));
        let (terms, row_stride, column_stride) = if dual { (d, d, 1) } else { (task.support, 1, d) };
        let tasks = task.tasks;
        let lambda_offset = self.model.lambda_offset;
        let params = ridge_gram::Params { tasks, size, terms, row_stride, column_stride, lambda_offset };
        let buffers = ridge_gram::Buffers {
            embeddings: tensors.embeddings.all(),
            parameters: tensors.parameters.all(),
            matrix: self.factor.all(),
        };
        let elements = u64::from(tasks) * u64::from(size) * u64::from(size);
        recorder.work(2.0 * elements as f64 * f64::from(terms));
        recorder.dispatch(params, buffers, elements)?;
        let mut first_row = 0;
        while first_row < size {
            let end_row = end_of_piece(size, first_row);
            let params = ridge_cholesky::Params { tasks, size, first_row, end_row };
            let buffers = ridge_cholesky::Buffers { states: self.states.all(), matrix: self.factor.all() };
            recorder.work(f64::from(tasks) * f64::from(size) * f64::from(size) * f64::from(end_row - first_row));
            recorder.dispatch(params, buffers, 64 * u64::from(tasks))?;
            first_row = end_row;
            recorder.breathe().await?;
        }
        Ok(())
    }

    /// Solves in place: rows `[N, W]` of the system of the support, or a classifier of that of the
    /// features.
    fn solve(&self, recorder: &mut Recorder, task: HeadTask, solution: &Buffer) -> Result<(), GpuError> {
        let Form { dual, size } = self.form(task);
        let HeadTask { tasks, ways, support, .. } = task;
        let (stride, row_stride, way_stride) =
            if dual { (support * ways, ways, 1) } else { (self.stride, 1, self.model.dimension) };
        let params = ridge_solve::Params { tasks, size, ways, stride, row_stride, way_stride };
        let buffers = ridge_solve::Buffers { factor: self.factor.all(), solution: solution.all() };
        let groups = u64::from(tasks) * u64::from(ways.div_ceil(4));
        recorder.work(8.0 * groups as f64 * f64::from(size) * f64::from(size));
        recorder.dispatch(params, buffers, 64 * groups)
    }

    /// Y, or Y less predictions, `[tasks, N, W]`.
    fn targets(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        tensors: HeadTensors<'_>,
        subtract: bool,
    ) -> Result<(), GpuError> {
        let rows = task.tasks * task.support;
        let params = ridge_targets::Params { rows, ways: task.ways, subtract: subtract.into() };
        let buffers = ridge_targets::Buffers {
            labels: tensors.support_labels.all(),
            predictions: self.second.all(),
            targets: self.solution.all(),
        };
        recorder.dispatch(params, buffers, u64::from(rows) * u64::from(task.ways))
    }

    /// output = keep · input + scale · Eᵀ C
    fn gather(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        tensors: HeadTensors<'_>,
        [keep, scale]: [f32; 2],
        [coefficients, input, output]: [&Buffer; 3],
    ) -> Result<(), GpuError> {
        let workgroups = combine_workgroups(task.ways, self.model.dimension);
        let params = linear_head_combine::Params {
            support: task.support,
            ways: task.ways,
            dimension: self.model.dimension,
            stride: self.stride,
            workgroups,
            bias: 0,
            keep,
            scale,
            pull: 0.0,
        };
        let buffers = linear_head_combine::Buffers {
            active_tasks: self.everyone.all(),
            embeddings: tensors.embeddings.all(),
            coefficients: coefficients.all(),
            input: input.all(),
            other: input.all(),
            output: output.all(),
        };
        recorder.dispatch(params, buffers, 64 * u64::from(task.tasks) * u64::from(workgroups))
    }

    /// output = (scale · input, bias or zero)
    fn scale(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        tensors: HeadTensors<'_>,
        bias_offset: u32,
        [input, output]: [&Buffer; 2],
    ) -> Result<(), GpuError> {
        let params = ridge_scale::Params {
            tasks: task.tasks,
            ways: task.ways,
            dimension: self.model.dimension,
            stride: self.stride,
            scale_offset: self.model.scale_offset,
            bias_offset,
        };
        let buffers = ridge_scale::Buffers {
            states: self.states.all(),
            parameters: tensors.parameters.all(),
            input: input.all(),
            output: output.all(),
        };
        let elements = u64::from(task.tasks) * u64::from(task.ways) * u64::from(self.model.dimension + 1);
        recorder.dispatch(params, buffers, elements)
    }

    /// E times a classifier without bias, `[tasks, N, W]`, into `second`.
    fn predict(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        tensors: HeadTensors<'_>,
        weights: &Buffer,
    ) -> Result<(), GpuError> {
        let classifier = Classifier { weights, stride: self.stride };
        classifier.logits(recorder, task, task.support, self.model.dimension, tensors.embeddings, &self.second)
    }

    /// S Dᵀ − Q W*ᵀ.
    fn rows(&self, recorder: &mut Recorder, task: HeadTask, direction: &Buffer, rows: &Buffer) -> Result<(), GpuError> {
        let params = linear_head_rows::Params {
            tasks: task.tasks,
            support: task.support,
            ways: task.ways,
            dimension: self.model.dimension,
            stride: self.stride,
            keep: 0.0,
            scale: 1.0,
            factor: -1.0,
        };
        let buffers = linear_head_rows::Buffers {
            states: self.states.all(),
            residuals: self.solution.all(),
            tangents: self.second.all(),
            direction: direction.all(),
            weights: self.weights.all(),
            rows: rows.all(),
        };
        let elements = u64::from(task.tasks) * u64::from(task.support) * u64::from(self.model.dimension);
        recorder.dispatch(params, buffers, elements)
    }

    /// Adds to the gradient of λ, scale and bias.
    fn add_parameters(&self, recorder: &mut Recorder, task: HeadTask, gradient: &Buffer) -> Result<(), GpuError> {
        let HeadTask { tasks, ways, support, .. } = task;
        let (dimension, stride) = (self.model.dimension, self.stride);
        let (length, first_stride, first, second) = if self.form(task).dual {
            (support * ways, support * ways, &self.second, &self.solution)
        } else {
            (ways * dimension, stride, &self.upstream, &self.weights)
        };
        let params = ridge_backward_task::Params { tasks, length, first_stride, ways, dimension, stride };
        let buffers = ridge_backward_task::Buffers {
            states: self.states.all(),
            first: first.all(),
            second: second.all(),
            weights: self.weights.all(),
            d_weights: self.d_scaled.all(),
            partials: self.partials.all(),
        };
        recorder.dispatch(params, buffers, 64 * u64::from(tasks))?;
        let RidgeModel { lambda_offset, scale_offset, bias_offset, .. } = self.model;
        let params = ridge_backward_sum::Params { tasks, lambda_offset, scale_offset, bias_offset };
        let buffers = ridge_backward_sum::Buffers { partials: self.partials.all(), gradient: gradient.all() };
        recorder.dispatch(params, buffers, 64)
    }
}

/// The rows that a launch of the factorisation takes from `first_row` on: at least one.
fn end_of_piece(size: u32, first_row: u32) -> u32 {
    let mut iterations = 0;
    let mut row = first_row;
    while row < size {
        iterations += (size - row).div_ceil(64) * (row + 2);
        if iterations > LOOP_BOUND && row > first_row {
            break;
        }
        row += 1;
    }
    row
}

impl Head for RidgeHead<Buffer> {
    async fn fit(&self, recorder: &mut Recorder, task: HeadTask, tensors: HeadTensors<'_>) -> Result<(), GpuError> {
        list_everyone(recorder, &self.everyone, task.tasks).await?;
        self.factorize(recorder, task, tensors).await?;
        self.targets(recorder, task, tensors, false)?;
        let gathered = [&self.solution, &self.scaled, &self.weights];
        if self.form(task).dual {
            self.solve(recorder, task, &self.solution)?;
            self.gather(recorder, task, tensors, [0.0, 1.0], gathered)?;
        } else {
            self.gather(recorder, task, tensors, [0.0, 1.0], gathered)?;
            self.solve(recorder, task, &self.weights)?;
        }
        self.scale(recorder, task, tensors, self.model.bias_offset, [&self.weights, &self.scaled])?;
        recorder.clear(self.d_scaled.all());
        Ok(())
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
        let classifier = Classifier { weights: &self.scaled, stride: self.stride };
        classifier.logits(recorder, task, batch.queries, self.model.dimension, &self.queries, &self.logits)?;
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
        let classifier = Classifier { weights: &self.scaled, stride: self.stride };
        let (queries, dimension) = (batch.queries, self.model.dimension);
        classifier.d_queries(recorder, task, queries, dimension, &self.d_logits, &self.d_queries)?;
        let images = [&self.queries, &self.d_logits];
        classifier.add_d_weights(recorder, task, queries, dimension, images, &self.d_scaled)
    }

    /// dL/dE = S Dᵀ − Q W*ᵀ. With the system of the support S and Q solve it for Y and E G, and
    /// D = G − EᵀQ; with that of the features D solves it for G, S = Y − E W* and Q = E D.
    async fn finish(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        tensors: HeadTensors<'_>,
        rows: &Buffer,
        gradient: &Buffer,
    ) -> Result<(), GpuError> {
        self.scale(recorder, task, tensors, NONE, [&self.d_scaled, &self.upstream])?;
        if self.form(task).dual {
            self.predict(recorder, task, tensors, &self.upstream)?;
            self.solve(recorder, task, &self.second)?;
            let vectors = [&self.second, &self.upstream, &self.direction];
            self.gather(recorder, task, tensors, [1.0, -1.0], vectors)?;
            self.rows(recorder, task, &self.direction, rows)?;
        } else {
            self.predict(recorder, task, tensors, &self.weights)?;
            self.targets(recorder, task, tensors, true)?;
            self.solve(recorder, task, &self.upstream)?;
            self.predict(recorder, task, tensors, &self.upstream)?;
            self.rows(recorder, task, &self.upstream, rows)?;
        }
        self.add_parameters(recorder, task, gradient)?;
        recorder.clear(self.d_scaled.all());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_the_rows_and_stay_below_the_bound() {
        for size in [1, 2, 64, 100, 290, 291, 1_000, LARGEST_SIZE] {
            let (mut row, mut pieces) = (0, 0);
            while row < size {
                let end = end_of_piece(size, row);
                assert!(end > row && end <= size);
                let iterations: u32 = (row..end).map(|j| (size - j).div_ceil(64) * (j + 2)).sum();
                assert!(iterations < 65_535, "{iterations} iterations for {size}");
                (row, pieces) = (end, pieces + 1);
            }
            assert!(size > 250 || pieces == 1, "{pieces} pieces for {size}");
        }
    }
}
