//! The images of one class as tiles: in rows that scroll down, or, on a phone, in one strip that
//! scrolls sideways. Only tiles in view are made, so a class may hold thousands.

use egui::{
    Context, CursorIcon, EventFilter, Id, Key, Pos2, Rect, Response, Role, ScrollArea, Sense, Stroke, StrokeKind, Ui,
    Vec2, WidgetInfo, pos2, vec2,
};
use inkling_session::teach::{ClassId, ImageId};

use crate::theme::Palette;

use super::action::Action;
use super::desk::Desk;
use super::selection::Extend;
use super::tiles::Tiles;

/// Points along a tile's side: at least this in columns, exactly this in strips.
const LEAST_SIDE: f32 = 56.0;
const STRIP_SIDE: f32 = 72.0;
const GAP: f32 = 4.0;

/// Images on their way to another class.
#[derive(Clone, Debug)]
pub(crate) struct Dragged(pub Vec<ImageId>);

/// The class that a grid shows.
#[derive(Clone, Copy)]
pub(crate) struct Grid<'a> {
    pub class: ClassId,
    pub name: &'a str,
    pub images: &'a [ImageId],
}

impl Grid<'_> {
    /// Rows of tiles over the width and `height` points.
    pub fn column(&self, ui: &mut Ui, height: f32, desk: &mut Desk, actions: &mut Vec<Action>) {
        let area = ScrollArea::vertical().id_salt(("images", self.class)).auto_shrink(false).max_height(height);
        // The bar floats above the last tiles' edge: room for it keeps them whole.
        let tiles = Tiles::filling(ui.available_width() - 6.0, LEAST_SIDE, GAP, self.images.len());
        area.show_viewport(ui, |ui, view| self.tiles(ui, tiles, view, true, desk, actions));
    }

    /// One row of tiles that scrolls sideways.
    pub fn strip(&self, ui: &mut Ui, desk: &mut Desk, actions: &mut Vec<Action>) {
        let tiles = Tiles::strip(STRIP_SIDE, GAP, self.images.len());
        let area = ScrollArea::horizontal().id_salt(("images", self.class)).auto_shrink([false, true]);
        area.show_viewport(ui, |ui, view| self.tiles(ui, tiles, view, false, desk, actions));
    }

    fn tiles(&self, ui: &mut Ui, tiles: Tiles, view: Rect, can_drag: bool, desk: &mut Desk, actions: &mut Vec<Action>) {
        let (rect, _) = ui.allocate_exact_size(tiles.size(), Sense::hover());
        let origin = rect.min.to_vec2();
        let focused = ui.memory(|memory| memory.focused());
        let place = |image: ImageId| self.images.iter().position(|other| *other == image);
        // One tile takes the keyboard's focus by Tab; the arrow keys lead on from there.
        let door = desk.door(self.class).and_then(place).unwrap_or(0);
        let door_has_focus = self.images.get(door).is_some_and(|image| focused == Some(tile_id(*image)));
        if let Some(index) = desk.show_next.and_then(place) {
            desk.show_next = None;
            ui.scroll_to_rect(tiles.rect(index).translate(origin).expand(GAP), None);
        }
        let in_view = tiles.in_view(view);
        for index in in_view.clone().chain([door].into_iter().filter(|door| !in_view.contains(door))) {
            let Some(&image) = self.images.get(index) else { continue };
            let is_door = index == door;
            if !is_door || door_has_focus || in_view.contains(&index) || desk.focus_next == Some(image) {
                let tile = tiles.rect(index).translate(origin);
                self.tile(ui, (index, image), tile, is_door, can_drag, desk, actions);
            }
        }
        if door_has_focus {
            self.keys(ui, tiles, door, origin, desk, actions);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one tile has as many sides")]
    fn tile(
        &self,
        ui: &mut Ui,
        (index, image): (usize, ImageId),
        rect: Rect,
        is_door: bool,
        can_drag: bool,
        desk: &mut Desk,
        actions: &mut Vec<Action>,
    ) {
        // A finger that drags over tiles means to scroll.
        let mut sense = if can_drag { Sense::CLICK | Sense::DRAG } else { Sense::CLICK };
        if is_door {
            sense |= Sense::FOCUSABLE;
        }
        let response = ui.interact(rect, tile_id(image), sense);
        let reason = desk.rejected.get(&image).cloned();
        let state = TileState {
            is_chosen: desk.selection.contains(image),
            is_looked_at: desk.looks_at(image),
            is_mistaken: desk.is_mistaken(image),
            is_rejected: reason.is_some(),
        };
        response.widget_info(|| {
            let label = format!("{}, image {} of {}{}", self.name, index + 1, self.images.len(), state.words());
            WidgetInfo::selected(Role::ListBoxOption, true, state.is_chosen, label)
        });
        if desk.focus_next.take_if(|next| *next == image).is_some() {
            response.request_focus();
        }
        if response.has_focus() {
            let filter = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..EventFilter::default() };
            ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
        }
        if response.clicked() {
            let extend = Extend::of(ui.input(|input| input.modifiers));
            desk.doors.insert(self.class, image);
            actions.push(Action::Choose(image, extend, self.class));
        }
        response.dnd_set_drag_payload(Dragged(desk.selection.or_alone(image)));
        response.context_menu(|ui| super::menus::image_menu(ui, desk, image, actions));
        if ui.is_rect_visible(rect) {
            let texture = desk.thumbnails.texture(ui.ctx(), image);
            paint_tile(ui, rect, texture.as_ref(), state, &response);
        }
        if let Some(reason) = reason {
            response.on_hover_text(reason);
        }
    }

    /// What the keys do while the tile at `door` has the focus.
    fn keys(&self, ui: &Ui, tiles: Tiles, door: usize, origin: Vec2, desk: &mut Desk, actions: &mut Vec<Action>) {
        let pressed = |key| ui.input(|input| input.key_pressed(key));
        let steps = [(Key::ArrowLeft, -1, 0), (Key::ArrowRight, 1, 0), (Key::ArrowUp, 0, -1), (Key::ArrowDown, 0, 1)];
        let target = steps
            .into_iter()
            .find_map(|(key, across, down)| pressed(key).then(|| tiles.neighbour(door, across, down)))
            .or_else(|| pressed(Key::Home).then_some(0))
            .or_else(|| pressed(Key::End).then(|| self.images.len().saturating_sub(1)));
        if let Some(&image) = target.and_then(|target| self.images.get(target)) {
            desk.doors.insert(self.class, image);
            desk.focus_next = Some(image);
            if let Some(target) = target {
                ui.scroll_to_rect(tiles.rect(target).translate(origin).expand(GAP), None);
            }
            if ui.input(|input| input.modifiers.shift) {
                actions.push(Action::Choose(image, Extend::Range, self.class));
            }
            ui.ctx().request_repaint();
        }
        if (pressed(Key::Delete) || pressed(Key::Backspace))
            && let Some(&image) = self.images.get(door)
        {
            // The focus stays in the grid: on the next tile, or the one before at its end.
            let next = self.images.get(door + 1).or_else(|| self.images.get(door.wrapping_sub(1)));
            if let Some(next) = next.filter(|_| desk.selection.len() <= 1) {
                desk.doors.insert(self.class, *next);
                desk.focus_next = Some(*next);
            }
            actions.push(Action::DeleteImages(desk.selection.or_alone(image)));
        }
    }
}

