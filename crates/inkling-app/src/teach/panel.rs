//! The tab as a whole: what it hears between frames, and how its parts are laid out.

use std::time::Duration;

use egui::{
    Align, Context, Event, Key, KeyboardShortcut, Layout, Modifiers, Rect, ScrollArea, Ui, UiBuilder, pos2, vec2,
};
use inkling_platform::{FileError, Pending, Stopwatch};
use inkling_session::teach::{ClassId, NewImage, ProjectError, RgbaImage, SampleSet, Subject, start_teaching};
use serde_json::json;

use crate::notice::Notice;
use crate::panel::{Panel, Shared};
use crate::services::CameraState;
use crate::theme::space;
use crate::widgets::is_narrow;

use super::action::Action;
use super::autosave::Autosave;
use super::column::{Column, Recording, WIDTH, new_class};
use super::desk::{Desk, Stage};
use super::grid::drag_label;
use super::insight::insight;
use super::intake::{Intake, Target};
use super::live::Live;
use super::look::Source;
use super::status::{Status, problems};
use super::toolbar::Toolbar;
use super::welcome::welcome;

/// Seconds after which nothing more is expected of a session that has nothing to do.
const PATIENCE_SECONDS: f64 = 20.0;
/// Points across the live view on a wide window.
const LIVE_WIDTH: f32 = 320.0;

/// The name of a project's file, and its bytes.
type Packed = (String, Result<Vec<u8>, ProjectError>);

/// The tab Teach.
pub(crate) struct TeachPanel {
    pub(super) desk: Desk,
    pub(super) intake: Intake,
    pub(super) autosave: Option<Autosave>,
    /// The name of the project while it is typed.
    typed_name: Option<String>,
    /// A project being packed, under the name of its file, and one on its way into a file.
    pub(super) packing: Option<Pending<Packed>>,
    pub(super) saving: Option<Pending<Result<Option<String>, FileError>>>,
    /// Files that could not be read.
    pub(super) problems: Vec<String>,
    /// The learner that the session was told to use, by its number in the library.
    pub(super) taught_with: Option<u64>,
    /// Sample classes being drawn.
    pub(super) samples: Option<Pending<Result<SampleSet, String>>>,
    /// Where things can be dropped, as last drawn; later ones lie above.
    zones: Vec<(Rect, Target)>,
    clock: Stopwatch,
    /// When the session last said something or was last told something.
    news_seconds: f64,
}

impl Default for TeachPanel {
    fn default() -> Self {
        Self {
            desk: Desk::default(),
            intake: Intake::default(),
            autosave: None,
            typed_name: None,
            packing: None,
            saving: None,
            problems: Vec::new(),
            taught_with: None,
            samples: None,
            zones: Vec::new(),
            clock: Stopwatch::start(),
            news_seconds: 0.0,
        }
    }
}

impl Panel for TeachPanel {
    fn poll(&mut self, ctx: &Context, shared: &mut Shared) {
        self.follow_learner(shared);
        self.restore(shared);
        self.take_files(ctx, shared);
        self.take_saved();
        self.take_samples();
        self.watch_camera(ctx, shared);
        self.desk.look.poll(ctx);
        let heard = self.desk.poll();
        shared.lesson = self.desk.lesson();
        self.store(shared);
        // Sessions wake nobody, so frames follow each other as long as something is under way.
        if heard {
            self.news_seconds = self.clock.seconds();
            ctx.request_repaint();
        } else if let Some(wait) = self.patience(shared) {
            ctx.request_repaint_after(wait);
        }
    }

    fn ui(&mut self, ui: &mut Ui, shared: &mut Shared) {
        let mut actions = Vec::new();
        self.keys(ui, &mut actions);
        self.zones.clear();
        self.notices(ui, shared, &mut actions);
        let camera = shared.services.webcam.as_ref().map(|webcam| webcam.state());
        let expects_files = ui.input(|input| !input.raw.hovered_files.is_empty());
        let restoring = self.autosave.as_ref().is_some_and(Autosave::is_restoring);
        if self.is_empty() {
            if !restoring {
                let rect = welcome(ui, camera.is_some(), expects_files, &mut actions);
                self.zones.push((rect, Target::NewClasses));
            }
        } else {
            let view = Live { camera: camera.as_ref(), expects_files };
            if is_narrow(ui) {
                self.narrow(ui, shared, &view, &mut actions)
            } else {
                self.wide(ui, shared, &view, &mut actions)
            }
        }
        drag_label(ui.ctx());
        self.desk.thumbnails.end_frame();
        for action in actions {
            self.perform(action, shared);
        }
        self.desk.teach();
    }

