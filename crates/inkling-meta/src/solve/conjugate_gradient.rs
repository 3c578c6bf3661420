//! Conjugate gradient (Hestenes & Stiefel 1952) for all tasks of a pass in one command stream:
//! four launches of its own an iteration, each over the blocks of the tasks that still run.

use inkling_gpu::kernels::{cg_control, cg_curvature, cg_direction, cg_finish, cg_start, cg_step};
use inkling_gpu::{Allocate, Buffer, Category, GpuError, Recorder};

use super::report::{SCALARS, SolveReport};
use super::{Active, Operator, VectorShape};

/// The smallest block whose sum one workgroup takes.
const BLOCK: u32 = 1024;
/// Blocks of a vector at most: each workgroup of a step adds them all up.
const BLOCKS: u32 = 256;
/// Invocations of a workgroup.
const INVOCATIONS: u64 = 64;
/// Launches whose arguments the device writes, and 32-bit values for each.
const ARGUMENTS: u64 = 4 * 4;

/// When a solve ends, and what system it solves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CgSettings {
    /// Iterations at most.
    pub max_iterations: u32,
    /// The residual ‖r‖/‖b‖ at which a task stops. Zero: only at 1e-12, where a residual in f32 has
    /// nothing left to say, so that in practice every task takes all iterations.
    pub tolerance: f32,
    /// Solves (H + damping·I) x = b.
    pub damping: f32,
}

/// Where the solution starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CgStart {
    /// At zero.
    #[default]
    Zero,
    /// At what the solution's buffer holds.
    Warm,
}

/// The systems to solve.
#[derive(Clone, Copy, Debug)]
pub struct System<'b, O> {
    /// H.
    pub operator: &'b O,
    /// The vectors' extent, within that of the allocation.
    pub shape: VectorShape,
    /// b, `[tasks, stride]`.
    pub right_hand_side: &'b Buffer,
    /// The diagonal of H, `[tasks, stride]`: preconditions (Jacobi), where elements are positive.
    pub diagonal: Option<&'b Buffer>,
}

/// The solver with its buffers.
#[derive(Debug)]
pub struct ConjugateGradient<B> {
    settings: CgSettings,
    residual: B,
    direction: B,
    product: B,
    best: B,
    partials: B,
    scalars: B,
    states: B,
    history: B,
    active: B,
    arguments: B,
}

impl ConjugateGradient<()> {
    /// A solver for batches of up to `shape`; `name` begins the names of its buffers.
    ///
    /// # Errors
    /// Those of the allocator.
    pub fn allocate<A: Allocate>(
        allocate: &mut A,
        category: Category,
        name: &str,
        settings: CgSettings,
        shape: VectorShape,
    ) -> Result<ConjugateGradient<A::Buffer>, GpuError> {
        let tasks = u64::from(shape.tasks);
        let blocks = u64::from(shape.length.div_ceil(BLOCK).min(BLOCKS));
        let mut values = |what: &str, elements| allocate.values(category, &format!("{name}.{what}"), elements);
        Ok(ConjugateGradient {
            settings,
            residual: values("residual", shape.elements())?,
            direction: values("direction", shape.elements())?,
            product: values("product", shape.elements())?,
            best: values("best", shape.elements())?,
            partials: values("partials", 4 * tasks * blocks)?,
            scalars: values("scalars", SCALARS as u64 * tasks)?,
            states: values("states", 2 * tasks)?,
            history: values("history", 3 * tasks * (u64::from(settings.max_iterations) + 1))?,
            active: values("active", 1 + tasks)?,
            arguments: values("arguments", ARGUMENTS)?,
        })
    }
}

/// The extent of a solve, its blocks, and whether it is preconditioned.
#[derive(Clone, Copy)]
struct Extent {
    shape: VectorShape,
    block: u32,
    blocks: u32,
    jacobi: u32,
}

impl Extent {
    fn new(shape: VectorShape, jacobi: bool) -> Self {
        let block = shape.length.div_ceil(BLOCKS).next_multiple_of(INVOCATIONS as u32).max(BLOCK);
        Self { shape, block, blocks: shape.length.div_ceil(block), jacobi: jacobi.into() }
    }
}

