//! The section `[learner]`: learners that adapt the whole network, in place of a head.

use serde::{Deserialize, Serialize};

use super::head::MOST_ITERATIONS;
use super::validate::Checks;
use super::{EstimatorKind, GradientConfig, Problem};

/// How the gradient comes back from the adapted parameters to their start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LearnerKind {
    /// Exactly, through every inner step (Finn 2017).
    #[default]
    Maml,
    /// As if the adapted parameters moved with their start (Finn 2017).
    Fomaml,
    /// Without queries: the way from the adapted parameters back to their start (Nichol 2018).
    Reptile,
    /// Through the optimality of the adapted parameters (Rajeswaran 2019).
    Imaml,
    /// Not at all: weights that were trained otherwise are fine-tuned to each task. It is evaluated,
    /// and cannot be trained.
    #[serde(rename = "finetuner")]
    FineTuner,
}

/// What a fine-tuned learner adapts beside its classifier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TunedKind {
    /// Nothing.
    #[default]
    Head,
    /// The scales and shifts of the norms that FiLM modulates.
    Film,
    /// Those of all norms.
    Norms,
    /// The whole network, but for the statistics of its norms.
    All,
}

/// The update rule of a fine-tuned learner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TunedBy {
    /// Adam (Kingma & Ba 2015).
    #[default]
    Adam,
    /// Gradient descent without momentum.
    Sgd,
}

impl TunedKind {
    /// The name as the configuration writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Film => "film",
            Self::Norms => "norms",
            Self::All => "all",
        }
    }
}

impl LearnerKind {
    /// The name as the configuration writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Maml => "maml",
            Self::Fomaml => "fomaml",
            Self::Reptile => "reptile",
            Self::Imaml => "imaml",
            Self::FineTuner => "finetuner",
        }
    }
}

/// Where the rates of the inner steps come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RatesKind {
    /// One rate, as configured.
    #[default]
    Fixed,
    /// A learned rate for each weight and bias tensor (Antoniou 2019).
    PerLayer,
    /// A learned rate for each parameter (Meta-SGD, Li 2017).
    PerParameter,
}

/// The section `[learner]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LearnerConfig {
    /// The learner.
    pub kind: LearnerKind,
    /// K, gradient steps on the support.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inner_steps: Option<u32>,
    /// The learning rate of these steps, and the first value of learned ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inner_lr: Option<f32>,
    /// Whether that rate is learned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rates: Option<RatesKind>,
    /// `maml`: training steps that are first-order before the exact ones begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_order_steps: Option<u64>,
    /// `finetuner`: what is adapted beside the classifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trains: Option<TunedKind>,
    /// `finetuner`: the update rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<TunedBy>,
    /// `finetuner`: support images of one step; zero takes all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<u32>,
    /// `imaml`: λ of the proximal term (λ/2)‖w − θ‖².
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prox: Option<f32>,
    /// `imaml`: iterations of conjugate gradient at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cg_steps: Option<u32>,
    /// `imaml`: the relative residual at which conjugate gradient stops; zero does all iterations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cg_tolerance: Option<f32>,
    /// `imaml`: added to the Hessian's diagonal in the solve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damping: Option<f32>,
}

impl LearnerConfig {
    /// Every key set: what the search for known keys needs.
    pub(super) fn complete() -> Self {
        Self {
            kind: LearnerKind::Maml,
            inner_steps: Some(5),
            inner_lr: Some(0.1),
            rates: Some(RatesKind::Fixed),
            first_order_steps: Some(0),
            trains: Some(TunedKind::Head),
            optimizer: Some(TunedBy::Adam),
            batch: Some(0),
            prox: Some(2.0),
            cg_steps: Some(5),
            cg_tolerance: Some(1e-4),
            damping: Some(0.0),
        }
    }

    /// K; 5 unless configured, and 50 of a fine-tuned learner (Massiceti et al. 2021).
    pub fn inner_steps(&self) -> u32 {
        self.inner_steps.unwrap_or(if self.kind == LearnerKind::FineTuner { 50 } else { 5 })
    }

    /// The learning rate of the inner steps; 0.1 unless configured, and 0.001 of Adam.
    pub fn inner_lr(&self) -> f32 {
        let by_adam = self.kind == LearnerKind::FineTuner && self.optimizer() == TunedBy::Adam;
        self.inner_lr.unwrap_or(if by_adam { 1e-3 } else { 0.1 })
    }

    /// What a fine-tuned learner adapts beside its classifier; none for other learners.
    pub fn trains(&self) -> Option<TunedKind> {
        (self.kind == LearnerKind::FineTuner).then(|| self.trains.unwrap_or_default())
    }

    /// The update rule of a fine-tuned learner; Adam unless configured.
    pub fn optimizer(&self) -> TunedBy {
        self.optimizer.unwrap_or_default()
    }

    /// Support images of one step of a fine-tuned learner; all of them unless configured.
    pub fn batch(&self) -> u32 {
        self.batch.unwrap_or(0)
    }

    /// λ of the proximal term; 2 unless configured.
    pub fn prox(&self) -> f32 {
        self.prox.unwrap_or(2.0)
    }

    /// Iterations of conjugate gradient; 5 unless configured.
    pub fn cg_steps(&self) -> u32 {
        self.cg_steps.unwrap_or(5)
    }

    /// The relative residual at which the solve stops; 1e-4 unless configured.
    pub fn cg_tolerance(&self) -> f32 {
        self.cg_tolerance.unwrap_or(1e-4)
    }

    pub(super) fn check(&self, checks: &mut Checks) {
        let most = MOST_ITERATIONS.into();
        for (key, count) in [("learner.inner_steps", self.inner_steps), ("learner.cg_steps", self.cg_steps)] {
            if let Some(count) = count {
                checks.count(key, count.into(), 1, most);
            }
        }
        for (key, value) in [("learner.inner_lr", self.inner_lr), ("learner.prox", self.prox)] {
            if let Some(value) = value {
                checks.positive(key, value.into());
            }
        }
        for (key, value) in [("learner.cg_tolerance", self.cg_tolerance), ("learner.damping", self.damping)] {
            if let Some(value) = value {
                checks.not_negative(key, value.into());
            }
        }
    }
}

/// Learners that adapt the whole network take the whole support.
pub(super) fn estimator_problem(learner: &LearnerConfig, gradient: &GradientConfig) -> Option<Problem> {
    // What cannot be trained has no estimator.
    if matches!(gradient.estimator, EstimatorKind::Full | EstimatorKind::Chunked) || learner.trains().is_some() {
        return None;
    }
    let (name, kind) = (gradient.estimator.name(), learner.kind.name());
    let message = format!(
        "gradient.estimator is \"{name}\", which learner.kind = \"{kind}\" cannot use: its inner steps follow the \
         gradient of the whole support, and with a part of it they end at other parameters; \
         use gradient.estimator = \"chunked\" or \"full\""
    );
    Some(Problem::new("gradient.estimator", message))
}
