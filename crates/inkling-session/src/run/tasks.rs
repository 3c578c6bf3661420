//! Episodes with everything that a task on the device needs, made ahead of their use.

use std::sync::Arc;

use inkling_data::{
    Augmentation, DataError, Dataset, Episode, EpisodePlan, EpisodeSpec, IDENTITY, ImageId, Normalization, Pixels,
    Split, VariableRules,
};
use inkling_meta::{Images, Task};
use inkling_platform::{Prefetch, map_in_parallel};

use super::SessionError;
use crate::config::{AugmentationConfig, EvaluationConfig, SplitName, TaskConfig};
use crate::events::Event;

/// Episodes that are loaded ahead at most, beside the one in the making.
const MOST_AHEAD: u64 = 4;
/// The bytes of pixels that are loaded ahead, where two episodes have fewer.
const BYTES_AHEAD: u64 = 128 << 20;

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

/// An image, and its pixels where they were wanted.
pub(super) type ReadImage = (ImageId, Option<Pixels>);

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

    /// An episode's plan and its images, support before query, with the pixels of those that are
    /// `wanted`. Photos that cannot be read give their places to others, as when all are loaded.
    pub(super) fn read(
        &self,
        index: u64,
        wanted: impl Fn(&ImageId) -> bool + Sync,
    ) -> Result<(EpisodePlan, Vec<ReadImage>), DataError> {
        let dataset = self.dataset.as_ref();
        let load = |id: &ImageId| match wanted(id) {
            true => dataset.pixels(id.split, id.class, id.index).map(Some),
            false => Ok(None),
        };
        let (plan, pixels) = self.plan(index)?.read(dataset, |ids| map_in_parallel(ids, load))?;
        let images = plan.support().iter().chain(plan.query()).copied().zip(pixels).collect();
        Ok((plan, images))
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

    /// How many episodes wait to be taken: none where they are large, so that one is in the making
    /// while one is in use.
    pub(super) fn ahead(&self) -> usize {
        let images = match &self.spec {
            EpisodeSpec::Fixed { ways, shots, queries } => u64::from(*ways) * (u64::from(*shots) + u64::from(*queries)),
            EpisodeSpec::Variable(rules) => {
                u64::from(rules.max_support) + u64::from(rules.max_ways) * u64::from(rules.max_queries)
            }
        };
        let bytes = images.saturating_mul(self.dataset.image_shape().bytes() as u64).max(1);
        (BYTES_AHEAD / bytes).min(MOST_AHEAD) as usize
    }

    /// The episodes from `first` on, loaded ahead; those of a list come again and again.
    pub(super) fn stream(&self, first: u64) -> TaskStream {
        let source = self.clone();
        TaskStream(Prefetch::new(first, self.ahead(), move |index| source.prepare(source.episode(index))))
    }

    /// The episode that is trained on as number `index`: those of a list come again and again.
    pub(super) fn episode(&self, index: u64) -> u64 {
        self.list.map_or(index, |tasks| index % u64::from(tasks.max(1)))
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

/// Says which images were passed over, each once.
#[derive(Debug, Default)]
pub(super) struct SkipReport {
    said: usize,
}

impl SkipReport {
    /// Names the images that are new since the last time.
    pub(super) fn tell(&mut self, dataset: &dyn Dataset, emit: &mut dyn FnMut(Event)) {
        for message in dataset.skipped(self.said) {
            self.said += 1;
            emit(Event::warning(format!("{message}; another one takes its place ({} so far)", self.said)));
        }
    }

    /// Says how many they were, where there were any.
    pub(super) fn sum_up(&self, emit: &mut dyn FnMut(Event)) {
        if self.said > 0 {
            emit(Event::warning(format!(
                "{} image(s) could not be read and were passed over; data.strict = true (--strict) refuses them",
                self.said
            )));
        }
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

#[cfg(test)]
pub(super) mod tests {
    use inkling_data::{OpenOptions, Picture};

    use super::*;

    /// Three training classes of four photos each, of which one is damaged.
    pub(in super::super) fn damaged_photos(strict: bool) -> TaskSource {
        let folder = tempfile::tempdir().unwrap();
        for class in 0..3_u8 {
            let place = folder.path().join(format!("photos/{class}"));
            std::fs::create_dir_all(&place).unwrap();
            for number in 0..4_u8 {
                let photo = Picture::of_rgba(16, 16, &[50 * class + number; 4 * 16 * 16]).unwrap().png().unwrap();
                let bytes = if number == class { &photo[..20] } else { &photo };
                std::fs::write(place.join(format!("{number}.png")), bytes).unwrap();
            }
        }
        let lists = folder.path().join("split.toml");
        std::fs::write(&lists, "train = [\"0\", \"1\", \"2\"]").unwrap();
        let options = OpenOptions { image_size: Some(16), split_file: Some(lists), strict, ..OpenOptions::default() };
        let spec = format!("folder:{}", folder.path().join("photos").display());
        let dataset = inkling_data::open(&spec, &options).unwrap();
        // The photos are read later.
        let _ = folder.keep();
        TaskSource {
            normalization: dataset.normalization().into(),
            dataset,
            split: Split::Train,
            spec: EpisodeSpec::Fixed { ways: 3, shots: 2, queries: 1 },
            augmentation: None,
            seed: 0,
            list: None,
        }
    }

    #[test]
    fn damaged_photos_are_named_once_and_counted() {
        let source = damaged_photos(false);
        for index in 0..20 {
            let task = source.prepare(index).unwrap();
            assert_eq!((task.task().support_labels.len(), task.task().query_labels.len()), (6, 3));
        }
        let (mut said, mut report) = (Vec::new(), SkipReport::default());
        for _ in 0..2 {
            report.tell(source.dataset.as_ref(), &mut |event| match event {
                Event::Warning { message } => said.push(message),
                other => panic!("{other:?}"),
            });
        }
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(said.iter().any(|message| message.contains("1/1.png is not a readable image")), "{said:?}");
        assert!(said[2].contains("(3 so far)"), "{said:?}");
        let mut sum = None;
        report.sum_up(&mut |event| sum = Some(event));
        assert!(matches!(sum, Some(Event::Warning { message }) if message.starts_with("3 image(s) could not be read")));
        let strict = damaged_photos(true);
        let refused = (0..20).find_map(|index| strict.prepare(index).err()).unwrap().to_string();
        assert!(refused.contains(".png is not a readable image") && refused.contains("replace or remove"), "{refused}");
    }

    #[test]
    fn large_episodes_are_not_piled_up() {
        let mut source = damaged_photos(false);
        assert_eq!(source.ahead(), 4);
        source.spec = EpisodeSpec::Fixed { ways: 1000, shots: 100, queries: 100 };
        assert_eq!(source.ahead(), 0);
    }
}
