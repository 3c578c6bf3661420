//! What runs on the device: training, evaluation, adaptation, single gradients, plans, reports and
//! benches. Front ends call these and see events and results; layers and buffers stay here.

mod ablation;
mod adapt;
mod adaptation;
mod bench;
mod bench_heads;
mod bench_peaks;
mod bench_steps;
mod convergence;
pub(crate) mod embed;
mod embeddings;
mod error;
mod estimators;
mod evaluate;
mod gradient;
mod live;
mod memo;
mod memory;
mod memory_report;
mod methods;
mod model;
mod open;
mod site;
mod snapshot;
mod step;
mod tasks;
mod train;
mod trial;

pub use ablation::{Ablation, ablation_report};
pub use adapt::{AdaptTask, adapt};
pub use adaptation::{AdaptationMethod, adaptation_report};
pub use bench::{LayerTime, NetworkBench, NetworkBenchReport, NetworkBenchResult, bench_network};
pub use bench_heads::{HeadBenchResult, bench_heads};
pub use bench_peaks::Peaks;
pub use bench_steps::{StepBenchResult, StepTimes, bench_steps};
pub use convergence::{Convergence, ConvergenceSettings, convergence};
pub use embeddings::{EmbedImages, embed};
pub use error::SessionError;
pub use estimators::estimators;
pub use evaluate::{Scores, evaluate, initial_weights};
pub use gradient::{gradient, gradient_on};
pub use memory::{MemoryPlan, memory_plans, plans};
pub use memory_report::{MemoryAxes, memory_report};
pub use methods::{Budget, methods_report};
pub use site::Site;
pub(crate) use train::train;
