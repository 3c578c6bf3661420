//! Conjugate gradient on the device: matrix-free systems whose solution is known, tasks that end at
//! different times, and systems that are none.

use inkling_gpu::{Buffer, Category, Gpu, GpuError, Recorder};
use inkling_meta::solve::{
    CgSettings, CgStart, ConjugateGradient, DiagonalLowRank, SolveReport, SolveStatus, System, VectorShape,
};
use inkling_reference::Solve;

use super::fixture::message;
use crate::Case;
use crate::kernels::{case_list, noise};

pub fn cases() -> Vec<Case> {
    case_list![
        "solver/as_many_steps_as_in_f64" => as_many_steps,
        "solver/tasks_end_on_their_own" => tasks_end_on_their_own,
        "solver/a_batch_is_single_tasks" => a_batch_is_single_tasks,
        "solver/breakdown_keeps_the_best" => breakdown,
        "solver/not_a_number_stays_alone" => not_a_number,
        "solver/no_tolerance_takes_all_steps" => no_tolerance,
        "solver/damping_and_preconditioner" => damping_and_preconditioner,
        "solver/warm_start" => warm_start,
        "solver/condition_estimate" => condition_estimate,
        "solver/too_large_a_system_is_an_error" => too_large,
        "recorder/indirect_launches" => indirect,
        "recorder/indirect_arguments_that_cannot_be" => indirect_refused,
    ]
}

/// H = D + VᵀV on the host, as the device gets it.
#[derive(Clone)]
struct Matrix {
    length: usize,
    rank: usize,
    diagonal: Vec<f32>,
    factors: Vec<f32>,
}

impl Matrix {
    /// Eigenvalues of D spread evenly on a logarithmic scale from one to `condition` / 2, and
    /// `rank` rows of squared norm `condition` / 2 in all but random directions.
    fn new(seed: u64, length: usize, rank: usize, condition: f64) -> Self {
        let place = |i: usize| i as f64 / (length.max(2) - 1) as f64;
        let diagonal = (0..length).map(|i| (0.5 * condition).powf(place(i)) as f32).collect();
        // Uniform numbers have a variance of a third.
        let size = (1.5 * condition / length as f64).sqrt() as f32;
        let factors = noise(seed, rank * length).iter().map(|value| size * value).collect();
        Self { length, rank, diagonal, factors }
    }

    /// H p in f64.
    fn product(&self, p: &[f64]) -> Vec<f64> {
        let mut product: Vec<f64> = p.iter().zip(&self.diagonal).map(|(p, &d)| p * f64::from(d)).collect();
        for factor in self.factors.chunks(self.length) {
            let along: f64 = factor.iter().zip(p).map(|(&v, p)| f64::from(v) * p).sum();
            product.iter_mut().zip(factor).for_each(|(product, &v)| *product += along * f64::from(v));
        }
        product
    }

    /// ‖b − H x‖ / ‖b‖ in f64.
    fn true_residual(&self, x: &[f32], b: &[f32], damping: f64) -> f64 {
        let x: Vec<f64> = x.iter().map(|&x| x.into()).collect();
        let product = self.product(&x);
        let squares = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
        let mut left = b.iter().zip(&product).zip(&x).map(|((&b, hx), x)| f64::from(b) - hx - damping * x);
        (squares(&mut left) / squares(&mut b.iter().map(|&b| b.into()))).sqrt()
    }
}

/// Systems on the device.
struct Batch {
    recorder: Recorder,
    operator: DiagonalLowRank<Buffer>,
    right_hand_side: Buffer,
    solution: Buffer,
    diagonal: Buffer,
}

