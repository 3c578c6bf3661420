//! Parts that several panels draw alike.

use egui::{Color32, CornerRadius, Margin, Response, RichText, Role, Sense, Stroke, Ui, WidgetInfo};

use crate::theme::{NARROW, Palette, space, title_style};

/// Whether `ui`'s window is laid out for a phone.
pub fn is_narrow(ui: &Ui) -> bool {
    ui.ctx().content_rect().width() < NARROW
}

/// The text with a capital first letter.
pub fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The button of the one thing that a panel wants done next.
pub fn primary_button(ui: &mut Ui, text: &str, enabled: bool) -> Response {
    let palette = Palette::of(ui);
    ui.scope(|ui| {
        let widgets = &mut ui.visuals_mut().widgets;
        let strong = palette.accent.lerp_to_gamma(palette.text, 0.25);
        for (state, fill) in
            [(&mut widgets.inactive, palette.accent), (&mut widgets.hovered, strong), (&mut widgets.active, strong)]
        {
            state.weak_bg_fill = fill;
            state.bg_stroke.color = if fill == palette.accent { fill } else { palette.text };
            state.fg_stroke.color = palette.on_accent;
        }
        ui.add_enabled(enabled, egui::Button::new(text))
    })
    .inner
}

/// A surface with room around its content and a title, as wide as there is room.
pub fn card<R>(ui: &mut Ui, title: &str, content: impl FnOnce(&mut Ui) -> R) -> R {
    let palette = Palette::of(ui);
    egui::Frame::new()
        .fill(palette.surface)
        .stroke((1.0, palette.border))
        .corner_radius(10)
        .inner_margin(Margin::same(space::L as i8))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            if !title.is_empty() {
                card_title(ui, title);
            }
            content(ui)
        })
        .inner
}

/// The title of a card.
pub fn card_title(ui: &mut Ui, title: &str) {
    ui.label(RichText::new(title).text_style(title_style()));
    ui.add_space(space::XS);
}

/// The heading of a panel with a line below it that says what the panel is for.
pub fn panel_heading(ui: &mut Ui, title: &str, purpose: &str) {
    ui.heading(title);
    ui.add(egui::Label::new(RichText::new(purpose).weak()).wrap());
    ui.add_space(space::S);
}

/// What stands where there is nothing yet: what would stand here, and how to get it.
pub fn empty_state(ui: &mut Ui, title: &str, hint: &str) {
    ui.vertical_centered(|ui| {
        ui.add_space(space::XL);
        ui.label(RichText::new(title).text_style(title_style()));
        ui.add(egui::Label::new(RichText::new(hint).weak()).wrap());
        ui.add_space(space::XL);
    });
}

/// A button with a cross, for what can be closed or removed; `label` is what screen readers say.
pub fn close_button(ui: &mut Ui, label: &str) -> Response {
    let size = egui::Vec2::splat(ui.spacing().interact_size.y);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), label));
    let visuals = ui.style().interact(&response);
    if response.hovered() || response.has_focus() {
        ui.painter().rect(rect, 6, visuals.weak_bg_fill, visuals.bg_stroke, egui::StrokeKind::Inside);
    }
    let half = 4.5;
    let stroke = Stroke::new(1.5, visuals.fg_stroke.color);
    let center = rect.center();
    for turn in [1.0, -1.0] {
        let arm = egui::vec2(half, half * turn);
        ui.painter().line_segment([center - arm, center + arm], stroke);
    }
    response.on_hover_text(label)
}

/// Boxes and rings to tick, with a line that shows while they are empty: unlike a button, they have
/// no text of their own.
pub fn to_tick<R>(ui: &mut Ui, content: impl FnOnce(&mut Ui) -> R) -> R {
    let line = Palette::of(ui).weak;
    ui.scope(|ui| {
        ui.visuals_mut().widgets.inactive.bg_stroke.color = line;
        content(ui)
    })
    .inner
}

