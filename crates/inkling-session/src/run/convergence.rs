//! How the bilevel algorithms converge on quadratic tasks, whose hypergradient is known in closed
//! form, and how many steps conjugate gradient takes on large matrix-free systems.

use inkling_data::Numbers;
use inkling_gpu::Gpu;
use inkling_meta::quadratic::{FamilySettings, QuadraticFamily, QuadraticRuns, RunSettings};
use inkling_meta::solve::{CgSettings, LowRankSystem};
use inkling_platform::yield_now;

use super::SessionError;
use super::model::open_gpu;
use crate::report::convergence::{ConvergencePoint, Experiment, SystemPoint};

/// How much is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvergenceSettings {
    /// Independent runs of Algorithm 1 for each batch size.
    pub seeds: u32,
    /// Iterations of both algorithms.
    pub iterations: u32,
    /// Batch sizes |B| of Algorithm 1.
    pub batch_sizes: Vec<u32>,
    /// Unknowns of the matrix-free systems.
    pub unknowns: Vec<u32>,
}

impl Default for ConvergenceSettings {
    fn default() -> Self {
        Self {
            seeds: 20,
            iterations: 200,
            batch_sizes: vec![1, 2, 4, 8, 16, 32, 64, 128],
            unknowns: vec![1_000, 10_000, 50_000],
        }
    }
}

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Convergence {
    /// Of the algorithms.
    pub points: Vec<ConvergencePoint>,
    /// Of conjugate gradient.
    pub systems: Vec<SystemPoint>,
}

/// The family of tasks, and every element of x at the start.
const FAMILY_SEED: u64 = 3;
const START: f32 = 3.0;
/// Algorithm 1 solves both levels far below its error floor: (3/5)¹² and 2·(1/3)⁶ at condition 4.
const STOCHASTIC: RunSettings =
    RunSettings { inner_steps: 12, cg_steps: 6, outer_rate: 0.2, is_warm: false, iterations: 0 };
/// Algorithm 2 solves neither: warm starts are what brings it to the stationary point.
const DETERMINISTIC: RunSettings =
    RunSettings { inner_steps: 5, cg_steps: 3, outer_rate: 0.3, is_warm: true, iterations: 0 };
/// Conditions of the lower level for the error of one hypergradient, with K and N_cg that are large
/// for them: both levels are then solved to the rounding of f32.
const CONDITIONS: [(f64, u32, u32); 2] = [(4.0, 60, 16), (100.0, 1_000, 32)];
const CG_STEPS: [u32; 11] = [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24];
const INNER_STEPS: [u32; 10] = [1, 2, 5, 10, 20, 40, 80, 160, 320, 640];
/// The rank, conditions and iterations at most of the matrix-free systems.
const RANK: u32 = 32;
const SYSTEMS: [(f64, u32); 2] = [(100.0, 1_000), (10_000.0, 5_000)];
/// The recursive residual that they are solved to.
const TOLERANCE: f32 = 1e-6;
/// Iterations between two reports of progress.
const PROGRESS: u32 = 10;

/// Runs all experiments. `progress` hears of what is done and of how much there is.
///
/// # Errors
/// Settings of zero, and when the device fails.
pub async fn convergence(
    settings: &ConvergenceSettings,
    adapter: Option<String>,
    progress: &mut dyn FnMut(u32, u32),
) -> Result<Convergence, SessionError> {
    if settings.seeds < 2 || settings.iterations < 2 {
        return Err(SessionError::Setting(format!(
            "{} seeds and {} iterations tell nothing of a mean over the second half; use at least two of each",
            settings.seeds, settings.iterations
        )));
    }
    let gpu = open_gpu(adapter, false).await?;
    let family = QuadraticFamily::new(FamilySettings { seed: FAMILY_SEED, ..FamilySettings::default() })?;
    let systems = (settings.unknowns.len() * SYSTEMS.len()) as u32;
    let all = settings.iterations / PROGRESS + systems + 2;
    let mut done = 0;
    let mut advance = || {
        progress(done, all);
        done += 1;
    };
    advance();
    let mut points = deterministic(&gpu, &family, settings.iterations).await?;
    for (condition, inner_steps, cg_steps) in CONDITIONS {
        points.extend(hypergradient_errors(&gpu, condition, (inner_steps, cg_steps)).await?);
    }
    points.extend(stochastic(&gpu, &family, settings, &mut advance).await?);
    let mut systems = Vec::new();
    for &unknowns in &settings.unknowns {
        for (condition, limit) in SYSTEMS {
            advance();
            yield_now().await;
            systems.push(system(&gpu, unknowns, condition, limit).await?);
        }
    }
    Ok(Convergence { points, systems })
}

/// Algorithm 2: ‖∇F‖ over the iterations, relative to its start. Next to it the same with cold starts.
async fn deterministic(
    gpu: &Gpu,
    family: &QuadraticFamily,
    iterations: u32,
) -> Result<Vec<ConvergencePoint>, SessionError> {
    let described = family.settings();
    let everyone: Vec<u32> = (0..described.tasks).collect();
    let start = vec![START; described.upper as usize];
    let mut points = Vec::new();
    for (series, is_warm) in [("warm starts", true), ("cold starts", false)] {
        let settings = RunSettings { iterations, is_warm, ..DETERMINISTIC };
        let mut runs = QuadraticRuns::new(gpu, family, settings, &[described.tasks], &start).await?;
        for _ in 0..iterations {
            runs.iterate(&everyone).await?;
            yield_now().await;
        }
        let history: Vec<f64> = runs.history().await?.iter().flatten().map(|x| family.squared_norm(x).sqrt()).collect();
        let first = history.first().copied().unwrap_or(f64::NAN);
        points.extend((0..).zip(history).map(|(iteration, norm)| ConvergencePoint {
            experiment: Experiment::Deterministic,
            series: series.to_owned(),
            value: iteration,
            measured: norm / first,
            standard_error: None,
            predicted: None,
        }));
    }
    Ok(points)
}