impl Batch {
    /// Matrices of one shape, and b of each.
    async fn new(gpu: &Gpu, matrices: &[Matrix], b: &[Vec<f32>]) -> Result<Self, String> {
        let (length, rank) = (matrices[0].length as u32, matrices[0].rank as u32);
        let shape = VectorShape { tasks: matrices.len() as u32, length, stride: length.next_multiple_of(64) };
        let mut allocate = gpu.clone();
        let operator = DiagonalLowRank::allocate(&mut allocate, shape, rank).map_err(message)?;
        let vector = |name| gpu.buffer(Category::Workspace, name, 4 * shape.elements()).map_err(message);
        let mut batch = Self {
            recorder: gpu.recorder().map_err(message)?,
            operator,
            right_hand_side: vector("b")?,
            solution: vector("x")?,
            diagonal: vector("diagonal")?,
        };
        let padded = |values: &[f32]| {
            let mut all = Vec::new();
            for vector in values.chunks(length as usize) {
                all.extend(vector);
                all.resize(all.len().next_multiple_of(shape.stride as usize), 0.0);
            }
            all
        };
        let d: Vec<f32> = matrices.iter().flat_map(|matrix| padded(&matrix.diagonal)).collect();
        let v: Vec<f32> = matrices.iter().flat_map(|matrix| padded(&matrix.factors)).collect();
        let b: Vec<f32> = b.iter().flat_map(|b| padded(b)).collect();
        let recorder = &mut batch.recorder;
        recorder.upload_values(batch.operator.diagonal.all(), &d).await.map_err(message)?;
        recorder.upload_values(batch.diagonal.all(), &d).await.map_err(message)?;
        recorder.upload_values(batch.operator.factors.all(), &v).await.map_err(message)?;
        recorder.upload_values(batch.right_hand_side.all(), &b).await.map_err(message)?;
        Ok(batch)
    }

    /// Solves; gives the solutions and what became of each.
    async fn solve(
        &mut self,
        settings: CgSettings,
        start: CgStart,
        preconditioned: bool,
    ) -> Result<(Vec<Vec<f32>>, Vec<SolveReport>), String> {
        let shape = self.operator.shape;
        let mut allocate = self.recorder.gpu().clone();
        let solver = ConjugateGradient::allocate(&mut allocate, Category::Workspace, "cg", settings, shape);
        let solver = solver.map_err(message)?;
        let system = System {
            operator: &self.operator,
            shape,
            right_hand_side: &self.right_hand_side,
            diagonal: preconditioned.then_some(&self.diagonal),
        };
        solver.solve(&mut self.recorder, system, start, &self.solution).await.map_err(message)?;
        let reports = solver.reports(&mut self.recorder, shape.tasks).await.map_err(message)?;
        let x: Vec<f32> = self.recorder.read(self.solution.all()).await.map_err(message)?;
        let vectors = x.chunks(shape.stride as usize).map(|x| x[..shape.length as usize].to_vec());
        Ok((vectors.collect(), reports))
    }
}

fn until(tolerance: f32, max_iterations: u32) -> CgSettings {
    CgSettings { max_iterations, tolerance, damping: 0.0 }
}

/// Steps of the solver in f64 to the same residual.
fn steps_in_f64(matrix: &Matrix, b: &[f32], tolerance: f32, max_iterations: u32) -> u32 {
    let b: Vec<f64> = b.iter().map(|&b| b.into()).collect();
    let solve =
        Solve { tasks: 1, length: matrix.length, max_iterations, tolerance, damping: 0.0, diagonal: None, start: None };
    let apply = |active: &[u32], p: &[f64], hp: &mut [f64]| {
        if active[0] == 1 {
            hp.copy_from_slice(&matrix.product(p));
        }
    };
    solve.run(&b, apply).iterations[0]
}

/// Diagonal plus rank 32 at two conditions. The full 50,000 unknowns are for the convergence report;
/// here they are enough for several blocks, and for the condition to be felt.
async fn as_many_steps(gpu: &Gpu) -> Result<(), String> {
    for (condition, length, limit) in [(100.0, 3_001, 150), (10_000.0, 3_001, 900)] {
        let matrix = Matrix::new(1, length, 32, condition);
        let b = noise(2, length);
        let expected = steps_in_f64(&matrix, &b, 1e-6, limit);
        let mut batch = Batch::new(gpu, std::slice::from_ref(&matrix), std::slice::from_ref(&b)).await?;
        let (x, reports) = batch.solve(until(1e-6, limit), CgStart::Zero, false).await?;
        let (report, residual) = (&reports[0], matrix.true_residual(&x[0], &b, 0.0));
        let what = format!("condition {condition}: {} steps, {expected} in f64", report.iterations);
        let last = report.relative_residuals.last().copied().unwrap_or(f32::NAN);
        if report.status != SolveStatus::Converged || expected >= limit || last > 1e-6 {
            return Err(format!("{what}, {:?} at {last}", report.status));
        }
        if f64::from(report.iterations) > 1.3 * f64::from(expected) {
            return Err(what);
        }
        // f32 keeps the true residual within some condition · 2⁻²⁴ of the recursive one.
        if residual > if condition <= 100.0 { 1e-5 } else { 1e-2 } {
            return Err(format!("{what}, true residual {residual:e}"));
        }
    }
    Ok(())
}