    fn fills_window(&self, is_narrow: bool) -> bool {
        !is_narrow
    }

    fn state(&self) -> serde_json::Value {
        let desk = &self.desk;
        let name = |id: ClassId| desk.room.class(id).map(|class| class.name.clone());
        let prediction = desk.prediction().map(|prediction| {
            let classes =
                prediction.classes.iter().filter_map(|(id, probability)| Some((name(*id)?, json!(probability))));
            json!({
                "best": prediction.best().and_then(name),
                "classes": classes.collect::<serde_json::Map<_, _>>(),
                "none_of_these": prediction.none_of_these,
            })
        });
        let classes: Vec<_> =
            desk.room.classes().iter().map(|class| json!({"name": class.name, "images": class.images.len()})).collect();
        let (stage, learner) = match &desk.stage {
            Stage::Waiting => ("waiting", None),
            Stage::Starting => ("starting", None),
            Stage::Ready(card) => ("ready", Some(card.name.clone())),
            Stage::Failed(_) => ("failed", None),
        };
        json!({
            "project": desk.name,
            "stage": stage,
            "learner": learner,
            "classes": classes,
            "embedded": desk.embedded.0,
            "images": desk.room.image_count(),
            "rejected": desk.rejected.len(),
            "prediction": prediction,
            "looking_at": match &desk.look.source {
                Source::Nothing => "nothing",
                Source::Camera => "camera",
                Source::Outside(_) => "outside",
                Source::HeldOut(_) => "held_out",
            },
            "latency": desk.look.latency().map(|latency| json!({
                "frames": latency.frames,
                "milliseconds": 1e3 * latency.seconds,
                "picture": 1e3 * latency.spent.picture,
                "network": 1e3 * latency.spent.network,
                "classes": 1e3 * latency.spent.classes,
            })),
            "recognised": desk.confusion().map(|confusion| { let (right, all) = confusion.right_of_all(); json!([right, all]) }),
            "recording": desk.recorder.class().and_then(name),
            "stored": self.autosave.as_ref().is_some_and(Autosave::is_saved),
            "problems": self.problems,
        })
    }
}

impl TeachPanel {
    /// Whether there is nothing yet, and nothing on its way.
    fn is_empty(&self) -> bool {
        let nothing = self.desk.room.classes().is_empty() && self.desk.look.source == Source::Nothing;
        nothing && self.samples.is_none() && !self.intake.is_busy()
    }

    /// How long the panel can wait until it looks again.
    fn patience(&self, shared: &Shared) -> Option<Duration> {
        let desk = &self.desk;
        let starts_or_embeds = desk.stage == Stage::Starting || desk.embedded.0 < desk.embedded.1;
        let learns = (desk.is_connected() && starts_or_embeds) || desk.look.is_loading();
        let camera = shared.services.webcam.as_ref().map(|camera| camera.state());
        let films = matches!(camera, Some(CameraState::Starting | CameraState::On));
        let reads = self.intake.is_busy()
            || self.packing.is_some()
            || self.saving.is_some()
            || self.samples.is_some()
            || shared.library.is_busy();
        let stores = self.autosave.as_ref().is_some_and(|autosave| autosave.is_restoring() || !autosave.is_saved());
        if films || reads || learns {
            Some(Duration::from_millis(33))
        } else {
            // Bars and matrix follow a change after a while; nobody says when the last one has come.
            let expects = desk.is_connected() && self.clock.seconds() - self.news_seconds < PATIENCE_SECONDS;
            (stores || expects).then_some(Duration::from_millis(100))
        }
    }

    /// Starts the session with the learner in use, and goes over when another one is.
    fn follow_learner(&mut self, shared: &mut Shared) {
        let Some((number, learner)) = shared.library.in_use() else { return };
        if self.taught_with == Some(number) {
            return;
        }
        self.taught_with = Some(number);
        if self.desk.is_connected() {
            self.desk.use_learner(learner.clone());
            return;
        }
        match start_teaching(learner.clone(), shared.settings.adapter.clone()) {
            Ok(handle) => self.desk.connect(Box::new(handle)),
            Err(error) => {
                let notice =
                    Notice::error(format!("Teaching cannot start: {error}"), "Close other programs and try again");
                self.desk.stage = Stage::Failed(notice);
            }
        }
    }

