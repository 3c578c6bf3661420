//! Distances under the covariance of each class (Simple CNAPs, Bateni et al. 2020):
//!   logits −(e − μ_c)ᵀ Q_c⁻¹ (e − μ_c),   Q_c = λ_c Σ_c + (1 − λ_c) Σ + I,   λ_c = n_c / (n_c + 1),
//! with unbiased covariances of the class and of the task, zero where there is one image. No factor
//! ½, no explicit inverse, no parameters.
//!
//! Q_c is the identity plus a matrix of rank below N, so the smaller of two systems is solved: Q_c
//! itself, `[d, d]`, or by Woodbury's identity one on the support, `[N, N]`. Classes are factored in
//! blocks; between `score` and `backward` only the solutions u = Q_c⁻¹ (e − μ_c) of the batch are
//! kept. They are all that the gradient needs:
//!   dL/de_q = −2 Σ_c g u        dL/de_n = Σ_{c, q} 2g ((D_c X u)_n + [n in c] / n_c) u
//! (shaders/shared/mahalanobis.wgsl), a sum over queries: `backward` adds to the rows, and `finish`
//! hands them over without factoring anew.

mod sizes;

use inkling_gpu::kernels::{
    cholesky_panel, cholesky_solve, cholesky_update, mahalanobis_backward_query, mahalanobis_center,
    mahalanobis_dual_matrix, mahalanobis_expand, mahalanobis_gram, mahalanobis_logits, mahalanobis_matrix,
    mahalanobis_order, mahalanobis_project, mahalanobis_residuals, mahalanobis_rows, mahalanobis_verdict,
    prototype_fit,
};
use inkling_gpu::{Allocate, Buffer, GpuError, Recorder};

use super::lower::{list_everyone, values};
use super::{HeadReport, query_loss};
use crate::TaskLimits;
use crate::head::{Head, HeadTask, HeadTensors, QueryBatch};

pub(crate) use sizes::MahalanobisModel;
pub use sizes::MahalanobisSettings;
use sizes::TILE;

/// The head with its buffers. Vectors of the queries and classes of a batch are `[tasks, W, M_b, d]`.
#[derive(Debug)]
pub(crate) struct MahalanobisHead<B> {
    model: MahalanobisModel,
    class_block: u32,
    /// `[1 + tasks]`: a list of all tasks.
    everyone: B,
    /// `[tasks, W]`: one where a matrix was not positive definite in f32.
    class_states: B,
    /// `[tasks]`: one where any class's was not.
    states: B,
    /// `[tasks, W, d]`.
    prototypes: B,
    /// `[tasks, W]`.
    counts: B,
    /// Embeddings less the task's mean, `[tasks, N, d]`.
    centered: B,
    /// Embeddings less their class's mean, `[tasks, N, d]`.
    deviations: B,
    /// The images class after class, `[tasks, N]`.
    order: B,
    /// Inner products that the classes share: see [`MahalanobisHead::shared_products`].
    gram: B,
    /// The factors of a block of classes, `[tasks, block, size, size]`.
    matrices: B,
    /// e_q − μ_c, then u.
    vectors: B,
    /// `[tasks, block, M_b, N]`: of a block, the solutions on the support or the coefficients of
    /// the rows.
    projections: B,
    /// dL/dE of the batches so far, `[tasks, N, d]`.
    rows: B,
    queries: B,
    d_queries: B,
    logits: B,
    d_logits: B,
}

/// Classes that are at work together.
#[derive(Clone, Copy)]
struct Block {
    first: u32,
    classes: u32,
}

