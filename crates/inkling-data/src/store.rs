//! Where files come from: a folder, a zip archive on disk, or bytes in memory. A store lists its
//! files once, in sorted order, and then reads any of them; it unpacks nothing to disk.

use std::collections::BTreeSet;
use std::io::{Cursor, Read, Seek};
#[cfg(not(target_arch = "wasm32"))]
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use zip::ZipArchive;

use crate::DataError;

/// The most files of a store.
const MAX_ENTRIES: usize = 4_000_000;
/// Folders below this depth are not entered: real data sets are shallower, symlink loops are not.
#[cfg(not(target_arch = "wasm32"))]
const MAX_DEPTH: usize = 8;

/// One file of a store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    /// The path inside the store, its parts from the outside in, the file's name last.
    pub(crate) parts: Vec<String>,
    /// What [`Store::read`] takes.
    key: Key,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    #[cfg(not(target_arch = "wasm32"))]
    Path(PathBuf),
    Number(usize),
}

impl Entry {
    /// The last part of the path.
    pub(crate) fn file_name(&self) -> &str {
        self.parts.last().map_or("", String::as_str)
    }
}

/// What a store holds: its files in sorted order, and every folder, empty ones too.
#[derive(Default)]
pub(crate) struct Listing {
    pub(crate) files: Vec<Entry>,
    pub(crate) folders: BTreeSet<Vec<String>>,
}

/// A folder or an archive, open for reading.
pub(crate) struct Store {
    name: String,
    kind: Kind,
}

enum Kind {
    #[cfg(not(target_arch = "wasm32"))]
    Folder(PathBuf),
    /// Paths with their bytes.
    Files(Vec<(String, Vec<u8>)>),
    // A lock because reading moves the archive's one file position.
    Archive(Box<Mutex<ZipArchive<Box<dyn ReadSeek>>>>),
}

/// What archives are read from.
pub(crate) trait ReadSeek: Read + Seek + Send {}
impl<T: Read + Seek + Send> ReadSeek for T {}

impl Store {
    /// Opens a folder, or a zip archive when `path` is a file.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn open(path: &Path) -> Result<Self, DataError> {
        let name = path.display().to_string();
        let metadata = std::fs::metadata(path).map_err(|source| io_error("open", path, source))?;
        if metadata.is_dir() {
            return Ok(Store { name, kind: Kind::Folder(path.to_owned()) });
        }
        let file = std::fs::File::open(path).map_err(|source| io_error("open", path, source))?;
        Self::archive(name, Box::new(std::io::BufReader::new(file)))
    }

    /// Opens a zip archive in memory; `name` stands for it in errors.
    pub(crate) fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<Self, DataError> {
        Self::archive(name.to_owned(), Box::new(Cursor::new(bytes)))
    }

    /// Files in memory by their paths; `name` stands for them in errors.
    pub(crate) fn from_files(name: &str, files: Vec<(String, Vec<u8>)>) -> Result<Self, DataError> {
        check_entries(name, files.len())?;
        Ok(Store { name: name.to_owned(), kind: Kind::Files(files) })
    }

    fn archive(name: String, reader: Box<dyn ReadSeek>) -> Result<Self, DataError> {
        let archive = ZipArchive::new(reader).map_err(|error| DataError::archive(&name, error))?;
        check_entries(&name, archive.len())?;
        Ok(Store { name, kind: Kind::Archive(Box::new(Mutex::new(archive))) })
    }

    /// The folder or archive, as it appears in errors.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The name of one entry for messages.
    pub(crate) fn entry_name(&self, entry: &Entry) -> String {
        match &entry.key {
            #[cfg(not(target_arch = "wasm32"))]
            Key::Path(path) => path.display().to_string(),
            Key::Number(_) => format!("{}: {}", self.name, entry.parts.join("/")),
        }
    }

    /// The path of an entry on disk; none inside an archive.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn entry_path(&self, entry: &Entry) -> Option<PathBuf> {
        match &entry.key {
            Key::Path(path) => Some(path.clone()),
            Key::Number(_) => None,
        }
    }

    /// All files and folders but hidden ones.
    pub(crate) fn list(&self) -> Result<Listing, DataError> {
        let mut listing = Listing::default();
        match &self.kind {
            #[cfg(not(target_arch = "wasm32"))]
            Kind::Folder(root) => walk(root, &mut Vec::new(), &mut listing)?,
            Kind::Files(files) => {
                for (number, (path, _)) in files.iter().enumerate() {
                    add_archive_entry(path, number, &mut listing);
                }
            }
            Kind::Archive(archive) => {
                let archive = archive.lock().unwrap_or_else(PoisonError::into_inner);
                for number in 0..archive.len() {
                    if let Some(path) = archive.name_for_index(number) {
                        let path = path.map_err(|error| DataError::archive(&self.name, error))?;
                        add_archive_entry(&path, number, &mut listing);
                    }
                }
            }
        }
        listing.files.sort_unstable();
        Ok(listing)
    }

    /// The bytes of one file.
    ///
    /// # Errors
    /// `DataError::FileTooLarge` when it has more than `limit_bytes`, whatever its header declares;
    /// `DataError::Io` or `DataError::Archive` when it cannot be read or fails its checksum.
    pub(crate) fn read(&self, entry: &Entry, limit_bytes: u64) -> Result<Vec<u8>, DataError> {
        match (&self.kind, &entry.key) {
            #[cfg(not(target_arch = "wasm32"))]
            (_, Key::Path(path)) => read_file(path, limit_bytes),
            (Kind::Archive(archive), Key::Number(number)) => {
                let name = self.entry_name(entry);
                let mut archive = archive.lock().unwrap_or_else(PoisonError::into_inner);
                let file = archive.by_index(*number).map_err(|error| DataError::archive(&name, error))?;
                let declared = file.size();
                read_limited(file, declared, limit_bytes, &name)?.map_err(|error| DataError::archive(&name, error))
            }
            (Kind::Files(files), Key::Number(number)) => match files.get(*number) {
                Some((_, bytes)) => {
                    read_limited(bytes.as_slice(), bytes.len() as u64, limit_bytes, &self.entry_name(entry))?
                        .map_err(|error| DataError::archive(&self.name, error))
                }
                None => Err(DataError::archive(&self.name, "the entry belongs to another source")),
            },
            #[cfg(not(target_arch = "wasm32"))]
            (Kind::Folder(_), Key::Number(_)) => {
                Err(DataError::archive(&self.name, "the entry belongs to another source"))
            }
        }
    }
}

