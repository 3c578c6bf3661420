//! One photograph of an object: where it lies, where the light comes from, what stands behind it
//! and what hides a little of it. Coordinates of the image are `-1..=1` each way, so that every
//! resolution shows the same scene.

use std::f32::consts::TAU;

use crate::raster::{Point, Stream, Turn, pixel_range, to_byte};

use super::object::{Object, weathered};
use super::paint::{Paint, Rgb, Texture, blend, hsv, noise};

const SCENE: u64 = 0x5e;

/// Backgrounds are plain, striped, checked or noisy.
const BACKGROUND_PATTERNS: [u32; 8] = [3, 2, 1, 1, 1, 0, 1, 4];

/// A light from far away.
struct Light {
    /// The direction it comes from, in the plane of the image; shorter than one.
    from: Point,
    /// How much it comes from the front.
    frontal: f32,
    ambient: f32,
    strength: f32,
    /// A factor for each channel: the colour of the light and the exposure.
    cast: Rgb,
}

impl Light {
    fn draw(draw: &mut Stream) -> Self {
        let slope = draw.range(0.45, 0.85);
        let exposure = draw.range(0.75, 1.15);
        Self {
            from: Turn::by(draw.range(0.0, TAU)).apply(Point::new(slope, 0.0)),
            frontal: (1.0 - slope * slope).sqrt(),
            ambient: draw.range(0.35, 0.55),
            strength: draw.range(0.6, 0.9),
            cast: [(); 3].map(|()| exposure * draw.range(0.9, 1.08)),
        }
    }
}

/// Where an object lies: a projective map from the image to the object.
struct Pose {
    at: Point,
    scale: f32,
    turn: Turn,
    mirror: f32,
    shear: f32,
    tilt: Point,
}

impl Pose {
    fn to_object(&self, p: Point) -> Point {
        let q = self.turn.undo(p - self.at) * (1.0 / self.scale);
        // The floor only matters outside the object: its tilt is below 0.22.
        let depth = 1.0 / (1.0 + self.tilt.dot(q)).max(0.3);
        Point::new((q.x + self.shear * q.y) * self.mirror, q.y) * depth
    }

    /// How far from `at` the points within `radius` of the object's middle can lie.
    fn reach(&self, radius: f32) -> f32 {
        // |q| ≤ radius · (1 + |shear|) · (1 + |tilt| · |q|), solved for |q|.
        let sheared = radius * (1.0 + self.shear.abs());
        self.scale * sheared / (1.0 - self.tilt.length() * sheared).max(0.3)
    }
}

struct Canvas {
    size: u32,
    pixels: Vec<Rgb>,
}

impl Canvas {
    /// Lets `paint` change every pixel whose centre lies within `reach` of `at`, squarely.
    fn paint(&mut self, at: Point, reach: f32, mut paint: impl FnMut(Point, &mut Rgb)) {
        let half = 0.5 * self.size as f32;
        let columns = pixel_range((at.x - reach + 1.0) * half, (at.x + reach + 1.0) * half, self.size);
        let rows = pixel_range((at.y - reach + 1.0) * half, (at.y + reach + 1.0) * half, self.size);
        for row in rows {
            let y = (row as f32 + 0.5) / half - 1.0;
            for column in columns.clone() {
                let x = (column as f32 + 0.5) / half - 1.0;
                let pixel = row as usize * self.size as usize + column as usize;
                paint(Point::new(x, y), &mut self.pixels[pixel]);
            }
        }
    }

    /// The side of a pixel.
    fn pixel(&self) -> f32 {
        2.0 / self.size as f32
    }

    fn object(&mut self, object: &Object, pose: &Pose, light: &Light) {
        let pixel = self.pixel() / pose.scale;
        let parts: Vec<Lit> = object
            .parts
            .iter()
            .filter_map(|part| {
                let from = pose.turn.undo(light.from);
                let from = Point::new(from.x * pose.mirror, from.y);
                Some(Lit {
                    part,
                    paint: object.paints.get(part.paint)?,
                    reach: part.shape.reach() + pixel,
                    depth: part.shape.depth().max(0.02),
                    from: part.turn.undo(from),
                })
            })
            .collect();
        let limit = 1.0 + pixel;
        self.paint(pose.at, pose.reach(limit), |p, colour| {
            let q = pose.to_object(p);
            if q.dot(q) > limit * limit {
                return;
            }
            for lit in &parts {
                lit.cover(q, pixel, light, colour);
            }
        });
    }

    /// Planar bytes `[3, size, size]` under the light's cast.
    fn into_bytes(self, cast: Rgb) -> Vec<u8> {
        let channel = |c: usize| {
            let factor = cast[c];
            self.pixels.iter().map(move |pixel| to_byte((pixel[c] * factor).clamp(0.0, 1.0)))
        };
        channel(0).chain(channel(1)).chain(channel(2)).collect()
    }
}

