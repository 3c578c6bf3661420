//! What a run is asked to do: where it begins, and the commands that it follows.

use std::path::PathBuf;
use std::sync::Arc;

use inkling_data::Dataset;
use inkling_gpu::Gpu;
use serde::{Deserialize, Serialize};

use crate::config::{EstimatorKind, GradientConfig, RunConfig};
use crate::tensor_file::TensorFile;

/// Where a run begins and where its files go.
#[derive(Clone, Debug)]
pub enum Target {
    /// A new run in this folder.
    New(PathBuf),
    /// The run in this folder goes on.
    Resume(PathBuf),
    /// A new run that keeps its files in memory, for where there is no file system.
    Memory,
    /// The run in this zip of a run folder goes on in memory.
    ResumeArchive(Vec<u8>),
}

impl Target {
    /// The run's folder; none for a run in memory.
    pub fn folder(&self) -> Option<&std::path::Path> {
        match self {
            Self::New(path) | Self::Resume(path) => Some(path),
            Self::Memory | Self::ResumeArchive(_) => None,
        }
    }
}

/// Everything that a run needs to begin.
#[derive(Clone)]
pub struct RunRequest {
    /// What to train, and how.
    pub config: RunConfig,
    /// Where the files go.
    pub target: Target,
    /// An open data set in place of the one that `config.data.spec` names.
    pub dataset: Option<Arc<dyn Dataset>>,
    /// Weights to begin with, in place of the file that `config.model.weights` names.
    pub weights: Option<Arc<TensorFile>>,
    /// Part of the adapter's name; the preferred adapter when absent.
    pub adapter: Option<String>,
    /// A device that is open already, in place of one of its own.
    pub gpu: Option<Gpu>,
    /// Smaller passes than the configuration's: what [`crate::events::Event::DeviceLost`] offers.
    pub passes: Option<Passes>,
}

impl RunRequest {
    /// A request without any of the options.
    pub fn new(config: RunConfig, target: Target) -> Self {
        Self { config, target, dataset: None, weights: None, adapter: None, gpu: None, passes: None }
    }
}

/// The sizes that decide how much memory a gradient takes; its expectation is the same with any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passes {
    /// The estimator: `chunked` where `full` keeps too much.
    pub estimator: EstimatorKind,
    /// Images of one pass of the support.
    pub chunk: u32,
    /// Query images of one pass; zero for all at once.
    pub query_batch: u32,
}

impl Passes {
    /// The passes of a configuration.
    pub fn of(gradient: &GradientConfig) -> Self {
        Self { estimator: gradient.estimator, chunk: gradient.chunk, query_batch: gradient.query_batch }
    }

    /// Puts the passes into a configuration.
    pub fn put(self, gradient: &mut GradientConfig) {
        gradient.estimator = self.estimator;
        gradient.chunk = self.chunk;
        gradient.query_batch = self.query_batch;
    }
}

/// A setting that can change while a run goes on. Each change is written to the run's `changes.csv`
/// with its step, and repeats at that step when the run is resumed before it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", content = "value", rename_all = "snake_case")]
pub enum LiveSetting {
    /// `training.learning_rate`, before the schedule.
    LearningRate(f64),
    /// `gradient.h`, for `lite` and `subsampled`.
    H(u32),
    /// `gradient.estimator`, among `chunked`, `lite` and `subsampled`.
    Estimator(EstimatorKind),
    /// Steps between two episode snapshots; zero takes none but on command.
    SnapshotEvery(u64),
    /// `training.validate_every`; zero validates at no step but the last.
    ValidateEvery(u64),
}

/// What the holder of a [`super::RunHandle`] may ask for. Commands are followed between two steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", content = "value", rename_all = "snake_case")]
pub enum Command {
    /// Wait after this step.
    Pause,
    /// Go on after a pause.
    Resume,
    /// One step, then wait.
    Step,
    /// Write a checkpoint now.
    Checkpoint,
    /// Write a checkpoint and end.
    Stop,
    /// Change a setting.
    Set(LiveSetting),
    /// Show what the learner makes of the episode of this number; later snapshots show it too.
    Snapshot(u64),
    /// Send the run as a zip of its folder.
    Export,
}
