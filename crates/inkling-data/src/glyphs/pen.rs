//! One drawing of a character: a hand that moves, slants and bends the strokes of a program, and
//! a pen of varying width that leaves anti-aliased white on black.

use std::f32::consts::PI;

use crate::raster::{Point, Stream, Turn, bounds, nearest_share, pixel_range, to_byte};

use super::curve::{Knot, trace};
use super::program::{Program, Stroke};

const DRAWING: u64 = 0xd2;

/// Half the side of the letter box as a share of the image side, before the hand scales it.
const LETTER: f32 = 0.36;

/// What differs between two drawings of one character.
struct Hand {
    rotation: Turn,
    slant: f32,
    scale: Point,
    shift: Point,
    /// Coefficients of the quadratic bend of the plane, each way: xy, x², y².
    bend: [Point; 3],
    /// Standard deviation of a knot's own displacement, in letter units.
    unsteadiness: f32,
    /// Passes of smoothing: a fast pen rounds corners.
    haste: u32,
    /// Half the width of the line as a share of the image side.
    radius: f32,
    /// The direction in which the nib is narrow, and how much narrower it is there.
    nib: Point,
    nib_contrast: f32,
    /// How much the line thins out at its ends.
    taper: f32,
}

impl Hand {
    fn draw(draw: &mut Stream) -> Self {
        let size = draw.range(0.82, 1.08);
        let aspect = 0.09 * draw.bell();
        Self {
            rotation: Turn::by(0.11 * draw.bell()),
            slant: 0.13 * draw.bell(),
            scale: Point::new(size * (1.0 + aspect), size * (1.0 - aspect)),
            shift: Point::new(0.045 * draw.bell(), 0.045 * draw.bell()),
            bend: [(); 3].map(|()| Point::new(0.05 * draw.bell(), 0.05 * draw.bell())),
            unsteadiness: draw.range(0.02, 0.06),
            haste: draw.below(5),
            radius: draw.range(0.024, 0.042),
            nib: Turn::by(draw.range(0.0, PI)).apply(Point::new(1.0, 0.0)),
            nib_contrast: draw.range(0.0, 0.35),
            taper: draw.range(0.0, 0.45),
        }
    }

    /// From the letter box to the unit square of the image.
    fn place(&self, p: Point) -> Point {
        let [mixed, squared_x, squared_y] = self.bend;
        let bent = p + mixed * (p.x * p.y) + squared_x * (p.x * p.x - 0.4) + squared_y * (p.y * p.y - 0.4);
        let slanted = Point::new(bent.x - self.slant * bent.y, bent.y);
        let scaled = Point::new(slanted.x * self.scale.x, slanted.y * self.scale.y);
        self.rotation.apply(scaled) * LETTER + self.shift + Point::new(0.5, 0.5)
    }

    /// The points of one stroke in the unit square, as this hand moves.
    fn write(&self, stroke: &Stroke, draw: &mut Stream) -> Vec<Point> {
        let loose = if stroke.attached { 0.3 } else { 1.3 };
        let lift = Point::new(draw.bell(), draw.bell()) * (loose * self.unsteadiness);
        // A stroke is a little longer or shorter, and turned, about where it begins.
        let turn = Turn::by(0.07 * draw.bell());
        let stretch = 1.0 + 0.07 * draw.bell();
        let start = stroke.knots.first().map_or(Point::default(), |k| k.at);
        let knots: Vec<Knot> = stroke
            .knots
            .iter()
            .map(|knot| {
                let own = Point::new(draw.bell(), draw.bell()) * self.unsteadiness;
                Knot { at: start + turn.apply(knot.at - start) * stretch + lift + own, corner: knot.corner }
            })
            .collect();
        let mut points = trace(&knots);
        for _ in 0..self.haste {
            smooth(&mut points);
        }
        points.into_iter().map(|p| self.place(p)).collect()
    }

