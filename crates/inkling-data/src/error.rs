//! Everything that can go wrong between a data specification and the pixels of an episode.

/// An error of this crate; each message says what happened, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A data specification that names nothing known.
    #[error("{0}")]
    Specification(String),
}
