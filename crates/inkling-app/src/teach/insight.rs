//! How well the classes are told apart: the confusion matrix by leaving one image out at a time.

use egui::{Align, Frame, Label, Layout, Margin, RichText, Role, Ui, UiBuilder};

use crate::theme::{Palette, space, title_style};

use super::action::Action;
use super::bars::percent;
use super::desk::{Desk, Stage};
use super::text::{counted, thousands};

/// Draws the card over the width there is.
pub(crate) fn insight(ui: &mut Ui, desk: &Desk, actions: &mut Vec<Action>) {
    let palette = Palette::of(ui);
    let frame = Frame::new().fill(palette.surface).stroke((1.0, palette.border)).corner_radius(10);
    let builder = UiBuilder::new().accessibility_role(Role::Group).accessibility_label("How well it tells them apart");
    ui.scope_builder(builder, |ui| {
        frame.inner_margin(Margin::same(space::M as i8)).show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.label(RichText::new("Each image left out once").text_style(title_style()));
            match desk.matrix(|place| palette.series(place)).filter(|matrix| matrix.recognised().1 > 0) {
                Some(matrix) => {
                    let (right, all) = matrix.recognised();
                    let share = percent(right as f32 / all as f32);
                    let text =
                        format!("{} of {} recognised, {share}", thousands(right), counted(all, "image", "images"));
                    ui.add(Label::new(RichText::new(text).weak()).wrap());
                    alone(ui, desk);
                    ui.add_space(space::XS);
                    ui.with_layout(Layout::top_down(Align::Min), |ui| {
                        if let Some((class, answer)) = matrix.ui(ui, desk.chosen_cell) {
                            actions.push(Action::ChooseCell(class, answer));
                        }
                    });
                    if right < all {
                        let hint = "Rows are classes, columns are answers. A cell shows its images.";
                        ui.add(Label::new(RichText::new(hint).small().weak()).wrap());
                    }
                }
                None => {
                    ui.add(Label::new(RichText::new(waiting_text(desk)).weak()).wrap());
                }
            }
        });
    });
}

fn waiting_text(desk: &Desk) -> &'static str {
    let taught = desk.room.classes().iter().filter(|class| class.images.len() >= 2).count();
    if taught < 2 {
        "With two images in each of two classes, this shows which classes are mixed up."
    } else if matches!(desk.stage, Stage::Failed(_)) {
        "Teaching has stopped"
    } else {
        "Working it out…"
    }
}

/// Images that are the only one of their class.
fn alone(ui: &mut Ui, desk: &Desk) {
    let count = desk.confusion().map_or(0, |confusion| confusion.alone.len());
    if count > 0 {
        let text = format!("{} not counted: alone in a class", counted(count, "image is", "images are"));
        ui.add(Label::new(RichText::new(text).small().weak()).wrap());
    }
}
