//! One number for what a data set contains, to compare platforms and versions with.

use crate::{DataError, Dataset, Split};

/// A 64-bit FNV-1a hash over the shape of a data set and a few images of each split.
///
/// For each split: images 0 and 1 of the first two classes and of the last one.
///
/// # Errors
/// When one of these images cannot be read.
pub fn fingerprint(data: &dyn Dataset) -> Result<u64, DataError> {
    let shape = data.image_shape();
    let mut hash = Fnv::default();
    for number in [shape.channels, shape.height, shape.width] {
        hash.add(&number.to_le_bytes());
    }
    for split in [Split::Train, Split::Validation, Split::Test] {
        let count = data.class_count(split);
        hash.add(&count.to_le_bytes());
        let classes = [Some(0), Some(1), count.checked_sub(1)];
        for class in classes.into_iter().flatten().filter(|&c| c < count) {
            for index in 0..data.image_count(split, class).min(2) {
                hash.add(&data.pixels(split, class, index)?);
            }
        }
    }
    Ok(hash.0)
}

struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
