//! Colours and textures: what covers a part of an object.

use std::f32::consts::FRAC_PI_8;

use crate::raster::random::lattice_value;
use crate::raster::{Point, Stream, Turn, floor};

/// Red, green and blue in `0..=1`, as stored in an image.
pub(crate) type Rgb = [f32; 3];

/// Blends from `a` to `b`.
pub(crate) fn blend(a: Rgb, b: Rgb, share: f32) -> Rgb {
    [a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share]
}

/// A colour by hue (turns), saturation and value.
pub(crate) fn hsv(hue: f32, saturation: f32, value: f32) -> Rgb {
    [0.0, 2.0 / 3.0, 1.0 / 3.0].map(|offset| {
        let turned = hue + offset;
        let ramp = (fract(turned) * 6.0 - 3.0).abs() - 1.0;
        value * (1.0 - saturation * (1.0 - ramp.clamp(0.0, 1.0)))
    })
}

/// The patterns that a texture repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    Plain,
    Stripes,
    Dots,
    Checks,
    Zigzag,
    Rings,
    Grid,
    Noise,
}

const PATTERNS: [Pattern; 8] = [
    Pattern::Plain,
    Pattern::Stripes,
    Pattern::Dots,
    Pattern::Checks,
    Pattern::Zigzag,
    Pattern::Rings,
    Pattern::Grid,
    Pattern::Noise,
];

/// A pattern with its scale, direction and place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Texture {
    pattern: Pattern,
    /// Repetitions per unit of length.
    pub(crate) frequency: f32,
    turn: Turn,
    pub(crate) phase: Point,
    /// The share of the mark in a repetition.
    duty: f32,
    salt: u32,
}

impl Texture {
    /// A texture whose weights follow the order of [`Pattern`].
    pub(crate) fn draw(weights: &[u32; 8], frequency: f32, draw: &mut Stream) -> Self {
        Self {
            pattern: PATTERNS[draw.weighted(weights)],
            frequency,
            // Eighths of a half turn: a person tells these directions apart.
            turn: Turn::by(draw.below(8) as f32 * FRAC_PI_8),
            phase: Point::new(draw.unit(), draw.unit()),
            duty: draw.range(0.36, 0.6),
            salt: draw.bits(),
        }
    }

    /// How much of the mark's colour a point has, in `0..=1`; `pixel` is the side of a pixel in
    /// the same units as `p`, and edges blur over it.
    pub(crate) fn mark(&self, p: Point, pixel: f32) -> f32 {
        if self.pattern == Pattern::Plain {
            return 0.0;
        }
        let q = self.turn.undo(p) * self.frequency + self.phase;
        let blur = (pixel * self.frequency).max(1e-4);
        let band = |x: f32| edge(0.5 * self.duty - (fract(x) - 0.5).abs(), blur);
        match self.pattern {
            Pattern::Plain => 0.0,
            Pattern::Stripes => band(q.x),
            Pattern::Zigzag => band(q.x + (fract(0.7 * q.y) - 0.5).abs() * 1.4),
            Pattern::Rings => band(p.length() * self.frequency + self.phase.x),
            Pattern::Grid => {
                let line = |x: f32| edge((fract(x) - 0.5).abs() - 0.5 + 0.4 * self.duty, blur);
                line(q.x).max(line(q.y))
            }
            Pattern::Checks => {
                let side = |x: f32| edge(0.25 - (fract(0.5 * x) - 0.5).abs(), 0.5 * blur);
                let (a, b) = (side(q.x), side(q.y));
                a + b - 2.0 * a * b
            }
            Pattern::Dots => {
                let shifted = if fract(0.5 * floor(q.y)) > 0.25 { 0.5 } else { 0.0 };
                let cell = Point::new(fract(q.x + shifted) - 0.5, fract(q.y) - 0.5);
                edge(0.62 * self.duty - cell.length(), blur)
            }
            Pattern::Noise => {
                let value = 0.65 * noise(q, self.salt) + 0.35 * noise(q * 2.1, self.salt ^ 1);
                edge(value - 0.8 + 0.6 * self.duty, 0.06 + blur)
            }
        }
    }
}

/// Zero well below an edge, one well above it, a ramp of width `blur` between.
fn edge(signed: f32, blur: f32) -> f32 {
    (0.5 + signed / blur).clamp(0.0, 1.0)
}

fn fract(x: f32) -> f32 {
    x - floor(x)
}

/// Smooth noise in `0..=1`, one value per unit square.
pub(crate) fn noise(p: Point, salt: u32) -> f32 {
    let (x, y) = (floor(p.x), floor(p.y));
    let ease = |t: f32| t * t * (3.0 - 2.0 * t);
    let (u, v) = (ease(p.x - x), ease(p.y - y));
    let (x, y) = (x as i32, y as i32);
    let row = |y: i32| {
        let left = lattice_value(x, y, salt);
        left + (lattice_value(x.wrapping_add(1), y, salt) - left) * u
    };
    let top = row(y);
    top + (row(y.wrapping_add(1)) - top) * v
}

/// The cover of a part: two colours and the texture that mixes them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    pub(crate) ground: Rgb,
    pub(crate) mark: Rgb,
    pub(crate) texture: Texture,
    /// How round the part looks under the light, in `0..=1`.
    pub(crate) relief: f32,
}

impl Paint {
    /// The colour at a point of the part, before light falls on it.
    pub(crate) fn colour(&self, p: Point, pixel: f32) -> Rgb {
        blend(self.ground, self.mark, self.texture.mark(p, pixel))
    }
}
