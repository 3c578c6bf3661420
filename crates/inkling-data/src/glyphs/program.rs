//! What a class of `glyphs` is: a program of two to five strokes, drawn from the habits of the
//! script that the class belongs to. Coordinates are those of the letter box, `-1..=1` each way.

use std::f32::consts::FRAC_PI_4;

use crate::raster::{Point, Stream, Turn, bounds};

use super::curve::{Knot, length, trace};

/// Consecutive class seeds that share a script, as the characters of an alphabet do.
pub(crate) const SCRIPT_CLASSES: u32 = 32;

/// A program that is illegible is drawn again, this often at most.
const ATTEMPTS: u32 = 24;

const SCRIPT: u64 = 0x5c;
const CLASS: u64 = 0xc1;

/// One movement of the pen.
#[derive(Clone, Debug)]
pub(crate) struct Stroke {
    pub(crate) knots: Vec<Knot>,
    /// It begins on an earlier stroke, and keeps touching it when the hand is unsteady.
    pub(crate) attached: bool,
}

/// The strokes of a character in the order of writing.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) strokes: Vec<Stroke>,
}

/// The movements that strokes are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Movement {
    Line,
    Arc,
    Hook,
    Loop,
    Curl,
    Angle,
    Wave,
    Dot,
}

const MOVEMENTS: [Movement; 8] = [
    Movement::Line,
    Movement::Arc,
    Movement::Hook,
    Movement::Loop,
    Movement::Curl,
    Movement::Angle,
    Movement::Wave,
    Movement::Dot,
];

/// The habits that the characters of a script have in common.
struct Script {
    columns: u32,
    rows: u32,
    /// One weight for each of [`MOVEMENTS`].
    weights: [u32; 8],
    /// The probability that a stroke begins on an earlier one.
    join: f32,
    fewest: u32,
    most: u32,
    /// The height of an arc over its chord.
    bulge: f32,
}

impl Script {
    fn draw(universe: u64, number: u32) -> Self {
        let mut draw = Stream::new(universe, &[SCRIPT, u64::from(number)]);
        // Angular scripts cut straight lines, round ones curl.
        let round = draw.unit();
        let mut weight = |base: f32| (base * draw.range(0.4, 1.6) * 16.0) as u32;
        let weights = [
            weight(3.0 - 1.6 * round),
            weight(1.0 + 1.6 * round),
            weight(0.9),
            weight(0.3 + 0.8 * round),
            weight(0.1 + 0.6 * round),
            weight(1.6 - 1.2 * round),
            weight(0.2 + 0.6 * round),
            weight(0.45),
        ];
        let fewest = draw.between(2, 3);
        Self {
            columns: draw.between(2, 4),
            rows: draw.between(3, 4),
            weights,
            join: draw.range(0.45, 0.9),
            fewest,
            most: draw.between(fewest + 1, 5),
            bulge: draw.range(0.3, 0.55),
        }
    }

    fn lattice_point(&self, draw: &mut Stream) -> Point {
        let column = draw.below(self.columns) as f32 / (self.columns - 1) as f32;
        let row = draw.below(self.rows) as f32 / (self.rows - 1) as f32;
        Point::new(1.6 * column - 0.8, 2.0 * row - 1.0)
    }

    /// A lattice point neither too near nor too far to draw to.
    fn target(&self, from: Point, draw: &mut Stream) -> Point {
        for _ in 0..8 {
            let to = self.lattice_point(draw);
            let distance = (to - from).length();
            if (0.6..=2.05).contains(&distance) {
                return to;
            }
        }
        // Opposite the start, which is far enough from any point of the box but its centre.
        if from.length() > 0.4 { from * -0.8 } else { from + Point::new(0.0, 0.9) }
    }
}

impl Program {
    /// The program of a class; `seed` is unique over all splits of the universe.
    pub(crate) fn of_class(universe: u64, seed: u32) -> Self {
        let script = Script::draw(universe, seed / SCRIPT_CLASSES);
        let mut draw = Stream::new(universe, &[CLASS, u64::from(seed)]);
        let mut program = Self::attempt(&script, &mut draw);
        for _ in 1..ATTEMPTS {
            if program.is_legible() {
                break;
            }
            program = Self::attempt(&script, &mut draw);
        }
        program
    }

    fn attempt(script: &Script, draw: &mut Stream) -> Self {
        let count = draw.between(script.fewest, script.most);
        let mut program = Self { strokes: Vec::with_capacity(count as usize) };
        let mut ovals = 0;
        for number in 0..count {
            let mut movement = MOVEMENTS[draw.weighted(&script.weights)];
            let is_oval = matches!(movement, Movement::Loop | Movement::Curl);
            // A character does not begin with its dot, and a third oval makes a tangle.
            if (number == 0 && movement == Movement::Dot) || (is_oval && ovals == 2) {
                movement = Movement::Line;
            } else if is_oval {
                ovals += 1;
            }
            let joint = if movement != Movement::Dot && draw.chance(script.join) { program.joint(draw) } else { None };
            let start = joint.unwrap_or_else(|| script.lattice_point(draw));
            program.strokes.push(Stroke { knots: knots(movement, start, script, draw), attached: joint.is_some() });
        }
        program.fill_box();
        program
    }

