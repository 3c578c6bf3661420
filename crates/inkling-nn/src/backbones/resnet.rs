//! Residual networks (He et al. 2016): two convolutions of a block, or three, with the block's input
//! added before the last activation. The embedding is the mean over the pixels of the last channels.
//!
//! ResNet-18 bears the names of torchvision. ResNet-12 is that of few-shot learning (Lee et al. 2019,
//! Tian et al. 2020): four blocks of three 3×3 convolutions with leaky ReLU, each followed by 2×2
//! max-pooling and, where asked for, dropout; its names are those of `WangYueFt/rfs` and
//! `kjunelee/MetaOptNet`, which drop blocks of pixels behind the last two layers instead.

use super::check_images;
use crate::NnError;
use crate::conv2d::{Conv2dShape, Padding};
use crate::network::{Builder, NetworkConfig, Role};
use crate::norm::{Activation, Norm, NormPoolShape};

/// PyTorch's default.
const EPSILON: f32 = 1e-5;
/// The part of numbers below zero that passes in ResNet-12.
const LEAK: f32 = 0.1;
/// The stages of both, numbered from 1.
const LAYERS: u32 = 4;

/// A network in the making, with what all its layers have in common.
struct ResNet<'b> {
    builder: &'b mut Builder,
    norm: Norm,
}

/// Builds ResNet-12.
///
/// # Errors
/// [`NnError::Config`] for images beyond 16 to 448 pixels, or groups that do not divide channels.
pub(crate) fn resnet12(builder: &mut Builder, drop_permille: u32, config: &NetworkConfig) -> Result<(), NnError> {
    check_images(("resnet-12", "ResNet-12"), [16, 448], false, config)?;
    let mut net = ResNet { builder, norm: config.norm };
    let mut value = 0;
    for (layer, channels) in (1..=LAYERS).zip([64, 160, 320, 640]) {
        // The last block is the last that has parameters.
        net.builder.begin_stage(LAYERS + 1 - layer);
        let name = |part: &str| format!("layer{layer}.0.{part}");
        let mut branch = value;
        for number in 1..=3 {
            branch = net.conv(&name(&format!("conv{number}")), branch, [channels, 3, 1]);
            branch = net.norm(&name(&format!("bn{number}")), branch, Role::Modulated, Activation::Linear)?;
            if number < 3 {
                branch = net.builder.rectify(branch, LEAK);
            }
        }
        let shortcut = net.shortcut(&name("downsample"), value, [channels, 1])?;
        let sum = net.builder.sum(branch, shortcut);
        value = net.builder.rectify(sum, LEAK);
        value = net.builder.max_pool(value, [2, 2, 0]);
        value = net.builder.drop_elements(value, drop_permille);
    }
    net.builder.average_pool(value);
    Ok(())
}

/// Builds ResNet-18.
///
/// # Errors
/// [`NnError::Config`] for images beyond 32 to 448 pixels, or of other than three channels.
pub(crate) fn resnet18(builder: &mut Builder, config: &NetworkConfig) -> Result<(), NnError> {
    check_images(("resnet-18", "ResNet-18"), [32, 448], true, config)?;
    let mut net = ResNet { builder, norm: Norm::Frozen };
    // The stem comes before all stages.
    net.builder.begin_stage(LAYERS + 1);
    let mut value = net.conv("conv1", 0, [64, 7, 2]);
    value = net.norm("bn1", value, Role::Plain, Activation::Relu)?;
    value = net.builder.max_pool(value, [3, 2, 1]);
    for (layer, channels) in (1..=LAYERS).zip([64, 128, 256, 512]) {
        net.builder.begin_stage(LAYERS + 1 - layer);
        for block in 0..2 {
            let stride = if layer > 1 && block == 0 { 2 } else { 1 };
            value = net.basic_block(&format!("layer{layer}.{block}"), value, [channels, stride])?;
        }
    }
    net.builder.average_pool(value);
    Ok(())
}

impl ResNet<'_> {
    fn basic_block(&mut self, name: &str, input: usize, [channels, stride]: [u32; 2]) -> Result<usize, NnError> {
        let mut branch = self.conv(&format!("{name}.conv1"), input, [channels, 3, stride]);
        branch = self.norm(&format!("{name}.bn1"), branch, Role::Modulated, Activation::Relu)?;
        branch = self.conv(&format!("{name}.conv2"), branch, [channels, 3, 1]);
        branch = self.norm(&format!("{name}.bn2"), branch, Role::Modulated, Activation::Linear)?;
        let fits = stride == 1 && self.builder.shape(input).channels == channels;
        let shortcut =
            if fits { input } else { self.shortcut(&format!("{name}.downsample"), input, [channels, stride])? };
        let sum = self.builder.sum(branch, shortcut);
        Ok(self.builder.rectify(sum, 0.0))
    }

    /// A 1×1 convolution and its norm, where the input does not fit the sum.
    fn shortcut(&mut self, name: &str, input: usize, [channels, stride]: [u32; 2]) -> Result<usize, NnError> {
        let value = self.conv(&format!("{name}.0"), input, [channels, 1, stride]);
        self.norm(&format!("{name}.1"), value, Role::Plain, Activation::Linear)
    }

    fn conv(&mut self, name: &str, input: usize, [out_channels, kernel, stride]: [u32; 3]) -> usize {
        let padding = Padding::Both(kernel / 2);
        let shape = Conv2dShape { out_channels, kernel, stride, padding, has_bias: false };
        self.builder.conv(name, input, shape)
    }

    fn norm(&mut self, name: &str, input: usize, role: Role, activation: Activation) -> Result<usize, NnError> {
        let shape = NormPoolShape { norm: self.norm, activation, window: 1, epsilon: EPSILON };
        self.builder.norm(name, input, role, shape)
    }
}
