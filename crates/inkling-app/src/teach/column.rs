//! A class: its name, its images, and the buttons that add to it. A column on a wide window, a card
//! with one strip of images on a phone.

use egui::text::{CCursor, CCursorRange};
use egui::{
    Align, Align2, Button, Frame, Layout, Margin, Rect, RichText, Role, Sense, Stroke, TextEdit, TextStyle, Ui,
    UiBuilder, Vec2, WidgetInfo, pos2, vec2,
};
use inkling_session::teach::{Class, ClassId, ImageId};

use crate::theme::{Palette, space, title_style};

use super::action::Action;
use super::desk::Desk;
use super::grid::{Dragged, Grid};
use super::icons::{Icon, dashed_frame, icon_button};
use super::menus::class_menu;
use super::text::{counted, fitted, thousands};

/// Points across a column.
pub(crate) const WIDTH: f32 = 214.0;

/// How the camera can be used for recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recording {
    /// There is no camera.
    Impossible,
    Possible,
}

/// A class as it is drawn.
pub(crate) struct Column<'a> {
    pub class: &'a Class,
    pub recording: Recording,
    /// Whether files hover over the window.
    pub expects_files: bool,
}

impl Column<'_> {
    fn id(&self) -> ClassId {
        self.class.id
    }

    /// A column of `height` points. Gives the area that takes what is dropped, and whether the
    /// button for recording is held.
    pub fn column(&self, ui: &mut Ui, height: f32, desk: &mut Desk, actions: &mut Vec<Action>) -> (Rect, bool) {
        let (rect, _) = ui.allocate_exact_size(vec2(WIDTH, height), Sense::hover());
        let name = format!("Class {}", self.class.name);
        let builder = UiBuilder::new().max_rect(rect).id_salt(self.id()).layout(Layout::top_down(Align::Min));
        let builder = builder.accessibility_role(Role::Group).accessibility_label(name);
        // Children of a column that is allocated already: they must not move the cursor again.
        let mut column = ui.new_child(builder);
        self.frame(&column, rect);
        let part = |column: &mut Ui, rect| {
            column.new_child(UiBuilder::new().max_rect(rect).layout(Layout::top_down(Align::Min)))
        };
        let inside = rect.shrink(space::M);
        let footer_height = if self.recording == Recording::Possible { 64.0 } else { 28.0 };
        let (above, below) = inside.split_top_bottom_at_y(inside.bottom() - footer_height);
        let mut upper = part(&mut column, above);
        self.header(&mut upper, desk, actions);
        let problems = self.problems_height(desk);
        let body = upper.available_height() - problems - space::M;
        self.body(&mut upper, body, desk, actions);
        if problems > 0.0 {
            self.problems(&mut upper, desk, actions);
        }
        let held = self.footer(&mut part(&mut column, below), desk, actions);
        self.drop_target(ui, rect, actions);
        (rect, held)
    }

    /// A card as wide as there is room, with one strip of images.
    pub fn card(&self, ui: &mut Ui, desk: &mut Desk, actions: &mut Vec<Action>) -> (Rect, bool) {
        let palette = Palette::of(ui);
        let frame = Frame::new().fill(palette.surface).stroke((1.0, palette.border)).corner_radius(10);
        let name = format!("Class {}", self.class.name);
        let builder = UiBuilder::new().id_salt(self.id());
        let builder = builder.accessibility_role(Role::Group).accessibility_label(name);
        let shown = ui.scope_builder(builder, |ui| {
            frame.inner_margin(Margin::same(space::M as i8)).show(ui, |ui| {
                ui.set_width(ui.available_width());
                self.header(ui, desk, actions);
                // Each part in a scope of its own: the button that is held keeps its identity when the
                // first image comes.
                ui.scope(|ui| {
                    if self.class.images.is_empty() {
                        ui.weak("No images yet");
                    } else {
                        self.grid(|grid| grid.strip(ui, desk, actions));
                    }
                });
                ui.scope(|ui| {
                    if self.problems_height(desk) > 0.0 {
                        self.problems(ui, desk, actions);
                    }
                });
                self.footer(ui, desk, actions)
            })
        });
        let rect = shown.response.rect;
        self.drop_target(ui, rect, actions);
        (rect, shown.inner.inner)
    }

    fn frame(&self, ui: &Ui, rect: Rect) {
        let palette = Palette::of(ui);
        let line = Stroke::new(1.0, palette.border);
        ui.painter().rect(rect, 10, palette.surface, line, egui::StrokeKind::Inside);
    }

    /// Colour, name, count and menu.
    fn header(&self, ui: &mut Ui, desk: &mut Desk, actions: &mut Vec<Action>) {
        let palette = Palette::of(ui);
        let height = ui.spacing().interact_size.y;
        ui.allocate_ui_with_layout(vec2(ui.available_width(), height), Layout::right_to_left(Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = space::XS;
            let more = icon_button(ui, Icon::More, &format!("Menu of {}", self.class.name), true);
            egui::Popup::menu(&more).show(|ui| class_menu(ui, desk, self.id(), actions));
            let count = thousands(self.class.images.len());
            let label = ui.add(egui::Label::new(RichText::new(count).weak()));
            label.on_hover_text(counted(self.class.images.len(), "image", "images"));
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                let (mark, _) = ui.allocate_exact_size(vec2(4.0, 18.0), Sense::hover());
                ui.painter().rect_filled(mark, 2, palette.series(desk.place(self.id())));
                ui.add_space(2.0);
                self.name(ui, desk, actions);
            });
        });
    }

    /// The name, which a click opens for typing.
    fn name(&self, ui: &mut Ui, desk: &mut Desk, actions: &mut Vec<Action>) {
        let Some(renaming) = desk.renaming.as_mut().filter(|renaming| renaming.class == self.class.id) else {
            self.name_button(ui, actions);
            return;
        };
        let edit = TextEdit::singleline(&mut renaming.text)
            .font(title_style())
            .desired_width(ui.available_width())
            .margin(Margin::symmetric(4, 2))
            .char_limit(60);
        let mut output = edit.show(ui);
        let response = output.response.response.clone().accessible_name(format!("Name of {}", self.class.name));
        if renaming.is_fresh {
            renaming.is_fresh = false;
            response.request_focus();
            let all = CCursorRange::two(CCursor::default(), CCursor::new(renaming.text.chars().count()));
            output.state.cursor.set_char_range(Some(all));
            output.state.store(ui.ctx(), response.id);
        }
        if response.lost_focus() {
            let text = renaming.text.trim().to_owned();
            let kept = text.is_empty() || ui.input(|input| input.key_pressed(egui::Key::Escape));
            let name = if kept { self.class.name.clone() } else { text };
            actions.push(Action::Rename(self.class.id, name));
        }
    }

    fn name_button(&self, ui: &mut Ui, actions: &mut Vec<Action>) {
        let palette = Palette::of(ui);
        let size = vec2(ui.available_width(), ui.spacing().interact_size.y);
        let font = title_style().resolve(ui.style());
        let galley = fitted(ui, &self.class.name, font, palette.text, size.x - 8.0);
        let (rect, response) =
            ui.allocate_exact_size(vec2((galley.size().x + 8.0).min(size.x), size.y), Sense::click());
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("Rename {}", self.class.name)));
        if response.hovered() || response.has_focus() {
            let visuals = ui.style().interact(&response);
            ui.painter().rect(rect, 4, palette.surface, visuals.bg_stroke, egui::StrokeKind::Inside);
        }
        let top = rect.center().y - galley.size().y / 2.0;
        let elided = galley.elided;
        ui.painter().galley(pos2(rect.left() + 4.0, top), galley, palette.text);
        let hint = if elided { format!("{} (click to rename)", self.class.name) } else { "Click to rename".to_owned() };
        if response.on_hover_text(hint).on_hover_cursor(egui::CursorIcon::Text).clicked() {
            actions.push(Action::BeginRename(self.id()));
        }
    }

    fn body(&self, ui: &mut Ui, height: f32, desk: &mut Desk, actions: &mut Vec<Action>) {
        let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), height.max(60.0)), Sense::hover());
        if self.class.images.is_empty() {
            let palette = Palette::of(ui);
            dashed_frame(ui.painter(), rect.shrink(1.0), palette.border);
            let hint = match self.recording {
                Recording::Possible => "Drop images here, or hold\nthe button below",
                Recording::Impossible => "Drop images here",
            };
            let font = TextStyle::Body.resolve(ui.style());
            ui.painter().text(rect.center(), Align2::CENTER_CENTER, hint, font, palette.weak);
        } else {
            let mut inner = ui.new_child(UiBuilder::new().max_rect(rect).layout(Layout::top_down(Align::Min)));
            inner.set_clip_rect(rect.expand2(vec2(3.0, 2.0)).intersect(ui.clip_rect()));
            self.grid(|grid| grid.column(&mut inner, rect.height(), desk, actions));
        }
    }

    fn grid(&self, draw: impl FnOnce(&Grid<'_>)) {
        let images: Vec<ImageId> = self.class.images.iter().map(|image| image.id).collect();
        draw(&Grid { class: self.id(), name: &self.class.name, images: &images });
    }

    fn rejected<'a>(&'a self, desk: &'a Desk) -> impl Iterator<Item = (ImageId, &'a str)> {
        self.class.images.iter().filter_map(|image| Some((image.id, desk.rejected.get(&image.id)?.as_str())))
    }

    fn problems_height(&self, desk: &Desk) -> f32 {
        match self.rejected(desk).count() {
            0 => 0.0,
            _ => 30.0 + space::S,
        }
    }

    /// How many images cannot be used; a click lists them with the reasons.
    fn problems(&self, ui: &mut Ui, desk: &Desk, actions: &mut Vec<Action>) {
        let palette = Palette::of(ui);
        let rejected: Vec<(ImageId, &str)> = self.rejected(desk).collect();
        let text = format!("{} cannot be read", counted(rejected.len(), "image", "images"));
        let button = Button::new(RichText::new(text).color(palette.bad)).fill(palette.tint(palette.bad)).truncate();
        let button = ui.add_sized(vec2(ui.available_width(), 28.0), button);
        egui::Popup::menu(&button).close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside).show(|ui| {
            ui.set_max_width(300.0);
            let list = egui::ScrollArea::vertical().max_height(220.0);
            list.show(ui, |ui| {
                for (_, reason) in &rejected {
                    ui.add(egui::Label::new(*reason).wrap());
                    ui.add_space(space::XS);
                }
            });
            let remove = format!("Remove {}", if rejected.len() == 1 { "it" } else { "them" });
            if ui.button(remove).clicked() {
                actions.push(Action::DeleteImages(rejected.iter().map(|(id, _)| *id).collect()));
                ui.close();
            }
        });
    }

    /// The buttons that add images. True while the one for recording is held.
    fn footer(&self, ui: &mut Ui, desk: &Desk, actions: &mut Vec<Action>) -> bool {
        let full = vec2(ui.available_width(), 28.0);
        let add = |ui: &mut Ui, size: Vec2, actions: &mut Vec<Action>| {
            let button = Button::new("Add images…");
            let response = ui.add_sized(size, button);
            if response.accessible_name(format!("Add images to {}", self.class.name)).clicked() {
                actions.push(Action::PickImages(Some(self.id())));
            }
        };
        if self.recording == Recording::Impossible {
            add(ui, full, actions);
            return false;
        }
        if ui.available_width() > WIDTH {
            let half = vec2((full.x - space::S) / 2.0, full.y);
            return ui
                .horizontal(|ui| {
                    let held = self.record_button(ui, half, desk);
                    add(ui, half, actions);
                    held
                })
                .inner;
        }
        let held = self.record_button(ui, full, desk);
        add(ui, full, actions);
        held
    }

    /// The button that records while it is held, with the pointer or with Space or Enter.
    fn record_button(&self, ui: &mut Ui, size: Vec2, desk: &Desk) -> bool {
        let palette = Palette::of(ui);
        let is_recording = desk.recorder.class() == Some(self.id());
        let text = if is_recording {
            RichText::new(format!("Recording… {}", desk.recorder.taken())).color(palette.on_accent)
        } else {
            RichText::new("Hold to record")
        };
        let mut button = Button::new(text).sense(Sense::click_and_drag());
        if is_recording {
            button = button.fill(palette.accent);
        }
        let response = ui.add_sized(size, button);
        let response = response.accessible_name(format!("Hold to record {}", self.class.name));
        let keys = ui.input(|input| input.key_down(egui::Key::Space) || input.key_down(egui::Key::Enter));
        response.is_pointer_button_down_on() || (response.has_focus() && keys)
    }

    /// What is dragged onto the class.
    fn drop_target(&self, ui: &Ui, rect: Rect, actions: &mut Vec<Action>) {
        let palette = Palette::of(ui);
        let is_over = ui.rect_contains_pointer(rect);
        let carries = egui::DragAndDrop::payload::<Dragged>(ui.ctx());
        let is_target = is_over && (carries.is_some() || self.expects_files);
        if is_target {
            ui.painter().rect_stroke(rect, 10, Stroke::new(2.0, palette.accent), egui::StrokeKind::Inside);
        }
        if is_over
            && ui.input(|input| input.pointer.any_released())
            && let Some(dragged) = egui::DragAndDrop::take_payload::<Dragged>(ui.ctx())
        {
            actions.push(Action::MoveImages(dragged.0.clone(), self.id()));
        }
    }
}

