//! Layers and backbones on flat parameter vectors: forward, backward, and the tangents of both, for
//! tasks with shared or own parameters; and weights by name.
//!
//! A network is geometry and a parameter layout; it owns no memory. Its buffers are handed out by
//! whatever implements [`inkling_gpu::Allocate`]: a device, or a plan. What the embeddings are for
//! is left to the heads.

mod axis;
mod backbones;
mod conv2d;
mod depthwise;
mod error;
mod film;
mod layout;
mod linear;
mod loss;
mod network;
mod norm;
mod norm_tangent;
mod norm_unpooled;
mod plain;
mod plain_tangent;
mod pointwise;
mod pool;
mod weights;

pub use axis::{Rows, Span, TaskAxis};
pub use conv2d::{Conv2d, Conv2dShape, ConvWeights, GradientTarget, PackedWeights, Padding, Write};
pub use depthwise::{Depthwise, DepthwiseShape};
pub use error::NnError;
pub use film::{Film, FilmBuffers, FilmInputs};
pub use layout::{Entry, Layout};
pub use linear::Linear;
pub use loss::softmax_cross_entropy_tangent;
pub use network::{
    Activations, Backbone, Chunk, Direction, DirectionScratch, Gradients, Keep, LayerWork, Network, NetworkConfig,
    Pass, Scratch, TangentChunk, Tangents, Trained,
};
pub use norm::{Activation, Norm, NormContext, NormPart, NormPool, NormPoolShape};
pub use norm_tangent::{NormTangentContext, NormTangentPart};
pub use weights::{Tensor, Weights};
