//! The tab Inspect: where a learner puts the images of an episode, how its solves converge, and the
//! reports that measure methods.

mod embedding;
mod pca;
pub(crate) mod port;
mod reports;
mod residuals;
#[cfg(test)]
mod tests;

use egui::{Context, Ui};
use serde_json::json;

use crate::panel::{Panel, Shared};
use crate::theme::space;
use crate::widgets::{card, is_narrow, panel_heading};
use embedding::EmbeddingView;
use reports::{Asked, ReportsView};

/// The tab Inspect.
pub(crate) struct InspectPanel {
    embedding: EmbeddingView,
    reports: ReportsView,
}

impl Default for InspectPanel {
    fn default() -> Self {
        Self { embedding: EmbeddingView::default(), reports: ReportsView::new(port::real_starter()) }
    }
}

#[cfg(test)]
impl InspectPanel {
    pub(crate) fn set_starter(&mut self, starter: port::Starter) {
        self.reports = ReportsView::new(starter);
    }
}

impl Panel for InspectPanel {
    fn poll(&mut self, ctx: &Context, _shared: &mut Shared) {
        self.reports.poll(ctx);
    }

    fn ui(&mut self, ui: &mut Ui, shared: &mut Shared) {
        panel_heading(ui, "Inspect", "Where a learner puts images, how it solves tasks, and what methods cost.");
        let study = &shared.study;
        if is_narrow(ui) {
            card(ui, "Embedding of an episode", |ui| self.embedding.ui(ui, study.snapshot.as_ref(), 360.0));
            ui.add_space(space::M);
            card(ui, "Conjugate gradient", |ui| residuals::show(ui, &study.solves, 250.0));
        } else {
            ui.columns(2, |columns| {
                let [left, right] = columns else { return };
                card(left, "Embedding of an episode", |ui| self.embedding.ui(ui, study.snapshot.as_ref(), 370.0));
                card(right, "Conjugate gradient", |ui| residuals::show(ui, &study.solves, 370.0));
            });
        }
        ui.add_space(space::M);
        let asked = Asked { study, adapter: shared.settings.adapter.clone() };
        card(ui, "Reports", |ui| self.reports.ui(ui, &asked));
    }

    fn state(&self) -> serde_json::Value {
        json!({ "embedded": self.embedding.points(), "report": self.reports.state() })
    }
}
