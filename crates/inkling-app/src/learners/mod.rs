//! The tab Learners.

use crate::panel::{Panel, Shared};
use crate::widgets::panel_heading;

/// The tab Learners.
#[derive(Default)]
pub(crate) struct LearnersPanel {}

impl Panel for LearnersPanel {
    fn ui(&mut self, ui: &mut egui::Ui, _shared: &mut Shared) {
        panel_heading(ui, "Learners", "");
    }

    fn state(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
}
