//! Everything that the tab Teach knows: the classes, what the teaching session said of them, and
//! what is being looked at. Nothing here draws.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use inkling_session::teach::{
    ClassId, Classroom, Confusion, ImageData, ImageId, LearnerCard, LearnerFile, Lesson, NewImage, Prediction, Subject,
    TeachCommand, TeachEvent, TeachHandle, Ticket,
};

use crate::notice::Notice;

use super::look::{Look, Source};
use super::matrix::Matrix;
use super::recorder::Recorder;
use super::selection::Selection;
use super::thumbnails::{BUDGET_BYTES, Thumbnails};

/// Thumbnails of images in no class that are kept: the session sends them once, and what is undone
/// comes back. It remembers as many.
const MOST_ABSENT: usize = 4096;

/// The bars of the live view.
pub(crate) const LIVE: Ticket = 0;

/// The other end of a teaching session: the session itself, or a script in tests.
pub(crate) trait Teacher {
    /// Sends a command; false when the session has ended.
    fn send(&self, command: TeachCommand) -> bool;
    /// The next event, if there is one.
    fn try_event(&self) -> Option<TeachEvent>;
}

impl Teacher for TeachHandle {
    fn send(&self, command: TeachCommand) -> bool {
        TeachHandle::send(self, command)
    }

    fn try_event(&self) -> Option<TeachEvent> {
        TeachHandle::try_event(self)
    }
}

/// Where the teaching session stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Stage {
    /// No learner is at hand yet.
    #[default]
    Waiting,
    /// The session makes itself ready.
    Starting,
    /// It teaches with this learner.
    Ready(LearnerCard),
    /// It stopped.
    Failed(Notice),
}

/// A name that is being typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Renaming {
    pub class: ClassId,
    pub text: String,
    /// Before the field had the focus once.
    pub is_fresh: bool,
}

/// The state of the tab.
pub(crate) struct Desk {
    pub room: Classroom,
    /// The project's name, which files that it is saved to take.
    pub name: String,
    teacher: Option<Box<dyn Teacher>>,
    pub stage: Stage,
    /// The revision that the session was told of.
    taught_revision: Option<u64>,
    /// The revision of `lesson`.
    lesson_revision: Option<u64>,
    lesson: Arc<Lesson>,
    pub thumbnails: Thumbnails<ImageId>,
    /// Images of the present lesson that are embedded or rejected, and all.
    pub embedded: (usize, usize),
    /// Images that cannot be used, with the reason.
    pub rejected: BTreeMap<ImageId, String>,
    pub look: Look,
    /// Images to try the sample classes on, and their thumbnails.
    pub tries: Vec<NewImage>,
    pub tries_shown: Thumbnails<usize>,
    confusion: Option<Confusion>,
    mistaken: HashSet<ImageId>,
    pub chosen_cell: Option<(usize, usize)>,
    pub selection: Selection<ImageId>,
    /// The tile of each class that takes the keyboard's focus by Tab.
    pub doors: HashMap<ClassId, ImageId>,
    /// The tile that takes the focus when it is drawn next.
    pub focus_next: Option<ImageId>,
    /// The tile that is scrolled into view when its class is drawn next.
    pub show_next: Option<ImageId>,
    pub recorder: Recorder<ClassId>,
    pub renaming: Option<Renaming>,
    /// What went wrong or well here, until dismissed.
    pub notice: Option<Notice>,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            room: Classroom::default(),
            name: UNNAMED.to_owned(),
            teacher: None,
            stage: Stage::default(),
            taught_revision: None,
            lesson_revision: None,
            lesson: Arc::default(),
            thumbnails: Thumbnails::new(BUDGET_BYTES),
            embedded: (0, 0),
            rejected: BTreeMap::new(),
            look: Look::default(),
            tries: Vec::new(),
            tries_shown: Thumbnails::new(BUDGET_BYTES),
            confusion: None,
            mistaken: HashSet::new(),
            chosen_cell: None,
            selection: Selection::default(),
            doors: HashMap::new(),
            focus_next: None,
            show_next: None,
            recorder: Recorder::default(),
            renaming: None,
            notice: None,
        }
    }
}

/// What a project is called before it has a name.
pub(crate) const UNNAMED: &str = "Untitled";

