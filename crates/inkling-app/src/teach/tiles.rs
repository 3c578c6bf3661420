//! Where the thumbnails of a class stand: pure geometry, so that a class of 2,000 images costs a
//! frame no more than the rows in view.

use std::ops::Range;

use egui::{Rect, Vec2, pos2, vec2};

/// Square tiles in rows from left to right, or in one row that scrolls sideways.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Tiles {
    /// Points along one side of a tile.
    side: f32,
    /// Points between tiles.
    gap: f32,
    per_row: usize,
    count: usize,
}

impl Tiles {
    /// Tiles that fill `width` points: as many per row as fit with sides of at least `least`
    /// points, stretched so that the rows end flush.
    pub fn filling(width: f32, least: f32, gap: f32, count: usize) -> Self {
        let per_row = (((width + gap) / (least + gap)).floor() as usize).max(1);
        let side = ((width + gap) / per_row as f32 - gap).max(1.0).floor();
        Self { side, gap, per_row, count }
    }

    /// One row of tiles of the given side.
    pub fn strip(side: f32, gap: f32, count: usize) -> Self {
        Self { side, gap, per_row: count.max(1), count }
    }

    /// Tiles side by side.
    #[cfg(test)]
    pub fn per_row(&self) -> usize {
        self.per_row
    }

    /// The size of all tiles together.
    pub fn size(&self) -> Vec2 {
        let rows = self.count.div_ceil(self.per_row);
        let extent = |tiles: usize| (tiles as f32 * (self.side + self.gap) - self.gap).max(0.0);
        vec2(extent(self.per_row.min(self.count)), extent(rows))
    }

    /// The tile of image `index`, relative to the first tile's corner.
    pub fn rect(&self, index: usize) -> Rect {
        let step = self.side + self.gap;
        let (row, column) = (index / self.per_row, index % self.per_row);
        Rect::from_min_size(pos2(column as f32 * step, row as f32 * step), Vec2::splat(self.side))
    }

    /// The images whose tiles touch `view`, relative to the first tile's corner.
    pub fn in_view(&self, view: Rect) -> Range<usize> {
        let step = self.side + self.gap;
        let first = |start: f32| (start / step).floor().max(0.0) as usize;
        let last = |end: f32| (end / step).ceil().max(0.0) as usize;
        if self.per_row >= self.count {
            let start = first(view.min.x).min(self.count);
            return start..last(view.max.x).clamp(start, self.count);
        }
        let start = first(view.min.y).saturating_mul(self.per_row).min(self.count);
        start..last(view.max.y).saturating_mul(self.per_row).clamp(start, self.count)
    }

    /// The image that an arrow key leads to from `index`: `across` tiles to the right, `down` rows.
    pub fn neighbour(&self, index: usize, across: isize, down: isize) -> usize {
        let step = across + down * self.per_row as isize;
        let last = self.count.saturating_sub(1);
        let target = index.saturating_add_signed(step);
        // A row below the last full one may be shorter: stay rather than jump to its end.
        if down != 0 && (target > last || (step < 0 && index < step.unsigned_abs())) {
            index.min(last)
        } else {
            target.min(last)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_fill_the_width_and_never_overlap() {
        for width in [40.0, 176.0, 200.5, 371.0] {
            let tiles = Tiles::filling(width, 52.0, 4.0, 100);
            assert!(tiles.size().x <= width + 0.01 || tiles.per_row() == 1, "{width}: {tiles:?}");
            assert!(tiles.size().x > width - tiles.per_row() as f32 - 1.0, "{width}: {tiles:?}");
            assert!(!tiles.rect(0).intersects(tiles.rect(1)));
            assert!(!tiles.rect(0).intersects(tiles.rect(tiles.per_row())));
        }
    }

    #[test]
    fn a_view_of_two_thousand_images_names_only_those_in_it() {
        let tiles = Tiles::filling(176.0, 52.0, 4.0, 2000);
        let view = Rect::from_min_size(pos2(0.0, 12_345.0), vec2(176.0, 400.0));
        let range = tiles.in_view(view);
        assert!(range.len() < 40, "{range:?}");
        for index in 0..2000 {
            assert!(range.contains(&index) || !tiles.rect(index).intersects(view), "{index}");
        }
        assert!(tiles.in_view(Rect::from_min_size(pos2(0.0, 1e7), vec2(176.0, 400.0))).is_empty());
        assert_eq!(Tiles::filling(176.0, 52.0, 4.0, 0).in_view(view), 0..0);
    }

    #[test]
    fn a_strip_is_seen_from_the_side() {
        let tiles = Tiles::strip(60.0, 4.0, 500);
        let range = tiles.in_view(Rect::from_min_size(pos2(6_400.0, 0.0), vec2(320.0, 60.0)));
        assert_eq!(range, 100..105);
        assert_eq!(tiles.size().y, 60.0);
    }

    #[test]
    fn arrows_stay_inside() {
        let tiles = Tiles::filling(176.0, 52.0, 4.0, 8);
        assert_eq!(tiles.per_row(), 3);
        assert_eq!(tiles.neighbour(0, -1, 0), 0);
        assert_eq!(tiles.neighbour(0, 0, -1), 0);
        assert_eq!(tiles.neighbour(1, 0, 1), 4);
        assert_eq!(tiles.neighbour(5, 0, 1), 5);
        assert_eq!(tiles.neighbour(4, 0, 1), 7);
        assert_eq!(tiles.neighbour(7, 1, 0), 7);
        assert_eq!(tiles.neighbour(7, 0, -1), 4);
    }
}
