//! How the published weights of a network are known: by the names and shapes of a few tensors.

use crate::config::BackboneKind;

/// A tensor's name and PyTorch's shape.
type Known = (&'static str, &'static [usize]);

/// What only one network has.
struct Signature {
    backbone: BackboneKind,
    has: [Known; 2],
    lacks: &'static str,
    /// What the names of the classifier's tensors begin with.
    classifier: &'static str,
}

const SIGNATURES: [Signature; 4] = [
    Signature {
        backbone: BackboneKind::EfficientnetLite0,
        has: [("_conv_head.weight", &[1280, 320, 1, 1]), ("_blocks.15._depthwise_conv.weight", &[1152, 1, 3, 3])],
        lacks: "_blocks.0._se_reduce.weight",
        classifier: "_fc.",
    },
    Signature {
        backbone: BackboneKind::EfficientnetB0,
        has: [("_conv_head.weight", &[1280, 320, 1, 1]), ("_blocks.15._se_reduce.weight", &[48, 1152, 1, 1])],
        lacks: "_blocks.16._project_conv.weight",
        classifier: "_fc.",
    },
    Signature {
        backbone: BackboneKind::Resnet12,
        has: [("layer1.0.conv1.weight", &[64, 3, 3, 3]), ("layer4.0.conv3.weight", &[640, 640, 3, 3])],
        lacks: "layer1.1.conv1.weight",
        classifier: "classifier.",
    },
    Signature {
        backbone: BackboneKind::Resnet18,
        has: [("conv1.weight", &[64, 3, 7, 7]), ("layer4.1.conv2.weight", &[512, 512, 3, 3])],
        lacks: "layer4.2.conv1.weight",
        classifier: "fc.",
    },
];

/// The network whose tensors these are; `shape` gives that of a name.
pub(crate) fn recognised<'s>(shape: impl Fn(&str) -> Option<&'s [usize]>) -> Option<BackboneKind> {
    let is_it = |one: &&Signature| {
        shape(one.lacks).is_none() && one.has.iter().all(|(name, expected)| shape(name) == Some(*expected))
    };
    SIGNATURES.iter().find(is_it).map(|one| one.backbone)
}

/// Whether a tensor belongs to the classifier that a published network was trained with, which no
/// learner of ours has a use for.
pub(crate) fn is_classifier(backbone: BackboneKind, tensor: &str) -> bool {
    SIGNATURES.iter().any(|one| one.backbone == backbone && tensor.starts_with(one.classifier))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_network_is_known_by_its_tensors_and_by_no_others() {
        for one in &SIGNATURES {
            let shape = |name: &str| one.has.iter().find(|(known, _)| *known == name).map(|(_, shape)| *shape);
            assert_eq!(recognised(shape), Some(one.backbone));
            // A larger network of the same family.
            let larger = |name: &str| if name == one.lacks { Some(&[1, 1, 1, 1][..]) } else { shape(name) };
            assert_eq!(recognised(larger), None);
        }
        assert_eq!(recognised(|_| None), None);
    }
}
