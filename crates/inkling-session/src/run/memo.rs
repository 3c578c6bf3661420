//! Embeddings by image, for evaluations that come to the same images again and again.

use std::collections::{HashMap, HashSet};

use inkling_data::{DataError, EpisodePlan, IDENTITY, ImageId, Normalization, Pixels};
use inkling_meta::{Images, Learner};
use inkling_platform::Prefetch;

use super::SessionError;
use super::supply::FeatureCache;
use super::tasks::{ReadImage, TaskSource};

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

    /// The embeddings of an episode's images, support before query, `[images][d]`; those that are
    /// new go through the network, from their feature maps where these are kept.
    pub(super) async fn rows(
        &mut self,
        learner: &mut Learner,
        (normalization, features): (&Normalization, Option<&mut FeatureCache>),
        episode: &Glimpse,
    ) -> Result<Vec<f32>, SessionError> {
        if !episode.new.is_empty() {
            let embeddings = match features {
                Some(features) => {
                    let maps = features.maps(learner, normalization, &episode.new).await?;
                    learner.embed(Images::Values(&maps)).await?
                }
                None => {
                    let pixels: Vec<Pixels> = episode.new.iter().filter_map(|(_, pixels)| pixels.clone()).collect();
                    let affines = vec![IDENTITY; pixels.len()];
                    learner.embed(Images::Bytes { pixels: &pixels, affines: &affines, normalization }).await?
                }
            };
            let dimension = learner.model().network().dimension().max(1) as usize;
            let images = episode.new.iter().map(|(image, _)| *image);
            self.rows.extend(images.zip(embeddings.chunks(dimension).map(<[f32]>::to_vec)));
        }
        let images = episode.plan.support().iter().chain(episode.plan.query());
        Ok(images.filter_map(|image| self.rows.get(image)).flatten().copied().collect())
    }
}

/// An episode with those images that no earlier one had, and their pixels unless feature maps of
/// them are kept.
pub(super) struct Glimpse {
    pub(super) plan: EpisodePlan,
    new: Vec<ReadImage>,
}

/// The first episodes of a source, read ahead of their use.
pub(super) struct Glimpses(Prefetch<Option<Result<Glimpse, DataError>>>);

impl Glimpses {
    /// Nothing is read of images whose feature maps are `kept`.
    pub(super) fn of(source: &TaskSource, episodes: u32, kept: HashSet<ImageId>) -> Self {
        let (ahead, source, mut seen) = (source.ahead(), source.clone(), HashSet::new());
        Self(Prefetch::new(0, ahead, move |index| {
            (index < u64::from(episodes)).then(|| glimpse(&source, index, &kept, &mut seen))
        }))
    }

    /// The next episode.
    pub(super) fn next(&mut self) -> Result<Glimpse, SessionError> {
        let ended = || SessionError::Fault("the thread that loads episodes has ended early");
        Ok(self.0.take().flatten().ok_or_else(ended)??)
    }
}

fn glimpse(
    source: &TaskSource,
    index: u64,
    kept: &HashSet<ImageId>,
    seen: &mut HashSet<ImageId>,
) -> Result<Glimpse, DataError> {
    let (plan, images) = source.read(index, |image| !seen.contains(image) && !kept.contains(image))?;
    let new: Vec<_> = images.into_iter().filter(|(image, _)| !seen.contains(image)).collect();
    seen.extend(new.iter().map(|(image, _)| *image));
    Ok(Glimpse { plan, new })
}

#[cfg(test)]
mod tests {
    use super::super::tasks::tests::damaged_photos;
    use super::*;

    #[test]
    fn each_image_is_read_once_and_episodes_are_those_of_any_other_reader() {
        let source = damaged_photos(false);
        let (mut glimpses, mut seen) = (Glimpses::of(&source, 10, HashSet::new()), HashSet::new());
        for index in 0..10 {
            let glimpse = glimpses.next().unwrap();
            assert_eq!(&glimpse.plan, source.prepare(index).unwrap().episode().plan());
            assert!(glimpse.new.iter().all(|(image, _)| seen.insert(*image)));
            assert!(glimpse.plan.support().iter().chain(glimpse.plan.query()).all(|image| seen.contains(image)));
        }
        assert_eq!(seen.len(), 9, "three sound photos of three classes");
        assert!(glimpses.next().is_err(), "no more episodes than were asked for");
    }

    #[test]
    fn images_with_feature_maps_are_not_read() {
        let source = damaged_photos(false);
        let pick = |mut glimpses: Glimpses| (0..10).map(|_| glimpses.next().unwrap()).collect::<Vec<_>>();
        let all = pick(Glimpses::of(&source, 10, HashSet::new()));
        let kept: HashSet<ImageId> = all.iter().take(1).flat_map(|glimpse| glimpse.plan.support()).copied().collect();
        for (some, all) in pick(Glimpses::of(&source, 10, kept.clone())).iter().zip(&all) {
            assert_eq!(some.plan, all.plan);
            let is_read = |new: &[ReadImage]| -> Vec<(ImageId, bool)> {
                new.iter().map(|(image, pixels)| (*image, pixels.is_some())).collect()
            };
            let expected: Vec<_> = all.new.iter().map(|(image, _)| (*image, !kept.contains(image))).collect();
            assert_eq!(is_read(&some.new), expected);
        }
    }
}
