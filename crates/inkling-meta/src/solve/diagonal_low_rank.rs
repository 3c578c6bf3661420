//! Matrices that are diagonal plus low rank: systems of any size and condition whose exact solution
//! is cheap to know, for measuring the solver.

use inkling_gpu::kernels::{diagonal_low_rank, low_rank_project};
use inkling_gpu::{Allocate, Buffer, Category, GpuError, Recorder};

use super::{Active, OPERATOR_LAUNCHES, Operator, VectorShape};

/// H = D + VᵀV for each task.
#[derive(Debug)]
pub struct DiagonalLowRank<B> {
    /// The vectors' extent.
    pub shape: VectorShape,
    /// Rows of V.
    pub rank: u32,
    /// D, `[tasks, stride]`.
    pub diagonal: B,
    /// V, `[tasks, rank, stride]`.
    pub factors: B,
    projections: B,
}

impl DiagonalLowRank<()> {
    /// Matrices yet to be filled.
    ///
    /// # Errors
    /// Those of the allocator.
    pub fn allocate<A: Allocate>(
        allocate: &mut A,
        shape: VectorShape,
        rank: u32,
    ) -> Result<DiagonalLowRank<A::Buffer>, GpuError> {
        let mut values = |name, elements| allocate.values(Category::Workspace, name, elements);
        Ok(DiagonalLowRank {
            shape,
            rank,
            diagonal: values("low_rank.diagonal", shape.elements())?,
            factors: values("low_rank.factors", shape.elements() * u64::from(rank))?,
            projections: values("low_rank.projections", u64::from(shape.tasks) * u64::from(rank))?,
        })
    }
}

impl Operator for DiagonalLowRank<Buffer> {
    fn workgroups(&self) -> [u32; OPERATOR_LAUNCHES] {
        [self.rank, self.shape.length.div_ceil(64), 0]
    }

    async fn apply(
        &self,
        recorder: &mut Recorder,
        active: Active<'_>,
        direction: &Buffer,
        product: &Buffer,
    ) -> Result<(), GpuError> {
        let VectorShape { length, stride, tasks } = self.shape;
        let params = low_rank_project::Params { length, stride, rank: self.rank };
        let buffers = low_rank_project::Buffers {
            active_tasks: active.tasks(),
            factors: self.factors.all(),
            direction: direction.all(),
            projections: self.projections.all(),
        };
        recorder.dispatch_indirect(params, buffers, active.arguments(0)?)?;
        let params = diagonal_low_rank::Params { length, stride, rank: self.rank };
        let buffers = diagonal_low_rank::Buffers {
            active_tasks: active.tasks(),
            diagonal: self.diagonal.all(),
            factors: self.factors.all(),
            projections: self.projections.all(),
            direction: direction.all(),
            product: product.all(),
        };
        recorder.dispatch_indirect(params, buffers, active.arguments(1)?)?;
        recorder.work(4.0 * f64::from(tasks) * f64::from(length) * f64::from(self.rank));
        Ok(())
    }
}
