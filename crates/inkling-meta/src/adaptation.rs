//! What adapting to one task takes: steps, images through the network, and multiply-accumulates,
//! from the network's own list of layers and the head's algebra. No device is needed.

use crate::TaskLimits;
use crate::full_network::FullNetworkModel;
use crate::model::{KindModel, Model};

/// What adapting to one task takes, and what each query does afterwards.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Adaptation {
    /// Gradient steps on the support, of the network or of a head.
    pub steps: u32,
    /// Support images that go forward through the network, each as often as it does.
    pub forward_images: f64,
    /// Those that come back, of them.
    pub backward_images: f64,
    /// Multiply-accumulates of the network's convolutions.
    pub network_macs: f64,
    /// Those of FiLM: the set encoder on every support image, and the small networks once.
    pub film_macs: f64,
    /// Those of the head's or the classifier's algebra.
    pub head_macs: f64,
    /// Multiply-accumulates of one query, network and head.
    pub query_macs: f64,
}

impl Adaptation {
    /// Multiply-accumulates of network, FiLM and head.
    pub fn macs(&self) -> f64 {
        self.network_macs + self.film_macs + self.head_macs
    }
}

impl Model {
    /// What adapting to a task of this size takes, one at a time. Of the network the convolutions
    /// count, as is usual: norms, activations and pooling are left out.
    pub fn adaptation(&self, task: TaskLimits) -> Adaptation {
        let dimension = self.network.dimension();
        let (forward, backward) = (self.network.forward_flops() / 2.0, self.network.backward_flops() / 2.0);
        let support = f64::from(task.support);
        match &self.kind {
            KindModel::Head(head) => Adaptation {
                steps: head.inner_steps(),
                forward_images: support,
                backward_images: 0.0,
                network_macs: support * forward,
                film_macs: self.film.as_ref().map_or(0.0, |film| film.flops(support, None) / 2.0),
                head_macs: head.fit_macs(task, dimension),
                query_macs: forward + head.query_macs(task, dimension),
            },
            KindModel::FullNetwork(full) => {
                let weights = f64::from(task.ways) * f64::from(dimension);
                let seen = full.images_of_steps(task.support);
                let (forward_images, backward_images) = if full.adapts_network { (seen, seen) } else { (support, 0.0) };
                // Logits and the gradient of the classifier, and of the embeddings where it goes on.
                let products = if full.adapts_network { 3.0 } else { 2.0 };
                Adaptation {
                    steps: full.settings.inner_steps,
                    forward_images,
                    backward_images,
                    network_macs: forward_images * forward + backward_images * backward,
                    film_macs: 0.0,
                    head_macs: products * seen * weights,
                    query_macs: forward + weights,
                }
            }
        }
    }
}

impl FullNetworkModel {
    /// Support images of all inner steps together.
    fn images_of_steps(&self, support: u32) -> f64 {
        let steps = self.settings.inner_steps;
        let batch = self.settings.kind.fine_tune().map_or(0, |tune| tune.batch);
        if batch == 0 || batch >= support {
            return f64::from(steps) * f64::from(support);
        }
        // The last batch of a turn is what remains.
        let of_turn = support.div_ceil(batch);
        let rest = (u64::from(steps % of_turn) * u64::from(batch)).min(support.into());
        f64::from(steps / of_turn) * f64::from(support) + rest as f64
    }
}

#[cfg(test)]
mod tests {
    use inkling_gpu::Tier;
    use inkling_nn::{Backbone, NetworkConfig, Norm, Trained};

    use super::*;
    use crate::{
        EncoderSubset, Estimator, FilmSettings, FineTune, FullNetworkKind, FullNetworkSettings, GradientSettings,
        HeadSettings, InnerRates, LearnerConfig, LearnerKind, MahalanobisSettings, Metric, Optimizer, SubsetTime,
        VersaSettings,
    };

    /// 5-way 5-shot with Conv-4 of 64 channels at 84 pixels: embeddings of 64 · 5 · 5 values.
    const TASK: TaskLimits = TaskLimits { tasks: 1, ways: 5, support: 25, queries: 75 };
    const D: f64 = 1_600.0;
    /// 3×3 convolutions on 84², 42², 21² and 10² pixels: out pixels · 64 · 9 · channels.
    const FIRST: f64 = 84.0 * 84.0 * 64.0 * 27.0;
    const OTHERS: f64 = (42.0 * 42.0 + 21.0 * 21.0 + 10.0 * 10.0) * 64.0 * 576.0;
    const FORWARD: f64 = FIRST + OTHERS;
    /// The images need no gradient.
    const BACKWARD: f64 = FIRST + 2.0 * OTHERS;

    fn adaptation(kind: impl Into<LearnerKind>, trained: Trained) -> Adaptation {
        adaptation_with(kind, trained, None)
    }