impl MahalanobisModel {
    /// The buffers for passes within `limits`, in query batches of up to `query_batch`.
    pub(crate) fn allocate<A: Allocate>(
        self,
        allocate: &mut A,
        limits: TaskLimits,
        query_batch: u32,
    ) -> Result<MahalanobisHead<A::Buffer>, GpuError> {
        let class_block = self.class_block(limits, query_batch);
        let [tasks, ways, support, d, batch] =
            [limits.tasks, limits.ways, limits.support, self.dimension, query_batch].map(u64::from);
        let [factor, projections] = self.bytes_of_class(limits, query_batch);
        let mut values = |name: &str, elements| values(allocate, name, elements);
        Ok(MahalanobisHead {
            model: self,
            class_block,
            everyone: values("everyone", 1 + tasks)?,
            class_states: values("class_states", tasks * ways)?,
            states: values("states", tasks)?,
            prototypes: values("prototypes", tasks * ways * d)?,
            counts: values("counts", tasks * ways)?,
            centered: values("centered", tasks * support * d)?,
            deviations: values("deviations", tasks * support * d)?,
            order: values("order", tasks * support)?,
            gram: values("gram", tasks * self.gram_elements(limits.support))?,
            matrices: values("matrices", u64::from(class_block) * factor / 4)?,
            vectors: values("vectors", tasks * ways * batch * d)?,
            projections: values("projections", u64::from(class_block) * projections / 4)?,
            rows: values("rows", tasks * support * d)?,
            queries: values("queries", tasks * batch * d)?,
            d_queries: values("d_queries", tasks * batch * d)?,
            logits: values("logits", tasks * batch * ways)?,
            d_logits: values("d_logits", tasks * batch * ways)?,
        })
    }
}

impl MahalanobisHead<Buffer> {
    /// What became of the tasks of the last pass. Reads back: not for within a step.
    pub(crate) async fn reports(&self, recorder: &mut Recorder) -> Result<Vec<HeadReport>, GpuError> {
        let everyone: Vec<u32> = recorder.read(self.everyone.slice(0, 4)?).await?;
        let states: Vec<u32> = recorder.read(self.states.all()).await?;
        let tasks = everyone.first().copied().unwrap_or(0) as usize;
        Ok(states.iter().take(tasks).map(|&state| HeadReport { failed: state != 0, solve: None }).collect())
    }

    /// Whether the systems are those on the support.
    fn is_dual(&self, task: HeadTask) -> bool {
        task.support < self.model.dimension
    }

    fn blocks(&self, task: HeadTask) -> impl Iterator<Item = Block> + use<> {
        let (ways, most) = (task.ways, self.class_block);
        (0..ways).step_by(most as usize).map(move |first| Block { first, classes: most.min(ways - first) })
    }

    /// Whether the factors of all classes stay in memory.
    fn keeps_factors(&self, task: HeadTask) -> bool {
        task.ways <= self.class_block
    }

    /// Means, counts, both centrings, and the members of each class.
    fn center(&self, recorder: &mut Recorder, task: HeadTask, tensors: HeadTensors<'_>) -> Result<(), GpuError> {
        let HeadTask { tasks, support, ways, .. } = task;
        let dimension = self.model.dimension;
        let params = prototype_fit::Params { tasks, support, ways, dimension };
        let buffers = prototype_fit::Buffers {
            embeddings: tensors.embeddings.all(),
            labels: tensors.support_labels.all(),
            prototypes: self.prototypes.all(),
            counts: self.counts.all(),
        };
        recorder.dispatch(params, buffers, u64::from(tasks * ways) * u64::from(dimension))?;
        let params = mahalanobis_center::Params { tasks, support, ways, dimension };
        let buffers = mahalanobis_center::Buffers {
            embeddings: tensors.embeddings.all(),
            labels: tensors.support_labels.all(),
            prototypes: self.prototypes.all(),
            centered: self.centered.all(),
            deviations: self.deviations.all(),
        };
        recorder.dispatch(params, buffers, u64::from(tasks) * u64::from(dimension))?;
        let params = mahalanobis_order::Params { tasks, support, ways };
        let buffers = mahalanobis_order::Buffers {
            labels: tensors.support_labels.all(),
            counts: self.counts.all(),
            order: self.order.all(),
        };
        recorder.dispatch(params, buffers, u64::from(tasks * support))
    }

    /// Values between the inner products of two tasks.
    fn gram_stride(&self, task: HeadTask) -> u32 {
        if self.is_dual(task) { 3 * task.support.pow(2) } else { self.model.dimension.pow(2) }
    }

