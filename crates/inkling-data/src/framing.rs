//! Which part of a photo becomes an image, and in which shape.

use crate::{DataError, ImageShape};

/// The shape that photos are brought to, and how much of them it shows.
///
/// Made from an [`ImageShape`] it shows all of a photo that its proportions leave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Framing {
    shape: ImageShape,
    center_crop: f32,
}

impl Framing {
    /// The middle of a photo, `center_crop` of its shorter side long, in a shape; 0.875 is the
    /// `Resize(256)` and `CenterCrop(224)` that networks of ImageNet are evaluated with.
    ///
    /// # Errors
    /// `DataError::Setting` when the share is not above 0 and at most 1.
    pub fn new(shape: ImageShape, center_crop: f32) -> Result<Self, DataError> {
        if center_crop > 0.0 && center_crop <= 1.0 {
            return Ok(Self { shape, center_crop });
        }
        Err(DataError::Setting {
            name: "center_crop",
            value: center_crop.to_string(),
            remedy: "choose the share of a photo's shorter side that is kept, above 0 and at most 1".to_owned(),
        })
    }

    /// The shape of the images.
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// The share of a photo's shorter side that is shown, above 0 and at most 1.
    pub fn center_crop(&self) -> f32 {
        self.center_crop
    }

    /// Whether an image of these sides is left as it is.
    pub(crate) fn is_identity(&self, width: u32, height: u32) -> bool {
        (width, height) == (self.shape.width, self.shape.height) && self.center_crop >= 1.0
    }

    /// What is shown of an image of these sides: left, top, width and height in its pixels.
    pub(crate) fn crop(&self, width: u32, height: u32) -> [f64; 4] {
        let (width, height) = (f64::from(width), f64::from(height));
        let ratio = f64::from(self.shape.width) / f64::from(self.shape.height);
        let (whole_width, whole_height) =
            if width >= ratio * height { (ratio * height, height) } else { (width, width / ratio) };
        let share = f64::from(self.center_crop);
        // Rounding may not carry the crop over an edge.
        let (crop_width, crop_height) = ((whole_width * share).min(width), (whole_height * share).min(height));
        [(width - crop_width) / 2.0, (height - crop_height) / 2.0, crop_width, crop_height]
    }
}

impl From<ImageShape> for Framing {
    fn from(shape: ImageShape) -> Self {
        Self { shape, center_crop: 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crops_lie_in_the_middle() {
        let square = ImageShape { channels: 3, height: 224, width: 224 };
        assert_eq!(Framing::from(square).crop(400, 300), [50.0, 0.0, 300.0, 300.0]);
        // As much as 224 of 256 pixels.
        assert_eq!(Framing::new(square, 0.875).unwrap().crop(256, 512), [16.0, 144.0, 224.0, 224.0]);
        let wide = ImageShape { channels: 3, height: 10, width: 30 };
        for (width, height) in [(1, 1), (7, 3), (640, 481), (31, 10), (333, 111)] {
            for share in [0.01, 0.5, 1.0] {
                let [left, top, columns, rows] = Framing::new(wide, share).unwrap().crop(width, height);
                assert!(left >= 0.0 && top >= 0.0 && columns > 0.0 && rows > 0.0);
                assert!(left + columns <= width.into() && top + rows <= height.into());
                assert!((columns / rows - 3.0).abs() < 1e-9, "{columns} × {rows}");
            }
        }
    }

    #[test]
    fn shares_that_show_nothing_or_more_than_all_are_refused() {
        let shape = ImageShape { channels: 1, height: 4, width: 4 };
        for share in [0.0, -1.0, 1.1, f32::NAN, f32::INFINITY] {
            let error = Framing::new(shape, share).unwrap_err().to_string();
            assert!(error.contains("center_crop") && error.contains("at most 1"), "{error}");
        }
    }
}
