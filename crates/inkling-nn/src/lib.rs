//! Layers and backbones on flat parameter vectors, forward and backward, and weights by name.
//!
//! A network is geometry and a parameter layout; it owns no memory. Its buffers are handed out by
//! whatever implements [`inkling_gpu::Allocate`]: a device, or a plan. What the embeddings are for
//! is left to the heads.

mod axis;
mod conv2d;
mod conv4;
mod error;
mod layout;
mod norm;
mod weights;

pub use axis::{Span, TaskAxis};
pub use conv2d::{Conv2d, Conv2dShape, ConvWeights, GradientTarget, PackedWeights};
pub use conv4::{Activations, Chunk, Conv4, Conv4Config, Gradients, Pass, Scratch};
pub use error::NnError;
pub use layout::{Entry, Layout};
pub use norm::{Norm, NormContext, NormPart, NormPool};
pub use weights::{Tensor, Weights};
