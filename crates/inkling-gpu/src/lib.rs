//! The device and its memory: adapters, buffers with an exact byte ledger, pipelines, recording in
//! bounded submissions, uploads through a staging ring, read-back, and device errors as values.
//!
//! This is the only crate that names wgpu. What the kernels compute is left to the crates above.

mod buffer;
mod device;
mod error;
mod guest;
mod ledger;
mod map;
mod pace;
mod pipeline;
mod plan;
mod profile;
mod recorder;
mod staging;
mod tier;

pub use buffer::{Buffer, Slice};
pub use device::{AdapterSummary, Gpu, GpuOptions, storage_bytes};
pub use error::GpuError;
pub use guest::Handles;
pub use inkling_shaders::kernels;
pub use ledger::{Bytes, Category, Ledger};
pub use plan::{Allocate, Plan, PlannedBuffer, Unallocated};
pub use profile::KernelTime;
pub use recorder::{Recorder, RecorderStats};
pub use tier::Tier;
