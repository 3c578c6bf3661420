//! EfficientNet-Lite0: inverted residual blocks of 1×1 and depthwise convolutions with ReLU6, no
//! squeeze-and-excitation (Tan & Le 2019; the Lite variants of TensorFlow's model garden). Layers
//! bear the names of `lukemelas/EfficientNet-PyTorch`, under which its weights are published; the
//! embedding is the mean over the pixels of the last 1,280 channels.

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

/// A network in the making, with what all its layers have in common.
struct Lite<'b> {
    builder: &'b mut Builder,
}

/// Builds the network.
///
/// # Errors
/// [`NnError::Config`] for images beyond 32 to 448 pixels, or of other than three channels.
pub(crate) fn efficientnet_lite0(builder: &mut Builder, config: &NetworkConfig) -> Result<(), NnError> {
    if config.image_size < 32 || config.image_size > 448 {
        return Err(NnError::Config {
            key: "image_size",
            value: config.image_size.to_string(),
            reason: "EfficientNet-Lite0 takes 32 to 448 pixels, and was trained on 224; resize the images".into(),
        });
    }
    if config.in_channels != 3 {
        return Err(NnError::Config {
            key: "model.backbone",
            value: "efficientnet-lite0".into(),
            reason: format!("it takes images of 3 channels, and these have {}", config.in_channels),
        });
    }
    let mut lite = Lite { builder };
    let mut value = lite.conv("_conv_stem", 0, [STEM_CHANNELS, 3, 2]);
    value = lite.norm("_bn0", value, Role::Modulated, Activation::Relu6)?;
    let mut number = 0;
    for stage in STAGES {
        for block in 0..stage.blocks {
            let stride = if block == 0 { stage.stride } else { 1 };
            value = lite.block(number, value, &Stage { stride, ..stage })?;
            number += 1;
        }
    }
    value = lite.conv("_conv_head", value, [HEAD_CHANNELS, 1, 1]);
    value = lite.norm("_bn1", value, Role::Modulated, Activation::Relu6)?;
    lite.builder.average_pool(value);
    Ok(())
}

impl Lite<'_> {
    /// Expansion, depthwise convolution, projection; and the input once more where it fits.
    fn block(&mut self, number: u32, input: usize, stage: &Stage) -> Result<usize, NnError> {
        let name = |layer: &str| format!("_blocks.{number}.{layer}");
        let channels = self.builder.shape(input).channels;
        let mut value = input;
        if stage.expansion != 1 {
            value = self.conv(&name("_expand_conv"), value, [channels * stage.expansion, 1, 1]);
            value = self.norm(&name("_bn0"), value, Role::Plain, Activation::Relu6)?;
        }
        let depthwise = DepthwiseShape { kernel: stage.kernel, stride: stage.stride, padding: Padding::Same };
        value = self.builder.depthwise(&name("_depthwise_conv"), value, depthwise);
        value = self.norm(&name("_bn1"), value, Role::Modulated, Activation::Relu6)?;
        value = self.conv(&name("_project_conv"), value, [stage.channels, 1, 1]);
        value = self.norm(&name("_bn2"), value, Role::Plain, Activation::Linear)?;
        let fits = stage.stride == 1 && channels == stage.channels;
        Ok(if fits { self.builder.sum(input, value) } else { value })
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
