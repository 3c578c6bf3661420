//! EfficientNets: inverted residual blocks of 1×1 and depthwise convolutions (Tan & Le 2019). Lite0
//! has ReLU6 and no squeeze-and-excitation (the Lite variants of TensorFlow's model garden); B0 has
//! SiLU, and squeeze-and-excitation (Hu et al. 2018) behind each depthwise convolution. Layers bear the
//! names of `lukemelas/EfficientNet-PyTorch`, under which the weights are published; the embedding is
//! the mean over the pixels of the last 1,280 channels.

use super::check_images;
use crate::NnError;
use crate::conv2d::{Conv2dShape, Padding};
use crate::depthwise::DepthwiseShape;
use crate::network::{Builder, NetworkConfig, Role};
use crate::norm::{Activation, Norm, NormPoolShape};

const STEM_CHANNELS: u32 = 32;
const HEAD_CHANNELS: u32 = 1280;
/// TensorFlow's setting for these networks.
const EPSILON: f32 = 1e-3;

/// Blocks of one kind: only the first of them changes the size and the channels.
struct Stage {
    blocks: u32,
    kernel: u32,
    stride: u32,
    expansion: u32,
    channels: u32,
}

const fn stage([blocks, kernel, stride, expansion, channels]: [u32; 5]) -> Stage {
    Stage { blocks, kernel, stride, expansion, channels }
}

const STAGES: [Stage; 7] = [
    stage([1, 3, 1, 1, 16]),
    stage([2, 3, 2, 6, 24]),
    stage([2, 5, 2, 6, 40]),
    stage([3, 3, 2, 6, 80]),
    stage([3, 5, 1, 6, 112]),
    stage([4, 5, 2, 6, 192]),
    stage([1, 3, 1, 6, 320]),
];

/// Blocks of all stages.
const BLOCKS: u32 = 16;

/// In B0, the squeezed channels are a fourth of those that a block begins with.
const SQUEEZE: u32 = 4;

/// What tells the networks apart.
#[derive(Clone, Copy, PartialEq)]
enum Variant {
    Lite0,
    B0,
}

/// A network in the making, with what all its layers have in common.
struct EfficientNet<'b> {
    builder: &'b mut Builder,
    variant: Variant,
    /// Of the last block.
    drop_permille: u32,
}

/// Builds EfficientNet-Lite0.
///
/// # Errors
/// [`NnError::Config`] for images beyond 32 to 448 pixels, or of other than three channels.
pub(crate) fn efficientnet_lite0(builder: &mut Builder, config: &NetworkConfig) -> Result<(), NnError> {
    check_images(("efficientnet-lite0", "EfficientNet-Lite0"), [32, 448], true, config)?;
    efficientnet(builder, Variant::Lite0, 0)
}

/// Builds EfficientNet-B0.
///
/// # Errors
/// As [`efficientnet_lite0`].
pub(crate) fn efficientnet_b0(
    builder: &mut Builder,
    drop_permille: u32,
    config: &NetworkConfig,
) -> Result<(), NnError> {
    check_images(("efficientnet-b0", "EfficientNet-B0"), [32, 448], true, config)?;
    efficientnet(builder, Variant::B0, drop_permille)
}

fn efficientnet(builder: &mut Builder, variant: Variant, drop_permille: u32) -> Result<(), NnError> {
    let mut net = EfficientNet { builder, variant, drop_permille };
    // The stem comes before all stages, the last convolution after them.
    net.builder.begin_stage(STAGES.len() as u32 + 1);
    let mut value = net.conv("_conv_stem", 0, [STEM_CHANNELS, 3, 2]);
    value = net.active_norm("_bn0", value, Role::Modulated)?;
    let mut number = 0;
    for (following, stage) in (1..=STAGES.len() as u32).rev().zip(STAGES) {
        net.builder.begin_stage(following);
        for block in 0..stage.blocks {
            let stride = if block == 0 { stage.stride } else { 1 };
            value = net.block(number, value, &Stage { stride, ..stage })?;
            number += 1;
        }
    }
    net.builder.begin_stage(0);
    value = net.conv("_conv_head", value, [HEAD_CHANNELS, 1, 1]);
    value = net.active_norm("_bn1", value, Role::Modulated)?;
    net.builder.average_pool(value);
    Ok(())
}

impl EfficientNet<'_> {
    /// Expansion, depthwise convolution, excitation, projection; and the input once more where it
    /// fits.
    fn block(&mut self, number: u32, input: usize, stage: &Stage) -> Result<usize, NnError> {
        let name = |layer: &str| format!("_blocks.{number}.{layer}");
        let channels = self.builder.shape(input).channels;
        let mut value = input;
        if stage.expansion != 1 {
            value = self.conv(&name("_expand_conv"), value, [channels * stage.expansion, 1, 1]);
            value = self.active_norm(&name("_bn0"), value, Role::Plain)?;
        }
        let depthwise = DepthwiseShape { kernel: stage.kernel, stride: stage.stride, padding: Padding::Same };
        value = self.builder.depthwise(&name("_depthwise_conv"), value, depthwise);
        value = self.active_norm(&name("_bn1"), value, Role::Modulated)?;
        if self.variant == Variant::B0 {
            value = self.excite(&name("_se"), value, channels / SQUEEZE);
        }
        value = self.conv(&name("_project_conv"), value, [stage.channels, 1, 1]);
        value = self.norm(&name("_bn2"), value, Role::Plain, Activation::Linear)?;
        let fits = stage.stride == 1 && channels == stage.channels;
        if !fits {
            return Ok(value);
        }
        value = self.builder.drop_images(value, self.drop_permille * number / BLOCKS);
        Ok(self.builder.sum(input, value))
    }

    /// Each channel times a gate between 0 and 1 that two layers make of all channels' means.
    fn excite(&mut self, name: &str, input: usize, squeezed: u32) -> usize {
        let channels = self.builder.shape(input).channels;
        let mut gate = self.builder.average_pool(input);
        gate = self.dense(&format!("{name}_reduce"), gate, squeezed);
        gate = self.builder.silu(gate);
        gate = self.dense(&format!("{name}_expand"), gate, channels);
        self.builder.gate(input, gate)
    }

    /// A 1×1 convolution of one pixel, with bias.
    fn dense(&mut self, name: &str, input: usize, out_channels: u32) -> usize {
        let shape = Conv2dShape { out_channels, kernel: 1, stride: 1, padding: Padding::Both(0), has_bias: true };
        self.builder.conv(name, input, shape)
    }

    fn active_norm(&mut self, name: &str, input: usize, role: Role) -> Result<usize, NnError> {
        match self.variant {
            Variant::Lite0 => self.norm(name, input, role, Activation::Relu6),
            Variant::B0 => self.norm(name, input, role, Activation::Linear).map(|value| self.builder.silu(value)),
        }
    }

    fn conv(&mut self, name: &str, input: usize, [out_channels, kernel, stride]: [u32; 3]) -> usize {
        let shape = Conv2dShape { out_channels, kernel, stride, padding: Padding::Same, has_bias: false };
        self.builder.conv(name, input, shape)
    }

    fn norm(&mut self, name: &str, input: usize, role: Role, activation: Activation) -> Result<usize, NnError> {
        let shape = NormPoolShape { norm: Norm::Frozen, activation, window: 1, epsilon: EPSILON };
        self.builder.norm(name, input, role, shape)
    }
}
