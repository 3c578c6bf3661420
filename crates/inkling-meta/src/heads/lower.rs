//! The lower level of the linear heads on the device: inner steps, and the products with its
//! Hessian and its mixed derivative that a gradient through it needs.

use inkling_gpu::kernels::{
    linear_head_check, linear_head_combine, linear_head_residual, linear_head_rows, linear_head_start,
    linear_head_start_gradient, linear_head_tangent,
};
use inkling_gpu::{Allocate, Buffer, Category, GpuError, Recorder, Slice};

use super::classifier::stride_of;
use super::linear::{LinearModel, LinearStart, LowerGradient};
use super::warm::Warm;
use crate::TaskLimits;
use crate::head::{HeadTask, HeadTensors};

/// The lower level with its buffers; vectors are `[tasks, stride]`.
#[derive(Debug)]
pub(crate) struct Lower<B> {
    pub(super) model: LinearModel,
    pub(super) stride: u32,
    /// `[1 + tasks]`: a list of all tasks, as that of active ones.
    pub(super) everyone: B,
    /// `[tasks]`: one where the inner loop diverged.
    pub(super) states: B,
    /// A learned start, where the iterates do not keep it.
    start: Option<B>,
    /// w_k at k modulo their number: two, or all K + 1.
    iterates: Vec<B>,
    /// P − Y, `[tasks, N, W]`.
    pub(super) residuals: B,
    /// (diag(p) − ppᵀ) X v, `[tasks, N, W]`.
    pub(super) tangents: B,
    /// dL/dw of the queries so far.
    pub(super) d_weights: B,
    /// w_K of the last step.
    pub(super) warm: Option<Warm<B>>,
}

/// A buffer of the head's.
pub(super) fn values<A: Allocate>(allocate: &mut A, name: &str, elements: u64) -> Result<A::Buffer, GpuError> {
    allocate.values(Category::Embeddings, &format!("head.{name}"), elements)
}

/// Uploads the list of all tasks of a pass.
pub(super) async fn list_everyone(recorder: &mut Recorder, everyone: &Buffer, tasks: u32) -> Result<(), GpuError> {
    let list: Vec<u32> = std::iter::once(tasks).chain(0..tasks).collect();
    recorder.upload_values(everyone.all(), &list).await
}

impl<B> Lower<B> {
    pub(super) fn allocate<A: Allocate<Buffer = B>>(
        model: LinearModel,
        allocate: &mut A,
        limits: TaskLimits,
        kept_tasks: u32,
    ) -> Result<Self, GpuError> {
        let stride = stride_of(limits.ways, model.dimension);
        let tasks = u64::from(limits.tasks);
        let (vector, rows) = (tasks * u64::from(stride), tasks * u64::from(limits.support) * u64::from(limits.ways));
        let keeps_all = model.settings.gradient == LowerGradient::Unrolled;
        let count = if keeps_all { model.settings.inner_steps + 1 } else { 2 };
        let starts_warm = model.settings.start == LinearStart::Warm && kept_tasks > 0;
        let warm = starts_warm.then(|| Warm::allocate(allocate, "warm.w", kept_tasks, stride)).transpose()?;
        let keeps_start = model.learned.is_some() && !keeps_all;
        let mut values = |name: &str, elements| values(allocate, name, elements);
        Ok(Self {
            model,
            stride,
            everyone: values("everyone", 1 + tasks)?,
            states: values("states", tasks)?,
            start: keeps_start.then(|| values("start", vector)).transpose()?,
            iterates: (0..count).map(|k| values(&format!("w.{k}"), vector)).collect::<Result<_, _>>()?,
            residuals: values("residuals", rows)?,
            tangents: values("tangents", rows)?,
            d_weights: values("d_weights", vector)?,
            warm,
        })
    }
}

/// The factors of `keep · input + scale · Xᵀ C + pull · other`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Factors {
    pub(super) keep: f32,
    pub(super) scale: f32,
    pub(super) pull: f32,
}

/// Workgroups of each task in a launch of `linear_head_tangent`.
pub(super) fn tangent_workgroups(support: u32) -> u32 {
    support.div_ceil(64)
}

/// Workgroups of each task in a launch of `linear_head_combine`.
pub(super) fn combine_workgroups(ways: u32, dimension: u32) -> u32 {
    ((dimension + 1) * ways.div_ceil(4)).div_ceil(64)
}

impl Lower<Buffer> {
    /// w_k, as far as it is kept.
    pub(super) fn iterate(&self, k: u32) -> Result<&Buffer, GpuError> {
        let kept = match &self.start {
            Some(start) if k == 0 => Some(start),
            _ => self.iterates.get(k as usize % self.iterates.len().max(1)),
        };
        kept.ok_or_else(|| GpuError::Validation("a head without iterates".into()))
    }

