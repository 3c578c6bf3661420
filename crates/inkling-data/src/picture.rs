//! One image of any size and origin, decoded once and then brought to whatever shape is wanted: a
//! learner's input, a thumbnail, a file.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageFormat, RgbaImage};

use crate::decode::{decode_upright, fit, flatten, open};
use crate::{DataError, Framing, Pixels};

/// A decoded image, upright.
#[derive(Clone, Debug)]
pub struct Picture(DynamicImage);

impl Picture {
    /// Decodes a JPEG, PNG, WebP, BMP or GIF within the limits of data sets and undoes the camera's
    /// rotation; `name` stands for it in errors.
    ///
    /// # Errors
    /// `DataError::Image` for anything but a whole image; `DataError::ImageTooLarge` before decoding
    /// one over the limits.
    pub fn decode(bytes: &[u8], name: &str) -> Result<Self, DataError> {
        decode_upright(bytes, name).map(Self)
    }

    /// The columns and rows of an image file as they are stored, from its header.
    ///
    /// # Errors
    /// As [`Picture::decode`], except for damage that only decoding finds.
    pub fn size(bytes: &[u8], name: &str) -> Result<(u32, u32), DataError> {
        open(bytes, name).map(|decoder| decoder.dimensions())
    }

    /// A picture of `pixels` `[height, width, 4]`: red, green, blue, opacity.
    ///
    /// # Errors
    /// `DataError::Image` when they are not as many as the sides say.
    pub fn of_rgba(width: u32, height: u32, pixels: &[u8]) -> Result<Self, DataError> {
        let image = RgbaImage::from_raw(width, height, pixels.to_vec()).filter(|image| !image.is_empty());
        image
            .map(|image| Self(image.into()))
            .ok_or_else(|| DataError::image("the picture", "its pixels are incomplete"))
    }

    /// The bytes of an image of this framing: over white where transparent, centre cropped and
    /// scaled; one channel is the luminance.
    ///
    /// # Errors
    /// `DataError::Setting` for other than one or three channels.
    pub fn fit(&self, framing: impl Into<Framing>) -> Result<Pixels, DataError> {
        fit(self.0.clone(), "the picture", framing.into())
    }

    /// At most `most` pixels wide and high, without changing the proportions and never larger than it
    /// is: columns, rows and `[rows, columns, 4]`.
    pub fn thumbnail(&self, most: u32) -> (u32, u32, Vec<u8>) {
        let (width, height) = (self.0.width(), self.0.height());
        let small = if width.max(height) > most { self.0.thumbnail(most.max(1), most.max(1)) } else { self.0.clone() };
        let rgba = flatten(small).into_rgba8();
        (rgba.width(), rgba.height(), rgba.into_raw())
    }

    /// The bytes of a PNG file.
    ///
    /// # Errors
    /// `DataError::Encode` with the encoder's message.
    pub fn png(&self) -> Result<Vec<u8>, DataError> {
        let mut bytes = Cursor::new(Vec::new());
        self.0.write_to(&mut bytes, ImageFormat::Png).map_err(|error| DataError::Encode(error.to_string()))?;
        Ok(bytes.into_inner())
    }

    /// The extension of an image file's format, by its first bytes; none for other files.
    pub fn extension(bytes: &[u8]) -> Option<&'static str> {
        let format = image::guess_format(bytes).ok()?;
        format.extensions_str().first().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ImageShape;

    fn halves(width: u32, height: u32) -> Picture {
        let pixels: Vec<u8> = (0..width * height)
            .flat_map(|at| if at % width < width / 2 { [250, 0, 0, 255] } else { [0, 0, 250, 255] })
            .collect();
        Picture::of_rgba(width, height, &pixels).unwrap()
    }

    #[test]
    fn a_picture_is_what_its_file_decodes_to() {
        let picture = halves(40, 20);
        let file = picture.png().unwrap();
        assert_eq!(Picture::extension(&file), Some("png"));
        assert_eq!(Picture::size(&file, "x").unwrap(), (40, 20));
        assert!(Picture::size(&file[..10], "x").is_err() && Picture::size(b"text", "x").is_err());
        let shape = ImageShape { channels: 3, height: 8, width: 8 };
        let direct = picture.fit(shape).unwrap();
        assert_eq!(direct, Picture::decode(&file, "x").unwrap().fit(shape).unwrap());
        assert_eq!(direct, crate::decode::decode(&file, "x", shape).unwrap());
        assert_eq!(Picture::extension(b"text"), None);
    }

    #[test]
    fn thumbnails_keep_proportions_and_never_grow() {
        let (width, height, pixels) = halves(400, 100).thumbnail(96);
        assert_eq!((width, height, pixels.len()), (96, 24, 96 * 24 * 4));
        assert!(pixels[0] > 240 && pixels[4 * 95] < 10, "red left, blue right");
        assert_eq!(halves(10, 6).thumbnail(96), (10, 6, halves(10, 6).0.into_rgba8().into_raw()));
        assert!(Picture::of_rgba(2, 2, &[0; 15]).is_err() && Picture::of_rgba(0, 0, &[]).is_err());
    }
}
