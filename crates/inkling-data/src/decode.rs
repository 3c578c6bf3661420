//! From the bytes of an image file to the planar bytes of a data set's shape: decoding within
//! limits, EXIF orientation, transparency, cropping and resizing.

use std::io::Cursor;

use fast_image_resize as fir;
use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use crate::gate::ByteGate;
use crate::{DataError, Framing, Pixels};

/// The most bytes of an encoded image.
pub(crate) const MAX_FILE_BYTES: u64 = 256 << 20;
/// The most columns or rows of an encoded image: panoramas pass, bombs do not.
const MAX_SIDE: u32 = 32_768;
/// The most pixels of an encoded image; 16-bit RGBA then needs the 512 MiB of `MAX_DECODED_BYTES`.
const MAX_PIXELS: u64 = 1 << 26;
const MAX_DECODED_BYTES: u64 = 512 << 20;
/// The largest side of a data set's images.
const MAX_IMAGE_SIZE: u32 = 2048;

/// File extensions, in lower case, that count as images.
const EXTENSIONS: [&str; 6] = ["jpg", "jpeg", "png", "webp", "bmp", "gif"];

/// Whether the name ends in an extension of a supported image format.
pub(crate) fn has_image_extension(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ext)| EXTENSIONS.iter().any(|known| ext.eq_ignore_ascii_case(known)))
}

/// Refuses image sizes that no network of this project could take.
pub(crate) fn check_image_size(size: u32) -> Result<u32, DataError> {
    if (1..=MAX_IMAGE_SIZE).contains(&size) {
        return Ok(size);
    }
    Err(DataError::Setting {
        name: "image_size",
        value: size.to_string(),
        remedy: format!("choose 1 to {MAX_IMAGE_SIZE} pixels"),
    })
}

/// [`decode_within`] no bounds.
#[cfg(test)]
pub(crate) fn decode(bytes: &[u8], name: &str, framing: impl Into<Framing>) -> Result<Pixels, DataError> {
    decode_within(bytes, name, framing.into(), &ByteGate::new(0))
}

/// Decodes an image and brings it to a framing: upright, opaque, centre cropped, scaled. The bytes
/// that this takes go through a gate.
///
/// One channel takes the luminance, three take red, green and blue; transparent pixels are laid
/// over white; of an animation the first frame is taken.
///
/// # Errors
/// `DataError::Image` for anything but a whole JPEG, PNG, WebP, BMP or GIF;
/// `DataError::ImageTooLarge` before decoding an image over the limits.
pub(crate) fn decode_within(bytes: &[u8], name: &str, framing: Framing, gate: &ByteGate) -> Result<Pixels, DataError> {
    let mut decoder = open(bytes, name)?;
    let orientation = orientation(&mut decoder);
    let _pass = gate.enter(decoding_bytes(&decoder, orientation, bytes));
    fit(upright(decoder, orientation, name)?, name, framing)
}

/// Brings a decoded image to a framing as [`decode_within`] does.
pub(crate) fn fit(upright: DynamicImage, name: &str, framing: Framing) -> Result<Pixels, DataError> {
    let (width, height) = (upright.width(), upright.height());
    let (samples, pixel_type) = match framing.shape().channels {
        1 => (flatten(upright).into_luma8().into_raw(), fir::PixelType::U8),
        3 => (flatten(upright).into_rgb8().into_raw(), fir::PixelType::U8x3),
        other => {
            return Err(DataError::Setting {
                name: "channels",
                value: other.to_string(),
                remedy: "images have 1 channel (grey) or 3 (red, green, blue)".to_owned(),
            });
        }
    };
    let resized = cover(width, height, samples, pixel_type, name, framing)?;
    Ok(planar(&resized, framing.shape().channels as usize))
}

/// Brings interleaved bytes `[height, width, 3]` to a framing of three channels.
///
/// # Errors
/// `DataError::Image` when the bytes are not as many as the size says.
pub(crate) fn fit_rgb(
    width: u32,
    height: u32,
    interleaved: Vec<u8>,
    name: &str,
    framing: Framing,
) -> Result<Pixels, DataError> {
    Ok(planar(&cover(width, height, interleaved, fir::PixelType::U8x3, name, framing)?, 3))
}

/// Decodes within the limits and undoes the camera's rotation.
pub(crate) fn decode_upright(bytes: &[u8], name: &str) -> Result<DynamicImage, DataError> {
    let mut decoder = open(bytes, name)?;
    let orientation = orientation(&mut decoder);
    upright(decoder, orientation, name)
}

