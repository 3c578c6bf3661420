//! What every tab has in common.

use egui::{Context, Ui};
use inkling_platform::PickedFile;

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
}

impl Shared {
    /// Default settings and no wishes.
    pub fn new(services: Services) -> Self {
        Self { services, settings: Settings::default(), notice: None, go_to: None, dropped: Vec::new() }
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
