//! The learners and their tab, driven as a person drives them.

use egui::{Theme, Vec2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use inkling_platform::{Pending, Storage};
use inkling_session::teach::{LearnerFile, NewImage, RgbaImage};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::{LearnersPanel, Library, Origin};
use crate::panel::{Panel, Shared};
use crate::services::{Catalogue, Fetching, Offer, Progress, Services};
use crate::theme;

/// The learner that the project ships.
const SHIPPED: &[u8] = include_bytes!("../../../inkling-session/learners/scenes.safetensors");

fn shipped(name: &str) -> LearnerFile {
    LearnerFile::from_bytes(name, SHIPPED).unwrap()
}

/// The same learner as another file: a safetensors file may end its header with spaces.
fn other(name: &str) -> LearnerFile {
    let length = u64::from_le_bytes(SHIPPED[..8].try_into().unwrap());
    let (header, data) = SHIPPED[8..].split_at(length as usize);
    let bytes = [&(length + 8).to_le_bytes(), header, &[b' '; 8], data].concat();
    LearnerFile::from_bytes(name, bytes).unwrap()
}

fn polled(library: &mut Library, storage: &Storage) {
    for _ in 0..2000 {
        library.poll(storage);
        if !library.is_busy() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    panic!("never settled");
}

#[test]
fn kept_learners_come_back_and_removed_ones_do_not() {
    let storage = Storage::in_memory();
    let mut library = Library::open(Some(Pending::ready(Ok(shipped("scenes")))), &storage);
    polled(&mut library, &storage);
    let name = library.add(other("mine"), Origin::Run);
    assert_eq!(library.add(other("again"), Origin::Loaded), name, "the same bytes are the same learner");
    assert_eq!(library.in_use().unwrap().1.name(), "scenes");
    let number = library.entries[1].number;
    library.keep(number);
    library.poll(&storage);
    polled(&mut library, &storage);

    let mut again = Library::open(None, &storage);
    again.use_when_there("mine");
    polled(&mut again, &storage);
    assert_eq!(again.names().collect::<Vec<_>>(), ["mine"]);
    assert_eq!(again.in_use().unwrap().1.name(), "mine");
    let number = again.entries[0].number;
    again.remove(number);
    assert!(again.in_use().is_none());
    again.poll(&storage);
    polled(&mut again, &storage);
    assert_eq!(pollster::block_on(storage.list()).unwrap(), ["learners.json"]);
}

#[test]
fn the_shipped_learner_stays_and_names_are_told_apart() {
    let storage = Storage::in_memory();
    let mut library = Library::open(Some(Pending::ready(Ok(shipped("scenes")))), &storage);
    polled(&mut library, &storage);
    library.add(other("scenes"), Origin::Project);
    assert_eq!(library.names().collect::<Vec<_>>(), ["scenes", "scenes (2)"]);
    library.remove(library.entries[0].number);
    assert_eq!(library.entries.len(), 2);
    let mut failed = Library::open(Some(Pending::ready(Err("not found; reload the page".to_owned()))), &storage);
    polled(&mut failed, &storage);
    assert_eq!(failed.shipped_problem().unwrap().remedy, "Reload the page");
}

/// Offers one learner, which comes when the test says so.
#[derive(Clone, Default)]
struct Shelf {
    progress: Rc<RefCell<Option<Progress>>>,
    sender: Rc<RefCell<Option<Delivery>>>,
}

/// The end of a transfer that the test holds.
type Delivery = inkling_platform::Sender<Result<LearnerFile, String>>;

impl Catalogue for Shelf {
    fn offers(&self) -> Vec<Offer> {
        vec![Offer {
            name: "large".to_owned(),
            description: "A large one".to_owned(),
            licence: "MIT, somebody".to_owned(),
            bytes: 2_000_000,
        }]
    }

    fn fetch(&mut self, offer: &Offer) -> Fetching {
        assert_eq!(offer.name, "large");
        let (sender, receiver) = inkling_platform::channel();
        let progress = Progress::default();
        *self.sender.borrow_mut() = Some(sender);
        *self.progress.borrow_mut() = Some(progress.clone());
        let learner = Pending::start(move || async move { receiver.next().await.unwrap_or(Err(String::new())) });
        Fetching { learner, progress }
    }
}

impl Shelf {
    fn deliver(&self, answer: Result<LearnerFile, String>) {
        self.sender.borrow_mut().take().unwrap().send(answer);
    }
}

#[test]
fn a_fetched_learner_is_used_and_kept() {
    let (storage, shelf) = (Storage::in_memory(), Shelf::default());
    let library = Library::open(Some(Pending::ready(Ok(shipped("scenes")))), &storage);
    let mut library = library.with_catalogue(Some(Box::new(shelf.clone())));
    polled(&mut library, &storage);
    library.fetch("large");
    let progress = shelf.progress.borrow().clone().unwrap();
    assert!(progress.advance(500_000));
    assert_eq!(library.fetching().map(|(_, bytes)| bytes), Some(500_000));
    shelf.deliver(Err("no network; try again".to_owned()));
    polled(&mut library, &storage);
    assert_eq!(library.notice.as_ref().unwrap().sentence, "No network");
    assert_eq!(library.in_use().unwrap().1.name(), "scenes", "what was there goes on");

    library.fetch("large");
    shelf.deliver(Ok(other("large")));
    polled(&mut library, &storage);
    assert_eq!(library.in_use().unwrap().1.name(), "large");
    assert_eq!(library.offers(), [], "nobody is offered what is there");
    library.poll(&storage);
    polled(&mut library, &storage);
    let mut again = Library::open(None, &storage);
    polled(&mut again, &storage);
    assert_eq!(again.names().collect::<Vec<_>>(), ["large"]);
}

#[test]
fn what_is_given_up_stops() {
    let (storage, shelf) = (Storage::in_memory(), Shelf::default());
    let mut library = Library::open(None, &storage).with_catalogue(Some(Box::new(shelf.clone())));
    library.fetch("large");
    let progress = shelf.progress.borrow().clone().unwrap();
    assert!(progress.advance(1));
    library.stop_fetching();
    assert!(!progress.advance(2), "the transfer is told");
    assert!(library.fetching().is_none());
}

#[test]
fn an_offer_is_fetched_from_its_card() {
    let shelf = Shelf::default();
    let mut harness = harness_with(vec2(1280.0, 900.0), Theme::Light, Some(shelf.clone()));
    harness.get_by_label_contains("2.00 MB, once");
    harness.get_by_label("Fetch large").click();
    harness.run_steps(3);
    let progress = shelf.progress.borrow().clone().unwrap();
    assert!(progress.advance(1_000_000));
    harness.run_steps(2);
    harness.get_by_label_contains("1.00 MB of 2.00 MB");
    if let Some(folder) = std::env::var_os("INKLING_LOOK") {
        let picture = std::path::Path::new(&folder).join("learners_fetching.png");
        harness.render().unwrap().save(picture).unwrap();
    }
    harness.get_by_label("Stop fetching").click();
    harness.run_steps(2);
    harness.get_by_label("Fetch large");
}

struct Bench {
    panel: LearnersPanel,
    shared: Shared,
}

fn harness(size: Vec2, theme: Theme) -> Harness<'static, Bench> {
    harness_with(size, theme, None)
}

fn harness_with(size: Vec2, theme: Theme, shelf: Option<Shelf>) -> Harness<'static, Bench> {
    let mut services = Services::new(Storage::in_memory()).with_learner(Pending::ready(Ok(shipped("scenes"))));
    if let Some(shelf) = shelf {
        services = services.with_catalogue(shelf);
    }
    let mut shared = Shared::new(services);
    shared.library.add(other("my own"), Origin::Run);
    let bench = Bench { panel: LearnersPanel::default(), shared };
    let ui = |ui: &mut egui::Ui, bench: &mut Bench| {
        bench.panel.poll(ui.ctx(), &mut bench.shared);
        crate::shell::content(ui, crate::shell::Tab::Learners, false, |ui| bench.panel.ui(ui, &mut bench.shared));
    };
    // The harness leaves eight points around the window.
    let builder = Harness::builder().with_size(size + Vec2::splat(16.0)).with_theme(theme).with_max_steps(60).wgpu();
    let mut harness = builder.with_context_setup(theme::install).build_ui_state(ui, bench);
    for _ in 0..50 {
        harness.step();
        if !harness.state().shared.library.is_busy() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    harness.run_steps(3);
    harness
}

#[test]
fn a_learner_is_chosen_kept_and_removed() {
    for (size, name) in [(vec2(1280.0, 800.0), "wide"), (vec2(400.0, 800.0), "phone")] {
        for theme in [Theme::Light, Theme::Dark] {
            let mut harness = harness(size, theme);
            harness.remove_cursor();
            harness.run_steps(2);
            if let Some(folder) = std::env::var_os("INKLING_LOOK") {
                for (shape, height) in [("tall_", 1400.0), ("", size.y)] {
                    harness.set_size(vec2(size.x, height) + Vec2::splat(16.0));
                    harness.run_steps(3);
                    let picture = format!("learners_{shape}{name}_{theme:?}.png").to_lowercase();
                    harness.render().unwrap().save(std::path::Path::new(&folder).join(picture)).unwrap();
                }
            }
            harness.get_by_label("Use in Teach: scenes").click();
            harness.run_steps(3);
            let shared = &harness.state().shared;
            assert_eq!(shared.library.in_use().unwrap().1.name(), "scenes");
            assert_eq!(shared.go_to, Some(crate::shell::Tab::Teach));
            harness.get_by_label("Keep: my own").click();
            harness.run_steps(5);
            assert!(harness.query_by_label("Keep: my own").is_none());
            harness.get_by_label("Remove: my own").click();
            harness.run_steps(3);
            assert_eq!(harness.state().shared.library.names().collect::<Vec<_>>(), ["scenes"]);
        }
    }
}

#[test]
fn comparing_needs_classes_and_says_so() {
    let mut harness = harness(vec2(1280.0, 800.0), Theme::Light);
    harness.get_by_label_contains("Needs two classes");
    let image = |shade: u8| NewImage::new("x", RgbaImage::new(4, 4, vec![shade; 64]).unwrap());
    let classes = ["a", "b"].map(|name| (name.to_owned(), vec![image(10), image(200)]));
    let room = inkling_session::teach::Classroom::with(classes);
    harness.state_mut().shared.lesson = Arc::new(room.lesson());
    harness.run_steps(3);
    harness.get_by_label_contains("Leaves each of your 4 images out once");
}