    /// w_K.
    pub(super) fn solved(&self) -> Result<&Buffer, GpuError> {
        self.iterate(self.model.settings.inner_steps)
    }

    /// Elements of one task's w.
    pub(super) fn length(&self, task: HeadTask) -> u32 {
        task.ways * (self.model.dimension + 1)
    }

    /// The K steps from the start.
    pub(super) async fn fit(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        tensors: HeadTensors<'_>,
    ) -> Result<(), GpuError> {
        list_everyone(recorder, &self.everyone, task.tasks).await?;
        let settings = self.model.settings;
        self.begin(recorder, task, tensors)?;
        let decay = settings.inner_learning_rate * settings.ridge;
        let factors = Factors {
            keep: (1.0 - f64::from(settings.inner_learning_rate) * f64::from(settings.ridge)) as f32,
            scale: -settings.inner_learning_rate / task.support as f32,
            pull: if settings.proximal { decay } else { 0.0 },
        };
        for k in 0..settings.inner_steps {
            let (w, next) = (self.iterate(k)?, self.iterate(k + 1)?);
            self.residual(recorder, task, tensors, w)?;
            let vectors = [w, self.iterate(if settings.proximal { 0 } else { k })?, next];
            self.combine(recorder, task, tensors, &self.residuals, factors, vectors)?;
            recorder.breathe().await?;
        }
        // A loop that has diverged leaves zeros here, and so in what is kept.
        self.check(recorder, task, self.solved()?, false)?;
        if let Some(warm) = &self.warm {
            warm.keep(recorder, task, self.solved()?)?;
        }
        recorder.clear(self.d_weights.all());
        Ok(())
    }

    /// Takes tasks whose vector is not usable out of the step; with `keep`, besides those that are.
    pub(super) fn check(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        vector: &Buffer,
        keep: bool,
    ) -> Result<(), GpuError> {
        let params = linear_head_check::Params {
            tasks: task.tasks,
            length: self.length(task),
            stride: self.stride,
            keep: keep.into(),
        };
        let buffers = linear_head_check::Buffers { states: self.states.all(), weights: vector.all() };
        recorder.dispatch(params, buffers, 64 * u64::from(task.tasks))
    }

    fn begin(&self, recorder: &mut Recorder, task: HeadTask, tensors: HeadTensors<'_>) -> Result<(), GpuError> {
        let start = self.iterate(0)?;
        if let Some(warm) = &self.warm
            && warm.recall(recorder, task, start)?
        {
            return Ok(());
        }
        let Some([weight_offset, bias_offset]) = self.model.learned else {
            recorder.clear(start.all());
            return Ok(());
        };
        let params = linear_head_start::Params {
            tasks: task.tasks,
            ways: task.ways,
            dimension: self.model.dimension,
            stride: self.stride,
            weight_offset,
            bias_offset,
        };
        let buffers = linear_head_start::Buffers { parameters: tensors.parameters.all(), weights: start.all() };
        recorder.dispatch(params, buffers, u64::from(task.tasks) * u64::from(self.stride))
    }

    /// P − Y at w.
    pub(super) fn residual(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        tensors: HeadTensors<'_>,
        w: &Buffer,
    ) -> Result<(), GpuError> {
        let params = linear_head_residual::Params {
            tasks: task.tasks,
            support: task.support,
            ways: task.ways,
            dimension: self.model.dimension,
            stride: self.stride,
        };
        let buffers = linear_head_residual::Buffers {
            embeddings: tensors.embeddings.all(),
            labels: tensors.support_labels.all(),
            weights: w.all(),
            products: self.residuals.all(),
        };
        recorder.work(self.flops(task));
        recorder.dispatch(params, buffers, u64::from(task.tasks) * u64::from(task.support))
    }

    /// Floating-point operations of a product with the support embeddings.
    pub(super) fn flops(&self, task: HeadTask) -> f64 {
        2.0 * f64::from(task.tasks * task.support) * f64::from(task.ways) * f64::from(self.model.dimension)
    }

    /// How P changes along v, for the tasks in `active`; launched for as many as `arguments` say,
    /// or for all.
    pub(super) fn tangent(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        tensors: HeadTensors<'_>,
        v: &Buffer,
        (active, arguments): (Slice<'_>, Option<Slice<'_>>),
    ) -> Result<(), GpuError> {
        let params = linear_head_tangent::Params {
            support: task.support,
            ways: task.ways,
            dimension: self.model.dimension,
            stride: self.stride,
        };
        let buffers = linear_head_tangent::Buffers {
            active_tasks: active,
            embeddings: tensors.embeddings.all(),
            labels: tensors.support_labels.all(),
            residuals: self.residuals.all(),
            weights: v.all(),
            products: self.tangents.all(),
        };
        recorder.work(self.flops(task));
        match arguments {
            Some(arguments) => recorder.dispatch_indirect(params, buffers, arguments),
            None => recorder.dispatch(
                params,
                buffers,
                64 * u64::from(task.tasks) * u64::from(tangent_workgroups(task.support)),
            ),
        }
    }

