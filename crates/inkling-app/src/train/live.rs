//! What can be changed while a run goes on.

use egui::{DragValue, Ui};
use inkling_session::config::{EstimatorKind, RunConfig};
use inkling_session::session::LiveSetting;

use crate::widgets::field;

/// The values as the form shows them; they count once they are applied.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LiveForm {
    learning_rate: f64,
    h: Option<u32>,
    most_h: u32,
    validate_every: u64,
    applied: Applied,
}

#[derive(Clone, Debug, PartialEq)]
struct Applied {
    learning_rate: f64,
    h: Option<u32>,
    validate_every: u64,
}

impl LiveForm {
    /// The values that a run begins with.
    pub(crate) fn of(config: &RunConfig) -> Self {
        let samples = matches!(config.gradient.estimator, EstimatorKind::Lite | EstimatorKind::Subsampled);
        let h = samples.then_some(config.gradient.h);
        let (learning_rate, validate_every) = (config.training.learning_rate, config.training.validate_every);
        let most_h = u32::try_from(config.task.max_support_images()).unwrap_or(u32::MAX).max(1);
        Self { learning_rate, h, most_h, validate_every, applied: Applied { learning_rate, h, validate_every } }
    }

    /// Draws the form. Returns the settings to send.
    pub(crate) fn ui(&mut self, ui: &mut Ui) -> Vec<LiveSetting> {
        field(ui, "Learning rate", |ui| {
            ui.add(DragValue::new(&mut self.learning_rate).range(1e-7..=10.0).speed(1e-4).max_decimals(6))
        });
        if let Some(h) = &mut self.h {
            let most = self.most_h;
            field(ui, "H", |ui| ui.add(DragValue::new(h).range(1..=most)));
        }
        field(ui, "Validate every", |ui| {
            ui.add(DragValue::new(&mut self.validate_every).range(0..=1_000_000).suffix(" steps"))
        });
        let changes = self.changes();
        let clicked = ui.add_enabled(!changes.is_empty(), egui::Button::new("Apply from the next step on")).clicked();
        if !clicked {
            return Vec::new();
        }
        self.applied = Applied { learning_rate: self.learning_rate, h: self.h, validate_every: self.validate_every };
        changes
    }

    fn changes(&self) -> Vec<LiveSetting> {
        let rate =
            (self.learning_rate != self.applied.learning_rate).then_some(LiveSetting::LearningRate(self.learning_rate));
        let h = self.h.filter(|_| self.h != self.applied.h).map(LiveSetting::H);
        let validate = (self.validate_every != self.applied.validate_every)
            .then_some(LiveSetting::ValidateEvery(self.validate_every));
        [rate, h, validate].into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_changed_is_sent() {
        let mut form = LiveForm::of(&RunConfig::default());
        assert_eq!(form.changes(), []);
        form.h = Some(3);
        form.learning_rate = 0.5;
        assert_eq!(form.changes(), [LiveSetting::LearningRate(0.5), LiveSetting::H(3)]);
        let mut config = RunConfig::default();
        config.gradient.estimator = EstimatorKind::Chunked;
        assert_eq!(LiveForm::of(&config).h, None, "H means nothing to an exact estimator");
    }
}
