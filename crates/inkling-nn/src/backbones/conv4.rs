//! Conv-4: four blocks of 3×3 convolution, norm, ReLU and 2×2 max-pooling; the embedding is the
//! last block's output, flattened in the order channel, row, column (Snell et al. 2017).

use crate::NnError;
use crate::conv2d::{Conv2dShape, Padding};
use crate::network::{Builder, NetworkConfig, Role};
use crate::norm::{Activation, NormPoolShape};

const BLOCKS: usize = 4;
/// PyTorch's default.
const EPSILON: f32 = 1e-5;

/// Builds the network.
///
/// # Errors
/// [`NnError::Config`] for images beyond 16 to 448 pixels, or groups that do not divide channels.
pub(crate) fn conv4(builder: &mut Builder, channels: u32, config: &NetworkConfig) -> Result<(), NnError> {
    if config.image_size < 16 || config.image_size > 448 {
        return Err(NnError::Config {
            key: "image_size",
            value: config.image_size.to_string(),
            reason: "Conv-4 halves images four times and takes 16 to 448 pixels; resize the images".into(),
        });
    }
    let norm = NormPoolShape { norm: config.norm, activation: Activation::Relu, window: 2, epsilon: EPSILON };
    let mut value = 0;
    for index in 0..BLOCKS {
        // Each block is a stage, and nothing comes after the last.
        builder.begin_stage((BLOCKS - index) as u32);
        let conv =
            Conv2dShape { out_channels: channels, kernel: 3, stride: 1, padding: Padding::Both(1), has_bias: true };
        value = builder.conv(&format!("blocks.{index}.conv"), value, conv);
        value = builder.norm(&format!("blocks.{index}.norm"), value, Role::Modulated, norm)?;
    }
    Ok(())
}
