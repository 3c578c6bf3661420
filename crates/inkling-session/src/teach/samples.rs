//! The built-in sample set: generated photographs of things that the shipped learner has never seen,
//! so that a newcomer sees it work without a camera.

use inkling_data::scenes::Scenes;
use inkling_data::{DataError, Dataset, Split};

use super::classroom::NewImage;
use super::image::RgbaImage;

/// Columns and rows of a sample.
const SIDE: u32 = 96;
/// Images of each class.
const IMAGES: u32 = 10;
/// Classes of the test split of `scenes`, whose names are what a person sees.
const CLASSES: [(&str, u32); 3] = [("Pink bird", 40_408), ("Purple propeller", 10_710), ("Spotted stone", 46_761)];
/// A class that is none of these.
const STRANGER: (&str, u32) = ("Something else", 26_107);

/// Classes with images, and images to try them on.
#[derive(Clone, Debug)]
pub struct SampleSet {
    /// Name and images of each class.
    pub classes: Vec<(String, Vec<NewImage>)>,
    /// One further image of each class, and one of something else; their names say which.
    pub try_out: Vec<NewImage>,
}

/// The sample set: three classes of ten images. Every call generates the same.
///
/// # Errors
/// None in practice: the classes exist.
pub fn sample_set() -> Result<SampleSet, DataError> {
    let scenes = Scenes::new(SIDE, 0)?;
    let image = |(name, class): (&str, u32), index: u32| {
        let planar = scenes.pixels(Split::Test, class, index)?;
        let image = RgbaImage::new(SIDE, SIDE, interleaved(&planar));
        let image = image.ok_or_else(|| DataError::Encode("a sample of the wrong size".to_owned()))?;
        Ok(NewImage::new(format!("{name} {}", index + 1), image))
    };
    let class = |class: (&str, u32)| {
        let images = (0..IMAGES).map(|index| image(class, index)).collect::<Result<Vec<_>, DataError>>()?;
        Ok((class.0.to_owned(), images))
    };
    let try_out = CLASSES.into_iter().chain([STRANGER]).map(|class| image(class, IMAGES));
    Ok(SampleSet {
        classes: CLASSES.into_iter().map(class).collect::<Result<Vec<_>, DataError>>()?,
        try_out: try_out.collect::<Result<Vec<_>, DataError>>()?,
    })
}

/// `[3, pixels]` to `[pixels, 4]`, opaque.
fn interleaved(planar: &[u8]) -> Vec<u8> {
    let count = planar.len() / 3;
    let (red, rest) = planar.split_at(count);
    let (green, blue) = rest.split_at(count);
    red.iter().zip(green).zip(blue).flat_map(|((red, green), blue)| [*red, *green, *blue, 255]).collect()
}
