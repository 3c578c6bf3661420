//! A network: layers in an order in which each finds its inputs computed, and a parameter layout.
//! It owns no memory. Which layers make which architecture is left to `backbones`.

mod builder;
mod memory;
mod pass;
mod places;
mod split;
mod tangent;
mod tangent_back;
mod work;

use inkling_gpu::Tier;

use crate::NnError;
use crate::backbones;
use crate::conv2d::Conv2d;
use crate::depthwise::Depthwise;
use crate::layout::Layout;
use crate::norm::{Norm, NormPool};
use crate::plain::Plain;
use crate::pool::{AveragePool, Sum};

pub(crate) use builder::{Builder, Role};
pub use memory::{Activations, DirectionScratch, Gradients, Keep, Scratch, Tangents};
pub use pass::{Chunk, Pass};
pub use tangent::{Direction, TangentChunk};
pub use work::LayerWork;

/// An architecture with its own settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backbone {
    /// Four blocks of 3×3 convolution, norm, ReLU and 2×2 max-pooling (Snell et al. 2017).
    Conv4 {
        /// Channels of every block.
        channels: u32,
    },
    /// Blocks of 3×3 convolution, norm, ReLU and 2×2 max-pooling, and the mean over the pixels: what
    /// FiLM knows of an image (Requeima et al. 2019).
    SetEncoder {
        /// Channels of every block.
        channels: u32,
        /// Blocks.
        blocks: u32,
    },
    /// EfficientNet-Lite0 with pretrained weights (Tan & Le 2019), frozen statistics.
    EfficientNetLite0,
    /// EfficientNet-B0 (Tan & Le 2019), frozen statistics: Lite0 with SiLU and squeeze-and-excitation.
    EfficientNetB0 {
        /// Thousandths of the images in training that the residual branch of the last block leaves
        /// out (stochastic depth, Huang et al. 2016); blocks before leave out fewer, in proportion.
        drop_permille: u32,
    },
    /// The ResNet-12 of few-shot learning (Lee et al. 2019; Tian et al. 2020).
    ResNet12 {
        /// Thousandths of each block's output that training sets to zero (dropout).
        drop_permille: u32,
    },
    /// ResNet-18 (He et al. 2016).
    ResNet18,
}

/// What is trained of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trained {
    /// Nothing.
    Nothing,
    /// The scales and shifts of the norms that FiLM modulates (Perez et al. 2018, Requeima et al.
    /// 2019): that of the stem, those between a block's layers, and the last one.
    Modulated,
    /// The scales and shifts of all norms.
    Norms,
    /// Everything but the statistics of its norms.
    All,
    /// The scales and shifts of the norms of its last stages, and of what follows them.
    LastNorms {
        /// How many stages.
        stages: u32,
    },
    /// Everything but the statistics of the norms of its last stages, and of what follows them.
    Last {
        /// How many stages.
        stages: u32,
    },
}

impl Trained {
    /// Whether the convolutions of a stage are trained that so many others follow.
    fn has_convolutions(self, following: u32) -> bool {
        match self {
            Self::Nothing | Self::Modulated | Self::Norms | Self::LastNorms { .. } => false,
            Self::All => true,
            Self::Last { stages } => following <= stages,
        }
    }

    /// Whether a stage that so many others follow is one of those chosen; all are where none are.
    fn reaches(self, following: u32) -> bool {
        match self {
            Self::Nothing | Self::Modulated | Self::Norms | Self::All => true,
            Self::LastNorms { stages } | Self::Last { stages } => following <= stages,
        }
    }

    /// Whether such a norm of a stage is trained that so many others follow.
    fn has_norm(self, role: Role, following: u32) -> bool {
        match self {
            Self::Nothing => false,
            Self::Modulated => role == Role::Modulated,
            Self::Norms | Self::All => true,
            Self::LastNorms { stages } | Self::Last { stages } => following <= stages,
        }
    }
}

