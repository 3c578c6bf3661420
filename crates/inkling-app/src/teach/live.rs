//! The live view: what the camera, an image from outside or an image left out of its class is taken
//! for, with a bar per class.

use egui::{
    Align, Align2, Button, Frame, Label, Layout, Margin, Rect, RichText, Role, ScrollArea, Sense, Stroke, StrokeKind,
    TextStyle, Ui, UiBuilder, WidgetInfo, vec2,
};

use crate::notice::Notice;
use crate::services::CameraState;
use crate::theme::{Palette, figure_style, space, title_style};

use super::action::Action;
use super::bars::{Bar, bar, percent};
use super::desk::{Desk, Stage};
use super::grid::picture;
use super::icons::dashed_frame;
use super::look::{Latency, Source};

/// What the live view needs to know besides the desk.
pub(crate) struct Live<'a> {
    /// None where the program has no camera at all.
    pub camera: Option<&'a CameraState>,
    /// Whether files hover over the window.
    pub expects_files: bool,
}

impl Live<'_> {
    /// The view on a wide window: picture above, bars below. Gives the area that takes what is dropped.
    pub fn tall(&self, ui: &mut Ui, desk: &mut Desk, actions: &mut Vec<Action>) -> Rect {
        let side = ui.available_width();
        let rect = self.card(ui, |ui| {
            self.header(ui, desk, actions);
            let height = (side * 0.72).min(ui.ctx().content_rect().height() * 0.25);
            self.view(ui, vec2(ui.available_width(), height), desk);
            self.caption(ui, desk);
            self.camera_notice(ui, actions);
            tries(ui, desk, actions);
            ui.add_space(space::XS);
            answer(ui, desk);
            bars(ui, desk, false);
        });
        self.outline(ui, rect);
        rect
    }

    /// The view on a phone: picture on the left, bars on the right.
    pub fn compact(&self, ui: &mut Ui, desk: &mut Desk, actions: &mut Vec<Action>) -> Rect {
        let rect = self.card(ui, |ui| {
            self.header(ui, desk, actions);
            self.camera_notice(ui, actions);
            ui.horizontal_top(|ui| {
                let side = 120.0;
                ui.allocate_ui_with_layout(vec2(side, side), Layout::top_down(Align::Min), |ui| {
                    self.view(ui, vec2(side, side), desk);
                });
                ui.vertical(|ui| {
                    answer(ui, desk);
                    let list = ScrollArea::vertical().id_salt("bars").max_height(96.0).auto_shrink([false, true]);
                    list.show(ui, |ui| bars(ui, desk, true));
                });
            });
            self.caption(ui, desk);
            tries(ui, desk, actions);
        });
        self.outline(ui, rect);
        rect
    }

    fn card(&self, ui: &mut Ui, content: impl FnOnce(&mut Ui)) -> Rect {
        let palette = Palette::of(ui);
        let frame = Frame::new().fill(palette.surface).stroke((1.0, palette.border)).corner_radius(10);
        let builder = UiBuilder::new().accessibility_role(Role::Group).accessibility_label("Live view");
        let shown = ui.scope_builder(builder, |ui| {
            frame.inner_margin(Margin::same(space::M as i8)).show(ui, |ui| {
                ui.set_width(ui.available_width());
                content(ui);
            });
        });
        shown.response.rect
    }

    fn outline(&self, ui: &Ui, rect: Rect) {
        if self.expects_files && ui.rect_contains_pointer(rect) {
            let line = Stroke::new(2.0, Palette::of(ui).accent);
            ui.painter().rect_stroke(rect, 10, line, StrokeKind::Inside);
        }
    }

    /// Where the picture comes from.
    fn header(&self, ui: &mut Ui, desk: &Desk, actions: &mut Vec<Action>) {
        let height = ui.spacing().interact_size.y;
        ui.allocate_ui_with_layout(vec2(ui.available_width(), height), Layout::right_to_left(Align::Center), |ui| {
            let image = ui.button("Image…").on_hover_text("Choose an image to recognise");
            if image.clicked() {
                actions.push(Action::PickQuestion);
            }
            if self.camera.is_some() {
                let is_on = desk.look.source == Source::Camera;
                let camera = ui.add(Button::selectable(is_on, "Camera").frame_when_inactive(true));
                let hint = if is_on { "Turn the camera off" } else { "Recognise what the camera sees" };
                if camera.on_hover_text(hint).clicked() {
                    actions.push(if is_on { Action::StopCamera } else { Action::UseCamera });
                }
            }
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                ui.add(Label::new(RichText::new("What is this?").text_style(title_style())).truncate());
            });
        });
    }

    fn camera_notice(&self, ui: &mut Ui, actions: &mut Vec<Action>) {
        if let Some(CameraState::Failed(notice)) = self.camera
            && notice.show(ui)
        {
            actions.push(Action::StopCamera);
        }
    }

    /// The picture, or what could stand there.
    fn view(&self, ui: &mut Ui, size: egui::Vec2, desk: &mut Desk) {
        let palette = Palette::of(ui);
        let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
        ui.painter().rect_filled(rect, 8, palette.background);
        let texture = match (desk.look.picture(), &desk.look.source) {
            (Some(picture), _) => Some(picture.clone()),
            // Small, but there at once.
            (None, Source::HeldOut(image)) => desk.thumbnails.texture(ui.ctx(), *image),
            (None, _) => None,
        };
        let name = caption_text(desk);
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &name));
        match texture {
            Some(texture) => {
                let side = rect.height().min(rect.width());
                let square = Rect::from_center_size(rect.center(), vec2(side, side));
                picture(ui, square, &texture, 8.0);
            }
            None => {
                dashed_frame(ui.painter(), rect.shrink(0.5), palette.border);
                let text = match (&desk.look.source, self.camera) {
                    (Source::Camera, Some(CameraState::Starting)) => "The camera is starting…",
                    (Source::Outside(_), _) => "…",
                    (Source::Nothing, Some(_)) if size.x > 200.0 => {
                        "Drop an image here, click one\nof a class, or use the camera"
                    }
                    (Source::Nothing, None) if size.x > 200.0 => "Drop an image here,\nor click one of a class",
                    (Source::Nothing, _) => "Tap an image\nof a class",
                    _ => "",
                };
                let font = TextStyle::Body.resolve(ui.style());
                ui.painter().text(rect.center(), Align2::CENTER_CENTER, text, font, palette.weak);
            }
        }
    }

    fn caption(&self, ui: &mut Ui, desk: &Desk) {
        if desk.look.source == Source::Nothing {
            return;
        }
        let caption = ui.add(Label::new(RichText::new(caption_text(desk)).small().weak()).truncate());
        if let Some(latency) = desk.look.latency() {
            caption.on_hover_text(latency_text(&latency));
        }
    }
}

