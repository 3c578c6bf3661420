//! A small network that says what a task's images are like: blocks of 3×3 convolution, norm, ReLU
//! and 2×2 max-pooling, and the mean over the pixels (Requeima et al. 2019). The mean over a task's
//! support is left to the learner.

use crate::NnError;
use crate::conv2d::{Conv2dShape, Padding};
use crate::network::{Builder, NetworkConfig, Role};
use crate::norm::{Activation, NormPoolShape};

/// PyTorch's default.
const EPSILON: f32 = 1e-5;

/// Builds the network.
///
/// # Errors
/// [`NnError::Config`] for images that become smaller than a pixel, or groups that do not divide
/// channels.
pub(crate) fn set_encoder(
    builder: &mut Builder,
    [channels, blocks]: [u32; 2],
    config: &NetworkConfig,
) -> Result<(), NnError> {
    if config.image_size.checked_shr(blocks).unwrap_or(0) == 0 {
        return Err(NnError::Config {
            key: "film.blocks",
            value: blocks.to_string(),
            reason: format!("each block halves images, and these have {} pixels; use fewer", config.image_size),
        });
    }
    let norm = NormPoolShape { norm: config.norm, activation: Activation::Relu, window: 2, epsilon: EPSILON };
    let conv = Conv2dShape { out_channels: channels, kernel: 3, stride: 1, padding: Padding::Both(1), has_bias: true };
    let mut value = 0;
    for index in 0..blocks {
        value = builder.conv(&format!("set_encoder.blocks.{index}.conv"), value, conv);
        value = builder.norm(&format!("set_encoder.blocks.{index}.norm"), value, Role::Plain, norm)?;
    }
    builder.average_pool(value);
    Ok(())
}
