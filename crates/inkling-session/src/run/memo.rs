//! Embeddings by image, for evaluations that come to the same images again and again.

use std::collections::HashMap;

use inkling_data::{IDENTITY, ImageId, Pixels};
use inkling_meta::{Images, Learner};

use super::SessionError;
use super::tasks::TaskSource;

/// The most bytes of embeddings to keep on the host.
const MOST_BYTES: u64 = 1 << 30;

/// The embeddings of the images seen so far.
#[derive(Debug, Default)]
pub(super) struct Memo {
    rows: HashMap<ImageId, Vec<f32>>,
}

impl Memo {
    /// An empty memory, where each image has an embedding of its own, all of them fit, and the
    /// episodes hold more images than there are.
    pub(super) fn worth_it(learner: &Learner, source: &TaskSource, episodes: u32) -> Option<Self> {
        learner.model().check_embeds().ok()?;
        let (dataset, split) = (source.dataset.as_ref(), source.split);
        let images: u64 =
            (0..dataset.class_count(split)).map(|class| u64::from(dataset.image_count(split, class))).sum();
        let limits = learner.limits();
        let wanted = u64::from(episodes) * u64::from(limits.support + limits.queries);
        let bytes = images.checked_mul(4 * u64::from(learner.model().network().dimension()))?;
        (source.augmentation.is_none() && wanted > images && bytes <= MOST_BYTES).then(Self::default)
    }

    /// The embeddings of images, `[images][d]`; those that are new go through the network.
    pub(super) async fn rows(
        &mut self,
        learner: &mut Learner,
        source: &TaskSource,
        images: &[ImageId],
    ) -> Result<Vec<f32>, SessionError> {
        let new: Vec<ImageId> = images.iter().filter(|image| !self.rows.contains_key(image)).copied().collect();
        let load = |id: &ImageId| source.dataset.pixels(id.split, id.class, id.index);
        let pixels = new.iter().map(load).collect::<Result<Vec<Pixels>, _>>()?;
        if !new.is_empty() {
            let affines = vec![IDENTITY; pixels.len()];
            let normalization = &source.normalization;
            let embeddings = learner.embed(Images::Bytes { pixels: &pixels, affines: &affines, normalization }).await?;
            let dimension = learner.model().network().dimension().max(1) as usize;
            self.rows.extend(new.into_iter().zip(embeddings.chunks(dimension).map(<[f32]>::to_vec)));
        }
        Ok(images.iter().filter_map(|image| self.rows.get(image)).flatten().copied().collect())
    }
}
