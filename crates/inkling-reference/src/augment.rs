//! Twin of decoding and augmentation.

use crate::{AugmentParams, Real};

/// Transforms each image geometrically and normalises it: pixels packed four bytes to a word,
/// affines `[images, 6]`, output `[images, channels, out_height, out_width]`.
pub fn augment<F: Real>(params: &AugmentParams, pixels: &[u32], affines: &[F], output: &mut [F]) {
    let [channels, in_height, in_width, out_height, out_width] =
        [params.channels, params.in_height, params.in_width, params.out_height, params.out_width]
            .map(|value| value as usize);
    let in_pixels = in_height * in_width;
    let image_bytes = (channels * in_pixels).next_multiple_of(4);
    let half = F::of(0.5);
    let full = F::of(255.0);
    let mut out = output.iter_mut();
    for image in 0..params.images as usize {
        let affine = &affines[params.affine_offset as usize + 6 * image..][..6];
        for channel in 0..channels {
            let plane = params.pixel_offset as usize + image * image_bytes + channel * in_pixels;
            let tap = |x: f64, y: f64| {
                let inside = x >= 0.0 && y >= 0.0 && x < in_width as f64 && y < in_height as f64;
                if !inside {
                    return F::of(params.fill.into()) * full;
                }
                let byte = plane + y as usize * in_width + x as usize;
                F::of(f64::from(pixels[byte / 4].to_le_bytes()[byte % 4]))
            };
            for out_y in 0..out_height {
                for out_x in 0..out_width {
                    let (x, y) = (F::count(out_x) + half, F::count(out_y) + half);
                    let u = affine[0] * x + affine[1] * y + affine[2] - half;
                    let v = affine[3] * x + affine[4] * y + affine[5] - half;
                    let (left, top) = (u.floor().as_f64(), v.floor().as_f64());
                    let (across, down) = (u - u.floor(), v - v.floor());
                    let mix = |a: F, b: F, share: F| a + (b - a) * share;
                    let upper = mix(tap(left, top), tap(left + 1.0, top), across);
                    let lower = mix(tap(left, top + 1.0), tap(left + 1.0, top + 1.0), across);
                    let value = mix(upper, lower, down) / full;
                    let mean = F::of(params.mean[channel].into());
                    let inverse_std = F::of(params.inverse_std[channel].into());
                    if let Some(out) = out.next() {
                        *out = (value - mean) * inverse_std;
                    }
                }
            }
        }
    }
}
