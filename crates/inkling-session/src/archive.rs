//! A run as one file: a zip of its folder. What comes from outside is checked before it is believed.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};
use std::path::Path;

use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::error::RunError;

/// The most files of a run: a guard, far above what any run has.
const MOST_FILES: usize = 10_000;
/// The most bytes that an archive unpacks to: a run of the largest network has a tenth of this.
const MOST_BYTES: u64 = 1 << 30;

/// Packs files by name.
///
/// # Errors
/// When they are more than a zip holds.
pub(crate) fn pack(files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>, RunError> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let written = files.iter().try_for_each(|(name, bytes)| {
        // Weights hardly shrink, and packing them takes time that the page does not have.
        let is_text = !name.ends_with(".safetensors");
        let method = if is_text { CompressionMethod::Deflated } else { CompressionMethod::Stored };
        writer.start_file(name.as_str(), SimpleFileOptions::default().compression_method(method))?;
        Ok::<_, ZipError>(writer.write_all(bytes)?)
    });
    let packed = written.and_then(|()| writer.finish());
    packed.map(Cursor::into_inner).map_err(|error| unusable(format!("it cannot be written: {error}")))
}

/// Unpacks the files of an archive, or of the one folder in it.
///
/// # Errors
/// When it is no zip, is damaged, or unpacks to more than any run has.
pub(crate) fn unpack(bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, RunError> {
    let damaged = |error: ZipError| unusable(format!("it is no whole zip ({error}); export the run again"));
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    if archive.len() > MOST_FILES {
        return Err(unusable(format!("it holds {} files, and a run has at most {MOST_FILES}", archive.len())));
    }
    let mut files = BTreeMap::new();
    let mut left = MOST_BYTES;
    for number in 0..archive.len() {
        let mut file = archive.by_index(number).map_err(damaged)?;
        if file.is_dir() {
            continue;
        }
        let Ok(name) = file.name().map(|name| name.replace('\\', "/")) else { continue };
        let mut contents = Vec::new();
        file.by_ref().take(left + 1).read_to_end(&mut contents).map_err(|error| damaged(error.into()))?;
        left = left
            .checked_sub(contents.len() as u64)
            .ok_or_else(|| unusable(format!("it unpacks to more than {MOST_BYTES} bytes, which no run has")))?;
        files.insert(name, contents);
    }
    Ok(without_folder(files))
}

/// People zip the folder as often as its contents.
fn without_folder(files: BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    let config = crate::run_folder::CONFIG_FILE;
    let folder = files.keys().find_map(|name| name.strip_suffix(config).filter(|folder| folder.ends_with('/')));
    match folder.map(str::to_owned) {
        Some(folder) if !files.contains_key(config) => files
            .into_iter()
            .filter_map(|(name, bytes)| Some((name.strip_prefix(&folder)?.to_owned(), bytes)))
            .collect(),
        _ => files,
    }
}

fn unusable(reason: String) -> RunError {
    RunError::corrupt(Path::new("the archive of the run"), reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn files(prefix: &str) -> BTreeMap<String, Vec<u8>> {
        let file = |name: &str, bytes: &[u8]| (format!("{prefix}{name}"), bytes.to_vec());
        [file("config.toml", b"[data]"), file("checkpoints/step-000001/weights.safetensors", &[7; 300])].into()
    }

    #[test]
    fn archives_read_back_with_or_without_their_folder() {
        assert_eq!(unpack(&pack(&files("")).unwrap()).unwrap(), files(""));
        assert_eq!(unpack(&pack(&files("my run/")).unwrap()).unwrap(), files(""));
    }

    #[test]
    fn truncated_archives_are_refused_with_a_reason() {
        let bytes = pack(&files("")).unwrap();
        for length in [0, 10, bytes.len() - 1] {
            let error = unpack(&bytes[..length]).unwrap_err().to_string();
            assert!(error.contains("no whole zip"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn damaged_archives_never_panic(at in 0usize..1000, byte: u8) {
            let mut bytes = pack(&files("")).unwrap();
            let length = bytes.len();
            bytes[at % length] = byte;
            let _ = unpack(&bytes);
        }
    }
}
