//! The run loop of meta-training.

use std::path::PathBuf;

use inkling_data::{Numbers, Split};
use inkling_gpu::Gpu;
use inkling_meta::solve::SolveReport;
use inkling_meta::{Learner, Model, Outcome, TaskStatus};
use inkling_platform::{Stopwatch, unix_seconds};

use super::SessionError;
use super::evaluate::{score, validation};
use super::memory::{Planner, by_category, run_limits};
use super::model::{from_file, initial, learner_config, normalization, open_data, open_gpu, to_file, training_purpose};
use super::tasks::{PreparedTask, TaskSource, TaskStream, augmentation, evaluation_spec, training_spec};
use crate::checkpoint::{BestValidation, Checkpoint, CheckpointState, RandomState};
use crate::config::{RunConfig, Schedule, TrainingConfig};
use crate::error::RunError;
use crate::events::{Ending, Evaluation, Event, SolveMetrics, StepMetrics};
use crate::metrics::{MetricsRow, TimingRow};
use crate::model_card::ModelCard;
use crate::run_folder::RunFolder;
use crate::session::Target;
use crate::tensor_file::{Tensor, TensorFile};

/// Weight of the latest step in the running mean of the speed.
const SPEED_SMOOTHING: f64 = 0.1;

/// How a front end steers a run.
pub trait Control {
    /// Whether the run should finish its step, write a checkpoint and end.
    fn stop_requested(&self) -> bool;
}

/// Trains until the configured steps are done, the time is up, or `control` asks to stop.
///
/// # Errors
/// When data, device or files fail, or training diverges; the last checkpoint stays.
pub async fn train(
    config: &RunConfig,
    target: &Target,
    adapter: Option<String>,
    control: &dyn Control,
    emit: &mut dyn FnMut(Event),
) -> Result<(), SessionError> {
    let (mut run, stream) = Run::open(config, target, adapter, emit).await?;
    run.train(stream, control, emit).await
}

/// A run with everything that it works on.
struct Run<'c> {
    config: &'c RunConfig,
    gpu: Gpu,
    learner: Learner,
    folder: RunFolder,
    card: ModelCard,
    validation: TaskSource,
    state: CheckpointState,
    planned: u64,
}

impl<'c> Run<'c> {
    async fn open(
        config: &'c RunConfig,
        target: &Target,
        adapter: Option<String>,
        emit: &mut dyn FnMut(Event),
    ) -> Result<(Self, TaskStream), SessionError> {
        let dataset = open_data(&config.data)?;
        let normalization: std::sync::Arc<_> = normalization(&config.data, dataset.as_ref())?.into();
        let training = TaskSource {
            dataset: dataset.clone(),
            normalization: normalization.clone(),
            split: Split::Train,
            spec: training_spec(&config.task),
            augmentation: augmentation(&config.data.augmentation)?,
            seed: config.training.seed,
            list: config.training.task_list(),
        };
        let validation_config = validation(config);
        let validation = TaskSource {
            split: Split::Validation,
            spec: evaluation_spec(&validation_config),
            augmentation: None,
            seed: validation_config.seed,
            list: None,
            ..training.clone()
        };
        training.check()?;
        if config.training.validates() {
            validation.check()?;
        }
        let shape = dataset.image_shape();
        let gpu = open_gpu(adapter, false).await?;
        let model = Model::new(learner_config(config, shape)?, gpu.tier())?;
        let (limits, purpose) = (run_limits(config), training_purpose(&config.training));
        let planner = Planner { model: &model, tier: gpu.tier(), limits, purpose };
        let planned = planner.check(config.memory.budget)?;
        emit(Event::Planned { bytes: planned.total(), by_category: by_category(&planned) });
        let card = ModelCard::new(
            config.model.clone(),
            (config.head.clone(), config.learner.clone()),
            [shape.channels, shape.height, shape.width],
            normalization.mean.clone(),
            normalization.std.clone(),
            config.data.spec.clone(),
            0,
        );
        let first = initial(&model, config.training.seed)?;
        let mut learner = Learner::new(&gpu, model, limits, purpose)?;
        learner.set_weights(&first).await?;
        let begin = CheckpointState {
            random: RandomState { seed: config.training.seed, counters: Default::default() },
            fingerprint: config.fingerprint().map_err(RunError::from)?,
            ..CheckpointState::default()
        };
        let (folder, checkpoint) = match target {
            Target::New(path) => (RunFolder::create(path, config, unix_seconds())?, None),
            Target::Resume(path) => {
                let resumed = RunFolder::resume(path, config, unix_seconds())?;
                resumed.warnings.into_iter().for_each(|warning| emit(Event::warning(warning)));
                (resumed.folder, resumed.checkpoint)
            }
            Target::Memory | Target::ResumeArchive(_) => {
                return Err(SessionError::Setting("runs in memory are not there yet; give a folder".to_owned()));
            }
        };
        let state = match checkpoint {
            Some(checkpoint) => {
                restore(&mut learner, &checkpoint).await?;
                checkpoint.state
            }
            None => begin,
        };
        learner.clear_gradient();
        let stream = training.stream(state.episodes);
        emit(Event::Started {
            run: Some(folder.path().to_owned()),
            adapter: format!("{} ({})", gpu.adapter().name, gpu.adapter().backend),
            first_step: state.step,
            steps: config.training.steps,
        });
        let planned = planned.total();
        Ok((Self { config, gpu, learner, folder, card, validation, state, planned }, stream))
    }

