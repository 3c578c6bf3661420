//! The case file of `inkling grad`: one task's network, head and estimator, written by hand next
//! to tensors that another implementation computed with. Strict, and without the defaults that a
//! comparison should not depend on.

use serde::{Deserialize, Serialize};

use super::validate::Checks;
use super::{
    BackboneKind, EstimatorKind, FilmConfig, GradientConfig, HeadConfig, LearnerConfig, ModelConfig, NormKind, Problem,
    SubsetKind, TrainedKind, head,
};

/// A whole case: a head with an estimator, or a learner that adapts the whole network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseConfig {
    /// The network and the shape of its images.
    pub model: CaseModel,
    /// The head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<HeadConfig>,
    /// The estimator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gradient: Option<CaseGradient>,
    /// What replaces head and estimator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learner: Option<LearnerConfig>,
}

/// What a case solves its task with.
#[derive(Clone, Copy, Debug)]
pub enum CaseMethod<'c> {
    /// A head on embeddings, and an estimator.
    Head(&'c HeadConfig, &'c CaseGradient),
    /// The whole network adapts.
    Learner(&'c LearnerConfig),
}

/// The section `[model]` of a case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseModel {
    /// The network.
    pub backbone: BackboneKind,
    /// Channels of each block; required with Conv-4 and ignored elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<u32>,
    /// What is trained of the backbone, as in a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trained: Option<TrainedKind>,
    /// What the norms adapt by; required with `trained = "film"` and ignored elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub film: Option<FilmConfig>,
    /// How many of its last stages are trained; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stages: Option<u32>,
    /// The norm after each convolution.
    pub norm: NormKind,
    /// Groups of group norm; required there and ignored elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<u32>,
    /// Height and width of the images in pixels.
    pub image_size: u32,
    /// Channels of the images.
    pub in_channels: u32,
}

/// The section `[gradient]` of a case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseGradient {
    /// The estimator.
    pub estimator: EstimatorKind,
    /// Support images to back-propagate, drawn with `seed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub h: Option<u32>,
    /// Images per pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk: Option<u32>,
    /// Seeds the draw of the subset.
    #[serde(default)]
    pub seed: u64,
    /// When the subset is drawn.
    #[serde(default)]
    pub subset: SubsetKind,
    /// These support indices instead of a draw; their number is H.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub support_subset: Option<Vec<u32>>,
    /// These support indices in place of the draw for FiLM's set encoder; as many as H.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoder_subset: Option<Vec<u32>>,
    /// Query images per pass; all at once when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_batch: Option<u32>,
}

impl CaseModel {
    /// The network as a run configures it.
    pub fn model(&self) -> ModelConfig {
        ModelConfig {
            backbone: self.backbone,
            channels: self.channels.unwrap_or(1),
            norm: self.norm,
            groups: self.groups.unwrap_or(1),
            trained: self.trained,
            film: self.film.unwrap_or_default(),
            drop_rate: None,
            stages: self.stages,
            weights: None,
        }
    }
}

impl CaseConfig {
    pub(super) fn complete() -> Self {
        Self {
            model: CaseModel {
                backbone: BackboneKind::Conv4,
                channels: Some(8),
                trained: Some(TrainedKind::Nothing),
                film: Some(FilmConfig::default()),
                stages: Some(2),
                norm: NormKind::Group,
                groups: Some(4),
                image_size: 28,
                in_channels: 1,
            },
            head: Some(HeadConfig::complete()),
            learner: Some(LearnerConfig::complete()),
            gradient: Some(CaseGradient {
                estimator: EstimatorKind::Lite,
                h: Some(4),
                chunk: Some(4),
                seed: 0,
                subset: SubsetKind::Task,
                support_subset: Some(vec![0]),
                encoder_subset: Some(vec![0]),
                query_batch: Some(4),
            }),
        }
    }

