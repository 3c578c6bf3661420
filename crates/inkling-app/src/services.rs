//! What differs between the desktop and the browser, as the panels see it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

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

/// A learner that is not at hand and can be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its name, which it goes by when it is there.
    pub name: String,
    /// What it is and what it was trained on.
    pub description: String,
    /// The licence and its holder.
    pub licence: String,
    /// Bytes to fetch.
    pub bytes: u64,
}

/// A learner on its way. It is given up when this is dropped.
pub struct Fetching {
    /// The learner, or why it did not come and what to do.
    pub learner: Pending<Result<LearnerFile, String>>,
    /// How far it has come.
    pub progress: Progress,
}

/// How far a transfer has come. Clones share it.
#[derive(Clone, Default)]
pub struct Progress(Arc<Counted>);

#[derive(Default)]
struct Counted {
    bytes: AtomicU64,
    is_given_up: AtomicBool,
}

impl Progress {
    /// Bytes that have arrived.
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// Says how many bytes have arrived; false when nobody waits for more.
    pub fn advance(&self, bytes: u64) -> bool {
        self.0.bytes.store(bytes, Ordering::Relaxed);
        !self.0.is_given_up.load(Ordering::Relaxed)
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        self.progress.0.is_given_up.store(true, Ordering::Relaxed);
    }
}

/// Learners that a front end fetches when somebody asks for them. No call blocks.
pub trait Catalogue {
    /// What can be fetched; empty as long as that is not known.
    fn offers(&self) -> Vec<Offer>;
    /// Fetches one of them.
    fn fetch(&mut self, offer: &Offer) -> Fetching;
}

/// All that a front end hands to the panels.
pub struct Services {
    /// The camera; none where the front end was built without.
    pub webcam: Option<Box<dyn Webcam>>,
    /// What outlives the program: settings, the project.
    pub storage: Storage,
    /// The learner that the project ships, on its way; none where the front end has none.
    pub learner: Option<Pending<Result<LearnerFile, String>>>,
    /// Learners to fetch; none where the front end has no way to.
    pub catalogue: Option<Box<dyn Catalogue>>,
    /// Whether there are folders that the user can open.
    pub has_file_system: bool,
    /// Where the folders of new runs go; without one, runs stay in memory and are saved as archives.
    pub runs_folder: Option<PathBuf>,
}

impl Services {
    /// Services of a browser: no folders, and no camera yet.
    pub fn new(storage: Storage) -> Self {
        Self { webcam: None, storage, learner: None, catalogue: None, has_file_system: false, runs_folder: None }
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

    /// The same with learners to fetch.
    pub fn with_catalogue(mut self, catalogue: impl Catalogue + 'static) -> Self {
        self.catalogue = Some(Box::new(catalogue));
        self
    }

    /// The same with a camera.
    pub fn with_webcam(mut self, webcam: impl Webcam + 'static) -> Self {
        self.webcam = Some(Box::new(webcam));
        self
    }
}
