//! The legend of a panel: a sample of each named line beside its name.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::paper::{Paper, text_size};
use super::{Corner, PlotError, failed};

const FONT_SIZE: i32 = 14;
const ROW: i32 = 14;
/// Between the border and what it holds.
const PADDING: i32 = 10;
/// Between the border and the edge of the panel.
const DISTANCE: i32 = 5;
/// Length of a line's sample, and the room that it takes with the gap before the name.
const SAMPLE: i32 = 22;
const SAMPLE_ROOM: i32 = 30;

/// Draws the named lines into a corner of `area`; nothing when there are none.
///
/// The drawing library has legends too, but they measure their texts on a web page (see
/// [`Paper`]).
pub(super) fn draw(
    entries: &[(String, ShapeStyle)],
    corner: Corner,
    area: &DrawingArea<Paper<'_>, Shift>,
) -> Result<(), PlotError> {
    if entries.is_empty() {
        return Ok(());
    }
    let pixels = |size: u32| i32::try_from(size).unwrap_or(i32::MAX);
    let (area_width, area_height) = area.dim_in_pixel();
    let names = entries.iter().map(|(name, _)| pixels(text_size(name, f64::from(FONT_SIZE)).0));
    let width = names.max().unwrap_or(0).saturating_add(SAMPLE_ROOM + 2 * PADDING);
    let height =
        pixels(u32::try_from(entries.len()).unwrap_or(u32::MAX)).saturating_mul(ROW).saturating_add(2 * PADDING);
    let right = pixels(area_width).saturating_sub(width + DISTANCE);
    let lower = pixels(area_height).saturating_sub(height + DISTANCE);
    let (left, top) = match corner {
        Corner::UpperLeft => (DISTANCE, DISTANCE),
        Corner::UpperRight => (right, DISTANCE),
        Corner::LowerRight => (right, lower),
    };
    let frame = [(left, top), (left + width, top + height)];
    area.draw(&Rectangle::new(frame, WHITE.mix(0.8).filled())).map_err(failed)?;
    area.draw(&Rectangle::new(frame, BLACK.mix(0.2))).map_err(failed)?;
    let text = ("sans-serif", FONT_SIZE).into_font().color(&BLACK).pos(Pos::new(HPos::Left, VPos::Center));
    let mut middle = top + PADDING + ROW / 2;
    for (name, style) in entries {
        let start = left + PADDING;
        area.draw(&PathElement::new(vec![(start, middle), (start + SAMPLE, middle)], *style)).map_err(failed)?;
        area.draw(&Text::new(name.clone(), (start + SAMPLE_ROOM, middle), text.clone())).map_err(failed)?;
        middle += ROW;
    }
    Ok(())
}
