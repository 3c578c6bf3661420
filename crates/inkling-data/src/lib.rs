//! Data sets, splits, episodes, image decoding, the built-in procedural sets, upload and
//! augmentation.

mod dataset;
mod error;

pub use dataset::{Dataset, ImageShape, Normalization, Pixels, Split};
pub use error::DataError;
