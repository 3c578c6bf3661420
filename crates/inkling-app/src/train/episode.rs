//! An episode as the learner sees it: support images by class, queries with what was predicted,
//! errors marked.

use std::sync::Arc;

use egui::{
    Color32, ColorImage, Rect, RichText, Role, Sense, Stroke, StrokeKind, TextureHandle, TextureOptions, Ui,
    WidgetInfo, vec2,
};
use inkling_session::snapshot::{EpisodeSnapshot, SnapshotImage};

use crate::theme::{Palette, space};

/// The images of one snapshot as one texture, so that they are uploaded once.
#[derive(Default)]
pub(crate) struct EpisodeView {
    shown: Option<Sheet>,
}

/// What an image is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Support,
    Query,
}

struct Sheet {
    snapshot: Arc<EpisodeSnapshot>,
    texture: TextureHandle,
    columns: usize,
    rows: usize,
}

impl EpisodeView {
    /// Draws a snapshot.
    pub(crate) fn ui(&mut self, ui: &mut Ui, snapshot: &Arc<EpisodeSnapshot>) {
        if self.shown.as_ref().is_none_or(|sheet| !Arc::ptr_eq(&sheet.snapshot, snapshot)) {
            self.shown = Sheet::new(ui.ctx(), snapshot);
        }
        let Some(sheet) = &self.shown else {
            ui.weak("This episode has no images.");
            return;
        };
        let errors = snapshot.query.iter().filter(|image| image.is_error()).count();
        let standing = format!(
            "After step {}: {} of {} queries right, {:.0} %; of the support {:.0} %",
            snapshot.step,
            snapshot.query.len() - errors,
            snapshot.query.len(),
            snapshot.accuracy * 100.0,
            snapshot.support_accuracy * 100.0
        );
        ui.add(egui::Label::new(standing).wrap());
        let key = "First the support of each class, then its queries: in green where the learner is right, in red \
                   with a cross where it is wrong. Of the support only errors are marked.";
        ui.add(egui::Label::new(RichText::new(key).small().weak()).wrap());
        for (label, class) in snapshot.classes.iter().enumerate() {
            ui.add_space(space::XS);
            sheet.class_ui(ui, label as u32, class);
        }
    }
}

/// The side of an image on the screen in points.
const SIDE: f32 = 44.0;

impl Sheet {
    fn new(ctx: &egui::Context, snapshot: &Arc<EpisodeSnapshot>) -> Option<Self> {
        let (width, height) = (snapshot.width as usize, snapshot.height as usize);
        let count = snapshot.support.len() + snapshot.query.len();
        if count == 0 || width == 0 || height == 0 {
            return None;
        }
        let columns = (count as f64).sqrt().ceil() as usize;
        let rows = count.div_ceil(columns);
        let mut pixels = vec![Color32::TRANSPARENT; columns * width * rows * height];
        for (index, image) in snapshot.support.iter().chain(&snapshot.query).enumerate() {
            let corner = (index / columns * height) * columns * width + index % columns * width;
            for (y, line) in image.rgba.chunks_exact(4 * width).take(height).enumerate() {
                let start = corner + y * columns * width;
                let Some(target) = pixels.get_mut(start..start + width) else { continue };
                for (target, pixel) in target.iter_mut().zip(line.chunks_exact(4)) {
                    if let [r, g, b, _] = pixel {
                        *target = Color32::from_rgb(*r, *g, *b);
                    }
                }
            }
        }
        let image = ColorImage::new([columns * width, rows * height], pixels);
        let texture = ctx.load_texture("episode", image, TextureOptions::LINEAR);
        Some(Self { snapshot: Arc::clone(snapshot), texture, columns, rows })
    }

    /// Support and queries of one class.
    fn class_ui(&self, ui: &mut Ui, label: u32, class: &str) {
        let support = self.snapshot.support.iter().enumerate().filter(|(_, image)| image.label == label);
        let first_query = self.snapshot.support.len();
        let queries = self.snapshot.query.iter().enumerate().filter(|(_, image)| image.label == label);
        ui.label(RichText::new(class).small().weak());
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = vec2(space::XS, space::XS);
            for (index, image) in support {
                self.image_ui(ui, (Half::Support, index), image);
            }
            ui.add_space(space::S);
            for (index, image) in queries {
                self.image_ui(ui, (Half::Query, first_query + index), image);
            }
        });
    }

    /// One image: queries have a frame, green where the prediction is right, red where it is wrong,
    /// and a cross besides, for those who cannot tell the colours apart. The support has one only
    /// where it is wrong, so that both halves stay apart.
    fn image_ui(&self, ui: &mut Ui, (half, index): (Half, usize), image: &SnapshotImage) {
        let palette = Palette::of(ui);
        let (rect, response) = ui.allocate_exact_size(vec2(SIDE, SIDE), Sense::hover());
        // Half a pixel inwards, or the images beside it would show through at the edges.
        let at = |place: usize, count: usize, pixels: u32| {
            let inset = 0.5 / pixels.max(1) as f32;
            ((place as f32 + inset) / count as f32, ((place + 1) as f32 - inset) / count as f32)
        };
        let (left, right) = at(index % self.columns, self.columns, self.snapshot.width);
        let (top, bottom) = at(index / self.columns, self.rows, self.snapshot.height);
        let uv = Rect::from_min_max(egui::pos2(left, top), egui::pos2(right, bottom));
        let has_frame = image.is_error() || (half == Half::Query && image.prediction().is_some());
        let inner = if has_frame { rect.shrink(3.0) } else { rect };
        ui.painter().image(self.texture.id(), inner, uv, Color32::WHITE);
        let text = self.description(half, image);
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &text));
        if has_frame {
            let color = if image.is_error() { palette.bad } else { palette.good };
            ui.painter().rect_stroke(rect, 4, Stroke::new(2.0, color), StrokeKind::Inside);
            if image.is_error() {
                let corner = Rect::from_min_size(rect.right_top() - vec2(15.0, -1.0), vec2(14.0, 14.0));
                ui.painter().rect_filled(corner, 4, color);
                let stroke = Stroke::new(1.5, palette.surface);
                for turn in [1.0, -1.0] {
                    let arm = vec2(3.0, 3.0 * turn);
                    ui.painter().line_segment([corner.center() - arm, corner.center() + arm], stroke);
                }
            }
        }
        response.on_hover_text(text);
    }

    fn description(&self, half: Half, image: &SnapshotImage) -> String {
        let name = |label: u32| self.snapshot.classes.get(label as usize).map_or("?", String::as_str);
        let what = match half {
            Half::Support => "Support of",
            Half::Query => "Query of",
        };
        match image.prediction() {
            None => format!("{what} {}", name(image.label)),
            Some(class) => {
                let share = image.probabilities.get(class as usize).copied().unwrap_or(0.0) * 100.0;
                let verdict = if image.is_error() { "wrong" } else { "right" };
                format!("{what} {}: {verdict}, {} at {share:.0} %", name(image.label), name(class))
            }
        }
    }
}
