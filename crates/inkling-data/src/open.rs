//! From a data specification such as `omniglot:PATH` to an open data set.

use std::path::PathBuf;
use std::sync::Arc;

use crate::{DataError, Dataset, glyphs, scenes};

/// The data sets that [`open`] knows: how to name them, and what they are.
pub const KNOWN: [(&str, &str); 4] = [
    ("glyphs", "built in: an endless universe of handwritten-looking characters"),
    ("scenes", "built in: coloured, textured, cluttered objects at any resolution"),
    ("omniglot:PATH", "handwritten characters of 50 alphabets; PATH holds the two official archives"),
    ("folder:PATH", "your own images, one folder per class (or a zip archive of that)"),
];

/// How a data set is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenOptions {
    /// The side of the square images in pixels; `None` takes the data set's own.
    pub image_size: Option<u32>,
    /// Draws the class split of `omniglot` and `folder`, and the universe of the built-in sets.
    pub seed: u64,
    /// The most bytes of decoded images that `folder` keeps.
    pub cache_bytes: u64,
    /// The classes of each split of `folder`, see [`crate::ClassLists`]; drawn by seed when absent.
    pub split_file: Option<PathBuf>,
    /// Whether each character of `omniglot` stands for four classes, one per quarter turn.
    pub rotations: bool,
}

impl Default for OpenOptions {
    fn default() -> Self {
        OpenOptions { image_size: None, seed: 0, cache_bytes: 256 << 20, split_file: None, rotations: true }
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
        ("omniglot" | "folder", None | Some("")) => {
            Err(DataError::Specification(format!("{name} needs a path: {name}:PATH")))
        }
        #[cfg(not(target_arch = "wasm32"))]
        ("omniglot", Some(path)) => Ok(Arc::new(crate::Omniglot::open(std::path::Path::new(path), options)?)),
        #[cfg(not(target_arch = "wasm32"))]
        ("folder", Some(path)) => Ok(Arc::new(crate::Folder::open(std::path::Path::new(path), options)?)),
        #[cfg(target_arch = "wasm32")]
        ("omniglot" | "folder", Some(_)) => {
            Err(DataError::Specification(format!("there are no paths here: open {name} from the bytes of its archive")))
        }
        _ => Err(unknown(spec)),
    }
}

fn unknown(spec: &str) -> DataError {
    let known = KNOWN.map(|(name, _)| name).join(", ");
    DataError::Specification(format!("there is no data set called {spec:?}; known are {known}"))
}
