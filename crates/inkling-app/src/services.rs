//! What differs between the desktop and the browser, as the panels see it.

use std::path::PathBuf;

use inkling_platform::{Pending, Storage};
use inkling_session::teach::LearnerFile;

use crate::notice::Notice;

/// One picture of a camera.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CameraFrame {
    /// Pixels of a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Red, green, blue and alpha, row by row from the top: `4 · width · height` bytes.
    pub rgba: Vec<u8>,
}

/// Where a camera stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CameraState {
    /// Nobody asked for it.
    #[default]
    Off,
    /// It was asked for: the system opens it, or asks the user.
    Starting,
    /// Frames arrive.
    On,
    /// There is none, or the user refused it; the notice says what to do.
    Failed(Notice),
}

/// A camera. No call blocks.
pub trait Webcam {
    /// Opens the camera; its state says how that ends.
    fn start(&mut self);
    /// Closes it, so that its light goes out.
    fn stop(&mut self);
    /// Where it stands.
    fn state(&self) -> CameraState;
    /// The newest frame since the last call, if there is one.
    fn take_frame(&mut self) -> Option<CameraFrame>;
}

/// All that a front end hands to the panels.
pub struct Services {
    /// The camera; none where the front end was built without.
    pub webcam: Option<Box<dyn Webcam>>,
    /// What outlives the program: settings, the project.
    pub storage: Storage,
    /// The learner that the project ships, on its way; none where the front end has none.
    pub learner: Option<Pending<Result<LearnerFile, String>>>,
    /// Whether there are folders that the user can open.
    pub has_file_system: bool,
    /// Where the folders of new runs go; without one, runs stay in memory and are saved as archives.
    pub runs_folder: Option<PathBuf>,
}

impl Services {
    /// Services of a browser: no folders, and no camera yet.
    pub fn new(storage: Storage) -> Self {
        Self { webcam: None, storage, learner: None, has_file_system: false, runs_folder: None }
    }

    /// The same on a system with folders; new runs go below `runs_folder`.
    pub fn with_file_system(mut self, runs_folder: PathBuf) -> Self {
        (self.has_file_system, self.runs_folder) = (true, Some(runs_folder));
        self
    }

    /// The same with the learner that the project ships: at hand natively, fetched in a browser.
    pub fn with_learner(mut self, learner: Pending<Result<LearnerFile, String>>) -> Self {
        self.learner = Some(learner);
        self
    }

    /// The same with a camera.
    pub fn with_webcam(mut self, webcam: impl Webcam + 'static) -> Self {
        self.webcam = Some(Box::new(webcam));
        self
    }
}
