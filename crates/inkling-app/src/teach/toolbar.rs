//! The row above the classes: the project's name and menu, undo and redo, the learner.

use egui::{Align, Button, Label, Layout, Margin, RichText, TextEdit, Ui, vec2};

use crate::learners::size;
use crate::services::Offer;
use crate::theme::{space, title_style};
use crate::widgets::{is_narrow, to_tick};

use super::action::Action;
use super::desk::{Desk, Stage};
use super::icons::{Icon, icon_button};
use super::status::Status;

/// What the toolbar needs to know besides the desk.
pub(crate) struct Toolbar<'a> {
    /// The names of the learners there are, and the one in use.
    pub learners: Vec<&'a str>,
    pub learner: Option<&'a str>,
    /// Those that can be fetched.
    pub offers: Vec<Offer>,
    /// The one on its way, with the bytes that have come.
    pub fetching: Option<(&'a Offer, u64)>,
    /// Whether everything is stored across a reload.
    pub is_stored: bool,
    /// What goes on.
    pub status: Option<Status>,
}

impl Toolbar<'_> {
    pub fn ui(&self, ui: &mut Ui, desk: &mut Desk, typed: &mut Option<String>, actions: &mut Vec<Action>) {
        let height = ui.spacing().interact_size.y;
        if let Some(chosen @ Status::Chosen(_)) = self.status.as_ref().filter(|_| is_narrow(ui)) {
            // What can be done with the chosen images takes the place of everything else.
            ui.horizontal(|ui| chosen.ui(ui, desk, actions));
            return;
        }
        ui.allocate_ui_with_layout(vec2(ui.available_width(), height), Layout::right_to_left(Align::Center), |ui| {
            self.learner_menu(ui, actions);
            let project = ui.button("Project").on_hover_text("New, open, save");
            egui::Popup::menu(&project).show(|ui| project_menu(ui, desk, actions));
            if icon_button(ui, Icon::Redo, "Redo (Ctrl+Shift+Z)", desk.room.can_redo()).clicked() {
                actions.push(Action::Redo);
            }
            if icon_button(ui, Icon::Undo, "Undo (Ctrl+Z)", desk.room.can_undo()).clicked() {
                actions.push(Action::Undo);
            }
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| self.name(ui, desk, typed, actions));
        });
        if let Some(status) = self.status.as_ref().filter(|_| is_narrow(ui)) {
            ui.horizontal(|ui| status.ui(ui, desk, actions));
        }
    }

    /// The project's name, which can be typed over.
    fn name(&self, ui: &mut Ui, desk: &Desk, typed: &mut Option<String>, actions: &mut Vec<Action>) {
        let mut text = typed.clone().unwrap_or_else(|| desk.name.clone());
        let narrow = is_narrow(ui);
        let room = ui.available_width() - if narrow { 0.0 } else { 380.0 };
        let font = title_style().resolve(ui.style());
        let width = ui.painter().layout_no_wrap(text.clone(), font, egui::Color32::PLACEHOLDER).size().x + 24.0;
        let edit = TextEdit::singleline(&mut text)
            .font(title_style())
            .desired_width(width.min(room).clamp(60.0, 260.0))
            .align(egui::Align2::LEFT_CENTER)
            .margin(Margin::symmetric(4, 3))
            .char_limit(60)
            .frame(egui::Frame::NONE);
        let response = ui.add(edit).on_hover_text("The project's name").accessible_name("Name of the project");
        if response.has_focus() {
            *typed = Some(text);
        } else if response.lost_focus() {
            *typed = None;
            if !ui.input(|input| input.key_pressed(egui::Key::Escape)) && !text.trim().is_empty() {
                actions.push(Action::RenameProject(text.trim().to_owned()));
            }
        }
        if narrow {
            return;
        }
        ui.add_space(space::M);
        if let Some(status) = &self.status {
            status.ui(ui, desk, actions);
        } else if desk.room.image_count() > 0 {
            let text = if self.is_stored { "Kept on this machine" } else { "Keeping…" };
            ui.add(Label::new(RichText::new(text).small().weak()).truncate());
        }
    }

    fn learner_menu(&self, ui: &mut Ui, actions: &mut Vec<Action>) {
        let narrow = is_narrow(ui);
        let name = self.learner.unwrap_or("none");
        let text = match self.fetching {
            Some((offer, bytes)) => {
                format!("Fetching {}: {} %", offer.name, (100 * bytes / offer.bytes.max(1)).min(100))
            }
            None if narrow => "Learner".to_owned(),
            None => format!("Learner: {name}"),
        };
        let button = ui.add(Button::new(text).truncate()).on_hover_text("Which learner is taught");
        egui::Popup::menu(&button).show(|ui| {
            for learner in &self.learners {
                if to_tick(ui, |ui| ui.radio(self.learner == Some(learner), *learner)).clicked() {
                    actions.push(Action::UseLearner((*learner).to_owned()));
                    ui.close();
                }
            }
            for offer in self.offers.iter().filter(|offer| self.fetching.is_none_or(|(other, _)| other != *offer)) {
                let text = format!("Fetch {} ({})", offer.name, size(offer.bytes as usize));
                if ui.button(text).on_hover_text(&offer.description).clicked() {
                    actions.push(Action::FetchLearner(offer.name.clone()));
                    ui.close();
                }
            }
            ui.separator();
            if ui.button("All learners…").clicked() {
                actions.push(Action::ShowLearners);
                ui.close();
            }
        });
    }
}

fn project_menu(ui: &mut Ui, desk: &Desk, actions: &mut Vec<Action>) {
    let has_classes = !desk.room.classes().is_empty();
    let is_ready = matches!(desk.stage, Stage::Ready(_));
    let entries = [
        ("New", has_classes, Action::NewProject),
        ("Open…", true, Action::OpenProject),
        ("Save…", has_classes, Action::SaveProject),
        ("Add a folder of classes…", true, Action::PickFolder(None)),
        ("Add sample classes", is_ready, Action::AddSamples),
    ];
    for (index, (text, enabled, action)) in entries.into_iter().enumerate() {
        if index == 3 {
            ui.separator();
        }
        if ui.add_enabled(enabled, Button::new(text)).clicked() {
            actions.push(action);
            ui.close();
        }
    }
    ui.add_space(space::XS);
}
