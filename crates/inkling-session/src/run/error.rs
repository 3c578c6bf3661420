//! Why a run failed.

use inkling_data::DataError;
use inkling_gpu::GpuError;
use inkling_meta::MetaError;
use inkling_nn::NnError;

use crate::error::RunError;

/// An error of a run; each message names what failed and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The device.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// The learner.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// The network or its weights.
    #[error(transparent)]
    Nn(#[from] NnError),
    /// Files of the run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A loss, gradient or weight that is no finite number.
    #[error(
        "training diverged at step {step}: {what} is not finite; earlier checkpoints are untouched. \
         Start a new run with a lower training.learning_rate, or with training.clip_norm = 1"
    )]
    Diverged {
        /// The step.
        step: u64,
        /// The loss, the gradient or a weight.
        what: &'static str,
    },
    /// Inner steps that leave the finite numbers in every task.
    #[error(
        "training diverged at step {step}: the inner steps of all {tasks} tasks leave the finite numbers; earlier \
         checkpoints are untouched. Start a new run with a lower head.inner_lr, or learner.inner_lr"
    )]
    InnerLoop {
        /// The step.
        step: u64,
        /// Its tasks.
        tasks: u32,
    },
    /// A memory budget that the plan exceeds.
    #[error("{0}")]
    Budget(String),
    /// A setting that the data or the command rules out.
    #[error("{0}")]
    Setting(String),
    /// Weights that cannot be used.
    #[error("{0}")]
    Weights(String),
    /// The episode of `inkling grad` cannot be used.
    #[error("{0}")]
    Episode(String),
    /// A run within a report that failed.
    #[error("{message}")]
    Ended {
        /// What it said.
        message: String,
        /// Whether its configuration asks for what cannot be.
        usage: bool,
    },
    /// A fault of the program.
    #[error("{0}; this is a fault of the program, please report it")]
    Fault(&'static str),
}

impl SessionError {
    /// Whether the arguments or the configuration ask for what cannot be.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Data(DataError::Specification(_))
                | Self::Meta(MetaError::Config { .. } | MetaError::Nn(NnError::Config { .. }))
                | Self::Nn(NnError::Config { .. })
                | Self::Data(DataError::Setting { .. })
                | Self::Gpu(GpuError::UnknownAdapter { .. })
                | Self::Budget(_)
                | Self::Setting(_)
                | Self::Ended { usage: true, .. }
                | Self::Run(
                    RunError::Occupied(_)
                        | RunError::Full(_)
                        | RunError::NoFolder(_)
                        | RunError::NotARun(_)
                        | RunError::OtherConfiguration(_)
                        | RunError::Config(_)
                )
        )
    }

    /// What the device reported, where it is the cause.
    pub(super) fn device(&self) -> Option<&GpuError> {
        match self {
            Self::Gpu(error)
            | Self::Nn(NnError::Gpu(error))
            | Self::Meta(MetaError::Gpu(error) | MetaError::Nn(NnError::Gpu(error))) => Some(error),
            _ => None,
        }
    }

    /// Whether the run would fail again where it failed.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Diverged { .. } | Self::InnerLoop { .. } | Self::Fault(_))
    }

    /// Whether the weights that were given are at fault; the message does not name their file.
    pub fn is_of_weights(&self) -> bool {
        matches!(
            self,
            Self::Weights(_) | Self::Nn(NnError::Weights { .. }) | Self::Meta(MetaError::Nn(NnError::Weights { .. }))
        )
    }

    /// Whether the task that was given is at fault; the message does not name its file.
    pub fn is_of_episode(&self) -> bool {
        matches!(self, Self::Episode(_) | Self::Meta(MetaError::Task(_)))
    }
}
