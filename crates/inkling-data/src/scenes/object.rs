//! What a class of `scenes` is: an object composed by a body plan, in a palette, with textures.
//! Coordinates are the object's own: it fills about the unit disc, `y` downwards.

use std::f32::consts::TAU;

use crate::raster::{Point, Stream, Turn};

use super::paint::{Paint, Rgb, Texture, blend, hsv};
use super::shape::Shape;

const CLASS: u64 = 0x0b;

/// A shape at a place of the object.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) shape: Shape,
    pub(crate) at: Point,
    pub(crate) turn: Turn,
    /// Which of the object's paints covers it.
    pub(crate) paint: usize,
}

/// Parts from back to front and the paints they name.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) parts: Vec<Part>,
    pub(crate) paints: [Paint; 3],
}

/// Indices into an object's paints.
const BODY: usize = 0;
const LIMB: usize = 1;
const ACCENT: usize = 2;

/// The weights of plain, stripes, dots, checks, zigzag, rings, grid and noise.
const OBJECT_PATTERNS: [u32; 8] = [2, 4, 4, 3, 3, 2, 2, 3];
const MOSTLY_PLAIN: [u32; 8] = [6, 2, 1, 1, 0, 0, 1, 1];

impl Object {
    /// The object of a class; `seed` is unique over all splits of the universe.
    pub(crate) fn of_class(universe: u64, seed: u32) -> Self {
        let mut draw = Stream::new(universe, &[CLASS, u64::from(seed)]);
        let paints = paints(&mut draw);
        let parts = match draw.below(5) {
            0 => radial(&mut draw),
            1 => creature(&mut draw),
            2 => stack(&mut draw),
            3 => chain(&mut draw),
            _ => emblem(&mut draw),
        };
        let mut object = Self { parts, paints };
        object.fill_disc();
        object
    }

    /// A single shape in colours of its own, for the clutter around an object.
    pub(crate) fn distractor(draw: &mut Stream) -> Self {
        let paints = paints(draw);
        let by = Point::new(draw.range(0.5, 1.0), draw.range(0.5, 1.0));
        let mut object = Self { parts: vec![part(solid(draw).scaled(by), 0.0, 0.0, 0.0, BODY)], paints };
        object.fill_disc();
        object
    }

    /// Moves and scales the parts so that the farthest one just reaches the unit circle.
    fn fill_disc(&mut self) {
        let weight = |part: &Part| part.shape.reach() * part.shape.reach();
        let total: f32 = self.parts.iter().map(weight).sum();
        let sum = self.parts.iter().fold(Point::default(), |sum, part| sum + part.at * weight(part));
        let centre = sum * (1.0 / total.max(1e-3));
        let reach = self.parts.iter().map(|part| (part.at - centre).length() + part.shape.reach()).fold(0.1, f32::max);
        let scale = 1.0 / reach;
        for part in &mut self.parts {
            part.at = (part.at - centre) * scale;
            part.shape = part.shape.scaled(Point::new(scale, scale));
        }
    }
}

fn part(shape: Shape, x: f32, y: f32, radians: f32, paint: usize) -> Part {
    Part { shape, at: Point::new(x, y), turn: Turn::by(radians), paint }
}

/// Three paints in a palette of related hues, each with a light and a dark colour.
fn paints(draw: &mut Stream) -> [Paint; 3] {
    let hue = draw.unit();
    // Neighbouring hues, a triad, or the opposite.
    let spread = [0.09, 0.33, 0.5][draw.below(3) as usize] * draw.range(0.8, 1.2);
    let vivid = draw.range(0.35, 0.95);
    let bright_ground = draw.chance(0.5);
    let shade = |bright: bool, draw: &mut Stream| {
        if bright { draw.range(0.75, 0.98) } else { draw.range(0.18, 0.48) }
    };
    [BODY, LIMB, ACCENT].map(|paint| {
        let bright = bright_ground != (paint == ACCENT);
        let hue = hue + spread * paint as f32;
        let ground = hsv(hue, vivid * draw.range(0.75, 1.05), shade(bright, draw));
        let other = if draw.chance(0.5) { hue } else { hue + spread };
        let mark = hsv(other, vivid * draw.range(0.4, 1.0), shade(!bright, draw));
        let weights = if paint == BODY { &OBJECT_PATTERNS } else { &MOSTLY_PLAIN };
        let frequency = draw.range(2.2, 4.2);
        Paint { ground, mark, texture: Texture::draw(weights, frequency, draw), relief: draw.range(0.45, 0.95) }
    })
}

