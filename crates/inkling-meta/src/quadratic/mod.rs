//! Quadratic bilevel tasks, whose hypergradient has a closed form: what the convergence of the
//! algorithms is measured on.
//!
//! A [`QuadraticFamily`] is a finite list of tasks and knows the answers in f64; [`QuadraticRuns`]
//! runs the algorithms on them on the device, as many runs side by side as wanted.

mod algebra;
mod family;
mod runs;

pub use family::{FamilySettings, QuadraticFamily};
pub use runs::{QuadraticRuns, RunSettings};
