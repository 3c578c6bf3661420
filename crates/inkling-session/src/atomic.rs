//! Files and folders that appear whole or not at all: everything is written under a temporary
//! name in the same folder, brought to the disk and then renamed.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::RunError;

/// The end of every temporary name; readers skip such names and a resumed run removes them.
const PARTIAL: &str = ".partial";

/// The temporary name of `path`, in the same folder.
pub(crate) fn partial_name(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}{PARTIAL}"))
}

/// Writes `bytes` to `path`, replacing what is there only when all of it is on the disk.
///
/// # Errors
/// When the system refuses; the temporary file is gone then and `path` is as it was.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), RunError> {
    // A link stays one; a device or pipe cannot be replaced, only written to.
    let followed = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if followed.exists() && !followed.is_file() && !followed.is_dir() {
        return OpenOptions::new()
            .write(true)
            .open(path)
            .and_then(|mut file| file.write_all(bytes))
            .map_err(RunError::io("write", path));
    }
    check_folder(path)?;
    let partial = partial_name(&followed);
    let written = write_partial(&partial, bytes)
        .and_then(|()| fs::rename(&partial, &followed))
        .map_err(RunError::io("write", path));
    if written.is_err() {
        // Nothing is lost when this fails too: the name says that the file is a leftover.
        let _ = fs::remove_file(&partial);
    }
    written?;
    sync_folder(path);
    Ok(())
}

/// The system says only that something does not exist; this says that it is the folder.
fn check_folder(path: &Path) -> Result<(), RunError> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.exists() => Err(RunError::NoFolder(path.to_owned())),
        _ => Ok(()),
    }
}

/// Writes a file and waits for the disk.
pub(crate) fn write_through(path: &Path, bytes: &[u8]) -> Result<(), RunError> {
    write_partial(path, bytes).map_err(RunError::io("write", path))
}

fn write_partial(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Replaces the folder `path` with what `fill` puts into an empty one.
///
/// # Errors
/// When `fill` or the system fails; `path` is as it was then.
pub(crate) fn write_folder_atomically(
    path: &Path,
    fill: impl FnOnce(&Path) -> Result<(), RunError>,
) -> Result<(), RunError> {
    let partial = partial_name(path);
    let written = replace_folder(path, &partial, fill);
    if written.is_err() {
        let _ = fs::remove_dir_all(&partial);
    }
    written?;
    sync_folder(path);
    Ok(())
}

fn replace_folder(
    path: &Path,
    partial: &Path,
    fill: impl FnOnce(&Path) -> Result<(), RunError>,
) -> Result<(), RunError> {
    if partial.exists() {
        fs::remove_dir_all(partial).map_err(RunError::io("remove", partial))?;
    }
    fs::create_dir_all(partial).map_err(RunError::io("create", partial))?;
    fill(partial)?;
    if path.exists() {
        remove_folder(path)?;
    }
    fs::rename(partial, path).map_err(RunError::io("write", path))
}

/// Removes a folder so that a half-removed one is never taken for a whole one.
pub(crate) fn remove_folder(path: &Path) -> Result<(), RunError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let doomed = path.with_file_name(format!(".{name}.removed{PARTIAL}"));
    if doomed.exists() {
        fs::remove_dir_all(&doomed).map_err(RunError::io("remove", &doomed))?;
    }
    fs::rename(path, &doomed).map_err(RunError::io("remove", path))?;
    fs::remove_dir_all(&doomed).map_err(RunError::io("remove", &doomed))
}

/// Removes what an interrupted write left in `folder`.
pub(crate) fn remove_leftovers(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') && name.ends_with(PARTIAL) {
            let path = entry.path();
            let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        }
    }
}

/// Brings a rename to the disk. Some systems cannot open folders; there it is left to them.
fn sync_folder(path: &Path) {
    if let Some(folder) = path.parent()
        && let Ok(folder) = File::open(folder)
    {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn files_are_replaced_whole_and_leave_nothing_beside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write_atomically(&path, b"one").unwrap();
        write_atomically(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn a_failed_write_leaves_the_target_and_no_leftover() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("taken");
        fs::create_dir(&target).unwrap();
        assert!(write_atomically(&target, b"x").is_err());
        assert_eq!(names(folder.path()), ["taken"]);

        let checkpoint = folder.path().join("step");
        write_folder_atomically(&checkpoint, |f| write_through(&f.join("a"), b"1")).unwrap();
        let failed = write_folder_atomically(&checkpoint, |f| {
            write_through(&f.join("a"), b"2")?;
            write_through(&f.join("no/such/folder"), b"")
        });
        assert!(failed.is_err());
        assert_eq!(fs::read(checkpoint.join("a")).unwrap(), b"1");
        assert_eq!(names(folder.path()), ["step", "taken"]);
    }

    #[test]
    fn messages_name_the_path_and_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, b"").unwrap();
        let text = write_atomically(&file.join("x"), b"").unwrap_err().to_string();
        assert!(text.contains("file/") && text.contains("where a folder is needed"), "{text}");
        let full = RunError::io("write", &file)(std::io::ErrorKind::StorageFull.into()).to_string();
        assert!(full.contains("free some space"), "{full}");
    }
}
