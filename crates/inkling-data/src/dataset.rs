//! What a data set is to the rest of the project: classes in three splits, each image a planar
//! block of bytes of one common shape. How the bytes come about (decoded, resized, generated) is
//! the business of each implementation.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::{DataError, ImageId};

/// The three disjoint sets of classes of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Split {
    /// Classes that meta-training draws its tasks from.
    Train,
    /// Classes that choose between learners.
    Validation,
    /// Classes that nothing but the final evaluation sees.
    Test,
}

impl Split {
    /// The splits in the order in which they are used.
    pub const ALL: [Split; 3] = [Split::Train, Split::Validation, Split::Test];

    /// The word for the split on the command line and in split files.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Validation => "validation",
            Split::Test => "test",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for Split {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        match text {
            "train" => Ok(Split::Train),
            "validation" | "val" => Ok(Split::Validation),
            "test" => Ok(Split::Test),
            _ => Err(DataError::Setting {
                name: "split",
                value: text.to_owned(),
                remedy: "it is train, validation or test".to_owned(),
            }),
        }
    }
}

/// The shape of every image of a data set, `[channels, height, width]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ImageShape {
    /// One for grey images, three for red, green and blue.
    pub channels: u32,
    /// Rows of pixels.
    pub height: u32,
    /// Columns of pixels.
    pub width: u32,
}

impl ImageShape {
    /// Bytes of one image: one byte per channel and pixel.
    pub fn bytes(&self) -> usize {
        self.channels as usize * self.height as usize * self.width as usize
    }
}

/// The bytes of one image, planar `[channels, height, width]`.
pub type Pixels = Arc<[u8]>;

/// Per-channel mean and standard deviation of pixel values scaled to `0..=1`.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalization {
    /// One mean per channel.
    pub mean: Vec<f32>,
    /// One standard deviation per channel, positive.
    pub std: Vec<f32>,
}

/// Classes and images of one source.
///
/// `class` counts from zero within its split, `index` from zero within its class.
pub trait Dataset: Send + Sync {
    /// The specification that opens this data set again, such as `glyphs` or `omniglot:PATH`.
    fn spec(&self) -> &str;

    /// The shape of every image.
    fn image_shape(&self) -> ImageShape;

    /// The statistics that training normalises with unless the configuration gives its own.
    fn normalization(&self) -> Normalization;

    /// How many classes a split has.
    fn class_count(&self, split: Split) -> u32;

    /// A name to show for a class.
    fn class_name(&self, split: Split, class: u32) -> String;

    /// How many images a class has.
    fn image_count(&self, split: Split, class: u32) -> u32;

    /// The pixels of one image.
    ///
    /// # Errors
    /// When the image cannot be read or decoded; the error names it.
    fn pixels(&self, split: Split, class: u32, index: u32) -> Result<Pixels, DataError>;

    /// Passes over an image that cannot be read: whoever asked for it takes another. Data sets of
    /// generated or converted images pass over none.
    ///
    /// # Errors
    /// The error itself where it may not be passed over.
    fn skip(&self, image: ImageId, error: DataError) -> Result<(), DataError> {
        let _ = image;
        Err(error)
    }

    /// What is wrong with the images that were passed over, from the `from`th on.
    fn skipped(&self, from: usize) -> Vec<String> {
        let _ = from;
        Vec::new()
    }

    /// What whoever compares results should know of this copy of the data set, in one sentence.
    fn remark(&self) -> Option<String> {
        None
    }
}
