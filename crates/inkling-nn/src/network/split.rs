//! A network in two: first stages of which nothing is trained, and the rest, which takes what they
//! compute for its images. What the first stages make of an image never changes, so it can be kept.

use super::{Network, Node};

impl Network {
    /// The stages before the first that is trained, and the rest; none where training begins with
    /// the images, or nothing is trained.
    ///
    /// Both have the layouts of the whole, so that flat vectors of the whole serve them. Behind each
    /// other they compute what the whole computes, in the same order.
    pub fn split(&self) -> Option<(Self, Self)> {
        let trained = self.nodes.iter().position(|node| node.trained)?;
        let at = self.stages.iter().copied().filter(|&at| at <= trained && self.is_cut(at)).max()?;
        let (first, rest) = self.nodes.split_at_checked(at)?;
        let shifted =
            |node: &Node| Node { inputs: node.inputs.iter().map(|input| input - at).collect(), ..node.clone() };
        let part = |nodes: Vec<Node>, from: usize| {
            let values = || from..=from + nodes.len();
            Self {
                shapes: self.shapes.get(values()).unwrap_or_default().to_vec(),
                reached: self.reached.get(values()).unwrap_or_default().to_vec(),
                nodes,
                stages: Vec::new(),
                ..self.clone()
            }
        };
        Some((part(first.to_vec(), 0), part(rest.iter().map(shifted).collect(), at)))
    }

    /// Whether nothing from this value on reads an earlier one, nor does it come first or last. Sums
    /// and gates read two values, of which one can be older: only where a single value crosses can a
    /// network part.
    fn is_cut(&self, at: usize) -> bool {
        let mut later = self.nodes.iter().skip(at).flat_map(|node| &node.inputs);
        at > 0 && at < self.nodes.len() && later.all(|&input| input >= at)
    }
}

#[cfg(test)]
mod tests {
    use inkling_gpu::Tier;

    use crate::{Backbone, Network, NetworkConfig, Norm, Trained};

    fn network(trained: Trained) -> Network {
        of(Backbone::EfficientNetLite0, trained)
    }

    fn of(backbone: Backbone, trained: Trained) -> Network {
        let config = NetworkConfig { backbone, trained, in_channels: 3, image_size: 64, norm: Norm::Frozen };
        Network::new(config, Tier::Cpu).unwrap()
    }

    #[test]
    fn a_network_parts_where_training_begins() {
        let whole = network(Trained::Last { stages: 1 });
        let (first, rest) = whole.split().unwrap();
        // What stage 7 takes: 192 channels at a 32nd of the images' size.
        assert_eq!((first.image_elements(), first.dimension()), (3 * 64 * 64, 192 * 2 * 2));
        assert_eq!((rest.image_elements(), rest.dimension()), (192 * 2 * 2, 1280));
        assert_eq!([first.layout(), rest.frozen(), rest.running()], [whole.layout(), whole.frozen(), whole.running()]);
        assert_eq!(first.forward_flops() + rest.forward_flops(), whole.forward_flops());
        assert_eq!((first.backward_flops(), rest.backward_flops()), (0.0, whole.backward_flops()));
    }

    #[test]
    fn more_stages_train_more() {
        let parameters = |trained| network(trained).layout().parameters();
        // The last convolution, 320 × 1280, and its norm.
        assert_eq!(parameters(Trained::Last { stages: 0 }), 320 * 1280 + 2 * 1280);
        assert_eq!(parameters(Trained::LastNorms { stages: 0 }), 2 * 1280);
        let all = [0, 1, 2, 7, 8].map(|stages| parameters(Trained::Last { stages }));
        assert!(all.is_sorted_by(|fewer, more| fewer < more), "{all:?}");
        assert_eq!(parameters(Trained::Last { stages: 8 }), parameters(Trained::All));
    }

    /// The last stage takes 192 channels at a 32nd of the images' size, 320 at an 8th, and 256 at a 16th.
    #[test]
    fn networks_with_gates_and_activations_of_their_own_part_between_stages() {
        let drop_permille = 300;
        let networks = [
            (Backbone::EfficientNetB0 { drop_permille }, 192 * 2 * 2),
            (Backbone::ResNet12 { drop_permille }, 320 * 8 * 8),
            (Backbone::ResNet18, 256 * 4 * 4),
        ];
        for (backbone, elements) in networks {
            let whole = of(backbone, Trained::Last { stages: 1 });
            let (first, rest) = whole.split().unwrap();
            assert_eq!((u64::from(first.dimension()), rest.image_elements()), (elements, elements), "{backbone:?}");
            assert_eq!(rest.dimension(), whole.dimension(), "{backbone:?}");
            assert_eq!(first.forward_flops() + rest.forward_flops(), whole.forward_flops(), "{backbone:?}");
            assert!(!first.drops() && rest.drops() == matches!(backbone, Backbone::ResNet12 { .. }), "{backbone:?}");
            // A cut elsewhere than between stages would leave a value behind.
            for at in 0..whole.nodes.len() {
                let crossing = whole.nodes.iter().skip(at).any(|node| node.inputs.iter().any(|&input| input < at));
                assert!(!(crossing && whole.is_cut(at)), "{backbone:?} at {at}");
            }
        }
    }

    #[test]
    fn what_trains_from_its_first_layer_has_no_first_part() {
        for trained in [Trained::Nothing, Trained::All, Trained::Last { stages: 8 }] {
            assert!(network(trained).split().is_none(), "{trained:?}");
        }
    }
}
