//! From a data specification such as `omniglot:PATH` to an open data set.

use std::path::PathBuf;
use std::sync::Arc;

use crate::{DataError, Dataset, glyphs, scenes};

/// The data sets that [`open`] knows: how to name them, and what they are.
pub const KNOWN: [(&str, &str); 8] = [
    ("glyphs", "built in: an endless universe of handwritten-looking characters"),
    ("scenes", "built in: coloured, textured, cluttered objects at any resolution"),
    ("omniglot:PATH", "handwritten characters of 50 alphabets; PATH holds the two official archives"),
    ("cifar-fs:PATH", "CIFAR-100 split 64/16/20; PATH is cifar-100-binary.tar.gz or a folder with it or its contents"),
    ("fc100:PATH", "CIFAR-100 split by superclass 60/20/20; PATH as for cifar-fs"),
    (
        "mini-imagenet:PATH",
        "100 classes of ImageNet; PATH is a folder or zip of images with train/val/test.csv, with folders \
         train/val/test or with class folders, or npz arrays",
    ),
    ("tiered-imagenet:PATH", "608 classes of ImageNet; PATH as for mini-imagenet"),
    ("folder:PATH", "your own images, one folder per class (or a zip archive of that)"),
];

/// How a data set is opened.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenOptions {
    /// The side of the square images in pixels; `None` takes the data set's own.
    pub image_size: Option<u32>,
    /// The share of a photo's shorter side that is kept, about its centre: above 0 and at most 1.
    /// Photos are `folder`, the sets of CIFAR-100 and those of ImageNet; the others draw or scale
    /// their characters and scenes as they define them.
    pub center_crop: f32,
    /// Draws the class split of `omniglot` and `folder`, and the universe of the built-in sets.
    pub seed: u64,
    /// The most bytes of decoded or resized images that are kept.
    pub cache_bytes: u64,
    /// The classes of each split, see [`crate::ClassLists`]. When absent, `folder` draws them by
    /// seed and the others take the published split; `omniglot` and the built-in sets have no use
    /// for it.
    pub split_file: Option<PathBuf>,
    /// How many classes of `folder` train, validate and test, drawn by seed: in place of 64, 16 and
    /// 20 % of them.
    pub split_counts: Option<[u32; 3]>,
    /// Whether a photo that cannot be read is an error; else another one takes its place.
    pub strict: bool,
    /// Whether each character of `omniglot` stands for four classes, one per quarter turn.
    pub rotations: bool,
}

impl Default for OpenOptions {
    fn default() -> Self {
        OpenOptions {
            image_size: None,
            center_crop: 1.0,
            seed: 0,
            cache_bytes: 256 << 20,
            split_file: None,
            split_counts: None,
            strict: false,
            rotations: true,
        }
    }
}

/// Opens the data set that a specification names.
///
/// # Errors
/// `DataError::Specification` lists the known names when this is none of them; otherwise whatever
/// opening the data set meets.
pub fn open(spec: &str, options: &OpenOptions) -> Result<Arc<dyn Dataset>, DataError> {
    let (name, path) = match spec.split_once(':') {
        Some((name, path)) => (name, Some(path)),
        None => (spec, None),
    };
    match (name, path) {
        ("glyphs", None) => {
            let size = options.image_size.unwrap_or(glyphs::DEFAULT_IMAGE_SIZE);
            Ok(Arc::new(glyphs::Glyphs::new(size, options.seed)?))
        }
        ("scenes", None) => {
            let size = options.image_size.unwrap_or(scenes::DEFAULT_IMAGE_SIZE);
            Ok(Arc::new(scenes::Scenes::new(size, options.seed)?))
        }
        ("glyphs" | "scenes", Some(_)) => {
            Err(DataError::Specification(format!("{name} is built in and takes no path: write {name}")))
        }
        (name, path) if with_path(name) => match path {
            None | Some("") => Err(DataError::Specification(format!("{name} needs a path: {name}:PATH"))),
            Some(path) => open_path(name, path, options).unwrap_or_else(|| Err(unknown(spec))),
        },
        _ => Err(unknown(spec)),
    }
}

/// Whether this is the name of a data set that lies somewhere.
fn with_path(name: &str) -> bool {
    KNOWN.iter().any(|(spec, _)| spec.strip_suffix(":PATH") == Some(name))
}

#[cfg(not(target_arch = "wasm32"))]
fn open_path(name: &str, path: &str, options: &OpenOptions) -> Option<Result<Arc<dyn Dataset>, DataError>> {
    use crate::{Cifar, CifarSplit, Folder, ImagenetSubset, Omniglot};
    let path = std::path::Path::new(path);
    fn shared<T: Dataset + 'static>(set: Result<T, DataError>) -> Result<Arc<dyn Dataset>, DataError> {
        set.map(|set| Arc::new(set) as Arc<dyn Dataset>)
    }
    Some(match name {
        "omniglot" => shared(Omniglot::open(path, options)),
        "cifar-fs" => shared(Cifar::open(CifarSplit::CifarFs, path, options)),
        "fc100" => shared(Cifar::open(CifarSplit::Fc100, path, options)),
        "mini-imagenet" => ImagenetSubset::Mini.open(path, options),
        "tiered-imagenet" => ImagenetSubset::Tiered.open(path, options),
        "folder" => shared(Folder::open(path, options)),
        _ => return None,
    })
}

#[cfg(target_arch = "wasm32")]
fn open_path(name: &str, _path: &str, _options: &OpenOptions) -> Option<Result<Arc<dyn Dataset>, DataError>> {
    let reason = format!("there are no paths here: open {name} from the bytes of its archive");
    Some(Err(DataError::Specification(reason)))
}

fn unknown(spec: &str) -> DataError {
    let known = KNOWN.map(|(name, _)| name).join(", ");
    DataError::Specification(format!("there is no data set called {spec:?}; known are {known}"))
}
