//! What a person asked for. Views only say it; the desk does it, after they are drawn.

use inkling_session::teach::{ClassId, ImageId, NewImage};

use super::intake::Target;
use super::selection::Extend;

/// Something to do.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// A new class behind the others, with its name open for typing.
    AddClass,
    /// Opens the name of a class for typing.
    BeginRename(ClassId),
    /// Gives a class another name.
    Rename(ClassId, String),
    /// Moves a class to a place among the classes, counted from zero.
    MoveClass(ClassId, usize),
    DeleteClass(ClassId),
    /// A click on an image of a class: it is chosen, and looked at as if it had been left out.
    Choose(ImageId, Extend, ClassId),
    /// Chooses exactly these.
    ChooseAll(Vec<ImageId>),
    ClearChoice,
    MoveImages(Vec<ImageId>, ClassId),
    DeleteImages(Vec<ImageId>),
    /// Opens the file dialog for images: into a class, or as a new one.
    PickImages(Option<ClassId>),
    /// Opens the folder dialog: each folder becomes a class, or all go into one.
    PickFolder(Option<ClassId>),
    /// Opens the file dialog for an image to look at.
    PickQuestion,
    /// Takes an image from the clipboard.
    Paste(NewImage, Target),
    /// Looks at one of the images that came with the samples, by its place.
    Try(usize),
    /// Looks through the camera.
    UseCamera,
    StopCamera,
    /// Adds the built-in sample classes.
    AddSamples,
    /// A cell of the confusion matrix: (class, answer), by their places.
    ChooseCell(usize, usize),
    Undo,
    Redo,
    NewProject,
    OpenProject,
    SaveProject,
    RenameProject(String),
    /// Stops reading files.
    CancelReading,
    /// Starts teaching again after it failed.
    TryAgain,
    /// Teaches with the learner of this name from now on.
    UseLearner(String),
    /// Fetches the learner of this name, to teach with it when it is there.
    FetchLearner(String),
    /// Shows the tab Learners.
    ShowLearners,
}