/// Algorithm 1: the floor of E‖∇F‖² over |B|, all seeds and batch sizes side by side.
async fn stochastic(
    gpu: &Gpu,
    family: &QuadraticFamily,
    settings: &ConvergenceSettings,
    advance: &mut dyn FnMut(),
) -> Result<Vec<ConvergencePoint>, SessionError> {
    let (described, sizes) = (family.settings(), &settings.batch_sizes);
    let batches = sizes.repeat(settings.seeds as usize);
    let tasks: u32 = batches.iter().sum();
    let start = vec![START; described.upper as usize];
    let run = RunSettings { iterations: settings.iterations, ..STOCHASTIC };
    let mut runs = QuadraticRuns::new(gpu, family, run, &batches, &start).await?;
    for iteration in 0..settings.iterations {
        if iteration % PROGRESS == 0 {
            advance();
        }
        let mut numbers = Numbers::new(b"batches_", FAMILY_SEED, 0, iteration.into());
        let drawn: Vec<u32> = (0..tasks).map(|_| numbers.below(described.tasks)).collect();
        runs.iterate(&drawn).await?;
        yield_now().await;
    }
    let history = runs.history().await?;
    let floors: Vec<f64> = history.iter().map(|run| floor(family, run)).collect();
    let point = |(place, &size): (usize, &u32)| {
        let own: Vec<f64> = floors.iter().skip(place).step_by(sizes.len()).copied().collect();
        let (mean, standard_error) = mean_and_error(&own);
        ConvergencePoint {
            experiment: Experiment::Stochastic,
            series: "Algorithm 1".to_owned(),
            value: size,
            measured: mean,
            standard_error: Some(standard_error),
            predicted: Some(family.predicted_floor(run.outer_rate.into(), size)),
        }
    };
    Ok(sizes.iter().enumerate().map(point).collect())
}

/// The mean of ‖∇F‖² over the second half of a run.
fn floor(family: &QuadraticFamily, run: &[Vec<f64>]) -> f64 {
    let half: Vec<f64> = run.iter().skip(run.len() / 2).map(|x| family.squared_norm(x)).collect();
    half.iter().sum::<f64>() / half.len().max(1) as f64
}

/// The mean and its standard error.
fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0).max(1.0) / count).sqrt())
}

/// ‖h − ∇F‖ / ‖∇F‖ at the start over N_cg with a large K, and over K with a large N_cg.
async fn hypergradient_errors(
    gpu: &Gpu,
    condition: f64,
    (large_inner, large_cg): (u32, u32),
) -> Result<Vec<ConvergencePoint>, SessionError> {
    let described = FamilySettings { condition, seed: FAMILY_SEED, ..FamilySettings::default() };
    let family = QuadraticFamily::new(described)?;
    let over_cg = CG_STEPS.map(|steps| (Experiment::CgSteps, steps, large_inner, steps));
    let over_inner = INNER_STEPS.map(|steps| (Experiment::InnerSteps, steps, steps, large_cg));
    let everyone: Vec<u32> = (0..described.tasks).collect();
    let x = vec![START; described.upper as usize];
    let exact = family.hypergradient(&vec![START.into(); described.upper as usize]);
    let mut points = Vec::new();
    for (experiment, value, inner_steps, cg_steps) in over_cg.into_iter().chain(over_inner) {
        let settings = RunSettings { inner_steps, cg_steps, outer_rate: 0.0, is_warm: false, iterations: 1 };
        let mut runs = QuadraticRuns::new(gpu, &family, settings, &[described.tasks], &x).await?;
        runs.iterate(&everyone).await?;
        yield_now().await;
        let found = runs.hypergradients().await?.concat();
        let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
        let difference = norm(&mut found.iter().zip(&exact).map(|(found, exact)| found - exact));
        points.push(ConvergencePoint {
            experiment,
            series: format!("condition {condition}"),
            value,
            measured: difference / norm(&mut exact.iter().copied()),
            standard_error: None,
            predicted: None,
        });
    }
    Ok(points)
}

async fn system(gpu: &Gpu, unknowns: u32, condition: f64, limit: u32) -> Result<SystemPoint, SessionError> {
    let system = LowRankSystem::new(FAMILY_SEED, unknowns, RANK, condition);
    let settings = CgSettings { max_iterations: limit, tolerance: TOLERANCE, damping: 0.0 };
    let (report, true_residual) = system.solve(gpu, settings).await?;
    Ok(SystemPoint {
        unknowns,
        condition,
        rank: RANK,
        status: report.status.name().to_owned(),
        iterations: report.iterations,
        f64_iterations: system.iterations_in_f64(TOLERANCE.into(), limit),
        recursive_residual: report.relative_residuals.last().copied().unwrap_or(f32::NAN),
        true_residual,
    })
}
