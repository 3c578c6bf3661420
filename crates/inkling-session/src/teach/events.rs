//! What a teaching session is told and what it answers.

use std::sync::Arc;

use super::classroom::{ClassId, ImageId, Lesson};
use super::image::{ImageData, RgbaImage};
use super::learner_file::{LearnerCard, LearnerFile};

/// Which bars an image belongs to: an image replaces the one before under the same ticket.
pub type Ticket = u64;

/// A message to a teaching session.
#[derive(Clone, Debug)]
pub enum TeachCommand {
    /// The classes and images as they are now: to be sent after every change. Only images that were
    /// never seen are decoded and embedded.
    Learn(Arc<Lesson>),
    /// Asks for the bars of an image, now and after every change of the classes, until another image
    /// takes the ticket or [`TeachCommand::Release`] gives it back. Of images that wait under one
    /// ticket only the newest is looked at; they go before images of the classes.
    Classify {
        /// The bars.
        ticket: Ticket,
        /// The image.
        subject: Subject,
    },
    /// Asks no longer.
    Release(Ticket),
    /// Whether a confusion matrix is wanted, now and after every change.
    WatchConfusion(bool),
    /// Embeds everything anew with another learner. Also the way to try again after
    /// [`TeachEvent::Failed`].
    UseLearner(Box<LearnerFile>),
}

/// What is classified.
#[derive(Clone, Debug)]
pub enum Subject {
    /// An image from outside the classes: a frame of a camera, a dropped file.
    Image(ImageData),
    /// An image of the classes, as if its class had been taught without it.
    HeldOut(ImageId),
}

/// A message from a teaching session.
#[derive(Clone, Debug, PartialEq)]
pub enum TeachEvent {
    /// A learner is in use. Everything from now on, thumbnails apart, comes from it.
    Ready(LearnerCard),
    /// A small picture of an image of the classes, at most 96 pixels wide and high; once for each.
    Thumbnail {
        /// The image.
        id: ImageId,
        /// The picture.
        picture: RgbaImage,
    },
    /// How many images of the present lesson are embedded (or rejected).
    Embedded {
        /// Done.
        done: usize,
        /// All.
        of: usize,
    },
    /// The bars of an image.
    Prediction(Prediction),
    /// The confusion matrix of the images embedded so far.
    Confusion(Confusion),
    /// An image of the classes cannot be used; the others can.
    Rejected {
        /// The image.
        id: ImageId,
        /// Why, with its name and the remedy.
        reason: String,
    },
    /// The image under a ticket cannot be used.
    Unreadable {
        /// The ticket, which is free again.
        ticket: Ticket,
        /// Why, and the remedy.
        reason: String,
    },
    /// A learner cannot be used for teaching; the one before stays in use.
    Refused {
        /// The learner's name.
        learner: String,
        /// Why, and the remedy.
        reason: String,
    },
    /// The device failed, twice in a row. Classes and embeddings are kept;
    /// [`TeachCommand::UseLearner`] tries again.
    Failed {
        /// What happened, and the remedy.
        message: String,
    },
}

/// The bars of one image.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// The ticket it was asked under.
    pub ticket: Ticket,
    /// The probability of each class that has an image, in the order of the lesson. With
    /// `none_of_these` they sum to one; empty as long as no class has an image.
    pub classes: Vec<(ClassId, f32)>,
    /// The probability that the image belongs to no class.
    pub none_of_these: f32,
    /// Where the time went that the session spent on an image from outside the classes; none where
    /// its embedding was at hand already.
    pub spent: Option<Spent>,
}

/// Seconds that a teaching session spent on an image, by what it did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    /// Decoding it, and bringing it to the size that the learner takes.
    pub picture: f64,
    /// The network: upload, passes, the embedding's way back.
    pub network: f64,
    /// From the embedding to probabilities, the fit of the classes included.
    pub classes: f64,
}

impl Spent {
    /// All of it.
    pub fn seconds(&self) -> f64 {
        self.picture + self.network + self.classes
    }
}

impl Prediction {
    /// The class that is more probable than every other and than none of them.
    pub fn best(&self) -> Option<ClassId> {
        let best = self.classes.iter().max_by(|(_, first), (_, second)| first.total_cmp(second));
        best.filter(|(_, probability)| *probability > self.none_of_these).map(|(class, _)| *class)
    }
}

/// Which class each image would be given, had its class been taught without it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Confusion {
    /// The classes with an image, in the order of the lesson.
    pub classes: Vec<ClassId>,
    /// `[class][predicted class]`, the images behind each cell.
    pub cells: Vec<Vec<Vec<ImageId>>>,
    /// Images that are alone in their class, which cannot be taught without them.
    pub alone: Vec<ImageId>,
}

impl Confusion {
    /// Images that were given the right class, and images in all cells.
    pub fn right_of_all(&self) -> (usize, usize) {
        let diagonal = self.cells.iter().enumerate().filter_map(|(class, row)| row.get(class)).map(Vec::len).sum();
        (diagonal, self.cells.iter().flatten().map(Vec::len).sum())
    }
}