/// What the picture is.
fn caption_text(desk: &Desk) -> String {
    match &desk.look.source {
        Source::Nothing => "No image".to_owned(),
        Source::Camera => match desk.look.latency() {
            Some(latency) => format!("The camera, {:.0} ms from picture to answer", 1e3 * latency.seconds),
            None => "The camera".to_owned(),
        },
        Source::Outside(image) => image.name.clone(),
        Source::HeldOut(id) => match desk.room.image(*id) {
            Some((class, image)) => format!("{}, left out of {}", image.image.name, class.name),
            None => String::new(),
        },
    }
}

/// Where the time of a frame goes.
fn latency_text(latency: &Latency) -> String {
    let Latency { seconds, spent, .. } = latency;
    let waiting = (seconds - spent.seconds()).max(0.0);
    let [picture, network, classes, waiting] =
        [spent.picture, spent.network, spent.classes, waiting].map(|seconds| 1e3 * seconds);
    format!("Picture {picture:.1} ms, network {network:.1} ms, classes {classes:.1} ms, waiting {waiting:.1} ms")
}

/// The answer in large letters.
fn answer(ui: &mut Ui, desk: &Desk) {
    let palette = Palette::of(ui);
    if let Some(problem) = &desk.look.problem {
        let notice = Notice::from_message(problem);
        ui.add(Label::new(RichText::new(notice.sentence).color(palette.bad)).wrap());
        ui.add(Label::new(RichText::new(notice.remedy).weak()).wrap());
        return;
    }
    let Some(prediction) = desk.prediction().filter(|prediction| !prediction.classes.is_empty()) else {
        ui.add(Label::new(RichText::new(waiting_text(desk)).weak()).wrap());
        return;
    };
    let best = prediction.best();
    let probability = |class| {
        prediction.classes.iter().find(|(other, _)| *other == class).map_or(0.0, |(_, probability)| *probability)
    };
    let (name, colour, share) = match best.and_then(|class| Some((class, desk.room.class(class)?))) {
        Some((id, class)) => (class.name.clone(), palette.series(desk.place(id)), probability(id)),
        None => ("None of these".to_owned(), palette.weak, prediction.none_of_these),
    };
    let spoken = format!("Answer: {name}, {}", percent(share));
    ui.horizontal(|ui| {
        let (mark, _) = ui.allocate_exact_size(vec2(5.0, 24.0), Sense::hover());
        ui.painter().rect_filled(mark, 2, colour);
        let label = Label::new(RichText::new(&name).text_style(figure_style())).truncate();
        let response = ui.add(label);
        ui.ctx().accesskit_node_builder(response.id, |node| node.set_value(spoken.as_str()));
    });
    if let Some(truth) = desk.look.held_out().and_then(|image| desk.room.image(image)).map(|(class, _)| class) {
        let is_right = best == Some(truth.id);
        let (text, colour) = if is_right {
            ("Recognised".to_owned(), palette.good)
        } else {
            (format!("It is {}", truth.name), palette.bad)
        };
        ui.add(Label::new(RichText::new(text).color(colour)).truncate());
    }
    ui.add_space(space::XS);
}

