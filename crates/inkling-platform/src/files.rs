//! Files that people pick, drop and save: paths natively, handles in a browser, the same to whoever
//! reads them. A dialog never holds up a frame; what comes of it is a [`Pending`] answer.

#[cfg(target_arch = "wasm32")]
mod browser;
#[cfg(not(target_arch = "wasm32"))]
mod native;

use std::path::Path;
use std::sync::Arc;

use crate::Pending;

#[cfg(target_arch = "wasm32")]
use browser as target;
#[cfg(not(target_arch = "wasm32"))]
use native as target;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use native::write_whole;

/// The kind of files that a dialog offers, or that are looked for in a folder.
#[derive(Clone, Copy, Debug)]
pub struct FileFilter {
    /// What a dialog calls them: "Images".
    pub name: &'static str,
    /// The ends of their names in lower case and without the dot; none stands for every file.
    pub extensions: &'static [&'static str],
}

impl FileFilter {
    /// Whether a file of this name is one of them; capitals do not matter.
    pub fn admits(&self, name: &str) -> bool {
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        self.extensions.is_empty() || self.extensions.iter().any(|known| known.eq_ignore_ascii_case(extension))
    }
}

/// Why files could not be picked, read or saved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// The file is there no more, or must not be read.
    #[error("cannot read {name}: {reason}; pick it again, or another one")]
    Read {
        /// The file's name or path.
        name: String,
        /// What the system says.
        reason: String,
    },
    /// The file cannot be written.
    #[error("cannot save {name}: {reason}; choose another folder, or free some space")]
    Write {
        /// The file's name or path.
        name: String,
        /// What the system says.
        reason: String,
    },
    /// This system has nothing that shows a file dialog.
    #[error(
        "this desktop has no file dialog; install zenity or xdg-desktop-portal, or drop the files \
         onto the window"
    )]
    NoDialog,
    /// A browser gives no access to folders of the disk.
    #[error("a browser gives no access to folders; use the desktop program for folders on the disk")]
    NoFolders,
    /// The browser refused to open its dialog.
    #[error("the browser opened no file dialog ({reason}); drop the files onto the page")]
    Refused {
        /// What the browser says.
        reason: String,
    },
}

/// A file that somebody picked or dropped. It is read when asked for, so that a thousand photos do
/// not fill the memory.
#[derive(Clone, Debug)]
pub struct PickedFile {
    /// With `/` between the folders; just the name for a file that was not found in a folder.
    relative_path: String,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    Bytes(Arc<[u8]>),
    Device(target::Handle),
}

impl PickedFile {
    /// A file whose bytes are at hand: pasted, generated, or out of an archive.
    pub fn from_bytes(name: impl Into<String>, bytes: impl Into<Arc<[u8]>>) -> Self {
        Self { relative_path: name.into(), source: Source::Bytes(bytes.into()) }
    }

    /// The file's name without folders.
    pub fn name(&self) -> &str {
        self.relative_path.rsplit_once('/').map_or(&*self.relative_path, |(_, name)| name)
    }

    /// The name of the folder that the file was found in, when a folder was picked or dropped.
    pub fn folder(&self) -> Option<&str> {
        let (folders, _) = self.relative_path.rsplit_once('/')?;
        Some(folders.rsplit_once('/').map_or(folders, |(_, folder)| folder))
    }

    /// From the picked or dropped folder down to the file, with `/` between: `pets/cats/1.png`.
    pub fn relative_path(&self) -> &str {
        &self.relative_path
    }

    /// Where the file lies on the disk; nothing in a browser.
    pub fn path(&self) -> Option<&Path> {
        match &self.source {
            Source::Bytes(_) => None,
            Source::Device(handle) => handle.path(),
        }
    }

    /// All bytes of the file.
    ///
    /// # Errors
    /// When the file has gone, or must not be read.
    pub async fn read(&self) -> Result<Arc<[u8]>, FileError> {
        match &self.source {
            Source::Bytes(bytes) => Ok(bytes.clone()),
            Source::Device(handle) => {
                handle.read().await.map_err(|reason| FileError::Read { name: self.relative_path.clone(), reason })
            }
        }
    }
}

/// Asks for one or more files; an empty list when the dialog was closed. Call it where a click or a
/// key is handled: browsers refuse dialogs that nobody asked for.
///
/// # Errors
/// The answer is an error when there is no dialog to open.
pub fn pick_files(filter: FileFilter) -> Pending<Result<Vec<PickedFile>, FileError>> {
    target::pick_files(filter)
}

/// Asks for a folder and lists the files in it and below, sorted; an empty list when the dialog was
/// closed.
///
/// # Errors
/// The answer is an error when there is no dialog to open, or the folder must not be read.
pub fn pick_files_of_folder(filter: FileFilter) -> Pending<Result<Vec<PickedFile>, FileError>> {
    target::pick_files_of_folder(filter)
}

/// Asks for a folder of the disk, to read from or to write to; nothing when the dialog was closed.
///
/// # Errors
/// The answer is an error when there is no dialog to open, and always in a browser.
pub fn pick_folder() -> Pending<Result<Option<std::path::PathBuf>, FileError>> {
    target::pick_folder()
}

/// Replaces each folder among dropped files by the files in it and below, sorted; other files stay
/// where the filter admits them. In a browser, folders come as files already.
///
/// # Errors
/// The answer is an error when a folder must not be read.
pub fn open_folders(files: Vec<PickedFile>, filter: FileFilter) -> Pending<Result<Vec<PickedFile>, FileError>> {
    Pending::start(async move || {
        let mut found = Vec::new();
        for file in files {
            target::open_folder(file, &filter, &mut found)?;
        }
        Ok(found)
    })
}

/// Asks where to save `bytes` and writes them whole or not at all; a browser downloads them under
/// `name`. The answer says where they went: nothing when the dialog was closed.
///
/// # Errors
/// The answer is an error when there is no dialog to open, or the file cannot be written.
pub fn save_file(name: &str, bytes: Vec<u8>) -> Pending<Result<Option<String>, FileError>> {
    target::save_file(name, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_folders_are_parts_of_the_relative_path() {
        let parts = |path: &str| {
            let file = PickedFile::from_bytes(path, *b"x");
            (file.name().to_owned(), file.folder().map(str::to_owned))
        };
        assert_eq!(parts("a.png"), ("a.png".into(), None));
        assert_eq!(parts("cats/a.png"), ("a.png".into(), Some("cats".into())));
        assert_eq!(parts("pets/cats/a.png"), ("a.png".into(), Some("cats".into())));
    }

    #[test]
    fn filters_look_at_the_end_of_a_name() {
        let images = FileFilter { name: "Images", extensions: &["png", "jpg"] };
        assert!(images.admits("a.PNG") && images.admits("b.c.jpg"));
        assert!(!images.admits("png") && !images.admits("a.png.txt") && !images.admits(""));
        assert!(FileFilter { name: "All", extensions: &[] }.admits("anything"));
    }

    #[test]
    fn bytes_at_hand_are_read_as_they_are() {
        let file = PickedFile::from_bytes("a", vec![1, 2]);
        assert_eq!(&*pollster::block_on(file.read()).unwrap(), [1, 2]);
        assert_eq!(file.path(), None);
    }
}