impl Desk {
    /// Teaches over this session from now on; it was started with a learner.
    pub fn connect(&mut self, teacher: Box<dyn Teacher>) {
        teacher.send(TeachCommand::WatchConfusion(true));
        self.teacher = Some(teacher);
        self.stage = Stage::Starting;
        self.taught_revision = None;
        self.ask_again();
    }

    /// Whether a session was started.
    pub fn is_connected(&self) -> bool {
        self.teacher.is_some()
    }

    /// Goes over to another learner, or starts again with the same.
    pub fn use_learner(&mut self, learner: LearnerFile) {
        self.stage = Stage::Starting;
        self.look.prediction = None;
        self.look.forget_latency();
        self.forget_confusion();
        self.send(TeachCommand::UseLearner(Box::new(learner)));
    }

    /// The classes as they were last drawn and taught.
    pub fn lesson(&self) -> Arc<Lesson> {
        Arc::clone(&self.lesson)
    }

    /// Takes what the session said, and tells it what changed. Gives whether anything did.
    pub fn poll(&mut self) -> bool {
        let mut changed = false;
        while let Some(event) = self.teacher.as_ref().and_then(|teacher| teacher.try_event()) {
            self.hear(event);
            changed = true;
        }
        self.teach() || changed
    }

    /// Tells the session of the classes, where they changed.
    pub fn teach(&mut self) -> bool {
        let revision = self.room.revision();
        let changed = self.lesson_revision != Some(revision);
        if changed {
            self.lesson_revision = Some(revision);
            self.lesson = Arc::new(self.room.lesson());
            self.forget_the_absent();
        }
        if self.teacher.is_some() && self.taught_revision != Some(revision) {
            self.taught_revision = Some(revision);
            self.send(TeachCommand::Learn(Arc::clone(&self.lesson)));
        }
        changed
    }

    fn hear(&mut self, event: TeachEvent) {
        match event {
            TeachEvent::Ready(card) => self.stage = Stage::Ready(card),
            TeachEvent::Thumbnail { id, picture } => self.thumbnails.insert(id, picture),
            TeachEvent::Embedded { done, of } => self.embedded = (done, of),
            TeachEvent::Prediction(prediction) if prediction.ticket == LIVE => self.look.answer(prediction),
            TeachEvent::Prediction(_) => {}
            TeachEvent::Confusion(confusion) => {
                self.mistaken = mistaken(&confusion);
                self.confusion = Some(confusion);
            }
            TeachEvent::Rejected { id, reason } => {
                self.rejected.insert(id, reason);
            }
            TeachEvent::Unreadable { ticket, reason } if ticket == LIVE => self.look.cannot_be_read(reason),
            TeachEvent::Unreadable { .. } => {}
            TeachEvent::Refused { learner, reason } => {
                let notice = Notice::from_message(&reason);
                self.notice = Some(Notice { sentence: format!("{learner}: {}", notice.sentence), ..notice });
            }
            TeachEvent::Failed { message } => self.stage = Stage::Failed(Notice::from_message(&message)),
        }
    }

    /// What was said of images and classes that are no longer there means nothing now.
    fn forget_the_absent(&mut self) {
        let present: HashSet<ImageId> =
            self.lesson.classes.iter().flat_map(|class| class.images.iter().map(|image| image.id)).collect();
        if self.thumbnails.len() > present.len() + MOST_ABSENT {
            self.thumbnails.retain(|image| present.contains(&image));
        }
        self.selection.retain(|image| present.contains(&image));
        self.mistaken.retain(|image| present.contains(image));
        self.chosen_cell = None;
        if self.look.held_out().is_some_and(|image| !present.contains(&image)) {
            self.look_away();
        }
        let classes: HashSet<ClassId> = self.lesson.classes.iter().map(|class| class.id).collect();
        let stale = |confusion: &Confusion| confusion.classes.iter().any(|class| !classes.contains(class));
        if self.confusion.as_ref().is_some_and(stale) {
            self.forget_confusion();
        }
        if self.renaming.as_ref().is_some_and(|renaming| !classes.contains(&renaming.class)) {
            self.renaming = None;
        }
        self.embedded.1 = present.len();
        self.embedded.0 = self.embedded.0.min(present.len());
    }

    fn forget_confusion(&mut self) {
        self.confusion = None;
        self.mistaken.clear();
        self.chosen_cell = None;
    }

