//! Single images and small labelled sets from disk, brought to a model's shape: what adapting a
//! trained learner to a new task reads.

use std::path::{Path, PathBuf};

use crate::store::{Store, io_error, read_file};
use crate::{DataError, Framing, Pixels, decode, folder};

/// The images of one class of a support set: its name, and each image with its path.
pub type ClassImages = (String, Vec<(PathBuf, Pixels)>);

/// Reads one image and brings it to a framing (upright, centre cropped, scaled).
///
/// A shape of one channel takes the luminance as it is: a learner that was trained on white strokes
/// on black wants its images so.
///
/// # Errors
/// When the file cannot be read or is no whole JPEG, PNG, WebP, BMP or GIF image.
pub fn load_image(path: &Path, framing: Framing) -> Result<Pixels, DataError> {
    let bytes = read_file(path, decode::MAX_FILE_BYTES)?;
    decode::decode(&bytes, &path.display().to_string(), framing)
}

/// Reads one image file, or all images directly in a folder, sorted by name.
///
/// # Errors
/// As [`load_image`], and when a folder holds no image.
pub fn load_images(path: &Path, framing: Framing) -> Result<Vec<(PathBuf, Pixels)>, DataError> {
    let metadata = std::fs::metadata(path).map_err(|source| io_error("open", path, source))?;
    if !metadata.is_dir() {
        return Ok(vec![(path.to_owned(), load_image(path, framing)?)]);
    }
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
    files.into_iter().map(|file| load_image(&file, framing).map(|pixels| (file, pixels))).collect()
}

/// Reads a support set: one folder per class, any number of images in each; classes sorted by name.
///
/// # Errors
/// As [`load_image`]; and when there is no class folder, one class only, or a class without images.
pub fn load_class_folder(path: &Path, framing: Framing) -> Result<Vec<ClassImages>, DataError> {
    let store = Store::open(path)?;
    let classes = folder::class_folders(&store)?;
    if let [(class, _)] = classes.as_slice() {
        return Err(DataError::OneClass { path: store.name().to_owned(), class: class.clone() });
    }
    let mut support = Vec::with_capacity(classes.len());
    for (class, entries) in classes {
        let mut images = Vec::with_capacity(entries.len());
        for entry in entries {
            let name = store.entry_name(&entry);
            let bytes = store.read(&entry, decode::MAX_FILE_BYTES)?;
            let pixels = decode::decode(&bytes, &name, framing)?;
            images.push((store.entry_path(&entry).unwrap_or_else(|| PathBuf::from(name)), pixels));
        }
        support.push((class, images));
    }
    Ok(support)
}