    /// XᵀX of the features; or of the support XXᵀ, ẼXᵀ and ẼẼᵀ, X centred on the task, Ẽ on classes.
    fn shared_products(&self, recorder: &mut Recorder, task: HeadTask) -> Result<(), GpuError> {
        let (d, HeadTask { tasks, support, .. }) = (self.model.dimension, task);
        let (centered, deviations) = (&self.centered, &self.deviations);
        let (size, terms, row_stride, column_stride) =
            if self.is_dual(task) { (support, d, d, 1) } else { (d, support, 1, d) };
        let pairs = [(centered, centered), (deviations, centered), (deviations, deviations)];
        let tiles = u64::from(tasks) * u64::from(size.div_ceil(TILE)).pow(2);
        for (number, (first, second)) in (0..).zip(pairs).take(if self.is_dual(task) { 3 } else { 1 }) {
            let (stride, offset) = (self.gram_stride(task), number * size * size);
            // Only the second is not symmetric.
            let lower = (number != 1).into();
            let params =
                mahalanobis_gram::Params { tasks, size, terms, row_stride, column_stride, stride, offset, lower };
            let buffers = mahalanobis_gram::Buffers { first: first.all(), second: second.all(), gram: self.gram.all() };
            recorder.work(2.0 * f64::from(TILE * TILE) * tiles as f64 * f64::from(terms));
            recorder.dispatch(params, buffers, 64 * tiles)?;
        }
        Ok(())
    }

    /// The matrices of a block.
    fn fill(&self, recorder: &mut Recorder, task: HeadTask, labels: &Buffer, block: Block) -> Result<(), GpuError> {
        let HeadTask { tasks, support, ways, .. } = task;
        let (dimension, gram_stride) = (self.model.dimension, self.gram_stride(task));
        let Block { first: first_class, classes } = block;
        let elements = u64::from(tasks * classes) * u64::from(self.padded(task)).pow(2);
        if self.is_dual(task) {
            let params = mahalanobis_dual_matrix::Params { tasks, classes, first_class, ways, support, gram_stride };
            let buffers = mahalanobis_dual_matrix::Buffers {
                gram: self.gram.all(),
                labels: labels.all(),
                counts: self.counts.all(),
                matrix: self.matrices.all(),
            };
            recorder.work(8.0 * elements as f64);
            return recorder.dispatch(params, buffers, elements);
        }
        let params = mahalanobis_matrix::Params { tasks, classes, first_class, ways, support, dimension, gram_stride };
        let buffers = mahalanobis_matrix::Buffers {
            gram: self.gram.all(),
            deviations: self.deviations.all(),
            order: self.order.all(),
            counts: self.counts.all(),
            matrix: self.matrices.all(),
        };
        // Half of the tiles, of the members of each class.
        recorder.work(elements as f64 * f64::from(support) / f64::from(ways.max(1)));
        recorder.dispatch(params, buffers, 64 * (elements / u64::from(TILE * TILE)))
    }

    /// Rows of a factor: those of the system, up to whole tiles.
    fn padded(&self, task: HeadTask) -> u32 {
        task.support.min(self.model.dimension).next_multiple_of(TILE)
    }

    /// The Cholesky factors of a block.
    async fn factorize(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        labels: &Buffer,
        block: Block,
    ) -> Result<(), GpuError> {
        self.fill(recorder, task, labels, block)?;
        let (tasks, size) = (task.tasks, self.padded(task));
        let systems = u64::from(tasks * block.classes);
        for first in (0..size).step_by(TILE as usize) {
            let params = cholesky_panel::Params {
                tasks,
                systems: block.classes,
                size,
                first,
                state_stride: task.ways,
                state_offset: block.first,
            };
            let buffers = cholesky_panel::Buffers { states: self.class_states.all(), matrix: self.matrices.all() };
            recorder.work(f64::from(TILE * TILE) * f64::from(size - first) * systems as f64);
            recorder.dispatch(params, buffers, 64 * systems)?;
            let tiles = u64::from((size - first) / TILE - 1);
            let params = cholesky_update::Params { systems: tasks * block.classes, size, first };
            let buffers = cholesky_update::Buffers { matrix: self.matrices.all() };
            recorder.work(f64::from(TILE).powi(3) * (systems * tiles * tiles) as f64);
            recorder.dispatch(params, buffers, 64 * systems * tiles * tiles)?;
            recorder.breathe().await?;
        }
        Ok(())
    }

