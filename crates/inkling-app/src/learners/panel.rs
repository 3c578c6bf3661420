//! The tab: a card per learner, and two of them side by side.

use egui::{Align, Button, Context, Frame, Grid, Label, Layout, Margin, RichText, Role, Ui, UiBuilder, vec2};
use inkling_platform::{FileError, FileFilter, Pending, save_file};
use inkling_session::teach::{LearnerCard, LearnerFile};
use serde_json::json;

use crate::notice::Notice;
use crate::panel::{Panel, Shared};
use crate::services::Offer;
use crate::shell::Tab;
use crate::teach::counted;
use crate::theme::{Palette, space, title_style};
use crate::widgets::{card, empty_state, is_narrow, meter, panel_heading, primary_button};

use super::compare::{Comparison, Outcome};
use super::library::{Entry, Library, Origin};
use super::words;

const LEARNERS: FileFilter = FileFilter { name: "Learners", extensions: &["safetensors"] };

/// The tab Learners.
#[derive(Default)]
pub(crate) struct LearnersPanel {
    comparison: Comparison,
    picking: Option<Pending<Result<Vec<LearnerBytes>, String>>>,
    saving: Option<Pending<Result<Option<String>, FileError>>>,
    notice: Option<Notice>,
}

type LearnerBytes = (String, std::sync::Arc<[u8]>);

/// What a person asked for.
enum Action {
    Load,
    Use(String),
    Save(Box<LearnerFile>),
    Keep(u64),
    Remove(u64),
    Choose(usize, u64),
    Compare,
    StopComparing,
    Fetch(String),
    StopFetching,
}

impl Panel for LearnersPanel {
    fn poll(&mut self, ctx: &Context, shared: &mut Shared) {
        shared.library.poll(&shared.services.storage);
        self.comparison.poll(&shared.lesson);
        if let Some(answer) = self.picking.as_mut().and_then(Pending::take) {
            self.picking = None;
            match answer {
                Ok(files) => files.into_iter().for_each(|(name, bytes)| self.load(&name, bytes, &mut shared.library)),
                Err(error) => self.notice = Some(Notice::from_message(&error)),
            }
        }
        if let Some(answer) = self.saving.as_mut().and_then(Pending::take) {
            self.saving = None;
            match answer {
                Ok(Some(place)) => self.notice = Some(Notice::success(format!("Saved as {place}"))),
                Ok(None) => {}
                Err(error) => self.notice = Some(Notice::from_message(&error.to_string())),
            }
        }
        let is_busy = self.comparison.is_running() || self.picking.is_some() || self.saving.is_some();
        if is_busy || shared.library.is_busy() {
            ctx.request_repaint_after(std::time::Duration::from_millis(50));
        }
    }

    fn ui(&mut self, ui: &mut Ui, shared: &mut Shared) {
        let mut actions = Vec::new();
        self.heading(ui, &mut actions);
        Notice::show_slot(&mut self.notice, ui);
        Notice::show_slot(&mut shared.library.notice, ui);
        if let Some(notice) = shared.library.shipped_problem() {
            // It stays: nothing else says why the list is short.
            let _ = notice.show(ui);
            ui.add_space(space::M);
        }
        if shared.library.entries.is_empty() {
            let hint = if shared.library.is_busy() {
                "The learner that ships with Inkling is on its way."
            } else {
                "Load a learner's weights.safetensors, or train one in the tab Meta-train."
            };
            empty_state(ui, "No learners yet", hint);
        }
        let in_use = shared.library.in_use().map(|(number, _)| number);
        for entry in &shared.library.entries {
            learner(ui, entry, in_use == Some(entry.number), &mut actions);
            ui.add_space(space::M);
        }
        for offer in shared.library.offers() {
            let come = shared.library.fetching().filter(|(other, _)| **other == offer).map(|(_, bytes)| bytes);
            offered(ui, &offer, come, &mut actions);
            ui.add_space(space::M);
        }
        if shared.library.entries.len() > 1 {
            self.compare(ui, shared, &mut actions);
        }
        for action in actions {
            self.perform(action, shared);
        }
    }

