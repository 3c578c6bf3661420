//! The tab driven as a person drives it, with a scripted teaching session behind it.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

use egui::{Key, Modifiers, Theme, Vec2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use inkling_platform::{PickedFile, Storage};
use inkling_session::teach::{
    ClassId, Confusion, ImageData, ImageId, LearnerCard, Lesson, NewImage, Prediction, RgbaImage, Subject,
    TeachCommand, TeachEvent,
};

use super::desk::{LIVE, Teacher};
use super::look::Source;
use super::panel::TeachPanel;
use crate::panel::{Panel, Shared};
use crate::services::{CameraFrame, CameraState, Services, Webcam};
use crate::theme;

const WIDE: Vec2 = vec2(1280.0, 800.0);
const PHONE: Vec2 = vec2(400.0, 800.0);

/// What a session was told, and what it will say.
#[derive(Default)]
struct Wire {
    told: Vec<TeachCommand>,
    events: Vec<TeachEvent>,
    lesson: Arc<Lesson>,
    drawn: HashSet<ImageId>,
    asked: Option<Subject>,
    /// Whether it answers by itself, as a session does that is never wrong but for one image.
    answers: bool,
}

/// A session that a test plays.
#[derive(Clone, Default)]
struct Script(Rc<RefCell<Wire>>);

impl Script {
    fn answering() -> Self {
        let script = Self::default();
        script.0.borrow_mut().answers = true;
        script
    }

    fn say(&self, event: TeachEvent) {
        self.0.borrow_mut().events.push(event);
    }

    fn told(&self, what: impl Fn(&TeachCommand) -> bool) -> usize {
        self.0.borrow().told.iter().filter(|command| what(command)).count()
    }
}

impl Teacher for Script {
    fn send(&self, command: TeachCommand) -> bool {
        let wire = &mut *self.0.borrow_mut();
        wire.told.push(command.clone());
        if wire.answers {
            wire.answer(command);
        }
        true
    }

    fn try_event(&self) -> Option<TeachEvent> {
        let events = &mut self.0.borrow_mut().events;
        (!events.is_empty()).then(|| events.remove(0))
    }
}

impl Wire {
    fn answer(&mut self, command: TeachCommand) {
        match command {
            TeachCommand::WatchConfusion(_) => self.events.push(TeachEvent::Ready(card("scenes"))),
            TeachCommand::Learn(lesson) => {
                self.lesson = lesson;
                let images: Vec<_> = self.lesson.classes.iter().flat_map(|class| class.images.clone()).collect();
                for image in &images {
                    if let ImageData::Rgba(picture) = &image.image.data
                        && self.drawn.insert(image.id)
                    {
                        self.events.push(TeachEvent::Thumbnail { id: image.id, picture: picture.clone() });
                    }
                }
                self.events.push(TeachEvent::Embedded { done: images.len(), of: images.len() });
                self.events.push(TeachEvent::Confusion(confusion(&self.lesson)));
                self.classify();
            }
            TeachCommand::Classify { subject, .. } => {
                self.asked = Some(subject);
                self.classify();
            }
            TeachCommand::Release(_) => self.asked = None,
            TeachCommand::UseLearner(learner) => self.events.push(TeachEvent::Ready(card(learner.name()))),
        }
    }

    /// The class of an image that was left out, else the first one.
    fn classify(&mut self) {
        let Some(subject) = &self.asked else { return };
        let taught: Vec<ClassId> =
            self.lesson.classes.iter().filter(|class| !class.images.is_empty()).map(|class| class.id).collect();
        let truth = match subject {
            Subject::HeldOut(id) => {
                let of = self.lesson.classes.iter().find(|class| class.images.iter().any(|image| image.id == *id));
                of.map(|class| class.id)
            }
            Subject::Image(_) => taught.first().copied(),
        };
        let rest = 0.14 / (taught.len().max(2) - 1) as f32;
        let classes = taught.iter().map(|class| (*class, if Some(*class) == truth { 0.8 } else { rest })).collect();
        self.events.push(TeachEvent::Prediction(Prediction {
            ticket: LIVE,
            classes,
            none_of_these: 0.06,
            spent: None,
        }));
    }
}

/// Every image is recognised but the first of the first class, which is taken for the next class.
fn confusion(lesson: &Lesson) -> Confusion {
    let classes: Vec<_> = lesson.classes.iter().filter(|class| class.images.len() > 1).collect();
    let mut cells = vec![vec![Vec::new(); classes.len()]; classes.len()];
    for (place, class) in classes.iter().enumerate() {
        for (index, image) in class.images.iter().enumerate() {
            let answer = if place == 0 && index == 0 { 1 % classes.len() } else { place };
            cells[place][answer].push(image.id);
        }
    }
    Confusion { classes: classes.iter().map(|class| class.id).collect(), cells, alone: Vec::new() }
}

fn card(name: &str) -> LearnerCard {
    LearnerCard {
        name: name.to_owned(),
        image: inkling_session::teach::ImageShape { channels: 3, height: 84, width: 84 },
        network: "Conv-4, 32 channels".to_owned(),
        solver: "prototypes".to_owned(),
        parameters: 28_896,
        bytes: 123_456,
        trained_on: "scenes".to_owned(),
        steps: 20_000,
        result: None,
    }
}

/// A camera that shows a shade that changes.
#[derive(Clone, Default)]
struct FakeCamera {
    state: Rc<RefCell<(CameraState, u8)>>,
}

impl Webcam for FakeCamera {
    fn start(&mut self) {
        self.state.borrow_mut().0 = CameraState::On;
    }

    fn stop(&mut self) {
        self.state.borrow_mut().0 = CameraState::Off;
    }

    fn state(&self) -> CameraState {
        self.state.borrow().0.clone()
    }

    fn take_frame(&mut self) -> Option<CameraFrame> {
        let state = &mut *self.state.borrow_mut();
        if state.0 != CameraState::On {
            return None;
        }
        state.1 = state.1.wrapping_add(9);
        Some(CameraFrame { width: 8, height: 6, rgba: [state.1, 120, 200, 255].repeat(48) })
    }
}

struct Bench {
    panel: TeachPanel,
    shared: Shared,
    dropped: Vec<PickedFile>,
}

type Tester = Harness<'static, Bench>;

fn harness(size: Vec2, theme: Theme, script: &Script, services: Services) -> Tester {
    let mut panel = TeachPanel::default();
    panel.desk.connect(Box::new(script.clone()));
    let bench = Bench { panel, shared: Shared::new(services), dropped: Vec::new() };
    let ui = |ui: &mut egui::Ui, bench: &mut Bench| {
        bench.shared.dropped.append(&mut bench.dropped);
        bench.panel.poll(ui.ctx(), &mut bench.shared);
        let fills = bench.panel.fills_window(crate::widgets::is_narrow(ui));
        crate::shell::content(ui, crate::shell::Tab::Teach, fills, |ui| bench.panel.ui(ui, &mut bench.shared));
    };
    // The harness leaves eight points around the window.
    let builder = Harness::builder().with_size(size + Vec2::splat(16.0)).with_theme(theme).with_max_steps(60).wgpu();
    let mut harness = builder.with_context_setup(theme::install).build_ui_state(ui, bench);
    settle(&mut harness);
    harness
}

/// Lets everything that is under way arrive.
fn settle(harness: &mut Tester) {
    for _ in 0..400 {
        harness.step();
        let panel = &harness.state().panel;
        let restored = panel.autosave.as_ref().is_some_and(|autosave| !autosave.is_restoring());
        if restored && panel.samples.is_none() && !panel.intake.is_busy() && !panel.desk.look.is_loading() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    harness.run_steps(3);
}

fn with_samples(size: Vec2, theme: Theme) -> (Tester, Script) {
    let script = Script::answering();
    let mut harness = harness(size, theme, &script, camera_services());
    harness.get_by_label("Try with samples").click();
    settle(&mut harness);
    (harness, script)
}

fn services() -> Services {
    Services::new(Storage::in_memory())
}

fn camera_services() -> Services {
    services().with_webcam(FakeCamera::default())
}

fn names(harness: &Tester) -> Vec<(String, usize)> {
    let classes = harness.state().panel.desk.room.classes();
    classes.iter().map(|class| (class.name.clone(), class.images.len())).collect()
}

fn counts(harness: &Tester) -> Vec<usize> {
    names(harness).into_iter().map(|(_, count)| count).collect()
}

fn png(shade: u8) -> Vec<u8> {
    // What a session makes of the bytes is its own affair: any will do here.
    vec![shade; 16]
}

/// Writes a picture to look at where a folder for them is named.
fn look(harness: &mut Tester, name: &str) {
    harness.remove_cursor();
    harness.run_steps(2);
    if let Some(folder) = std::env::var_os("INKLING_LOOK") {
        let image = harness.render().unwrap();
        image.save(std::path::Path::new(&folder).join(format!("{name}.png"))).unwrap();
    }
}

#[test]
fn the_empty_tab_says_what_to_do_and_samples_fill_it() {
    for (size, name) in [(WIDE, "wide"), (PHONE, "phone")] {
        for theme in [Theme::Light, Theme::Dark] {
            let shade = if theme == Theme::Light { "light" } else { "dark" };
            let script = Script::answering();
            let mut harness = harness(size, theme, &script, camera_services());
            for label in ["Try with samples", "Use the camera", "Add images", "Open a project…"] {
                harness.get_by_label(label);
            }
            look(&mut harness, &format!("teach_empty_{name}_{shade}"));
            harness.get_by_label("Try with samples").click();
            settle(&mut harness);
            assert_eq!(counts(&harness), [10, 10, 10]);
            look(&mut harness, &format!("teach_samples_{name}_{shade}"));
            let panel = &harness.state().panel;
            assert!(matches!(panel.desk.look.source, Source::Outside(_)));
            let first = panel.desk.room.classes()[0].id;
            assert_eq!(panel.desk.prediction().unwrap().best(), Some(first));
            let state = panel.state();
            assert_eq!(state["prediction"]["best"], panel.desk.room.classes()[0].name.as_str());
            assert_eq!(state["recognised"], serde_json::json!([29, 30]));
        }
    }
}

#[test]
fn without_a_camera_nothing_speaks_of_one() {
    let script = Script::answering();
    let mut harness = harness(WIDE, Theme::Dark, &script, services());
    assert!(harness.query_by_label("Use the camera").is_none());
    harness.get_by_label("Try with samples").click();
    settle(&mut harness);
    assert!(harness.query_by_label_contains("Hold to record").is_none());
    assert!(harness.query_by_label("Camera").is_none());
    look(&mut harness, "teach_no_camera");
}

#[test]
fn a_class_is_named_in_place_and_everything_can_be_undone() {
    let (mut harness, script) = with_samples(WIDE, Theme::Light);
    harness.get_by_label("New class").click();
    harness.run_steps(3);
    look(&mut harness, "teach_rename");
    harness.event(egui::Event::Text("Cups".to_owned()));
    harness.run_steps(2);
    harness.key_press(Key::Enter);
    harness.run_steps(3);
    assert_eq!(names(&harness)[3], ("Cups".to_owned(), 0));
    let taught = script.told(|command| matches!(command, TeachCommand::Learn(_)));
    assert!(taught >= 3, "every change is taught at once, {taught}");
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    harness.run_steps(3);
    assert_eq!(names(&harness)[3].0, "Class 4");
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    harness.run_steps(3);
    assert_eq!(names(&harness).len(), 3);
    harness.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    harness.run_steps(3);
    assert_eq!(names(&harness).len(), 4);
    harness.get_by_label("Undo (Ctrl+Z)").click();
    harness.run_steps(3);
    assert_eq!(names(&harness).len(), 3);
}

#[test]
fn escape_leaves_a_name_as_it_was() {
    let (mut harness, _) = with_samples(WIDE, Theme::Dark);
    let name = names(&harness)[0].0.clone();
    harness.get_by_label(&format!("Rename {name}")).click();
    harness.run_steps(3);
    harness.event(egui::Event::Text("Nonsense".to_owned()));
    harness.run_steps(2);
    harness.key_press(Key::Escape);
    harness.run_steps(3);
    assert_eq!(names(&harness)[0].0, name);
    assert!(harness.state().panel.desk.renaming.is_none());
}

#[test]
fn a_click_looks_at_an_image_as_if_it_were_left_out() {
    let (mut harness, script) = with_samples(WIDE, Theme::Light);
    let name = names(&harness)[1].0.clone();
    harness.get_by_label(&format!("{name}, image 3 of 10")).click();
    settle(&mut harness);
    let image = harness.state().panel.desk.room.classes()[1].images[2].id;
    assert!(harness.state().panel.desk.looks_at(image));
    let asked = |command: &TeachCommand| matches!(command, TeachCommand::Classify { subject: Subject::HeldOut(id), .. } if *id == image);
    assert_eq!(script.told(asked), 1);
    harness.get_by_label("Recognised");
    look(&mut harness, "teach_held_out");
    harness.get_by_label(&format!("{name}, image 6 of 10")).click_modifiers(Modifiers::SHIFT);
    harness.run_steps(3);
    assert_eq!(harness.state().panel.desk.selection.len(), 4);
    look(&mut harness, "teach_chosen");
    harness.get_by_label("Delete").click();
    harness.run_steps(3);
    assert_eq!(counts(&harness), [10, 6, 10]);
    assert!(harness.state().panel.desk.look.held_out().is_none(), "what is gone is not looked at");
}

#[test]
fn images_move_by_dragging_and_by_menu() {
    let (mut harness, _) = with_samples(WIDE, Theme::Dark);
    let names = names(&harness);
    let from = harness.get_by_label(&format!("{}, image 2 of 10", names[0].0)).rect().center();
    let onto = harness.get_by_label(&format!("{}, image 8 of 10", names[2].0)).rect().center();
    harness.hover_at(from);
    harness.run_steps(1);
    harness.drag_at(from);
    harness.run_steps(1);
    for step in 1..=4 {
        harness.hover_at(from + (onto - from) * (step as f32 / 4.0));
        harness.run_steps(1);
    }
    harness.run_steps(1);
    if std::env::var_os("INKLING_LOOK").is_some() {
        let folder = std::env::var_os("INKLING_LOOK").unwrap();
        harness.render().unwrap().save(std::path::Path::new(&folder).join("teach_dragging.png")).unwrap();
    }
    harness.drop_at(onto);
    harness.run_steps(3);
    assert_eq!(counts(&harness), [9, 10, 11]);

    harness.get_by_label(&format!("{}, image 1 of 9, not recognised when left out", names[0].0)).click();
    harness.run_steps(3);
    harness.get_by_label("Move to").click();
    harness.run_steps(3);
    harness.get_by_role_and_label(egui::accesskit::Role::Button, &names[1].0).click();
    harness.run_steps(3);
    assert_eq!(counts(&harness), [8, 11, 11]);
}

#[test]
fn the_keyboard_walks_through_images_and_deletes_them() {
    let (mut harness, _) = with_samples(WIDE, Theme::Light);
    let class = names(&harness)[0].0.clone();
    harness.get_by_label_contains(&format!("{class}, image 1 of 10")).focus();
    harness.run_steps(2);
    harness.key_press(Key::ArrowRight);
    harness.run_steps(3);
    harness.key_press(Key::ArrowDown);
    harness.run_steps(3);
    assert!(harness.get_by_label(&format!("{class}, image 5 of 10")).is_focused());
    harness.key_press(Key::Enter);
    harness.run_steps(3);
    let fifth = harness.state().panel.desk.room.classes()[0].images[4].id;
    assert!(harness.state().panel.desk.looks_at(fifth));
    look(&mut harness, "teach_keyboard");
    harness.key_press(Key::Delete);
    harness.run_steps(4);
    assert_eq!(counts(&harness), [9, 10, 10]);
    assert!(harness.get_by_label(&format!("{class}, image 5 of 9")).is_focused(), "the focus stays among the images");
}

#[test]
fn a_cell_of_the_matrix_leads_to_its_images() {
    let (mut harness, _) = with_samples(WIDE, Theme::Dark);
    let names = names(&harness);
    harness.get_by_label(&format!("{} taken for {}: 1 image", names[0].0, names[1].0)).click();
    settle(&mut harness);
    let desk = &harness.state().panel.desk;
    let first = desk.room.classes()[0].images[0].id;
    assert_eq!(desk.selection.images(), [first]);
    assert!(desk.looks_at(first) && desk.is_mistaken(first));
    look(&mut harness, "teach_matrix");
}

#[test]
fn holding_the_button_records_and_one_undo_takes_it_back() {
    for (size, name) in [(WIDE, "wide"), (PHONE, "phone")] {
        let script = Script::answering();
        let mut harness = harness(size, Theme::Dark, &script, camera_services());
        harness.get_by_label("Use the camera").click();
        harness.run_steps(4);
        assert_eq!(names(&harness), [("Class 1".to_owned(), 0), ("Class 2".to_owned(), 0)]);
        assert_eq!(harness.state().panel.desk.look.source, Source::Camera);
        let button = harness.get_by_label("Hold to record Class 1").rect().center();
        harness.hover_at(button);
        harness.drag_at(button);
        for _ in 0..16 {
            harness.step();
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        harness.drop_at(button);
        harness.run_steps(2);
        look(&mut harness, &format!("teach_recorded_{name}"));
        let recorded = counts(&harness)[0];
        assert!((3..=12).contains(&recorded), "{recorded} in about a second");
        harness.run_steps(3);
        assert_eq!(counts(&harness), [recorded, 0], "released");
        harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
        harness.run_steps(3);
        assert_eq!(counts(&harness), [0, 0]);
        harness.get_by_label("Hold to record Class 2").focus();
        harness.run_steps(2);
        harness.key_down(Key::Space);
        harness.run_steps(3);
        harness.key_up(Key::Space);
        harness.run_steps(2);
        assert_eq!(counts(&harness)[0], 0);
        assert!(counts(&harness)[1] >= 1, "Space records as well");
    }
}

#[test]
fn dropped_files_go_where_they_fall() {
    let (mut harness, _) = with_samples(WIDE, Theme::Light);
    let names = names(&harness);
    let column = harness.get_by_label(&format!("{}, image 2 of 10", names[1].0)).rect().center();
    harness.hover_at(column);
    harness.run_steps(1);
    harness.state_mut().dropped =
        vec![PickedFile::from_bytes("a.png", png(1)), PickedFile::from_bytes("b.jpg", png(2))];
    settle(&mut harness);
    assert_eq!(counts(&harness), [10, 12, 10]);

    let live = harness.get_by_label("What is this?").rect().center();
    harness.hover_at(live);
    harness.run_steps(1);
    harness.state_mut().dropped = vec![PickedFile::from_bytes("what.png", png(3))];
    settle(&mut harness);
    assert_eq!(counts(&harness), [10, 12, 10]);
    assert!(matches!(&harness.state().panel.desk.look.source, Source::Outside(image) if image.name == "what.png"));

    harness.hover_at(egui::pos2(890.0, 700.0));
    harness.run_steps(1);
    let files = ["pets/cats/1.png", "pets/cats/2.png", "pets/dogs/1.png", "pets/readme.txt"];
    harness.state_mut().dropped = files.map(|path| PickedFile::from_bytes(path, png(4))).into();
    settle(&mut harness);
    let after = self::names(&harness);
    assert_eq!(after[3..], [("cats".to_owned(), 2), ("dogs".to_owned(), 1)]);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    harness.run_steps(3);
    assert_eq!(counts(&harness), [10, 12, 10], "one step back takes all folders");
}

#[test]
fn a_pasted_image_joins_the_class_under_the_pointer() {
    let (mut harness, _) = with_samples(WIDE, Theme::Light);
    let name = names(&harness)[2].0.clone();
    let column = harness.get_by_label(&format!("{name}, image 2 of 10")).rect().center();
    harness.hover_at(column);
    harness.run_steps(1);
    harness.event(egui::Event::PasteImage(Arc::new(egui::ColorImage::filled([4, 3], egui::Color32::RED))));
    harness.run_steps(3);
    assert_eq!(counts(&harness), [10, 10, 11]);
}

#[test]
fn a_damaged_project_is_refused_and_harms_nothing() {
    let (mut harness, _) = with_samples(WIDE, Theme::Dark);
    let before = harness.state().panel.desk.room.revision();
    harness.state_mut().dropped = vec![PickedFile::from_bytes("broken.inkling", b"PK\x03\x04 and no more".to_vec())];
    settle(&mut harness);
    assert_eq!(harness.state().panel.desk.room.revision(), before);
    let notice = harness.state().panel.desk.notice.clone().unwrap();
    assert!(notice.sentence.contains("broken.inkling") && notice.sentence.contains("damaged"), "{notice:?}");
    look(&mut harness, "teach_refused");
}

#[test]
fn a_project_goes_through_a_file() {
    let (mut harness, _) = with_samples(WIDE, Theme::Dark);
    let lesson = harness.state().panel.desk.lesson();
    let project = inkling_session::teach::Project::new(&lesson, None);
    let bytes = pollster::block_on(project.to_bytes(|_, _| ())).unwrap();
    let before = names(&harness);
    harness.get_by_label("Project").click();
    harness.run_steps(3);
    look(&mut harness, "teach_project_menu");
    harness.get_by_label("New").click();
    harness.run_steps(3);
    assert!(names(&harness).is_empty());
    harness.get_by_label("Try with samples");
    harness.state_mut().dropped = vec![PickedFile::from_bytes("Toys.inkling", bytes)];
    settle(&mut harness);
    assert_eq!(names(&harness), before);
    assert_eq!(harness.state().panel.desk.name, "Toys");
}

#[test]
fn a_reload_brings_everything_back() {
    let (mut harness, _) = with_samples(WIDE, Theme::Dark);
    let before = names(&harness);
    let storage = harness.state().shared.services.storage.clone();
    for _ in 0..200 {
        harness.step();
        if harness.state().panel.autosave.as_ref().is_some_and(super::autosave::Autosave::is_saved) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    harness.get_by_label("Kept on this machine");
    let mut services = services();
    services.storage = storage;
    let mut again = self::harness(WIDE, Theme::Dark, &Script::answering(), services);
    settle(&mut again);
    assert_eq!(names(&again), before);
    assert!(!again.state().panel.desk.room.can_undo(), "coming back is no step to undo");
}

#[test]
fn what_cannot_be_read_says_why_in_place() {
    let script = Script::answering();
    for (size, name) in [(WIDE, "wide"), (PHONE, "phone")] {
        let mut harness = harness(size, Theme::Light, &script, services());
        let (mut files, folder) = (Vec::new(), "birds");
        for index in 0..5 {
            files.push(PickedFile::from_bytes(format!("{folder}/{index}.png"), png(index)));
        }
        harness.state_mut().dropped = files;
        settle(&mut harness);
        let image = harness.state().panel.desk.room.classes()[0].images[3].id;
        script.say(TeachEvent::Rejected { id: image, reason: "3.png is no image; remove it".to_owned() });
        harness.run_steps(3);
        harness.get_by_label("birds, image 4 of 5, cannot be read");
        harness.get_by_label("1 image cannot be read").click();
        harness.run_steps(3);
        harness.get_by_label("3.png is no image; remove it");
        look(&mut harness, &format!("teach_rejected_{name}"));
        harness.get_by_label("Remove it").click();
        harness.run_steps(3);
        assert_eq!(counts(&harness), [4]);
        assert!(harness.query_by_label_contains("cannot be read").is_none());
    }
}

#[test]
fn a_session_that_fails_says_what_to_do() {
    let script = Script::default();
    let mut harness = harness(WIDE, Theme::Light, &script, camera_services());
    script.say(TeachEvent::Ready(card("scenes")));
    script.say(TeachEvent::Failed { message: "the device was lost; close other programs and try again".to_owned() });
    harness.run_steps(3);
    harness.get_by_label("Error: The device was lost");
    harness.get_by_label("Close other programs and try again");
    look(&mut harness, "teach_failed");
    harness.get_by_label("Try again").click();
    harness.run_steps(2);
    assert_eq!(harness.state().panel.state()["stage"], "waiting");
}

#[test]
fn progress_shows_while_images_are_learned() {
    let script = Script::default();
    let mut harness = harness(WIDE, Theme::Light, &script, camera_services());
    script.say(TeachEvent::Ready(card("scenes")));
    harness.state_mut().panel.desk.room.add_classes([("many".to_owned(), shades(300))]);
    script.say(TeachEvent::Embedded { done: 120, of: 300 });
    harness.run_steps(3);
    harness.get_by_role_and_label(egui::accesskit::Role::ProgressIndicator, "Learning images: 120 of 300");
    look(&mut harness, "teach_progress");
}

fn shades(count: u32) -> Vec<NewImage> {
    (0..count)
        .map(|index| {
            let pixel = [(index % 200) as u8 + 40, (index / 8 % 256) as u8, 160, 255];
            NewImage::new(format!("{index}"), RgbaImage::new(24, 24, pixel.repeat(24 * 24)).unwrap())
        })
        .collect()
}

#[test]
fn two_thousand_images_draw_only_what_is_in_view() {
    let script = Script::answering();
    let mut harness = harness(WIDE, Theme::Dark, &script, camera_services());
    let classes = (0..4).map(|class| (format!("class {class}"), shades(500)));
    harness.state_mut().panel.desk.room.add_classes(classes.collect::<Vec<_>>());
    harness.run_steps(4);
    let tiles = harness
        .root()
        .children_recursive()
        .filter(|node| node.accesskit_node().label().is_some_and(|label| label.contains(", image ")));
    let tiles = tiles.count();
    assert!((20..300).contains(&tiles), "{tiles} tiles");
    look(&mut harness, "teach_many");
    let clock = std::time::Instant::now();
    harness.run_steps(20);
    let millis = clock.elapsed().as_millis() / 20;
    // 2,000 tiles a frame take seconds here; a few hundred are far below this.
    assert!(millis < 400, "{millis} ms a frame");
}

#[test]
fn every_control_has_a_name_on_a_phone_and_none_is_cut_off() {
    let (mut harness, _) = with_samples(PHONE, Theme::Light);
    harness.check_accessibility();
    for node in harness.root().children_recursive() {
        let is_control = matches!(node.accesskit_node().role(), egui::accesskit::Role::Button);
        if is_control {
            let rect = node.rect();
            assert!(
                rect.left() >= -0.5 && rect.right() <= PHONE.x + 16.5 || rect.height() < 1.0,
                "{:?} at {rect:?}",
                node.accesskit_node().label()
            );
        }
    }
    let name = names(&harness)[0].0.clone();
    harness.get_by_label_contains(&format!("{name}, image 2 of 10")).click();
    settle(&mut harness);
    look(&mut harness, "teach_phone_held_out");
    harness.get_by_label("Clear");
    harness.set_size(vec2(PHONE.x, 1500.0) + Vec2::splat(16.0));
    look(&mut harness, "teach_phone_tall");
}
