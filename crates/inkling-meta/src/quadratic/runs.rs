//! Algorithms 1 and 2 of Yang, Ma & Yu (2025) on quadratic tasks, on the device: many runs of
//! different batch sizes side by side on the task axis.

use inkling_gpu::kernels::{dense_product, inner_step, segment_mean};
use inkling_gpu::{Allocate, Buffer, Category, Gpu, GpuError, Recorder};

use super::family::QuadraticFamily;
use crate::MetaError;
use crate::solve::{Active, CgSettings, CgStart, ConjugateGradient, Operator, System, VectorShape};

/// What an iteration does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunSettings {
    /// K, gradient steps on the lower level.
    pub inner_steps: u32,
    /// N_cg, steps of conjugate gradient.
    pub cg_steps: u32,
    /// β; zero leaves x where it is.
    pub outer_rate: f32,
    /// Whether w and v start where the last iteration left them, as Algorithm 2 does. Needs the same
    /// tasks in every iteration. Otherwise both start at zero.
    pub is_warm: bool,
    /// Iterations at most.
    pub iterations: u32,
}

/// Runs on the device, each with an x of its own and a batch of tasks.
#[derive(Debug)]
pub struct QuadraticRuns {
    recorder: Recorder,
    settings: RunSettings,
    extent: Extent,
    done: u32,
    tensors: Tensors,
    solver: ConjugateGradient<Buffer>,
}

/// Numbers of things.
#[derive(Clone, Copy, Debug)]
struct Extent {
    /// Tasks of the family.
    family: u32,
    /// Tasks of all runs together.
    tasks: u32,
    runs: u32,
    lower: u32,
    upper: u32,
    inner_rate: f32,
    ridge: f32,
}

impl Extent {
    fn bytes_of_runs(self) -> u64 {
        4 * u64::from(self.runs) * u64::from(self.upper)
    }
}

#[derive(Debug)]
struct Tensors {
    /// A_i, `[family, lower, lower]`.
    matrices: Buffer,
    /// B_i, `[family, lower, upper]`.
    couplings: Buffer,
    /// c_i, `[family, lower]`.
    offsets: Buffer,
    /// Of each task its number in the family, its run and its own place; `[tasks]`.
    matrix_of: Buffer,
    run_of: Buffer,
    place_of: Buffer,
    /// The first task of each run, `[runs + 1]`.
    firsts: Buffer,
    /// x, `[runs, upper]`.
    x: Buffer,
    /// B x + c, `[tasks, lower]`; w, its gradient and v are alike.
    right_hand_side: Buffer,
    w: Buffer,
    gradient: Buffer,
    v: Buffer,
    /// ∇F_i of each task, `[tasks, upper]`, and their means, `[runs, upper]`.
    rows: Buffer,
    hypergradient: Buffer,
    /// x before each iteration and after the last, `[iterations + 1, runs, upper]`.
    history: Buffer,
}

impl QuadraticRuns {
    /// Runs with batches of `sizes` tasks, all from the same `start`, `[upper]`.
    ///
    /// # Errors
    /// [`MetaError::Config`] for steps of zero, a start of another length or a run without a task;
    /// device errors.
    pub async fn new(
        gpu: &Gpu,
        family: &QuadraticFamily,
        settings: RunSettings,
        sizes: &[u32],
        start: &[f32],
    ) -> Result<Self, MetaError> {
        let described = family.settings();
        if settings.inner_steps == 0 || settings.cg_steps == 0 {
            let steps = format!("{} and {}", settings.inner_steps, settings.cg_steps);
            return Err(MetaError::config("inner_steps and cg_steps", steps, "both levels need at least one step"));
        }
        if sizes.is_empty() || sizes.contains(&0) {
            return Err(MetaError::config("batch sizes", format!("{sizes:?}"), "every run needs at least one task"));
        }
        if start.len() != described.upper as usize {
            let reason = format!("x has {} elements", described.upper);
            return Err(MetaError::config("start", format!("{} elements", start.len()), reason));
        }
        let extent = Extent {
            family: described.tasks,
            tasks: sizes.iter().sum(),
            runs: sizes.len() as u32,
            lower: described.lower,
            upper: described.upper,
            inner_rate: family.inner_rate(),
            ridge: described.ridge as f32,
        };
        let mut gpu = gpu.clone();
        let cg = CgSettings { max_iterations: settings.cg_steps, tolerance: 0.0, damping: 0.0 };
        let solver = ConjugateGradient::allocate(&mut gpu, Category::Workspace, "quadratic.cg", cg, extent.shape())?;
        let tensors = Tensors::allocate(&mut gpu, extent, settings.iterations)?;
        let recorder = gpu.recorder()?;
        let mut runs = Self { recorder, settings, extent, done: 0, tensors, solver };
        runs.upload(family, sizes, start).await?;
        Ok(runs)
    }

