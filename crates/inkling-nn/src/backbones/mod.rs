//! The architectures: which layers, in which order, under which names.

mod conv4;
mod efficientnet;
mod resnet;
mod set_encoder;

use crate::NnError;
use crate::network::NetworkConfig;

pub(crate) use conv4::conv4;
pub(crate) use efficientnet::{efficientnet_b0, efficientnet_lite0};
pub(crate) use resnet::{resnet12, resnet18};
pub(crate) use set_encoder::set_encoder;

/// Refuses images of other sizes than a network takes, and of other channels where it takes three.
fn check_images(
    (name, words): (&str, &str),
    [least, most]: [u32; 2],
    takes_colour_alone: bool,
    config: &NetworkConfig,
) -> Result<(), NnError> {
    if config.image_size < least || config.image_size > most {
        let reason = format!("{words} takes {least} to {most} pixels; resize the images");
        return Err(NnError::Config { key: "image_size", value: config.image_size.to_string(), reason });
    }
    if takes_colour_alone && config.in_channels != 3 {
        return Err(NnError::Config {
            key: "model.backbone",
            value: name.to_owned(),
            reason: format!("it takes images of 3 channels, and these have {}", config.in_channels),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use inkling_gpu::Tier;

    use super::*;
    use crate::network::{Backbone, Layer, Network, Trained};
    use crate::norm::Norm;

    fn networks(trained: Trained) -> Vec<Network> {
        let backbones = [
            Backbone::EfficientNetLite0,
            Backbone::EfficientNetB0 { drop_permille: 200 },
            Backbone::ResNet12 { drop_permille: 100 },
            Backbone::ResNet18,
        ];
        let network = |backbone| {
            Network::new(
                NetworkConfig { backbone, trained, in_channels: 3, image_size: 64, norm: Norm::Frozen },
                Tier::Cpu,
            )
        };
        backbones.into_iter().map(|backbone| network(backbone).unwrap()).collect()
    }

    /// The parameters of PyTorch's models without their classifiers, and of MetaOptNet's ResNet-12.
    #[test]
    fn networks_have_their_parameters() {
        let counts: Vec<(u64, u32)> =
            networks(Trained::All).iter().map(|network| (network.layout().parameters(), network.dimension())).collect();
        assert_eq!(counts, [(3_371_008, 1280), (4_007_548, 1280), (12_424_320, 640), (11_176_512, 512)]);
        for network in networks(Trained::Norms).iter().chain(&networks(Trained::Modulated)) {
            let all = network.layout().parameters() + network.frozen().parameters();
            assert!(counts.contains(&(all, network.dimension())));
        }
    }

    /// Gradients of a value with several readers add up in one buffer: the last reader writes it, or
    /// shares that of its sum, and the others must be able to add.
    #[test]
    fn gradients_of_values_with_several_readers_add_up() {
        for network in networks(Trained::All) {
            for (number, node) in network.nodes.iter().enumerate() {
                for input in &node.inputs {
                    let is_last = !network.nodes.iter().skip(number + 1).any(|later| later.inputs.contains(input));
                    let adds = matches!(node.layer, Layer::Conv(_) | Layer::Depthwise(_) | Layer::AveragePool(_));
                    assert!(is_last || adds, "{} reads what is read later", node.name);
                }
            }
        }
    }
}
