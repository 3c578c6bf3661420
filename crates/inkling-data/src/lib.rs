//! Data sets, splits, episodes, image decoding, the built-in procedural sets, upload and augmentation.