/// The whole of a file on disk, within a limit.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn read_file(path: &Path, limit_bytes: u64) -> Result<Vec<u8>, DataError> {
    let file = std::fs::File::open(path).map_err(|source| io_error("read", path, source))?;
    let metadata = file.metadata().map_err(|source| io_error("read", path, source))?;
    read_limited(file, metadata.len(), limit_bytes, &path.display().to_string())?
        .map_err(|source| io_error("read", path, source))
}

/// Reads to the end unless that is beyond the limit; a declared size is only a first check.
fn read_limited(
    reader: impl Read,
    declared: u64,
    limit_bytes: u64,
    name: &str,
) -> Result<std::io::Result<Vec<u8>>, DataError> {
    let too_large = |bytes| DataError::FileTooLarge { name: name.to_owned(), bytes, limit_bytes };
    if declared > limit_bytes {
        return Err(too_large(declared));
    }
    let mut bytes = Vec::new();
    match reader.take(limit_bytes + 1).read_to_end(&mut bytes) {
        Err(error) => Ok(Err(error)),
        Ok(_) if bytes.len() as u64 > limit_bytes => Err(too_large(bytes.len() as u64)),
        Ok(_) => Ok(Ok(bytes)),
    }
}

fn check_entries(name: &str, entries: usize) -> Result<(), DataError> {
    if entries <= MAX_ENTRIES {
        return Ok(());
    }
    Err(DataError::TooManyEntries { name: name.to_owned(), entries, limit: MAX_ENTRIES })
}

/// Files that operating systems leave behind, and names that would point outside an archive.
fn is_hidden(part: &str) -> bool {
    part.starts_with('.') || part == "__MACOSX"
}

