//! What runs on the device: training, evaluation, adaptation, single gradients, plans, reports and
//! benches. Front ends call these and see events and results; layers and buffers stay here.

mod adapt;
mod bench;
mod error;
mod estimators;
mod evaluate;
mod gradient;
mod memory;
mod model;
mod tasks;
mod train;

pub use adapt::{AdaptTask, adapt};
pub use bench::{Conv4Bench, Conv4BenchResult, bench_conv4};
pub use error::SessionError;
pub use estimators::estimators;
pub use evaluate::{evaluate, initial_weights};
pub use gradient::{gradient, gradient_on};
pub use memory::{MemoryPlan, memory_plans};
pub use train::{Control, Target, train};
