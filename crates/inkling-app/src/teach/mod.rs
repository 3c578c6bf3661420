//! The tab Teach.

use crate::panel::{Panel, Shared};
use crate::widgets::panel_heading;

/// The tab Teach.
#[derive(Default)]
pub(crate) struct TeachPanel {}

impl Panel for TeachPanel {
    fn ui(&mut self, ui: &mut egui::Ui, _shared: &mut Shared) {
        panel_heading(ui, "Teach", "");
    }

    fn state(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
}
