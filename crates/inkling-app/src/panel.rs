//! What every tab has in common.

use std::sync::Arc;

use egui::{Context, Ui};
use inkling_platform::PickedFile;
use inkling_session::config::RunConfig;
use inkling_session::history::SolveHistory;
use inkling_session::session::Dataset;
use inkling_session::session::Tier;
use inkling_session::snapshot::EpisodeSnapshot;
use inkling_session::teach::Lesson;
use inkling_session::tensor_file::TensorFile;

use crate::adapters::Adapters;
use crate::learners::Library;
use crate::notice::Notice;
use crate::services::Services;
use crate::settings::Settings;
use crate::shell::Tab;

/// What the panels share: the services, the settings, and their wishes to the shell.
pub struct Shared {
    /// Camera, files, storage.
    pub services: Services,
    /// What the user chose in the tab Settings.
    pub settings: Settings,
    /// Something that concerns the whole window, shown above every tab until it is dismissed.
    /// What concerns one panel stands in that panel.
    pub notice: Option<Notice>,
    /// The tab that a panel asks the shell to show next.
    pub go_to: Option<Tab>,
    /// Files and folders that were dropped onto the window. They are there while the visible panel
    /// is polled, and gone afterwards.
    pub dropped: Vec<PickedFile>,
    /// The learners at hand.
    pub library: Library,
    /// The classes of the tab Teach as they are now.
    pub lesson: Arc<Lesson>,
    /// What there is to look into.
    pub study: Study,
    /// The adapters of this machine.
    pub adapters: Adapters,
}

/// What the tab Meta-train has that the tab Inspect looks into.
#[derive(Default)]
pub struct Study {
    /// The newest episode of a run.
    pub snapshot: Option<Arc<EpisodeSnapshot>>,
    /// The newest solves of a run, oldest first.
    pub solves: Vec<SolveHistory>,
    /// The configuration that the form describes.
    pub config: RunConfig,
    /// The data set that is open.
    pub dataset: Option<Arc<dyn Dataset>>,
    /// The weights that a run of it begins with, where they come from a learner at hand.
    pub weights: Option<Arc<TensorFile>>,
}

impl Shared {
    /// Default settings and no wishes.
    pub fn new(mut services: Services) -> Self {
        let library =
            Library::open(services.learner.take(), &services.storage).with_catalogue(services.catalogue.take());
        Self {
            services,
            settings: Settings::default(),
            notice: None,
            go_to: None,
            dropped: Vec::new(),
            library,
            lesson: Arc::default(),
            study: Study::default(),
            adapters: Adapters::default(),
        }
    }

    /// The tier of the adapter that runs will use, as far as it is known.
    pub fn tier(&self) -> Tier {
        self.adapters.chosen(self.settings.adapter.as_deref()).map_or(Tier::Gpu, |adapter| adapter.tier)
    }
}

/// The content of one tab.
pub trait Panel {
    /// Takes what sessions said since the last frame. It is called in every frame, also while
    /// another tab shows, and never blocks.
    fn poll(&mut self, _ctx: &Context, _shared: &mut Shared) {}

    /// Draws the panel; only the visible one is drawn.
    fn ui(&mut self, ui: &mut Ui, shared: &mut Shared);

    /// Whether the panel divides the window itself. Otherwise it lies on a page that scrolls.
    fn fills_window(&self, _is_narrow: bool) -> bool {
        false
    }

    /// What a browser test may read of it, since a page has no accessibility tree.
    fn state(&self) -> serde_json::Value;

    /// A short text for the tab bar while something goes on here, such as `34 %`.
    fn badge(&self) -> Option<String> {
        None
    }
}
