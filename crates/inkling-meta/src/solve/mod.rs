//! Linear systems H x = b of all tasks at once, by conjugate gradient on the device.
//!
//! The matrix is known by its products with vectors ([`Operator`]). Vectors are flat with a task
//! axis, `[tasks, stride]`, of which the first `length` elements of a task count. Every task has
//! its own step lengths, residual and end; nothing is read back while it runs.

mod conjugate_gradient;
mod diagonal_low_rank;
mod lanczos;
mod low_rank_system;
mod report;

pub use conjugate_gradient::{CgSettings, CgStart, ConjugateGradient, System};
pub use diagonal_low_rank::DiagonalLowRank;
pub use lanczos::{Spectrum, spectrum};
pub use low_rank_system::LowRankSystem;
pub use report::{SolveReport, SolveStatus};

use inkling_gpu::{Buffer, GpuError, Recorder, Slice};

/// Indirect launches that an operator may make.
pub const OPERATOR_LAUNCHES: usize = 3;

/// The extent of a batch of vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VectorShape {
    /// Vectors.
    pub tasks: u32,
    /// Elements of each that count.
    pub length: u32,
    /// Elements from one vector to the next.
    pub stride: u32,
}

impl VectorShape {
    /// Elements of the batch.
    pub fn elements(self) -> u64 {
        u64::from(self.tasks) * u64::from(self.stride)
    }
}

/// The tasks whose solve still runs, as the device knows them.
#[derive(Clone, Copy, Debug)]
pub struct Active<'s> {
    tasks: &'s Buffer,
    arguments: &'s Buffer,
}

impl<'s> Active<'s> {
    /// `[their number, the tasks …]`, 32-bit integers.
    pub fn tasks(&self) -> Slice<'s> {
        self.tasks.all()
    }

    /// The arguments of an operator's indirect launch: as many workgroups for each active task as
    /// [`Operator::workgroups`] says at this place.
    ///
    /// # Errors
    /// [`GpuError::Range`] where there is no such launch.
    pub fn arguments(&self, launch: usize) -> Result<Slice<'s>, GpuError> {
        // The first of the four belongs to conjugate gradient itself.
        self.arguments.slice(16 * (1 + launch as u64), 16)
    }
}

/// A symmetric matrix for each task, known by its products with vectors.
pub trait Operator {
    /// Workgroups of each active task in the operator's indirect launches; zero where unused.
    fn workgroups(&self) -> [u32; OPERATOR_LAUNCHES] {
        [0; OPERATOR_LAUNCHES]
    }

    /// Records product = H · direction for the active tasks. What it writes for others does not
    /// matter; elements beyond the length must not be written, or be zero.
    ///
    /// # Errors
    /// Device errors.
    fn apply(
        &self,
        recorder: &mut Recorder,
        active: Active<'_>,
        direction: &Buffer,
        product: &Buffer,
    ) -> impl Future<Output = Result<(), GpuError>>;
}