    /// e_q − μ_c for all classes.
    fn residuals(&self, recorder: &mut Recorder, task: HeadTask, queries: u32) -> Result<(), GpuError> {
        let HeadTask { tasks, ways, .. } = task;
        let dimension = self.model.dimension;
        let params = mahalanobis_residuals::Params { tasks, queries, ways, dimension };
        let buffers = mahalanobis_residuals::Buffers {
            queries: self.queries.all(),
            prototypes: self.prototypes.all(),
            residuals: self.vectors.all(),
        };
        recorder.dispatch(params, buffers, u64::from(tasks * ways * queries) * u64::from(dimension))
    }

    /// The solutions of a block, from its factors.
    fn solve(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        labels: &Buffer,
        (block, queries): (Block, u32),
    ) -> Result<(), GpuError> {
        let HeadTask { tasks, support, ways, .. } = task;
        let (dimension, dual) = (self.model.dimension, self.is_dual(task));
        let Block { first: first_class, classes } = block;
        if dual {
            self.project(recorder, task, labels, (block, queries), false)?;
        }
        let (size, stride, offset, solution) = if dual {
            (support, classes * queries * support, 0, &self.projections)
        } else {
            let of_class = queries * dimension;
            (dimension, ways * of_class, first_class * of_class, &self.vectors)
        };
        let params = cholesky_solve::Params { tasks, systems: classes, sides: queries, size, stride, offset };
        let buffers = cholesky_solve::Buffers { factor: self.matrices.all(), solution: solution.all() };
        let groups = u64::from(tasks * classes) * u64::from(queries.div_ceil(8));
        recorder.work(16.0 * groups as f64 * f64::from(size).powi(2));
        recorder.dispatch(params, buffers, 64 * groups)?;
        if !dual {
            return Ok(());
        }
        let params = mahalanobis_expand::Params { tasks, classes, first_class, ways, queries, support, dimension };
        let buffers = mahalanobis_expand::Buffers {
            solutions: self.projections.all(),
            centered: self.centered.all(),
            deviations: self.deviations.all(),
            labels: labels.all(),
            counts: self.counts.all(),
            vectors: self.vectors.all(),
        };
        let fours = u64::from(tasks * classes) * u64::from(queries.div_ceil(4)) * u64::from(dimension);
        recorder.work(8.0 * fours as f64 * f64::from(support));
        recorder.dispatch(params, buffers, fours)
    }

    /// Products of a block's vectors with the support: a right-hand side, or coefficients of the rows.
    fn project(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        labels: &Buffer,
        (block, queries): (Block, u32),
        backward: bool,
    ) -> Result<(), GpuError> {
        let HeadTask { tasks, support, ways, .. } = task;
        let params = mahalanobis_project::Params {
            tasks,
            classes: block.classes,
            first_class: block.first,
            ways,
            queries,
            support,
            dimension: self.model.dimension,
            backward: backward.into(),
        };
        let buffers = mahalanobis_project::Buffers {
            vectors: self.vectors.all(),
            centered: self.centered.all(),
            deviations: self.deviations.all(),
            labels: labels.all(),
            counts: self.counts.all(),
            d_logits: self.d_logits.all(),
            output: self.projections.all(),
        };
        let fours = u64::from(tasks * block.classes) * u64::from(queries.div_ceil(4)) * u64::from(support);
        recorder.work(8.0 * fours as f64 * f64::from(self.model.dimension));
        recorder.dispatch(params, buffers, fours)
    }

