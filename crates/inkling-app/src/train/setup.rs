//! The form that describes a run: preset, data, network, method, training.

use std::sync::Arc;

use egui::{ComboBox, DragValue, Ui};
use inkling_session::config::{EstimatorKind, HeadKind, Layers, LearnerConfig, LearnerKind, RunConfig};
use inkling_session::presets::PRESETS;
use inkling_session::session::{OpenOptions, Tier};
use inkling_session::teach::LearnerFile;
use inkling_session::tensor_file::TensorFile;
use inkling_session::units::ByteSize;

use super::data::DataChoice;
use super::network::{self, Start};
use super::plan::PlanCache;
use crate::learners::Library;
use crate::notice::Notice;
use crate::theme::space;
use crate::widgets::{capitalized, card, field, slider};

/// The name of the configuration that belongs to no preset.
const OWN: &str = "own configuration";

/// What a run adapts with: a head, or the whole network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// A head on frozen embeddings of the task.
    Head(HeadKind),
    /// All parameters.
    Learner(LearnerKind),
}

impl Method {
    pub(crate) const ALL: [Self; 11] = [
        Self::Head(HeadKind::Prototypes),
        Self::Head(HeadKind::Implicit),
        Self::Head(HeadKind::Unrolled),
        Self::Head(HeadKind::Neumann),
        Self::Head(HeadKind::Ridge),
        Self::Head(HeadKind::Mahalanobis),
        Self::Head(HeadKind::Versa),
        Self::Learner(LearnerKind::Maml),
        Self::Learner(LearnerKind::Fomaml),
        Self::Learner(LearnerKind::Reptile),
        Self::Learner(LearnerKind::Imaml),
    ];

    fn of(config: &RunConfig) -> Self {
        config.learner.as_ref().map_or(Self::Head(config.head.kind), |learner| Self::Learner(learner.kind))
    }

    /// What people call it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Head(HeadKind::Prototypes) => "Prototypes",
            Self::Head(HeadKind::Implicit) => "Implicit gradients",
            Self::Head(HeadKind::Unrolled) => "Unrolled steps (ANIL, ITD)",
            Self::Head(HeadKind::Neumann) => "Neumann series (stocBiO)",
            Self::Head(HeadKind::Ridge) => "Ridge regression (R2D2)",
            Self::Head(HeadKind::Mahalanobis) => "Class covariances (Simple CNAPs)",
            Self::Head(HeadKind::Versa) => "Written classifier (VERSA, CNAPs)",
            Self::Learner(LearnerKind::Maml) => "MAML",
            Self::Learner(LearnerKind::Fomaml) => "First-order MAML",
            Self::Learner(LearnerKind::Reptile) => "Reptile",
            Self::Learner(LearnerKind::Imaml) => "iMAML",
            Self::Learner(LearnerKind::FineTuner) => "Fine-tuning (no training)",
        }
    }

    fn put(self, config: &mut RunConfig) {
        match self {
            Self::Head(kind) => {
                config.head.kind = kind;
                config.learner = None;
            }
            Self::Learner(kind) => {
                config.learner.get_or_insert_with(LearnerConfig::default).kind = kind;
                // These follow the gradient of the whole support.
                if !matches!(config.gradient.estimator, EstimatorKind::Full | EstimatorKind::Chunked) {
                    config.gradient.estimator = EstimatorKind::Chunked;
                }
            }
        }
    }

    /// Whether it has inner steps.
    fn has_inner_steps(self) -> bool {
        !matches!(self, Self::Head(HeadKind::Prototypes | HeadKind::Ridge | HeadKind::Mahalanobis | HeadKind::Versa))
    }

    fn inner_steps(self, config: &mut RunConfig) -> &mut Option<u32> {
        match config.learner.as_mut() {
            Some(learner) => &mut learner.inner_steps,
            None => &mut config.head.inner_steps,
        }
    }
}

/// The form.
pub(crate) struct Setup {
    /// The preset that the form began with; none for a configuration from elsewhere.
    preset: Option<&'static str>,
    /// What the form says; its data specification follows `data`.
    config: RunConfig,
    pub(crate) data: DataChoice,
    pub(crate) plans: PlanCache,
    start: Start,
    /// A preset that cannot be read, which is a fault of the program.
    fault: Option<Notice>,
}

