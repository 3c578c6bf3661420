//! A classroom as one file: `NAME.inkling`, a zip archive of `manifest.json`, the images as they
//! came under `images/CLASS/`, and the learner as `weights.safetensors`. The same project gives the
//! same bytes. A file is read as a whole or refused as a whole.

use std::collections::BTreeSet;
use std::io::{Cursor, Read, Write};

use inkling_data::Picture;
use serde::{Deserialize, Serialize};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::classroom::{Lesson, NewImage};
use super::image::ImageData;
use super::learner_file::LearnerFile;

/// The version of the layout.
const FORMAT: u32 = 1;
const KIND: &str = "inkling project";
const MANIFEST: &str = "manifest.json";
const WEIGHTS: &str = "weights.safetensors";

const MOST_MANIFEST_BYTES: u64 = 32 << 20;
const MOST_FILE_BYTES: u64 = 256 << 20;
/// Of all files together, unpacked.
const MOST_BYTES: u64 = 1 << 30;
const MOST_CLASSES: usize = 10_000;
const MOST_IMAGES: usize = 100_000;
/// Of a class's or image's name.
const MOST_NAME_BYTES: usize = 1_000;

/// Why a project cannot be opened or saved. Whatever was open before is untouched.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The file is no project.
    #[error("this is no Inkling project ({0}); choose a file that ends in .inkling")]
    Foreign(String),
    /// The file was a project and is no longer whole.
    #[error("the project is damaged: {0}; nothing was opened. Copy or save it again, or use a backup")]
    Damaged(String),
    /// A later version of the program wrote it.
    #[error("the project has format {0}, and this program reads up to format {FORMAT}; open it with a newer version")]
    TooNew(u32),
    /// It is larger than what is opened.
    #[error("the project is too large: {0}; split it into smaller ones")]
    TooLarge(String),
    /// It cannot be written.
    #[error("the project cannot be saved: {0}")]
    Unwritable(String),
}

#[derive(Serialize, Deserialize)]
struct Manifest {
    kind: String,
    format: u32,
    classes: Vec<ManifestClass>,
    learner: Option<ManifestLearner>,
}

/// What is read before anything else of a manifest.
#[derive(Deserialize)]
struct Version {
    kind: String,
    format: u32,
}

#[derive(Serialize, Deserialize)]
struct ManifestClass {
    name: String,
    images: Vec<ManifestImage>,
}

#[derive(Serialize, Deserialize)]
struct ManifestImage {
    name: String,
    file: String,
}

#[derive(Serialize, Deserialize)]
struct ManifestLearner {
    name: String,
    file: String,
}

/// Classes with their images, and the learner they are taught to.
#[derive(Clone, Debug, Default)]
pub struct Project {
    /// Name and images of each class, in order.
    pub classes: Vec<(String, Vec<NewImage>)>,
    /// The learner; none where the project goes with any.
    pub learner: Option<LearnerFile>,
}

impl Project {
    /// The project of a lesson; bytes of images are shared.
    pub fn new(lesson: &Lesson, learner: Option<LearnerFile>) -> Self {
        let images = |images: &[super::ClassImage]| images.iter().map(|image| NewImage::clone(&image.image)).collect();
        let classes = lesson.classes.iter().map(|class| (class.name.clone(), images(&class.images))).collect();
        Self { classes, learner }
    }

    /// The bytes of the file. Images that came as pixels become PNG files; between images others may
    /// run, and `progress` is told how many of them are done.
    ///
    /// # Errors
    /// [`ProjectError::Unwritable`] when an image cannot be encoded; [`ProjectError::TooLarge`] for what
    /// could not be opened again.
    pub async fn to_bytes(&self, mut progress: impl FnMut(usize, usize)) -> Result<Vec<u8>, ProjectError> {
        let manifest = self.manifest();
        let text = serde_json::to_vec_pretty(&manifest).map_err(unwritable)?;
        let count = self.classes.iter().map(|(_, images)| images.len()).sum();
        if self.classes.len() > MOST_CLASSES || count > MOST_IMAGES || text.len() as u64 > MOST_MANIFEST_BYTES {
            return Err(ProjectError::TooLarge(format!("{} classes, {count} images", self.classes.len())));
        }
        let mut archive = Archive { writer: ZipWriter::new(Cursor::new(Vec::new())), bytes: 0 };
        archive.add(MANIFEST, &text)?;
        if let (Some(learner), Some(place)) = (&self.learner, &manifest.learner) {
            archive.add(&place.file, learner.bytes())?;
        }
        let places = manifest.classes.iter().flat_map(|class| &class.images);
        let images = self.classes.iter().flat_map(|(_, images)| images);
        for (done, (place, image)) in places.zip(images).enumerate() {
            match &image.data {
                ImageData::Encoded(bytes) => archive.add(&place.file, bytes)?,
                ImageData::Rgba(pixels) => {
                    let picture = Picture::of_rgba(pixels.width(), pixels.height(), pixels.pixels());
                    let png = picture.and_then(|picture| picture.png()).map_err(unwritable)?;
                    archive.add(&place.file, &png)?;
                    inkling_platform::yield_now().await;
                }
            }
            progress(done + 1, count);
        }
        Ok(archive.writer.finish().map_err(unwritable)?.into_inner())
    }