    async fn upload(&mut self, family: &QuadraticFamily, sizes: &[u32], start: &[f32]) -> Result<(), GpuError> {
        let (recorder, tensors) = (&mut self.recorder, &self.tensors);
        let run_of: Vec<u32> = (0..).zip(sizes).flat_map(|(run, &size)| (0..size).map(move |_| run)).collect();
        let place_of: Vec<u32> = (0..self.extent.tasks).collect();
        let mut firsts = vec![0];
        firsts.extend(sizes.iter().scan(0, |end, size| {
            *end += size;
            Some(*end)
        }));
        recorder.upload_values(tensors.matrices.all(), family.matrices()).await?;
        recorder.upload_values(tensors.couplings.all(), family.couplings()).await?;
        recorder.upload_values(tensors.offsets.all(), family.offsets()).await?;
        recorder.upload_values(tensors.run_of.all(), &run_of).await?;
        recorder.upload_values(tensors.place_of.all(), &place_of).await?;
        recorder.upload_values(tensors.firsts.all(), &firsts).await?;
        recorder.upload_values(tensors.x.all(), &start.repeat(sizes.len())).await?;
        recorder.clear(tensors.w.all());
        recorder.clear(tensors.v.all());
        Ok(())
    }

    /// One iteration of every run on these tasks of the family: those of the first run, of the
    /// second and so on. Nothing is read back.
    ///
    /// # Errors
    /// [`MetaError::Task`] for another number of tasks than the runs have, or a task that the family
    /// has not, or more iterations than there is room for; device errors.
    pub async fn iterate(&mut self, tasks: &[u32]) -> Result<(), MetaError> {
        let extent = self.extent;
        if tasks.len() != extent.tasks as usize || tasks.iter().any(|&task| task >= extent.family) {
            let asked = tasks.len();
            return Err(MetaError::Task(format!("{asked} tasks where {extent:?} is what the runs take")));
        }
        if self.done >= self.settings.iterations {
            return Err(MetaError::Task(format!("all of the {} iterations are done", self.done)));
        }
        self.recorder.upload_values(self.tensors.matrix_of.all(), tasks).await?;
        self.record_x()?;
        self.done += 1;
        self.lower_level().await?;
        let tensors = &self.tensors;
        let system = System {
            operator: &LowerHessian { extent, tensors },
            shape: extent.shape(),
            right_hand_side: &tensors.w,
            diagonal: None,
        };
        let start = if self.settings.is_warm { CgStart::Warm } else { CgStart::Zero };
        self.solver.solve(&mut self.recorder, system, start, &tensors.v).await?;
        self.outer_step()?;
        self.recorder.breathe().await?;
        Ok(())
    }

    /// x of every run before each iteration and after the last one, `[runs][iterations + 1][upper]`.
    ///
    /// # Errors
    /// Device errors.
    pub async fn history(&mut self) -> Result<Vec<Vec<Vec<f64>>>, MetaError> {
        self.record_x()?;
        let bytes = self.extent.bytes_of_runs() * (u64::from(self.done) + 1);
        let values: Vec<f32> = self.recorder.read(self.tensors.history.slice(0, bytes)?).await?;
        Ok(by_runs(&values, self.extent))
    }

