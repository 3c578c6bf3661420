//! Threads and clocks: the one home of target differences.

mod clock;
mod prefetch;

pub use clock::{Stopwatch, unix_seconds};
pub use prefetch::Prefetch;
