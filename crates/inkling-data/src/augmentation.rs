//! Parameters of random image augmentation. The GPU resamples the images; this module only says
//! where each output pixel comes from, as one affine map per image.

use crate::random::Numbers;
use crate::{DataError, ImageShape};

/// How images are varied at random during training; the default varies nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Augmentation {
    /// Shifts by a uniform whole number of pixels up to this far in each direction, which is what
    /// cropping at random from an image padded by as much does.
    pub crop_padding: u32,
    /// Mirrors left and right with probability ½.
    pub flip: bool,
    /// Turns by a uniform angle up to this many degrees either way; `0..=180`.
    pub rotation_degrees: f32,
    /// Magnifies by a uniform factor of `1 − scale ..= 1 + scale`; in `0..1`.
    pub scale: f32,
    /// Turns by a uniform number of quarter turns, before everything else. Images that are not
    /// square make half turns only.
    pub quarter_turns: bool,
}

/// The map of images that are not augmented.
pub const IDENTITY: [f32; 6] = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0];

impl Augmentation {
    /// Whether nothing is varied.
    pub fn is_identity(&self) -> bool {
        *self == Augmentation::default()
    }

    /// Refuses numbers that are negative, too large, or not finite.
    ///
    /// # Errors
    /// `DataError::Setting` naming the field.
    pub fn check(&self) -> Result<(), DataError> {
        let refuse =
            |name, value: String, remedy: &str| Err(DataError::Setting { name, value, remedy: remedy.to_owned() });
        if !(0.0..=180.0).contains(&self.rotation_degrees) {
            let value = self.rotation_degrees.to_string();
            return refuse("rotation_degrees", value, "choose 0 to 180 degrees");
        }
        if !(0.0..1.0).contains(&self.scale) {
            return refuse("scale", self.scale.to_string(), "choose 0 or more and less than 1");
        }
        if self.crop_padding > 1024 {
            let value = self.crop_padding.to_string();
            return refuse("crop_padding", value, "choose 0 to 1024 pixels");
        }
        Ok(())
    }

    /// The map of one image, a pure function of its arguments.
    ///
    /// `[a, b, c, d, e, f]` takes the centre (x, y) of an output pixel, whose first centre is
    /// (½, ½), to the source point (a x + b y + c, d x + e y + f) in the same coordinates; x counts
    /// columns and y rows. With nothing to vary it is exactly [`IDENTITY`]. `image` numbers the
    /// images of the episode, query images after the support.
    ///
    /// Every image owns a block of random numbers in fixed places, so that switching one variation
    /// on or off leaves the others as they are.
    pub fn affine(&self, shape: ImageShape, seed: u64, episode: u64, image: u32) -> [f32; 6] {
        if self.is_identity() {
            return IDENTITY;
        }
        let mut numbers = Numbers::new(b"augment ", seed, 0, episode).item(image);
        let [turn, mirror, angle, zoom, right, down] = core::array::from_fn(|_| numbers.unit());
        let matrix = self.matrix(shape, turn, mirror, angle, zoom);
        let padding = f64::from(self.crop_padding);
        // ⌊u (2p + 1)⌋ − p is uniform over the whole numbers −p..=p.
        let shift = |unit: f64| libm::floor(unit * (2.0 * padding + 1.0)) - padding;
        let centre = (f64::from(shape.width) / 2.0, f64::from(shape.height) / 2.0);
        let [[a, b], [d, e]] = matrix;
        // source = M (output − centre + shift) + centre
        let (x, y) = (shift(right) - centre.0, shift(down) - centre.1);
        [a, b, a * x + b * y + centre.0, d, e, d * x + e * y + centre.1].map(|value| value as f32)
    }

