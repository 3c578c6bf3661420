//! What a run says while it goes on. The run loop emits these; the command line and the window
//! show them. Each is one JSON object with the key `event`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::session::{LiveSetting, Passes};
use crate::snapshot::EpisodeSnapshot;

/// The bytes of one category of buffers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CategoryBytes {
    /// The category, such as `activations` or `parameters`.
    pub category: String,
    /// Its bytes at the peak.
    pub bytes: u64,
}

/// What one optimiser step measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepMetrics {
    /// The step, from one.
    pub step: u64,
    /// Training episodes seen so far.
    pub episodes: u64,
    /// Mean query cross-entropy.
    pub loss: f32,
    /// Mean query accuracy, `0..=1`.
    pub accuracy: f32,
    /// The learning rate of the step.
    pub learning_rate: f64,
    /// The gradient's norm before clipping, where it is computed.
    pub gradient_norm: Option<f32>,
    /// Training episodes per second, averaged over the last steps.
    pub episodes_per_second: f64,
    /// Bytes of GPU buffers alive.
    pub bytes_in_use: u64,
    /// The most bytes alive so far.
    pub bytes_peak: u64,
    /// How the tasks were solved, where a solve can fail or has iterations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solve: Option<SolveMetrics>,
}

/// How the tasks of a step were solved.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SolveMetrics {
    /// Tasks whose inner loop or solve failed; they add nothing to the gradient.
    pub failed_tasks: u32,
    /// Iterations of conjugate gradient, the mean over tasks.
    pub iterations: Option<f32>,
    /// ‖r‖/‖b‖ at the start and after each iteration, the mean over the tasks that got there.
    pub residuals: Vec<f32>,
    /// The largest estimate of a system's condition number.
    pub condition: Option<f32>,
}

impl SolveMetrics {
    /// The relative residual that the solves ended with.
    pub fn last_residual(&self) -> Option<f32> {
        self.residuals.last().copied()
    }
}

/// The outcome of a set of fixed episodes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// How many episodes.
    pub episodes: u32,
    /// Mean query cross-entropy.
    pub loss: f32,
    /// Mean accuracy, `0..=1`.
    pub accuracy: f32,
    /// Half the width of the 95 % confidence interval of the accuracy, 1.96·s/√n.
    pub interval: f32,
}

/// Why a run ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// All steps are done.
    Completed,
    /// The user asked for it; a checkpoint is written.
    Interrupted,
    /// `training.time_limit` has passed; a checkpoint is written.
    TimeLimit,
}

/// A plan of less memory with the same expectation of every gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmallerPlan {
    /// The passes to go on with: put them into [`crate::session::RunRequest::passes`].
    pub passes: Passes,
    /// The peak that they need by plan.
    pub bytes: u64,
}

/// One message of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The memory plan, before anything is allocated.
    Planned {
        /// The planned peak.
        bytes: u64,
        /// What it consists of.
        by_category: Vec<CategoryBytes>,
    },
    /// Training begins.
    Started {
        /// The run folder; none for a run in memory.
        run: Option<PathBuf>,
        /// The adapter's name and backend.
        adapter: String,
        /// Steps already done, zero for a new run.
        first_step: u64,
        /// Steps to reach.
        steps: u64,
    },
    /// A step is done.
    Step(StepMetrics),
    /// A validation is done.
    Validation {
        /// The step after which it took place.
        step: u64,
        /// Its outcome.
        #[serde(flatten)]
        evaluation: Evaluation,
        /// Whether no earlier validation was better.
        best: bool,
    },
    /// A checkpoint is written.
    Checkpoint {
        /// Its folder; none for a run in memory.
        path: Option<PathBuf>,
        /// Its step.
        step: u64,
    },
    /// Something that the user should know and that stops nothing.
    Warning {
        /// What.
        message: String,
    },
    /// An evaluation has done some of its episodes.
    Evaluating {
        /// Episodes done.
        done: u32,
        /// All episodes.
        episodes: u32,
        /// The mean accuracy so far.
        accuracy: f32,
    },
    /// The run waits between two steps.
    Paused {
        /// The last step done.
        step: u64,
    },
    /// The run goes on after a pause.
    Resumed {
        /// The last step done.
        step: u64,
    },
    /// A setting has another value from the next step on; the run's `changes.csv` says so too.
    Changed {
        /// The last step with the old value.
        step: u64,
        /// The setting with its new value.
        setting: LiveSetting,
    },
    /// A command that the run cannot follow; it goes on as before.
    Refused {
        /// Why, and what to do.
        message: String,
    },
    /// An episode as the learner sees it now.
    Snapshot(EpisodeSnapshot),
    /// The run as a zip of its folder. A run in memory sends one before its last event.
    Exported {
        /// The bytes of the zip.
        archive: Vec<u8>,
    },
    /// The run stopped because the device went away or ran out of memory. The last event of a run.
    DeviceLost {
        /// What happened and what to do.
        message: String,
        /// The step of the checkpoint that the run can go on from; none before its first.
        checkpoint: Option<u64>,
        /// After out-of-memory, smaller passes to go on with, where there are any.
        smaller: Option<SmallerPlan>,
    },
    /// The run could not begin, or failed. The last event of a run.
    Failed {
        /// What happened and what to do.
        message: String,
        /// Whether the request or its configuration asks for what cannot be.
        usage: bool,
        /// Whether the run can go on from its last checkpoint once the cause is put right.
        resumable: bool,
    },
    /// The run is over. The last event of a run.
    Finished {
        /// The run folder; none for a run in memory.
        run: Option<PathBuf>,
        /// Why.
        ending: Ending,
        /// The last step done.
        step: u64,
        /// Seconds since it began or was resumed.
        seconds: f64,
    },
}

impl Event {
    /// A warning.
    pub fn warning(message: impl Into<String>) -> Self {
        Self::Warning { message: message.into() }
    }

    /// Whether no other event of the run follows.
    pub fn is_last(&self) -> bool {
        matches!(self, Self::Finished { .. } | Self::DeviceLost { .. } | Self::Failed { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::EstimatorKind;

    #[test]
    fn every_event_is_one_object_with_its_name() {
        let passes = Passes { estimator: EstimatorKind::Chunked, chunk: 4, query_batch: 2 };
        let smaller = Some(SmallerPlan { passes, bytes: 10 });
        let lost = Event::DeviceLost { message: "gone".to_owned(), checkpoint: Some(4), smaller };
        let events = [
            (Event::Step(StepMetrics::default()), "step"),
            (Event::warning("w"), "warning"),
            (Event::Validation { step: 3, evaluation: Evaluation::default(), best: true }, "validation"),
            (Event::Planned { bytes: 1, by_category: vec![] }, "planned"),
            (Event::Changed { step: 3, setting: LiveSetting::H(4) }, "changed"),
            (Event::Snapshot(EpisodeSnapshot::default()), "snapshot"),
            (Event::Exported { archive: vec![1, 2] }, "exported"),
            (lost, "device_lost"),
            (Event::Failed { message: "m".to_owned(), usage: true, resumable: false }, "failed"),
            (Event::Finished { run: Some("r".into()), ending: Ending::TimeLimit, step: 1, seconds: 0.5 }, "finished"),
        ];
        for (event, name) in events {
            let json = serde_json::to_value(&event).unwrap();
            assert_eq!(json["event"], name);
            assert_eq!(serde_json::from_value::<Event>(json).unwrap(), event);
        }
    }
}
