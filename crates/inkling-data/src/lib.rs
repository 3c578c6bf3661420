//! Data sets, splits, episodes, image decoding, the built-in procedural sets, upload and
//! augmentation.

mod area;
mod augmentation;
mod cache;
mod cifar;
mod class_index;
mod class_split;
mod dataset;
mod decode;
mod episode;
mod error;
#[cfg(not(target_arch = "wasm32"))]
pub mod fetch;
mod fingerprint;
mod folder;
mod framing;
mod gate;
pub mod glyphs;
mod imagenet;
#[cfg(not(target_arch = "wasm32"))]
mod load;
mod nearest_pixel;
mod npy;
mod npz;
mod omniglot;
mod open;
mod photos;
mod picked;
mod picture;
mod random;
mod raster;
pub mod scenes;
mod sheet;
mod store;
mod summary;
mod universe;
mod upload;

pub use augmentation::{Augmentation, IDENTITY};
pub use cifar::{Cifar, CifarSplit};
pub use class_split::ClassLists;
pub use dataset::{Dataset, ImageShape, Normalization, Pixels, Split};
pub use episode::{Episode, EpisodePlan, EpisodeSpec, ImageId, VariableRules};
pub use error::DataError;
pub use fingerprint::fingerprint;
pub use folder::Folder;
pub use framing::Framing;
pub use imagenet::ImagenetSubset;
#[cfg(not(target_arch = "wasm32"))]
pub use load::{ClassImages, Loaded, load_class_folder, load_image, load_images};
pub use nearest_pixel::{MeanAccuracy, PixelAccuracy, nearest_pixel_accuracy};
pub use omniglot::Omniglot;
pub use open::{KNOWN, OpenOptions, open};
pub use picked::open_picked;
pub use picture::Picture;
pub use random::Numbers;
pub use sheet::{contact_sheet, png_bytes};
pub use summary::{SplitSummary, Summary, summary};
pub use upload::ImageUpload;
