//! Frames of a camera as images of a class: the square in the middle, brought to a size that any
//! learner can use and a project can hold by the hundred.

use inkling_session::teach::RgbaImage;

use crate::services::CameraFrame;

/// The most pixels along a side of an image that a camera gave.
const MOST_SIDE: usize = 256;

/// The square in the middle of a frame, averaged down to at most 256 pixels a side; none for a frame
/// whose bytes do not fit its size.
pub(crate) fn still(frame: &CameraFrame) -> Option<RgbaImage> {
    let (width, height) = (frame.width as usize, frame.height as usize);
    if frame.rgba.len() != width * height * 4 {
        return None;
    }
    let square = width.min(height);
    let side = square.min(MOST_SIDE);
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
                let bytes = frame.rgba.get(line + columns.start * 4..line + columns.end * 4).unwrap_or_default();
                for pixel in bytes.chunks_exact(4) {
                    sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += usize::from(*value));
                    count += 1;
                }
            }
            pixels.extend(sums.map(|sum| (sum / count.max(1)) as u8));
        }
    }
    RgbaImage::new(side as u32, side as u32, pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_still_is_the_middle_of_its_frame() {
        // Red on the left and right, green in the middle square.
        let (width, height) = (640, 480);
        let pixel = |x: u32| if (80..560).contains(&x) { [0, 200, 0, 255] } else { [200, 0, 0, 255] };
        let rgba = (0..height).flat_map(|_| (0..width).flat_map(pixel)).collect();
        let image = still(&CameraFrame { width, height, rgba }).unwrap();
        assert_eq!((image.width(), image.height()), (256, 256));
        assert!(image.pixels().chunks_exact(4).all(|pixel| pixel == [0, 200, 0, 255]));
    }

    #[test]
    fn small_frames_stay_as_they_are_and_torn_ones_are_none() {
        let rgba: Vec<u8> = (0..3 * 3 * 4).collect();
        let image = still(&CameraFrame { width: 3, height: 3, rgba: rgba.clone() }).unwrap();
        assert_eq!(image.pixels()[..], rgba);
        assert_eq!(still(&CameraFrame { width: 4, height: 3, rgba }), None);
        assert_eq!(still(&CameraFrame::default()), None);
    }
}
