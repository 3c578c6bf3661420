//! The tasks of training steps: of images that are loaded ahead, or of feature maps of frozen stages
//! that are kept, so that no image goes through these stages twice.

use std::collections::{HashMap, HashSet};

use inkling_data::{EpisodePlan, IDENTITY, ImageId, Normalization, Pixels};
use inkling_meta::{Images, Learner, Task};

use super::SessionError;
use super::tasks::{PreparedTask, ReadImage, TaskSource, TaskStream};
use crate::units::ByteSize;

/// Where the tasks of a run's steps come from.
pub(super) enum Supply {
    Images(TaskStream),
    Features {
        cache: FeatureCache,
        /// The episode of the next task.
        next: u64,
    },
}

impl Supply {
    /// The episodes from `first` on.
    pub(super) fn new(source: &TaskSource, first: u64, features: Option<FeatureCache>) -> Self {
        match features {
            Some(cache) => Self::Features { cache, next: first },
            None => Self::Images(source.stream(first)),
        }
    }

    /// The task of the next episode.
    pub(super) async fn next(
        &mut self,
        learner: &mut Learner,
        source: &TaskSource,
    ) -> Result<SuppliedTask, SessionError> {
        let (cache, next) = match self {
            Self::Images(stream) => return Ok(SuppliedTask::Images(stream.next()?)),
            Self::Features { cache, next } => (cache, next),
        };
        let (plan, images) = source.read(source.episode(*next), |image| !cache.maps.contains_key(image))?;
        *next += 1;
        let mut support = cache.maps(learner, &source.normalization, &images).await?;
        let query = support.split_off(plan.support().len() * learner.model().network().image_elements() as usize);
        Ok(SuppliedTask::Features { plan, support, query })
    }

    /// The feature maps that are kept.
    pub(super) fn features(&mut self) -> Option<&mut FeatureCache> {
        match self {
            Self::Images(_) => None,
            Self::Features { cache, .. } => Some(cache),
        }
    }
}

/// A task with everything that the device needs of it.
pub(super) enum SuppliedTask {
    Images(PreparedTask),
    Features { plan: EpisodePlan, support: Vec<f32>, query: Vec<f32> },
}

impl SuppliedTask {
    pub(super) fn task(&self) -> Task<'_> {
        match self {
            Self::Images(prepared) => prepared.task(),
            Self::Features { plan, support, query } => Task {
                ways: plan.ways(),
                support: Images::Values(support),
                support_labels: plan.support_labels(),
                query: Images::Values(query),
                query_labels: plan.query_labels(),
            },
        }
    }
}

/// The feature maps of the images seen so far, within a budget. Images beyond it are computed anew:
/// where episodes draw images evenly, no choice of which to keep does better.
#[derive(Debug)]
pub(super) struct FeatureCache {
    maps: HashMap<ImageId, Vec<f32>>,
    most_bytes: u64,
    bytes: u64,
}

impl FeatureCache {
    pub(super) fn new(most: ByteSize) -> Self {
        Self { maps: HashMap::new(), most_bytes: most.0, bytes: 0 }
    }

    /// The images whose feature maps are kept; they stay so.
    pub(super) fn images(&self) -> HashSet<ImageId> {
        self.maps.keys().copied().collect()
    }

    /// The feature maps of images as they are, one behind the other; those that are not kept go
    /// through the frozen stages, and need their pixels.
    pub(super) async fn maps(
        &mut self,
        learner: &mut Learner,
        normalization: &Normalization,
        images: &[ReadImage],
    ) -> Result<Vec<f32>, SessionError> {
        let new = images.iter().filter(|(image, _)| !self.maps.contains_key(image));
        let pixels: Vec<Pixels> = new.filter_map(|(_, pixels)| pixels.clone()).collect();
        let elements = learner.model().network().image_elements() as usize;
        let mut computed = Vec::new();
        if !pixels.is_empty() {
            let affines = vec![IDENTITY; pixels.len()];
            computed = learner.features(Images::Bytes { pixels: &pixels, affines: &affines, normalization }).await?;
        }
        let mut fresh = computed.chunks(elements.max(1));
        let mut maps = Vec::with_capacity(images.len() * elements);
        let mut kept = Vec::new();
        for (image, _) in images {
            match self.maps.get(image) {
                Some(map) => maps.extend_from_slice(map),
                None => {
                    let map = fresh.next().ok_or(SessionError::Fault("a feature map was not computed"))?;
                    maps.extend_from_slice(map);
                    kept.push((*image, map));
                }
            }
        }
        kept.into_iter().for_each(|(image, map)| self.keep(image, map));
        Ok(maps)
    }

    fn keep(&mut self, image: ImageId, map: &[f32]) {
        let bytes = 4 * map.len() as u64;
        if self.bytes + bytes <= self.most_bytes && self.maps.insert(image, map.to_vec()).is_none() {
            self.bytes += bytes;
        }
    }
}
