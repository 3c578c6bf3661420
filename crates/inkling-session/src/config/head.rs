//! The section `[head]`: how a task is solved from its embeddings.

use serde::{Deserialize, Serialize};

use super::Algorithm;
use super::validate::Checks;

/// The head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeadKind {
    /// Distance to the mean embedding of each class (Snell 2017).
    #[default]
    Prototypes,
    /// A linear classifier by gradient steps, its hypergradient by conjugate gradient, without
    /// history (Yang 2025).
    Implicit,
    /// The same steps, differentiated exactly through all of them (ANIL, Raghu 2020; ITD, Ji 2021).
    Unrolled,
    /// The same steps, the inverse Hessian by a Neumann series (stocBiO, Ji 2021).
    Neumann,
    /// Ridge regression in closed form (R2D2, Bertinetto 2019).
    Ridge,
    /// Distances under the covariance of each class (Simple CNAPs, Bateni 2020).
    Mahalanobis,
    /// A linear classifier that perceptrons write from the class means (CNAPs, Requeima 2019).
    Versa,
}

impl HeadKind {
    /// The name as the configuration writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prototypes => "prototypes",
            Self::Implicit => "implicit",
            Self::Unrolled => "unrolled",
            Self::Neumann => "neumann",
            Self::Ridge => "ridge",
            Self::Mahalanobis => "mahalanobis",
            Self::Versa => "versa",
        }
    }
}

/// How an embedding is compared with a prototype.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// The negative squared Euclidean distance.
    #[default]
    Euclidean,
    /// The cosine, times a learned scale.
    Cosine,
}

/// Where the inner steps of a linear classifier begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartKind {
    /// At zero.
    #[default]
    Zero,
    /// At learned weights `head.weight` and `head.bias`.
    Learned,
    /// At learned weights, which the regulariser pulls to as well: (λ/2)‖w − w₀‖².
    Proximal,
    /// Where the task's steps ended in the last outer step; with `training.algorithm = "deterministic"`.
    Warm,
}

/// Where conjugate gradient begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SolveStart {
    /// At zero.
    #[default]
    Zero,
    /// Where the task's solve ended in the last outer step; with `training.algorithm = "deterministic"`.
    Warm,
}

/// The section `[head]`. A key that the chosen head has no use for is left aside; a key that is
/// absent takes the value that [`HeadConfig`]'s methods give.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeadConfig {
    /// The head.
    pub kind: HeadKind,
    /// The metric of the prototypes.
    pub metric: Metric,
    /// What logits are multiplied with, learned from this start: cosines and `ridge`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<f32>,
    /// K, gradient steps of the linear classifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inner_steps: Option<u32>,
    /// The learning rate of these steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inner_lr: Option<f32>,
    /// λ, the ridge on the linear classifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ridge: Option<f32>,
    /// Where the steps begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<StartKind>,
    /// Where conjugate gradient begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub solve_start: Option<SolveStart>,
    /// N_cg, iterations of conjugate gradient at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cg_steps: Option<u32>,
    /// The relative residual at which conjugate gradient stops; zero does all of `cg_steps`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cg_tolerance: Option<f32>,
    /// Added to the Hessian's diagonal in the solve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damping: Option<f32>,
    /// Whether the Hessian's diagonal preconditions the solve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preconditioned: Option<bool>,
    /// Terms of the Neumann series, the first included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terms: Option<u32>,
    /// The step of the Neumann series; below 2 over the Hessian's largest eigenvalue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eta: Option<f32>,
    /// λ of ridge regression, learned from this start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lambda: Option<f32>,
    /// Classes of the Mahalanobis head whose matrices are in memory at once, at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_block: Option<u32>,
    /// Features of each hidden layer of the perceptrons of `versa`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<u32>,
}

impl HeadConfig {
    /// Every key set: what the search for known keys needs.
    pub(super) fn complete() -> Self {
        Self {
            kind: HeadKind::Prototypes,
            metric: Metric::Euclidean,
            scale: Some(1.0),
            inner_steps: Some(20),
            inner_lr: Some(0.05),
            ridge: Some(0.1),
            start: Some(StartKind::Zero),
            solve_start: Some(SolveStart::Zero),
            cg_steps: Some(20),
            cg_tolerance: Some(1e-4),
            damping: Some(0.0),
            preconditioned: Some(false),
            terms: Some(20),
            eta: Some(0.1),
            lambda: Some(1.0),
            class_block: Some(0),
            hidden: Some(0),
        }
    }

    /// The configured scale; else 10 for cosines, whose range of two would otherwise keep a softmax
    /// almost flat, and 1 elsewhere.
    pub fn scale(&self) -> f32 {
        let cosines = self.kind == HeadKind::Prototypes && self.metric == Metric::Cosine;
        self.scale.unwrap_or(if cosines { 10.0 } else { 1.0 })
    }