    fn state(&self) -> serde_json::Value {
        let outcome = |outcome: &Outcome| match outcome {
            Outcome::Unknown => json!(null),
            Outcome::Waiting => json!("waiting"),
            Outcome::Running(done, of) => json!({"learned": done, "of": of}),
            Outcome::Recognised(right, all) => json!({"recognised": right, "of": all}),
            Outcome::Failed(notice) => json!({"failed": notice.sentence}),
        };
        json!({
            "comparison": self.comparison.outcomes.iter().map(outcome).collect::<Vec<_>>(),
            "notice": self.notice.as_ref().map(|notice| notice.sentence.clone()),
        })
    }
}

impl LearnersPanel {
    fn heading(&self, ui: &mut Ui, actions: &mut Vec<Action>) {
        let purpose = "What a task starts from: a network that was trained to learn from a few examples.";
        if is_narrow(ui) {
            panel_heading(ui, "Learners", purpose);
            if ui.button("Load from a file…").clicked() {
                actions.push(Action::Load);
            }
            ui.add_space(space::S);
            return;
        }
        ui.with_layout(Layout::right_to_left(Align::Min), |ui| {
            if ui.button("Load from a file…").clicked() {
                actions.push(Action::Load);
            }
            ui.with_layout(Layout::top_down(Align::Min), |ui| panel_heading(ui, "Learners", purpose));
        });
        ui.add_space(space::S);
    }

    fn load(&mut self, name: &str, bytes: std::sync::Arc<[u8]>, library: &mut Library) {
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        match LearnerFile::from_bytes(stem, bytes) {
            Ok(learner) => drop(library.add(learner, Origin::Loaded)),
            Err(error) => self.notice = Some(Notice::from_message(&error)),
        }
    }

    fn perform(&mut self, action: Action, shared: &mut Shared) {
        match action {
            Action::Load => {
                let picked = inkling_platform::pick_files(LEARNERS);
                self.picking = Some(Pending::start(move || async move {
                    let mut files = Vec::new();
                    for file in picked.answer().await.unwrap_or(Ok(Vec::new())).map_err(|error| error.to_string())? {
                        let bytes = file.read().await.map_err(|error| error.to_string())?;
                        files.push((file.name().to_owned(), bytes));
                    }
                    Ok(files)
                }));
            }
            Action::Use(name) => {
                shared.library.use_learner(&name);
                shared.go_to = Some(Tab::Teach);
            }
            Action::Save(learner) => {
                let name = format!("{}.safetensors", learner.name().replace(['/', '\\', ':'], "-"));
                self.saving = Some(save_file(&name, learner.bytes().to_vec()));
            }
            Action::Keep(number) => shared.library.keep(number),
            Action::Remove(number) => shared.library.remove(number),
            Action::Choose(side, number) => self.comparison.choose(side, Some(number)),
            Action::Compare => {
                let find = |number: Option<u64>| {
                    let entry = shared.library.entries.iter().find(|entry| Some(entry.number) == number);
                    entry.map(|entry| entry.learner.clone())
                };
                let learners = self.comparison.sides.map(find);
                self.comparison.start(learners, shared.lesson.clone(), shared.settings.adapter.clone());
            }
            Action::StopComparing => self.comparison.stop(),
            Action::Fetch(name) => shared.library.fetch(&name),
            Action::StopFetching => shared.library.stop_fetching(),
        }
    }

    /// Two learners side by side.
    fn compare(&mut self, ui: &mut Ui, shared: &Shared, actions: &mut Vec<Action>) {
        let entries = &shared.library.entries;
        let sides = self.sides(entries);
        card(ui, "Compare two", |ui| {
            let [left, right] = sides.map(|number| entries.iter().find(|entry| Some(entry.number) == number));
            let (Some(left), Some(right)) = (left, right) else { return };
            let cards = [left.learner.card(), right.learner.card()];
            // Words wrap rather than push the second learner out of a narrow window.
            let width = (ui.available_width() - FACT_WIDTH - 2.0 * space::L) / 2.0;
            let grid = Grid::new("comparison").num_columns(3).spacing([space::L, space::S]);
            grid.min_col_width(FACT_WIDTH).max_col_width(width.max(FACT_WIDTH)).show(ui, |ui| {
                ui.label("");
                for (side, entry) in [left, right].into_iter().enumerate() {
                    choose_side(ui, (side, entry, width.min(130.0)), entries, actions);
                }
                ui.end_row();
                let row = |ui: &mut Ui, name: &str, of: fn(&LearnerCard) -> String| {
                    ui.weak(name);
                    for card in &cards {
                        ui.add(Label::new(of(card)).wrap());
                    }
                    ui.end_row();
                };
                row(ui, "Accuracy", words::accuracy);
                row(ui, "measured on", words::protocol);
                row(ui, "Trained on", words::training);
                row(ui, "Images", words::image);
                row(ui, "Size", |card| words::size(card.bytes));
                ui.weak("Your classes");
                for outcome in &self.comparison.outcomes {
                    show_outcome(ui, outcome);
                }
                ui.end_row();
            });
            ui.add_space(space::S);
            self.compare_button(ui, shared, actions);
        });
    }