/// A bar that is `share` full.
pub fn meter(ui: &mut Ui, share: f32, color: Color32, label: &str) -> Response {
    let palette = Palette::of(ui);
    let (rect, response) = ui.allocate_exact_size(egui::vec2(ui.available_width(), 6.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::ProgressIndicator, true, label));
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    ui.painter().rect_filled(rect, CornerRadius::same(3), palette.raised);
    let mut filled = rect;
    filled.set_width(rect.width() * share);
    if share > 0.0 {
        ui.painter().rect_filled(filled, CornerRadius::same(3), color);
    }
    response.on_hover_text(label)
}

/// A label and its field in two columns that align from row to row.
pub fn field(ui: &mut Ui, label: &str, content: impl FnOnce(&mut Ui) -> Response) {
    ui.horizontal(|ui| {
        let name = label_column(ui, label);
        content(ui).labelled_by(name.id);
    });
}

/// The label of a row, as wide as those of the other rows.
fn label_column(ui: &mut Ui, label: &str) -> Response {
    let size = egui::vec2(LABEL_WIDTH, ui.spacing().interact_size.y);
    let layout = egui::Layout::left_to_right(egui::Align::Center);
    let column = ui.allocate_ui_with_layout(size, layout, |ui| {
        ui.set_min_size(size);
        ui.label(label)
    });
    column.inner
}

const LABEL_WIDTH: f32 = 124.0;

/// A slider over whole numbers with its label before it and its number behind it.
pub fn slider(ui: &mut Ui, (label, hint): (&str, &str), value: &mut u32, range: std::ops::RangeInclusive<u32>) {
    let palette = Palette::of(ui);
    ui.horizontal(|ui| {
        let name = label_column(ui, label);
        let drawn = ui.scope(|ui| {
            let visuals = ui.visuals_mut();
            visuals.selection.bg_fill = palette.accent;
            let widgets = &mut visuals.widgets;
            for state in [&mut widgets.inactive, &mut widgets.hovered, &mut widgets.active] {
                state.fg_stroke = Stroke::new(2.0, palette.accent);
            }
            // The handle is all that can show the keyboard's focus.
            widgets.active.fg_stroke.width = 5.0;
            ui.spacing_mut().slider_width = (ui.available_width() - 56.0).max(60.0);
            ui.add(egui::Slider::new(value, range.clone()).show_value(false))
        });
        drawn.inner.on_hover_text(hint).labelled_by(name.id);
        ui.add(egui::DragValue::new(value).range(range)).labelled_by(name.id);
    });
}

/// Small squares of colour with their names, wrapped to the width.
pub fn legend<'a>(ui: &mut Ui, entries: impl Iterator<Item = (Color32, &'a str)>) {
    let palette = Palette::of(ui);
    let font = egui::TextStyle::Small.resolve(ui.style());
    let layout = egui::Layout::left_to_right(egui::Align::Center).with_main_wrap(true);
    let size = egui::vec2(ui.available_width(), 0.0);
    ui.allocate_ui_with_layout(size, layout, |ui| {
        ui.spacing_mut().item_spacing = egui::vec2(space::M, 2.0);
        for (color, name) in entries {
            let galley = ui.painter().layout_no_wrap(name.to_owned(), font.clone(), palette.weak);
            let size = egui::vec2(14.0 + galley.size().x, galley.size().y.max(16.0));
            let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
            response.widget_info(|| WidgetInfo::labeled(Role::Label, true, name));
            let dot = egui::Rect::from_center_size(rect.left_center() + egui::vec2(5.0, 0.0), egui::Vec2::splat(9.0));
            ui.painter().rect_filled(dot, CornerRadius::same(2), color);
            let corner = egui::pos2(rect.left() + 14.0, rect.center().y - galley.size().y / 2.0);
            ui.painter().galley(corner, galley, palette.weak);
        }
    });
}