fn small(condition: f64) -> Matrix {
    Matrix::new(3, 130, 2, condition)
}

async fn tasks_end_on_their_own(gpu: &Gpu) -> Result<(), String> {
    let matrices = [small(2.0), small(400.0), small(30.0), small(2.0)];
    let b: Vec<Vec<f32>> = (0..4).map(|seed| noise(seed, 130)).collect();
    // The last has nothing to solve.
    let b = [b[0].clone(), b[1].clone(), b[2].clone(), vec![0.0; 130]];
    let mut batch = Batch::new(gpu, &matrices, &b).await?;
    let (x, reports) = batch.solve(until(1e-5, 150), CgStart::Zero, false).await?;
    let steps: Vec<u32> = reports.iter().map(|report| report.iterations).collect();
    if !(steps[0] < steps[2] && steps[2] < steps[1]) || steps[3] != 0 {
        return Err(format!("steps {steps:?}"));
    }
    for (task, report) in reports.iter().enumerate() {
        let history = &report.relative_residuals;
        let expected = steps_in_f64(&matrices[task], &b[task], 1e-5, 150);
        let close = report.iterations.abs_diff(expected) <= 1 + expected / 10;
        if report.status != SolveStatus::Converged || history.len() != report.iterations as usize + 1 || !close {
            return Err(format!("task {task}: {report:?}, {expected} steps in f64"));
        }
        // Ten times what was asked for leaves room for the drift of the recursive residual.
        let residual = if task == 3 { 0.0 } else { matrices[task].true_residual(&x[task], &b[task], 0.0) };
        if residual > 1e-4 {
            return Err(format!("task {task}: true residual {residual}"));
        }
    }
    if x[3].iter().any(|&x| x != 0.0) { Err("b = 0 has another solution than zero".into()) } else { Ok(()) }
}

async fn a_batch_is_single_tasks(gpu: &Gpu) -> Result<(), String> {
    let matrices = [small(2.0), small(400.0), small(30.0)];
    let b: Vec<Vec<f32>> = (0..3).map(|seed| noise(seed, 130)).collect();
    let (x, _) = Batch::new(gpu, &matrices, &b).await?.solve(until(1e-5, 60), CgStart::Zero, false).await?;
    for task in 0..3 {
        let mut batch = Batch::new(gpu, &matrices[task..=task], &b[task..=task]).await?;
        let (single, _) = batch.solve(until(1e-5, 60), CgStart::Zero, false).await?;
        if single[0] != x[task] {
            return Err(format!("task {task} has other bits alone"));
        }
    }
    Ok(())
}

async fn breakdown(gpu: &Gpu) -> Result<(), String> {
    let mut indefinite = small(10.0);
    indefinite.diagonal.iter_mut().step_by(3).for_each(|d| *d = -*d);
    let mut negative = small(10.0);
    negative.diagonal.iter_mut().for_each(|d| *d = -50.0);
    let matrices = [indefinite, small(10.0), negative];
    let b: Vec<Vec<f32>> = (0..3).map(|seed| noise(seed, 130)).collect();
    let mut batch = Batch::new(gpu, &matrices, &b).await?;
    let (x, reports) = batch.solve(until(1e-5, 60), CgStart::Zero, false).await?;
    let status: Vec<SolveStatus> = reports.iter().map(|report| report.status).collect();
    if status != [SolveStatus::Breakdown, SolveStatus::Converged, SolveStatus::Breakdown] {
        return Err(format!("{status:?}"));
    }
    // What is returned has the smallest residual of the history, which the recursion knew to f32.
    let best = reports[0].relative_residuals.iter().copied().fold(f32::INFINITY, f32::min);
    let residual = matrices[0].true_residual(&x[0], &b[0], 0.0);
    if reports[0].iterations == 0 || (residual - f64::from(best)).abs() > 1e-4 * residual {
        return Err(format!("true residual {residual}, best of the history {best}"));
    }
    if reports[2].iterations != 0 || x[2].iter().any(|&x| x != 0.0) {
        return Err("the first direction of a negative matrix led somewhere".into());
    }
    Ok(())
}