    async fn train(
        &mut self,
        mut stream: TaskStream,
        control: &dyn Control,
        emit: &mut dyn FnMut(Event),
    ) -> Result<(), SessionError> {
        let clock = Stopwatch::start();
        let training = &self.config.training;
        let limit = training.time_limit.map_or(f64::INFINITY, |limit| limit.0.as_secs_f64());
        let mut speed = Speed::default();
        let mut ending = Ending::Completed;
        while self.state.step < training.steps {
            let metrics = self.step(&mut stream, &mut speed).await?;
            let step = metrics.step;
            let last = step == training.steps;
            let mut evaluation = None;
            if training.validates() && (last || step.is_multiple_of(training.validate_every)) {
                evaluation = Some(self.validate(emit).await?);
            }
            self.log(&metrics, evaluation.as_ref(), speed.step_seconds)?;
            emit(Event::Step(metrics));
            if let Some(evaluation) = evaluation {
                let best = self.state.best.is_none_or(|best| evaluation.accuracy > best.accuracy);
                if best {
                    self.state.best = Some(BestValidation { step, accuracy: evaluation.accuracy });
                }
                emit(Event::Validation { step, evaluation, best });
            }
            if control.stop_requested() {
                ending = Ending::Interrupted;
            } else if clock.seconds() > limit && !last {
                ending = Ending::TimeLimit;
            }
            let stops = last || ending != Ending::Completed;
            if stops || (training.checkpoint_every > 0 && step.is_multiple_of(training.checkpoint_every)) {
                let path = self.checkpoint().await?;
                emit(Event::Checkpoint { path: Some(path), step });
            }
            if stops {
                break;
            }
        }
        self.folder.write_curves()?;
        let peak = self.gpu.ledger().peak().total();
        if peak != self.planned {
            emit(Event::warning(format!(
                "{peak} bytes were in use at the peak and {} were planned; please report this",
                self.planned
            )));
        }
        let run = Some(self.folder.path().to_owned());
        emit(Event::Finished { run, ending, step: self.state.step, seconds: clock.seconds() });
        Ok(())
    }

    /// One optimiser step on the next tasks.
    async fn step(&mut self, stream: &mut TaskStream, speed: &mut Speed) -> Result<StepMetrics, SessionError> {
        let clock = Stopwatch::start();
        let training = &self.config.training;
        let step = self.state.step + 1;
        let tasks = training.tasks_per_step.max(1);
        let first_order = self.config.learner.as_ref().and_then(|learner| learner.first_order_steps).unwrap_or(0);
        self.learner.set_first_order(step <= first_order);
        let (mut heads, mut solves) = (Vec::new(), Vec::new());
        let mut left = tasks;
        while left > 0 {
            let count = left.min(training.pass_tasks());
            let prepared = (0..count).map(|_| stream.next()).collect::<Result<Vec<_>, _>>()?;
            let pass: Vec<_> = prepared.iter().map(PreparedTask::task).collect();
            let first = self.state.episodes;
            let draw = |episode| Numbers::new(b"subset__", training.seed, 0, episode);
            let mut numbers: Vec<_> = (first..first + u64::from(count)).map(draw).collect();
            self.learner.accumulate_pass(&pass, &mut numbers).await?;
            // A head reports on its last pass alone.
            let reports = self.learner.head_reports().await?;
            solves.extend(match reports.is_empty() {
                true => self.learner.solve_reports().await?,
                false => reports.iter().filter_map(|head| head.solve.clone()).collect(),
            });
            heads.extend(reports);
            self.state.episodes += u64::from(count);
            left -= count;
        }
        let learning_rate = learning_rate(training, step);
        let clip_norm = training.clip_norm as f32;
        let (outcomes, norm) = self.learner.update(step, learning_rate as f32, clip_norm).await?;
        let failed = outcomes.iter().filter(|outcome| outcome.status != TaskStatus::Solved).count()
            + heads.iter().filter(|head| head.failed).count();
        let can_fail = !heads.is_empty() || self.config.learner.is_some();
        let solve = can_fail.then(|| solve_metrics(failed, &solves));
        if failed == outcomes.len() {
            return Err(SessionError::InnerLoop { step, tasks });
        }
        // A task that failed has neither loss nor gradient.
        let solved: Vec<_> = outcomes.iter().filter(|outcome| outcome.status == TaskStatus::Solved).collect();
        let mean = |value: fn(&Outcome) -> f64| {
            solved.iter().map(|outcome| value(outcome)).sum::<f64>() / solved.len().max(1) as f64
        };
        let (loss, accuracy) = (mean(|outcome| outcome.loss), mean(|outcome| outcome.accuracy));
        for (value, what) in [(loss as f32, "the loss"), (norm, "the gradient")] {
            if !value.is_finite() {
                return Err(SessionError::Diverged { step, what });
            }
        }
        self.state.step = step;
        self.state.optimizer_step = step;
        speed.add(clock.seconds(), tasks);
        let ledger = self.gpu.ledger();
        Ok(StepMetrics {
            step,
            episodes: self.state.episodes,
            loss: loss as f32,
            accuracy: accuracy as f32,
            learning_rate,
            gradient_norm: Some(norm),
            episodes_per_second: speed.episodes_per_second,
            bytes_in_use: ledger.live().total(),
            bytes_peak: ledger.peak().total(),
            solve,
        })
    }

