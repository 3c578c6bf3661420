//! Conv-4 in Burn, layer by layer and name by name the network of `inkling_nn`.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, GroupNorm, GroupNormConfig, PaddingConfig2d};
use burn::optim::GradientsParams;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use inkling_nn::Weights;

/// The norm of every block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NormKind {
    /// This many groups.
    Group(usize),
    /// Statistics of a pass.
    Batch,
}

/// The norm of a block.
#[derive(Module, Debug)]
pub enum BlockNorm {
    /// See [`NormKind::Group`].
    Group(GroupNorm),
    /// See [`NormKind::Batch`].
    Batch(BatchNorm),
}

/// 3×3 convolution, norm, ReLU, 2×2 max-pooling.
#[derive(Module, Debug)]
pub struct Block {
    conv: Conv2d,
    norm: BlockNorm,
    pool: MaxPool2d,
}

/// Four blocks, and the embedding in the order channel, row, column.
#[derive(Module, Debug)]
pub struct Conv4 {
    blocks: Vec<Block>,
}

impl Conv4 {
    /// A network for images of so many channels.
    pub fn new(in_channels: usize, channels: usize, norm: NormKind, device: &Device) -> Self {
        let block = |index: usize| Block {
            conv: Conv2dConfig::new([if index == 0 { in_channels } else { channels }, channels], [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(device),
            norm: match norm {
                NormKind::Group(groups) => BlockNorm::Group(GroupNormConfig::new(groups, channels).init(device)),
                NormKind::Batch => BlockNorm::Batch(BatchNormConfig::new(channels).init(device)),
            },
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
        };
        Self { blocks: (0..4).map(block).collect() }
    }

    /// `[images, channels, height, width]` to `[images, d]`.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let mut values = images;
        for Block { conv, norm, pool } in &self.blocks {
            values = conv.forward(values);
            values = match norm {
                BlockNorm::Group(norm) => norm.forward(values),
                BlockNorm::Batch(norm) => norm.forward(values),
            };
            values = pool.forward(relu(values));
        }
        values.flatten(1, 3)
    }

    /// The network with weights of ours, of the same names and shapes.
    pub fn with_weights(self, weights: &Weights, device: &Device) -> Self {
        self.map(&mut Load { path: Path::default(), weights, device })
    }
}

/// Gradients by the names that our network has for its parameters.
pub fn named(module: &Conv4, gradients: &GradientsParams) -> BTreeMap<String, Vec<f32>> {
    let mut visitor = Collect { path: Path::default(), gradients, found: BTreeMap::new() };
    module.visit(&mut visitor);
    visitor.found
}

/// Where a visitor is.
#[derive(Default)]
struct Path(Vec<String>);

impl Path {
    /// `blocks.0.conv.weight`; Burn names the variant of an enum too, and says gamma and beta.
    fn name(&self) -> String {
        let word = |part: &String| match part.as_str() {
            "Group" | "Batch" => None,
            "gamma" => Some("weight".to_owned()),
            "beta" => Some("bias".to_owned()),
            _ => Some(part.clone()),
        };
        self.0.iter().filter_map(word).collect::<Vec<_>>().join(".")
    }
}

struct Load<'w> {
    path: Path,
    weights: &'w Weights,
    device: &'w Device,
}

impl ModuleMapper for Load<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.0.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.0.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let shape: [usize; D] = param.dims();
        match self.weights.get(&self.path.name()) {
            Some(tensor) => {
                let data = TensorData::new::<f32, _>(tensor.values.clone(), shape);
                param.map(|_| Tensor::from_data(data, self.device))
            }
            None => param,
        }
    }
}

struct Collect<'g> {
    path: Path,
    gradients: &'g GradientsParams,
    found: BTreeMap<String, Vec<f32>>,
}

impl ModuleVisitor for Collect<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.0.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.0.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            self.found.insert(self.path.name(), gradient.into_data().iter::<f32>().collect());
        }
    }
}