    /// Brings back what was stored, once.
    fn restore(&mut self, shared: &mut Shared) {
        let autosave = self.autosave.get_or_insert_with(|| Autosave::new(shared.services.storage.clone()));
        match autosave.restored() {
            None => {}
            Some(Err(error)) => self.desk.notice = Some(Notice::from_message(&error.to_string())),
            Some(Ok(stored)) => {
                if stored.missing > 0 {
                    let sentence =
                        format!("{} could not be brought back", super::counted(stored.missing, "image", "images"));
                    self.desk.notice = Some(Notice::warning(sentence, "Add them again"));
                }
                if let Some(learner) = &stored.learner {
                    shared.library.use_when_there(learner);
                }
                if self.desk.room.classes().is_empty() {
                    self.desk.room = inkling_session::teach::Classroom::with(stored.classes);
                    self.desk.name = stored.name;
                    autosave.know(&self.desk.room.lesson(), stored.blobs);
                } else {
                    // Someone was faster than the disk: keep both.
                    self.desk.room.add_classes(stored.classes);
                }
            }
        }
    }

    fn store(&mut self, shared: &Shared) {
        let learner = shared.library.in_use().map(|(_, learner)| learner.name().to_owned());
        let mark = (self.desk.room.revision(), self.desk.name.clone(), learner);
        let lesson = self.desk.lesson();
        let seconds = self.clock.seconds();
        let failed = self.autosave.as_mut().and_then(|autosave| autosave.poll(&lesson, mark, seconds));
        if let Some(error) = failed {
            self.desk.notice = Some(Notice::from_message(&error.to_string()));
        }
    }

    /// Files that were dropped onto the window, and those that arrived.
    fn take_files(&mut self, ctx: &Context, shared: &mut Shared) {
        let dropped = std::mem::take(&mut shared.dropped);
        if !dropped.is_empty() {
            let target = self.target_at(ctx);
            self.intake.drop(target, dropped);
        }
        for arrival in self.intake.poll() {
            self.receive(arrival, shared);
        }
    }

    /// What lies under the pointer; new classes where nothing does.
    pub(super) fn target_at(&self, ctx: &Context) -> Target {
        let pointer = ctx.input(|input| input.pointer.latest_pos());
        let zone = |at| self.zones.iter().rev().find(|(rect, _)| rect.contains(at)).map(|(_, target)| *target);
        pointer.and_then(zone).unwrap_or(Target::NewClasses)
    }

    /// Shows and asks about the camera's newest frame, and records it where a button is held.
    fn watch_camera(&mut self, ctx: &Context, shared: &mut Shared) {
        let Some(webcam) = shared.services.webcam.as_mut() else { return };
        if let CameraState::Failed(_) = webcam.state() {
            self.desk.recorder.hold(None);
            return;
        }
        let Some(frame) = webcam.take_frame() else { return };
        let clock = Stopwatch::start();
        let Some(picture) = RgbaImage::of_frame(frame.width, frame.height, &frame.rgba) else { return };
        if let Some(class) = self.desk.recorder.frame(self.clock.seconds()) {
            let first = self.desk.recorder.taken() == 1;
            let number = self.desk.room.class(class).map_or(0, |class| class.images.len()) + 1;
            self.desk.room.record(class, NewImage::new(format!("camera {number}"), picture.clone()), first);
        }
        if self.desk.look.source == Source::Camera {
            self.desk.look.show(ctx, &picture);
            if self.desk.look.wants_frame() {
                self.desk.ask_about(Subject::Image(picture.into()), clock.seconds());
            }
        }
    }

    /// A class whose button for recording is held, if any.
    ///
    /// The first image may move the button away from under the pointer: a hold lasts until its release.
    fn record(&mut self, ui: &Ui, held: Option<ClassId>, shared: &mut Shared) {
        let is_down = ui.input(|input| input.pointer.primary_down());
        let held = held.or_else(|| self.desk.recorder.class().filter(|_| is_down));
        let begins = held.is_some() && self.desk.recorder.class().is_none();
        self.desk.recorder.hold(held);
        if begins {
            self.use_camera(shared);
        }
    }

