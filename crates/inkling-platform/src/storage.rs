//! Named bytes that outlive the program: files in the user's data folder natively, a database of
//! the origin in a browser. What they mean is left to those who store them.

#[cfg(target_arch = "wasm32")]
mod browser;
#[cfg(not(target_arch = "wasm32"))]
mod native;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[cfg(target_arch = "wasm32")]
use browser::Place;
#[cfg(not(target_arch = "wasm32"))]
use native::Place;

const LONGEST_NAME: usize = 100;

/// Why bytes could not be kept or found again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// Neither files nor databases take every name.
    #[error(
        "{name:?} cannot name stored bytes: use a letter or digit, then up to 99 of a-z, 0-9, '.', \
         '_' and '-'"
    )]
    Name {
        /// The refused name.
        name: String,
    },
    /// The system has no place for data of this user.
    #[error("there is no place to keep data ({reason}); {remedy}")]
    Unavailable {
        /// What the system says.
        reason: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// A read, write or removal failed.
    #[error("cannot {action} the stored {name}: {reason}")]
    Failed {
        /// "read", "write", "remove" or "list".
        action: &'static str,
        /// Which bytes, or the folder.
        name: String,
        /// What the system says.
        reason: String,
    },
    /// No space is left for the bytes.
    #[error("no space is left to keep {name} ({bytes} bytes); delete some images or free some space, then save a copy")]
    Full {
        /// Which bytes.
        name: String,
        /// Their count.
        bytes: usize,
    },
}

/// A store of named bytes; copies of it share what they hold.
///
/// Names are lower-case letters, digits, `.`, `_` and `-`, so that every file system tells them apart.
#[derive(Clone, Debug)]
pub struct Storage {
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Memory(Arc<Mutex<BTreeMap<String, Vec<u8>>>>),
    Device(Place),
}

impl Storage {
    /// The store of this user on this device.
    ///
    /// # Errors
    /// When the system names no place for it.
    pub fn of_user() -> Result<Self, StorageError> {
        Ok(Self { kind: Kind::Device(Place::of_user()?) })
    }

    /// A store that is forgotten with its last copy: for tests, and where nothing can be kept.
    pub fn in_memory() -> Self {
        Self { kind: Kind::Memory(Arc::default()) }
    }

    /// Whether what is put here is still there tomorrow.
    pub fn is_lasting(&self) -> bool {
        matches!(self.kind, Kind::Device(_))
    }

    /// The bytes of that name, if there are any.
    ///
    /// # Errors
    /// When the name cannot be one, or the system refuses.
    pub async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StorageError> {
        check(name)?;
        match &self.kind {
            Kind::Memory(map) => Ok(lock(map).get(name).cloned()),
            Kind::Device(place) => place.get(name).await,
        }
    }

    /// Keeps `bytes` under that name, all of them or none: what was there stays when this fails.
    ///
    /// # Errors
    /// When the name cannot be one, no space is left, or the system refuses.
    pub async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), StorageError> {
        check(name)?;
        match &self.kind {
            Kind::Memory(map) => {
                lock(map).insert(name.to_owned(), bytes);
                Ok(())
            }
            Kind::Device(place) => place.put(name, &bytes).await,
        }
    }

    /// Forgets the bytes of that name, if there are any.
    ///
    /// # Errors
    /// When the name cannot be one, or the system refuses.
    pub async fn remove(&self, name: &str) -> Result<(), StorageError> {
        check(name)?;
        match &self.kind {
            Kind::Memory(map) => {
                lock(map).remove(name);
                Ok(())
            }
            Kind::Device(place) => place.remove(name).await,
        }
    }

    /// The names of everything that is kept, sorted.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn list(&self) -> Result<Vec<String>, StorageError> {
        let mut names = match &self.kind {
            Kind::Memory(map) => lock(map).keys().cloned().collect(),
            Kind::Device(place) => place.list().await?,
        };
        names.retain(|name| check(name).is_ok());
        names.sort();
        Ok(names)
    }
}

/// Every change is one call, so a thread that panicked left the map whole.
fn lock<T>(map: &Mutex<T>) -> MutexGuard<'_, T> {
    map.lock().unwrap_or_else(PoisonError::into_inner)
}

fn check(name: &str) -> Result<(), StorageError> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_name = name.len() <= LONGEST_NAME
        && name.starts_with(is_plain)
        && name.chars().all(|c| is_plain(c) || matches!(c, '.' | '_' | '-'));
    if is_name { Ok(()) } else { Err(StorageError::Name { name: name.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pollster::block_on;

    fn keeps_and_forgets(storage: &Storage) {
        assert_eq!(block_on(storage.get("a")), Ok(None));
        block_on(storage.put("b.zip", vec![2])).unwrap();
        block_on(storage.put("a", vec![1])).unwrap();
        block_on(storage.put("a", Vec::new())).unwrap();
        let copy = storage.clone();
        assert_eq!(block_on(copy.get("a")), Ok(Some(Vec::new())));
        assert_eq!(block_on(copy.get("b.zip")), Ok(Some(vec![2])));
        assert_eq!(block_on(copy.list()), Ok(vec!["a".to_owned(), "b.zip".to_owned()]));
        block_on(copy.remove("a")).unwrap();
        block_on(copy.remove("a")).unwrap();
        assert_eq!(block_on(storage.list()), Ok(vec!["b.zip".to_owned()]));
    }

    #[test]
    fn memory_and_files_keep_and_forget_alike() {
        keeps_and_forgets(&Storage::in_memory());
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("not/there/yet");
        keeps_and_forgets(&Storage::in_folder(&place));
        let reopened = Storage::in_folder(&place);
        assert_eq!(block_on(reopened.get("b.zip")), Ok(Some(vec![2])));
        assert!(reopened.is_lasting() && !Storage::in_memory().is_lasting());
    }

    #[test]
    fn names_that_could_leave_the_folder_are_refused() {
        let storage = Storage::in_memory();
        for name in ["", ".", "..", "../a", "a/b", "a\\b", ".hidden", "A", "ä", "a b", &"x".repeat(101)] {
            let refused = Err(StorageError::Name { name: name.to_owned() });
            assert_eq!(block_on(storage.get(name)), refused.clone().map(|()| None));
            assert_eq!(block_on(storage.put(name, Vec::new())), refused);
            assert_eq!(block_on(storage.remove(name)), refused);
        }
    }

    #[test]
    fn a_refused_write_keeps_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::in_folder(folder.path());
        std::fs::create_dir(folder.path().join("taken")).unwrap();
        let error = block_on(storage.put("taken", vec![1])).unwrap_err();
        assert!(error.to_string().contains("taken"), "{error}");
        assert_eq!(block_on(storage.list()), Ok(Vec::new()));
    }
}