/// What a network is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkConfig {
    /// The architecture.
    pub backbone: Backbone,
    /// What of it is trained.
    pub trained: Trained,
    /// Channels of the images.
    pub in_channels: u32,
    /// Height and width of the images.
    pub image_size: u32,
    /// The norm of every layer that has one.
    pub norm: Norm,
}

/// The tensor that each image has somewhere in the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub channels: u32,
    pub size: [u32; 2],
}

impl Shape {
    pub(crate) fn elements(self) -> u64 {
        u64::from(self.channels) * u64::from(self.size[0]) * u64::from(self.size[1])
    }
}

/// What a node computes.
#[derive(Clone, Debug)]
pub(crate) enum Layer {
    Conv(Conv2d),
    Depthwise(Depthwise),
    Norm(NormPool),
    /// Of two values.
    Sum(Sum),
    AveragePool(AveragePool),
    Plain(Plain),
}

/// A layer in its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// That of its parameters, or a number.
    pub name: String,
    pub layer: Layer,
    /// The values that it reads, by number.
    pub inputs: Vec<usize>,
    /// Whether it has parameters, and they are trained.
    pub trained: bool,
}

impl Node {
    /// The value that it reads, or the first of two.
    pub(crate) fn input(&self) -> usize {
        self.inputs.first().copied().unwrap_or(0)
    }
}

/// The network: geometry and parameter layout, no memory.
///
/// Node n writes value n + 1; value 0 is the images, the last value the embeddings.
#[derive(Clone, Debug)]
pub struct Network {
    config: NetworkConfig,
    pub(crate) shapes: Vec<Shape>,
    pub(crate) nodes: Vec<Node>,
    /// For each value, whether it depends on parameters that are trained: gradients reach it.
    reached: Vec<bool>,
    /// The values that stages begin with.
    stages: Vec<usize>,
    layout: Layout,
    frozen: Layout,
    running: Layout,
}

impl Network {
    /// A network for a device of the given tier.
    ///
    /// # Errors
    /// [`NnError::Config`] when the images are too small or too large for the architecture, or
    /// groups do not divide channels.
    pub fn new(config: NetworkConfig, tier: Tier) -> Result<Self, NnError> {
        let images = Shape { channels: config.in_channels, size: [config.image_size; 2] };
        let mut builder = Builder::new(images, config.trained, tier);
        match config.backbone {
            Backbone::Conv4 { channels } => backbones::conv4(&mut builder, channels, &config)?,
            Backbone::SetEncoder { channels, blocks } => {
                backbones::set_encoder(&mut builder, [channels, blocks], &config)?;
            }
            Backbone::EfficientNetLite0 => backbones::efficientnet_lite0(&mut builder, &config)?,
            Backbone::EfficientNetB0 { drop_permille } => {
                backbones::efficientnet_b0(&mut builder, drop_permille, &config)?;
            }
            Backbone::ResNet12 { drop_permille } => backbones::resnet12(&mut builder, drop_permille, &config)?,
            Backbone::ResNet18 => backbones::resnet18(&mut builder, &config)?,
        }
        let Builder { shapes, nodes, stages, layout, frozen, running, .. } = builder;
        let mut reached = vec![false; shapes.len()];
        for (number, node) in nodes.iter().enumerate() {
            let is_reached = node.trained || node.inputs.iter().any(|&input| reached.get(input) == Some(&true));
            reached.iter_mut().skip(number + 1).take(1).for_each(|value| *value = is_reached);
        }
        Ok(Self { config, shapes, nodes, reached, stages, layout, frozen, running })
    }

    /// What the network is made of.
    pub fn config(&self) -> NetworkConfig {
        self.config
    }

    /// Whether the images of a task in a pass influence each other.
    pub fn couples_images(&self) -> bool {
        self.norms().any(|norm| norm.norm.couples_images())
    }

    /// Whether training drops values by chance.
    pub fn drops(&self) -> bool {
        self.nodes.iter().any(|node| matches!(node.layer, Layer::Plain(Plain::Drop(_))))
    }

    /// The trainable parameters; a head may append its own.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The parameters that stay as they are.
    pub fn frozen(&self) -> &Layout {
        &self.frozen
    }