    /// Half the width of the line at a share of the stroke's way, going in a direction.
    fn radius_at(&self, share: f32, direction: Point) -> f32 {
        let length = direction.length();
        let narrow = if length > 0.0 { (direction.dot(self.nib) / length).abs() * self.nib_contrast } else { 0.0 };
        let from_middle = 2.0 * share - 1.0;
        let thin = self.taper * from_middle * from_middle * from_middle.abs();
        self.radius * (1.0 - narrow) * (1.0 - thin)
    }
}

/// Moves each inner point halfway to the middle of its neighbours.
fn smooth(points: &mut [Point]) {
    let Some(&first) = points.first() else { return };
    let mut before = first;
    for i in 1..points.len().saturating_sub(1) {
        let here = points[i];
        points[i] = here.lerp(before.midpoint(points[i + 1]), 0.5);
        before = here;
    }
}

/// The bytes `[1, size, size]` of drawing number `index` of a class.
pub(crate) fn draw(program: &Program, universe: u64, seed: u32, index: u32, size: u32) -> Vec<u8> {
    let mut stream = Stream::new(universe, &[DRAWING, u64::from(seed), u64::from(index)]);
    let hand = Hand::draw(&mut stream);
    let mut lines: Vec<Vec<Point>> = program.strokes.iter().map(|stroke| hand.write(stroke, &mut stream)).collect();
    keep_inside(&mut lines, hand.radius + 0.02);
    let mut ink = Ink::new(size);
    for points in &lines {
        let last = points.len().saturating_sub(1).max(1);
        // The direction at a point is that of its neighbours, so that the width does not jump.
        let radius = |i: usize| {
            let direction = points[(i + 1).min(last)] - points[i.saturating_sub(1)];
            hand.radius_at(i as f32 / last as f32, direction)
        };
        for (i, pair) in points.windows(2).enumerate() {
            if let &[a, b] = pair {
                ink.line(a, b, radius(i), radius(i + 1));
            }
        }
    }
    ink.into_bytes()
}

/// Moves the lines, and shrinks them if need be, so that they end `margin` before the edges.
fn keep_inside(lines: &mut [Vec<Point>], margin: f32) {
    let Some((low, high)) = bounds(lines.iter().flatten().copied()) else {
        return;
    };
    let extent = high - low;
    let room = 1.0 - 2.0 * margin;
    let scale = (room / extent.x.max(extent.y).max(room)).min(1.0);
    let corner = |low: f32, high: f32| {
        let half = 0.5 * scale * (high - low);
        (0.5 * (low + high)).clamp(margin + half, (1.0 - margin - half).max(margin + half)) - half
    };
    let to = Point::new(corner(low.x, high.x), corner(low.y, high.y));
    for p in lines.iter_mut().flatten() {
        *p = to + (*p - low) * scale;
    }
}

/// The signed distance of every pixel centre from the ink, in pixels; joints need no blending.
struct Ink {
    size: u32,
    distances: Vec<f32>,
}

impl Ink {
    fn new(size: u32) -> Self {
        Self { size, distances: vec![1.0; size as usize * size as usize] }
    }

    /// Adds a line whose half width goes from `ra` to `rb`; all of it in the unit square.
    fn line(&mut self, a: Point, b: Point, ra: f32, rb: f32) {
        let side = self.size as f32;
        let (a, b, ra, rb) = (a * side, b * side, ra * side, rb * side);
        let reach = ra.max(rb) + 0.5;
        let columns = pixel_range(a.x.min(b.x) - reach, a.x.max(b.x) + reach, self.size);
        for y in pixel_range(a.y.min(b.y) - reach, a.y.max(b.y) + reach, self.size) {
            let row = y as usize * self.size as usize;
            for x in columns.clone() {
                let p = Point::new(x as f32 + 0.5, y as f32 + 0.5);
                let share = nearest_share(p, a, b);
                let distance = (p - a.lerp(b, share)).length() - (ra + (rb - ra) * share);
                let seen = &mut self.distances[row + x as usize];
                *seen = seen.min(distance);
            }
        }
    }

    fn into_bytes(self) -> Vec<u8> {
        // A pixel whose centre lies on the edge is half covered.
        let cover = |distance: f32| (0.5 - distance).clamp(0.0, 1.0);
        self.distances.into_iter().map(|distance| to_byte(cover(distance))).collect()
    }
}
