//! One episode as a learner sees it: its images, what the learner predicts, and where it embeds
//! them. Front ends draw it.

use serde::{Deserialize, Serialize};

/// An episode with the learner's predictions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EpisodeSnapshot {
    /// The last step before it was taken.
    pub step: u64,
    /// The number of the episode; of the validation classes where the run validates, else of the
    /// training classes.
    pub episode: u64,
    /// The name of the class of each label.
    pub classes: Vec<String>,
    /// Columns of pixels of every image.
    pub width: u32,
    /// Rows of pixels of every image.
    pub height: u32,
    /// The images that the learner learns from.
    pub support: Vec<SnapshotImage>,
    /// The images that it classifies.
    pub query: Vec<SnapshotImage>,
    /// Mean cross-entropy of the queries.
    pub loss: f32,
    /// Share of right queries, `0..=1`.
    pub accuracy: f32,
    /// Share of support images that the learner has right after it has learned from them, `0..=1`.
    pub support_accuracy: f32,
}

/// One image of a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SnapshotImage {
    /// Its pixels without augmentation, `[height, width, 4]`, opaque.
    pub rgba: Vec<u8>,
    /// Its label.
    pub label: u32,
    /// The probability of each class; empty where nothing was predicted.
    pub probabilities: Vec<f32>,
    /// Where the backbone embeds it; empty for learners that have no embedding.
    pub embedding: Vec<f32>,
}

impl SnapshotImage {
    /// The most probable class; none where nothing was predicted.
    pub fn prediction(&self) -> Option<u32> {
        let best = self.probabilities.iter().enumerate().max_by(|first, second| first.1.total_cmp(second.1));
        best.map(|(class, _)| class as u32)
    }

    /// Whether it was classified wrongly.
    pub fn is_error(&self) -> bool {
        self.prediction().is_some_and(|class| class != self.label)
    }
}

/// Share of images that are classified rightly, `0..=1`.
pub(crate) fn accuracy(images: &[SnapshotImage]) -> f32 {
    let right = images.iter().filter(|image| !image.is_error()).count();
    right as f32 / images.len().max(1) as f32
}

/// Planar `[channels, height, width]` bytes as `[height, width, 4]`: grey images have one channel.
pub(crate) fn rgba(pixels: &[u8], channels: u32) -> Vec<u8> {
    let plane = pixels.len() / channels.max(1) as usize;
    let at = |channel: usize, place: usize| pixels.get(channel * plane + place).copied().unwrap_or(0);
    let color = |place| match channels {
        1 | 2 => [at(0, place), at(0, place), at(0, place), u8::MAX],
        _ => [at(0, place), at(1, place), at(2, place), u8::MAX],
    };
    (0..plane).flat_map(color).collect()
}

/// The probabilities of logits.
pub(crate) fn softmax(logits: &[f32]) -> Vec<f32> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = logits.iter().map(|&logit| libm::exp(f64::from(logit - largest))).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| (power / sum) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_become_pixels() {
        assert_eq!(rgba(&[7, 9], 1), [7, 7, 7, 255, 9, 9, 9, 255]);
        assert_eq!(rgba(&[1, 2, 3, 4, 5, 6], 3), [1, 3, 5, 255, 2, 4, 6, 255]);
        assert!(rgba(&[], 3).is_empty());
    }

    #[test]
    fn probabilities_sum_to_one_however_large_the_logits() {
        let probabilities = softmax(&[1000.0, 1000.0 + 2.0_f32.ln(), f32::NEG_INFINITY]);
        assert!((probabilities[0] - 1.0 / 3.0).abs() < 1e-4 && (probabilities[1] - 2.0 / 3.0).abs() < 1e-4);
        assert_eq!(probabilities[2], 0.0);
        let image = SnapshotImage { probabilities, label: 0, ..SnapshotImage::default() };
        assert!(image.is_error() && image.prediction() == Some(1));
        assert!(!SnapshotImage::default().is_error());
    }
}