/// The images that came with the samples, each a button.
fn tries(ui: &mut Ui, desk: &mut Desk, actions: &mut Vec<Action>) {
    if desk.tries.is_empty() {
        return;
    }
    let palette = Palette::of(ui);
    let row = vec2(ui.available_width(), 44.0);
    ui.allocate_ui_with_layout(row, Layout::left_to_right(Align::Center), |ui| {
        ui.weak("Try");
        for place in 0..desk.tries.len() {
            let (rect, response) = ui.allocate_exact_size(vec2(40.0, 40.0), Sense::click());
            let Some(image) = desk.tries.get(place) else { continue };
            response.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("Try {}", image.name)));
            let is_looked_at = matches!(&desk.look.source, Source::Outside(seen) if seen == image);
            if let Some(texture) = desk.tries_shown.texture(ui.ctx(), place) {
                picture(ui, rect, &texture, 5.0);
            }
            if is_looked_at || response.hovered() || response.has_focus() {
                let width = if response.has_focus() { 3.0 } else { 2.0 };
                ui.painter().rect_stroke(rect.expand(1.0), 6, Stroke::new(width, palette.accent), StrokeKind::Middle);
            }
            if response.on_hover_text("Recognise this one").clicked() {
                actions.push(Action::Try(place));
            }
        }
    });
}

/// Why there is no answer yet.
fn waiting_text(desk: &Desk) -> &'static str {
    match (&desk.stage, &desk.look.source) {
        (Stage::Failed(_), _) => "Teaching has stopped",
        (Stage::Waiting, _) => "The learner is on its way",
        (Stage::Starting, _) => "The learner makes itself ready…",
        (Stage::Ready(_), _) if desk.room.image_count() == 0 => "Bars for each class appear as soon as one has images",
        (Stage::Ready(_), Source::Nothing) => "Nothing is being looked at",
        (Stage::Ready(_), _) => "…",
    }
}

/// A bar per class, in their order, and one for none of them.
fn bars(ui: &mut Ui, desk: &Desk, inline: bool) {
    let palette = Palette::of(ui);
    let Some(prediction) = desk.prediction() else { return };
    let best = prediction.best();
    ui.spacing_mut().item_spacing.y = if inline { 0.0 } else { space::XS };
    let mut any = false;
    for (id, probability) in &prediction.classes {
        let Some(class) = desk.room.class(*id) else { continue };
        any = true;
        let colour = palette.series(desk.place(*id));
        let name = class.name.clone();
        bar(ui, &Bar { name, colour, probability: *probability, top: best == Some(*id) }, inline);
    }
    if any {
        let none = Bar {
            name: "None of these".to_owned(),
            colour: palette.weak,
            probability: prediction.none_of_these,
            top: best.is_none(),
        };
        bar(ui, &none, inline);
    }
}