    /// The two learners that are compared: those that were chosen, else the first two.
    fn sides(&mut self, entries: &[Entry]) -> [Option<u64>; 2] {
        for side in 0..2 {
            let chosen = self.comparison.sides.get(side).copied().flatten();
            if !entries.iter().any(|entry| Some(entry.number) == chosen) {
                self.comparison.choose(side, entries.get(side).map(|entry| entry.number));
            }
        }
        self.comparison.sides
    }

    fn compare_button(&self, ui: &mut Ui, shared: &Shared, actions: &mut Vec<Action>) {
        let images = shared.lesson.image_count();
        let taught = shared.lesson.classes.iter().filter(|class| class.images.len() >= 2).count();
        ui.horizontal_wrapped(|ui| {
            if self.comparison.is_running() {
                if ui.button("Stop").clicked() {
                    actions.push(Action::StopComparing);
                }
            } else if ui.add_enabled(taught >= 2, Button::new("Try both on your classes")).clicked() {
                actions.push(Action::Compare);
            }
            let hint = if taught >= 2 {
                format!("Leaves each of your {} out once.", counted(images, "image", "images"))
            } else {
                "Needs two classes with two images each in the tab Teach.".to_owned()
            };
            ui.weak(hint);
        });
    }
}

/// Room for the name of what is compared.
const FACT_WIDTH: f32 = 90.0;

fn choose_side(ui: &mut Ui, (side, chosen, width): (usize, &Entry, f32), entries: &[Entry], actions: &mut Vec<Action>) {
    let name = if side == 0 { "First learner" } else { "Second learner" };
    let combo = egui::ComboBox::from_id_salt(("side", side)).selected_text(chosen.learner.name()).width(width);
    let shown = combo.show_ui(ui, |ui| {
        for entry in entries {
            if ui.selectable_label(entry.number == chosen.number, entry.learner.name()).clicked() {
                actions.push(Action::Choose(side, entry.number));
            }
        }
    });
    shown.response.accessible_name(format!("{name}: {}", chosen.learner.name()));
}

fn show_outcome(ui: &mut Ui, outcome: &Outcome) {
    let palette = Palette::of(ui);
    match outcome {
        Outcome::Unknown => ui.weak("not tried"),
        Outcome::Waiting => ui.weak("waiting"),
        Outcome::Running(done, of) => ui.weak(format!("learning, {done} of {of}")),
        Outcome::Recognised(right, all) => {
            let share = 100.0 * *right as f32 / (*all).max(1) as f32;
            ui.label(format!("{right} of {all} recognised, {share:.0} %"))
        }
        Outcome::Failed(notice) => {
            let text = RichText::new(&notice.sentence).color(palette.bad);
            ui.add(Label::new(text).wrap()).on_hover_text(&notice.remedy)
        }
    };
}

/// One learner.
fn learner(ui: &mut Ui, entry: &Entry, is_in_use: bool, actions: &mut Vec<Action>) {
    let palette = Palette::of(ui);
    let about = entry.learner.card();
    let line = if is_in_use { (1.5, palette.accent) } else { (1.0, palette.border) };
    let frame = Frame::new().fill(palette.surface).stroke(line).corner_radius(10);
    let builder = UiBuilder::new().id_salt(entry.number).accessibility_role(Role::Group);
    ui.scope_builder(builder.accessibility_label(format!("Learner {}", about.name)), |ui| {
        frame.inner_margin(Margin::same(space::L as i8)).show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.horizontal(|ui| {
                ui.add(Label::new(RichText::new(&about.name).text_style(title_style())).truncate());
                if is_in_use {
                    ui.label(RichText::new("in use").color(palette.accent));
                }
                let is_kept = entry.is_kept && entry.origin != Origin::Kept;
                let origin = if is_kept { "Kept on this machine" } else { entry.origin.words() };
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    ui.add(Label::new(RichText::new(origin).weak().small()).truncate());
                });
            });
            ui.add_space(space::XS);
            facts(ui, entry.number, &about);
            ui.add_space(space::S);
            buttons(ui, entry, is_in_use, actions);
        });
    });
}