    /// Asks for the bars of what is looked at.
    pub fn ask_again(&mut self) {
        if let Some(subject) = self.look.subject() {
            self.send(TeachCommand::Classify { ticket: LIVE, subject });
        }
    }

    /// Looks at something else.
    pub fn look_at(&mut self, source: Source) {
        let data = match &source {
            Source::Outside(image) => Some(image.data.clone()),
            Source::HeldOut(id) => self.room.image(*id).map(|(_, image)| image.image.data.clone()),
            Source::Nothing | Source::Camera => None,
        };
        self.look = Look::at(source);
        if let Some(data) = data {
            self.look.load(data);
        }
        self.ask_again();
    }

    /// Offers these images to try the classes on.
    pub fn set_tries(&mut self, images: Vec<NewImage>) {
        self.tries_shown.retain(|_| false);
        for (place, image) in images.iter().enumerate() {
            if let ImageData::Rgba(picture) = &image.data {
                self.tries_shown.insert(place, picture.clone());
            }
        }
        self.tries = images;
    }

    /// Looks at nothing.
    pub fn look_away(&mut self) {
        self.look = Look::default();
        self.send(TeachCommand::Release(LIVE));
    }

    /// Asks for the bars of a picture of the camera, which took `seconds` to be made of its frame.
    pub fn ask_about(&mut self, subject: Subject, seconds: f64) {
        self.look.asked(seconds);
        self.send(TeachCommand::Classify { ticket: LIVE, subject });
    }

    fn send(&mut self, command: TeachCommand) {
        let ended = self.teacher.as_ref().is_some_and(|teacher| !teacher.send(command));
        if ended && !matches!(self.stage, Stage::Failed(_)) {
            let notice = Notice::error("Teaching stopped unexpectedly", "Save the project and open Inkling again");
            self.stage = Stage::Failed(notice);
        }
    }

    /// Whether this image is the one in the live view.
    pub fn looks_at(&self, image: ImageId) -> bool {
        self.look.held_out() == Some(image)
    }

    /// Whether an image would be given another class, had its own been taught without it.
    pub fn is_mistaken(&self, image: ImageId) -> bool {
        self.mistaken.contains(&image)
    }

    /// The tile of a class that takes the keyboard's focus.
    pub fn door(&self, class: ClassId) -> Option<ImageId> {
        self.doors.get(&class).copied()
    }

    /// The prediction for what is looked at.
    pub fn prediction(&self) -> Option<&Prediction> {
        self.look.prediction.as_ref()
    }

    /// The confusion matrix, where one is known.
    pub fn confusion(&self) -> Option<&Confusion> {
        self.confusion.as_ref()
    }

    /// The place of a class among all, which gives it its colour.
    pub fn place(&self, class: ClassId) -> usize {
        self.lesson.classes.iter().position(|other| other.id == class).unwrap_or(0)
    }

    /// The confusion matrix as it is drawn, with colours by class.
    pub fn matrix(&self, colour: impl Fn(usize) -> egui::Color32) -> Option<Matrix> {
        let confusion = self.confusion.as_ref()?;
        let class = |id: &ClassId| {
            let name = self.room.class(*id).map_or_else(String::new, |class| class.name.clone());
            (name, colour(self.place(*id)))
        };
        let counts = confusion.cells.iter().map(|row| row.iter().map(Vec::len).collect()).collect();
        Some(Matrix { classes: confusion.classes.iter().map(class).collect(), counts })
    }

    /// The first name of the form "Class 3" that no class has.
    pub fn free_name(&self) -> String {
        let taken: HashSet<&str> = self.room.classes().iter().map(|class| class.name.as_str()).collect();
        let mut names = (self.room.classes().len() + 1..).map(|number| format!("Class {number}"));
        names.find(|name| !taken.contains(name.as_str())).unwrap_or_default()
    }
}

/// The images off the diagonal.
fn mistaken(confusion: &Confusion) -> HashSet<ImageId> {
    let rows = confusion.cells.iter().enumerate();
    let cells = rows.flat_map(|(class, row)| row.iter().enumerate().map(move |(answer, cell)| (class == answer, cell)));
    cells.filter(|(is_right, _)| !is_right).flat_map(|(_, cell)| cell.iter().copied()).collect()
}
