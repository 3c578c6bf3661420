//! A learner as a file: weights in safetensors with the card that says what network they belong to,
//! what it was trained on and how well it does.

use std::sync::Arc;

use inkling_data::ImageShape;

use crate::config::BackboneKind;
use crate::model_card::{CardResult, ModelCard};
use crate::tensor_file::TensorFile;

/// The most bytes of a learner's file.
const MAX_BYTES: usize = 256 << 20;

/// Weights with their card.
#[derive(Clone, Debug)]
pub struct LearnerFile {
    name: String,
    bytes: Arc<[u8]>,
    card: ModelCard,
    weights: Arc<TensorFile>,
}

impl LearnerFile {
    /// Reads the bytes of `weights.safetensors`; `name` is what users see.
    ///
    /// # Errors
    /// With the name and what is wrong: too large, damaged, or without a card.
    pub fn from_bytes(name: impl Into<String>, bytes: impl Into<Arc<[u8]>>) -> Result<Self, String> {
        let (name, bytes) = (name.into(), bytes.into());
        if bytes.len() > MAX_BYTES {
            return Err(format!("{name} cannot be used: it is larger than any learner of this program"));
        }
        let weights = TensorFile::decode(&bytes).map_err(|reason| format!("{name} cannot be used: {reason}"))?;
        let card = weights.teaching_card().ok_or_else(|| {
            format!(
                "{name} cannot be used: it has no model card, so its network is unknown; take weights.safetensors \
                 from a checkpoint of Inkling"
            )
        })?;
        Ok(Self { name, bytes, card, weights: Arc::new(weights) })
    }

    /// The learner that the project trained and ships, for programs that carry it inside.
    ///
    /// # Errors
    /// None in practice: a test reads it.
    #[cfg(feature = "shipped-learner")]
    pub fn shipped() -> Result<Self, String> {
        Self::from_bytes(SHIPPED_NAME, &include_bytes!("../../learners/scenes.safetensors")[..])
    }

    /// What users see.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file's bytes.
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// What network, trained on what.
    pub fn model_card(&self) -> &ModelCard {
        &self.card
    }

    /// The tensors.
    pub fn weights(&self) -> &TensorFile {
        &self.weights
    }

    /// The same, to be kept.
    pub fn shared_weights(&self) -> Arc<TensorFile> {
        Arc::clone(&self.weights)
    }

    /// What to show of it.
    pub fn card(&self) -> LearnerCard {
        let [channels, height, width] = self.card.image_shape;
        let tensors = self.weights.tensors.values();
        LearnerCard {
            name: self.name.clone(),
            image: ImageShape { channels, height, width },
            network: match self.card.model.backbone {
                BackboneKind::Conv4 => format!("Conv-4, {} channels", self.card.model.channels),
                other => other.words().to_owned(),
            },
            solver: match &self.card.learner {
                Some(learner) => learner.kind.name().to_owned(),
                None => self.card.head.kind.name().to_owned(),
            },
            parameters: tensors.map(|tensor| tensor.shape().iter().product::<usize>()).sum(),
            bytes: self.bytes.len(),
            trained_on: self.card.trained_on.clone(),
            steps: self.card.step,
            result: self.card.result.clone(),
        }
    }
}

/// The name of the shipped learner, for programs that fetch it.
pub const SHIPPED_NAME: &str = "scenes";

/// What to show of a learner.
#[derive(Clone, Debug, PartialEq)]
pub struct LearnerCard {
    /// Its name.
    pub name: String,
    /// The images that it takes; others are brought to this shape.
    pub image: ImageShape,
    /// The network, in words.
    pub network: String,
    /// The head or whole-network learner, as the configuration calls it.
    pub solver: String,
    /// Numbers in its tensors.
    pub parameters: usize,
    /// Size of its file.
    pub bytes: usize,
    /// The data specification it was trained on.
    pub trained_on: String,
    /// Training steps.
    pub steps: u64,
    /// How well it does on classes that it was not trained on, where that was measured.
    pub result: Option<CardResult>,
}