    async fn validate(&mut self, emit: &mut dyn FnMut(Event)) -> Result<Evaluation, SessionError> {
        let episodes = self.config.training.validation_episodes;
        Ok(score(&mut self.learner, &self.validation, episodes, emit).await?.evaluation())
    }

    fn log(
        &mut self,
        metrics: &StepMetrics,
        evaluation: Option<&Evaluation>,
        step_seconds: f64,
    ) -> Result<(), SessionError> {
        let row = MetricsRow {
            step: metrics.step,
            episodes: metrics.episodes,
            loss: metrics.loss,
            accuracy: metrics.accuracy,
            learning_rate: metrics.learning_rate,
            gradient_norm: metrics.gradient_norm,
            failed_tasks: metrics.solve.as_ref().map(|solve| solve.failed_tasks),
            solve_iterations: metrics.solve.as_ref().and_then(|solve| solve.iterations),
            condition: metrics.solve.as_ref().and_then(|solve| solve.condition),
            solve_residuals: metrics.solve.as_ref().filter(|solve| !solve.residuals.is_empty()).map(residuals),
            validation_loss: evaluation.map(|evaluation| evaluation.loss),
            validation_accuracy: evaluation.map(|evaluation| evaluation.accuracy),
            validation_interval: evaluation.map(|evaluation| evaluation.interval),
        };
        let timing = TimingRow {
            step: metrics.step,
            unix_seconds: unix_seconds(),
            step_seconds,
            episodes_per_second: metrics.episodes_per_second,
            bytes_in_use: metrics.bytes_in_use,
            bytes_peak: metrics.bytes_peak,
        };
        Ok(self.folder.log_step(&row, &timing)?)
    }

    async fn checkpoint(&mut self) -> Result<PathBuf, SessionError> {
        self.card.step = self.state.step;
        let weights = self.learner.weights().await?;
        // A last update can overflow although loss and gradient were finite.
        if !weights.iter().all(|(_, tensor)| tensor.values.iter().all(|value| value.is_finite())) {
            return Err(SessionError::Diverged { step: self.state.step, what: "a weight" });
        }
        let weights = to_file(&weights, Some(self.card.clone()))?;
        let mut optimizer = TensorFile::default();
        for (name, moment) in self.learner.moments().await? {
            for (parameter, tensor) in to_file(&moment, None)?.tensors {
                optimizer.tensors.insert(format!("{name}.{parameter}"), tensor);
            }
        }
        for (name, values) in self.learner.warm_starts().await? {
            let tasks = self.config.training.tasks_per_step.max(1) as usize;
            let tensor = Tensor::f32(vec![tasks, values.len() / tasks], values)
                .ok_or(SessionError::Fault("warm starts are not as many for every task"))?;
            optimizer.tensors.insert(name.to_owned(), tensor);
        }
        let path = self.folder.write_checkpoint(&Checkpoint { state: self.state.clone(), weights, optimizer })?;
        self.folder.write_curves()?;
        Ok(path)
    }
}

