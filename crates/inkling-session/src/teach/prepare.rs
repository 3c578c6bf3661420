//! From an image as it came to what a learner takes, and to a thumbnail.

use std::sync::Arc;

use inkling_data::{DataError, Framing, Picture, Pixels};
use inkling_platform::decode_image;

use super::image::{ImageData, RgbaImage};
use crate::model_card::ModelCard;

/// The most columns or rows of a thumbnail.
const THUMBNAIL: u32 = 96;
/// Data whose mean is below this is light strokes on a dark ground.
const DARK_MEAN: f32 = 0.3;

/// An image of more pixels takes longer to decode than a frame.
const PHOTO_PIXELS: u64 = 1 << 20;
/// The columns that are kept of it: learners of photographs take 64 to 448.
const PHOTO_COLUMNS: u32 = 1024;

/// What a learner takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input {
    framing: Framing,
    /// Whether it was trained on light strokes on a dark ground, as characters are stored.
    light_on_dark: bool,
}

impl Input {
    /// What the learner of a card takes.
    ///
    /// # Errors
    /// As [`ModelCard::framing`].
    pub(super) fn of(card: &ModelCard) -> Result<Self, DataError> {
        let framing = card.framing()?;
        let dark = card.mean.first().is_some_and(|mean| *mean < DARK_MEAN);
        Ok(Self { framing, light_on_dark: framing.shape().channels == 1 && dark })
    }

    /// The learner's bytes of a picture. A learner of light strokes on a dark ground gets a picture that
    /// is mostly light, such as ink on paper, as its negative.
    ///
    /// # Errors
    /// As [`Picture::fit`].
    pub(super) fn pixels(&self, picture: &Picture) -> Result<Pixels, DataError> {
        let pixels = picture.fit(self.framing)?;
        let sum: u64 = pixels.iter().map(|value| u64::from(*value)).sum();
        if self.light_on_dark && 2 * sum > 255 * pixels.len() as u64 {
            return Ok(pixels.iter().map(|value| 255 - value).collect());
        }
        Ok(pixels)
    }
}

/// Decodes an image; `name` stands for it in errors. A photo that would hold a page up is decoded
/// by the browser, and comes smaller than it was.
///
/// # Errors
/// As [`Picture::decode`].
pub(super) async fn decode(image: &ImageData, name: &str) -> Result<Picture, DataError> {
    match image {
        ImageData::Encoded(bytes) => {
            let (width, height) = Picture::size(bytes, name)?;
            if u64::from(width) * u64::from(height) > PHOTO_PIXELS
                && let Some(photo) = decode_image(bytes, width.min(PHOTO_COLUMNS)).await
            {
                return Picture::of_rgba(photo.width, photo.height, &photo.rgba);
            }
            Picture::decode(bytes, name)
        }
        ImageData::Rgba(image) => Picture::of_rgba(image.width(), image.height(), image.pixels()),
    }
}

/// A small picture for lists.
pub(super) fn thumbnail(picture: &Picture) -> Option<RgbaImage> {
    let (width, height, pixels) = picture.thumbnail(THUMBNAIL);
    RgbaImage::new(width, height, Arc::<[u8]>::from(pixels))
}

#[cfg(test)]
mod tests {
    use inkling_data::ImageShape;

    use super::*;

    /// A vertical stroke of one shade on a ground of another.
    fn stroke(ink: u8, ground: u8) -> Picture {
        let pixel = |at: u32| if (10..14).contains(&(at % 28)) { ink } else { ground };
        let pixels: Vec<u8> = (0..28 * 28).flat_map(|at| [pixel(at), pixel(at), pixel(at), 255]).collect();
        Picture::of_rgba(28, 28, &pixels).unwrap()
    }

    #[test]
    fn ink_on_paper_looks_like_the_characters_of_the_training() {
        let framing = ImageShape { channels: 1, height: 28, width: 28 }.into();
        let characters = Input { framing, light_on_dark: true };
        assert_eq!(characters.pixels(&stroke(0, 255)).unwrap(), characters.pixels(&stroke(255, 0)).unwrap());
        let photos = Input { framing, light_on_dark: false };
        assert_ne!(photos.pixels(&stroke(0, 255)).unwrap(), photos.pixels(&stroke(255, 0)).unwrap());
    }
}
