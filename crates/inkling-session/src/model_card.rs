//! What a file of weights says about itself, so that `inkling adapt --model FILE` needs nothing
//! else: the network, the head, the shape and the normalisation of its images.

use inkling_data::{DataError, Framing, ImageShape};
use serde::{Deserialize, Serialize};

use crate::config::{BackboneKind, HeadConfig, LearnerConfig, Metric, ModelConfig, NormKind};

/// The version of the card's fields.
const FORMAT: u32 = 1;

/// The cosine's scale of networks that were published for a thousand classes. On photographs of
/// groceries embedded by EfficientNet-Lite0 it gives the least cross-entropy of 5 and 20 ways with
/// one example each (0.38 and 1.05, where 10 gives 0.48 and 1.28).
const PUBLISHED_SCALE: f32 = 20.0;

/// Mean and standard deviation of mini-ImageNet by channel, as the sources of ResNet-12 have them.
const MINI_IMAGENET: [[f32; 3]; 2] = [[0.47214, 0.45331, 0.40996], [0.27718, 0.26775, 0.28449]];

/// The self-description of a model, stored as JSON in the metadata of its safetensors file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelCard {
    format: u32,
    /// The network.
    pub model: ModelConfig,
    /// The head.
    pub head: HeadConfig,
    /// The learner that adapts the whole network, where there is one in place of a head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learner: Option<LearnerConfig>,
    /// Channels, height and width of the images it takes.
    pub image_shape: [u32; 3],
    /// The share of a photo's shorter side that its images show.
    #[serde(default = "all", skip_serializing_if = "is_all")]
    pub center_crop: f32,
    /// Mean per channel that pixels, scaled to `0..=1`, are normalised with.
    pub mean: Vec<f32>,
    /// Standard deviation per channel.
    pub std: Vec<f32>,
    /// The data specification it was trained on.
    pub trained_on: String,
    /// The optimiser step it stems from.
    pub step: u64,
    /// How well it does on classes that it was not trained on, where that was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<CardResult>,
}

/// What learners show of a photo that do not say it.
fn all() -> f32 {
    1.0
}

fn is_all(center_crop: &f32) -> bool {
    *center_crop == all()
}

/// An evaluation that a card tells of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardResult {
    /// The data specification.
    pub data: String,
    /// The split, such as `test`.
    pub split: String,
    /// Classes per episode.
    pub ways: u32,
    /// Support images per class.
    pub shots: u32,
    /// Episodes.
    pub episodes: u32,
    /// Mean accuracy, `0..=1`.
    pub accuracy: f32,
    /// Half the width of its 95 % confidence interval.
    pub interval: f32,
}

impl ModelCard {
    /// A card of the present format.
    pub fn new(
        model: ModelConfig,
        (head, learner): (HeadConfig, Option<LearnerConfig>),
        (shape, center_crop): (ImageShape, f32),
        mean: Vec<f32>,
        std: Vec<f32>,
        trained_on: String,
        step: u64,
    ) -> Self {
        let image_shape = [shape.channels, shape.height, shape.width];
        let format = FORMAT;
        Self { format, model, head, learner, image_shape, center_crop, mean, std, trained_on, step, result: None }
    }

    /// How images are brought to the learner.
    ///
    /// # Errors
    /// `DataError::Setting` when it is to show nothing of them, or more than all.
    pub fn framing(&self) -> Result<Framing, DataError> {
        let [channels, height, width] = self.image_shape;
        Framing::new(ImageShape { channels, height, width }, self.center_crop)
    }

    /// The card of a network as it was published: frozen, with prototypes.
    pub(crate) fn published(backbone: BackboneKind) -> Self {
        let model = ModelConfig { backbone, norm: NormKind::Frozen, ..ModelConfig::default() };
        let (size, data) = match backbone {
            BackboneKind::Resnet12 => (84, "mini-ImageNet"),
            _ => (224, "ImageNet"),
        };
        let [mean, std] = backbone.statistics().unwrap_or_else(|| MINI_IMAGENET.map(|values| values.to_vec()));
        let framing = (ImageShape { channels: 3, height: size, width: size }, backbone.center_crop());
        Self::new(model, (HeadConfig::default(), None), framing, mean, std, data.to_owned(), 0)
    }

    /// The card of a network as it was published, for those who teach it classes: told apart by
    /// cosine, with a scale at which probabilities mean what they say. Distances of such embeddings,
    /// taken as they are, make all or nothing of them.
    pub(crate) fn published_for_teaching(backbone: BackboneKind) -> Self {
        let card = Self::published(backbone);
        let head = HeadConfig { metric: Metric::Cosine, scale: Some(PUBLISHED_SCALE), ..card.head };
        Self { head, ..card }
    }

    /// The card as JSON.
    ///
    /// # Errors
    /// With the serialiser's message.
    pub fn to_json(&self) -> Result<String, String> {
        serde_json::to_string(self).map_err(|error| error.to_string())
    }

    /// Reads a card from JSON.
    ///
    /// # Errors
    /// When it is no card, of another format, or when its numbers cannot belong to a model.
    pub fn of_json(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let wrong =
            |error: serde_json::Error| format!("its model card cannot be read ({error}); export the model again");
        let version: Version = serde_json::from_str(text).map_err(wrong)?;
        if version.format != FORMAT {
            return Err(format!(
                "its model card has format {}, and this program reads format {FORMAT}; use the version of Inkling that wrote it",
                version.format
            ));
        }
        let card: Self = serde_json::from_str(text).map_err(wrong)?;
        let channels = card.image_shape.first().copied().unwrap_or_default() as usize;
        let usable = card.image_shape.iter().all(|size| (1..=65_536).contains(size))
            && card.framing().is_ok()
            && card.mean.len() == channels
            && card.std.len() == channels
            && card.mean.iter().all(|mean| mean.is_finite())
            && card.std.iter().all(|std| std.is_finite() && *std > 0.0);
        if usable {
            Ok(card)
        } else {
            Err("its model card describes images that cannot be; export the model again".to_owned())
        }
    }

    #[cfg(test)]
    pub(crate) fn example() -> Self {
        Self::new(
            ModelConfig::default(),
            (HeadConfig::default(), None),
            (ImageShape { channels: 1, height: 28, width: 28 }, 1.0),
            vec![0.1],
            vec![0.3],
            "glyphs".to_owned(),
            100,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_read_back_and_refuse_nonsense() {
        let json = ModelCard::example().to_json().unwrap();
        assert_eq!(ModelCard::of_json(&json).unwrap(), ModelCard::example());
        assert!(!json.contains("center_crop"), "as in files from before there was one");
        let cropped = ModelCard { center_crop: 0.875, ..ModelCard::example() };
        assert_eq!(ModelCard::of_json(&cropped.to_json().unwrap()).unwrap(), cropped);
        for (from, to) in [
            ("\"format\":1", "\"format\":2"),
            ("[0.3]", "[0.0]"),
            ("[0.1]", "[0.1,0.1]"),
            ("[1,28,28]", "[1,0,28]"),
            ("\"step\"", "\"stop\""),
            ("[1,28,28]", "[1,28,28],\"center_crop\":0.0"),
        ] {
            let changed = json.replace(from, to);
            assert_ne!(changed, json);
            assert!(ModelCard::of_json(&changed).is_err(), "{changed}");
        }
    }
}