    /// The hypergradients of the last iteration, `[runs][upper]`.
    ///
    /// # Errors
    /// Device errors.
    pub async fn hypergradients(&mut self) -> Result<Vec<Vec<f64>>, MetaError> {
        let values = self.recorder.read(self.tensors.hypergradient.slice(0, self.extent.bytes_of_runs())?).await?;
        Ok(by_runs(&values, self.extent).into_iter().flatten().collect())
    }

    fn record_x(&mut self) -> Result<(), GpuError> {
        let bytes = self.extent.bytes_of_runs();
        let place = self.tensors.history.slice(bytes * u64::from(self.done), bytes)?;
        self.recorder.copy(self.tensors.x.slice(0, bytes)?, place);
        Ok(())
    }

    /// K steps on w.
    async fn lower_level(&mut self) -> Result<(), GpuError> {
        let (extent, recorder, tensors) = (self.extent, &mut self.recorder, &self.tensors);
        let params = dense_product::Params {
            tasks: extent.tasks,
            rows: extent.lower,
            columns: extent.upper,
            matrix_stride: extent.lower * extent.upper,
            row_stride: extent.upper,
            column_stride: 1,
            vector_stride: extent.upper,
            addend_stride: extent.lower,
            stride: extent.lower,
            scale: 1.0,
        };
        let buffers = dense_product::Buffers {
            matrices: tensors.couplings.all(),
            matrix_of: tensors.matrix_of.all(),
            vectors: tensors.x.all(),
            vector_of: tensors.run_of.all(),
            addends: tensors.offsets.all(),
            addend_of: tensors.matrix_of.all(),
            product: tensors.right_hand_side.all(),
        };
        recorder.dispatch(params, buffers, u64::from(params.tasks) * u64::from(params.rows))?;
        if !self.settings.is_warm {
            recorder.clear(tensors.w.all());
        }
        for _ in 0..self.settings.inner_steps {
            let addend = (&tensors.right_hand_side, -1.0);
            lower_product(recorder, extent, tensors, (&tensors.w, addend, &tensors.gradient))?;
            let rate = extent.inner_rate;
            descend(recorder, (extent.tasks, extent.lower, rate), &tensors.gradient, &tensors.w)?;
            recorder.breathe().await?;
        }
        Ok(())
    }

    /// The mean of Bᵀv + μx over each run's tasks, and the step on x.
    fn outer_step(&mut self) -> Result<(), GpuError> {
        let (extent, recorder, tensors) = (self.extent, &mut self.recorder, &self.tensors);
        let params = dense_product::Params {
            tasks: extent.tasks,
            rows: extent.upper,
            columns: extent.lower,
            matrix_stride: extent.lower * extent.upper,
            row_stride: 1,
            column_stride: extent.upper,
            vector_stride: extent.lower,
            addend_stride: extent.upper,
            stride: extent.upper,
            scale: extent.ridge,
        };
        let buffers = dense_product::Buffers {
            matrices: tensors.couplings.all(),
            matrix_of: tensors.matrix_of.all(),
            vectors: tensors.v.all(),
            vector_of: tensors.place_of.all(),
            addends: tensors.x.all(),
            addend_of: tensors.run_of.all(),
            product: tensors.rows.all(),
        };
        recorder.dispatch(params, buffers, u64::from(params.tasks) * u64::from(params.rows))?;
        let params = segment_mean::Params { segments: extent.runs, length: extent.upper, stride: extent.upper };
        let buffers = segment_mean::Buffers {
            firsts: tensors.firsts.all(),
            rows: tensors.rows.all(),
            mean: tensors.hypergradient.all(),
        };
        recorder.dispatch(params, buffers, u64::from(params.segments) * u64::from(params.length))?;
        let step = (extent.runs, extent.upper, self.settings.outer_rate);
        descend(recorder, step, &tensors.hypergradient, &tensors.x)
    }
}

impl Extent {
    fn shape(self) -> VectorShape {
        VectorShape { tasks: self.tasks, length: self.lower, stride: self.lower }
    }
}