/// The widget of an image's tile.
pub(crate) fn tile_id(image: ImageId) -> Id {
    Id::unique(("tile", image))
}

#[derive(Clone, Copy)]
struct TileState {
    is_chosen: bool,
    is_looked_at: bool,
    is_mistaken: bool,
    is_rejected: bool,
}

impl TileState {
    /// What a screen reader adds.
    fn words(self) -> &'static str {
        if self.is_rejected {
            ", cannot be read"
        } else if self.is_mistaken {
            ", not recognised when left out"
        } else {
            ""
        }
    }
}

fn paint_tile(ui: &Ui, rect: Rect, texture: Option<&egui::TextureHandle>, state: TileState, response: &Response) {
    let palette = Palette::of(ui);
    let painter = ui.painter();
    match texture {
        Some(texture) => {
            picture(ui, rect, texture, 5.0);
        }
        None => {
            painter.rect_filled(rect, 5, palette.raised);
        }
    }
    if state.is_rejected {
        painter.rect_filled(rect, 5, palette.tint(palette.bad));
        painter.text(rect.center(), egui::Align2::CENTER_CENTER, "!", egui::FontId::proportional(20.0), palette.bad);
    }
    if state.is_mistaken {
        mark(ui, rect.right_bottom() - vec2(9.0, 9.0), palette.bad, palette.surface);
    }
    let outline = |width, colour| {
        painter.rect_stroke(rect.expand(1.0), 6, Stroke::new(width, colour), StrokeKind::Middle);
    };
    if response.has_focus() {
        outline(3.0, palette.accent);
    } else if state.is_chosen || state.is_looked_at {
        outline(2.0, palette.accent);
    } else if response.hovered() {
        outline(1.5, palette.weak);
    }
    if state.is_chosen {
        tick(ui, rect.left_top() + vec2(9.0, 9.0), palette);
    }
    if response.dragged() {
        ui.ctx().set_cursor_icon(CursorIcon::Grabbing);
    }
}