/// The residual history as one field of the log.
fn residuals(solve: &SolveMetrics) -> String {
    solve.residuals.iter().map(|residual| format!("{residual:.3e}")).collect::<Vec<_>>().join(" ")
}

/// What the solves of a step's tasks say together.
fn solve_metrics(failed_tasks: usize, solves: &[SolveReport]) -> SolveMetrics {
    let longest = solves.iter().map(|solve| solve.relative_residuals.len()).max().unwrap_or(0);
    let mean_at = |index: usize| {
        let there: Vec<f32> = solves.iter().filter_map(|solve| solve.relative_residuals.get(index).copied()).collect();
        there.iter().sum::<f32>() / there.len().max(1) as f32
    };
    let iterations = solves.iter().map(|solve| solve.iterations as f32).sum::<f32>() / solves.len().max(1) as f32;
    let conditions = solves.iter().filter_map(|solve| solve.spectrum).map(|spectrum| spectrum.condition() as f32);
    SolveMetrics {
        failed_tasks: failed_tasks as u32,
        iterations: (!solves.is_empty()).then_some(iterations),
        residuals: (0..longest).map(mean_at).collect(),
        condition: conditions.reduce(f32::max),
    }
}

/// Puts a checkpoint's weights and moments on the device.
async fn restore(learner: &mut Learner, checkpoint: &Checkpoint) -> Result<(), SessionError> {
    let weights = from_file(&checkpoint.weights, learner.model())?;
    learner.set_weights(&weights).await?;
    let mut moments = Vec::new();
    for name in learner.moment_names() {
        let prefix = format!("{name}.");
        let mut moment = inkling_nn::Weights::default();
        for (parameter, tensor) in &checkpoint.optimizer.tensors {
            if let (Some(parameter), Some(values)) = (parameter.strip_prefix(&prefix), tensor.as_f32()) {
                moment.insert(parameter, tensor.shape().to_vec(), values.to_vec());
            }
        }
        moments.push(moment);
    }
    learner.set_moments(&moments).await?;
    let tensors = &checkpoint.optimizer.tensors;
    let kept = |(name, _): &(&'static str, Vec<f32>)| tensors.get(*name).and_then(Tensor::as_f32).map(<[f32]>::to_vec);
    let warm: Vec<Vec<f32>> = learner.warm_starts().await?.iter().filter_map(kept).collect();
    Ok(learner.set_warm_starts(&warm).await?)
}

/// The learning rate of a step, which counts from one.
fn learning_rate(training: &TrainingConfig, step: u64) -> f64 {
    let base = training.learning_rate;
    if step <= training.warmup_steps {
        return base * step as f64 / training.warmup_steps as f64;
    }
    match training.schedule {
        Schedule::Constant => base,
        Schedule::Cosine => {
            let done = (step - 1 - training.warmup_steps) as f64;
            let all = training.steps.saturating_sub(training.warmup_steps).max(1) as f64;
            base * 0.5 * (1.0 + libm::cos(std::f64::consts::PI * (done / all).min(1.0)))
        }
        Schedule::Step => {
            let times = (step - 1) / training.schedule_every.max(1);
            base * training.schedule_factor.powi(times.min(i32::MAX as u64) as i32)
        }
    }
}

/// A running mean of the speed.
#[derive(Debug, Default)]
struct Speed {
    episodes_per_second: f64,
    step_seconds: f64,
}

impl Speed {
    fn add(&mut self, seconds: f64, episodes: u32) {
        self.step_seconds = seconds;
        let now = f64::from(episodes) / seconds.max(1e-9);
        let weight = if self.episodes_per_second == 0.0 { 1.0 } else { SPEED_SMOOTHING };
        self.episodes_per_second += weight * (now - self.episodes_per_second);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_start_at_the_configured_rate_and_fall() {
        let mut training = TrainingConfig { steps: 100, learning_rate: 0.1, ..TrainingConfig::default() };
        assert_eq!(learning_rate(&training, 50), 0.1);
        training.schedule = Schedule::Cosine;
        assert_eq!(learning_rate(&training, 1), 0.1);
        assert!((learning_rate(&training, 51) - 0.05).abs() < 1e-12);
        assert!(learning_rate(&training, 100) > 0.0);
        training.schedule = Schedule::Step;
        (training.schedule_every, training.schedule_factor) = (10, 0.5);
        assert_eq!(learning_rate(&training, 10), 0.1);
        assert_eq!(learning_rate(&training, 21), 0.025);
        training.warmup_steps = 4;
        assert_eq!(learning_rate(&training, 1), 0.025);
    }
}
