//! Puts layers one behind the other and gives their parameters a place.

use inkling_gpu::Tier;

use super::{Layer, Node, Shape, Trained};
use crate::NnError;
use crate::conv2d::{Conv2d, Conv2dShape};
use crate::depthwise::{Depthwise, DepthwiseShape};
use crate::layout::Layout;
use crate::norm::{NormPool, NormPoolShape};
use crate::plain::{Dropout, MaxPool, Plain};
use crate::pool::{AveragePool, Sum};

/// What a norm's scale and shift are to FiLM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// FiLM modulates them.
    Modulated,
    /// FiLM leaves them as they are.
    Plain,
}

/// A network in the making; each call adds a layer and gives the number of the value it writes.
#[derive(Debug)]
pub(crate) struct Builder {
    trained: Trained,
    /// Stages that follow the one at hand.
    following: u32,
    tier: Tier,
    pub(super) shapes: Vec<Shape>,
    pub(super) nodes: Vec<Node>,
    pub(super) stages: Vec<usize>,
    pub(super) layout: Layout,
    pub(super) frozen: Layout,
    pub(super) running: Layout,
}

impl Builder {
    /// Begins with the images, value 0.
    pub(super) fn new(images: Shape, trained: Trained, tier: Tier) -> Self {
        let (layout, frozen, running) = Default::default();
        let stages = Vec::new();
        Self { trained, following: 0, tier, shapes: vec![images], nodes: Vec::new(), stages, layout, frozen, running }
    }

    /// Begins a stage that so many others follow, what comes after the last stage being one more: the
    /// value written last is what it takes, and nothing further on reads an earlier one.
    pub(crate) fn begin_stage(&mut self, following: u32) {
        self.following = following;
        self.stages.push(self.nodes.len());
    }

    /// The shape of a value.
    pub(crate) fn shape(&self, value: usize) -> Shape {
        self.shapes.get(value).copied().unwrap_or(Shape { channels: 0, size: [0, 0] })
    }

    /// A convolution of every channel with every other.
    pub(crate) fn conv(&mut self, name: &str, input: usize, conv: Conv2dShape) -> usize {
        let (tier, Shape { channels, size }) = (self.tier, self.shape(input));
        let is_trained = self.trained.has_convolutions(self.following);
        let layer = Conv2d::new(self.layout_of(is_trained), name, conv, (channels, size), tier);
        let shape = Shape { channels: conv.out_channels, size: layer.out_size() };
        self.push(name.to_owned(), Layer::Conv(layer), vec![input], is_trained, shape)
    }

    /// A convolution of each channel by itself.
    pub(crate) fn depthwise(&mut self, name: &str, input: usize, conv: DepthwiseShape) -> usize {
        let Shape { channels, size } = self.shape(input);
        let is_trained = self.trained.has_convolutions(self.following);
        let layer = Depthwise::new(self.layout_of(is_trained), name, conv, channels, size);
        let shape = Shape { channels, size: layer.out_size() };
        self.push(name.to_owned(), Layer::Depthwise(layer), vec![input], is_trained, shape)
    }

    /// A norm with its activation and pooling.
    ///
    /// # Errors
    /// [`NnError::Config`] when the groups do not divide the channels.
    pub(crate) fn norm(&mut self, name: &str, input: usize, role: Role, norm: NormPoolShape) -> Result<usize, NnError> {
        let Shape { channels, size } = self.shape(input);
        let is_trained = self.trained.has_norm(role, self.following);
        let layout = if is_trained { &mut self.layout } else { &mut self.frozen };
        let layer = NormPool::new(layout, &mut self.running, name, norm, (channels, size))?;
        let shape = Shape { channels, size: layer.out_size() };
        Ok(self.push(name.to_owned(), Layer::Norm(layer), vec![input], is_trained, shape))
    }

    /// The sum of two values of one shape.
    pub(crate) fn sum(&mut self, first: usize, second: usize) -> usize {
        let shape = self.shape(first);
        self.push("sum".to_owned(), Layer::Sum(Sum::new(shape.elements())), vec![first, second], false, shape)
    }

    /// An activation that no norm stands before: the leaky ReLU, the ReLU where `slope` is 0.
    pub(crate) fn rectify(&mut self, input: usize, slope: f32) -> usize {
        let shape = self.shape(input);
        self.plain("rectify", vec![input], Plain::Rectify { elements: shape.elements(), slope }, shape)
    }

    /// x · σ(x).
    pub(crate) fn silu(&mut self, input: usize) -> usize {
        let shape = self.shape(input);
        self.plain("silu", vec![input], Plain::Silu { elements: shape.elements() }, shape)
    }

    /// The largest of windows: kernel, stride, padding.
    pub(crate) fn max_pool(&mut self, input: usize, window: [u32; 3]) -> usize {
        let Shape { channels, size } = self.shape(input);
        let pool = MaxPool::new((channels, size), window);
        self.plain("max_pool", vec![input], Plain::MaxPool(pool), Shape { channels, size: pool.out_size() })
    }

    /// Each channel times the sigmoid of its one value in `gates`.
    pub(crate) fn gate(&mut self, input: usize, gates: usize) -> usize {
        let shape = self.shape(input);
        let Shape { channels, size } = shape;
        self.plain("gate", vec![input, gates], Plain::Gate { channels, pixels: size[0] * size[1] }, shape)
    }

    /// Dropout of single elements, while training; nothing where `permille`, thousandths, is zero.
    pub(crate) fn drop_elements(&mut self, input: usize, permille: u32) -> usize {
        self.drop(input, 1, permille)
    }

    /// Leaves out all that whole images have of a value, while training (stochastic depth).
    pub(crate) fn drop_images(&mut self, input: usize, permille: u32) -> usize {
        self.drop(input, self.shape(input).elements(), permille)
    }

    /// Stages before those that are trained drop nothing: what they make of an image stays the same.
    fn drop(&mut self, input: usize, group: u64, permille: u32) -> usize {
        if permille == 0 || !self.trained.reaches(self.following) {
            return input;
        }
        let shape = self.shape(input);
        let drop = Dropout { elements: shape.elements(), group, layer: self.nodes.len() as u32, permille };
        self.plain("drop", vec![input], Plain::Drop(drop), shape)
    }

    fn plain(&mut self, name: &str, inputs: Vec<usize>, plain: Plain, shape: Shape) -> usize {
        self.push(name.to_owned(), Layer::Plain(plain), inputs, false, shape)
    }

    /// The mean over the pixels of each channel.
    pub(crate) fn average_pool(&mut self, input: usize) -> usize {
        let Shape { channels, size } = self.shape(input);
        let layer = Layer::AveragePool(AveragePool::new(channels, size));
        self.push("average_pool".to_owned(), layer, vec![input], false, Shape { channels, size: [1, 1] })
    }

    fn layout_of(&mut self, is_trained: bool) -> &mut Layout {
        if is_trained { &mut self.layout } else { &mut self.frozen }
    }

    fn push(&mut self, name: String, layer: Layer, inputs: Vec<usize>, trained: bool, shape: Shape) -> usize {
        self.nodes.push(Node { name, layer, inputs, trained });
        self.shapes.push(shape);
        self.nodes.len()
    }
}
