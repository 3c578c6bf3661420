//! Single images and small labelled sets from disk, brought to a model's framing: what adapting a
//! trained learner to a new task reads. Photos are decoded on several threads.

use std::path::{Path, PathBuf};

use inkling_platform::map_in_parallel;

use crate::gate::ByteGate;
use crate::photos::{DECODING_BYTES, Photos};
use crate::store::{Entry, Store, io_error, read_file};
use crate::{DataError, Framing, Pixels, decode, folder};

/// The images of one class of a support set: its name, and each image with its path.
pub type ClassImages = (String, Vec<(PathBuf, Pixels)>);

/// What was read, and what was wrong with the images that were passed over.
#[derive(Clone, Debug)]
pub struct Loaded<T> {
    /// What was read.
    pub images: T,
    /// A message for each image that was passed over.
    pub skipped: Vec<String>,
}

/// Reads one image and brings it to a framing (upright, centre cropped, scaled).
///
/// A shape of one channel takes the luminance as it is: a learner that was trained on white strokes
/// on black wants its images so.
///
/// # Errors
/// When the file cannot be read or is no whole JPEG, PNG, WebP, BMP or GIF image.
pub fn load_image(path: &Path, framing: Framing) -> Result<Pixels, DataError> {
    read(path, framing, &ByteGate::new(DECODING_BYTES))
}

fn read(path: &Path, framing: Framing, gate: &ByteGate) -> Result<Pixels, DataError> {
    let bytes = read_file(path, decode::MAX_FILE_BYTES)?;
    decode::decode_within(&bytes, &path.display().to_string(), framing, gate)
}

/// Reads one image file, or all images directly in a folder, sorted by name. Damaged images of a
/// folder are passed over, unless this is to be `strict`.
///
/// # Errors
/// As [`load_image`], and when a folder holds no image, or none that can be read.
pub fn load_images(path: &Path, framing: Framing, strict: bool) -> Result<Loaded<Vec<(PathBuf, Pixels)>>, DataError> {
    let metadata = std::fs::metadata(path).map_err(|source| io_error("open", path, source))?;
    if !metadata.is_dir() {
        return Ok(Loaded { images: vec![(path.to_owned(), load_image(path, framing)?)], skipped: Vec::new() });
    }
    let files = image_files(path)?;
    let gate = ByteGate::new(DECODING_BYTES);
    let pixels = map_in_parallel(&files, |file| read(file, framing, &gate));
    let mut skipped = Vec::new();
    Ok(Loaded { images: sound(files.into_iter().zip(pixels), strict, &mut skipped)?, skipped })
}

/// The images directly in a folder, sorted.
fn image_files(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    let entries = std::fs::read_dir(path).map_err(|source| io_error("list", path, source))?;
    let mut files = Vec::new();
    for entry in entries {
        let file = entry.map_err(|source| io_error("list", path, source))?.path();
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
        let is_image = name.is_some_and(|name| !name.starts_with('.') && decode::has_image_extension(&name));
        if is_image && file.is_file() {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err(DataError::Missing {
            path: path.display().to_string(),
            wanted: "JPEG, PNG, WebP, BMP or GIF images".to_owned(),
            remedy: "give an image file or a folder of images".to_owned(),
        });
    }
    files.sort_unstable();
    Ok(files)
}

/// Reads a support set: one folder per class, any number of images in each; classes sorted by name.
/// Damaged images are passed over, unless this is to be `strict`.
///
/// # Errors
/// As [`load_image`]; and when there is no class folder, one class only, or a class without images
/// that can be read.
pub fn load_class_folder(path: &Path, framing: Framing, strict: bool) -> Result<Loaded<Vec<ClassImages>>, DataError> {
    let store = Store::open(path)?;
    let classes = folder::class_folders(&store)?;
    if let [(class, _)] = classes.as_slice() {
        return Err(DataError::OneClass { path: store.name().to_owned(), class: class.clone() });
    }
    let photos = Photos::new(store, framing);
    let entries: Vec<&Entry> = classes.iter().flat_map(|(_, entries)| entries).collect();
    let mut pixels = map_in_parallel(&entries, |entry| photos.read(entry)).into_iter();
    let (mut images, mut skipped) = (Vec::with_capacity(classes.len()), Vec::new());
    for (class, entries) in &classes {
        let paths = entries.iter().map(|entry| photos.path(entry));
        images.push((class.clone(), sound(paths.zip(pixels.by_ref()), strict, &mut skipped)?));
    }
    Ok(Loaded { images, skipped })
}

/// The images that could be read, with a message for each of the others; an error where there is
/// none, or where one is not just damaged.
fn sound(
    read: impl Iterator<Item = (PathBuf, Result<Pixels, DataError>)>,
    strict: bool,
    skipped: &mut Vec<String>,
) -> Result<Vec<(PathBuf, Pixels)>, DataError> {
    let (mut images, mut last) = (Vec::new(), None);
    for (path, pixels) in read {
        match pixels {
            Ok(pixels) => images.push((path, pixels)),
            Err(error) if strict || !error.is_of_one_image() => return Err(error),
            Err(error) => {
                skipped.push(error.to_string());
                last = Some(error);
            }
        }
    }
    match last {
        Some(error) if images.is_empty() => Err(error),
        _ => Ok(images),
    }
}
