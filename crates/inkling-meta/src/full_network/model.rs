//! The parameters of a full-network learner: the network's, the classifier's, and learned rates.

use inkling_nn::{Layout, Linear, Network};

use super::settings::{FullNetworkKind, FullNetworkSettings, InnerRates};
use crate::{GradientSettings, MetaError};

/// Geometry of a full-network learner, without memory.
#[derive(Clone, Debug)]
pub(crate) struct FullNetworkModel {
    pub(crate) settings: FullNetworkSettings,
    pub(crate) classifier: Linear,
    /// Elements of a task's parameters: network and classifier. Learned rates lie behind them.
    pub(crate) stride: u32,
    /// Offset and length of each tensor of a task's parameters.
    pub(crate) tensors: Vec<[u32; 2]>,
    /// Whether any of the network is adapted, and not the classifier alone.
    pub(crate) adapts_network: bool,
    /// The classifier's weights in the flat parameters, and their deviation at first.
    classifier_weight: [u32; 2],
    deviation: f32,
}

impl FullNetworkModel {
    /// Adds `classifier.weight` `[ways, d]` and `classifier.bias` `[ways]` to the network's layout,
    /// and learned rates behind them.
    ///
    /// # Errors
    /// [`MetaError::Config`] for settings that cannot be.
    pub(crate) fn new(
        settings: FullNetworkSettings,
        gradient: &GradientSettings,
        network: &Network,
        layout: &mut Layout,
    ) -> Result<Self, MetaError> {
        settings.check(gradient)?;
        if settings.is_second_order()
            && let Err(layer) = network.check_tangents()
        {
            return Err(MetaError::config(
                "learner.kind",
                "maml",
                format!(
                    "norm {layer} is not trained, takes its statistics from the images and has no Hessian-vector \
                     products then; train all norms, or use learner.kind = \"fomaml\" or \"reptile\""
                ),
            ));
        }
        let dimension = network.dimension();
        let adapts_network = layout.elements() > 0;
        let fine_tunes = settings.kind.fine_tune().is_some();
        let classifier = Linear::new(layout, "classifier", dimension, settings.ways);
        let stride = layout.elements();
        let entries = layout.entries().to_vec();
        match settings.rates {
            InnerRates::Fixed => {}
            InnerRates::PerLayer => {
                layout.push("inner_rates", &[entries.len()]);
            }
            InnerRates::PerParameter => {
                // In the same order and alignment, each rate lies `stride` behind its parameter.
                for entry in &entries {
                    layout.push(format!("inner_rates.{}", entry.name), &entry.shape);
                }
            }
        }
        let weight = entries.iter().find(|entry| entry.name == "classifier.weight");
        Ok(Self {
            settings,
            classifier,
            stride,
            tensors: entries.iter().map(|entry| [entry.offset, entry.length]).collect(),
            classifier_weight: weight.map_or([0, 0], |entry| [entry.offset, entry.length]),
            adapts_network,
            // Where a classifier was not learned, nothing speaks for one class or another.
            deviation: if fine_tunes { 0.0 } else { (dimension as f32).sqrt().recip() },
        })
    }

    /// Whether the rates of the inner steps are learned.
    pub(crate) fn learns_rates(&self) -> bool {
        self.settings.rates != InnerRates::Fixed
    }

    /// Operations on one support image, from those of the convolutions' forward and backward pass:
    /// a Hessian-vector product takes eight forward passes, less what the images, which have neither
    /// tangent nor gradient, spare the first layer.
    pub(crate) fn support_flops(&self, forward: f64, backward: f64) -> f64 {
        let (steps, product) = (f64::from(self.settings.inner_steps), 5.0 * backward - 2.0 * forward);
        let products = match self.settings.kind {
            FullNetworkKind::Maml => steps,
            FullNetworkKind::Imaml(implicit) => f64::from(implicit.cg_steps),
            FullNetworkKind::Fomaml | FullNetworkKind::Reptile | FullNetworkKind::FineTune(_) => 0.0,
        };
        steps * (forward + backward) + products * product
    }

    /// First values behind the network's: normal weights of variance 1/d, biases zero, rates as
    /// configured.
    pub(crate) fn initialize(&self, layout: &Layout, parameters: &mut [f32], mut normal: impl FnMut() -> f32) {
        let [offset, length] = self.classifier_weight.map(|value| value as usize);
        for value in parameters.iter_mut().skip(offset).take(length) {
            *value = self.deviation * normal();
        }
        for entry in layout.entries().iter().filter(|entry| entry.offset >= self.stride) {
            let slice = parameters.iter_mut().skip(entry.offset as usize).take(entry.length as usize);
            slice.for_each(|value| *value = self.settings.inner_learning_rate);
        }
    }
}
