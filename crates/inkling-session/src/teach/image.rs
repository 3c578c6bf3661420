//! Images of a classroom as they came: the bytes of a file, or the pixels of a camera or clipboard.
//! Their bytes are shared, so that a copy of an image costs nothing.

use std::fmt;
use std::sync::Arc;

use super::prepare::decode;

/// The most columns or rows of raw pixels.
const MAX_SIDE: u32 = 16_384;

/// The most pixels along a side of an image that a camera gave.
const MOST_STILL_SIDE: usize = 256;

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

    /// The square in the middle of a camera's frame `[height, width, 4]`, averaged down to at most 256
    /// pixels a side: a size that any learner can use and a project can hold by the hundred. None for
    /// a frame whose bytes do not fit its size.
    pub fn of_frame(width: u32, height: u32, rgba: &[u8]) -> Option<Self> {
        let (width, height) = (width as usize, height as usize);
        if rgba.len() != width * height * 4 {
            return None;
        }
        let square = width.min(height);
        let side = square.min(MOST_STILL_SIDE);
        let (left, top) = ((width - square) / 2, (height - square) / 2);
        let span = |place: usize| place * square / side..(place + 1) * square / side;
        let mut pixels = Vec::with_capacity(side * side * 4);
        for row in 0..side {
            for column in 0..side {
                let mut sums = [0usize; 4];
                let mut count = 0;
                for y in span(row) {
                    let line = ((top + y) * width + left) * 4;
                    let columns = span(column);
                    let bytes = rgba.get(line + columns.start * 4..line + columns.end * 4).unwrap_or_default();
                    for pixel in bytes.chunks_exact(4) {
                        sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += usize::from(*value));
                        count += 1;
                    }
                }
                pixels.extend(sums.map(|sum| (sum / count.max(1)) as u8));
            }
        }
        Self::new(side as u32, side as u32, pixels)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_still_is_the_middle_of_its_frame() {
        // Red on the left and right, green in the middle square.
        let (width, height) = (640, 480);
        let pixel = |x: u32| if (80..560).contains(&x) { [0, 200, 0, 255] } else { [200, 0, 0, 255] };
        let rgba: Vec<u8> = (0..height).flat_map(|_| (0..width).flat_map(pixel)).collect();
        let image = RgbaImage::of_frame(width, height, &rgba).unwrap();
        assert_eq!((image.width(), image.height()), (256, 256));
        assert!(image.pixels().chunks_exact(4).all(|pixel| pixel == [0, 200, 0, 255]));
    }

    #[test]
    fn small_frames_stay_as_they_are_and_torn_ones_are_none() {
        let rgba: Vec<u8> = (0..3 * 3 * 4).collect();
        let image = RgbaImage::of_frame(3, 3, &rgba).unwrap();
        assert_eq!(image.pixels()[..], rgba);
        assert_eq!(RgbaImage::of_frame(4, 3, &rgba), None);
        assert_eq!(RgbaImage::of_frame(0, 0, &[]), None);
    }
}
