//! The tab Meta-train.

use crate::panel::{Panel, Shared};
use crate::widgets::panel_heading;

/// The tab Meta-train.
#[derive(Default)]
pub(crate) struct TrainPanel {}

impl Panel for TrainPanel {
    fn ui(&mut self, ui: &mut egui::Ui, _shared: &mut Shared) {
        panel_heading(ui, "Meta-train", "");
    }

    fn state(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
}