impl Default for Setup {
    fn default() -> Self {
        let mut setup = Self {
            preset: None,
            config: RunConfig::default(),
            data: DataChoice::default(),
            plans: PlanCache::default(),
            start: Start::default(),
            fault: None,
        };
        if let Some(first) = PRESETS.first() {
            setup.take_preset(first.name);
        }
        setup
    }
}

impl Setup {
    /// Begins anew with a preset; the chosen data set stays.
    pub(crate) fn take_preset(&mut self, name: &'static str) {
        let mut layers = Layers::new();
        match layers.preset(name).and_then(|()| layers.run_config()) {
            Ok(config) => {
                self.config = config;
                self.preset = Some(name);
            }
            Err(error) => self.fault = Some(Notice::from_message(&error.to_string())),
        }
    }

    /// Shows a configuration from elsewhere.
    pub(crate) fn take_config(&mut self, config: RunConfig) {
        self.preset = None;
        self.data.choose(inkling_session::datasets::DataSource::Spec(config.data.spec.clone()));
        self.config = config;
    }

    /// The configuration that the form describes.
    pub(crate) fn config(&self, budget_bytes: Option<u64>) -> RunConfig {
        let mut config = self.config.clone();
        config.data.spec = self.data.spec();
        if let Some(learner) = self.start.learner() {
            config.model.weights = Some(learner.name().to_owned());
        }
        config.memory.budget = budget_bytes.map(ByteSize);
        config
    }

    /// The weights that a run begins with, where they come from a learner at hand.
    pub(crate) fn weights(&self) -> Option<Arc<TensorFile>> {
        self.start.learner().map(LearnerFile::shared_weights)
    }

    /// How the data set is opened.
    pub(crate) fn open_options(&self) -> OpenOptions {
        self.config.open_options()
    }

    /// A name for the run's folder or archive.
    pub(crate) fn run_name(&self) -> String {
        self.preset.map_or_else(|| format!("{}-run", self.data.name()), str::to_owned)
    }

    /// What stands in the way of a start, as one sentence.
    pub(crate) fn problem(&self, budget_bytes: Option<u64>) -> Option<String> {
        if self.data.is_busy() {
            return Some("The data set is being opened".to_owned());
        }
        let Some(card) = self.data.card() else {
            return Some("Choose a data set that can be opened".to_owned());
        };
        let config = self.config(budget_bytes);
        if let Some(problem) = self.start.problem(&self.config.model) {
            return Some(problem);
        }
        if let Some(problem) = config.problems().first() {
            return Some(problem.message.clone());
        }
        let ways = config.task.most_ways();
        if card.classes.first().is_some_and(|classes| *classes < ways) {
            return Some(format!("{} has fewer than {ways} classes to train on; lower the ways", self.data.name()));
        }
        let planned = self.plans.total(config.gradient.estimator);
        match (planned, budget_bytes) {
            (Some(planned), Some(budget)) if planned > budget => {
                Some("The plan is above the budget; lower H or the images per pass".to_owned())
            }
            _ => None,
        }
    }

    /// Opens data and computes plans where the form has changed.
    pub(crate) fn poll(&mut self, budget_bytes: Option<u64>, tier: Tier, library: &Library) {
        self.start.follow(&self.config.model, library);
        self.data.poll(self.open_options());
        if let Some(card) = self.data.card() {
            self.plans.update(&self.config(budget_bytes), card.shape(), tier);
        }
    }

    /// Draws the form.
    pub(crate) fn ui(&mut self, ui: &mut Ui, library: &Library, budget_bytes: Option<u64>, has_file_system: bool) {
        Notice::show_slot(&mut self.fault, ui);
        card(ui, "Data and preset", |ui| {
            self.data.ui(ui, has_file_system);
            ui.add_space(space::S);
            self.preset_ui(ui);
        });
        ui.add_space(space::M);
        card(ui, "Memory plan", |ui| self.memory_ui(ui, budget_bytes));
        ui.add_space(space::M);
        card(ui, "Network", |ui| network::ui(ui, &mut self.config, &mut self.start, library));
        ui.add_space(space::M);
        card(ui, "Method", |ui| self.method_ui(ui));
        ui.add_space(space::M);
        card(ui, "Training", |ui| self.training_ui(ui));
    }