/// A part with what its pixels have in common.
struct Lit<'a> {
    part: &'a super::object::Part,
    paint: &'a Paint,
    reach: f32,
    depth: f32,
    /// The direction of the light in the part's own frame.
    from: Point,
}

impl Lit<'_> {
    fn cover(&self, q: Point, pixel: f32, light: &Light, colour: &mut Rgb) {
        let offset = q - self.part.at;
        if offset.dot(offset) > self.reach * self.reach {
            return;
        }
        let p = self.part.turn.undo(offset);
        let sight = self.part.shape.see(p);
        let cover = (0.5 - sight.distance / pixel).clamp(0.0, 1.0);
        if cover <= 0.0 {
            return;
        }
        // A cushion: flat in the middle, turned away from the viewer at the outline.
        let steep = self.paint.relief * (1.0 + sight.distance / self.depth).clamp(0.0, 1.0);
        let steep = 0.9 * steep * steep;
        let facing = (1.0 - steep * steep).sqrt();
        let towards = steep * sight.outwards.dot(self.from) + facing * light.frontal;
        let lightness = light.ambient + light.strength * towards.max(0.0);
        let own = self.paint.colour(p, pixel).map(|c| c * lightness);
        *colour = blend(*colour, own, cover);
    }
}

/// The bytes `[3, size, size]` of image number `index` of a class.
pub(crate) fn photograph(object: &Object, universe: u64, seed: u32, index: u32, size: u32) -> Vec<u8> {
    let mut draw = Stream::new(universe, &[SCENE, u64::from(seed), u64::from(index)]);
    let light = Light::draw(&mut draw);
    let mut canvas = Canvas { size, pixels: vec![[0.0; 3]; size as usize * size as usize] };
    background(&mut canvas, &mut draw);
    let pose = Pose {
        at: Point::new(0.11 * draw.bell(), 0.11 * draw.bell()),
        scale: draw.range(0.74, 1.04),
        turn: Turn::by(0.3 * draw.bell()),
        mirror: if draw.chance(0.5) { 1.0 } else { -1.0 },
        shear: 0.1 * draw.bell(),
        tilt: Point::new(draw.range(-0.15, 0.15), draw.range(-0.15, 0.15)),
    };
    for _ in 0..draw.between(3, 7) {
        let at = Point::new(draw.range(-1.1, 1.1), draw.range(-1.1, 1.1));
        clutter(&mut canvas, at, 0.14, 0.42, &light, &mut draw);
    }
    let mut object = object.clone();
    object.paints = object.paints.map(|paint| weathered(&paint, &mut draw));
    canvas.object(&object, &pose, &light);
    for _ in 0..draw.below(3) {
        // At the rim of the object, so that it hides a corner and never the heart.
        let aside = Turn::by(draw.range(0.0, TAU)).apply(Point::new(pose.scale, 0.0));
        clutter(&mut canvas, pose.at + aside, 0.12, 0.3, &light, &mut draw);
    }
    canvas.into_bytes(light.cast)
}

fn clutter(canvas: &mut Canvas, at: Point, small: f32, large: f32, light: &Light, draw: &mut Stream) {
    let object = Object::distractor(draw);
    let pose = Pose {
        at,
        scale: draw.range(small, large),
        turn: Turn::by(draw.range(0.0, TAU)),
        mirror: 1.0,
        shear: 0.0,
        tilt: Point::default(),
    };
    canvas.object(&object, &pose, light);
}

/// A gradient between two colours with a texture on it.
fn background(canvas: &mut Canvas, draw: &mut Stream) {
    let colour = |draw: &mut Stream| hsv(draw.unit(), draw.range(0.0, 0.6), draw.range(0.15, 0.95));
    let (near, far, mark) = (colour(draw), colour(draw), colour(draw));
    let across = Turn::by(draw.range(0.0, TAU)).apply(Point::new(0.36, 0.0));
    let frequency = draw.range(1.0, 3.5);
    let texture = Texture::draw(&BACKGROUND_PATTERNS, frequency, draw);
    let strength = draw.range(0.15, 0.7);
    let (grain, salt) = (draw.range(0.0, 0.2), draw.bits());
    let pixel = canvas.pixel();
    canvas.paint(Point::default(), 1.0, |p, out| {
        let base = blend(near, far, (0.5 + across.dot(p)).clamp(0.0, 1.0));
        let shade = 1.0 + grain * (noise(p * 5.0, salt) - 0.5);
        *out = blend(base, mark, strength * texture.mark(p, pixel)).map(|c| c * shade);
    });
}
