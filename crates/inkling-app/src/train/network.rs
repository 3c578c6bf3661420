//! The form's part about the network: which one, what is trained of it, and what it begins with.

use std::path::Path;

use egui::{ComboBox, DragValue, Ui};
use inkling_session::config::{BackboneKind, ModelConfig, NormKind, RunConfig, TrainedKind};
use inkling_session::teach::LearnerFile;

use crate::learners::Library;
use crate::widgets::field;

/// What the networks of published weights were trained on is seen at this size.
const PUBLISHED_PIXELS: u32 = 224;
/// ResNet-12 of few-shot learning takes the images of mini-ImageNet.
const RESNET12_PIXELS: u32 = 84;
/// Images of one pass of a large network, and of a subset: what a laptop has room for.
const LARGE_PASS: u32 = 8;

/// A learner that a run's network can begin with.
#[derive(Default)]
pub(super) struct Start(Option<LearnerFile>);

impl Start {
    /// The learner.
    pub(super) fn learner(&self) -> Option<&LearnerFile> {
        self.0.as_ref()
    }

    /// Takes the first fitting learner where the network cannot begin without one, and lets go of one
    /// that fits no longer.
    pub(super) fn follow(&mut self, model: &ModelConfig, library: &Library) {
        if self.0.as_ref().is_some_and(|learner| !fits(learner, model)) {
            self.0 = None;
        }
        if self.0.is_none() && model.needs_weights() && !is_there(model) {
            self.0 = library.learners().find(|learner| fits(learner, model)).cloned();
        }
    }

    /// What stands in the way of a beginning.
    pub(super) fn problem(&self, model: &ModelConfig) -> Option<String> {
        let lacks = self.0.is_none() && model.needs_weights() && !is_there(model);
        lacks.then(|| {
            let network = model.backbone.words();
            format!("{network} begins with trained weights: fetch or load them in the tab Learners, or train all of it")
        })
    }

    fn ui(&mut self, ui: &mut Ui, model: &ModelConfig, library: &Library) {
        let own = match &model.weights {
            Some(path) if is_there(model) => path.as_str(),
            _ => "random numbers",
        };
        let text = self.0.as_ref().map_or(own, LearnerFile::name).to_owned();
        field(ui, "Begins with", |ui| {
            let combo = ComboBox::from_id_salt("start").width(ui.available_width()).selected_text(text);
            combo
                .show_ui(ui, |ui| {
                    if ui.selectable_label(self.0.is_none(), own).clicked() {
                        self.0 = None;
                    }
                    for learner in library.learners().filter(|learner| fits(learner, model)) {
                        let is_it = self.0.as_ref().is_some_and(|chosen| chosen.bytes() == learner.bytes());
                        if ui.selectable_label(is_it, learner.name()).clicked() {
                            self.0 = Some(learner.clone());
                        }
                    }
                })
                .response
        });
    }
}

/// Whether a learner's network is this one.
fn fits(learner: &LearnerFile, model: &ModelConfig) -> bool {
    let of_learner = &learner.model_card().model;
    let is_conv4 = model.backbone == BackboneKind::Conv4;
    of_learner.backbone == model.backbone && (!is_conv4 || of_learner.channels == model.channels)
}

/// Whether the file that the configuration names is there.
fn is_there(model: &ModelConfig) -> bool {
    model.weights.as_ref().is_some_and(|path| Path::new(path).is_file())
}

/// Draws the fields.
pub(super) fn ui(ui: &mut Ui, config: &mut RunConfig, start: &mut Start, library: &Library) {
    let backbone = choice(ui, "Network", config.model.backbone, &BACKBONES, BackboneKind::words);
    if backbone != config.model.backbone {
        take_backbone(config, backbone);
    }
    let model = &mut config.model;
    let trained = model.trained();
    let chosen = choice(ui, "Trains", trained, &TRAINED, trained_words);
    if chosen != trained {
        model.trained = Some(chosen);
    }
    start.ui(ui, model, library);
    if model.backbone == BackboneKind::Conv4 {
        field(ui, "Channels", |ui| ui.add(DragValue::new(&mut model.channels).range(1..=512)));
    }
    if model.backbone.has_chosen_norm() {
        model.norm = choice(ui, "Norm", model.norm, &NORMS, norm_words);
        if model.norm == NormKind::Group {
            let most = if model.backbone == BackboneKind::Conv4 { model.channels.max(1) } else { 64 };
            field(ui, "Groups", |ui| ui.add(DragValue::new(&mut model.groups).range(1..=most)));
        }
    }
}

/// Another network, with what suits it.
fn take_backbone(config: &mut RunConfig, backbone: BackboneKind) {
    config.model = ModelConfig { backbone, ..ModelConfig::default() };
    config.data.image_size = match backbone {
        BackboneKind::Conv4 => None,
        BackboneKind::Resnet12 => Some(RESNET12_PIXELS),
        _ => Some(PUBLISHED_PIXELS),
    };
    if backbone != BackboneKind::Conv4 {
        config.gradient.chunk = LARGE_PASS;
        config.gradient.query_batch = LARGE_PASS;
        config.gradient.h = config.gradient.h.min(LARGE_PASS);
    }
}

const BACKBONES: [BackboneKind; 5] = [
    BackboneKind::Conv4,
    BackboneKind::EfficientnetLite0,
    BackboneKind::EfficientnetB0,
    BackboneKind::Resnet12,
    BackboneKind::Resnet18,
];
const TRAINED: [TrainedKind; 4] = [TrainedKind::All, TrainedKind::Norms, TrainedKind::Film, TrainedKind::Nothing];
const NORMS: [NormKind; 3] = [NormKind::Group, NormKind::Batch, NormKind::Frozen];

fn trained_words(trained: TrainedKind) -> &'static str {
    match trained {
        TrainedKind::All => "all of it",
        TrainedKind::Norms => "its norms",
        TrainedKind::Film => "what adapts its norms (FiLM)",
        TrainedKind::Nothing => "the head alone",
    }
}

fn norm_words(norm: NormKind) -> &'static str {
    match norm {
        NormKind::Group => "group",
        NormKind::Batch => "batch (transductive)",
        NormKind::Frozen => "frozen",
    }
}

/// A list to choose one of.
fn choice<T: Copy + PartialEq>(ui: &mut Ui, label: &str, chosen: T, all: &[T], words: fn(T) -> &'static str) -> T {
    let mut value = chosen;
    field(ui, label, |ui| {
        let combo = ComboBox::from_id_salt(label).width(ui.available_width()).selected_text(words(chosen));
        combo
            .show_ui(ui, |ui| {
                for &one in all {
                    ui.selectable_value(&mut value, one, words(one));
                }
            })
            .response
    });
    value
}