    fn preset_ui(&mut self, ui: &mut Ui) {
        let mut chosen = self.preset;
        field(ui, "Preset", |ui| {
            let combo =
                ComboBox::from_id_salt("preset").width(ui.available_width()).selected_text(chosen.unwrap_or(OWN));
            let response = combo.show_ui(ui, |ui| {
                for preset in &PRESETS {
                    ui.selectable_value(&mut chosen, Some(preset.name), preset.name).on_hover_text(preset.purpose);
                }
            });
            response.response
        });
        if let Some(name) = chosen.filter(|_| chosen != self.preset) {
            self.take_preset(name);
        }
        if let Some(preset) = PRESETS.iter().find(|preset| Some(preset.name) == self.preset) {
            ui.add(egui::Label::new(egui::RichText::new(capitalized(preset.purpose)).small().weak()).wrap());
        }
    }

    fn memory_ui(&mut self, ui: &mut Ui, budget_bytes: Option<u64>) {
        if self.data.card().is_none() {
            ui.weak("Waiting for the data set.");
            return;
        }
        if let Some(estimator) = self.plans.ui(ui, self.config.gradient.estimator, budget_bytes) {
            self.choose_estimator(estimator);
        }
        ui.add_space(space::XS);
        let support = u32::try_from(self.config.task.max_support_images()).unwrap_or(u32::MAX).max(1);
        let gradient = &mut self.config.gradient;
        match gradient.estimator {
            EstimatorKind::Lite | EstimatorKind::Subsampled => {
                gradient.h = gradient.h.clamp(1, support);
                size_slider(ui, (&format!("H of {support}"), H_HINT), &mut gradient.h, support);
                size_slider(ui, ("Images per pass", CHUNK_HINT), &mut gradient.chunk, support);
            }
            EstimatorKind::Chunked => size_slider(ui, ("Images per pass", CHUNK_HINT), &mut gradient.chunk, support),
            EstimatorKind::Full => {
                ui.add(
                    egui::Label::new(egui::RichText::new("full keeps everything: there is nothing to trade.").weak())
                        .wrap(),
                );
            }
        }
    }

    fn choose_estimator(&mut self, estimator: EstimatorKind) {
        self.config.gradient.estimator = estimator;
    }

    fn method_ui(&mut self, ui: &mut Ui) {
        let method = Method::of(&self.config);
        let mut chosen = method;
        field(ui, "Adapts by", |ui| {
            let combo = ComboBox::from_id_salt("method").width(ui.available_width()).selected_text(method.title());
            combo
                .show_ui(ui, |ui| {
                    for one in Method::ALL {
                        ui.selectable_value(&mut chosen, one, one.title());
                    }
                })
                .response
        });
        if chosen != method {
            chosen.put(&mut self.config);
        }
        let mut estimator = self.config.gradient.estimator;
        let is_learner = self.config.learner.is_some();
        field(ui, "Estimator", |ui| {
            let combo = ComboBox::from_id_salt("estimator").width(ui.available_width()).selected_text(estimator.name());
            combo
                .show_ui(ui, |ui| {
                    use EstimatorKind::{Chunked, Full, Lite, Subsampled};
                    for kind in [Full, Chunked, Lite, Subsampled] {
                        let is_possible = !is_learner || matches!(kind, Full | Chunked);
                        ui.add_enabled_ui(is_possible, |ui| {
                            ui.selectable_value(&mut estimator, kind, kind.name()).on_hover_text(estimator_hint(kind));
                        });
                    }
                })
                .response
        });
        self.choose_estimator(estimator);
        if chosen.has_inner_steps() {
            let steps = chosen.inner_steps(&mut self.config);
            let mut value = steps.unwrap_or(if is_learner { 5 } else { 20 });
            field(ui, "Inner steps K", |ui| ui.add(DragValue::new(&mut value).range(1..=1000)));
            *steps = Some(value);
        }
    }