    /// keep · input + scale · Xᵀ C + pull · other for all tasks; `vectors` are input, other, output.
    pub(super) fn combine(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        tensors: HeadTensors<'_>,
        coefficients: &Buffer,
        factors: Factors,
        vectors: [&Buffer; 3],
    ) -> Result<(), GpuError> {
        let all = (self.everyone.all(), None);
        self.combine_active(recorder, task, tensors, coefficients, factors, vectors, all)
    }

    /// As [`Lower::combine`] for the tasks in `active`, as [`Lower::tangent`] takes them.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn combine_active(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        tensors: HeadTensors<'_>,
        coefficients: &Buffer,
        Factors { keep, scale, pull }: Factors,
        [input, other, output]: [&Buffer; 3],
        (active, arguments): (Slice<'_>, Option<Slice<'_>>),
    ) -> Result<(), GpuError> {
        let workgroups = combine_workgroups(task.ways, self.model.dimension);
        let params = linear_head_combine::Params {
            support: task.support,
            ways: task.ways,
            dimension: self.model.dimension,
            stride: self.stride,
            workgroups,
            bias: 1,
            keep,
            scale,
            pull,
        };
        let buffers = linear_head_combine::Buffers {
            active_tasks: active,
            embeddings: tensors.embeddings.all(),
            coefficients: coefficients.all(),
            input: input.all(),
            other: other.all(),
            output: output.all(),
        };
        recorder.work(self.flops(task));
        match arguments {
            Some(arguments) => recorder.dispatch_indirect(params, buffers, arguments),
            None => recorder.dispatch(params, buffers, 64 * u64::from(task.tasks) * u64::from(workgroups)),
        }
    }

    /// rows = keep · rows + scale · ((P − Y) vᵀ + P' wᵀ), zero for tasks that diverged.
    pub(super) fn rows(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        [keep, scale]: [f32; 2],
        [v, w]: [&Buffer; 2],
        rows: &Buffer,
    ) -> Result<(), GpuError> {
        let params = linear_head_rows::Params {
            tasks: task.tasks,
            support: task.support,
            ways: task.ways,
            dimension: self.model.dimension,
            stride: self.stride,
            keep,
            scale,
            factor: 1.0,
        };
        let buffers = linear_head_rows::Buffers {
            states: self.states.all(),
            residuals: self.residuals.all(),
            tangents: self.tangents.all(),
            direction: v.all(),
            weights: w.all(),
            rows: rows.all(),
        };
        let elements = u64::from(task.tasks) * u64::from(task.support) * u64::from(self.model.dimension);
        recorder.dispatch(params, buffers, elements)
    }

    /// Adds Σ_t (a · first + b · second) to the gradient of a learned start, if there is one.
    pub(super) fn add_start_gradient(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        [first_factor, second_factor]: [f32; 2],
        [first, second]: [&Buffer; 2],
        gradient: &Buffer,
    ) -> Result<(), GpuError> {
        let Some([weight_offset, bias_offset]) = self.model.learned else { return Ok(()) };
        let params = linear_head_start_gradient::Params {
            tasks: task.tasks,
            ways: task.ways,
            dimension: self.model.dimension,
            stride: self.stride,
            weight_offset,
            bias_offset,
            first_factor,
            second_factor,
        };
        let buffers = linear_head_start_gradient::Buffers {
            states: self.states.all(),
            first: first.all(),
            second: second.all(),
            gradient: gradient.all(),
        };
        recorder.dispatch(params, buffers, self.length(task).into())
    }

    /// The gradient of a learned start where the lower level is taken as solved: scale · ridge · v
    /// of a proximal term, else Reptile's w_0 − w_K.
    pub(super) fn add_implicit_start_gradient(
        &self,
        recorder: &mut Recorder,
        task: HeadTask,
        scale: f32,
        v: &Buffer,
        gradient: &Buffer,
    ) -> Result<(), GpuError> {
        if self.model.settings.proximal {
            let factors = [scale * self.model.settings.ridge, 0.0];
            return self.add_start_gradient(recorder, task, factors, [v, v], gradient);
        }
        let vectors = [self.iterate(0)?, self.solved()?];
        self.add_start_gradient(recorder, task, [1.0, -1.0], vectors, gradient)
    }
}
