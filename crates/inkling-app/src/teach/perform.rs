//! What actions do, and where things go that arrived.

use inkling_platform::{Pending, save_file};
use inkling_session::teach::{ClassId, ImageId, LearnerFile, NewImage, Project, sample_set};

use crate::learners::Origin;
use crate::notice::Notice;
use crate::panel::Shared;
use crate::shell::Tab;

use super::action::Action;
use super::desk::{Desk, Renaming, UNNAMED};
use super::intake::{Arrival, Target};
use super::look::Source;
use super::panel::TeachPanel;
use super::selection::Extend;

impl TeachPanel {
    /// Does what was asked for.
    pub(super) fn perform(&mut self, action: Action, shared: &mut Shared) {
        match action {
            Action::PickImages(class) => self.intake.pick(class.map_or(Target::NewClasses, Target::Class)),
            Action::PickFolder(class) => self.intake.pick_folder(class.map_or(Target::NewClasses, Target::Class)),
            Action::PickQuestion => self.intake.pick(Target::Question),
            Action::OpenProject => self.intake.pick(Target::Project),
            Action::Paste(image, target) => {
                let arrival = match target {
                    Target::Class(class) => Arrival::Images(class, vec![image]),
                    Target::NewClasses => Arrival::Classes(vec![(None, vec![image])]),
                    Target::Question | Target::Project => Arrival::Question(image),
                };
                self.receive(arrival, shared);
            }
            Action::UseCamera => {
                if self.desk.room.classes().is_empty() {
                    self.desk.room.add_classes(["Class 1", "Class 2"].map(|name| (name.to_owned(), Vec::new())));
                }
                self.use_camera(shared);
            }
            Action::StopCamera => {
                if let Some(webcam) = shared.services.webcam.as_mut() {
                    webcam.stop();
                }
                self.desk.look_away();
            }
            Action::CancelReading => self.intake.cancel(),
            Action::SaveProject => self.save(shared),
            Action::TryAgain => {
                self.desk.stage = super::desk::Stage::Waiting;
                self.taught_with = None;
            }
            Action::UseLearner(name) => shared.library.use_learner(&name),
            Action::FetchLearner(name) => shared.library.fetch(&name),
            Action::ShowLearners => shared.go_to = Some(Tab::Learners),
            Action::AddSamples => {
                self.samples = Some(Pending::start(|| async { sample_set().map_err(|error| error.to_string()) }))
            }
            other => self.desk.edit(other),
        }
    }

    /// Takes the sample classes, once they are drawn.
    pub(super) fn take_samples(&mut self) {
        let Some(answer) = self.samples.as_mut().and_then(Pending::take) else { return };
        self.samples = None;
        match answer {
            Ok(samples) => {
                self.desk.room.add_classes(samples.classes);
                let first = samples.try_out.first().cloned();
                self.desk.set_tries(samples.try_out);
                if let Some(first) = first.filter(|_| self.desk.look.source == Source::Nothing) {
                    self.desk.look_at(Source::Outside(first));
                }
            }
            Err(error) => self.desk.notice = Some(Notice::from_message(&error)),
        }
    }

    /// Takes what arrived.
    pub(super) fn receive(&mut self, arrival: Arrival, shared: &mut Shared) {
        match arrival {
            Arrival::Images(class, images) => {
                self.desk.room.add_images(class, images);
            }
            Arrival::Classes(classes) => self.desk.add_classes(classes),
            Arrival::Question(image) => self.desk.look_at(Source::Outside(image)),
            Arrival::Project(name, bytes) => match Project::from_bytes(&bytes) {
                Ok(project) => self.open(&name, project, shared),
                Err(error) => {
                    let notice = Notice::from_message(&error.to_string());
                    self.desk.notice = Some(Notice { sentence: format!("{name}: {}", notice.sentence), ..notice });
                }
            },
            Arrival::Learner(name, bytes) => match LearnerFile::from_bytes(stem(&name), bytes) {
                Ok(learner) => {
                    let name = shared.library.add(learner, Origin::Loaded);
                    shared.library.use_learner(&name);
                }
                Err(error) => self.desk.notice = Some(Notice::from_message(&error)),
            },
            Arrival::Problems(problems) => self.problems.extend(problems),
        }
    }

    fn open(&mut self, name: &str, project: Project, shared: &mut Shared) {
        self.desk.room.replace(project.classes);
        self.desk.name = stem(name);
        self.desk.set_tries(Vec::new());
        self.desk.look_away();
        if let Some(learner) = project.learner {
            let name = shared.library.add(learner, Origin::Project);
            shared.library.use_learner(&name);
        }
    }

