//! What can go wrong with the files of a run, each with the path and the remedy.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::config::ConfigError;

/// Why a file or folder of a run could not be used.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}{}", path.display(), remedy(source))]
    Io {
        /// `read`, `write`, `create` and the like.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file was to be written into a folder that there is not.
    #[error("cannot write {}: its folder does not exist; create it or choose another", .0.display())]
    NoFolder(PathBuf),
    /// A new run was asked for where one is already.
    #[error(
        "{} already holds a run; continue it with --resume {}, or choose another folder with --out",
        .0.display(), .0.display()
    )]
    Occupied(PathBuf),
    /// Every number is taken where runs are numbered.
    #[error("{} is full of runs; give --out", .0.display())]
    Full(PathBuf),
    /// There is no run to open.
    #[error("{} holds no run (no config.toml); give the folder that `inkling train` printed", .0.display())]
    NotARun(PathBuf),
    /// Another process writes to the run.
    #[error("another process is using the run in {}; wait for it or stop it", .0.display())]
    InUse(PathBuf),
    /// A file does not hold what it should.
    #[error("{} cannot be used: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it and what to do.
        reason: String,
    },
    /// A run was to be continued under another configuration.
    #[error(
        "the configuration differs from the one that {} was written under in more than its length and outputs; \
         a resumed run continues with the same numbers: leave out the changed --set keys, or start a new run",
        .0.display()
    )]
    OtherConfiguration(PathBuf),
    /// The configuration in the folder cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl RunError {
    /// Wraps a system error with what was being done to which path.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }

    /// A file that cannot be used: why, and what to do.
    pub fn corrupt(path: &Path, reason: impl ToString) -> Self {
        Self::Corrupt { path: path.to_owned(), reason: reason.to_string() }
    }
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "; free some space, or choose a folder on another disk; what was complete before is untouched"
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "; choose a folder that you may write to, or change its permissions"
        }
        ErrorKind::AlreadyExists => "; there is a file of this name, choose another",
        ErrorKind::NotADirectory => "; a part of this path is a file where a folder is needed",
        _ => "",
    }
}
