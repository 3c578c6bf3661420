//! How a procedural data set counts its classes: every class has a seed, and each split owns a
//! range of seeds of its own, so that no class can be in two splits.

use crate::{DataError, Split};

/// Images per class that the procedural sets announce; any other index works too.
pub(crate) const IMAGES_PER_CLASS: u32 = 1_000;

const TRAIN: u32 = 1 << 20;
const VALIDATION: u32 = 1 << 16;
const TEST: u32 = 1 << 16;

pub(crate) fn class_count(split: Split) -> u32 {
    match split {
        Split::Train => TRAIN,
        Split::Validation => VALIDATION,
        Split::Test => TEST,
    }
}

/// The seed of a class, unique over all splits.
pub(crate) fn class_seed(spec: &str, split: Split, class: u32) -> Result<u32, DataError> {
    let count = class_count(split);
    if class >= count {
        return Err(DataError::Specification(format!(
            "`{spec}` has no class {class} in its {split:?} split: classes count from 0 to {}",
            count - 1
        )));
    }
    Ok(class
        + match split {
            Split::Train => 0,
            Split::Validation => TRAIN,
            Split::Test => TRAIN + VALIDATION,
        })
}

/// Refuses an image size outside `smallest..=512`.
pub(crate) fn check_size(spec: &str, smallest: u32, image_size: u32) -> Result<(), DataError> {
    const LARGEST: u32 = 512;
    if (smallest..=LARGEST).contains(&image_size) {
        return Ok(());
    }
    Err(DataError::Specification(format!(
        "`{spec}` cannot draw images of {image_size} pixels: choose an image size from {smallest} \
         to {LARGEST}"
    )))
}
