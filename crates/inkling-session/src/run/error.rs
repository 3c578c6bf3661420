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
    /// A loss or gradient that is no number.
    #[error(
        "training diverged at step {step}: {what} is not finite; nothing was written since the last checkpoint. \
         Lower training.learning_rate or set training.clip_norm, and start again or --resume"
    )]
    Diverged {
        /// The step.
        step: u64,
        /// The loss or the gradient.
        what: &'static str,
    },
    /// A memory budget that the plan exceeds.
    #[error("{0}")]
    Budget(String),
    /// An input that does not fit.
    #[error("{0}")]
    Input(String),
}

impl SessionError {
    /// Whether the arguments or the configuration ask for what cannot be.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Data(DataError::Specification(_))
                | Self::Meta(MetaError::Config { .. } | MetaError::Nn(NnError::Config { .. }))
                | Self::Nn(NnError::Config { .. })
                | Self::Budget(_)
        )
    }
}
