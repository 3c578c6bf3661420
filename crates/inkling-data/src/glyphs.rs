//! `glyphs`: an endless universe of handwritten-looking characters of invented scripts, for
//! learning without any download. A class is a stroke program, an image is one drawing of it by
//! one hand. Nothing is stored: any image is a pure function of universe, class and index, the
//! same natively and in the browser.

use crate::universe::{IMAGES_PER_CLASS, check_size, class_count, class_seed};
use crate::{DataError, Dataset, ImageShape, Normalization, Pixels, Split};

mod curve;
mod pen;
mod program;
#[cfg(test)]
mod tests;

use program::{Program, SCRIPT_CLASSES};

const SPEC: &str = "glyphs";

/// The image side that configurations start from, in pixels.
pub const DEFAULT_IMAGE_SIZE: u32 = 28;

/// [`crate::fingerprint`] of universe 0 at the default size; a change of a single byte of a
/// drawing, on any platform, changes it.
pub const FINGERPRINT: u64 = 0xca9f_f261_d85e_65ea;

/// Handwritten-looking characters, white on black, one channel.
///
/// 2^20 classes to train on, 2^16 each to validate and to test, in scripts of 32 characters that
/// share their habits. Nearest neighbour on raw pixels reaches 55.9 ± 1.7 % at 5-way and
/// 33.4 ± 0.8 % at 20-way 1-shot (28 pixels, 600 test episodes).
#[derive(Clone, Debug)]
pub struct Glyphs {
    image_size: u32,
    universe: u64,
}

impl Glyphs {
    /// The characters of a universe, drawn `image_size` pixels wide and high.
    ///
    /// # Errors
    /// `DataError::Specification` when the size is not in `16..=512`.
    pub fn new(image_size: u32, universe: u64) -> Result<Self, DataError> {
        check_size(SPEC, 16, image_size)?;
        Ok(Self { image_size, universe })
    }
}

impl Dataset for Glyphs {
    fn spec(&self) -> &str {
        SPEC
    }

    fn image_shape(&self) -> ImageShape {
        ImageShape { channels: 1, height: self.image_size, width: self.image_size }
    }

    fn normalization(&self) -> Normalization {
        // Measured over 2,048 training classes.
        Normalization { mean: vec![0.097], std: vec![0.258] }
    }

    fn class_count(&self, split: Split) -> u32 {
        class_count(split)
    }

    fn class_name(&self, split: Split, class: u32) -> String {
        match class_seed(SPEC, split, class) {
            Ok(seed) => format!("script {} character {}", seed / SCRIPT_CLASSES, seed % SCRIPT_CLASSES),
            Err(_) => format!("no such character ({class})"),
        }
    }

    fn image_count(&self, _split: Split, _class: u32) -> u32 {
        IMAGES_PER_CLASS
    }

    fn pixels(&self, split: Split, class: u32, index: u32) -> Result<Pixels, DataError> {
        let seed = class_seed(SPEC, split, class)?;
        let program = Program::of_class(self.universe, seed);
        Ok(pen::draw(&program, self.universe, seed, index, self.image_size).into())
    }
}
