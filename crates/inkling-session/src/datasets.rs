//! Data sets as people hand them over: a specification, a folder of the disk, or files as bytes,
//! which is all that a browser has. What a dropped file is follows from its name.

use std::path::Path;
use std::sync::Arc;

use inkling_data::{Dataset, ImageShape, OpenOptions, Split};

use crate::run::SessionError;

/// Where images come from.
#[derive(Clone)]
pub enum DataSource {
    /// What `data.spec` takes: `glyphs`, `folder:PATH`, ….
    Spec(String),
    /// Files as bytes.
    Files {
        /// The name of the data set, such as `omniglot` or `folder`.
        set: &'static str,
        /// Each with its name, or its path within the folder that was picked.
        files: Vec<(String, Arc<[u8]>)>,
    },
}

/// The data set that a file belongs to, by its name.
fn set_of(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let is_tar = name.ends_with(".tar.gz") || name.ends_with(".tgz");
    let is_image = [".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif"].iter().any(|end| name.ends_with(end));
    match () {
        () if name.contains("images_background") || name.contains("images_evaluation") => Some("omniglot"),
        () if is_tar && name.contains("cifar") => Some("cifar-fs"),
        () if name.ends_with(".zip") => Some("zip"),
        // An image belongs to a class only where it lies in a folder.
        () if is_image && name.contains('/') => Some("folder"),
        () => None,
    }
}

impl DataSource {
    /// What lies in this folder of the disk: Omniglot's archives, CIFAR-100's, or classes.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn of_folder(path: &Path) -> Result<Self, SessionError> {
        let entries = std::fs::read_dir(path).map_err(crate::error::RunError::io("read", path))?;
        let sets: Vec<&str> =
            entries.flatten().filter_map(|entry| set_of(&entry.file_name().to_string_lossy())).collect();
        let set = ["omniglot", "cifar-fs"].into_iter().find(|set| sets.contains(set)).unwrap_or("folder");
        Ok(Self::Spec(format!("{set}:{}", path.display())))
    }

    /// The data set among files of the disk, which stay there: a run can open them again. None
    /// where only their bytes make a data set, as loose images do.
    pub fn of_paths(paths: &[&Path]) -> Option<Self> {
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        let sets: Vec<Option<&str>> = paths.iter().map(|path| set_of(&name(path)?)).collect();
        let (set, path) = match (sets.as_slice(), paths) {
            ([Some("zip")], [path]) => ("folder", *path),
            ([Some("cifar-fs")], [path]) => ("cifar-fs", *path),
            ([Some("omniglot"), Some("omniglot")], [first, second]) if first.parent() == second.parent() => {
                ("omniglot", first.parent()?)
            }
            _ => return None,
        };
        Some(Self::Spec(format!("{set}:{}", path.display())))
    }

    /// The data set among files that were picked or dropped.
    ///
    /// # Errors
    /// When there is none, when one of Omniglot's two archives is missing, or when the files do not
    /// belong together.
    pub fn of_files(files: Vec<(String, Arc<[u8]>)>) -> Result<Self, SessionError> {
        let files: Vec<(String, Arc<[u8]>)> = files.into_iter().filter(|(name, _)| set_of(name).is_some()).collect();
        let mut sets: Vec<&'static str> = files.iter().filter_map(|(name, _)| set_of(name)).collect();
        let count = sets.len();
        sets.sort_unstable();
        sets.dedup();
        let refused = |message: &str| Err(SessionError::Setting(message.to_owned()));
        match (sets.as_slice(), count) {
            ([], _) => refused(
                "no data set among these files; give Omniglot's two zip archives, cifar-100-binary.tar.gz, or a zip \
                 with one folder of images for each class",
            ),
            (["omniglot"], 1) => {
                refused("Omniglot comes in two archives; give images_background.zip and images_evaluation.zip together")
            }
            (["omniglot"], 2) => Ok(Self::Files { set: "omniglot", files }),
            (["cifar-fs"], 1) => Ok(Self::Files { set: "cifar-fs", files }),
            (["zip"], 1) | (["folder"], _) => Ok(Self::Files { set: "folder", files }),
            _ => refused("these files do not belong to one data set; give those of one at a time"),
        }
    }

    /// What people call it.
    pub fn name(&self) -> String {
        match self {
            Self::Spec(spec) => match spec.split_once(':') {
                Some((name, path)) => {
                    let last = Path::new(path).file_name().map_or(path.into(), |last| last.to_string_lossy());
                    if name == "folder" { last.into_owned() } else { format!("{name} in {last}") }
                }
                None => spec.clone(),
            },
            Self::Files { set: "folder", files } => {
                let first = files.first().map_or("folder", |(name, _)| name);
                first.split('/').next().unwrap_or(first).to_owned()
            }
            Self::Files { set, .. } => (*set).to_owned(),
        }
    }

    /// Opens the data set.
    ///
    /// # Errors
    /// When a file is missing or damaged, or the data set is unknown.
    pub fn open(&self, options: &OpenOptions) -> Result<Arc<dyn Dataset>, SessionError> {
        Ok(match self {
            Self::Spec(spec) => inkling_data::open(spec, options)?,
            Self::Files { set, files } => {
                let copies = files.iter().map(|(name, bytes)| (name.clone(), bytes.to_vec())).collect();
                inkling_data::open_picked(set, copies, options)?
            }
        })
    }
}

