//! Where a run stands, from nothing but its events: what the panel shows follows from this.

use std::path::PathBuf;
use std::sync::Arc;

use inkling_platform::Stopwatch;
use inkling_session::events::{CategoryBytes, Ending, Evaluation, Event, SmallerPlan};
use inkling_session::history::History;
use inkling_session::session::LiveSetting;
use inkling_session::snapshot::EpisodeSnapshot;

use crate::notice::Notice;

/// What a run is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It was asked for: data and device are opened, kernels compiled.
    #[default]
    Starting,
    /// Steps follow each other.
    Running,
    /// It finishes a step and then waits.
    Pausing,
    /// It waits between two steps.
    Paused,
    /// It finishes a step, writes a checkpoint and ends.
    Stopping,
    /// It ended without an error.
    Finished(Ending),
    /// It could not begin, or failed.
    Failed,
    /// The device went away, or had too little memory.
    DeviceLost,
}

impl Phase {
    /// Whether the run is over.
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Finished(_) | Self::Failed | Self::DeviceLost)
    }

    /// The word for people.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Starting => "Starting",
            Self::Running => "Running",
            Self::Pausing => "Pausing",
            Self::Paused => "Paused",
            Self::Stopping => "Stopping",
            Self::Finished(Ending::Completed) => "Finished",
            Self::Finished(Ending::Interrupted) => "Stopped",
            Self::Finished(Ending::TimeLimit) => "Time is up",
            Self::Failed => "Failed",
            Self::DeviceLost => "Device lost",
        }
    }
}

/// The best validation so far.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Best {
    pub(crate) step: u64,
    pub(crate) evaluation: Evaluation,
}

/// A run as its events tell it.
#[derive(Default)]
pub(crate) struct RunView {
    pub(crate) phase: Phase,
    pub(crate) history: History,
    pub(crate) planned: Option<(u64, Vec<CategoryBytes>)>,
    pub(crate) adapter: String,
    /// Where its files lie; none for a run in memory.
    pub(crate) folder: Option<PathBuf>,
    pub(crate) first_step: u64,
    pub(crate) steps: u64,
    pub(crate) best: Option<Best>,
    pub(crate) last_checkpoint: Option<u64>,
    /// Whether the user has asked for a checkpoint that is not there yet.
    pub(crate) awaits_checkpoint: bool,
    pub(crate) snapshot: Option<Arc<EpisodeSnapshot>>,
    /// The newest error or warning, until it is dismissed.
    pub(crate) notice: Option<Notice>,
    /// After the device was lost: smaller passes to go on with.
    pub(crate) smaller: Option<SmallerPlan>,
    pub(crate) can_go_on: bool,
    /// The run as a zip, for where there is no file system.
    pub(crate) archive: Option<Arc<[u8]>>,
    /// The last step that the zip knows of.
    pub(crate) archive_step: u64,
    /// Counts the changes of what plots show, for those who keep what they drew.
    pub(crate) revision: u64,
    since_start: Option<Stopwatch>,
}

impl RunView {
    /// A run that goes on from these rows.
    pub(crate) fn continuing(history: History) -> Self {
        Self { history, ..Self::default() }
    }

    /// The last step done.
    pub(crate) fn step(&self) -> u64 {
        self.history.last().map_or(self.first_step, |row| row.step)
    }

    /// The share of the steps that are done.
    pub(crate) fn share(&self) -> f32 {
        if self.steps == 0 { 0.0 } else { self.step() as f32 / self.steps as f32 }
    }

    /// Seconds until the last step at the mean speed since the run was started here.
    pub(crate) fn seconds_left(&self) -> Option<f64> {
        let done = self.step().checked_sub(self.first_step).filter(|done| *done > 0)?;
        let seconds = self.since_start.as_ref()?.seconds();
        Some(seconds / done as f64 * self.steps.saturating_sub(self.step()) as f64)
    }

    /// Takes in an event.
    pub(crate) fn take(&mut self, event: Event) {
        self.history.take(&event);
        self.revision += 1;
        match event {
            Event::Planned { bytes, by_category } => self.planned = Some((bytes, by_category)),
            Event::Started { run, adapter, first_step, steps } => {
                self.folder = run;
                (self.adapter, self.first_step, self.steps) = (adapter, first_step, steps);
                self.since_start = Some(Stopwatch::start());
                self.advance(Phase::Running);
            }
            Event::Step(_) | Event::Evaluating { .. } => {}
            Event::Validation { step, evaluation, best } => {
                if best {
                    self.best = Some(Best { step, evaluation });
                }
            }
            Event::Checkpoint { step, .. } => {
                self.last_checkpoint = Some(step);
                self.awaits_checkpoint = false;
            }
            Event::Warning { message } | Event::Refused { message } => {
                let severity = crate::notice::Severity::Warning;
                self.notice = Some(Notice { severity, ..Notice::from_message(&message) });
            }
            Event::Paused { .. } => self.advance(Phase::Paused),
            Event::Resumed { .. } => self.advance(Phase::Running),
            // The panel itself asks for episodes, and the user sees them.
            Event::Changed { setting: LiveSetting::SnapshotEvery(_), .. } => {}
            Event::Changed { step, setting } => self.notice = Some(changed(step, setting)),
            Event::Snapshot(snapshot) => self.snapshot = Some(Arc::new(snapshot)),
            Event::Exported { archive } => {
                self.archive = Some(archive.into());
                self.archive_step = self.step();
            }
            Event::DeviceLost { message, checkpoint, smaller } => {
                self.phase = Phase::DeviceLost;
                self.notice = Some(Notice::from_message(&message));
                self.smaller = smaller;
                self.can_go_on = checkpoint.is_some();
            }
            Event::Failed { message, resumable, .. } => {
                self.phase = Phase::Failed;
                self.notice = Some(Notice::from_message(&message));
                self.can_go_on = resumable;
            }
            Event::Finished { run, ending, .. } => {
                self.phase = Phase::Finished(ending);
                self.folder = run.or(self.folder.take());
                self.can_go_on = ending != Ending::Completed;
            }
        }
    }

    /// A run that has died without a word; its events have ended.
    pub(crate) fn vanish(&mut self) {
        if !self.phase.is_over() {
            self.phase = Phase::Failed;
            let remedy = "Start it again; if this happens again, please report it";
            self.notice = Some(Notice::error("The run has ended without saying why", remedy));
        }
    }

    /// A pause or a start does not take back that the user asked to stop.
    fn advance(&mut self, phase: Phase) {
        if self.phase != Phase::Stopping && !self.phase.is_over() {
            self.phase = phase;
        }
    }
}

fn changed(step: u64, setting: LiveSetting) -> Notice {
    let what = match setting {
        LiveSetting::LearningRate(rate) => format!("The learning rate is {rate}"),
        LiveSetting::H(h) => format!("H is {h}"),
        LiveSetting::Estimator(estimator) => format!("The estimator is {}", estimator.name()),
        LiveSetting::SnapshotEvery(steps) => format!("Episodes are shown every {steps} steps"),
        LiveSetting::ValidateEvery(0) => "No more validations".to_owned(),
        LiveSetting::ValidateEvery(steps) => format!("A validation every {steps} steps"),
    };
    Notice::success(format!("{what} from step {} on", step + 1))
}
