//! One file per name in a folder of the user.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use directories::ProjectDirs;

use super::{Kind, Storage, StorageError};
use crate::files::write_whole;

/// A folder; it is created with its first file.
#[derive(Clone, Debug)]
pub(super) struct Place {
    folder: PathBuf,
}

impl Storage {
    /// A store in a folder of one's choice.
    pub fn in_folder(folder: &Path) -> Self {
        Self { kind: Kind::Device(Place { folder: folder.to_owned() }) }
    }
}

impl Place {
    pub fn of_user() -> Result<Self, StorageError> {
        let folders = ProjectDirs::from("", "", "inkling").ok_or(StorageError::Unavailable {
            reason: "this user has no home folder".to_owned(),
            remedy: "set HOME to a folder that can be written to",
        })?;
        Ok(Self { folder: folders.data_dir().join("storage") })
    }

    pub async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StorageError> {
        match std::fs::read(self.folder.join(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed("read", name, &error)),
        }
    }

    pub async fn put(&self, name: &str, bytes: &[u8]) -> Result<(), StorageError> {
        std::fs::create_dir_all(&self.folder).and_then(|()| write_whole(&self.folder.join(name), bytes)).map_err(
            |error| match error.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                    StorageError::Full { name: name.to_owned(), bytes: bytes.len() }
                }
                _ => self.failed("write", name, &error),
            },
        )
    }

    pub async fn remove(&self, name: &str) -> Result<(), StorageError> {
        match std::fs::remove_file(self.folder.join(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(self.failed("remove", name, &error)),
            _ => Ok(()),
        }
    }

    pub async fn list(&self) -> Result<Vec<String>, StorageError> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.failed("list", "", &error)),
        };
        let files = entries.flatten().filter(|entry| entry.path().is_file());
        Ok(files.filter_map(|entry| entry.file_name().into_string().ok()).collect())
    }

    fn failed(&self, action: &'static str, name: &str, error: &std::io::Error) -> StorageError {
        StorageError::Failed {
            action,
            name: self.folder.join(name).display().to_string(),
            reason: format!("{error}; check that this user may write there"),
        }
    }
}