impl ConjugateGradient<Buffer> {
    /// Solves the systems of all tasks; the solutions come into `solution`, `[tasks, stride]`.
    ///
    /// A task ends at the tolerance or after all iterations with its last iterate. A direction of
    /// curvature that is not positive, or a number that is not finite, ends it with the iterate of
    /// the smallest residual, or zero where there is none. [`ConjugateGradient::reports`] tells.
    ///
    /// # Errors
    /// Device errors; [`GpuError::Range`] for a system larger than the allocation.
    pub async fn solve<O: Operator>(
        &self,
        recorder: &mut Recorder,
        system: System<'_, O>,
        start: CgStart,
        solution: &Buffer,
    ) -> Result<(), GpuError> {
        let extent = Extent::new(system.shape, system.diagonal.is_some());
        self.check(system.shape)?;
        match start {
            CgStart::Zero => {
                recorder.clear(solution.all());
                recorder.clear(self.product.all());
            }
            CgStart::Warm => {
                self.activate_all(recorder, system.operator, extent).await?;
                system.operator.apply(recorder, self.active(), solution, &self.product).await?;
            }
        }
        self.begin(recorder, &system, extent, solution)?;
        self.control(recorder, system.operator, extent, 0)?;
        for iteration in 1..=self.settings.max_iterations {
            self.turn(recorder, &system, extent, solution)?;
            system.operator.apply(recorder, self.active(), &self.direction, &self.product).await?;
            self.step(recorder, &system, extent, solution)?;
            self.control(recorder, system.operator, extent, iteration)?;
            recorder.breathe().await?;
        }
        let VectorShape { tasks, length, stride } = system.shape;
        let buffers = cg_finish::Buffers {
            scalars: self.scalars.all(),
            states: self.states.all(),
            best: self.best.all(),
            solution: solution.all(),
        };
        let params = cg_finish::Params { tasks, length, stride };
        recorder.dispatch(params, buffers, u64::from(tasks) * u64::from(length))
    }

    /// What became of the last solve of the first `tasks` tasks. Reads back: not for within a step.
    ///
    /// # Errors
    /// Device errors.
    pub async fn reports(&self, recorder: &mut Recorder, tasks: u32) -> Result<Vec<SolveReport>, GpuError> {
        let states: Vec<u32> = recorder.read(self.states.all()).await?;
        let history: Vec<f32> = recorder.read(self.history.all()).await?;
        let records = 3 * (self.settings.max_iterations as usize + 1);
        let reports = states.chunks_exact(2).zip(history.chunks_exact(records)).take(tasks as usize);
        Ok(reports.map(|(state, history)| SolveReport::new(state, history)).collect())
    }