async fn not_a_number(gpu: &Gpu) -> Result<(), String> {
    let mut broken = small(10.0);
    broken.diagonal[77] = f32::NAN;
    let matrices = [small(10.0), broken, small(10.0), small(10.0)];
    let mut b: Vec<Vec<f32>> = (0..4).map(|seed| noise(seed, 130)).collect();
    let mut alone = Batch::new(gpu, &matrices[..1], &b[..1]).await?;
    let (expected, _) = alone.solve(until(1e-5, 60), CgStart::Zero, false).await?;
    b[2][5] = f32::INFINITY;
    let mut batch = Batch::new(gpu, &matrices, &b).await?;
    let (x, reports) = batch.solve(until(1e-5, 60), CgStart::Zero, false).await?;
    let status: Vec<SolveStatus> = reports.iter().map(|report| report.status).collect();
    let (fine, not) = (SolveStatus::Converged, SolveStatus::NotFinite);
    if status != [fine, not, not, fine] {
        return Err(format!("{status:?}"));
    }
    if x[1].iter().chain(&x[2]).any(|&x| x != 0.0) {
        return Err("no iterate of a system with a NaN is of use, yet one came back".into());
    }
    if x[0] == expected[0] { Ok(()) } else { Err("a neighbour with a NaN changed bits".into()) }
}

async fn no_tolerance(gpu: &Gpu) -> Result<(), String> {
    let matrices = [small(60.0), small(30.0)];
    let b: Vec<Vec<f32>> = (0..2).map(|seed| noise(seed, 130)).collect();
    let mut batch = Batch::new(gpu, &matrices, &b).await?;
    let (_, reports) = batch.solve(until(0.0, 7), CgStart::Zero, false).await?;
    for report in reports {
        if report.iterations != 7 || report.status != SolveStatus::Limit {
            return Err(format!("{report:?}"));
        }
    }
    Ok(())
}

async fn damping_and_preconditioner(gpu: &Gpu) -> Result<(), String> {
    let matrix = Matrix::new(3, 1_500, 2, 1_000.0);
    let b = noise(1, 1_500);
    let mut steps = Vec::new();
    for (damping, preconditioned) in [(0.0, false), (0.0, true), (5.0, false), (5.0, true)] {
        let mut batch = Batch::new(gpu, std::slice::from_ref(&matrix), std::slice::from_ref(&b)).await?;
        let settings = CgSettings { damping, ..until(1e-5, 300) };
        let (x, reports) = batch.solve(settings, CgStart::Zero, preconditioned).await?;
        let residual = matrix.true_residual(&x[0], &b, damping.into());
        if reports[0].status != SolveStatus::Converged || residual > 2e-4 {
            return Err(format!("damping {damping}: {:?}, true residual {residual:e}", reports[0].status));
        }
        steps.push(reports[0].iterations);
    }
    // A diagonal that spreads over 500 is what either takes away.
    if 2 * steps[1] > steps[0] || 3 * steps[2] > 2 * steps[0] || 2 * steps[3] > steps[0] {
        return Err(format!("steps {steps:?}"));
    }
    Ok(())
}

async fn warm_start(gpu: &Gpu) -> Result<(), String> {
    let matrices = [small(30.0), small(400.0)];
    let b: Vec<Vec<f32>> = (0..2).map(|seed| noise(seed, 130)).collect();
    let mut batch = Batch::new(gpu, &matrices, &b).await?;
    let (_, cold) = batch.solve(until(1e-3, 60), CgStart::Zero, false).await?;
    let (x, warm) = batch.solve(until(1e-5, 60), CgStart::Warm, false).await?;
    let (_, done) = batch.solve(until(1e-3, 60), CgStart::Warm, false).await?;
    for task in 0..2 {
        let first = warm[task].relative_residuals[0];
        let residual = matrices[task].true_residual(&x[task], &b[task], 0.0);
        // It goes on where the first solve ended, to rounding times the condition.
        let went_on = (1e-5..1.5e-3).contains(&first) && cold[task].iterations > 0;
        if !went_on || residual > 1e-4 || done[task].iterations != 0 {
            return Err(format!("task {task}: {first} at the start, true residual {residual}, {:?}", done[task]));
        }
    }
    Ok(())
}

