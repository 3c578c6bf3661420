//! What can go wrong with networks and weights.

use inkling_gpu::GpuError;

/// An error of a network or of its weights.
#[derive(Debug, thiserror::Error)]
pub enum NnError {
    /// The device failed.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// A network that cannot be built.
    #[error("{key} = {value}: {reason}")]
    Config {
        /// The configuration key.
        key: &'static str,
        /// Its value.
        value: String,
        /// Why it cannot be, and what could.
        reason: String,
    },
    /// Weights that are not this network's.
    #[error("the weights do not fit the network:\n  {}", problems.join("\n  "))]
    Weights {
        /// One line for each missing, surplus or misshapen tensor.
        problems: Vec<String>,
    },
    /// A vector of another layout.
    #[error(
        "a flat vector of {found} elements where the layout has {expected}; this is a fault of the program, please report it"
    )]
    Length {
        /// Elements of the layout.
        expected: usize,
        /// Elements of the vector.
        found: usize,
    },
}
