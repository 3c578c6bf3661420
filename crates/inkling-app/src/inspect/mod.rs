//! The tab Inspect.

use crate::panel::{Panel, Shared};
use crate::widgets::panel_heading;

/// The tab Inspect.
#[derive(Default)]
pub(crate) struct InspectPanel {}

impl Panel for InspectPanel {
    fn ui(&mut self, ui: &mut egui::Ui, _shared: &mut Shared) {
        panel_heading(ui, "Inspect", "");
    }

    fn state(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
}
