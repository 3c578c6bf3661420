//! The section `[training]`: how long, with which optimiser, and what is written when.

use serde::{Deserialize, Serialize};

use crate::units::TimeSpan;

/// The rule that turns a gradient into an update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimizer {
    /// Adam (Kingma & Ba 2015); weight decay is added to the gradient.
    #[default]
    Adam,
    /// Adam with decoupled weight decay (Loshchilov & Hutter 2019).
    #[serde(rename = "adamw")]
    AdamW,
    /// Stochastic gradient descent with momentum.
    Sgd,
}

/// Which tasks a step goes through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// Fresh tasks in every step (Algorithm 1 of Yang 2025, and what everybody else does).
    #[default]
    Stochastic,
    /// The same `tasks_per_step` tasks in every step, each started where it ended in the last
    /// (Algorithm 2 of Yang 2025).
    Deterministic,
}

/// How the learning rate changes over a run, after any warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// It does not change.
    #[default]
    Constant,
    /// It falls to zero at the last step along half a cosine.
    Cosine,
    /// It is multiplied by `schedule_factor` every `schedule_every` steps.
    Step,
}

/// The section `[training]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingConfig {
    /// Optimiser steps.
    pub steps: u64,
    /// Which episodes a step goes through.
    pub algorithm: Algorithm,
    /// Episodes whose gradients are averaged into one step.
    pub tasks_per_step: u32,
    /// Episodes of one size that run side by side in the same launches; zero takes all of a step.
    pub tasks_per_pass: u32,
    /// The optimiser.
    pub optimizer: Optimizer,
    /// The learning rate before the schedule.
    pub learning_rate: f64,
    /// Its factor for the weights of the backbone.
    pub backbone_factor: f64,
    /// Momentum of `sgd`.
    pub momentum: f64,
    /// Decay of the first moment of Adam.
    pub beta1: f64,
    /// Decay of the second moment of Adam.
    pub beta2: f64,
    /// What Adam adds to the root of the second moment.
    pub epsilon: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// The gradient's largest Euclidean norm; zero leaves it as it is.
    pub clip_norm: f64,
    /// The schedule.
    pub schedule: Schedule,
    /// Steps between two changes of the schedule `step`.
    pub schedule_every: u64,
    /// The factor of each change of the schedule `step`.
    pub schedule_factor: f64,
    /// Steps over which the learning rate rises linearly from zero.
    pub warmup_steps: u64,
    /// Seeds the weights, the episodes, the subsets and the augmentation.
    pub seed: u64,
    /// Steps between two validations; zero validates never.
    pub validate_every: u64,
    /// Fixed episodes of each validation.
    pub validation_episodes: u32,
    /// Steps between two checkpoints; zero writes one at the end only.
    pub checkpoint_every: u64,
    /// How many of the newest checkpoints stay, beside the best one.
    pub keep_checkpoints: u32,
    /// Stop with a checkpoint after this long. No limit when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_limit: Option<TimeSpan>,
}

impl TrainingConfig {
    /// Episodes that run side by side.
    pub fn pass_tasks(&self) -> u32 {
        let step = self.tasks_per_step.max(1);
        if self.tasks_per_pass == 0 { step } else { self.tasks_per_pass.min(step) }
    }

    /// How many training episodes there are, where it is a finite list.
    pub fn task_list(&self) -> Option<u32> {
        (self.algorithm == Algorithm::Deterministic).then_some(self.tasks_per_step.max(1))
    }

    /// Whether the run is interrupted for validations.
    pub fn validates(&self) -> bool {
        self.validate_every > 0 && self.validation_episodes > 0
    }
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            steps: 1000,
            algorithm: Algorithm::Stochastic,
            tasks_per_step: 1,
            tasks_per_pass: 1,
            optimizer: Optimizer::Adam,
            learning_rate: 1e-3,
            backbone_factor: 1.0,
            momentum: 0.9,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            clip_norm: 0.0,
            schedule: Schedule::Constant,
            schedule_every: 500,
            schedule_factor: 0.5,
            warmup_steps: 0,
            seed: 0,
            validate_every: 100,
            validation_episodes: 100,
            checkpoint_every: 100,
            keep_checkpoints: 3,
            time_limit: None,
        }
    }
}
