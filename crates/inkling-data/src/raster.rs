//! Plane geometry and random draws for the built-in procedural sets. Everything here is integer
//! arithmetic, exactly rounded float arithmetic or `libm`, so that a browser draws the same bytes
//! as a native program; what is drawn is the business of `glyphs` and `scenes`.

use std::ops::{Add, Mul, Sub};

pub(crate) mod random;

pub(crate) use random::Stream;

/// A point or a direction of the plane; `x` grows to the right, `y` downwards.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Point {
    pub(crate) x: f32,
    pub(crate) y: f32,
}

impl Point {
    pub(crate) const fn new(x: f32, y: f32) -> Self {
        Self { x, y }
    }

    pub(crate) fn dot(self, other: Self) -> f32 {
        self.x * other.x + self.y * other.y
    }

    pub(crate) fn length(self) -> f32 {
        self.dot(self).sqrt()
    }

    /// The direction turned by a quarter, from `x` towards `y`.
    pub(crate) fn perpendicular(self) -> Self {
        Self::new(-self.y, self.x)
    }

    pub(crate) fn lerp(self, other: Self, share: f32) -> Self {
        self + (other - self) * share
    }

    pub(crate) fn midpoint(self, other: Self) -> Self {
        (self + other) * 0.5
    }
}

impl Add for Point {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self::new(self.x + other.x, self.y + other.y)
    }
}

impl Sub for Point {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self::new(self.x - other.x, self.y - other.y)
    }
}

impl Mul<f32> for Point {
    type Output = Self;
    fn mul(self, factor: f32) -> Self {
        Self::new(self.x * factor, self.y * factor)
    }
}

/// A rotation, kept as sine and cosine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    sin: f32,
    cos: f32,
}

impl Turn {
    /// The rotation by `radians`, from `x` towards `y`.
    pub(crate) fn by(radians: f32) -> Self {
        let (sin, cos) = libm::sincosf(radians);
        Self { sin, cos }
    }

    pub(crate) fn apply(self, p: Point) -> Point {
        Point::new(self.cos * p.x - self.sin * p.y, self.sin * p.x + self.cos * p.y)
    }

    pub(crate) fn undo(self, p: Point) -> Point {
        Point::new(self.cos * p.x + self.sin * p.y, self.cos * p.y - self.sin * p.x)
    }
}

/// The smallest box around some points, as its two corners; `None` without points.
pub(crate) fn bounds(points: impl IntoIterator<Item = Point>) -> Option<(Point, Point)> {
    points.into_iter().fold(None, |seen, p| {
        let (low, high) = seen.unwrap_or((p, p));
        Some((Point::new(low.x.min(p.x), low.y.min(p.y)), Point::new(high.x.max(p.x), high.y.max(p.y))))
    })
}

/// How far along `a..b` the point nearest to `p` lies, in `0..=1`.
pub(crate) fn nearest_share(p: Point, a: Point, b: Point) -> f32 {
    let along = b - a;
    let squared = along.dot(along);
    if squared > 0.0 { ((p - a).dot(along) / squared).clamp(0.0, 1.0) } else { 0.0 }
}

/// The rows or columns of a `size`-pixel image whose centres lie in `low..=high` (in pixels).
pub(crate) fn pixel_range(low: f32, high: f32, size: u32) -> std::ops::Range<u32> {
    // Float to integer casts saturate, so a range outside the image comes out empty.
    let first = (low - 0.5).max(0.0) as u32;
    let end = ((high + 1.5).max(0.0) as u32).min(size);
    first.min(end)..end
}

/// The largest whole number not above `x`, for |x| < 2^31. The baseline of x86-64 has no
/// instruction for it, and a call per pixel is felt.
pub(crate) fn floor(x: f32) -> f32 {
    let whole = x as i32 as f32;
    if whole > x { whole - 1.0 } else { whole }
}

/// A value of `0..=1` as a byte, rounded.
pub(crate) fn to_byte(value: f32) -> u8 {
    (value * 255.0 + 0.5) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floor_is_that_of_the_standard_library() {
        for x in [-2.0, -1.5, -0.25, -0.0, 0.0, 0.75, 1.0, 123_456.7, -123_456.7_f32] {
            assert_eq!(floor(x), x.floor());
        }
    }

    #[test]
    fn pixel_ranges_stay_in_the_image() {
        assert_eq!(pixel_range(-9.0, -3.0, 28), 0..0);
        assert!(pixel_range(40.0, 50.0, 28).is_empty());
        assert_eq!(pixel_range(-1e30, 1e30, 28), 0..28);
        // The centres 2.5 and 3.5 lie inside.
        let range = pixel_range(2.4, 3.6, 28);
        assert!(range.contains(&2) && range.contains(&3) && range.len() <= 4);
    }

    #[test]
    fn turns_undo() {
        let p = Point::new(0.3, -0.8);
        let back = Turn::by(1.1).undo(Turn::by(1.1).apply(p));
        // A few roundings of values below one.
        assert!((back - p).length() < 1e-6);
    }
}
