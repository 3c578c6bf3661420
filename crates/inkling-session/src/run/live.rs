//! Commands to a run between two steps: pause and its kin, and settings that change on the way.

use inkling_platform::{Receiver, Stopwatch};

use super::SessionError;
use super::model::estimator;
use super::train::Run;
use crate::changes::changed;
use crate::config::EstimatorKind;
use crate::error::RunError;
use crate::events::Event;
use crate::session::{Command, LiveSetting};

/// How a run goes on.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Steps until the run waits; none when it goes on by itself.
    steps_left: Option<u64>,
    /// Seconds that the run has waited.
    pub(super) waited: f64,
    /// Steps between two snapshots; zero takes none.
    pub(super) snapshot_every: u64,
    /// The episode that snapshots show.
    pub(super) snapshot_episode: u64,
}

/// What follows from the commands that have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Step,
    Stop,
}

impl Run {
    /// Follows the commands that have come, and while the run is paused waits for more. When nobody
    /// holds the handle any more the run stops.
    pub(super) async fn follow(
        &mut self,
        inbox: &Receiver<Command>,
        emit: &mut dyn FnMut(Event),
    ) -> Result<Next, SessionError> {
        loop {
            let command = if self.is_paused() {
                let clock = Stopwatch::start();
                let command = inbox.next().await.unwrap_or(Command::Stop);
                self.pace.waited += clock.seconds();
                command
            } else {
                match inbox.try_next() {
                    Some(command) => command,
                    None if inbox.is_closed() => Command::Stop,
                    None => return Ok(Next::Step),
                }
            };
            let step = self.state.step;
            match command {
                Command::Stop => return Ok(Next::Stop),
                Command::Step => {
                    self.pace.steps_left = Some(1);
                    return Ok(Next::Step);
                }
                Command::Pause => {
                    let before = self.pace.steps_left.replace(0);
                    if before != Some(0) {
                        emit(Event::Paused { step });
                    }
                }
                Command::Resume => {
                    if self.pace.steps_left.take().is_some() {
                        emit(Event::Resumed { step });
                    }
                }
                Command::Checkpoint => self.checkpoint(emit).await?,
                Command::Set(setting) => self.set(setting, emit)?,
                Command::Snapshot(episode) => {
                    self.pace.snapshot_episode = episode;
                    self.snapshot(emit).await?;
                }
                Command::Export => emit(Event::Exported { archive: self.folder.archive()? }),
            }
        }
    }

    fn is_paused(&self) -> bool {
        self.pace.steps_left == Some(0)
    }

    /// To be called after each step.
    pub(super) fn count_step(&mut self, emit: &mut dyn FnMut(Event)) {
        if let Some(left) = &mut self.pace.steps_left {
            *left = left.saturating_sub(1);
            if *left == 0 {
                emit(Event::Paused { step: self.state.step });
            }
        }
    }

    /// Changes a setting from the next step on and writes that down; what cannot be is refused.
    fn set(&mut self, setting: LiveSetting, emit: &mut dyn FnMut(Event)) -> Result<(), SessionError> {
        let step = self.state.step;
        let (key, value) = match setting {
            // Looking at an episode changes no number.
            LiveSetting::SnapshotEvery(steps) => {
                self.pace.snapshot_every = steps;
                emit(Event::Changed { step, setting });
                return Ok(());
            }
            LiveSetting::LearningRate(rate) => ("training.learning_rate", format!("{rate:?}")),
            LiveSetting::H(h) => ("gradient.h", h.to_string()),
            LiveSetting::Estimator(kind) => ("gradient.estimator", kind.name().to_owned()),
            LiveSetting::ValidateEvery(steps) => ("training.validate_every", steps.to_string()),
        };
        if let Some(message) = self.beyond_plan(setting) {
            emit(Event::Refused { message });
            return Ok(());
        }
        match changed(&self.config, [(key, value.as_str())]) {
            Ok(config) => self.config = config,
            Err(error) => {
                emit(Event::Refused { message: error.to_string() });
                return Ok(());
            }
        }
        self.put_estimator()?;
        self.folder.log_change(step, key, value)?;
        emit(Event::Changed { step, setting });
        Ok(())
    }

    /// Why a setting needs other memory than what was planned before the run.
    fn beyond_plan(&self, setting: LiveSetting) -> Option<String> {
        let present = self.config.gradient.estimator;
        let message = match setting {
            LiveSetting::Estimator(kind) if (kind == EstimatorKind::Full) != (present == EstimatorKind::Full) => {
                "gradient.estimator = \"full\" keeps activations that the others have no room for; start a new run to \
                 change to it or from it"
            }
            LiveSetting::ValidateEvery(steps) if steps > 0 && !self.first.training.validates() => {
                "the run was planned without validations; start a new one with training.validate_every and \
                 training.validation_episodes above zero"
            }
            _ => return None,
        };
        Some(message.to_owned())
    }

    /// Repeats the changes that were made just after the present step, before the run was resumed
    /// from an earlier one.
    pub(super) fn repeat_changes(&mut self) -> Result<(), SessionError> {
        if self.folder.changes().any_after(self.state.step) {
            let config = self.folder.changes().config_after(&self.first, self.state.step);
            self.config = config.map_err(RunError::from)?;
            self.put_estimator()?;
        }
        Ok(())
    }

    fn put_estimator(&mut self) -> Result<(), SessionError> {
        let gradient = &self.config.gradient;
        Ok(self.learner.set_estimator(estimator(gradient.estimator), gradient.h)?)
    }
}
