//! iMAML's way back: (I + ∇²L_S(w_K)/prox) v = ∇L_Q(w_K), solved by conjugate gradient as
//!   (∇²L_S(w_K) + (damping + prox)·I) v = prox · ∇L_Q(w_K)
//! which has the same iterates. It needs w_K alone, however many steps led there.

use inkling_gpu::kernels::scale_by_rates;
use inkling_gpu::{Allocate, Buffer, Category, GpuError, Recorder};

use super::network::Adapting;
use super::settings::Implicit;
use super::status::TaskStatus;
use crate::MetaError;
use crate::solve::{Active, CgSettings, CgStart, ConjugateGradient, Operator, System, VectorShape};

/// The solver, and what it finds.
#[derive(Debug)]
pub(crate) struct ImplicitSolver<B> {
    pub(crate) gradient: ConjugateGradient<B>,
    /// v, `[tasks, stride]`.
    solution: B,
}

impl<B> ImplicitSolver<B> {
    pub(crate) fn new<A: Allocate<Buffer = B>>(
        allocate: &mut A,
        implicit: Implicit,
        (tasks, stride): (u32, u32),
    ) -> Result<Self, GpuError> {
        let settings = CgSettings {
            max_iterations: implicit.cg_steps,
            tolerance: implicit.cg_tolerance,
            damping: implicit.damping + implicit.prox,
        };
        let shape = shape(tasks, stride);
        Ok(Self {
            gradient: ConjugateGradient::allocate(allocate, Category::Workspace, "solve", settings, shape)?,
            solution: allocate.values(Category::Workspace, "solve.solution", shape.elements())?,
        })
    }
}

fn shape(tasks: u32, stride: u32) -> VectorShape {
    VectorShape { tasks, length: stride, stride }
}

/// ∇²L_S at the tasks' present parameters.
struct Hessian<'a, 'l>(&'a Adapting<'l>);

impl Operator for Hessian<'_, '_> {
    async fn apply(
        &self,
        recorder: &mut Recorder,
        _: Active<'_>,
        direction: &Buffer,
        product: &Buffer,
    ) -> Result<(), GpuError> {
        recorder.clear(product.all());
        self.0.add_hessian_product(recorder, direction, product).await.map_err(|error| match error {
            MetaError::Gpu(error) => error,
            // The same images were loaded for the inner steps.
            other => GpuError::Validation(other.to_string()),
        })
    }
}

impl<'l> Adapting<'l> {
    /// From ∇L_Q(w_K) in the pass's gradient to the hypergradient of each task.
    pub(crate) async fn solve(&self, recorder: &mut Recorder, implicit: Implicit) -> Result<&'l Buffer, MetaError> {
        let workspace = self.workspace;
        let (Some(solver), Some(second)) = (&workspace.solver, &workspace.second_order) else {
            return Ok(&workspace.slope);
        };
        // The solver makes zero of a right-hand side that is not finite.
        self.mark(recorder, &workspace.slope, TaskStatus::Gradient)?;
        let params = scale_by_rates::Params {
            tasks: self.count(),
            length: self.full.stride,
            factor: implicit.prox,
            rates_per_element: 0,
        };
        let buffers = scale_by_rates::Buffers {
            source: workspace.slope.slice(0, self.flat_bytes())?,
            rates: self.rates()?,
            destination: second.direction.slice(0, self.flat_bytes())?,
        };
        recorder.dispatch(params, buffers, u64::from(self.flat_elements()))?;
        let system = System {
            operator: &Hessian(self),
            shape: shape(self.count(), self.full.stride),
            right_hand_side: &second.direction,
            diagonal: None,
        };
        solver.gradient.solve(recorder, system, CgStart::Zero, &solver.solution).await?;
        Ok(&solver.solution)
    }
}