/// The place behind the last class where a new one is made.
pub(crate) fn new_class(ui: &mut Ui, size: Vec2, is_target: bool, actions: &mut Vec<Action>) -> Rect {
    let palette = Palette::of(ui);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, "New class"));
    let is_lit = response.hovered() || response.has_focus() || is_target;
    if is_lit {
        let line = if response.has_focus() || is_target { Stroke::new(2.0, palette.accent) } else { Stroke::NONE };
        ui.painter().rect(rect, 10, palette.surface, line, egui::StrokeKind::Inside);
    }
    dashed_frame(ui.painter(), rect.shrink(0.5), if is_lit { palette.weak } else { palette.border });
    let font = TextStyle::Button.resolve(ui.style());
    let text = ui.painter().layout_no_wrap("New class".to_owned(), font, palette.text);
    let width = 18.0 + space::S + text.size().x;
    let left = rect.center() - vec2(width / 2.0, 0.0);
    Icon::Plus.paint(ui.painter(), Rect::from_center_size(left + vec2(9.0, 0.0), Vec2::splat(16.0)), palette.accent);
    ui.painter().galley(left + vec2(18.0 + space::S, -text.size().y / 2.0), text, palette.text);
    if response.on_hover_text("Add a class; a folder that is dropped here becomes one").clicked() {
        actions.push(Action::AddClass);
    }
    rect
}
