//! The binary form of CIFAR-100: `train.bin` and `test.bin`, alone or in the official archive. A
//! record is a superclass byte, a class byte and 3×32×32 bytes of pixels; nothing stands between.

#[cfg(not(target_arch = "wasm32"))]
use std::io::BufReader;
use std::io::{ErrorKind, Read};
#[cfg(not(target_arch = "wasm32"))]
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use super::classes::Fine;
use crate::{DataError, Pixels};

/// Columns and rows of an image.
pub(super) const SIDE: u32 = 32;
const PIXEL_BYTES: usize = 3 * 32 * 32;
const RECORD_BYTES: usize = 2 + PIXEL_BYTES;
/// CIFAR-100 has 60,000 images; an endless stream ends here.
const MAX_RECORDS: usize = 240_000;
/// What may stand in the archive besides the two files: names of classes, padding.
const MAX_OTHER_BYTES: u64 = 64 << 20;

#[cfg(not(target_arch = "wasm32"))]
const ARCHIVE: &str = "cifar-100-binary.tar.gz";
const FILES: [&str; 2] = ["train.bin", "test.bin"];
const REMEDY: &str = "fetch it again with `inkling data fetch cifar-100`";

/// The images of each class, those of `train.bin` before those of `test.bin`.
pub(super) struct Images(pub(super) Vec<Vec<Pixels>>);

/// Reads the archive at `path`, or in it, or the two files unpacked from it there; a folder is
/// looked through one level deep.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn open(path: &Path, classes: &[Fine]) -> Result<Images, DataError> {
    let file = |path: &Path| std::fs::File::open(path).map_err(|source| crate::store::io_error("open", path, source));
    match find(path)? {
        Place::Archive(archive) => {
            read_archive(BufReader::new(file(&archive)?), &archive.display().to_string(), classes)
        }
        Place::Folder(folder) => {
            let mut halves = Vec::new();
            for name in FILES {
                let path = folder.join(name);
                halves.push(read_records(BufReader::new(file(&path)?), &path.display().to_string(), classes)?);
            }
            Ok(joined(halves))
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
enum Place {
    Archive(PathBuf),
    Folder(PathBuf),
}

#[cfg(not(target_arch = "wasm32"))]
fn find(path: &Path) -> Result<Place, DataError> {
    let metadata = std::fs::metadata(path).map_err(|source| crate::store::io_error("open", path, source))?;
    if !metadata.is_dir() {
        return Ok(Place::Archive(path.to_owned()));
    }
    let entries = std::fs::read_dir(path).map_err(|source| crate::store::io_error("list", path, source))?;
    let mut folders = vec![path.to_owned()];
    folders.extend(entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).filter(|path| path.is_dir()));
    folders[1..].sort_unstable();
    for folder in folders {
        // The archive comes first: the files beside it may be what an interrupted unpacking left.
        if folder.join(ARCHIVE).is_file() {
            return Ok(Place::Archive(folder.join(ARCHIVE)));
        }
        if FILES.iter().all(|name| folder.join(name).is_file()) {
            return Ok(Place::Folder(folder));
        }
    }
    Err(DataError::Missing {
        path: path.display().to_string(),
        wanted: format!("{ARCHIVE} and no train.bin with a test.bin"),
        remedy: "fetch it there with `inkling data fetch cifar-100 --out FOLDER` or give the folder that holds it"
            .to_owned(),
    })
}

/// Reads the official archive as it streams by; nothing of it is held but the pixels.
pub(super) fn read_archive(reader: impl Read, name: &str, classes: &[Fine]) -> Result<Images, DataError> {
    let limit = (MAX_RECORDS * RECORD_BYTES) as u64 * 2 + MAX_OTHER_BYTES;
    let mut archive = tar::Archive::new(GzDecoder::new(reader).take(limit));
    let refuse = |error: std::io::Error| DataError::unusable(name, broken(&error));
    let mut halves: [Option<Vec<Record>>; 2] = [None, None];
    let mut is_python_version = false;
    for entry in archive.entries().map_err(refuse)? {
        let entry = entry.map_err(refuse)?;
        let path = entry.path().map_err(refuse)?.into_owned();
        is_python_version |= path.starts_with("cifar-100-python");
        let Some(half) = FILES.iter().position(|file| path.file_name().is_some_and(|name| name == *file)) else {
            continue;
        };
        let entry_name = format!("{name}: {}", path.display());
        if halves[half].is_some() {
            return Err(DataError::unusable(&entry_name, format!("the archive holds it twice; {REMEDY}")));
        }
        halves[half] = Some(read_records(entry, &entry_name, classes)?);
    }
    // The checksum stands behind the last byte.
    std::io::copy(&mut archive.into_inner(), &mut std::io::sink()).map_err(refuse)?;
    let [Some(train), Some(test)] = halves else {
        let reason = if is_python_version {
            "it is the Python version, whose files are pickles that can run code; fetch the binary version with \
             `inkling data fetch cifar-100`"
                .to_owned()
        } else {
            format!("it holds no train.bin with a test.bin; {REMEDY}")
        };
        return Err(DataError::unusable(name, reason));
    };
    Ok(joined([train, test]))
}

fn broken(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::UnexpectedEof => format!("it is truncated; {REMEDY}"),
        _ => format!("it is damaged or no tar.gz archive ({error}); {REMEDY}"),
    }
}

struct Record {
    class: u8,
    pixels: Pixels,
}

/// Reads records to the end; their labels must be those of CIFAR-100.
fn read_records(mut reader: impl Read, name: &str, classes: &[Fine]) -> Result<Vec<Record>, DataError> {
    let mut records = Vec::new();
    let mut buffer = [0; RECORD_BYTES];
    loop {
        let refuse = |reason: String| Err(DataError::unusable(name, reason));
        match fill(&mut reader, &mut buffer) {
            Ok(0) => return Ok(records),
            Ok(RECORD_BYTES) => {}
            Ok(rest) => {
                return refuse(format!(
                    "it ends {rest} bytes into record {} of {RECORD_BYTES} bytes: truncated, or no CIFAR-100; {REMEDY}",
                    records.len()
                ));
            }
            Err(error) => return refuse(broken(&error)),
        }
        let [coarse, class, pixels @ ..] = &buffer;
        if classes.get(usize::from(*class)).is_none_or(|fine| fine.coarse != *coarse) {
            return refuse(format!(
                "record {} has the labels {coarse} and {class}, which no image of CIFAR-100 has; {REMEDY}",
                records.len()
            ));
        }
        if records.len() == MAX_RECORDS {
            return refuse(format!("it has over {MAX_RECORDS} records, CIFAR-100 has 60,000; {REMEDY}"));
        }
        records.push(Record { class: *class, pixels: pixels.as_slice().into() });
    }
}

/// Reads until the buffer is full or the stream ends; returns the bytes read.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn joined(halves: impl IntoIterator<Item = Vec<Record>>) -> Images {
    let mut images = vec![Vec::new(); 100];
    for record in halves.into_iter().flatten() {
        if let Some(class) = images.get_mut(usize::from(record.class)) {
            class.push(record.pixels);
        }
    }
    Images(images)
}
