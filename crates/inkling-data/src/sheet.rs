//! A contact sheet: one episode as one picture.

use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};

use crate::{DataError, Episode, ImageShape};

/// Small images are magnified by a whole factor to about this many pixels.
const CELL_PIXELS: u32 = 64;
/// No side of a sheet is longer, unless there are more images in a row than this has pixels.
const MAX_SIDE: u32 = 8192;
const GAP: u32 = 2;
/// The separator between support and query: a line between two gaps.
const SEPARATOR: u32 = 3 * GAP;
const PAPER: Rgb<u8> = Rgb([32, 32, 36]);
const LINE: Rgb<u8> = Rgb([235, 180, 60]);

/// Lays out an episode: one row per class, its support images on the left and its query images on
/// the right of a thin line.
///
/// Small images are magnified; those of large episodes are shrunk (to the nearest pixel) until the
/// sheet's sides are at most 8192 pixels.
pub fn contact_sheet(episode: &Episode) -> RgbImage {
    let ways = episode.ways();
    let columns =
        |labels: &[u32]| (0..ways).map(|label| labels.iter().filter(|&&one| one == label).count() as u32).max();
    let support_columns = columns(episode.support_labels()).unwrap_or(0);
    let query_columns = columns(episode.query_labels()).unwrap_or(0);
    let cell = cell_size(episode.image_shape(), ways, support_columns + query_columns);
    let step = (cell.0 + GAP, cell.1 + GAP);
    let line = GAP + support_columns * step.0;
    let query_left = line + SEPARATOR;
    let size = (query_left + query_columns * step.0, GAP + ways * step.1);

    let mut sheet = RgbImage::from_pixel(size.0, size.1, PAPER);
    for y in 0..size.1 {
        (line..line + GAP).for_each(|x| sheet.put_pixel(x, y, LINE));
    }
    let sides =
        [(GAP, episode.support(), episode.support_labels()), (query_left, episode.query(), episode.query_labels())];
    for (left, images, labels) in sides {
        let mut placed = vec![0; ways as usize];
        for (pixels, &label) in images.iter().zip(labels) {
            let corner = (left + placed[label as usize] * step.0, GAP + label * step.1);
            placed[label as usize] += 1;
            paint(&mut sheet, corner, cell, pixels, episode.image_shape());
        }
    }
    sheet
}

/// The bytes of a picture as PNG.
///
/// # Errors
/// `DataError::Encode` when the encoder fails.
pub fn png_bytes(picture: &RgbImage) -> Result<Vec<u8>, DataError> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).map_err(|error| DataError::Encode(error.to_string()))?;
    Ok(bytes.into_inner())
}

/// Columns and rows of pixels that an image takes on the sheet.
fn cell_size(shape: ImageShape, rows: u32, columns: u32) -> (u32, u32) {
    let factor = (CELL_PIXELS / shape.width.max(shape.height).max(1)).max(1);
    let fit = |pixels: u32, count: u32| (pixels * factor).min((MAX_SIDE / count.max(1)).saturating_sub(GAP)).max(1);
    (fit(shape.width, columns), fit(shape.height, rows))
}

fn paint(sheet: &mut RgbImage, corner: (u32, u32), cell: (u32, u32), pixels: &[u8], shape: ImageShape) {
    let plane = (shape.width * shape.height) as usize;
    // Grey images have one plane that serves all three colours.
    let planes = [0, 1, 2].map(|channel: usize| channel.min(shape.channels as usize - 1) * plane);
    for y in 0..cell.1 {
        let row = y * shape.height / cell.1;
        for x in 0..cell.0 {
            let at = (row * shape.width + x * shape.width / cell.0) as usize;
            let colour = planes.map(|plane| pixels.get(plane + at).copied().unwrap_or(0));
            sheet.put_pixel(corner.0 + x, corner.1 + y, Rgb(colour));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::episode::tests::Numbered;
    use crate::{EpisodePlan, EpisodeSpec, Split};

    #[test]
    fn every_image_stands_in_its_row() {
        let set = Numbered(vec![20; 9]);
        let spec = EpisodeSpec::Fixed { ways: 3, shots: 2, queries: 4 };
        let plan = EpisodePlan::draw(&set, Split::Test, &spec, 1, 0).unwrap();
        let sheet = contact_sheet(&plan.load(&set).unwrap());
        // Images of one pixel are magnified 64 times; their bytes are split, class and index.
        assert_eq!(sheet.dimensions(), (2 + 6 * 66 + 6, 2 + 3 * 66));
        for (label, &class) in plan.classes().iter().enumerate() {
            let ids = plan.support().iter().chain(plan.query());
            for (column, id) in ids.filter(|id| id.class == class).enumerate() {
                let separator = if column < 2 { 0 } else { 6 };
                let (x, y) = (10 + column as u32 * 66 + separator, 10 + label as u32 * 66);
                assert_eq!(sheet.get_pixel(x, y).0, [2, class as u8, id.index as u8]);
            }
        }
        let png = png_bytes(&sheet).unwrap();
        assert_eq!(image::load_from_memory(&png).unwrap().into_rgb8(), sheet);
    }

    #[test]
    fn large_episodes_still_fit() {
        let shape = ImageShape { channels: 3, height: 224, width: 224 };
        let (width, height) = cell_size(shape, 50, 500);
        assert!(500 * (width + GAP) <= MAX_SIDE && 50 * (height + GAP) <= MAX_SIDE);
        assert_eq!(cell_size(shape, 5, 10), (224, 224));
    }
}