async fn condition_estimate(gpu: &Gpu) -> Result<(), String> {
    // Without low rank the eigenvalues are those of the diagonal: 1 to 50.
    let mut matrix = Matrix::new(3, 130, 1, 100.0);
    matrix.factors.fill(0.0);
    let b = noise(1, 130);
    let mut batch = Batch::new(gpu, std::slice::from_ref(&matrix), std::slice::from_ref(&b)).await?;
    let (_, reports) = batch.solve(until(1e-6, 200), CgStart::Zero, false).await?;
    let spectrum = reports[0].spectrum.ok_or("no estimate")?;
    // Ritz values at the ends have converged when the residual has, to its square or so.
    let found = spectrum.condition();
    if (found / 50.0 - 1.0).abs() > 0.01 { Err(format!("condition {found} of 50: {spectrum:?}")) } else { Ok(()) }
}

async fn too_large(gpu: &Gpu) -> Result<(), String> {
    let matrix = small(2.0);
    let mut batch = Batch::new(gpu, std::slice::from_ref(&matrix), &[noise(1, 130)]).await?;
    let mut allocate = gpu.clone();
    let shape = VectorShape { tasks: 1, length: 64, stride: 64 };
    let solver = ConjugateGradient::allocate(&mut allocate, Category::Workspace, "cg", until(0.0, 2), shape);
    let system = System {
        operator: &batch.operator,
        shape: batch.operator.shape,
        right_hand_side: &batch.right_hand_side,
        diagonal: None,
    };
    let solver = solver.map_err(message)?;
    match solver.solve(&mut batch.recorder, system, CgStart::Zero, &batch.solution).await {
        Err(GpuError::Range { .. }) => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

/// A matrix of twos ends every task after one step: the launches of all later iterations find no
/// workgroup to run, and the product keeps what the first step left.
async fn indirect(gpu: &Gpu) -> Result<(), String> {
    let mut matrix = small(2.0);
    matrix.diagonal.fill(2.0);
    matrix.factors.fill(0.0);
    let b = noise(1, 130);
    let batch = Batch::new(gpu, std::slice::from_ref(&matrix), std::slice::from_ref(&b)).await?;
    let mut recorder = gpu.recorder().map_err(message)?;
    let shape = batch.operator.shape;
    let mut allocate = gpu.clone();
    let solver = ConjugateGradient::allocate(&mut allocate, Category::Workspace, "cg", until(1e-6, 5), shape);
    let solver = solver.map_err(message)?;
    let system = System { operator: &batch.operator, shape, right_hand_side: &batch.right_hand_side, diagonal: None };
    let mut uploads = batch.recorder;
    uploads.finish().await.map_err(message)?;
    solver.solve(&mut recorder, system, CgStart::Zero, &batch.solution).await.map_err(message)?;
    let reports = solver.reports(&mut recorder, 1).await.map_err(message)?;
    let x: Vec<f32> = recorder.read(batch.solution.all()).await.map_err(message)?;
    let exact = x.iter().zip(&b).all(|(x, b)| (x - 0.5 * b).abs() <= 2.0 * f32::EPSILON);
    if reports[0].iterations == 1 && exact { Ok(()) } else { Err(format!("{reports:?}")) }
}

async fn indirect_refused(gpu: &Gpu) -> Result<(), String> {
    use inkling_gpu::kernels::low_rank_project::{Buffers, Params};
    let mut recorder = gpu.recorder().map_err(message)?;
    let buffer = |name| gpu.buffer(Category::Workspace, name, 64).map_err(message);
    let (list, input, output, arguments) = (buffer("list")?, buffer("input")?, buffer("output")?, buffer("arguments")?);
    let params = Params { length: 1, stride: 1, rank: 1 };
    let buffers =
        Buffers { active_tasks: list.all(), factors: input.all(), direction: input.all(), projections: output.all() };
    let refused =
        [output.all(), list.all(), arguments.slice(0, 8).map_err(message)?, arguments.slice(2, 12).map_err(message)?];
    for slice in refused {
        if !matches!(recorder.dispatch_indirect(params, buffers, slice), Err(GpuError::Range { .. })) {
            return Err("arguments that cannot be were taken".into());
        }
    }
    recorder.dispatch_indirect(params, buffers, arguments.all()).map_err(message)?;
    recorder.finish().await.map_err(message)
}
