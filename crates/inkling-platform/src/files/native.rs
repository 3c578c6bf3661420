//! Paths, and the dialogs of the desktop.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rfd::AsyncFileDialog;
use walkdir::WalkDir;

use super::{FileError, FileFilter, PickedFile, Source};
use crate::{Pending, Stopwatch};

/// A folder of photos has few levels; a disk dropped by mistake has many.
const DEEPEST_FOLDER: usize = 8;
/// No person closes a dialog this fast: it never opened.
const FASTEST_PERSON_SECONDS: f64 = 0.25;

pub(super) type Handle = PathHandle;

/// Where a file lies.
#[derive(Clone, Debug)]
pub(super) struct PathHandle(PathBuf);

impl PathHandle {
    #[allow(clippy::unnecessary_wraps, reason = "a browser has no paths")]
    pub fn path(&self) -> Option<&Path> {
        Some(&self.0)
    }

    pub async fn read(&self) -> Result<Arc<[u8]>, String> {
        std::fs::read(&self.0).map(Into::into).map_err(|error| error.to_string())
    }
}

impl PickedFile {
    /// The file, or dropped folder, at `path`.
    pub fn from_path(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let relative_path = last_name(&path);
        Self { relative_path, source: Source::Device(PathHandle(path)) }
    }
}

/// The last part of a path; all of it for a path such as `/` that has none.
fn last_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

pub(super) fn pick_files(filter: FileFilter) -> Pending<Result<Vec<PickedFile>, FileError>> {
    // macOS makes dialogs on the main thread only: here, not where the answer is awaited.
    let dialog = filtered(filter).pick_files();
    Pending::start(async move || {
        let picked = answer(dialog).await?.unwrap_or_default();
        Ok(picked.iter().map(|file| PickedFile::from_path(file.path())).collect())
    })
}

pub(super) fn pick_files_of_folder(filter: FileFilter) -> Pending<Result<Vec<PickedFile>, FileError>> {
    let dialog = AsyncFileDialog::new().pick_folder();
    Pending::start(async move || match answer(dialog).await? {
        Some(folder) => files_below(folder.path(), &filter),
        None => Ok(Vec::new()),
    })
}

pub(super) fn pick_folder() -> Pending<Result<Option<PathBuf>, FileError>> {
    let dialog = AsyncFileDialog::new().pick_folder();
    Pending::start(async move || Ok(answer(dialog).await?.map(|folder| folder.path().to_owned())))
}

pub(super) fn open_folder(file: PickedFile, filter: &FileFilter, found: &mut Vec<PickedFile>) -> Result<(), FileError> {
    match file.path().filter(|path| path.is_dir()) {
        Some(folder) => found.extend(files_below(folder, filter)?),
        None if filter.admits(file.name()) => found.push(file),
        None => {}
    }
    Ok(())
}

pub(super) fn save_file(name: &str, bytes: Vec<u8>) -> Pending<Result<Option<String>, FileError>> {
    let dialog = AsyncFileDialog::new().set_file_name(name).save_file();
    Pending::start(async move || {
        let Some(file) = answer(dialog).await? else { return Ok(None) };
        let shown = file.path().display().to_string();
        match write_whole(file.path(), &bytes) {
            Ok(()) => Ok(Some(shown)),
            Err(error) => Err(FileError::Write { name: shown, reason: error.to_string() }),
        }
    })
}

fn filtered(filter: FileFilter) -> AsyncFileDialog {
    let dialog = AsyncFileDialog::new();
    if filter.extensions.is_empty() {
        return dialog;
    }
    // Some dialogs compare the ends of names as they stand.
    let capitals = filter.extensions.iter().map(|extension| extension.to_uppercase());
    let extensions: Vec<String> = filter.extensions.iter().map(|&e| e.to_owned()).chain(capitals).collect();
    dialog.add_filter(filter.name, &extensions)
}

/// What the person chose. On Linux a missing dialog looks like one that was closed at once.
async fn answer<T>(dialog: impl Future<Output = Option<T>>) -> Result<Option<T>, FileError> {
    let opened = Stopwatch::start();
    let picked = dialog.await;
    let is_missing = cfg!(target_os = "linux") && picked.is_none() && opened.seconds() < FASTEST_PERSON_SECONDS;
    if is_missing { Err(FileError::NoDialog) } else { Ok(picked) }
}