    /// The logits of a block.
    fn block_logits(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        (block, queries): (Block, u32),
    ) -> Result<(), GpuError> {
        let HeadTask { tasks, support, ways, .. } = task;
        let params = mahalanobis_logits::Params {
            tasks,
            classes: block.classes,
            first_class: block.first,
            ways,
            queries,
            support,
            dimension: self.model.dimension,
            dual: self.is_dual(task).into(),
        };
        let buffers = mahalanobis_logits::Buffers {
            queries: self.queries.all(),
            prototypes: self.prototypes.all(),
            vectors: self.vectors.all(),
            solutions: self.projections.all(),
            logits: self.logits.all(),
        };
        recorder.dispatch(params, buffers, u64::from(tasks * block.classes) * u64::from(queries))
    }

    /// What a block adds to the rows.
    fn add_rows(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        (block, queries): (Block, u32),
    ) -> Result<(), GpuError> {
        let HeadTask { tasks, support, ways, .. } = task;
        let dimension = self.model.dimension;
        let Block { first: first_class, classes } = block;
        let params = mahalanobis_rows::Params { tasks, classes, first_class, ways, queries, support, dimension };
        let buffers = mahalanobis_rows::Buffers {
            states: self.states.all(),
            coefficients: self.projections.all(),
            vectors: self.vectors.all(),
            rows: self.rows.all(),
        };
        let fours = u64::from(tasks) * u64::from(support.div_ceil(4)) * u64::from(dimension);
        recorder.work(8.0 * fours as f64 * f64::from(classes * queries));
        recorder.dispatch(params, buffers, fours)
    }
}

impl Head for MahalanobisHead<Buffer> {
    async fn fit(&self, recorder: &mut Recorder, task: HeadTask, tensors: HeadTensors<'_>) -> Result<(), GpuError> {
        list_everyone(recorder, &self.everyone, task.tasks).await?;
        recorder.clear(self.states.all());
        recorder.clear(self.rows.all());
        self.center(recorder, task, tensors)?;
        self.shared_products(recorder, task)?;
        if self.keeps_factors(task) {
            let all = Block { first: 0, classes: task.ways };
            self.factorize(recorder, task, tensors.support_labels, all).await?;
        }
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
        let HeadTask { tasks, ways, .. } = task;
        let (labels, queries) = (tensors.support_labels, batch.queries);
        self.residuals(recorder, task, queries)?;
        for block in self.blocks(task) {
            if !self.keeps_factors(task) {
                self.factorize(recorder, task, labels, block).await?;
            }
            self.solve(recorder, task, labels, (block, queries))?;
            self.block_logits(recorder, task, (block, queries))?;
            recorder.breathe().await?;
        }
        let params = mahalanobis_verdict::Params { tasks, queries, ways };
        let buffers = mahalanobis_verdict::Buffers {
            class_states: self.class_states.all(),
            states: self.states.all(),
            logits: self.logits.all(),
        };
        recorder.dispatch(params, buffers, u64::from(tasks * queries))?;
        query_loss(recorder, task, batch, tensors, [&self.logits, &self.d_logits])
    }

    async fn backward(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        batch: QueryBatch,
        tensors: HeadTensors<'_>,
        _gradient: &Buffer,
    ) -> Result<(), GpuError> {
        let HeadTask { tasks, ways, .. } = task;
        let (queries, dimension) = (batch.queries, self.model.dimension);
        let params = mahalanobis_backward_query::Params { tasks, queries, ways, dimension };
        let buffers = mahalanobis_backward_query::Buffers {
            states: self.states.all(),
            vectors: self.vectors.all(),
            d_logits: self.d_logits.all(),
            d_queries: self.d_queries.all(),
        };
        recorder.dispatch(params, buffers, u64::from(tasks * queries) * u64::from(dimension))?;
        for block in self.blocks(task) {
            self.project(recorder, task, tensors.support_labels, (block, queries), true)?;
            self.add_rows(recorder, task, (block, queries))?;
            recorder.breathe().await?;
        }
        Ok(())
    }

    async fn finish(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        _tensors: HeadTensors<'_>,
        rows: &Buffer,
        _gradient: &Buffer,
    ) -> Result<(), GpuError> {
        let bytes = 4 * u64::from(task.tasks * task.support) * u64::from(self.model.dimension);
        recorder.copy(self.rows.slice(0, bytes)?, rows.slice(0, bytes)?);
        recorder.clear(self.rows.all());
        Ok(())
    }
}