/// The sizes of an open data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataCard {
    /// Classes for training, validation and testing.
    pub classes: [u32; 3],
    /// Images of the training classes.
    pub images: u64,
    /// Channels of every image: 1 or 3.
    pub channels: u32,
    /// Pixels of the images' side.
    pub image_size: u32,
}

impl DataCard {
    /// Counts a data set.
    pub fn of(dataset: &dyn Dataset) -> Self {
        let shape = dataset.image_shape();
        let training = dataset.class_count(Split::Train);
        Self {
            classes: Split::ALL.map(|split| dataset.class_count(split)),
            images: (0..training).map(|class| u64::from(dataset.image_count(Split::Train, class))).sum(),
            channels: shape.channels,
            image_size: shape.height,
        }
    }

    /// The shape of every image.
    pub fn shape(&self) -> ImageShape {
        ImageShape { channels: self.channels, height: self.image_size, width: self.image_size }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Vec<(String, Arc<[u8]>)> {
        names.iter().map(|name| ((*name).to_owned(), Arc::from(*b"x"))).collect()
    }

    #[test]
    fn files_are_known_by_their_names() {
        let name = |names: &[&str]| DataSource::of_files(named(names)).map(|source| source.name());
        let both = ["images_evaluation.zip", "images_background.zip", "readme.txt"];
        assert_eq!(name(&both).unwrap(), "omniglot");
        assert_eq!(name(&["cifar-100-binary.tar.gz"]).unwrap(), "cifar-fs");
        assert_eq!(name(&["pets.ZIP"]).unwrap(), "pets.ZIP");
        assert_eq!(name(&["pets/cat/1.png", "pets/dog/1.JPG", "pets/notes.txt"]).unwrap(), "pets");
    }

    #[test]
    fn what_is_no_data_set_is_refused_with_a_remedy() {
        for (names, remedy) in [
            (&["notes.txt"][..], "zip with one folder"),
            (&["images_background.zip"], "images_evaluation.zip together"),
            (&["a.zip", "b.zip"], "one at a time"),
            (&["alone.png"], "zip with one folder"),
            (&["a/b.png", "a.zip"], "one at a time"),
        ] {
            let error = DataSource::of_files(named(names)).err().unwrap().to_string();
            assert!(error.contains(remedy), "{error}");
        }
        let damaged = DataSource::of_files(named(&["pets.zip"])).unwrap().open(&OpenOptions::default());
        assert!(damaged.is_err());
    }

    #[test]
    fn files_of_the_disk_stay_there() {
        let spec = |paths: &[&str]| {
            let paths: Vec<&Path> = paths.iter().map(Path::new).collect();
            DataSource::of_paths(&paths).map(|source| match source {
                DataSource::Spec(spec) => spec,
                DataSource::Files { .. } => panic!("files of the disk have a specification"),
            })
        };
        assert_eq!(spec(&["a/pets.zip"]).as_deref(), Some("folder:a/pets.zip"));
        assert_eq!(spec(&["a/cifar-100-binary.tar.gz"]).as_deref(), Some("cifar-fs:a/cifar-100-binary.tar.gz"));
        let halves = ["a/images_background.zip", "a/images_evaluation.zip"];
        assert_eq!(spec(&halves).as_deref(), Some("omniglot:a"));
        assert_eq!(spec(&["a/images_background.zip", "b/images_evaluation.zip"]), None);
        assert_eq!(spec(&["a/cat.png"]), None);
        assert_eq!(spec(&[]), None);
    }

    #[test]
    fn folders_tell_what_lies_in_them() {
        let folder = tempfile::tempdir().unwrap();
        let spec = || match DataSource::of_folder(folder.path()).unwrap() {
            DataSource::Spec(spec) => spec.split(':').next().unwrap().to_owned(),
            DataSource::Files { .. } => panic!("a folder has a specification"),
        };
        assert_eq!(spec(), "folder");
        std::fs::write(folder.path().join("cifar-100-binary.tar.gz"), b"").unwrap();
        assert_eq!(spec(), "cifar-fs");
        std::fs::write(folder.path().join("images_background.zip"), b"").unwrap();
        assert_eq!(spec(), "omniglot");
        assert!(DataSource::of_folder(&folder.path().join("missing")).is_err());
    }

    #[test]
    fn built_in_sets_are_counted() {
        let source = DataSource::Spec("glyphs".to_owned());
        let card = DataCard::of(source.open(&OpenOptions::default()).unwrap().as_ref());
        assert_eq!((card.channels, source.name()), (1, "glyphs".to_owned()));
        assert!(card.classes[0] > 100 && card.images > 1000);
    }
}
