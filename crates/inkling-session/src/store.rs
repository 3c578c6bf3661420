//! Where the files of a run lie: in a folder on disk, or in memory, where there is no file system.
//! Both hold the same files under the same names, and either can be had as one zip.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::archive;
use crate::atomic::{remove_folder, write_atomically, write_folder_atomically, write_through};
use crate::error::RunError;

/// The files of a run by their names, such as `checkpoints/step-000010/state.json`.
#[derive(Debug)]
pub(crate) struct Store(Kind);

#[derive(Debug)]
enum Kind {
    Disk {
        root: PathBuf,
        /// Files that grow stay open.
        open: HashMap<String, File>,
    },
    Memory(BTreeMap<String, Vec<u8>>),
}

impl Store {
    /// The files in a folder, which need not be there yet.
    pub(crate) fn disk(root: &Path) -> Self {
        Self(Kind::Disk { root: root.to_owned(), open: HashMap::new() })
    }

    /// No files, in memory.
    pub(crate) fn memory() -> Self {
        Self(Kind::Memory(BTreeMap::new()))
    }

    /// The files of a zip, in memory.
    ///
    /// # Errors
    /// When it is no zip of a run.
    pub(crate) fn of_archive(bytes: &[u8]) -> Result<Self, RunError> {
        Ok(Self(Kind::Memory(archive::unpack(bytes)?)))
    }

    /// The folder; none in memory.
    pub(crate) fn root(&self) -> Option<&Path> {
        match &self.0 {
            Kind::Disk { root, .. } => Some(root),
            Kind::Memory(_) => None,
        }
    }

    /// How messages call a file or folder; the run itself has the empty name.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        match &self.0 {
            // Joining nothing would add a slash.
            Kind::Disk { root, .. } if name.is_empty() => root.clone(),
            Kind::Disk { root, .. } => root.join(name),
            Kind::Memory(_) => PathBuf::from(if name.is_empty() { "the archive" } else { name }),
        }
    }

    /// Whether there is a file or folder of this name.
    pub(crate) fn exists(&self, name: &str) -> bool {
        match &self.0 {
            Kind::Disk { root, .. } => root.join(name).exists(),
            Kind::Memory(files) => files.contains_key(name) || !children(files, name).is_empty(),
        }
    }

    /// The bytes of a file; none where there is no such file.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, RunError> {
        match &self.0 {
            Kind::Memory(files) => Ok(files.get(name).cloned()),
            Kind::Disk { root, .. } => {
                let path = root.join(name);
                match fs::read(&path) {
                    Ok(bytes) => Ok(Some(bytes)),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(RunError::io("read", &path)(error)),
                }
            }
        }
    }

    /// The bytes of a file that must be there.
    pub(crate) fn require(&self, name: &str) -> Result<Vec<u8>, RunError> {
        let missing = || RunError::io("read", &self.path(name))(std::io::ErrorKind::NotFound.into());
        self.read(name)?.ok_or_else(missing)
    }

    /// Replaces a file, whole or not at all.
    pub(crate) fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), RunError> {
        match &mut self.0 {
            Kind::Memory(files) => {
                files.insert(name.to_owned(), bytes.to_vec());
                Ok(())
            }
            Kind::Disk { root, open } => {
                open.remove(name);
                write_atomically(&root.join(name), bytes)
            }
        }
    }

    /// Adds to the end of a file, which is made where missing; what was written of bytes that do not
    /// fit is taken back.
    pub(crate) fn append(&mut self, name: &str, bytes: &[u8]) -> Result<(), RunError> {
        match &mut self.0 {
            Kind::Memory(files) => {
                files.entry(name.to_owned()).or_default().extend_from_slice(bytes);
                Ok(())
            }
            Kind::Disk { root, open } => {
                let path = root.join(name);
                let file = match open.entry(name.to_owned()) {
                    std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
                    std::collections::hash_map::Entry::Vacant(entry) => {
                        let file = OpenOptions::new().create(true).append(true).open(&path);
                        entry.insert(file.map_err(RunError::io("open", &path))?)
                    }
                };
                let length = file.metadata().map(|metadata| metadata.len());
                file.write_all(bytes).map_err(|error| {
                    if let Ok(length) = length {
                        let _ = file.set_len(length);
                    }
                    RunError::io("write", &path)(error)
                })
            }
        }
    }

    /// Waits until what was added to a file is on the disk.
    pub(crate) fn sync(&self, name: &str) -> Result<(), RunError> {
        match &self.0 {
            Kind::Disk { root, open } => match open.get(name) {
                Some(file) => file.sync_data().map_err(RunError::io("write", &root.join(name))),
                None => Ok(()),
            },
            Kind::Memory(_) => Ok(()),
        }
    }

    /// Makes a folder where it is missing.
    pub(crate) fn make_folder(&self, name: &str) -> Result<(), RunError> {
        match &self.0 {
            Kind::Disk { root, .. } => {
                let path = root.join(name);
                fs::create_dir_all(&path).map_err(RunError::io("create", &path))
            }
            // A folder is there with its first file.
            Kind::Memory(_) => Ok(()),
        }
    }

    /// The names of the files and folders in a folder, sorted; none where there is no such folder.
    pub(crate) fn list(&self, folder: &str) -> Vec<String> {
        match &self.0 {
            Kind::Memory(files) => children(files, folder),
            Kind::Disk { root, .. } => {
                let entries = fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
                let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
                names.sort();
                names
            }
        }
    }

    /// Replaces a folder with these files, whole or not at all.
    pub(crate) fn write_folder(&mut self, folder: &str, contents: &[(&str, Vec<u8>)]) -> Result<(), RunError> {
        match &mut self.0 {
            Kind::Memory(files) => {
                let inside = format!("{folder}/");
                files.retain(|name, _| !name.starts_with(&inside));
                files.extend(contents.iter().map(|(name, bytes)| (format!("{inside}{name}"), bytes.clone())));
                Ok(())
            }
            Kind::Disk { root, .. } => write_folder_atomically(&root.join(folder), |partial| {
                contents.iter().try_for_each(|(name, bytes)| write_through(&partial.join(name), bytes))
            }),
        }
    }

    /// Removes a folder so that a half-removed one is never taken for a whole one.
    pub(crate) fn remove_folder(&mut self, folder: &str) -> Result<(), RunError> {
        match &mut self.0 {
            Kind::Memory(files) => {
                let inside = format!("{folder}/");
                files.retain(|name, _| !name.starts_with(&inside));
                Ok(())
            }
            Kind::Disk { root, .. } => remove_folder(&root.join(folder)),
        }
    }

    /// All files as one zip.
    pub(crate) fn archive(&self) -> Result<Vec<u8>, RunError> {
        match &self.0 {
            Kind::Memory(files) => archive::pack(files),
            Kind::Disk { root, .. } => {
                let mut files = BTreeMap::new();
                collect(root, "", &mut files)?;
                archive::pack(&files)
            }
        }
    }
}