/// A shape of about unit radius.
fn solid(draw: &mut Stream) -> Shape {
    match draw.below(6) {
        0 | 1 => Shape::Ellipse(Point::new(1.0, 1.0)),
        2 => {
            let corners = draw.between(3, 6);
            Shape::polygon(corners, 0.0, draw)
        }
        3 => {
            let corners = draw.between(5, 7);
            Shape::polygon(corners, 0.35, draw)
        }
        4 => {
            let points = draw.between(4, 7);
            Shape::star(points, draw.range(0.45, 0.7))
        }
        _ => Shape::trapezoid(draw.range(0.3, 0.9), draw.range(0.6, 0.9)),
    }
}

/// A limb of unit length along `y`, its middle at the origin.
fn limb(draw: &mut Stream) -> Shape {
    let width = draw.range(0.14, 0.34);
    match draw.below(3) {
        0 => Shape::Capsule { half: 0.5, start: width * draw.range(0.4, 1.0), end: width * draw.range(0.6, 1.2) },
        1 => Shape::Ellipse(Point::new(1.2 * width, 0.62)),
        _ => Shape::trapezoid(width * draw.range(0.1, 0.7), 1.2 * width).scaled(Point::new(1.0, 0.6)),
    }
}

/// Petals around a heart.
fn radial(draw: &mut Stream) -> Vec<Part> {
    let petals = draw.between(3, 7);
    let shape = limb(draw).scaled(Point::new(draw.range(0.9, 1.6), draw.range(0.7, 1.1)));
    let ring = draw.range(0.55, 0.8);
    let paint = if draw.chance(0.6) { BODY } else { LIMB };
    let mut parts: Vec<Part> = (0..petals)
        .map(|petal| {
            let angle = TAU * petal as f32 / petals as f32;
            let at = Turn::by(angle).apply(Point::new(0.0, -ring));
            part(shape.clone(), at.x, at.y, angle, paint)
        })
        .collect();
    let heart = draw.range(0.32, 0.6);
    let heart_paint = if paint == BODY { ACCENT } else { BODY };
    let heart_shape = solid(draw).scaled(Point::new(heart, heart));
    parts.push(part(heart_shape, 0.0, 0.0, 0.0, heart_paint));
    parts
}

/// A body with mirrored limbs, a head and eyes.
fn creature(draw: &mut Stream) -> Vec<Part> {
    let mut parts = Vec::new();
    let (wide, tall) = (draw.range(0.4, 0.75), draw.range(0.5, 0.85));
    for pair in 0..draw.between(1, 2) {
        let length = draw.range(0.6, 1.1);
        let shape = limb(draw).scaled(Point::new(1.0, length));
        let height = draw.range(-0.5, 0.6) * tall;
        let angle = 1.1 + 0.5 * draw.bell() - 0.4 * pair as f32;
        let reach = 0.8 * wide + 0.35 * length;
        parts.push(part(shape.clone(), reach, height, angle, LIMB));
        parts.push(part(shape, -reach, height, -angle, LIMB));
    }
    parts.push(part(solid(draw).scaled(Point::new(wide, tall)), 0.0, 0.0, 0.0, BODY));
    let head = draw.range(0.28, 0.5);
    let head_paint = if draw.chance(0.5) { BODY } else { ACCENT };
    let head_at = -tall - 0.45 * head;
    let head_shape = solid(draw).scaled(Point::new(head, head));
    parts.push(part(head_shape, 0.0, head_at, 0.0, head_paint));
    let eye_paint = if head_paint == BODY { ACCENT } else { LIMB };
    let eye = head * draw.range(0.18, 0.32);
    for side in [-1.0, 1.0] {
        let shape = Shape::Ellipse(Point::new(eye, eye));
        parts.push(part(shape, side * 0.42 * head, head_at, 0.0, eye_paint));
    }
    parts
}

