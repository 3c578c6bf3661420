//! From the few knots of a stroke to the many points of a line: a cubic Hermite spline whose
//! tangents follow the neighbours, broken at corners.

use crate::raster::Point;

/// The distance between traced points, in units of the letter box (whose half side is 1). At 512
/// pixels the chord leaves the curve of the tightest loop by about half a pixel.
const STEP: f32 = 0.085;

/// A point that a stroke runs through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Knot {
    pub(crate) at: Point,
    /// The pen changes direction here at once instead of rounding the knot.
    pub(crate) corner: bool,
}

impl Knot {
    pub(crate) fn smooth(at: Point) -> Self {
        Self { at, corner: false }
    }

    pub(crate) fn corner(at: Point) -> Self {
        Self { at, corner: true }
    }
}

/// The points of the curve through `knots`, about [`STEP`] apart, ends included.
pub(crate) fn trace(knots: &[Knot]) -> Vec<Point> {
    let mut points: Vec<Point> = knots.first().map(|knot| knot.at).into_iter().collect();
    for (i, pair) in knots.windows(2).enumerate() {
        let &[a, b] = pair else { continue };
        let before = i.checked_sub(1).and_then(|i| knots.get(i));
        let after = knots.get(i + 2);
        let chord = b.at - a.at;
        let length = chord.length();
        let leave = match before {
            Some(before) if !a.corner => tangent(before.at, a.at, b.at) * length,
            _ => chord,
        };
        let arrive = match after {
            Some(after) if !b.corner => tangent(a.at, b.at, after.at) * length,
            _ => chord,
        };
        let steps = ((length * 1.15 / STEP) as u32 + 1).min(32);
        for step in 1..=steps {
            let t = step as f32 / steps as f32;
            points.push(hermite(a.at, leave, b.at, arrive, t));
        }
    }
    points
}

/// The direction at `at` between its neighbours, of about unit length.
fn tangent(before: Point, at: Point, after: Point) -> Point {
    let way = (at - before).length() + (after - at).length();
    if way > 0.0 { (after - before) * (1.0 / way) } else { Point::default() }
}

fn hermite(a: Point, leave: Point, b: Point, arrive: Point, t: f32) -> Point {
    let s = 1.0 - t;
    a * (s * s * (1.0 + 2.0 * t)) + leave * (s * s * t) + b * (t * t * (1.0 + 2.0 * s)) + arrive * (-(t * t * s))
}

/// The length of a traced line.
pub(crate) fn length(points: &[Point]) -> f32 {
    points
        .windows(2)
        .map(|pair| match pair {
            &[a, b] => (b - a).length(),
            _ => 0.0,
        })
        .sum()
}