/// The first parts of the names below a folder.
fn children(files: &BTreeMap<String, Vec<u8>>, folder: &str) -> Vec<String> {
    let inside = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let mut names: Vec<String> = files
        .keys()
        .filter_map(|name| name.strip_prefix(&inside))
        .map(|rest| rest.split('/').next().unwrap_or(rest).to_owned())
        .collect();
    // The names are sorted, so equal ones are neighbours.
    names.dedup();
    names
}

/// Reads all files below a folder but hidden ones: locks and what is half-written.
fn collect(root: &Path, folder: &str, files: &mut BTreeMap<String, Vec<u8>>) -> Result<(), RunError> {
    let path = root.join(folder);
    for entry in fs::read_dir(&path).map_err(RunError::io("read", &path))? {
        let entry = entry.map_err(RunError::io("read", &path))?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name.starts_with('.') {
            continue;
        }
        let inside = if folder.is_empty() { name } else { format!("{folder}/{name}") };
        let path = entry.path();
        if path.is_dir() {
            collect(root, &inside, files)?;
        } else {
            files.insert(inside, fs::read(&path).map_err(RunError::io("read", &path))?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same calls on both kinds leave the same files.
    fn exercise(store: &mut Store) -> BTreeMap<String, Vec<u8>> {
        store.write("log.csv", b"a\n").unwrap();
        store.append("log.csv", b"b\n").unwrap();
        store.append("log.csv", b"c\n").unwrap();
        store.sync("log.csv").unwrap();
        store.make_folder("deep").unwrap();
        for step in ["deep/one", "deep/two", "deep/two"] {
            store.write_folder(step, &[("x", step.as_bytes().to_vec()), ("y", vec![])]).unwrap();
        }
        assert_eq!(store.list("deep"), ["one", "two"]);
        assert_eq!(store.list("none"), [""; 0]);
        store.remove_folder("deep/one").unwrap();
        assert!(!store.exists("deep/one") && store.exists("deep/two") && store.exists("deep/two/x"));
        assert_eq!(store.read("deep/two/z").unwrap(), None);
        assert!(store.require("deep/two/z").unwrap_err().to_string().contains("two/z"));
        // A file that was replaced goes on from its new end.
        store.write("log.csv", b"d\n").unwrap();
        store.append("log.csv", b"e\n").unwrap();
        archive::unpack(&store.archive().unwrap()).unwrap()
    }

    #[test]
    fn a_folder_and_memory_are_one() {
        let folder = tempfile::tempdir().unwrap();
        let (mut disk, mut memory) = (Store::disk(folder.path()), Store::memory());
        let files = exercise(&mut memory);
        assert_eq!(exercise(&mut disk), files);
        assert_eq!(files["log.csv"], b"d\ne\n");
        assert_eq!(files.keys().collect::<Vec<_>>(), ["deep/two/x", "deep/two/y", "log.csv"]);
        assert_eq!((disk.root(), memory.root()), (Some(folder.path()), None));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_an_error_with_a_remedy() {
        let text = Store::disk(Path::new("/dev")).append("full", b"row\n").unwrap_err().to_string();
        assert!(text.contains("/dev/full") && text.contains("free some space"), "{text}");
    }
}
