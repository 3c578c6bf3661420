//! The implicit head (MRML, Yang et al. 2025; AID-BiO in form): K inner steps without history, then
//! v ≈ [∇²_ww g]⁻¹ ∇_w f by conjugate gradient, and dL/dE = −∂/∂E ⟨∇_w g(E, w), v⟩.

use inkling_gpu::kernels::linear_head_diagonal;
use inkling_gpu::{Allocate, Buffer, Category, GpuError, Recorder};

use super::lower::{Factors, Lower, combine_workgroups, tangent_workgroups, values};
use super::warm::Warm;
use crate::MetaError;
use crate::head::{HeadTask, HeadTensors};
use crate::solve::{
    Active, CgSettings, CgStart, ConjugateGradient, OPERATOR_LAUNCHES, Operator, SolveReport, System, VectorShape,
};

/// How the Hessian's inverse is taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ImplicitSettings {
    /// N_cg, iterations at most.
    pub cg_steps: u32,
    /// The relative residual at which a task's solve stops; zero for all iterations.
    pub cg_tolerance: f32,
    /// Added to the Hessian's diagonal in the solve.
    pub damping: f32,
    /// Whether the Hessian's diagonal preconditions the solve.
    pub preconditioned: bool,
    /// Whether a task's solve starts where its last one ended, in steps that all go through one list
    /// of tasks (Algorithm 2 of Yang et al. 2025); else at zero.
    pub warm: bool,
}

impl ImplicitSettings {
    pub(super) fn check(self, ridge: f32) -> Result<(), MetaError> {
        if self.cg_steps == 0 {
            return Err(MetaError::config("head.cg_steps", 0, "the solve needs at least one step"));
        }
        if !(0.0..1.0).contains(&self.cg_tolerance) {
            let reason = "must be at least zero (all steps) and below one";
            return Err(MetaError::config("head.cg_tolerance", self.cg_tolerance, reason));
        }
        if !self.damping.is_finite() || self.damping < 0.0 {
            return Err(MetaError::config("head.damping", self.damping, "must be zero or a positive number"));
        }
        if ridge == 0.0 && self.damping == 0.0 {
            let reason = "without a ridge the Hessian is singular (a constant added to all logits changes nothing): \
                          set head.ridge, or head.damping, to a positive number";
            return Err(MetaError::config("head.ridge", 0, reason));
        }
        Ok(())
    }
}

/// The solver with its solution.
#[derive(Debug)]
pub(super) struct Implicit<B> {
    solver: ConjugateGradient<B>,
    /// v, `[tasks, stride]`.
    solution: B,
    diagonal: Option<B>,
    /// v of the last step.
    pub(super) warm: Option<Warm<B>>,
}

/// The Hessian of the lower level at w_K, where the residuals are: Hv = Xᵀ P'/N + ridge · v.
#[derive(Clone, Copy)]
pub(super) struct Hessian<'h> {
    pub(super) lower: &'h Lower<Buffer>,
    pub(super) task: HeadTask,
    pub(super) tensors: HeadTensors<'h>,
}

impl Operator for Hessian<'_> {
    fn workgroups(&self) -> [u32; OPERATOR_LAUNCHES] {
        [tangent_workgroups(self.task.support), combine_workgroups(self.task.ways, self.lower.model.dimension), 0]
    }

    async fn apply(
        &self,
        recorder: &mut Recorder,
        active: Active<'_>,
        direction: &Buffer,
        product: &Buffer,
    ) -> Result<(), GpuError> {
        let Self { lower, task, tensors } = *self;
        let launch = (active.tasks(), Some(active.arguments(0)?));
        lower.tangent(recorder, task, tensors, direction, launch)?;
        let factors = Factors { keep: lower.model.settings.ridge, scale: 1.0 / task.support as f32, pull: 0.0 };
        let vectors = [direction, direction, product];
        let launch = (active.tasks(), Some(active.arguments(1)?));
        lower.combine_active(recorder, task, tensors, &lower.tangents, factors, vectors, launch)
    }
}

impl Implicit<()> {
    pub(super) fn allocate<A: Allocate>(
        settings: ImplicitSettings,
        allocate: &mut A,
        [tasks, kept_tasks]: [u32; 2],
        lower: &Lower<A::Buffer>,
    ) -> Result<Implicit<A::Buffer>, GpuError> {
        let shape = VectorShape { tasks, length: lower.stride, stride: lower.stride };
        let cg = CgSettings {
            max_iterations: settings.cg_steps,
            tolerance: settings.cg_tolerance,
            damping: settings.damping,
        };
        let diagonal = settings.preconditioned.then(|| values(allocate, "diagonal", shape.elements())).transpose()?;
        let starts_warm = settings.warm && kept_tasks > 0;
        let warm = starts_warm.then(|| Warm::allocate(allocate, "warm.v", kept_tasks, lower.stride)).transpose()?;
        Ok(Implicit {
            warm,
            solver: ConjugateGradient::allocate(allocate, Category::Embeddings, "head.cg", cg, shape)?,
            solution: values(allocate, "v", shape.elements())?,
            diagonal,
        })
    }
}

impl Implicit<Buffer> {
    pub(super) async fn finish(
        &self,
        recorder: &mut Recorder,
        lower: &Lower<Buffer>,
        task: HeadTask,
        tensors: HeadTensors<'_>,
        rows: &Buffer,
        gradient: &Buffer,
    ) -> Result<(), GpuError> {
        let w = lower.solved()?;
        lower.residual(recorder, task, tensors, w)?;
        if let Some(diagonal) = &self.diagonal {
            precondition(recorder, lower, task, tensors, diagonal)?;
        }
        let system = System {
            operator: &Hessian { lower, task, tensors },
            shape: VectorShape { tasks: task.tasks, length: lower.length(task), stride: lower.stride },
            right_hand_side: &lower.d_weights,
            diagonal: self.diagonal.as_ref(),
        };
        let v = &self.solution;
        let recalled = self.warm.as_ref().map(|warm| warm.recall(recorder, task, v)).transpose()?;
        let start = if recalled == Some(true) { CgStart::Warm } else { CgStart::Zero };
        self.solver.solve(recorder, system, start, v).await?;
        if let Some(warm) = &self.warm {
            warm.keep(recorder, task, v)?;
        }
        lower.tangent(recorder, task, tensors, v, (lower.everyone.all(), None))?;
        lower.rows(recorder, task, [0.0, -1.0 / task.support as f32], [v, w], rows)?;
        lower.add_implicit_start_gradient(recorder, task, 1.0, v, gradient)
    }

    pub(super) async fn reports(&self, recorder: &mut Recorder, tasks: u32) -> Result<Vec<SolveReport>, GpuError> {
        self.solver.reports(recorder, tasks).await
    }
}

fn precondition(
    recorder: &mut Recorder,
    lower: &Lower<Buffer>,
    task: HeadTask,
    tensors: HeadTensors<'_>,
    diagonal: &Buffer,
) -> Result<(), GpuError> {
    let params = linear_head_diagonal::Params {
        tasks: task.tasks,
        support: task.support,
        ways: task.ways,
        dimension: lower.model.dimension,
        stride: lower.stride,
        ridge: lower.model.settings.ridge,
    };
    let buffers = linear_head_diagonal::Buffers {
        embeddings: tensors.embeddings.all(),
        labels: tensors.support_labels.all(),
        residuals: lower.residuals.all(),
        diagonal: diagonal.all(),
    };
    recorder.dispatch(params, buffers, u64::from(task.tasks) * u64::from(lower.length(task)))
}
