//! How a command ends when it does not succeed: what to say, and the exit code.

use std::path::Path;
use std::process::ExitCode;

use inkling_session::config::ConfigError;
use inkling_session::error::RunError;
use inkling_session::run::SessionError;

/// Why a command stopped.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The arguments or the configuration ask for what cannot be.
    #[error("{0}")]
    Usage(String),
    /// The command was understood and failed.
    #[error("{0}")]
    Failed(String),
}

impl Failure {
    /// A failure of the command itself, not of its usage.
    pub fn failed(error: impl ToString) -> Self {
        Self::Failed(error.to_string())
    }

    /// For errors of weights that were read from `path`: their messages do not know the file.
    pub fn with_weights(path: &Path) -> impl Fn(SessionError) -> Self {
        move |error| match error {
            error if error.is_of_weights() => Self::failed(format!("{}: {error}", path.display())),
            error => error.into(),
        }
    }

    /// The number that the shell sees.
    pub fn code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
        }
    }

    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code())
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Io { .. } | RunError::InUse(_) | RunError::Corrupt { .. } => Self::failed(error),
            RunError::Occupied(_)
            | RunError::Full(_)
            | RunError::NoFolder(_)
            | RunError::NotARun(_)
            | RunError::OtherConfiguration(_)
            | RunError::Config(_) => Self::Usage(error.to_string()),
        }
    }
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Run(error) => error.into(),
            error if error.is_usage() => Self::Usage(error.to_string()),
            error => Self::failed(error),
        }
    }
}