    fn training_ui(&mut self, ui: &mut Ui) {
        let task = &mut self.config.task;
        field(ui, "Ways", |ui| ui.add(DragValue::new(&mut task.ways).range(2..=200)));
        field(ui, "Shots", |ui| ui.add(DragValue::new(&mut task.shots).range(1..=200)));
        field(ui, "Queries per class", |ui| ui.add(DragValue::new(&mut task.queries).range(1..=200)));
        let training = &mut self.config.training;
        field(ui, "Steps", |ui| ui.add(DragValue::new(&mut training.steps).range(1..=10_000_000).speed(10.0)));
        field(ui, "Tasks per step", |ui| ui.add(DragValue::new(&mut training.tasks_per_step).range(1..=256)));
        field(ui, "Learning rate", |ui| {
            ui.add(DragValue::new(&mut training.learning_rate).range(1e-7..=10.0).speed(1e-4).max_decimals(6))
        });
        field(ui, "Validate every", |ui| {
            ui.add(DragValue::new(&mut training.validate_every).range(0..=1_000_000).suffix(" steps"))
        });
        field(ui, "Seed", |ui| ui.add(DragValue::new(&mut training.seed)));
        let mut pixels = self.config.data.image_size.or(self.data.card().map(|card| card.image_size)).unwrap_or(28);
        let before = pixels;
        // A data set is opened anew for another size: not at every step of a drag.
        field(ui, "Image size", |ui| {
            ui.add(DragValue::new(&mut pixels).range(8..=448).suffix(" px").update_while_editing(false))
        });
        if pixels != before {
            self.config.data.image_size = Some(pixels);
        }
    }
}

const H_HINT: &str =
    "Support images that are back-propagated; the gradient stays unbiased, and varies more with fewer.";
const CHUNK_HINT: &str =
    "Images of one pass of the support: fewer take less memory and more passes, the result is the same.";

fn estimator_hint(kind: EstimatorKind) -> &'static str {
    match kind {
        EstimatorKind::Full => "Exact; keeps the activations of all support images.",
        EstimatorKind::Chunked => "Exact; passes the support again in chunks.",
        EstimatorKind::Lite => "Unbiased; back-propagates H of the support images.",
        EstimatorKind::Subsampled => "Biased; a smaller task of H support images.",
    }
}

/// A slider of a size of the gradient, kept within the support.
fn size_slider(ui: &mut Ui, label: (&str, &str), value: &mut u32, most: u32) {
    *value = (*value).clamp(1, most);
    slider(ui, label, value, 1..=most);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_fills_the_form() {
        let mut setup = Setup::default();
        for preset in &PRESETS {
            setup.take_preset(preset.name);
            assert!(setup.fault.is_none(), "{}", preset.name);
            assert_eq!(setup.config(None).data.spec, "glyphs", "the chosen data set stays");
            assert_eq!(setup.config(None).problems(), [], "{}", preset.name);
        }
    }

    const SHIPPED: &[u8] = include_bytes!("../../../inkling-session/learners/scenes.safetensors");

    #[test]
    fn a_network_that_needs_weights_begins_with_a_learner_at_hand() {
        let mut setup = Setup::default();
        setup.config.model.trained = Some(inkling_session::config::TrainedKind::Norms);
        setup.poll(None, Tier::Gpu, &Library::default());
        let problem = setup.start.problem(&setup.config.model).unwrap();
        assert!(problem.contains("Conv-4 begins with trained weights"), "{problem}");
        let mut library = Library::default();
        let learner = LearnerFile::from_bytes("scenes", SHIPPED).unwrap();
        setup.config.model.channels = learner.model_card().model.channels;
        library.add(learner, crate::learners::Origin::Loaded);
        setup.poll(None, Tier::Gpu, &library);
        assert_eq!(setup.start.problem(&setup.config.model), None);
        assert_eq!(setup.config(None).model.weights.as_deref(), Some("scenes"));
        assert!(setup.weights().is_some());
        // Another network has no use for them.
        setup.config.model.channels += 1;
        setup.poll(None, Tier::Gpu, &library);
        assert!(setup.weights().is_none());
    }

    #[test]
    fn learners_of_the_whole_network_leave_sampled_estimators() {
        let mut config = RunConfig::default();
        assert_eq!(config.gradient.estimator, EstimatorKind::Lite);
        for method in Method::ALL {
            method.put(&mut config);
            assert_eq!(Method::of(&config), method);
            let estimator_problems = config.problems().into_iter().filter(|p| p.key == "gradient.estimator");
            assert_eq!(estimator_problems.count(), 0, "{method:?}");
        }
    }

    #[test]
    fn a_budget_below_the_plan_stands_in_the_way() {
        let mut setup = Setup::default();
        for _ in 0..2_000 {
            setup.poll(None, Tier::Gpu, &Library::default());
            if setup.problem(None).is_none() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert_eq!(setup.problem(None), None);
        let planned = setup.plans.total(EstimatorKind::Lite).unwrap();
        assert_eq!(setup.problem(Some(planned)), None);
        assert!(setup.problem(Some(planned - 1)).unwrap().contains("budget"));
    }
}
