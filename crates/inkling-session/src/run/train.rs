//! The run loop of meta-training, from its first command to its last event.

use inkling_gpu::{Gpu, GpuError};
use inkling_meta::Learner;
use inkling_platform::{Receiver, Stopwatch, yield_now};

use super::SessionError;
use super::evaluate::score;
use super::live::{Next, Pace};
use super::model::to_file;
use super::open::{Setup, Sources};
use super::step::Speed;
use super::supply::Supply;
use super::tasks::SkipReport;
use crate::checkpoint::{BestValidation, Checkpoint, CheckpointState};
use crate::config::RunConfig;
use crate::events::{Ending, Evaluation, Event, SmallerPlan};
use crate::model_card::ModelCard;
use crate::run_folder::{Outlook, RunFolder};
use crate::session::{Command, RunRequest};
use crate::tensor_file::{Tensor, TensorFile};

/// A run with everything that it works on.
pub(super) struct Run {
    /// The configuration of the run's beginning, which its folder holds.
    pub(super) first: RunConfig,
    /// The configuration of the next step.
    pub(super) config: RunConfig,
    pub(super) gpu: Gpu,
    pub(super) owns_gpu: bool,
    pub(super) learner: Learner,
    pub(super) folder: RunFolder,
    pub(super) card: ModelCard,
    pub(super) sources: Sources,
    pub(super) supply: Supply,
    pub(super) state: CheckpointState,
    pub(super) planned: u64,
    /// The step of the newest checkpoint.
    pub(super) saved: Option<u64>,
    pub(super) pace: Pace,
    pub(super) skips: SkipReport,
}

/// Trains until the configured steps are done, the time is up, or a command stops it. Whatever goes
/// wrong comes as the last event; checkpoints that were written stay.
pub(crate) async fn train(request: RunRequest, inbox: &Receiver<Command>, emit: &mut dyn FnMut(Event)) {
    let outlook = match Outlook::of(&request.target) {
        Ok(outlook) => outlook,
        Err(error) => return emit(failure(&error.into(), None, None)),
    };
    let saved = outlook.checkpoint;
    let setup = match Setup::new(request, outlook, emit).await {
        Ok(setup) => setup,
        Err(error) => return emit(failure(&error, saved, None)),
    };
    let smaller = setup.smaller();
    let mut run = match setup.begin(emit).await {
        Ok(run) => run,
        Err(error) => return emit(failure(&error, saved, smaller)),
    };
    let last = match run.train(inbox, emit).await {
        Ok(finished) => finished,
        Err(error) => failure(&error, run.saved, smaller),
    };
    // The files of a run in memory go with it.
    if run.folder.path().is_none() {
        match run.folder.archive() {
            Ok(archive) => emit(Event::Exported { archive }),
            Err(error) => emit(Event::warning(error.to_string())),
        }
    }
    emit(last);
}

impl Run {
    async fn train(&mut self, inbox: &Receiver<Command>, emit: &mut dyn FnMut(Event)) -> Result<Event, SessionError> {
        self.say_started(emit);
        let clock = Stopwatch::start();
        let limit = self.config.training.time_limit.map_or(f64::INFINITY, |limit| limit.0.as_secs_f64());
        let mut speed = Speed::default();
        let mut ending = Ending::Completed;
        while self.state.step < self.config.training.steps {
            self.repeat_changes()?;
            if self.follow(inbox, emit).await? == Next::Stop {
                ending = Ending::Interrupted;
                break;
            }
            let metrics = self.step(&mut speed).await?;
            let step = metrics.step;
            let evaluation = if self.validates_after(step) { Some(self.validate(emit).await?) } else { None };
            self.skips.tell(self.sources.training.dataset.as_ref(), emit);
            self.log(&metrics, evaluation.as_ref(), speed.step_seconds)?;
            emit(Event::Step(metrics));
            if let Some(evaluation) = evaluation {
                self.judge(step, evaluation, emit);
            }
            if is_due(self.pace.snapshot_every, step) {
                self.snapshot(emit).await?;
            }
            if clock.seconds() - self.pace.waited > limit && step < self.config.training.steps {
                ending = Ending::TimeLimit;
                break;
            }
            if is_due(self.config.training.checkpoint_every, step) {
                self.checkpoint(emit).await?;
            }
            self.count_step(emit);
            yield_now().await;
        }
        if self.saved != Some(self.state.step) {
            self.checkpoint(emit).await?;
        }
        self.folder.write_curves()?;
        self.compare_with_plan(emit);
        self.skips.sum_up(emit);
        let seconds = clock.seconds() - self.pace.waited;
        let run = self.folder.path().map(ToOwned::to_owned);
        Ok(Event::Finished { run, ending, step: self.state.step, seconds })
    }