/// The files that `filter` admits, sorted by path; those whose names begin with a dot stay out.
fn files_below(folder: &Path, filter: &FileFilter) -> Result<Vec<PickedFile>, FileError> {
    let root = last_name(folder);
    let is_shown = |name: &str| !name.starts_with('.');
    let mut found = Vec::new();
    let walk = WalkDir::new(folder).max_depth(DEEPEST_FOLDER).follow_links(true).sort_by_file_name();
    let entries = walk.into_iter().filter_entry(|e| e.depth() == 0 || is_shown(&e.file_name().to_string_lossy()));
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            // A link to nowhere or to a folder above is no file of this folder.
            Err(error) if error.depth() > 0 && error.io_error().is_none_or(is_missing) => continue,
            Err(error) => {
                let name = error.path().unwrap_or(folder).display().to_string();
                let reason = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
                return Err(FileError::Read { name, reason });
            }
        };
        if entry.file_type().is_file() && filter.admits(&entry.file_name().to_string_lossy()) {
            let below = entry.path().strip_prefix(folder).unwrap_or(entry.path());
            let parts = below.components().map(|part| part.as_os_str().to_string_lossy());
            let relative_path = std::iter::once(root.as_str().into()).chain(parts).collect::<Vec<_>>().join("/");
            found.push(PickedFile { relative_path, source: Source::Device(PathHandle(entry.into_path())) });
        }
    }
    Ok(found)
}

fn is_missing(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::NotFound
}

/// Replaces `path` only when all bytes are on the disk.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".inkling-").suffix(".partial").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|refused| refused.error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open_folders;

    const IMAGES: FileFilter = FileFilter { name: "Images", extensions: &["png"] };

    fn write(folder: &Path, path: &str) {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, path.to_string_lossy().as_bytes()).unwrap();
    }

    #[test]
    fn dropped_folders_become_their_files() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["pets/dogs/2.png", "pets/cats/1.PNG", "pets/notes.txt", "pets/.cache/3.png", "a.png", "b.txt"] {
            write(folder.path(), path);
        }
        let dropped = ["a.png", "pets", "b.txt"].map(|name| PickedFile::from_path(folder.path().join(name)));
        let files = pollster::block_on(open_folders(dropped.into(), IMAGES).answer()).unwrap().unwrap();
        let paths: Vec<_> = files.iter().map(PickedFile::relative_path).collect();
        assert_eq!(paths, ["a.png", "pets/cats/1.PNG", "pets/dogs/2.png"]);
        assert_eq!(files.iter().map(PickedFile::folder).collect::<Vec<_>>(), [None, Some("cats"), Some("dogs")]);
        let bytes = pollster::block_on(files[1].read()).unwrap();
        assert_eq!(&*bytes, folder.path().join("pets/cats/1.PNG").to_string_lossy().as_bytes());
    }

    #[cfg(unix)]
    #[test]
    fn links_in_circles_end() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "pets/1.png");
        std::os::unix::fs::symlink(folder.path().join("pets"), folder.path().join("pets/again")).unwrap();
        std::os::unix::fs::symlink(folder.path().join("nowhere"), folder.path().join("pets/dead.png")).unwrap();
        let files = files_below(&folder.path().join("pets"), &IMAGES).unwrap();
        assert_eq!(files.iter().map(PickedFile::relative_path).collect::<Vec<_>>(), ["pets/1.png"]);
    }

    #[test]
    fn a_file_that_has_gone_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = pollster::block_on(PickedFile::from_path(folder.path().join("gone.png")).read()).unwrap_err();
        assert!(error.to_string().contains("gone.png"), "{error}");
        assert!(files_below(&folder.path().join("gone"), &IMAGES).is_err());
    }

    #[test]
    fn a_failed_save_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write_whole(&path, b"one").unwrap();
        write_whole(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        std::fs::create_dir(folder.path().join("taken")).unwrap();
        assert!(write_whole(&folder.path().join("taken"), b"x").is_err());
        assert!(write_whole(&folder.path().join("no/folder"), b"x").is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "leftovers");
    }

    #[test]
    fn a_dialog_that_closes_at_once_never_opened() {
        let answer = pollster::block_on(answer(std::future::ready(None::<u8>)));
        assert_eq!(answer.is_err(), cfg!(target_os = "linux"));
    }
}