    /// Packs the project, off the frame.
    fn save(&mut self, shared: &Shared) {
        let learner = shared.library.in_use().map(|(_, learner)| learner.clone());
        let project = Project::new(&self.desk.lesson(), learner);
        let name = format!("{}.inkling", file_name(&self.desk.name));
        self.packing = Some(Pending::start(move || async move { (name, project.to_bytes(|_, _| ()).await) }));
    }

    /// Asks where a packed project goes, and says how saving went.
    pub(super) fn take_saved(&mut self) {
        if let Some((name, packed)) = self.packing.as_mut().and_then(Pending::take) {
            self.packing = None;
            match packed {
                Ok(bytes) => self.saving = Some(save_file(&name, bytes)),
                Err(error) => self.desk.notice = Some(Notice::from_message(&error.to_string())),
            }
        }
        let Some(answer) = self.saving.as_mut().and_then(Pending::take) else { return };
        self.saving = None;
        match answer {
            Ok(Some(place)) => self.desk.notice = Some(Notice::success(format!("Saved as {place}"))),
            Ok(None) => {}
            Err(error) => self.desk.notice = Some(Notice::from_message(&error.to_string())),
        }
    }
}

impl Desk {
    /// Does what concerns the classes and what is looked at.
    pub(super) fn edit(&mut self, action: Action) {
        match action {
            Action::AddClass => {
                let name = self.free_name();
                let class = self.room.add_class(name);
                self.begin_rename(class);
            }
            Action::BeginRename(class) => self.begin_rename(class),
            Action::Rename(class, name) => {
                self.room.rename_class(class, name);
                self.renaming = None;
            }
            Action::MoveClass(class, to) => drop(self.room.move_class(class, to)),
            Action::DeleteClass(class) => drop(self.room.delete_class(class)),
            Action::Choose(image, extend, class) => self.choose(image, extend, class),
            Action::ChooseAll(images) => self.selection.set(images),
            Action::ClearChoice => {
                self.selection.clear();
                self.chosen_cell = None;
            }
            Action::MoveImages(images, class) => {
                self.room.move_images(&images, class);
                self.selection.clear();
            }
            Action::DeleteImages(images) => drop(self.room.delete_images(&images)),
            Action::Try(place) => {
                if let Some(image) = self.tries.get(place).cloned() {
                    self.look_at(Source::Outside(image));
                }
            }
            Action::ChooseCell(class, answer) => self.choose_cell(class, answer),
            Action::Undo => drop(self.room.undo()),
            Action::Redo => drop(self.room.redo()),
            Action::NewProject => {
                self.room.replace([]);
                self.name = UNNAMED.to_owned();
                self.set_tries(Vec::new());
                self.look_away();
            }
            Action::RenameProject(name) => self.name = name,
            // The others concern files, the camera or learners.
            _ => {}
        }
    }

    fn begin_rename(&mut self, class: ClassId) {
        if let Some(of) = self.room.class(class) {
            self.renaming = Some(Renaming { class, text: of.name.clone(), is_fresh: true });
        }
    }

    fn choose(&mut self, image: ImageId, extend: Extend, class: ClassId) {
        let order: Vec<ImageId> =
            self.room.class(class).map(|class| class.images.iter().map(|image| image.id).collect()).unwrap_or_default();
        self.selection.click(image, extend, &order);
        self.chosen_cell = None;
        if extend == Extend::Alone {
            self.look_at(Source::HeldOut(image));
        }
    }

    /// Chooses the images behind a cell of the matrix, and looks at the first.
    fn choose_cell(&mut self, class: usize, answer: usize) {
        let cell = self.confusion().and_then(|confusion| confusion.cells.get(class)?.get(answer)).cloned();
        let Some(images) = cell.filter(|images| !images.is_empty()) else { return };
        let first = images.first().copied();
        self.selection.set(images);
        if let Some(first) = first {
            if let Some(class) = self.room.image(first).map(|(class, _)| class.id) {
                self.doors.insert(class, first);
            }
            self.focus_next = Some(first);
            self.show_next = Some(first);
            self.look_at(Source::HeldOut(first));
        }
        self.chosen_cell = Some((class, answer));
    }

    /// Adds classes by the names of folders; images of no folder make a class with a free name.
    pub(super) fn add_classes(&mut self, classes: Vec<(Option<String>, Vec<NewImage>)>) {
        let free = self.free_name();
        let named = classes.into_iter().map(|(name, images)| (name.unwrap_or_else(|| free.clone()), images));
        self.room.add_classes(named.collect::<Vec<_>>());
    }
}

/// A file's name without its extension.
fn stem(name: &str) -> String {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned()
}

/// A name that every file system takes.
fn file_name(name: &str) -> String {
    let safe = |character: char| if character.is_alphanumeric() || " -_".contains(character) { character } else { '_' };
    let name = name.chars().map(safe).collect::<String>();
    let name = name.trim();
    if name.is_empty() { "project".to_owned() } else { name.to_owned() }
}