/// How the camera was held. A broken EXIF block is no reason to refuse intact pixels.
fn orientation(decoder: &mut impl ImageDecoder) -> Orientation {
    decoder.orientation().unwrap_or(Orientation::NoTransforms)
}

fn upright(decoder: impl ImageDecoder, orientation: Orientation, name: &str) -> Result<DynamicImage, DataError> {
    let mut decoded = DynamicImage::from_decoder(decoder).map_err(|error| DataError::image(name, error))?;
    decoded.apply_orientation(orientation);
    Ok(decoded)
}

/// The most bytes that decoding takes beside the file's: the pixels, a turned or converted copy, and
/// the coefficients of a progressive JPEG, which are all there before the first pixel.
fn decoding_bytes(decoder: &impl ImageDecoder, orientation: Orientation, file: &[u8]) -> u64 {
    let (width, height) = decoder.dimensions();
    let values = u64::from(width) * u64::from(height) * 3;
    let decoded = decoder.total_bytes();
    let turned = if orientation == Orientation::NoTransforms { 0 } else { decoded };
    let converted = if decoder.color_type() == ColorType::Rgb8 { 0 } else { 2 * values };
    let coefficients = if is_progressive_jpeg(file) { 2 * values } else { 0 };
    decoded + turned.max(converted) + coefficients
}

/// Reads the header of an image; refuses what is no image, truncated, empty or over the limits.
pub(crate) fn open<'b>(bytes: &'b [u8], name: &str) -> Result<impl ImageDecoder + 'b, DataError> {
    let mut reader =
        ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| DataError::image(name, error))?;
    match reader.format() {
        None => return Err(DataError::image(name, "no JPEG, PNG, WebP, BMP or GIF")),
        // The decoder paints what is missing of a truncated JPEG grey and reports success.
        Some(ImageFormat::Jpeg) if !jpeg_reaches_its_end(bytes) => {
            return Err(DataError::image(name, "the JPEG is truncated"));
        }
        Some(_) => {}
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(|error| DataError::image(name, error))?;
    let (width, height) = decoder.dimensions();
    let too_large = width.max(height) > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS;
    if too_large {
        return Err(DataError::ImageTooLarge {
            name: name.to_owned(),
            width,
            height,
            max_side: MAX_SIDE,
            max_pixels: MAX_PIXELS,
        });
    }
    if width == 0 || height == 0 {
        return Err(DataError::image(name, "it has no pixels"));
    }
    Ok(decoder)
}

/// Whether the bytes are a JPEG of which every scan covers the whole image.
fn is_progressive_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xd8]) && jpeg_has(bytes, 0xc2)
}

fn jpeg_reaches_its_end(bytes: &[u8]) -> bool {
    jpeg_has(bytes, 0xd9)
}

/// Walks the marker segments of a JPEG up to a marker (ITU T.81, annex B), of which the end of the
/// image is the last.
fn jpeg_has(bytes: &[u8], wanted: u8) -> bool {
    let mut at = 2;
    while let (Some(&byte), Some(&marker)) = (bytes.get(at), bytes.get(at + 1)) {
        at += match (byte, marker) {
            (0xff, found) if found == wanted => return true,
            (0xff, 0xd9 | 0xda) if wanted < 0xd0 => return false,
            // Stuffed zeros, restarts and fill bytes stand inside the entropy-coded data.
            (0xff, 0x00 | 0x01 | 0xd0..=0xd7) => 2,
            (0xff, 0xff) => 1,
            (0xff, _) => match (bytes.get(at + 2), bytes.get(at + 3)) {
                (Some(&high), Some(&low)) => 2 + usize::from(u16::from_be_bytes([high, low])),
                _ => return false,
            },
            _ => 1,
        };
    }
    false
}