    fn say_started(&self, emit: &mut dyn FnMut(Event)) {
        emit(Event::Started {
            run: self.folder.path().map(ToOwned::to_owned),
            adapter: format!("{} ({})", self.gpu.adapter().name, self.gpu.adapter().backend),
            first_step: self.state.step,
            steps: self.config.training.steps,
        });
    }

    fn validates_after(&self, step: u64) -> bool {
        let training = &self.config.training;
        training.validates() && (step == training.steps || is_due(training.validate_every, step))
    }

    async fn validate(&mut self, emit: &mut dyn FnMut(Event)) -> Result<Evaluation, SessionError> {
        let episodes = self.config.training.validation_episodes;
        Ok(score(&mut self.learner, &self.sources.validation, self.supply.features(), episodes, emit)
            .await?
            .evaluation())
    }

    /// Keeps the best validation in mind.
    fn judge(&mut self, step: u64, evaluation: Evaluation, emit: &mut dyn FnMut(Event)) {
        let best = self.state.best.is_none_or(|best| evaluation.accuracy > best.accuracy);
        if best {
            self.state.best = Some(BestValidation { step, accuracy: evaluation.accuracy });
        }
        emit(Event::Validation { step, evaluation, best });
    }

    /// Writes a checkpoint of the present step.
    pub(super) async fn checkpoint(&mut self, emit: &mut dyn FnMut(Event)) -> Result<(), SessionError> {
        let step = self.state.step;
        self.card.step = step;
        let weights = self.learner.weights().await?;
        // A last update can overflow although loss and gradient were finite.
        if !weights.iter().all(|(_, tensor)| tensor.values.iter().all(|value| value.is_finite())) {
            return Err(SessionError::Diverged { step, what: "a weight" });
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
        self.saved = Some(step);
        self.folder.write_curves()?;
        emit(Event::Checkpoint { path, step });
        Ok(())
    }

    /// The ledger of a device of our own must have seen exactly what was planned.
    fn compare_with_plan(&self, emit: &mut dyn FnMut(Event)) {
        let peak = self.gpu.ledger().peak().total();
        if self.owns_gpu && peak != self.planned {
            emit(Event::warning(format!(
                "{peak} bytes were in use at the peak and {} were planned; please report this",
                self.planned
            )));
        }
    }
}

/// Whether something that happens every so many steps happens after this one; zero is never.
fn is_due(every: u64, step: u64) -> bool {
    every > 0 && step.is_multiple_of(every)
}

/// The last event of a run that ended with an error.
fn failure(error: &SessionError, checkpoint: Option<u64>, smaller: Option<SmallerPlan>) -> Event {
    let message = error.to_string();
    match error.device() {
        Some(GpuError::DeviceLost(_)) => Event::DeviceLost { message, checkpoint, smaller: None },
        Some(GpuError::OutOfMemory(_)) => Event::DeviceLost { message, checkpoint, smaller },
        _ => {
            let usage = error.is_usage();
            let resumable = checkpoint.is_some() && !usage && !error.is_final();
            Event::Failed { message, usage, resumable }
        }
    }
}
