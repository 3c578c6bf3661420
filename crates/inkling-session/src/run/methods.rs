//! Several methods, trained for the same wall-clock time and tested on the same episodes.

use std::path::{Path, PathBuf};

use inkling_platform::{Stopwatch, channel};

use super::SessionError;
use super::evaluate::evaluate;
use super::site::Site;
use super::train::train;
use super::trial::Trial;
use crate::config::RunConfig;
use crate::events::Event;
use crate::metrics::{MetricsRow, TimingRow, read_log};
use crate::report::methods::{MethodPoint, MethodResult};
use crate::run_folder::{METRICS_FILE, RunFolder, TIMING_FILE};
use crate::session::{Command, RunRequest, Target};

/// Outer steps by which the speed of a method is measured, after one that compiles its kernels.
const CALIBRATION_STEPS: u32 = 5;
/// Validations along each curve.
const VALIDATIONS: u64 = 8;

/// How long each run trains, with which seeds, and where the run folders go.
#[derive(Clone, Debug)]
pub struct Budget {
    /// Seconds of training steps of each run; the number of steps follows from a short measurement.
    pub seconds: f64,
    /// A run of every method for each of these.
    pub seeds: Vec<u64>,
    /// The folder of the report; runs lie under `runs/` in it.
    pub folder: PathBuf,
}

/// Trains every method with every seed for the budget, and evaluates the last weights on the fixed
/// test episodes. A run that is there already goes on where it ended, and is not trained again
/// when it is complete.
///
/// # Errors
/// When data, device or files fail, or a run diverges.
pub async fn methods_report(
    methods: &[(String, RunConfig)],
    budget: &Budget,
    adapter: Option<String>,
    stop: &dyn Fn() -> bool,
    emit: &mut dyn FnMut(Event),
) -> Result<(Vec<MethodResult>, Vec<MethodPoint>), SessionError> {
    let (mut results, mut points) = (Vec::new(), Vec::new());
    for (method, config) in methods {
        let step_seconds = step_seconds(config, adapter.clone()).await?;
        for &seed in &budget.seeds {
            let mut config = config.clone();
            config.training.seed = seed;
            config.training.time_limit = None;
            config.training.steps = ((budget.seconds / step_seconds) as u64).max(VALIDATIONS);
            config.training.validate_every = config.training.steps / VALIDATIONS;
            config.training.checkpoint_every = config.training.validate_every;
            let folder = budget.folder.join("runs").join(format!("{method}-{seed}"));
            let run = one_run((method, seed), &config, &folder, adapter.clone(), (stop, emit)).await?;
            results.push(run.0);
            points.extend(run.1);
            if stop() {
                return Ok((results, points));
            }
        }
    }
    Ok((results, points))
}

async fn step_seconds(config: &RunConfig, adapter: Option<String>) -> Result<f64, SessionError> {
    let mut trial = Trial::new(config, config.training.tasks_per_step, &Site::on(adapter)).await?;
    trial.step().await?;
    let clock = Stopwatch::start();
    for _ in 0..CALIBRATION_STEPS {
        trial.step().await?;
    }
    Ok((clock.seconds() / f64::from(CALIBRATION_STEPS)).max(1e-6))
}

/// Trains one run to its end, unless it is there already, and evaluates it.
pub(super) async fn one_run(
    (method, seed): (&str, u64),
    config: &RunConfig,
    folder: &Path,
    adapter: Option<String>,
    (stop, emit): (&dyn Fn() -> bool, &mut dyn FnMut(Event)),
) -> Result<(MethodResult, Vec<MethodPoint>), SessionError> {
    // A run that is there keeps its number of steps, whatever the machine's speed is today.
    let config = &if folder.is_dir() { RunFolder::read_config(folder)? } else { config.clone() };
    let done = RunFolder::newest_checkpoint(folder).map_or(0, |(checkpoint, _)| checkpoint.state.step);
    let target = if folder.is_dir() { Target::Resume(folder.to_owned()) } else { Target::New(folder.to_owned()) };
    if done < config.training.steps {
        let request = RunRequest { adapter: adapter.clone(), ..RunRequest::new(config.clone(), target) };
        run_to_its_end(request, stop, emit).await?;
    }
    let metrics: Vec<MetricsRow> = read_log(&folder.join(METRICS_FILE))?;
    let timing: Vec<TimingRow> = read_log(&folder.join(TIMING_FILE))?;
    let logs: Vec<_> = metrics.iter().zip(&timing).collect();
    let mut points = Vec::new();
    let (mut seconds, mut peak_bytes) = (0.0, 0);
    for (metrics, timing) in &logs {
        seconds += timing.step_seconds;
        peak_bytes = peak_bytes.max(timing.bytes_peak);
        if let Some(accuracy) = metrics.validation_accuracy {
            points.push(MethodPoint { method: method.to_owned(), seed, step: metrics.step, seconds, accuracy });
        }
    }
    let weights = RunFolder::newest_checkpoint(folder)?.0.weights;
    let scores = evaluate(config, &weights, &Site::on(adapter), emit).await?;
    let evaluation = scores.evaluation();
    let last = logs.last();
    let result = MethodResult {
        method: method.to_owned(),
        seed,
        steps: last.map_or(0, |(metrics, _)| metrics.step),
        episodes: last.map_or(0, |(metrics, _)| metrics.episodes),
        seconds,
        peak_bytes,
        accuracies: scores.accuracies,
        accuracy: evaluation.accuracy.into(),
        interval: evaluation.interval.into(),
    };
    Ok((result, points))
}

/// Trains until the run ends or is stopped.
async fn run_to_its_end(
    request: RunRequest,
    stop: &dyn Fn() -> bool,
    emit: &mut dyn FnMut(Event),
) -> Result<(), SessionError> {
    let (commands, inbox) = channel();
    let mut result = Ok(());
    train(request, &inbox, &mut |event| {
        if stop() {
            commands.send(Command::Stop);
        }
        match event {
            Event::Failed { message, usage, .. } => result = Err(SessionError::Ended { message, usage }),
            Event::DeviceLost { message, .. } => result = Err(SessionError::Ended { message, usage: false }),
            event => emit(event),
        }
    })
    .await;
    result
}