    /// Looks through the camera.
    pub(super) fn use_camera(&mut self, shared: &mut Shared) {
        let Some(webcam) = shared.services.webcam.as_mut() else { return };
        if matches!(webcam.state(), CameraState::Off | CameraState::Failed(_)) {
            webcam.start();
        }
        if self.desk.look.source != Source::Camera {
            self.desk.look_at(Source::Camera);
        }
    }

    /// Keys that work wherever the focus is, text fields excepted.
    fn keys(&mut self, ui: &Ui, actions: &mut Vec<Action>) {
        if self.desk.renaming.is_some() || self.typed_name.is_some() {
            return;
        }
        let shift = Modifiers::COMMAND | Modifiers::SHIFT;
        let shortcuts = [
            (KeyboardShortcut::new(shift, Key::Z), Action::Redo),
            (KeyboardShortcut::new(Modifiers::COMMAND, Key::Y), Action::Redo),
            (KeyboardShortcut::new(Modifiers::COMMAND, Key::Z), Action::Undo),
            (KeyboardShortcut::new(Modifiers::COMMAND, Key::S), Action::SaveProject),
            (KeyboardShortcut::new(Modifiers::COMMAND, Key::O), Action::OpenProject),
        ];
        for (shortcut, action) in shortcuts {
            if ui.input_mut(|input| input.consume_shortcut(&shortcut)) {
                actions.push(action);
            }
        }
        if !self.desk.selection.is_empty()
            && !egui::Popup::is_any_open(ui.ctx())
            && ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape))
        {
            actions.push(Action::ClearChoice);
        }
        let pasted = ui.input(|input| {
            let image = |event: &Event| match event {
                Event::PasteImage(image) => Some(image.clone()),
                _ => None,
            };
            input.events.iter().filter_map(image).collect::<Vec<_>>()
        });
        for image in pasted {
            let [width, height] = image.size.map(|side| side as u32);
            let pixels: Vec<u8> = image.pixels.iter().flat_map(egui::Color32::to_srgba_unmultiplied).collect();
            if let Some(picture) = RgbaImage::new(width, height, pixels) {
                let target = self.focused_zone(ui.ctx()).unwrap_or_else(|| self.target_at(ui.ctx()));
                actions.push(Action::Paste(NewImage::new("pasted", picture), target));
            }
        }
    }

    /// The class in which the keyboard's focus lies, as last drawn.
    fn focused_zone(&self, ctx: &Context) -> Option<Target> {
        let focused = ctx.memory(|memory| memory.focused())?;
        let at = ctx.read_response(focused)?.rect.center();
        self.zones.iter().rev().find(|(rect, _)| rect.contains(at)).map(|(_, target)| *target)
    }

    /// What went wrong, above everything else.
    fn notices(&mut self, ui: &mut Ui, shared: &Shared, actions: &mut Vec<Action>) {
        if let Stage::Failed(notice) = &self.desk.stage {
            let dismissed = notice.show(ui);
            let retry = ui.button("Try again").clicked();
            if dismissed || retry {
                actions.push(Action::TryAgain);
            }
            ui.add_space(space::M);
        }
        if let Some(notice) = shared.library.shipped_problem().filter(|_| self.desk.stage == Stage::Waiting) {
            // It stays until a learner is there: without one nothing is learned.
            let _ = notice.show(ui);
            if ui.button("All learners…").clicked() {
                actions.push(Action::ShowLearners);
            }
            ui.add_space(space::M);
        }
        Notice::show_slot(&mut self.desk.notice, ui);
        problems(ui, &mut self.problems);
    }

    fn toolbar(&mut self, ui: &mut Ui, shared: &Shared, actions: &mut Vec<Action>) {
        let toolbar = Toolbar {
            learners: shared.library.names().collect(),
            learner: shared.library.in_use().map(|(_, learner)| learner.name()),
            offers: shared.library.offers(),
            fetching: shared.library.fetching(),
            is_stored: self.autosave.as_ref().is_some_and(Autosave::is_saved),
            status: Status::of(&self.desk, self.intake.progress()),
        };
        toolbar.ui(ui, &mut self.desk, &mut self.typed_name, actions);
        ui.add_space(space::S);
    }

    /// Columns side by side, and the live view on the right.
    fn wide(&mut self, ui: &mut Ui, shared: &mut Shared, view: &Live<'_>, actions: &mut Vec<Action>) {
        self.toolbar(ui, shared, actions);
        let bottom = ui.max_rect().bottom();
        let top = ui.cursor().top();
        let right = ui.max_rect().right();
        let area = Rect::from_min_max(pos2(ui.max_rect().left(), top), pos2(right, bottom.max(top + 360.0)));
        ui.allocate_rect(area, egui::Sense::hover());
        let mut left = area;
        left.max.x = right - LIVE_WIDTH - space::L;
        self.zones.push((left, Target::NewClasses));
        let held = self.columns(&mut ui.new_child(UiBuilder::new().max_rect(left)), view, actions);
        self.record(ui, held, shared);
        let side = Rect::from_min_max(pos2(right - LIVE_WIDTH, area.min.y), area.max);
        let mut side = ui.new_child(UiBuilder::new().max_rect(side).layout(Layout::top_down(Align::Min)));
        ScrollArea::vertical().id_salt("side").auto_shrink(false).show(&mut side, |ui| {
            let rect = view.tall(ui, &mut self.desk, actions);
            self.zones.push((rect, Target::Question));
            ui.add_space(space::M);
            insight(ui, &self.desk, actions);
        });
    }

    /// All classes, scrolling sideways. Gives the class whose recording is held.
    fn columns(&mut self, ui: &mut Ui, view: &Live<'_>, actions: &mut Vec<Action>) -> Option<ClassId> {
        let lesson = self.desk.lesson();
        let mut held = None;
        let clip = ui.max_rect();
        let scroll = ScrollArea::horizontal().id_salt("columns").auto_shrink(false);
        scroll.show(ui, |ui| {
            let height = ui.available_height() - 2.0;
            ui.horizontal_top(|ui| {
                ui.spacing_mut().item_spacing.x = space::M;
                for class in &lesson.classes {
                    // Columns out of sight keep their place and cost nothing.
                    let next = Rect::from_min_size(ui.cursor().min, vec2(WIDTH, height));
                    if !ui.is_rect_visible(next) && !self.keeps(class.id) {
                        ui.allocate_space(next.size());
                        continue;
                    }
                    let column = Column { class, recording: recording(view), expects_files: view.expects_files };
                    let is_wanted =
                        self.desk.show_next.is_some_and(|image| class.images.iter().any(|of| of.id == image));
                    let (rect, is_held) = column.column(ui, height, &mut self.desk, actions);
                    if is_wanted {
                        ui.scroll_to_rect(rect, None);
                    }
                    self.zones.push((rect.intersect(clip), Target::Class(class.id)));
                    held = held.or(is_held.then_some(class.id));
                }
                let is_target = view.expects_files && lesson.classes.is_empty();
                let height = if lesson.classes.is_empty() { height } else { 64.0 };
                new_class(ui, vec2(if lesson.classes.is_empty() { WIDTH } else { 132.0 }, height), is_target, actions);
            });
        });
        held
    }

    /// Whether a class must be drawn though it is out of sight: something in it has the focus.
    fn keeps(&self, class: ClassId) -> bool {
        let is_renamed = self.desk.renaming.as_ref().is_some_and(|renaming| renaming.class == class);
        is_renamed
            || self.desk.recorder.class() == Some(class)
            || self.desk.focus_next.is_some()
            || self.desk.show_next.is_some()
    }

    /// One column: the live view, then the classes.
    fn narrow(&mut self, ui: &mut Ui, shared: &mut Shared, view: &Live<'_>, actions: &mut Vec<Action>) {
        self.toolbar(ui, shared, actions);
        let rect = view.compact(ui, &mut self.desk, actions);
        self.zones.push((rect, Target::Question));
        ui.add_space(space::S);
        let lesson = self.desk.lesson();
        let mut held = None;
        for class in &lesson.classes {
            let column = Column { class, recording: recording(view), expects_files: view.expects_files };
            let (rect, is_held) = column.card(ui, &mut self.desk, actions);
            self.zones.push((rect, Target::Class(class.id)));
            held = held.or(is_held.then_some(class.id));
            ui.add_space(space::S);
        }
        self.record(ui, held, shared);
        new_class(ui, vec2(ui.available_width(), 56.0), view.expects_files, actions);
        ui.add_space(space::S);
        insight(ui, &self.desk, actions);
    }
}

fn recording(view: &Live<'_>) -> Recording {
    if view.camera.is_some() { Recording::Possible } else { Recording::Impossible }
}
