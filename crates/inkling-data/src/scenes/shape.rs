//! The outlines that objects are made of, as signed distances with the direction outwards.

use std::f32::consts::{PI, TAU};

use crate::raster::{Point, Stream, Turn, nearest_share};

/// An outline around the origin.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// Its radii.
    Ellipse(Point),
    /// Its corners in order; need not be convex.
    Polygon(Vec<Point>),
    /// A thick line along `y` from `-half` to `half`, its radius going from `start` to `end`.
    Capsule { half: f32, start: f32, end: f32 },
}

/// A point seen from an outline.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sight {
    /// Distance from the outline, negative inside.
    pub(crate) distance: f32,
    /// The direction outwards, of unit length or zero.
    pub(crate) outwards: Point,
}

impl Shape {
    /// A regular or uneven polygon of about unit radius.
    pub(crate) fn polygon(corners: u32, unevenness: f32, draw: &mut Stream) -> Self {
        let step = TAU / corners as f32;
        let start = if draw.chance(0.5) { 0.0 } else { 0.5 * step };
        Self::Polygon(
            (0..corners)
                .map(|corner| {
                    let wander = step * unevenness * draw.range(-0.5, 0.5);
                    let radius = 1.0 - unevenness * draw.unit();
                    Turn::by(start + step * corner as f32 + wander).apply(Point::new(0.0, -radius))
                })
                .collect(),
        )
    }

    /// A star of unit radius with `points` points.
    pub(crate) fn star(points: u32, waist: f32) -> Self {
        let step = PI / points as f32;
        Self::Polygon(
            (0..2 * points)
                .map(|corner| {
                    let radius = if corner % 2 == 0 { 1.0 } else { waist };
                    Turn::by(step * corner as f32).apply(Point::new(0.0, -radius))
                })
                .collect(),
        )
    }

    /// A four-sided shape of unit half height, half widths `top` and `bottom`.
    pub(crate) fn trapezoid(top: f32, bottom: f32) -> Self {
        Self::Polygon(vec![
            Point::new(-top, -1.0),
            Point::new(top, -1.0),
            Point::new(bottom, 1.0),
            Point::new(-bottom, 1.0),
        ])
    }

    /// The shape stretched along both axes; the radii of a capsule follow `x`.
    pub(crate) fn scaled(&self, by: Point) -> Self {
        let stretch = |p: &Point| Point::new(p.x * by.x, p.y * by.y);
        match self {
            Self::Ellipse(radii) => Self::Ellipse(stretch(radii)),
            Self::Polygon(corners) => Self::Polygon(corners.iter().map(stretch).collect()),
            &Self::Capsule { half, start, end } => {
                Self::Capsule { half: half * by.y, start: start * by.x, end: end * by.x }
            }
        }
    }

    /// The distance of the farthest point of the outline from the origin.
    pub(crate) fn reach(&self) -> f32 {
        match self {
            Self::Ellipse(radii) => radii.x.max(radii.y),
            Self::Polygon(corners) => corners.iter().map(|c| c.length()).fold(0.0, f32::max),
            Self::Capsule { half, start, end } => half + start.max(*end),
        }
    }

    /// About the distance of the innermost point from the outline.
    pub(crate) fn depth(&self) -> f32 {
        match self {
            Self::Ellipse(radii) => radii.x.min(radii.y),
            Self::Polygon(_) => -self.see(Point::default()).distance.min(-0.02),
            Self::Capsule { start, end, .. } => start.max(*end),
        }
    }

    /// What `p` sees of the outline.
    pub(crate) fn see(&self, p: Point) -> Sight {
        match self {
            Self::Ellipse(radii) => see_ellipse(p, *radii),
            Self::Polygon(corners) => see_polygon(p, corners),
            &Self::Capsule { half, start, end } => {
                let (a, b) = (Point::new(0.0, -half), Point::new(0.0, half));
                let share = nearest_share(p, a, b);
                let away = p - a.lerp(b, share);
                let length = away.length();
                Sight { distance: length - (start + (end - start) * share), outwards: unit(away, length) }
            }
        }
    }
}

fn unit(direction: Point, length: f32) -> Point {
    if length > 1e-6 { direction * (1.0 / length) } else { Point::default() }
}

/// First-order distance: exact on the outline, which is where it decides pixels.
fn see_ellipse(p: Point, radii: Point) -> Sight {
    let scaled = Point::new(p.x / radii.x, p.y / radii.y);
    let gradient = Point::new(scaled.x / radii.x, scaled.y / radii.y);
    let (k, slope) = (scaled.length(), gradient.length());
    if slope < 1e-6 {
        return Sight { distance: -radii.x.min(radii.y), outwards: Point::default() };
    }
    Sight { distance: k * (k - 1.0) / slope, outwards: unit(gradient, slope) }
}

fn see_polygon(p: Point, corners: &[Point]) -> Sight {
    let mut nearest = f32::MAX;
    let mut away = Point::default();
    let mut inside = false;
    let Some(mut a) = corners.last().copied() else {
        return Sight { distance: f32::MAX, outwards: away };
    };
    for &b in corners {
        let from_edge = p - a.lerp(b, nearest_share(p, a, b));
        let squared = from_edge.dot(from_edge);
        if squared < nearest {
            nearest = squared;
            away = from_edge;
        }
        // Even-odd rule: a ray to the right crosses this edge.
        if (a.y > p.y) != (b.y > p.y) && p.x < (b.x - a.x) * (p.y - a.y) / (b.y - a.y) + a.x {
            inside = !inside;
        }
        a = b;
    }
    let length = nearest.sqrt();
    let sign = if inside { -1.0 } else { 1.0 };
    Sight { distance: sign * length, outwards: unit(away, length) * sign }
}
