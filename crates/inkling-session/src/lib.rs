//! Configuration, the run loop, evaluation, checkpoints and run folders.
//!
//! A run is described by a [`config::RunConfig`], says what it does through [`events::Event`] and
//! leaves its results in a [`run_folder::RunFolder`].

mod archive;
mod atomic;
mod changes;
pub mod checkpoint;
pub mod config;
pub mod curves;
pub mod datasets;
pub mod error;
pub mod events;
mod hex;
pub mod history;
pub mod metrics;
pub mod model_card;
pub mod origin;
pub mod plot;
pub mod presets;
#[cfg(not(target_arch = "wasm32"))]
pub mod pretrained;
mod published;
pub mod report;
pub mod run;
pub mod run_folder;
pub mod session;
pub mod snapshot;
mod statistics;
mod store;
pub mod table;
pub mod teach;
pub mod tensor_file;
mod tensorboard;
pub mod units;
#[cfg(not(target_arch = "wasm32"))]
pub mod weights_file;

pub use atomic::write_atomically;