    /// Reads the bytes of a file; images are not decoded.
    ///
    /// # Errors
    /// [`ProjectError`] for what is no project, is damaged, too new or too large.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ProjectError> {
        let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| {
            // Every zip archive begins so; one that cannot be opened lost its end.
            if bytes.starts_with(b"PK\x03\x04") { damaged(error) } else { ProjectError::Foreign(error.to_string()) }
        })?;
        let mut left = MOST_BYTES;
        if archive.index_for_name(MANIFEST).is_none() {
            return Err(ProjectError::Foreign(format!("the archive has no {MANIFEST}")));
        }
        let text = read(&mut archive, MANIFEST, MOST_MANIFEST_BYTES, &mut left)?;
        let manifest = parse(&text)?;
        let count: usize = manifest.classes.iter().map(|class| class.images.len()).sum();
        if manifest.classes.len() > MOST_CLASSES || count > MOST_IMAGES {
            return Err(ProjectError::TooLarge(format!("{} classes, {count} images", manifest.classes.len())));
        }
        let learner = manifest.learner.map(|learner| {
            let bytes = read(&mut archive, &learner.file, MOST_FILE_BYTES, &mut left)?;
            LearnerFile::from_bytes(name(learner.name)?, bytes).map_err(ProjectError::Damaged)
        });
        let learner = learner.transpose()?;
        let mut classes = Vec::with_capacity(manifest.classes.len());
        for class in manifest.classes {
            let image = |image: ManifestImage| {
                let bytes = read(&mut archive, &image.file, MOST_FILE_BYTES, &mut left)?;
                Ok(NewImage::new(name(image.name)?, bytes))
            };
            let images = class.images.into_iter().map(image).collect::<Result<Vec<_>, ProjectError>>()?;
            classes.push((name(class.name)?, images));
        }
        Ok(Self { classes, learner })
    }

    /// Which file holds what. Folders and files are numbered, so that names need not be unique.
    fn manifest(&self) -> Manifest {
        let image = |folder: &str, index: usize, image: &NewImage| {
            let extension = match &image.data {
                ImageData::Encoded(bytes) => Picture::extension(bytes).unwrap_or("bin"),
                ImageData::Rgba(_) => "png",
            };
            ManifestImage { name: image.name.clone(), file: format!("images/{folder}/{index:05}.{extension}") }
        };
        let class = |(index, (name, images)): (usize, &(String, Vec<NewImage>))| {
            let folder = format!("{index:03} {}", file_name(name));
            let images = images.iter().enumerate().map(|(index, of)| image(folder.trim_end(), index, of)).collect();
            ManifestClass { name: name.clone(), images }
        };
        Manifest {
            kind: KIND.to_owned(),
            format: FORMAT,
            classes: self.classes.iter().enumerate().map(class).collect(),
            learner: self
                .learner
                .as_ref()
                .map(|learner| ManifestLearner { name: learner.name().to_owned(), file: WEIGHTS.to_owned() }),
        }
    }
}

/// What is being written.
struct Archive {
    writer: ZipWriter<Cursor<Vec<u8>>>,
    bytes: u64,
}

impl Archive {
    fn add(&mut self, name: &str, bytes: &[u8]) -> Result<(), ProjectError> {
        self.bytes += bytes.len() as u64;
        if bytes.len() as u64 > MOST_FILE_BYTES || self.bytes > MOST_BYTES {
            return Err(ProjectError::TooLarge(format!("more than {MOST_BYTES} bytes, or a file of {}", bytes.len())));
        }
        // Images and weights do not shrink; the library's time of a file is 1980 unless told otherwise.
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        let options = options.last_modified_time(zip::DateTime::default());
        self.writer.start_file(name, options).map_err(unwritable)?;
        self.writer.write_all(bytes).map_err(unwritable)
    }
}

fn read(
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    name: &str,
    most: u64,
    left: &mut u64,
) -> Result<Vec<u8>, ProjectError> {
    let file = archive.by_name(name).map_err(|error| ProjectError::Damaged(format!("{name}: {error}")))?;
    let most = most.min(*left);
    let mut bytes = Vec::new();
    // Whatever the archive declares: what is unpacked counts.
    let read = file.take(most + 1).read_to_end(&mut bytes);
    if bytes.len() as u64 > most {
        return Err(ProjectError::TooLarge(format!("{name} unpacks to more than {most} bytes")));
    }
    read.map_err(|error| ProjectError::Damaged(format!("{name}: {error}")))?;
    *left -= bytes.len() as u64;
    Ok(bytes)
}

fn parse(text: &[u8]) -> Result<Manifest, ProjectError> {
    let version: Version = serde_json::from_slice(text)
        .map_err(|error| ProjectError::Foreign(format!("its {MANIFEST} cannot be read: {error}")))?;
    if version.kind != KIND {
        return Err(ProjectError::Foreign(format!("its {MANIFEST} is of another program")));
    }
    if version.format > FORMAT {
        return Err(ProjectError::TooNew(version.format));
    }
    let manifest: Manifest = serde_json::from_slice(text).map_err(damaged)?;
    let mut files = BTreeSet::new();
    let images = manifest.classes.iter().flat_map(|class| class.images.iter().map(|image| &image.file));
    match images.chain(manifest.learner.iter().map(|learner| &learner.file)).find(|file| !files.insert(*file)) {
        Some(twice) => Err(ProjectError::Damaged(format!("{twice} is listed twice"))),
        None => Ok(manifest),
    }
}

fn name(name: String) -> Result<String, ProjectError> {
    if name.len() > MOST_NAME_BYTES {
        return Err(ProjectError::TooLarge(format!("a name of {} bytes", name.len())));
    }
    Ok(name)
}

/// A name that every file system takes: for those who unpack the archive.
fn file_name(name: &str) -> String {
    let safe = |character: char| if character.is_alphanumeric() || " -_".contains(character) { character } else { '_' };
    name.chars().take(40).map(safe).collect::<String>().trim().to_owned()
}

fn damaged(error: impl ToString) -> ProjectError {
    ProjectError::Damaged(error.to_string())
}

fn unwritable(error: impl ToString) -> ProjectError {
    ProjectError::Unwritable(error.to_string())
}

#[cfg(test)]
#[path = "project_tests.rs"]
mod tests;