/// Solids piled up.
fn stack(draw: &mut Stream) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut top = 0.0;
    let storeys = draw.between(2, 4);
    for storey in 0..storeys {
        let by = Point::new(draw.range(0.35, 0.9), draw.range(0.25, 0.6));
        let paint = [BODY, LIMB, BODY, ACCENT][storey as usize % 4];
        let lean = draw.range(-0.15, 0.15);
        let shape = solid(draw).scaled(by);
        parts.push(part(shape, lean, top - by.y, 0.0, paint));
        top -= 1.75 * by.y;
    }
    if draw.chance(0.5) {
        let handle = limb(draw).scaled(Point::new(0.8, 0.7));
        let side = if draw.chance(0.5) { 0.8 } else { -0.8 };
        parts.push(part(handle, side, 0.5 * top, 0.3 * side, ACCENT));
    }
    parts
}

/// Beads along an arc.
fn chain(draw: &mut Stream) -> Vec<Part> {
    let beads = draw.between(3, 6);
    let shape = solid(draw);
    let (first, last) = (draw.range(0.25, 0.6), draw.range(0.25, 0.6));
    let curl = draw.range(-2.6, 2.6) / beads as f32;
    let heading = draw.range(0.0, TAU);
    let mut at = Point::default();
    (0..beads)
        .map(|bead| {
            let size = first + (last - first) * bead as f32 / (beads - 1) as f32;
            let angle = heading + curl * bead as f32;
            let paint = if bead + 1 == beads { ACCENT } else { [BODY, LIMB][bead as usize % 2] };
            let bead = part(shape.scaled(Point::new(size, size)), at.x, at.y, angle, paint);
            at = at + Turn::by(angle).apply(Point::new(0.0, 1.45 * size));
            bead
        })
        .collect()
}

/// A large plate that bears smaller marks.
fn emblem(draw: &mut Stream) -> Vec<Part> {
    let by = Point::new(draw.range(0.65, 1.0), draw.range(0.65, 1.0));
    let mut parts = vec![part(solid(draw).scaled(by), 0.0, 0.0, 0.0, BODY)];
    let size = draw.range(0.2, 0.32);
    let shape = solid(draw).scaled(Point::new(size, size));
    let marks = draw.between(1, 4);
    let ring = if marks == 1 { 0.0 } else { 0.42 };
    let start = draw.range(0.0, TAU);
    for mark in 0..marks {
        let angle = start + TAU * mark as f32 / marks as f32;
        let at = Turn::by(angle).apply(Point::new(0.0, -ring));
        let paint = if mark == 0 { ACCENT } else { LIMB };
        parts.push(part(shape.clone(), at.x * by.x, at.y * by.y, 0.0, paint));
    }
    if draw.chance(0.5) {
        let foot = limb(draw).scaled(Point::new(1.0, 0.9));
        parts.insert(0, part(foot, 0.0, by.y + 0.2, 0.0, LIMB));
    }
    parts
}

/// The paint as one photograph shows it: colours a little off, the pattern shifted.
pub(crate) fn weathered(paint: &Paint, draw: &mut Stream) -> Paint {
    let dye: Rgb = [draw.unit(), draw.unit(), draw.unit()];
    let fade = draw.range(0.0, 0.14);
    let mut paint = *paint;
    paint.ground = blend(paint.ground, dye, fade);
    paint.mark = blend(paint.mark, dye, fade);
    paint.texture.phase = Point::new(draw.unit(), draw.unit());
    paint.texture.frequency *= draw.range(0.9, 1.1);
    paint
}
