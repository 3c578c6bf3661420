//! Burn modules as extractors: whoever has a model in Burn trains it with the heads and estimators of
//! this project, on one device.
//!
//! A [`SharedDevice`] opens an adapter once, for our kernels and for Burn's. A [`BurnExtractor`] puts
//! a module behind [`inkling_meta::Extractor`]; an [`inkling_meta::ExtractorLearner`] drives it, with
//! every head of embeddings and `full`, `chunked`, `lite` or `subsampled` gradients. The module's
//! parameters, their gradient and the optimiser stay Burn's, and so does the recorder that saves them.
//!
//! # What is handed over, and how
//! Images, embeddings and rows dL/dE go from buffer to buffer on the device, without the host; Burn's
//! allocations begin at multiples of 256 bytes on this device, as our kernels want it. Only an
//! embedding that a module leaves in another order than row by row (a transposed view) is read back
//! and uploaded again. Loss, outcomes and the head's own parameters are computed by our kernels.
//!
//! # What is refused
//! Learners of the whole network (MAML and its kin) need products with the Hessian of every layer,
//! which Burn does not have. Batch norms in training couple the images of a pass, and dropout makes
//! two passes differ: `chunked`, `lite` and `subsampled` refuse a module with either, until it is
//! frozen; `full` takes it.
//!
//! # Burn as a dependency
//! `burn = { version = "0.22.1", default-features = false, features = ["std", "wgpu", "optim"] }`. Burn's
//! default features switch kernel fusion on, with which a tensor has no buffer until it is resolved:
//! this crate does not build with it.
//!
//! # Autotune
//! Burn's autotune and kernel fusion are left out: on software adapters tuning took two minutes, and
//! the kernels that it chose gave wrong sums. Burn's own sums over more than 65,535 values are wrong on
//! such adapters as well; backward passes therefore start from rows and never from a sum.

mod couplings;
mod device;
mod exchange;
mod extractor;
mod gradients;

pub use device::SharedDevice;
pub use extractor::BurnExtractor;