impl Tensors {
    fn allocate(gpu: &mut Gpu, extent: Extent, iterations: u32) -> Result<Self, GpuError> {
        let mut values =
            |name: &str, elements: u64| gpu.values(Category::Workspace, &format!("quadratic.{name}"), elements);
        let [family, tasks, runs] = [extent.family, extent.tasks, extent.runs].map(u64::from);
        let [lower, upper] = [extent.lower, extent.upper].map(u64::from);
        Ok(Self {
            matrices: values("matrices", family * lower * lower)?,
            couplings: values("couplings", family * lower * upper)?,
            offsets: values("offsets", family * lower)?,
            matrix_of: values("matrix_of", tasks)?,
            run_of: values("run_of", tasks)?,
            place_of: values("place_of", tasks)?,
            firsts: values("firsts", runs + 1)?,
            x: values("x", runs * upper)?,
            right_hand_side: values("right_hand_side", tasks * lower)?,
            w: values("w", tasks * lower)?,
            gradient: values("gradient", tasks * lower)?,
            v: values("v", tasks * lower)?,
            rows: values("rows", tasks * upper)?,
            hypergradient: values("hypergradient", runs * upper)?,
            history: values("history", (u64::from(iterations) + 1) * runs * upper)?,
        })
    }
}

/// The Hessians A_i of the lower level.
struct LowerHessian<'t> {
    extent: Extent,
    tensors: &'t Tensors,
}

impl Operator for LowerHessian<'_> {
    /// Of all tasks: without a tolerance they end together.
    async fn apply(
        &self,
        recorder: &mut Recorder,
        _: Active<'_>,
        direction: &Buffer,
        result: &Buffer,
    ) -> Result<(), GpuError> {
        lower_product(recorder, self.extent, self.tensors, (direction, (&self.tensors.w, 0.0), result))
    }
}

/// result = A · vector + scale · addend for every task.
fn lower_product(
    recorder: &mut Recorder,
    extent: Extent,
    tensors: &Tensors,
    (vector, (addend, scale), result): (&Buffer, (&Buffer, f32), &Buffer),
) -> Result<(), GpuError> {
    let Extent { tasks, lower, .. } = extent;
    let params = dense_product::Params {
        tasks,
        rows: lower,
        columns: lower,
        matrix_stride: lower * lower,
        row_stride: lower,
        column_stride: 1,
        vector_stride: lower,
        addend_stride: lower,
        stride: lower,
        scale,
    };
    let buffers = dense_product::Buffers {
        matrices: tensors.matrices.all(),
        matrix_of: tensors.matrix_of.all(),
        vectors: vector.all(),
        vector_of: tensors.place_of.all(),
        addends: addend.all(),
        addend_of: tensors.place_of.all(),
        product: result.all(),
    };
    recorder.work(2.0 * f64::from(tasks) * f64::from(lower) * f64::from(lower));
    recorder.dispatch(params, buffers, u64::from(tasks) * u64::from(lower))
}

/// One step of gradient descent on `vectors` vectors of `length` elements.
fn descend(
    recorder: &mut Recorder,
    (vectors, length, rate): (u32, u32, f32),
    gradient: &Buffer,
    parameters: &Buffer,
) -> Result<(), GpuError> {
    let params = inner_step::Params { tasks: vectors, length, rate, rates_per_element: 0, prox: 0.0 };
    let buffers = inner_step::Buffers {
        // Neither counts without a proximal term and rates of elements.
        start: gradient.all(),
        rates: gradient.all(),
        gradient: gradient.all(),
        parameters: parameters.all(),
    };
    recorder.dispatch(params, buffers, u64::from(vectors) * u64::from(length))
}

/// `[iterations, runs, upper]` as `[runs][iterations][upper]`.
fn by_runs(values: &[f32], extent: Extent) -> Vec<Vec<Vec<f64>>> {
    let mut runs = vec![Vec::new(); extent.runs as usize];
    for iteration in values.chunks_exact((extent.runs * extent.upper).max(1) as usize) {
        for (run, x) in runs.iter_mut().zip(iteration.chunks_exact(extent.upper.max(1) as usize)) {
            run.push(x.iter().map(|&value| f64::from(value)).collect());
        }
    }
    runs
}
