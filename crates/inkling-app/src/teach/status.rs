//! What goes on: images being read and learned, images that are chosen, files that could not be read.

use egui::{Align, Frame, Label, Layout, Margin, RichText, ScrollArea, Ui, vec2};

use crate::notice::Notice;
use crate::theme::{Palette, space};
use crate::widgets::meter;

use super::action::Action;
use super::desk::{Desk, Stage};
use super::menus::move_menu;
use super::text::{counted, thousands};

/// What is said beside the project's name, if anything is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Status {
    /// Files are being read: done, and all.
    Reading(usize, usize),
    /// The learner looks at images that it has not seen: done, and all.
    Learning(usize, usize),
    /// This many images are chosen.
    Chosen(usize),
}

impl Status {
    /// What matters most now.
    pub fn of(desk: &Desk, reading: Option<(usize, usize)>) -> Option<Self> {
        let (done, of) = desk.embedded;
        if let Some((done, of)) = reading {
            Some(Self::Reading(done, of))
        } else if !desk.selection.is_empty() {
            Some(Self::Chosen(desk.selection.len()))
        } else if done < of && matches!(desk.stage, Stage::Ready(_)) {
            Some(Self::Learning(done, of))
        } else {
            None
        }
    }

    /// Draws it into a row.
    pub fn ui(&self, ui: &mut Ui, desk: &Desk, actions: &mut Vec<Action>) {
        match self {
            Self::Reading(done, of) => {
                progress(ui, "Reading files", *done, *of);
                if ui.button("Cancel").clicked() {
                    actions.push(Action::CancelReading);
                }
            }
            Self::Learning(done, of) => progress(ui, "Learning images", *done, *of),
            Self::Chosen(count) => chosen(ui, *count, desk, actions),
        }
    }
}

fn progress(ui: &mut Ui, what: &str, done: usize, of: usize) {
    let text = format!("{what}: {} of {}", thousands(done), thousands(of));
    ui.label(&text);
    let size = vec2(96.0_f32.min(ui.available_width()), 6.0);
    ui.allocate_ui(size, |ui| meter(ui, done as f32 / of.max(1) as f32, Palette::of(ui).accent, &text));
}

fn chosen(ui: &mut Ui, count: usize, desk: &Desk, actions: &mut Vec<Action>) {
    let images = desk.selection.images();
    ui.label(format!("{} chosen", counted(count, "image", "images")));
    let button = ui.button("Move to");
    egui::Popup::menu(&button).show(|ui| move_menu(ui, desk, &images, actions));
    if ui.button("Delete").clicked() {
        actions.push(Action::DeleteImages(images));
    }
    if ui.button("Clear").on_hover_text("Choose none (Escape)").clicked() {
        actions.push(Action::ClearChoice);
    }
}

/// Files that could not be read, each with the reason, until dismissed.
pub(crate) fn problems(ui: &mut Ui, problems: &mut Vec<String>) {
    if problems.is_empty() {
        return;
    }
    let palette = Palette::of(ui);
    let count = counted(problems.len(), "file could not be read", "files could not be read");
    let mut dismissed = false;
    if let [only] = problems.as_slice() {
        dismissed = Notice::from_message(only).show(ui);
    } else {
        let frame = Frame::new().fill(palette.tint(palette.bad)).stroke((1.0, palette.bad.gamma_multiply(0.5)));
        frame.corner_radius(8).inner_margin(Margin::symmetric(space::M as i8, space::S as i8)).show(ui, |ui| {
            ui.horizontal(|ui| {
                ui.label(RichText::new(format!("Error: {count}")).color(palette.bad));
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    dismissed = crate::widgets::close_button(ui, &format!("Dismiss: {count}")).clicked();
                });
            });
            ScrollArea::vertical().id_salt("problems").max_height(96.0).auto_shrink([false, true]).show(ui, |ui| {
                for problem in problems.iter() {
                    ui.add(Label::new(problem).wrap());
                }
            });
        });
    }
    ui.add_space(space::M);
    if dismissed {
        problems.clear();
    }
}
