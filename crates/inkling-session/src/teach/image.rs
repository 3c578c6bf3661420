//! Images of a classroom as they came: the bytes of a file, or the pixels of a camera or clipboard.
//! Their bytes are shared, so that a copy of an image costs nothing.

use std::fmt;
use std::sync::Arc;

use super::prepare::decode;

/// The most columns or rows of raw pixels.
const MAX_SIDE: u32 = 16_384;

/// An image as it came.
#[derive(Clone, PartialEq, Eq)]
pub enum ImageData {
    /// The bytes of a JPEG, PNG, WebP, BMP or GIF file.
    Encoded(Arc<[u8]>),
    /// Pixels.
    Rgba(RgbaImage),
}

impl ImageData {
    /// Bytes that it keeps in memory.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Encoded(bytes) => bytes.len(),
            Self::Rgba(image) => image.pixels.len(),
        }
    }

    /// The image to look at: at most `most` pixels wide and high, in its proportions.
    ///
    /// # Errors
    /// With the reason and the remedy, for anything but a whole image of a known format.
    pub async fn picture(&self, most: u32) -> Result<RgbaImage, String> {
        let picture = decode(self, "the image").await.map_err(|error| error.to_string())?;
        let (width, height, pixels) = picture.thumbnail(most);
        RgbaImage::new(width, height, pixels).ok_or_else(|| "the image has no pixels; choose another".to_owned())
    }
}

impl From<RgbaImage> for ImageData {
    fn from(image: RgbaImage) -> Self {
        Self::Rgba(image)
    }
}

impl From<Vec<u8>> for ImageData {
    fn from(file: Vec<u8>) -> Self {
        Self::Encoded(file.into())
    }
}

impl fmt::Debug for ImageData {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encoded(bytes) => write!(formatter, "Encoded({} bytes)", bytes.len()),
            Self::Rgba(image) => image.fmt(formatter),
        }
    }
}

/// Red, green, blue and opacity of each pixel, `[height, width, 4]`, one byte each; at least one pixel.
#[derive(Clone, PartialEq, Eq)]
pub struct RgbaImage {
    width: u32,
    height: u32,
    pixels: Arc<[u8]>,
}

impl RgbaImage {
    /// An image of `pixels` `[height, width, 4]`; none when they are not as many as its sides say, or
    /// a side is zero or beyond 16,384.
    pub fn new(width: u32, height: u32, pixels: impl Into<Arc<[u8]>>) -> Option<Self> {
        let pixels = pixels.into();
        let possible = |side| (1..=MAX_SIDE).contains(&side);
        let fits =
            possible(width) && possible(height) && pixels.len() as u64 == 4 * u64::from(width) * u64::from(height);
        fits.then_some(Self { width, height, pixels })
    }

    /// Columns.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// `[height, width, 4]`.
    pub fn pixels(&self) -> &Arc<[u8]> {
        &self.pixels
    }
}

impl fmt::Debug for RgbaImage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RgbaImage({}×{})", self.width, self.height)
    }
}
