//! Learners whose inner steps move every parameter: MAML, first-order MAML, Reptile and iMAML; and
//! fine-tuning, which is not meta-trained.
//!
//! The lower variable w of a task is the whole network with a linear classifier behind it, one
//! flat vector for each task, `[tasks, stride]`. K gradient steps on the mean cross-entropy of the
//! support lead from the start θ to w_K; the query loss at w_K is what the start is judged by.
//! Learners differ only in how its gradient comes back to θ (METHODS.md, section 3).

mod adjoint;
mod baseline;
mod engine;
mod fine_tune;
mod implicit;
mod inner;
mod model;
mod network;
mod rates;
mod settings;
mod sizes;
mod status;
mod workspace;

pub(crate) use baseline::unrolled_graph;
pub(crate) use engine::FullNetworkEngine;
pub use fine_tune::FineTune;
pub(crate) use model::FullNetworkModel;
pub use settings::{FullNetworkKind, FullNetworkSettings, Implicit, InnerRates};
pub use status::TaskStatus;
pub(crate) use workspace::FullNetworkWorkspace;