fn add_archive_entry(path: &str, number: usize, listing: &mut Listing) {
    let is_folder = path.ends_with(['/', '\\']);
    let parts: Vec<String> = path.split(['/', '\\']).filter(|part| !part.is_empty()).map(str::to_owned).collect();
    if parts.is_empty() || parts.iter().any(|part| is_hidden(part)) {
        return;
    }
    let folder_depth = if is_folder { parts.len() } else { parts.len() - 1 };
    // Parents are inserted from the inside out; a known one has known parents.
    for depth in (1..=folder_depth).rev() {
        if !listing.folders.insert(parts[..depth].to_vec()) {
            break;
        }
    }
    if !is_folder {
        listing.files.push(Entry { parts, key: Key::Number(number) });
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn walk(folder: &Path, parts: &mut Vec<String>, listing: &mut Listing) -> Result<(), DataError> {
    let entries = std::fs::read_dir(folder).map_err(|source| io_error("list", folder, source))?;
    for entry in entries {
        let entry = entry.map_err(|source| io_error("list", folder, source))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_hidden(&name) {
            continue;
        }
        let path = entry.path();
        // Follows links, as data sets are often trees of them; a dangling one is skipped.
        let Ok(metadata) = std::fs::metadata(&path) else { continue };
        parts.push(name);
        if metadata.is_dir() && parts.len() <= MAX_DEPTH {
            listing.folders.insert(parts.clone());
            walk(&path, parts, listing)?;
        } else if metadata.is_file() {
            listing.files.push(Entry { parts: parts.clone(), key: Key::Path(path) });
        }
        parts.pop();
        check_entries(&folder.display().to_string(), listing.files.len())?;
    }
    Ok(())
}

#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn io_error(action: &'static str, path: &Path, source: std::io::Error) -> DataError {
    DataError::Io { action, path: path.display().to_string(), source }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::io::Write;
    use zip::write::SimpleFileOptions;

    /// A zip archive of the given files; names that end in a slash are folders.
    pub(crate) fn zip_of(files: &[(String, Vec<u8>)]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        for (name, bytes) in files {
            if name.ends_with('/') {
                writer.add_directory(name.as_str(), options).unwrap();
            } else {
                writer.start_file(name.as_str(), options).unwrap();
                writer.write_all(bytes).unwrap();
            }
        }
        writer.finish().unwrap().into_inner()
    }

    fn sample() -> Vec<(String, Vec<u8>)> {
        let files: [(&str, &[u8]); 5] = [
            ("top/b/2.png", b"two"),
            ("top/a/1.png", b"one"),
            ("top/.hidden/x", b""),
            ("__MACOSX/top/a/1.png", b""),
            ("top/empty/", b""),
        ];
        files.map(|(name, bytes)| (name.to_owned(), bytes.to_vec())).to_vec()
    }

    fn names(listing: &Listing) -> (Vec<String>, Vec<String>) {
        (
            listing.files.iter().map(|entry| entry.parts.join("/")).collect(),
            listing.folders.iter().map(|parts| parts.join("/")).collect(),
        )
    }

    #[test]
    fn folder_and_archive_list_and_read_alike() {
        let archive = Store::from_bytes("x.zip", zip_of(&sample())).unwrap();
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in sample() {
            let path = folder.path().join(&name);
            if name.ends_with('/') {
                std::fs::create_dir_all(&path).unwrap();
            } else {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(&path, bytes).unwrap();
            }
        }
        let folder = Store::open(folder.path()).map(|store| (store, folder)).unwrap();
        let (in_archive, in_folder) = (archive.list().unwrap(), folder.0.list().unwrap());
        assert_eq!(names(&in_archive), names(&in_folder));
        assert_eq!(names(&in_archive).0, ["top/a/1.png", "top/b/2.png"]);
        assert_eq!(names(&in_archive).1, ["top", "top/a", "top/b", "top/empty"]);
        assert_eq!(archive.read(&in_archive.files[1], 3).unwrap(), b"two");
        assert_eq!(folder.0.read(&in_folder.files[1], 3).unwrap(), b"two");
        for error in
            [archive.read(&in_archive.files[1], 2).unwrap_err(), folder.0.read(&in_folder.files[1], 2).unwrap_err()]
        {
            assert!(matches!(error, DataError::FileTooLarge { bytes: 3, .. }), "{error}");
        }
    }

    #[test]
    fn a_bomb_that_lies_about_its_size_is_stopped() {
        let mut bytes = zip_of(&[("bomb.png".to_owned(), vec![0; 1 << 20])]);
        // The declared size stands 24 bytes into the central header and 22 into the local one.
        let central = bytes.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
        bytes[central + 24..central + 28].copy_from_slice(&10u32.to_le_bytes());
        bytes[22..26].copy_from_slice(&10u32.to_le_bytes());
        let store = Store::from_bytes("x.zip", bytes).unwrap();
        let entry = store.list().unwrap().files.remove(0);
        assert!(store.read(&entry, 1000).is_err());
    }
}
