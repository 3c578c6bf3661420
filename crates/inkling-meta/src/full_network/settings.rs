//! What a full-network learner is told, and which of it cannot be.

use super::fine_tune::FineTune;
use crate::{Estimator, GradientSettings, MetaError};

/// How the gradient of the query loss comes back from the adapted parameters w_K to their start θ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FullNetworkKind {
    /// Exactly, through every inner step (MAML, Finn et al. 2017).
    Maml,
    /// As if w_K moved with θ: dL/dθ = ∇L_Q(w_K) (first-order MAML, Finn et al. 2017).
    Fomaml,
    /// Without queries: dL/dθ = θ − w_K (Reptile, Nichol et al. 2018).
    Reptile,
    /// Through the optimality of w_K (iMAML, Rajeswaran et al. 2019).
    Imaml(Implicit),
    /// Not at all: what the network trains is fine-tuned from weights that were not prepared for it.
    FineTune(FineTune),
}

impl FullNetworkKind {
    /// The name in configurations and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Maml => "maml",
            Self::Fomaml => "fomaml",
            Self::Reptile => "reptile",
            Self::Imaml(_) => "imaml",
            Self::FineTune(_) => "finetuner",
        }
    }

    /// The strength of the proximal term of the inner steps; zero where there is none.
    pub(crate) fn prox(self) -> f32 {
        match self {
            Self::Imaml(implicit) => implicit.prox,
            _ => 0.0,
        }
    }
}

/// iMAML's inner objective L_S(w) + (prox/2)‖w − θ‖², and how (I + ∇²L_S(w_K)/prox)⁻¹ ∇L_Q(w_K) is
/// found by conjugate gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Implicit {
    /// The strength of the proximal term.
    pub prox: f32,
    /// N_cg, iterations at most.
    pub cg_steps: u32,
    /// The relative residual at which a task stops early; 0 for exactly `cg_steps` iterations.
    pub cg_tolerance: f32,
    /// Added to the Hessian's diagonal: (I + (∇²L_S + damping·I)/prox).
    pub damping: f32,
}

/// Where the rates of the inner steps come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InnerRates {
    /// One rate, as configured.
    #[default]
    Fixed,
    /// One learned rate for each weight tensor and each bias (the rates of a layer in MAML++,
    /// Antoniou et al. 2019), which all steps share: `inner_rates`, `[tensors]`.
    PerLayer,
    /// One learned rate for each parameter (Meta-SGD, Li et al. 2017): `inner_rates.<parameter>`.
    PerParameter,
}

/// A learner that adapts every parameter of the network, and a linear classifier behind it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FullNetworkSettings {
    /// How the gradient comes back.
    pub kind: FullNetworkKind,
    /// W, the classes of every task: the rows of `classifier.weight`.
    pub ways: u32,
    /// K, gradient steps on the whole support.
    pub inner_steps: u32,
    /// α, and the first value of learned rates.
    pub inner_learning_rate: f32,
    /// Whether α is learned.
    pub rates: InnerRates,
}

impl FullNetworkSettings {
    /// Whether the way back needs Hessian-vector products.
    pub(crate) fn is_second_order(&self) -> bool {
        matches!(self.kind, FullNetworkKind::Maml | FullNetworkKind::Imaml(_))
    }

    /// # Errors
    /// [`MetaError::Config`] for settings that cannot be.
    pub(crate) fn check(&self, gradient: &GradientSettings) -> Result<(), MetaError> {
        if self.ways < 2 {
            return Err(MetaError::config("ways", self.ways, "a classifier needs at least two classes"));
        }
        if self.inner_steps == 0 {
            let reason = "without an inner step nothing is learned from the support; use 1 or more";
            return Err(MetaError::config("learner.inner_steps", 0, reason));
        }
        positive("learner.inner_lr", self.inner_learning_rate)?;
        if self.kind.fine_tune().is_none() {
            self.check_estimator(gradient.estimator)?;
        }
        if let FullNetworkKind::Imaml(implicit) = self.kind {
            implicit.check()?;
        }
        let reason = match self.kind {
            FullNetworkKind::Reptile => "Reptile has no gradient with respect to the rates of its inner steps",
            FullNetworkKind::Imaml(_) => "a solution of the inner problem does not depend on the rate of its steps",
            FullNetworkKind::FineTune(_) => "nothing of a fine-tuned learner is meta-trained",
            FullNetworkKind::Maml | FullNetworkKind::Fomaml => return Ok(()),
        };
        match self.rates {
            InnerRates::Fixed => Ok(()),
            InnerRates::PerLayer | InnerRates::PerParameter => Err(MetaError::config(
                "learner.rates",
                if self.rates == InnerRates::PerLayer { "per-layer" } else { "per-parameter" },
                format!("{reason}; use \"fixed\", or kind = \"maml\" or \"fomaml\""),
            )),
        }
    }

    /// # Errors
    /// [`MetaError::Config`] for estimators under which the inner steps would end elsewhere.
    pub(crate) fn check_estimator(&self, estimator: Estimator) -> Result<(), MetaError> {
        let name = match estimator {
            Estimator::Full | Estimator::Chunked => return Ok(()),
            Estimator::Lite => "lite",
            Estimator::Subsampled => "subsampled",
        };
        Err(MetaError::config(
            "gradient.estimator",
            name,
            format!(
                "the inner steps of {} follow the gradient of the whole support; with a part of it they end at \
                 another w_K and every gradient through it is biased; use \"full\" or \"chunked\"",
                self.kind.name()
            ),
        ))
    }
}

impl Implicit {
    fn check(&self) -> Result<(), MetaError> {
        if !(self.prox.is_finite() && self.prox > 0.0) {
            return Err(MetaError::config(
                "learner.prox",
                self.prox,
                "without a proximal term the adapted parameters do not depend on their start; use a number above 0",
            ));
        }
        if self.cg_steps == 0 {
            let reason = "conjugate gradient needs at least one iteration; for none use kind = \"fomaml\"";
            return Err(MetaError::config("learner.cg_steps", 0, reason));
        }
        for (key, value) in [("learner.cg_tolerance", self.cg_tolerance), ("learner.damping", self.damping)] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(MetaError::config(key, value, "must be zero or a positive number"));
            }
        }
        Ok(())
    }
}

fn positive(key: &'static str, value: f32) -> Result<(), MetaError> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(MetaError::config(key, value, "must be a positive number"))
}
