//! Actors, channels, threads and clocks: the one home of target differences.

mod actor;
mod channel;
mod clock;
mod prefetch;

pub use actor::{sleep, spawn_actor, yield_now};
pub use channel::{Receiver, Sender, channel};
pub use clock::{Stopwatch, unix_seconds};
pub use prefetch::Prefetch;
