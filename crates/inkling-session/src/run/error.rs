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
