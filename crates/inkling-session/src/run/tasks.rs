//! Episodes with everything that a task on the device needs, made ahead of their use.

use std::sync::Arc;

use inkling_data::{
    Augmentation, DataError, Dataset, Episode, EpisodePlan, EpisodeSpec, IDENTITY, Normalization, Pixels, Split,
    VariableRules,
};
use inkling_meta::{Images, Task};
use inkling_platform::Prefetch;

use super::SessionError;
use crate::config::{AugmentationConfig, EvaluationConfig, SplitName, TaskConfig};

/// Episodes that are loaded ahead.
const AHEAD: usize = 4;

/// An episode with its augmentation and normalisation.
pub(super) struct PreparedTask {
    episode: Episode,
    support_affines: Vec<[f32; 6]>,
    query_affines: Vec<[f32; 6]>,
    normalization: Arc<Normalization>,
}

impl PreparedTask {
    pub(super) fn episode(&self) -> &Episode {
        &self.episode
    }

    pub(super) fn task(&self) -> Task<'_> {
        Task {
            ways: self.episode.ways(),
            support: self.images(self.episode.support(), &self.support_affines),
            support_labels: self.episode.support_labels(),
            query: self.images(self.episode.query(), &self.query_affines),
            query_labels: self.episode.query_labels(),
        }
    }

    /// The same support, asked about its own images: tasks with at most `room` queries each, which
    /// together have the whole support in its order.
    pub(super) fn support_as_query(&self, room: u32) -> impl Iterator<Item = Task<'_>> {
        let room = room.max(1) as usize;
        let labels = self.episode.support_labels().chunks(room);
        let images = self.episode.support().chunks(room).zip(self.support_affines.chunks(room));
        images.zip(labels).map(|((pixels, affines), query_labels)| Task {
            query: self.images(pixels, affines),
            query_labels,
            ..self.task()
        })
    }

    fn images<'a>(&'a self, pixels: &'a [Pixels], affines: &'a [[f32; 6]]) -> Images<'a> {
        Images::Bytes { pixels, affines, normalization: &self.normalization }
    }
}

/// Where tasks come from.
#[derive(Clone)]
pub(super) struct TaskSource {
    pub(super) dataset: Arc<dyn Dataset>,
    pub(super) normalization: Arc<Normalization>,
    pub(super) split: Split,
    pub(super) spec: EpisodeSpec,
    pub(super) augmentation: Option<Augmentation>,
    pub(super) seed: u64,
    /// How many episodes there are; none for no end of them.
    pub(super) list: Option<u32>,
}

impl TaskSource {
    /// Which images the episode of a number has: a pure function of the source.
    pub(super) fn plan(&self, index: u64) -> Result<EpisodePlan, DataError> {
        EpisodePlan::draw(self.dataset.as_ref(), self.split, &self.spec, self.seed, index)
    }

    /// The episode of a number.
    pub(super) fn prepare(&self, index: u64) -> Result<PreparedTask, DataError> {
        let plan = self.plan(index)?;
        let episode = plan.load(self.dataset.as_ref())?;
        let (support, queries) = (episode.support().len() as u32, episode.query().len() as u32);
        let shape = self.dataset.image_shape();
        let affines = |from: u32, count: u32| -> Vec<[f32; 6]> {
            let one = |image| match &self.augmentation {
                Some(augmentation) => augmentation.affine(shape, self.seed, index, image),
                None => IDENTITY,
            };
            (from..from + count).map(one).collect()
        };
        Ok(PreparedTask {
            support_affines: affines(0, support),
            query_affines: affines(support, queries),
            normalization: Arc::clone(&self.normalization),
            episode,
        })
    }

    /// The episodes from `first` on, loaded ahead; those of a list come again and again.
    pub(super) fn stream(&self, first: u64) -> TaskStream {
        let source = self.clone();
        TaskStream(Prefetch::new(first, AHEAD, move |index| {
            source.prepare(source.list.map_or(index, |tasks| index % u64::from(tasks.max(1))))
        }))
    }

    /// Checks that the split can fill an episode, before anything long begins.
    pub(super) fn check(&self) -> Result<(), SessionError> {
        Ok(self.spec.check(self.dataset.as_ref(), self.split)?)
    }
}

/// Tasks in order.
pub(super) struct TaskStream(Prefetch<Result<PreparedTask, DataError>>);

impl TaskStream {
    pub(super) fn next(&mut self) -> Result<PreparedTask, SessionError> {
        let ended = || SessionError::Fault("the thread that loads episodes has ended early");
        Ok(self.0.take().ok_or_else(ended)??)
    }
}

pub(super) fn training_spec(task: &TaskConfig) -> EpisodeSpec {
    if task.variable {
        let rules =
            VariableRules { max_ways: task.max_ways, max_support: task.max_support, ..VariableRules::default() };
        return EpisodeSpec::Variable(rules);
    }
    EpisodeSpec::Fixed { ways: task.ways, shots: task.shots, queries: task.queries }
}

pub(super) fn evaluation_spec(config: &EvaluationConfig) -> EpisodeSpec {
    EpisodeSpec::Fixed { ways: config.ways, shots: config.shots, queries: config.queries }
}

pub(super) fn split(name: SplitName) -> Split {
    match name {
        SplitName::Train => Split::Train,
        SplitName::Validation => Split::Validation,
        SplitName::Test => Split::Test,
    }
}

/// The configured augmentation; none when all of it is off.
pub(super) fn augmentation(config: &AugmentationConfig) -> Result<Option<Augmentation>, SessionError> {
    let augmentation = Augmentation {
        crop_padding: config.crop_padding,
        flip: config.flip,
        rotation_degrees: config.rotation_degrees,
        scale: config.scale,
        ..Augmentation::default()
    };
    augmentation.check()?;
    Ok((!augmentation.is_identity()).then_some(augmentation))
}