    /// What the case is about; none where sections are missing, which [`CaseConfig::problems`] reports.
    pub fn method(&self) -> Option<CaseMethod<'_>> {
        match (&self.learner, &self.head, &self.gradient) {
            (Some(learner), _, _) => Some(CaseMethod::Learner(learner)),
            (None, Some(head), Some(gradient)) => Some(CaseMethod::Head(head, gradient)),
            _ => None,
        }
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut checks = Checks::default();
        checks.model(&self.model.model());
        let is_conv4 = self.model.backbone == BackboneKind::Conv4;
        if is_conv4 && self.model.channels.is_none() {
            checks.fail(
                "model.channels",
                "is missing; model.backbone = \"conv4\" needs it, for example model.channels = 64",
            );
        }
        let has_groups = self.model.backbone.has_chosen_norm() && self.model.norm == NormKind::Group;
        if has_groups && self.model.groups.is_none() {
            checks.fail("model.groups", "is missing; model.norm = \"group\" needs it, for example model.groups = 4");
        }
        if self.model.trained == Some(TrainedKind::Film) && self.model.film.is_none() {
            checks.fail(
                "model.film",
                "is missing; model.trained = \"film\" needs it, for example model.film = { channels = 8, blocks = 2, groups = 2 }",
            );
        }
        checks.image_size("model.image_size", self.model.image_size);
        checks.count("model.in_channels", self.model.in_channels.into(), 1, 64);
        match (&self.learner, &self.head, &self.gradient) {
            (Some(learner), None, None) => learner.check(&mut checks),
            (Some(_), _, _) => checks.fail("learner", "replaces [head] and [gradient]; leave those sections out"),
            (None, Some(head), Some(gradient)) => {
                head::check(&mut checks, head);
                if head.starts_warm() {
                    checks.fail("head", "starts \"warm\", but a case is one task without a past; leave that key out");
                }
                checks.batch_norm_estimator(self.model.norm, gradient.estimator);
                gradient.problems(&mut checks);
            }
            (None, None, _) => checks.fail("head", "is missing; a case needs [head] and [gradient], or [learner]"),
            (None, _, None) => checks.fail("gradient", "is missing; a case needs [head] and [gradient], or [learner]"),
        }
        checks.into_problems()
    }
}

impl CaseGradient {
    /// H as given: the length of `support_subset`, else `h`.
    pub fn h(&self) -> Option<u32> {
        match &self.support_subset {
            Some(subset) => Some(u32::try_from(subset.len()).unwrap_or(u32::MAX)),
            None => self.h,
        }
    }

    fn problems(&self, checks: &mut Checks) {
        let gradient = self;
        let draws = matches!(gradient.estimator, EstimatorKind::Lite | EstimatorKind::Subsampled);
        match (&gradient.support_subset, gradient.h) {
            (Some(_), _) if !draws => checks.fail(
                "gradient.support_subset",
                "has no meaning for this estimator; use gradient.estimator = \"lite\" or \"subsampled\", or leave it out",
            ),
            (None, None) if draws => checks.fail(
                "gradient.h",
                "is missing; give gradient.h, or gradient.support_subset with the indices themselves",
            ),
            _ => {}
        }
        if let Some(subset) = &gradient.support_subset {
            let mut sorted = subset.clone();
            sorted.sort_unstable();
            if let Some(pair) = sorted.windows(2).find(|pair| pair.first() == pair.last()) {
                checks.fail(
                    "gradient.support_subset",
                    format!(
                        "holds the index {:?} twice; a subset is drawn without replacement",
                        pair.first().copied().unwrap_or_default()
                    ),
                );
            }
        }
        // The ways and the number of support images are in the episode's file, not known here.
        checks.gradient(
            &GradientConfig {
                estimator: gradient.estimator,
                h: self.h().unwrap_or(1),
                chunk: gradient.chunk.unwrap_or(1),
                subset: gradient.subset,
                query_batch: gradient.query_batch.unwrap_or(0),
            },
            None,
            None,
        );
    }
}
