//! What can go wrong in meta-learning.

use inkling_gpu::GpuError;
use inkling_nn::NnError;

/// An error of a learner.
#[derive(Debug, thiserror::Error)]
pub enum MetaError {
    /// The device failed.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// The network or its weights.
    #[error(transparent)]
    Nn(#[from] NnError),
    /// A setting that cannot be.
    #[error("{key} = {value}: {reason}")]
    Config {
        /// The configuration key.
        key: &'static str,
        /// Its value.
        value: String,
        /// Why it cannot be, and what could.
        reason: String,
    },
    /// A task that a learner cannot take.
    #[error("the task cannot be used: {0}")]
    Task(String),
    /// An extractor from outside failed.
    #[error("the extractor failed: {0}")]
    Extractor(String),
    /// A memory budget below the plan.
    #[error("{0}")]
    Budget(String),
}

impl MetaError {
    pub(crate) fn config(key: &'static str, value: impl ToString, reason: impl Into<String>) -> Self {
        Self::Config { key, value: value.to_string(), reason: reason.into() }
    }
}
