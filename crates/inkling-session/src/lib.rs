//! Configuration, the run loop, evaluation, checkpoints and run folders.

pub mod config;
mod hex;
pub mod presets;
pub mod units;
