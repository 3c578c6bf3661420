//! Layers and backbones on flat parameter vectors: forward, backward, and the tangents of both, for
//! tasks with shared or own parameters; and weights by name.
//!
//! A network is geometry and a parameter layout; it owns no memory. Its buffers are handed out by
//! whatever implements [`inkling_gpu::Allocate`]: a device, or a plan. What the embeddings are for
//! is left to the heads.

mod axis;
mod conv2d;
mod conv4;
mod conv4_tangent;
mod error;
mod layout;
mod linear;
mod loss;
mod norm;
mod norm_tangent;
mod weights;

pub use axis::{Rows, Span, TaskAxis};
pub use conv2d::{Conv2d, Conv2dShape, ConvWeights, GradientTarget, PackedWeights};
pub use conv4::{Activations, Chunk, Conv4, Conv4Config, Gradients, Pass, Scratch};
pub use conv4_tangent::{Direction, DirectionScratch, TangentChunk, Tangents};
pub use error::NnError;
pub use layout::{Entry, Layout};
pub use linear::Linear;
pub use loss::softmax_cross_entropy_tangent;
pub use norm::{Norm, NormContext, NormPart, NormPool};
pub use norm_tangent::{NormTangentContext, NormTangentPart};
pub use weights::{Tensor, Weights};