    /// A place on an earlier stroke: an end, or somewhere in between.
    fn joint(&self, draw: &mut Stream) -> Option<Point> {
        let stroke = self.strokes.get(draw.below(self.strokes.len() as u32) as usize)?;
        let share = match draw.below(5) {
            0 => 0.0,
            1 | 2 => 1.0,
            _ => draw.range(0.3, 0.7),
        };
        let points = trace(&stroke.knots);
        let last = points.len().checked_sub(1)?;
        points.get((share * last as f32) as usize).copied()
    }

    /// Moves and scales the strokes so that they fill the letter box.
    fn fill_box(&mut self) {
        let knots = self.strokes.iter().flat_map(|stroke| &stroke.knots);
        let Some((low, high)) = bounds(knots.map(|knot| knot.at)) else {
            return;
        };
        let centre = low.midpoint(high);
        let half = (high - low) * 0.5;
        let scale = 1.0 / half.x.max(half.y).max(0.3);
        for knot in self.strokes.iter_mut().flat_map(|s| &mut s.knots) {
            knot.at = (knot.at - centre) * scale;
        }
    }

    /// Neither a mere line nor a tangle, and no stroke hides on another.
    fn is_legible(&self) -> bool {
        let traces: Vec<Vec<Point>> = self.strokes.iter().map(|s| trace(&s.knots)).collect();
        let ink: f32 = traces.iter().map(|points| length(points)).sum();
        let Some((low, high)) = bounds(traces.iter().flatten().copied()) else {
            return false;
        };
        let extent = high - low;
        let slim = extent.x.min(extent.y) < 0.45 * extent.x.max(extent.y);
        // More ink than this in so small a box closes the gaps between strokes at 28 pixels.
        let most_ink = (2.3 * extent.x * extent.y).min(7.5);
        if slim || !(2.6..=most_ink).contains(&ink) {
            return false;
        }
        (0..traces.len()).all(|i| is_apart(&traces, i))
    }
}

/// Most points of stroke `i` keep their distance from every other stroke; a dot does entirely.
fn is_apart(traces: &[Vec<Point>], i: usize) -> bool {
    let own = &traces[i];
    let is_dot = length(own) < 0.3;
    let (reach, allowed) = if is_dot { (0.38, 0.0) } else { (0.2, 0.4) };
    // Every other point will do: they lie closer together than `reach`.
    let is_near = |p: Point| {
        let others = traces.iter().enumerate().filter(|&(j, _)| j != i);
        others.flat_map(|(_, other)| other.iter().step_by(2)).any(|&q| (p - q).dot(p - q) < reach * reach)
    };
    let near = own.iter().step_by(2).filter(|&&p| is_near(p)).count();
    near as f32 <= allowed * own.len().div_ceil(2) as f32
}

/// The knots of one movement from `start`.
fn knots(movement: Movement, start: Point, script: &Script, draw: &mut Stream) -> Vec<Knot> {
    let side = if draw.chance(0.5) { 1.0 } else { -1.0 };
    let smooth = |points: &[Point]| points.iter().copied().map(Knot::smooth).collect();
    if movement == Movement::Dot {
        let dash = Turn::by(draw.range(-0.8, 0.8)).apply(Point::new(0.0, 0.16));
        return smooth(&[start, start + dash]);
    }
    let end = script.target(start, draw);
    let along = end - start;
    let across = along.perpendicular() * side;
    let place = |x: f32, y: f32| start + along * x + across * y;
    match movement {
        Movement::Line | Movement::Dot => smooth(&[start, end]),
        Movement::Arc => {
            let b = script.bulge * draw.range(0.8, 1.25);
            smooth(&[start, place(0.14, 0.58 * b), place(0.5, b), place(0.86, 0.58 * b), end])
        }
        Movement::Hook => {
            let curl = draw.range(0.22, 0.42);
            smooth(&[
                start,
                place(0.7, 0.0),
                place(0.95, 0.3 * curl),
                place(0.98, 0.85 * curl),
                place(0.78, 1.1 * curl),
            ])
        }
        Movement::Loop => closed_loop(start, along, side, draw),
        Movement::Curl => {
            let h = draw.range(0.35, 0.55);
            smooth(&[
                start,
                place(0.45, 0.12 * h),
                place(0.72, 0.55 * h),
                place(0.5, h),
                place(0.28, 0.55 * h),
                place(0.55, 0.1 * h),
                end,
            ])
        }
        Movement::Angle => {
            let bend = script.target(start, draw);
            let mut knots = vec![Knot::smooth(start), Knot::corner(bend)];
            let turn = script.target(bend, draw);
            knots.push(Knot::corner(turn));
            if draw.chance(0.3) {
                knots.push(Knot::smooth(script.target(turn, draw)));
            }
            knots
        }
        Movement::Wave => {
            let h = draw.range(0.2, 0.36);
            smooth(&[start, place(0.26, h), place(0.5, 0.0), place(0.74, -h), end])
        }
    }
}

/// An oval that returns to its start.
fn closed_loop(start: Point, along: Point, side: f32, draw: &mut Stream) -> Vec<Knot> {
    let way = along.length().max(0.1);
    let radius = (0.5 * way).clamp(0.34, 0.6);
    let along = along * (radius / way);
    let across = along.perpendicular() * (side * draw.range(0.65, 1.0));
    let centre = start + along;
    // Eighths of a turn, and a little further, as a hand closes an oval.
    (0..=8)
        .map(|eighth| {
            let around = Turn::by(eighth as f32 * FRAC_PI_4).apply(Point::new(-1.0, 0.0));
            Knot::smooth(centre + along * around.x + across * around.y)
        })
        .collect()
}