/// One that can be fetched; `come` are the bytes of it that are here while it is.
fn offered(ui: &mut Ui, offer: &Offer, come: Option<u64>, actions: &mut Vec<Action>) {
    let palette = Palette::of(ui);
    let frame = Frame::new().stroke((1.0, palette.border)).corner_radius(10);
    let builder = UiBuilder::new().id_salt(&offer.name).accessibility_role(Role::Group);
    ui.scope_builder(builder.accessibility_label(format!("Learner to fetch {}", offer.name)), |ui| {
        frame.inner_margin(Margin::same(space::L as i8)).show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.add(Label::new(RichText::new(&offer.name).text_style(title_style())).truncate());
            ui.add(Label::new(&offer.description).wrap());
            ui.add(Label::new(RichText::new(format!("Licence: {}", offer.licence)).weak().small()).wrap());
            ui.add_space(space::S);
            let size = words::size(offer.bytes as usize);
            ui.horizontal_wrapped(|ui| match come {
                None => {
                    let label = format!("Fetch {}", offer.name);
                    if primary_button(ui, "Fetch and use in Teach", true).accessible_name(label).clicked() {
                        actions.push(Action::Fetch(offer.name.clone()));
                    }
                    ui.weak(format!("{size}, once: it is kept on this machine"));
                }
                Some(bytes) => {
                    let share = bytes as f32 / offer.bytes.max(1) as f32;
                    let text = format!("{} of {size}", words::size(bytes as usize));
                    let label = format!("Fetching {}", offer.name);
                    ui.allocate_ui(vec2(160.0, 6.0), |ui| meter(ui, share, palette.accent, &label));
                    ui.weak(&text);
                    if ui.button("Stop").accessible_name("Stop fetching").clicked() {
                        actions.push(Action::StopFetching);
                    }
                }
            });
        });
    });
}

fn facts(ui: &mut Ui, number: u64, about: &LearnerCard) {
    let narrow = is_narrow(ui);
    let facts = [
        ("Accuracy", words::accuracy(about), words::protocol(about)),
        ("Trained on", words::training(about), String::new()),
        ("Images", words::image(about), String::new()),
        ("Network", words::network(about), String::new()),
        ("Size", words::size(about.bytes), String::new()),
    ];
    Grid::new(("facts", number)).num_columns(2).spacing([space::L, space::XS]).min_col_width(72.0).show(ui, |ui| {
        for (name, value, detail) in facts {
            ui.weak(name);
            if narrow || detail.is_empty() {
                ui.add(Label::new(value).wrap());
                if !detail.is_empty() {
                    ui.end_row();
                    ui.label("");
                    ui.add(Label::new(RichText::new(detail).weak()).wrap());
                }
            } else {
                ui.horizontal(|ui| {
                    ui.label(value);
                    ui.weak(detail);
                });
            }
            ui.end_row();
        }
    });
}

fn buttons(ui: &mut Ui, entry: &Entry, is_in_use: bool, actions: &mut Vec<Action>) {
    let name = entry.learner.name();
    ui.horizontal_wrapped(|ui| {
        let label = |what: &str| format!("{what}: {name}");
        if is_in_use {
            ui.add_enabled(false, Button::new("Use in Teach")).accessible_name(label("Use in Teach"));
        } else if primary_button(ui, "Use in Teach", true).accessible_name(label("Use in Teach")).clicked() {
            actions.push(Action::Use(name.to_owned()));
        }
        if ui.button("Save as a file…").accessible_name(label("Save as a file")).clicked() {
            actions.push(Action::Save(Box::new(entry.learner.clone())));
        }
        if entry.origin == Origin::Shipped {
            return;
        }
        if !entry.is_kept {
            let hint = "So that it is here after a reload";
            let keep = ui.button("Keep").on_hover_text(hint).accessible_name(label("Keep"));
            if keep.clicked() {
                actions.push(Action::Keep(entry.number));
            }
        }
        if ui.button("Remove").accessible_name(label("Remove")).clicked() {
            actions.push(Action::Remove(entry.number));
        }
    });
}