    /// The linear part about the image's centre; each of the units decides one variation.
    fn matrix(&self, shape: ImageShape, turn: f64, mirror: f64, angle: f64, zoom: f64) -> [[f64; 2]; 2] {
        let (sin, cos) = if self.rotation_degrees > 0.0 {
            let degrees = (2.0 * angle - 1.0) * f64::from(self.rotation_degrees);
            let radians = degrees * core::f64::consts::PI / 180.0;
            (libm::sin(radians), libm::cos(radians))
        } else {
            (0.0, 1.0)
        };
        let mut matrix = [[cos, -sin], [sin, cos]];
        if self.scale > 0.0 {
            // Magnifying by s reads the source at 1/s of the distance.
            let factor = 1.0 + (2.0 * zoom - 1.0) * f64::from(self.scale);
            matrix = matrix.map(|row| row.map(|value| value / factor));
        }
        if self.flip && mirror < 0.5 {
            matrix = matrix.map(|[x, y]| [-x, y]);
        }
        if self.quarter_turns {
            let quarters = libm::floor(turn * 4.0) as u32;
            let quarters = if shape.width == shape.height { quarters } else { quarters / 2 * 2 };
            for _ in 0..quarters {
                let [x, y] = matrix;
                matrix = [y.map(|value| -value), x];
            }
        }
        // Negating a zero leaves −0, which a reader of the numbers would trip over.
        matrix.map(|row| row.map(|value| value + 0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SQUARE: ImageShape = ImageShape { channels: 1, height: 28, width: 28 };
    const WIDE: ImageShape = ImageShape { channels: 1, height: 20, width: 30 };

    fn apply(map: [f32; 6], x: f32, y: f32) -> (f32, f32) {
        (map[0] * x + map[1] * y + map[2], map[3] * x + map[4] * y + map[5])
    }

    fn all(episodes: u64, augmentation: &Augmentation, shape: ImageShape) -> Vec<[f32; 6]> {
        (0..episodes).map(|episode| augmentation.affine(shape, 1, episode, 3)).collect()
    }

    #[test]
    fn nothing_to_vary_is_the_identity_to_the_bit() {
        let bits = |map: [f32; 6]| map.map(f32::to_bits);
        let none = Augmentation::default().affine(SQUARE, 1, 2, 3);
        assert_eq!(bits(none), bits([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]));
        // A variation that happens to draw nothing gives the same bits on the long way.
        let flips = Augmentation { flip: true, ..Augmentation::default() };
        let maps = all(20, &flips, WIDE);
        assert!(maps.iter().any(|&map| bits(map) == bits(IDENTITY)), "{maps:?}");
    }

    #[test]
    fn flips_and_quarter_turns_permute_pixel_centres() {
        let turned = Augmentation { flip: true, quarter_turns: true, ..Augmentation::default() };
        let mut seen: Vec<[i32; 4]> = Vec::new();
        for map in all(100, &turned, SQUARE) {
            let (x, y) = apply(map, 0.5, 1.5);
            assert!([x, y].iter().all(|c| *c > 0.0 && *c < 28.0 && c.fract() == 0.5), "{map:?}");
            seen.push([map[0], map[1], map[3], map[4]].map(|value| value as i32));
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 8, "all symmetries of the square");
        for map in all(50, &turned, WIDE) {
            let (x, y) = apply(map, 0.5, 0.5);
            assert!(x > 0.0 && x < 30.0 && y > 0.0 && y < 20.0, "{map:?}");
        }
    }

    #[test]
    fn crops_shift_by_whole_pixels_evenly() {
        let crop = Augmentation { crop_padding: 2, ..Augmentation::default() };
        let mut hits = [0; 5];
        for map in all(1000, &crop, WIDE) {
            assert_eq!([map[0], map[1], map[3], map[4]], [1.0, 0.0, 0.0, 1.0]);
            assert!(map[5].abs() <= 2.0 && map[5].fract() == 0.0);
            hits[(map[2] + 2.0) as usize] += 1;
        }
        // 200 expected, standard deviation 12.6.
        assert!(hits.iter().all(|count: &i32| (count - 200).abs() < 64), "{hits:?}");
    }

    #[test]
    fn variations_are_drawn_independently() {
        let crop = Augmentation { crop_padding: 3, ..Augmentation::default() };
        let both = Augmentation { rotation_degrees: 20.0, ..crop.clone() };
        let moved = all(30, &both, SQUARE).iter().zip(all(30, &crop, SQUARE)).all(|(both, crop)| {
            // The shift is where the map sends the output centre minus the shift to the centre.
            let (x, y) = apply(*both, 14.0 - crop[2], 14.0 - crop[5]);
            (x - 14.0).abs() < 1e-4 && (y - 14.0).abs() < 1e-4
        });
        assert!(moved, "rotation leaves the crop of each image as it was");
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        let refused = |augmentation: Augmentation| augmentation.check().is_err();
        let base = Augmentation::default();
        for degrees in [f32::NAN, -1.0, 181.0, f32::INFINITY] {
            assert!(refused(Augmentation { rotation_degrees: degrees, ..base.clone() }));
        }
        for scale in [f32::NAN, -0.1, 1.0] {
            assert!(refused(Augmentation { scale, ..base.clone() }));
        }
        assert!(refused(Augmentation { crop_padding: u32::MAX, ..base.clone() }));
        assert!(base.check().is_ok());
    }

    proptest! {
        #[test]
        fn maps_stay_within_their_bounds(
            rotation_degrees in 0.0f32..180.0, scale in 0.0f32..0.9, flip in any::<bool>(),
            crop_padding in 0u32..5, seed in any::<u64>(), image in any::<u32>(),
        ) {
            let augmentation = Augmentation {
                crop_padding, flip, rotation_degrees, scale, quarter_turns: true,
            };
            let map = augmentation.affine(SQUARE, seed, 9, image);
            let area = (map[0] * map[4] - map[1] * map[3]).abs();
            let (low, high) = ((1.0 + scale).powi(-2), (1.0 - scale).powi(-2));
            // f32 rounding of the six numbers: a few parts in 10⁶.
            prop_assert!(area > low * 0.99999 && area < high * 1.00001, "{area} {low} {high}");
            let (x, y) = apply(map, 14.0, 14.0);
            let reach = (2.0f32).sqrt() * crop_padding as f32 / (1.0 - scale) + 1e-3;
            prop_assert!((x - 14.0).hypot(y - 14.0) <= reach);
        }
    }
}
