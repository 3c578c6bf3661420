//! Whole learners on a device: gradients against an independent float64 oracle, the identities
//! between estimators, memory against its plan, one training run in numbers, and errors as values.

mod backbones;
mod coupled;
mod datasets;
mod estimators;
mod extractor;
mod faults;
mod features;
mod film;
mod fine_tuning;
mod fixture;
mod full_network;
mod golden;
mod gradient;
mod heads;
mod heads_in_learners;
mod large_task;
mod mahalanobis;
mod memory;
mod network64;
mod passes;
mod quadratic;
mod session;
mod solver;
mod tangents;
mod tangents_of_backbones;
mod teaching;
mod training;
mod unbiased;
mod versa;
mod warm_starts;

use crate::Case;

/// All cases.
pub fn cases() -> Vec<Case> {
    [
        golden::cases(),
        estimators::cases(),
        extractor::cases(),
        unbiased::cases(),
        versa::cases(),
        memory::cases(),
        backbones::cases(),
        film::cases(),
        large_task::cases(),
        solver::cases(),
        quadratic::cases(),
        heads::cases(),
        heads_in_learners::cases(),
        mahalanobis::cases(),
        warm_starts::cases(),
        coupled::cases(),
        passes::cases(),
        tangents::cases(),
        tangents_of_backbones::cases(),
        full_network::cases(),
        fine_tuning::cases(),
        training::cases(),
        datasets::cases(),
        session::cases(),
        teaching::cases(),
        features::cases(),
        faults::cases(),
    ]
    .concat()
}