    /// The running statistics.
    pub fn running(&self) -> &Layout {
        &self.running
    }

    /// Values of one image.
    pub fn image_elements(&self) -> u64 {
        self.elements(0)
    }

    /// d, the values of one embedding.
    pub fn dimension(&self) -> u32 {
        self.elements(self.nodes.len()) as u32
    }

    /// Floating-point operations of the convolutions of one image's forward pass.
    pub fn forward_flops(&self) -> f64 {
        self.nodes.iter().map(flops).sum()
    }

    /// Floating-point operations of the convolutions of one image's backward pass.
    pub fn backward_flops(&self) -> f64 {
        let directions = |node: &Node| f64::from(u8::from(node.trained) + u8::from(self.is_reached(node.input())));
        self.nodes.iter().map(|node| directions(node) * flops(node)).sum()
    }

    /// The most values that one image has in any single buffer.
    pub fn largest_activation(&self) -> u64 {
        self.shapes.iter().map(|shape| shape.elements()).max().unwrap_or(0)
    }

    /// Where the norm couples images and several chunks hold one task, they begin at multiples of
    /// this many of its images, so that their partial sums (8 bytes for each channel) begin at
    /// multiples of 256 bytes.
    pub fn coupled_chunk(&self) -> u32 {
        self.norms().map(|norm| 32 >> norm.channels.trailing_zeros().min(5)).max().unwrap_or(1)
    }

    /// Initial parameters, frozen parameters and running statistics: He-normal convolutions from
    /// `normal`, a source of standard normal deviates; biases 0; norms 1 and 0; running variance 1.
    pub fn initialize(&self, mut normal: impl FnMut() -> f32) -> [Vec<f32>; 3] {
        let zeros = |layout: &Layout| vec![0.0; layout.elements() as usize];
        let [mut parameters, mut frozen, mut running] = [&self.layout, &self.frozen, &self.running].map(zeros);
        for node in &self.nodes {
            let vector = if node.trained { &mut parameters } else { &mut frozen };
            let mut fill = |(from, count): (u32, u32), value: &mut dyn FnMut() -> f32| {
                vector.iter_mut().skip(from as usize).take(count as usize).for_each(|element| *element = value());
            };
            let mut he = |fan_in: u32| (2.0 / fan_in as f32).sqrt() * normal();
            match &node.layer {
                Layer::Conv(conv) => fill(conv.weight_range(), &mut || he(conv.fan_in())),
                Layer::Depthwise(conv) => fill(conv.weight_range(), &mut || he(conv.fan_in())),
                Layer::Norm(norm) => fill((norm.weight_offset, norm.channels), &mut || 1.0),
                Layer::Sum(_) | Layer::AveragePool(_) | Layer::Plain(_) => {}
            }
        }
        for entry in self.running.entries().iter().filter(|entry| entry.name.ends_with("running_var")) {
            let slice = running.iter_mut().skip(entry.offset as usize).take(entry.length as usize);
            slice.for_each(|value| *value = 1.0);
        }
        [parameters, frozen, running]
    }

    /// Elements of a value of one image.
    fn elements(&self, value: usize) -> u64 {
        self.shapes.get(value).map_or(0, |shape| shape.elements())
    }

    fn norms(&self) -> impl Iterator<Item = &NormPool> {
        self.nodes.iter().filter_map(|node| match &node.layer {
            Layer::Norm(norm) => Some(norm),
            _ => None,
        })
    }

    /// Whether a value depends on parameters that are trained, so that gradients have to reach it.
    pub(crate) fn is_reached(&self, value: usize) -> bool {
        self.reached.get(value) == Some(&true)
    }
}

fn flops(node: &Node) -> f64 {
    match &node.layer {
        Layer::Conv(conv) => conv.flops(),
        Layer::Depthwise(conv) => conv.flops(),
        Layer::Norm(_) | Layer::Sum(_) | Layer::AveragePool(_) | Layer::Plain(_) => 0.0,
    }
}