    fn active(&self) -> Active<'_> {
        Active { tasks: &self.active, arguments: &self.arguments }
    }

    fn check(&self, shape: VectorShape) -> Result<(), GpuError> {
        let room = self.residual.bytes() / 4;
        if shape.length > shape.stride || shape.elements() > room || self.states.bytes() / 8 < u64::from(shape.tasks) {
            return Err(GpuError::Range {
                name: self.residual.name().to_owned(),
                bytes: self.residual.bytes(),
                what: format!("{shape:?} does not fit the vectors"),
            });
        }
        Ok(())
    }

    /// Before a warm start, whose first product is that of all tasks.
    async fn activate_all<O: Operator>(
        &self,
        recorder: &mut Recorder,
        operator: &O,
        extent: Extent,
    ) -> Result<(), GpuError> {
        let tasks = extent.shape.tasks;
        let list: Vec<u32> = std::iter::once(tasks).chain(0..tasks).collect();
        recorder.upload_values(self.active.all(), &list).await?;
        let mut arguments = [0_u32; ARGUMENTS as usize];
        let launches = std::iter::once(extent.blocks).chain(operator.workgroups());
        for (values, workgroups) in arguments.chunks_exact_mut(4).zip(launches) {
            let count = tasks * workgroups;
            let rows = count.div_ceil(65_535).max(1);
            values.copy_from_slice(&[count.div_ceil(rows), rows, 1, 0]);
        }
        recorder.upload_values(self.arguments.all(), &arguments).await
    }

    fn begin<O>(
        &self,
        recorder: &mut Recorder,
        system: &System<'_, O>,
        extent: Extent,
        solution: &Buffer,
    ) -> Result<(), GpuError> {
        let VectorShape { tasks, length, stride } = extent.shape;
        let params = cg_start::Params {
            tasks,
            length,
            stride,
            block: extent.block,
            damping: self.settings.damping,
            jacobi: extent.jacobi,
        };
        let buffers = cg_start::Buffers {
            right_hand_side: system.right_hand_side.all(),
            solution: solution.all(),
            product: self.product.all(),
            diagonal: system.diagonal.unwrap_or(&self.product).all(),
            residual: self.residual.all(),
            best: self.best.all(),
            partials: self.partials.all(),
        };
        recorder.dispatch(params, buffers, u64::from(tasks) * u64::from(extent.blocks) * INVOCATIONS)
    }

    fn control<O: Operator>(
        &self,
        recorder: &mut Recorder,
        operator: &O,
        extent: Extent,
        iteration: u32,
    ) -> Result<(), GpuError> {
        let [workgroups_1, workgroups_2, workgroups_3] = operator.workgroups();
        let params = cg_control::Params {
            tasks: extent.shape.tasks,
            blocks: extent.blocks,
            iteration,
            max_iterations: self.settings.max_iterations,
            tolerance: self.settings.tolerance,
            workgroups_0: extent.blocks,
            workgroups_1,
            workgroups_2,
            workgroups_3,
        };
        let buffers = cg_control::Buffers {
            partials: self.partials.all(),
            scalars: self.scalars.all(),
            states: self.states.all(),
            history: self.history.all(),
            active_tasks: self.active.all(),
            arguments: self.arguments.all(),
        };
        recorder.dispatch(params, buffers, INVOCATIONS)
    }

    /// The next direction.
    fn turn<O>(
        &self,
        recorder: &mut Recorder,
        system: &System<'_, O>,
        extent: Extent,
        solution: &Buffer,
    ) -> Result<(), GpuError> {
        let params = cg_direction::Params {
            length: extent.shape.length,
            stride: extent.shape.stride,
            block: extent.block,
            damping: self.settings.damping,
            jacobi: extent.jacobi,
        };
        let buffers = cg_direction::Buffers {
            active_tasks: self.active.all(),
            scalars: self.scalars.all(),
            residual: self.residual.all(),
            diagonal: system.diagonal.unwrap_or(&self.product).all(),
            solution: solution.all(),
            direction: self.direction.all(),
            best: self.best.all(),
        };
        recorder.dispatch_indirect(params, buffers, self.arguments.slice(0, 16)?)
    }

    /// From H p: the curvature, and the step along p.
    fn step<O>(
        &self,
        recorder: &mut Recorder,
        system: &System<'_, O>,
        extent: Extent,
        solution: &Buffer,
    ) -> Result<(), GpuError> {
        let VectorShape { length, stride, .. } = extent.shape;
        let (block, damping) = (extent.block, self.settings.damping);
        let params = cg_curvature::Params { length, stride, block, damping };
        let buffers = cg_curvature::Buffers {
            active_tasks: self.active.all(),
            direction: self.direction.all(),
            product: self.product.all(),
            partials: self.partials.all(),
        };
        recorder.dispatch_indirect(params, buffers, self.arguments.slice(0, 16)?)?;
        let params = cg_step::Params { length, stride, block, damping, jacobi: extent.jacobi };
        let buffers = cg_step::Buffers {
            active_tasks: self.active.all(),
            direction: self.direction.all(),
            product: self.product.all(),
            diagonal: system.diagonal.unwrap_or(&self.product).all(),
            scalars: self.scalars.all(),
            solution: solution.all(),
            residual: self.residual.all(),
            partials: self.partials.all(),
        };
        recorder.dispatch_indirect(params, buffers, self.arguments.slice(0, 16)?)
    }
}
