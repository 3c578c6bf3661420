//! The tab before there is anything: what it does, and three ways to begin.

use egui::{
    Align, Label, Layout, Rect, RichText, Role, Sense, Stroke, StrokeKind, TextStyle, Ui, Vec2, WidgetInfo, vec2,
};

use crate::theme::{Palette, space, title_style};
use crate::widgets::is_narrow;

use super::action::Action;
use super::icons::Icon;

struct Way {
    icon: Icon,
    title: &'static str,
    text: &'static str,
    action: Action,
}

fn ways(has_camera: bool) -> Vec<Way> {
    let samples = Way {
        icon: Icon::Samples,
        title: "Try with samples",
        text: "Three classes of drawn things, ready to be recognised",
        action: Action::AddSamples,
    };
    let camera = Way {
        icon: Icon::Camera,
        title: "Use the camera",
        text: "Hold a button and show a thing from several sides",
        action: Action::UseCamera,
    };
    let images = Way {
        icon: Icon::Picture,
        title: "Add images",
        text: "Choose files, or drop them here: a folder becomes a class",
        action: Action::PickImages(None),
    };
    if has_camera { vec![samples, camera, images] } else { vec![samples, images] }
}

/// Draws it over the room there is.
pub(crate) fn welcome(ui: &mut Ui, has_camera: bool, expects_files: bool, actions: &mut Vec<Action>) -> Rect {
    let narrow = is_narrow(ui);
    let ways = ways(has_camera);
    let tile = if narrow { vec2(ui.available_width(), 92.0) } else { vec2(232.0, 176.0) };
    let content = if narrow { 430.0 } else { 400.0 };
    let height = if narrow { content } else { ui.available_height().max(content) };
    let size = vec2(ui.available_width(), height);
    let (area, _) = ui.allocate_exact_size(size, Sense::hover());
    let mut inner = ui.new_child(egui::UiBuilder::new().max_rect(area).layout(Layout::top_down(Align::Center)));
    let ui = &mut inner;
    let slack = (area.height() - content).max(0.0);
    ui.add_space(if narrow { space::S } else { slack * 0.42 });
    let size = if narrow { 24.0 } else { 30.0 };
    ui.label(RichText::new("Teach by example").size(size).strong());
    ui.add_space(space::XS);
    let words =
        "Show a few images of each class and the learner tells them apart at once. Nothing leaves this machine.";
    ui.scope(|ui| {
        ui.set_max_width(440.0_f32.min(ui.available_width()));
        ui.add(Label::new(RichText::new(words).weak().size(15.0)).wrap().halign(Align::Center));
    });
    ui.add_space(if narrow { space::L } else { space::XL });
    if narrow {
        ways.into_iter().for_each(|way| way.show(ui, tile, actions));
    } else {
        let width = tile.x * ways.len() as f32 + space::L * (ways.len() - 1) as f32;
        ui.allocate_ui_with_layout(vec2(width, tile.y), Layout::left_to_right(Align::Min), |ui| {
            ui.spacing_mut().item_spacing.x = space::L;
            ways.into_iter().for_each(|way| way.show(ui, tile, actions));
        });
    }
    ui.add_space(space::L);
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.x = space::S;
        if ui.button("Open a project…").clicked() {
            actions.push(Action::OpenProject);
        }
    });
    if expects_files {
        let line = Stroke::new(2.0, Palette::of(ui).accent);
        ui.painter().rect_stroke(area, 12, line, StrokeKind::Inside);
    }
    area
}

impl Way {
    fn show(self, ui: &mut Ui, size: Vec2, actions: &mut Vec<Action>) {
        let palette = Palette::of(ui);
        let (rect, response) = ui.allocate_exact_size(size, Sense::click());
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, self.title));
        let is_lit = response.hovered() || response.has_focus();
        let line = if is_lit { Stroke::new(2.0, palette.accent) } else { Stroke::new(1.0, palette.border) };
        let fill = if response.hovered() { palette.tint(palette.accent) } else { palette.surface };
        ui.painter().rect(rect, 12, fill, line, StrokeKind::Inside);
        let inside = rect.shrink(space::L);
        let is_row = size.x > 2.0 * size.y;
        let side = if is_row { 30.0 } else { 36.0 };
        let icon = if is_row {
            Rect::from_center_size(inside.left_center() + vec2(side / 2.0, 0.0), Vec2::splat(side))
        } else {
            Rect::from_min_size(inside.left_top(), Vec2::splat(side))
        };
        self.icon.paint(ui.painter(), icon, palette.accent);
        let left = if is_row { inside.left() + side + space::L } else { inside.left() };
        let width = inside.right() - left;
        let title = ui.painter().layout_no_wrap(self.title.to_owned(), title_style().resolve(ui.style()), palette.text);
        let font = TextStyle::Body.resolve(ui.style());
        let text = ui.painter().layout(self.text.to_owned(), font, palette.weak, width);
        let height = title.size().y + space::XS + text.size().y;
        let top = if is_row { inside.center().y - height / 2.0 } else { inside.bottom() - height };
        let below = top + title.size().y + space::XS;
        ui.painter().galley(egui::pos2(left, top), title, palette.text);
        ui.painter().galley(egui::pos2(left, below), text, palette.weak);
        if response.clicked() {
            actions.push(self.action);
        }
    }
}