/// Lays an image with transparency over white; leaves others alone.
pub(crate) fn flatten(image: DynamicImage) -> DynamicImage {
    if !image.color().has_alpha() {
        return image;
    }
    let mut rgba = image.into_rgba8();
    for pixel in rgba.pixels_mut() {
        let alpha = u32::from(pixel.0[3]);
        for channel in &mut pixel.0[..3] {
            *channel = ((u32::from(*channel) * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
        }
    }
    DynamicImage::ImageRgb8(DynamicImage::ImageRgba8(rgba).into_rgb8())
}

/// Cuts an image to what its framing shows and scales that to the shape.
fn cover(
    width: u32,
    height: u32,
    samples: Vec<u8>,
    pixel_type: fir::PixelType,
    name: &str,
    framing: Framing,
) -> Result<Vec<u8>, DataError> {
    if framing.is_identity(width, height) {
        return Ok(samples);
    }
    let shape = framing.shape();
    let source = fir::images::Image::from_vec_u8(width, height, samples, pixel_type)
        .map_err(|error| DataError::image(name, error))?;
    let mut target = fir::images::Image::new(shape.width, shape.height, pixel_type);
    // Catmull-Rom is a polynomial, so its weights are the same on every target; for shrinking its
    // support widens with the factor, which keeps fine textures from aliasing.
    let [left, top, crop_width, crop_height] = framing.crop(width, height);
    let options = fir::ResizeOptions::new().resize_alg(fir::ResizeAlg::Convolution(fir::FilterType::CatmullRom)).crop(
        left,
        top,
        crop_width,
        crop_height,
    );
    fir::Resizer::new().resize(&source, &mut target, &options).map_err(|error| DataError::image(name, error))?;
    Ok(target.into_vec())
}

/// `[height, width, channels]` to `[channels, height, width]`.
fn planar(interleaved: &[u8], channels: usize) -> Pixels {
    if channels == 1 {
        return interleaved.into();
    }
    (0..channels).flat_map(|channel| interleaved.iter().skip(channel).step_by(channels)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ImageShape;
    use image::{Rgb, RgbImage, Rgba, RgbaImage};

    const SHAPE: ImageShape = ImageShape { channels: 3, height: 8, width: 8 };

    fn encode(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.into().write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    /// Red left half, blue right half.
    fn two_colours(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, _| if x < width / 2 { Rgb([250, 0, 0]) } else { Rgb([0, 0, 250]) })
    }

    /// A minimal APP1 segment with nothing but an orientation, placed behind the start marker.
    fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
        let mut tiff = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
        tiff.extend([orientation, 0, 0, 0, 0, 0, 0]);
        let length = (tiff.len() + 2) as u16;
        let mut bytes = vec![0xff, 0xd8, 0xff, 0xe1];
        bytes.extend(length.to_be_bytes());
        bytes.extend(tiff);
        bytes.extend(&jpeg[2..]);
        bytes
    }

    #[test]
    fn every_format_gives_planar_pixels_of_the_shape() {
        use ImageFormat::{Bmp, Gif, Jpeg, Png, WebP};
        for format in [Png, Jpeg, WebP, Bmp, Gif] {
            let pixels = decode(&encode(two_colours(32, 16), format), "x", SHAPE).unwrap();
            assert_eq!(pixels.len(), SHAPE.bytes());
            let (red, blue) = (&pixels[..64], &pixels[128..]);
            // JPEG and the palette of GIF are lossy; the halves stay far apart in any format.
            assert!(red[8] > 220 && red[15] < 40, "{format:?}: {red:?}");
            assert!(blue[8] < 40 && blue[15] > 220, "{format:?}: {blue:?}");
        }
    }

    #[test]
    fn orientation_is_undone() {
        let jpeg = encode(two_colours(16, 16), ImageFormat::Jpeg);
        let top = |orientation| {
            let pixels = decode(&with_orientation(&jpeg, orientation), "x", SHAPE).unwrap();
            (pixels[4], pixels[60]) // the red of the first and of the last row, in the middle
        };
        // Orientation 6: the picture is turned a quarter clockwise, its left side becomes the top.
        let (first, last) = top(6);
        assert!(first > 200 && last < 60, "{first} {last}");
        let (first, last) = top(8);
        assert!(first < 60 && last > 200, "{first} {last}");
    }

    #[test]
    fn wide_images_are_cropped_in_the_centre() {
        let mut wide = RgbImage::from_pixel(24, 8, Rgb([0, 0, 0]));
        for (x, _, pixel) in wide.enumerate_pixels_mut() {
            if (8..16).contains(&x) {
                *pixel = Rgb([200, 100, 50]);
            }
        }
        let pixels = decode(&encode(wide, ImageFormat::Png), "x", SHAPE).unwrap();
        assert!(pixels[..64].iter().all(|&red| red == 200));
        assert!(pixels[64..128].iter().all(|&green| green == 100));
        assert!(pixels[128..].iter().all(|&blue| blue == 50));
    }

    #[test]
    fn a_share_below_one_leaves_the_border_out() {
        // The middle half of a white image is black.
        let inside = |at| (8..24).contains(&at);
        let framed = RgbImage::from_fn(32, 32, |x, y| Rgb([if inside(x) && inside(y) { 0 } else { 255 }; 3]));
        let bytes = encode(framed, ImageFormat::Png);
        let mean = |share| {
            let pixels = decode(&bytes, "x", Framing::new(SHAPE, share).unwrap()).unwrap();
            pixels.iter().map(|&value| f64::from(value)).sum::<f64>() / pixels.len() as f64
        };
        // White covers 3/4 of the whole; a resampled edge weighs its two sides alike.
        assert!((mean(1.0) - 0.75 * 255.0).abs() < 2.0, "{}", mean(1.0));
        assert!(mean(0.75) < 0.75 * mean(1.0) && mean(0.25) == 0.0, "{} {}", mean(0.75), mean(0.25));
        // An image of the shape is cropped too.
        let same = decode(&encode(two_colours(8, 8), ImageFormat::Png), "x", Framing::new(SHAPE, 0.5).unwrap());
        assert_eq!(same.unwrap()[..64].iter().filter(|&&red| red > 128).count(), 32);
    }

    #[test]
    fn transparency_shows_white_and_grey_is_luminance() {
        let clear = RgbaImage::from_pixel(8, 8, Rgba([10, 20, 30, 0]));
        let pixels = decode(&encode(clear, ImageFormat::Png), "x", SHAPE).unwrap();
        assert!(pixels.iter().all(|&value| value == 255));
        let grey = ImageShape { channels: 1, ..SHAPE };
        let green = RgbImage::from_pixel(8, 8, Rgb([0, 255, 0]));
        let pixels = decode(&encode(green, ImageFormat::Png), "x", grey).unwrap();
        assert_eq!(pixels.len(), 64);
        // Rec. 709 luminance of pure green is 0.7152 · 255 = 182.4.
        assert!(pixels.iter().all(|&value| value.abs_diff(182) <= 1), "{}", pixels[0]);
    }

    #[test]
    fn truncation_is_an_error_in_every_format() {
        use ImageFormat::{Bmp, Gif, Jpeg, Png, WebP};
        let noise = RgbImage::from_fn(40, 40, |x, y| {
            let value = (x * 7919 + y * 104_729).wrapping_mul(2_654_435_761);
            Rgb([(value >> 8) as u8, (value >> 16) as u8, (value >> 24) as u8])
        });
        for format in [Png, Jpeg, WebP, Bmp, Gif] {
            let whole = encode(noise.clone(), format);
            for keep in [0, 3, whole.len() / 3, whole.len() / 2, whole.len() * 3 / 4] {
                let result = decode(&whole[..keep], "cut.file", SHAPE);
                let error = result.expect_err(&format!("{format:?} cut to {keep} bytes")).to_string();
                assert!(error.contains("cut.file"), "{error}");
            }
        }
    }

    #[test]
    fn what_decoding_takes_is_known_from_the_header() {
        let bytes_of = |file: &[u8]| {
            let mut decoder = open(file, "x").unwrap();
            let orientation = orientation(&mut decoder);
            decoding_bytes(&decoder, orientation, file)
        };
        let jpeg = encode(two_colours(40, 20), ImageFormat::Jpeg);
        let decoded = 40 * 20 * 3;
        assert_eq!(bytes_of(&jpeg), decoded);
        assert_eq!(bytes_of(&with_orientation(&jpeg, 6)), 2 * decoded, "a turned copy");
        let clear = RgbaImage::from_pixel(40, 20, Rgba([10, 20, 30, 0]));
        assert_eq!(bytes_of(&encode(clear, ImageFormat::Png)), 40 * 20 * 4 + 2 * decoded, "laid over white");
        // A frame header of another kind.
        let frame = jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
        let mut progressive = jpeg.clone();
        progressive[frame + 1] = 0xc2;
        assert!(is_progressive_jpeg(&progressive) && !is_progressive_jpeg(&jpeg));
    }

    #[test]
    fn a_declared_size_over_the_limit_is_refused_before_decoding() {
        let mut bytes = encode(two_colours(4, 4), ImageFormat::Bmp);
        bytes[18..22].copy_from_slice(&30_000u32.to_le_bytes());
        bytes[22..26].copy_from_slice(&30_000u32.to_le_bytes());
        let error = decode(&bytes, "bomb.bmp", SHAPE).unwrap_err();
        assert!(matches!(error, DataError::ImageTooLarge { width: 30_000, .. }), "{error}");
    }
}