    fn adaptation_with(kind: impl Into<LearnerKind>, trained: Trained, film: Option<FilmSettings>) -> Adaptation {
        let network = NetworkConfig {
            backbone: Backbone::Conv4 { channels: 64 },
            trained,
            in_channels: 3,
            image_size: 84,
            norm: Norm::Group { groups: 4 },
        };
        let gradient = GradientSettings {
            estimator: Estimator::Chunked,
            h: 0,
            chunk: 25,
            subset: SubsetTime::Task,
            query_batch: 0,
            support_subset: None,
        };
        Model::new(LearnerConfig { network, kind: kind.into(), film, gradient, source: None }, Tier::Cpu)
            .unwrap()
            .adaptation(TASK)
    }

    fn adapting(kind: FullNetworkKind, inner_steps: u32) -> FullNetworkSettings {
        FullNetworkSettings { kind, ways: 5, inner_steps, inner_learning_rate: 0.1, rates: InnerRates::Fixed }
    }

    fn tuning(inner_steps: u32, batch: u32) -> FullNetworkSettings {
        let optimizer = Optimizer::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };
        adapting(FullNetworkKind::FineTune(FineTune { optimizer, batch, seed: 0 }), inner_steps)
    }

    #[test]
    fn prototypes_pass_the_support_once() {
        assert_eq!(FORWARD, 97_164_288.0);
        let found = adaptation(HeadSettings::Prototypes { metric: Metric::Euclidean, scale: 1.0 }, Trained::All);
        assert_eq!((found.steps, found.forward_images, found.backward_images), (0, 25.0, 0.0));
        assert_eq!((found.network_macs, found.head_macs), (25.0 * FORWARD, 25.0 * D));
        assert_eq!(found.query_macs, FORWARD + 5.0 * D);
    }

    #[test]
    fn first_order_maml_comes_back_in_every_step() {
        let found = adaptation(adapting(FullNetworkKind::Fomaml, 5), Trained::All);
        assert_eq!((found.steps, found.forward_images, found.backward_images), (5, 125.0, 125.0));
        assert_eq!(found.network_macs, 125.0 * (FORWARD + BACKWARD));
        assert_eq!(found.head_macs, 125.0 * 3.0 * 5.0 * D);
    }

    #[test]
    fn a_new_classifier_needs_the_network_once() {
        let found = adaptation(tuning(50, 0), Trained::Nothing);
        assert_eq!((found.steps, found.forward_images, found.backward_images), (50, 25.0, 0.0));
        assert_eq!((found.network_macs, found.head_macs), (25.0 * FORWARD, 50.0 * 25.0 * 2.0 * 5.0 * D));
    }

    #[test]
    fn batches_count_the_images_they_hold() {
        // Batches of 10, 10 and 5 images, and 10 of the next turn.
        let found = adaptation(tuning(4, 10), Trained::All);
        assert_eq!((found.forward_images, found.backward_images), (35.0, 35.0));
        // The scales and shifts of norms take the gradient of the values alone.
        let norms = adaptation(tuning(4, 10), Trained::Norms);
        assert_eq!(norms.network_macs, 35.0 * (FORWARD + OTHERS));
    }

    #[test]
    fn film_encodes_the_support_once_more() {
        let film =
            FilmSettings { channels: 8, blocks: 2, groups: 2, regulariser: 0.0, subset: EncoderSubset::Independent };
        let head = HeadSettings::Prototypes { metric: Metric::Euclidean, scale: 1.0 };
        let found = adaptation_with(head, Trained::Modulated, Some(film));
        let encoder = 84.0 * 84.0 * 8.0 * 27.0 + 42.0 * 42.0 * 8.0 * 72.0;
        // For the scales and for the shifts of four norms 8 → 64 → 64, once for the task.
        assert_eq!(found.film_macs, 25.0 * encoder + 4.0 * 2.0 * (8.0 * 64.0 + 64.0 * 64.0));
        assert_eq!(found.macs(), 25.0 * (FORWARD + D) + found.film_macs);
    }

    #[test]
    fn heads_add_their_algebra() {
        let versa = adaptation(HeadSettings::Versa(VersaSettings { hidden: 100 }), Trained::All);
        let [weight, bias] = [D, 1.0].map(|outputs| 100.0 * (D + 100.0 + outputs));
        assert_eq!(versa.head_macs, 25.0 * D + 5.0 * (weight + bias + D));
        // 25 images of 1,600 values: systems on the support.
        let found = adaptation(HeadSettings::Mahalanobis(MahalanobisSettings::default()), Trained::All);
        let factors = 5.0 * (4.0 * 625.0 + 15_625.0 / 6.0);
        assert_eq!(found.head_macs, 50.0 * D + 2.0 * 625.0 * D + factors);
        assert_eq!(found.query_macs, FORWARD + 5.0 * (50.0 * D + 625.0 + D));
    }
}
