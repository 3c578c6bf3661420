//! The confusion matrix: a row per class, a column per answer, each cell a door to its images.

use egui::{
    Align2, Color32, Rect, Role, ScrollArea, Sense, Stroke, StrokeKind, TextStyle, Ui, Vec2, WidgetInfo, pos2, vec2,
};

use crate::theme::{Palette, ink_on};

use super::text::{counted, fitted};

/// What the matrix shows: the classes in their order, and a count per true class and answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Matrix {
    /// Name and colour of each class.
    pub classes: Vec<(String, Color32)>,
    /// `counts[class][answer]`.
    pub counts: Vec<Vec<usize>>,
}

impl Matrix {
    /// Images recognised, and all images.
    pub fn recognised(&self) -> (usize, usize) {
        let right = self.counts.iter().enumerate().filter_map(|(row, counts)| counts.get(row)).sum();
        (right, self.counts.iter().flatten().sum())
    }

    /// What a cell says: "cup taken for ball: 2 images".
    fn sentence(&self, row: usize, column: usize, count: usize) -> String {
        let name = |place: usize| self.classes.get(place).map_or("?", |(name, _)| name.as_str());
        let images = counted(count, "image", "images");
        if row == column {
            format!("{} recognised: {images}", name(row))
        } else {
            format!("{} taken for {}: {images}", name(row), name(column))
        }
    }

    /// Draws it over the width there is, and answers with the cell (class, answer) that was
    /// clicked. `chosen` is outlined.
    pub fn ui(&self, ui: &mut Ui, chosen: Option<(usize, usize)>) -> Option<(usize, usize)> {
        let classes = self.classes.len();
        let width = ui.available_width();
        // Few classes leave room for their whole names.
        let label_width = (width - 40.0 * classes as f32).clamp((width * 0.32).clamp(64.0, 120.0), 180.0);
        let side = ((width - label_width) / classes.max(1) as f32).clamp(22.0, 40.0).floor();
        let size = vec2(label_width + side * classes as f32, side * classes as f32 + 14.0);
        let mut clicked = None;
        ScrollArea::horizontal().id_salt("matrix").show(ui, |ui| {
            let (rect, _) = ui.allocate_exact_size(size, Sense::hover());
            self.answers(ui, pos2(rect.min.x + label_width, rect.min.y), side);
            for row in 0..classes {
                let top = rect.min.y + 14.0 + side * row as f32;
                self.class_name(ui, row, Rect::from_min_size(pos2(rect.min.x, top), vec2(label_width, side)));
                for column in 0..classes {
                    let corner = pos2(rect.min.x + label_width + side * column as f32, top);
                    let cell = Rect::from_min_size(corner, Vec2::splat(side)).shrink(1.0);
                    if self.cell(ui, (row, column), cell, chosen == Some((row, column))) {
                        clicked = Some((row, column));
                    }
                }
            }
        });
        clicked
    }

    /// The answers' colours above their columns.
    fn answers(&self, ui: &Ui, corner: egui::Pos2, side: f32) {
        for (column, (_, colour)) in self.classes.iter().enumerate() {
            let mark = Rect::from_min_size(corner + vec2(side * column as f32, 4.0), vec2(side, 4.0));
            ui.painter().rect_filled(mark.shrink2(vec2(side * 0.2, 0.0)), 2.0, *colour);
        }
    }

    fn class_name(&self, ui: &Ui, row: usize, rect: Rect) {
        let Some((name, colour)) = self.classes.get(row) else { return };
        let mark = Rect::from_center_size(pos2(rect.min.x + 2.0, rect.center().y), vec2(4.0, rect.height() * 0.6));
        ui.painter().rect_filled(mark, 2.0, *colour);
        let text = ui.visuals().text_color();
        let name = fitted(ui, name, TextStyle::Body.resolve(ui.style()), text, rect.width() - 20.0);
        ui.painter().galley(pos2(rect.min.x + 12.0, rect.center().y - name.size().y / 2.0), name, text);
    }

    /// One cell; true where it was clicked. Empty cells are drawn and cannot be.
    fn cell(&self, ui: &Ui, (row, column): (usize, usize), rect: Rect, chosen: bool) -> bool {
        let counts = self.counts.get(row);
        let count = counts.and_then(|counts| counts.get(column)).copied().unwrap_or(0);
        let total = counts.map_or(0, |counts| counts.iter().sum::<usize>()).max(1);
        let visuals = ui.visuals();
        let empty = visuals.widgets.noninteractive.bg_stroke.color.gamma_multiply(0.35);
        if count == 0 {
            ui.painter().rect_filled(rect, 4.0, empty);
            return false;
        }
        let sentence = self.sentence(row, column, count);
        let response = ui
            .interact(rect, ui.scope_id().with(("cell", row, column)), Sense::click())
            .on_hover_text(sentence.as_str())
            .on_hover_cursor(egui::CursorIcon::PointingHand);
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &sentence));
        let share = count as f32 / total as f32;
        let palette = Palette::of(ui);
        let colour = if row == column { palette.good } else { palette.bad };
        let fill = palette.surface.lerp_to_gamma(colour, 0.25 + 0.6 * share);
        ui.painter().rect_filled(rect, 4.0, fill);
        let font = TextStyle::Small.resolve(ui.style());
        ui.painter().text(rect.center(), Align2::CENTER_CENTER, count, font, ink_on(fill));
        if chosen || response.hovered() || response.has_focus() {
            let stroke = if response.has_focus() {
                visuals.selection.stroke
            } else {
                Stroke::new(1.5, visuals.strong_text_color())
            };
            ui.painter().rect_stroke(rect, 4.0, Stroke::new(2.0, stroke.color), StrokeKind::Outside);
        }
        response.clicked()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Matrix {
        let class = |name: &str| (name.to_owned(), Color32::RED);
        Matrix { classes: vec![class("cup"), class("ball")], counts: vec![vec![8, 2], vec![0, 10]] }
    }

    #[test]
    fn the_diagonal_is_what_was_recognised() {
        assert_eq!(example().recognised(), (18, 20));
        assert_eq!(Matrix::default().recognised(), (0, 0));
        assert_eq!(example().sentence(0, 1, 2), "cup taken for ball: 2 images");
        assert_eq!(example().sentence(1, 1, 1), "ball recognised: 1 image");
    }
}