    /// Fills in where the implicit head begins: warm where every step has the same tasks.
    pub(super) fn settle(&mut self, algorithm: Algorithm) {
        if algorithm == Algorithm::Deterministic && self.kind == HeadKind::Implicit {
            self.start.get_or_insert(StartKind::Warm);
            self.solve_start.get_or_insert(SolveStart::Warm);
        }
    }

    /// Whether anything begins where it ended in the last outer step.
    pub fn starts_warm(&self) -> bool {
        let steps = matches!(self.kind, HeadKind::Implicit | HeadKind::Neumann | HeadKind::Unrolled);
        let solves = self.kind == HeadKind::Implicit;
        (steps && self.start == Some(StartKind::Warm)) || (solves && self.solve_start == Some(SolveStart::Warm))
    }

    /// K; 20 unless configured.
    pub fn inner_steps(&self) -> u32 {
        self.inner_steps.unwrap_or(20)
    }

    /// The learning rate of the inner steps; 0.05 unless configured.
    pub fn inner_lr(&self) -> f32 {
        self.inner_lr.unwrap_or(0.05)
    }

    /// λ; 0.1 unless configured.
    pub fn ridge(&self) -> f32 {
        self.ridge.unwrap_or(0.1)
    }

    /// N_cg; 20 unless configured.
    pub fn cg_steps(&self) -> u32 {
        self.cg_steps.unwrap_or(20)
    }

    /// The relative residual at which the solve stops; 1e-4 unless configured.
    pub fn cg_tolerance(&self) -> f32 {
        self.cg_tolerance.unwrap_or(1e-4)
    }

    /// What is added to the Hessian's diagonal; nothing unless configured, and only for `implicit`.
    pub fn damping(&self) -> f32 {
        if self.kind == HeadKind::Implicit { self.damping.unwrap_or(0.0) } else { 0.0 }
    }

    /// Terms of the Neumann series; 20 unless configured.
    pub fn terms(&self) -> u32 {
        self.terms.unwrap_or(20)
    }

    /// η; 0.1 unless configured.
    pub fn eta(&self) -> f32 {
        self.eta.unwrap_or(0.1)
    }

    /// λ of ridge regression; 1 unless configured.
    pub fn lambda(&self) -> f32 {
        self.lambda.unwrap_or(1.0)
    }

    /// Classes of the Mahalanobis head in memory at once; unless configured 0, as many as a binding
    /// of 128 MiB holds.
    pub fn class_block(&self) -> u32 {
        self.class_block.unwrap_or(0)
    }

    /// Features of each hidden layer of `versa`; unless configured 0, as many as an embedding has.
    pub fn hidden(&self) -> u32 {
        self.hidden.unwrap_or(0)
    }
}

/// The rules of the section.
pub(super) fn check(checks: &mut Checks, head: &HeadConfig) {
    if let Some(scale) = head.scale {
        checks.positive("head.scale", scale.into());
        let distances = head.kind == HeadKind::Prototypes && head.metric == Metric::Euclidean;
        if distances && scale != 1.0 {
            checks.fail(
                "head.scale",
                format!(
                    "is {scale}, but distances are taken as they are; use head.metric = \"cosine\" or leave it out"
                ),
            );
        }
    }
    if let Some(hidden) = head.hidden {
        checks.count("head.hidden", hidden.into(), 0, MOST_HIDDEN.into());
    }
    let most = MOST_ITERATIONS.into();
    let counts = [("head.inner_steps", head.inner_steps), ("head.cg_steps", head.cg_steps), ("head.terms", head.terms)];
    for (key, count) in counts {
        if let Some(count) = count {
            checks.count(key, count.into(), 1, most);
        }
    }
    for (key, value) in [("head.inner_lr", head.inner_lr), ("head.eta", head.eta), ("head.lambda", head.lambda)] {
        if let Some(value) = value {
            checks.positive(key, value.into());
        }
    }
    for (key, value) in
        [("head.ridge", head.ridge), ("head.cg_tolerance", head.cg_tolerance), ("head.damping", head.damping)]
    {
        if let Some(value) = value {
            checks.not_negative(key, value.into());
        }
    }
    let inverts = matches!(head.kind, HeadKind::Implicit | HeadKind::Neumann);
    if inverts && head.ridge() == 0.0 && head.damping() == 0.0 {
        checks.fail(
            "head.ridge",
            "is 0, which leaves the Hessian singular and the solve without a solution; \
             use head.ridge above 0 (or, for \"implicit\", head.damping)",
        );
    }
}

/// Iterations of an inner loop or a solve at most.
pub(super) const MOST_ITERATIONS: u32 = 10_000;

/// Features of a hidden layer at most: a square matrix of them fits one binding.
const MOST_HIDDEN: u32 = 4_096;