/// A picture cut to a square, as large as `rect`, with round corners.
pub(crate) fn picture(ui: &Ui, rect: Rect, texture: &egui::TextureHandle, radius: f32) {
    let [width, height] = texture.size().map(|side| side.max(1) as f32);
    let cut = |side: f32, other: f32| ((side - other) / side / 2.0).max(0.0);
    let (x, y) = (cut(width, height), cut(height, width));
    let uv = Rect::from_min_max(pos2(x, y), pos2(1.0 - x, 1.0 - y));
    let image = egui::Image::from_texture((texture.id(), rect.size())).uv(uv).corner_radius(radius);
    image.paint_at(ui, rect);
}

/// A disc with a cross: not recognised.
fn mark(ui: &Ui, center: Pos2, colour: egui::Color32, ground: egui::Color32) {
    let painter = ui.painter();
    painter.circle_filled(center, 7.0, ground);
    painter.circle_filled(center, 6.0, colour);
    for turn in [1.0, -1.0] {
        let arm = vec2(2.4, 2.4 * turn);
        painter.line_segment([center - arm, center + arm], Stroke::new(1.5, ground));
    }
}

/// A disc with a tick: chosen.
fn tick(ui: &Ui, center: Pos2, palette: Palette) {
    let painter = ui.painter();
    painter.circle_filled(center, 7.0, palette.surface);
    painter.circle_filled(center, 6.0, palette.accent);
    let points = [vec2(-2.6, 0.2), vec2(-0.7, 2.2), vec2(2.8, -2.0)].map(|step| center + step);
    painter.line(points.to_vec(), Stroke::new(1.5, palette.on_accent));
}

/// Shows, at the pointer, how many images are being dragged.
pub(crate) fn drag_label(ctx: &Context) {
    let Some(dragged) = egui::DragAndDrop::payload::<Dragged>(ctx) else { return };
    let Some(pointer) = ctx.pointer_interact_pos() else { return };
    egui::Area::new(Id::unique("dragged images"))
        .order(egui::Order::Tooltip)
        .fixed_pos(pointer + vec2(14.0, 10.0))
        .interactable(false)
        .show(ctx, |ui| {
            egui::Frame::popup(ui.style()).show(ui, |ui| {
                ui.label(super::text::counted(dragged.0.len(), "image", "images"));
            });
        });
}
