//! Episodes: which images make up a task, and their pixels. Drawing (an [`EpisodePlan`] of image
//! numbers) is separate from loading (an [`Episode`] of pixels), so a background thread can load
//! ahead and a resumed run can skip ahead without touching an image.

use crate::random::Numbers;
use crate::{DataError, Dataset, ImageShape, Pixels, Split};

mod reading;
mod variable;

pub use variable::VariableRules;

/// The most images of one episode: a guard for the memory of the host, far above any protocol.
const MAX_IMAGES: u64 = 1 << 20;

/// How the size of an episode is chosen.
#[derive(Clone, Debug, PartialEq)]
pub enum EpisodeSpec {
    /// The same size every time.
    Fixed {
        /// Classes of the episode, at least two.
        ways: u32,
        /// Support images per class, at least one.
        shots: u32,
        /// Query images per class, at least one.
        queries: u32,
    },
    /// Ways and shots vary by the rules of Meta-Dataset.
    Variable(VariableRules),
}

/// The number of an image: its split, its class within the split, its place within the class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageId {
    /// The split.
    pub split: Split,
    /// The class, counted within the split.
    pub class: u32,
    /// The image, counted within the class.
    pub index: u32,
}

/// The images of an episode by number.
///
/// Labels are `0..ways` in the order in which the classes were drawn. Support and query images are
/// interleaved: the first image of every class by label, then the second, and so on, so that any
/// chunk of them holds a mix of classes. Where classes have different shots, those that have no
/// more are passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpisodePlan {
    split: Split,
    classes: Vec<u32>,
    support: Vec<ImageId>,
    support_labels: Vec<u32>,
    query: Vec<ImageId>,
    query_labels: Vec<u32>,
}

/// A task with the pixels of its images; the order is that of its [`EpisodePlan`].
#[derive(Clone, Debug)]
pub struct Episode {
    plan: EpisodePlan,
    shape: ImageShape,
    class_names: Vec<String>,
    support: Vec<Pixels>,
    query: Vec<Pixels>,
}

/// What an episode takes from one class.
struct Share {
    class: u32,
    shots: u32,
    queries: u32,
}

impl EpisodeSpec {
    /// Whether every episode of this specification can be drawn from the split.
    ///
    /// # Errors
    /// `DataError::TooFewClasses`, `DataError::TooFewImages` naming the first class that is too
    /// small, or `DataError::Setting` for a number out of range.
    pub fn check(&self, dataset: &dyn Dataset, split: Split) -> Result<(), DataError> {
        self.check_numbers()?;
        let classes = dataset.class_count(split);
        let (ways, images) = match self {
            EpisodeSpec::Fixed { ways, shots, queries } => (*ways, shots + queries),
            // One support image and one query.
            EpisodeSpec::Variable(_) => (2, 2),
        };
        require_classes(dataset, split, ways)?;
        (0..classes).try_for_each(|class| require_images(dataset, split, class, images))
    }

    /// The numbers by themselves, without a data set.
    fn check_numbers(&self) -> Result<(), DataError> {
        let (ways, shots, queries) = match self {
            EpisodeSpec::Fixed { ways, shots, queries } => (*ways, *shots, *queries),
            EpisodeSpec::Variable(rules) => return rules.check_numbers(),
        };
        at_least("ways", ways, 2)?;
        at_least("shots", shots, 1)?;
        at_least("queries", queries, 1)?;
        let images = u64::from(ways).saturating_mul(u64::from(shots) + u64::from(queries));
        if images > MAX_IMAGES {
            return Err(DataError::Setting {
                name: "ways × (shots + queries)",
                value: images.to_string(),
                remedy: format!("an episode has at most {MAX_IMAGES} images"),
            });
        }
        Ok(())
    }
}

impl EpisodePlan {
    /// Draws episode number `index`: a pure function of its arguments, the same on every platform.
    ///
    /// Classes are drawn without replacement, and so are the images within a class; support and
    /// query never share an image.
    ///
    /// # Errors
    /// As [`EpisodeSpec::check`], for the classes that were drawn.
    pub fn draw(
        dataset: &dyn Dataset,
        split: Split,
        spec: &EpisodeSpec,
        seed: u64,
        index: u64,
    ) -> Result<Self, DataError> {
        spec.check_numbers()?;
        let mut numbers = Numbers::new(b"episode ", seed, split as u64, index);
        let shares = match spec {
            EpisodeSpec::Fixed { ways, shots, queries } => {
                require_classes(dataset, split, *ways)?;
                let classes = numbers.distinct(*ways, dataset.class_count(split)).into_iter();
                classes.map(|class| Share { class, shots: *shots, queries: *queries }).collect()
            }
            EpisodeSpec::Variable(rules) => variable::draw(rules, dataset, split, &mut numbers)?,
        };
        Self::from_shares(dataset, split, &shares, &mut numbers)
    }

    fn from_shares(
        dataset: &dyn Dataset,
        split: Split,
        shares: &[Share],
        numbers: &mut Numbers,
    ) -> Result<Self, DataError> {
        let mut drawn = Vec::with_capacity(shares.len());
        for share in shares {
            let wanted = share.shots + share.queries;
            require_images(dataset, split, share.class, wanted)?;
            drawn.push(numbers.distinct(wanted, dataset.image_count(split, share.class)));
        }
        let pick = |label: usize, place: u32| ImageId {
            split,
            class: shares[label].class,
            index: drawn[label][place as usize],
        };
        let support = interleave(shares.iter().map(|share| share.shots));
        let query = interleave(shares.iter().map(|share| share.queries));
        Ok(EpisodePlan {
            split,
            classes: shares.iter().map(|share| share.class).collect(),
            support: support.iter().map(|&(label, place)| pick(label, place)).collect(),
            support_labels: support.iter().map(|&(label, _)| label as u32).collect(),
            query: query.iter().map(|&(label, place)| pick(label, shares[label].shots + place)).collect(),
            query_labels: query.iter().map(|&(label, _)| label as u32).collect(),
        })
    }

    /// The number of classes.
    pub fn ways(&self) -> u32 {
        self.classes.len() as u32
    }

    /// The class of each label, counted within the split.
    pub fn classes(&self) -> &[u32] {
        &self.classes
    }

    /// The support images.
    pub fn support(&self) -> &[ImageId] {
        &self.support
    }

    /// The label of each support image.
    pub fn support_labels(&self) -> &[u32] {
        &self.support_labels
    }

    /// The query images.
    pub fn query(&self) -> &[ImageId] {
        &self.query
    }

    /// The label of each query image.
    pub fn query_labels(&self) -> &[u32] {
        &self.query_labels
    }
}

impl Episode {
    /// The image numbers and labels that this episode was loaded from.
    pub fn plan(&self) -> &EpisodePlan {
        &self.plan
    }

    /// The number of classes.
    pub fn ways(&self) -> u32 {
        self.plan.ways()
    }

    /// The shape of every image.
    pub fn image_shape(&self) -> ImageShape {
        self.shape
    }

    /// The name of the class of each label.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The pixels of the support images.
    pub fn support(&self) -> &[Pixels] {
        &self.support
    }

    /// The label of each support image.
    pub fn support_labels(&self) -> &[u32] {
        &self.plan.support_labels
    }

    /// The pixels of the query images.
    pub fn query(&self) -> &[Pixels] {
        &self.query
    }

    /// The label of each query image.
    pub fn query_labels(&self) -> &[u32] {
        &self.plan.query_labels
    }
}

/// `(label, place within the class)` of every image: the first of each class, then the second, ….
fn interleave(counts: impl Iterator<Item = u32> + Clone) -> Vec<(usize, u32)> {
    let rounds = counts.clone().max().unwrap_or(0);
    (0..rounds)
        .flat_map(|place| {
            let having = counts.clone().enumerate().filter(move |&(_, count)| place < count);
            having.map(move |(label, _)| (label, place))
        })
        .collect()
}

fn at_least(name: &'static str, value: u32, least: u32) -> Result<(), DataError> {
    if value >= least {
        return Ok(());
    }
    Err(DataError::Setting { name, value: value.to_string(), remedy: format!("it must be at least {least}") })
}

fn require_classes(dataset: &dyn Dataset, split: Split, needs: u32) -> Result<(), DataError> {
    let has = dataset.class_count(split);
    if has >= needs {
        return Ok(());
    }
    Err(DataError::TooFewClasses { spec: dataset.spec().to_owned(), split, has, needs })
}

fn require_images(dataset: &dyn Dataset, split: Split, class: u32, needs: u32) -> Result<(), DataError> {
    let has = dataset.image_count(split, class);
    if has >= needs {
        return Ok(());
    }
    let class = dataset.class_name(split, class);
    Err(DataError::TooFewImages { spec: dataset.spec().to_owned(), split, class, has, needs })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::Normalization;
    use proptest::prelude::*;
    use std::collections::HashSet;

    /// A data set of numbers: the bytes of an image say its split, class and index.
    pub(crate) struct Numbered(pub(crate) Vec<u32>);

    impl Dataset for Numbered {
        fn spec(&self) -> &str {
            "numbered"
        }
        fn image_shape(&self) -> ImageShape {
            ImageShape { channels: 3, height: 1, width: 1 }
        }
        fn normalization(&self) -> Normalization {
            Normalization { mean: vec![0.0; 3], std: vec![1.0; 3] }
        }
        fn class_count(&self, _: Split) -> u32 {
            self.0.len() as u32
        }
        fn class_name(&self, _: Split, class: u32) -> String {
            format!("number {class}")
        }
        fn image_count(&self, _: Split, class: u32) -> u32 {
            self.0[class as usize]
        }
        fn pixels(&self, split: Split, class: u32, index: u32) -> Result<Pixels, DataError> {
            Ok([split as u8, class as u8, index as u8].into())
        }
    }

    fn fixed(ways: u32, shots: u32, queries: u32) -> EpisodeSpec {
        EpisodeSpec::Fixed { ways, shots, queries }
    }

    fn draw(counts: &[u32], spec: &EpisodeSpec, index: u64) -> Result<EpisodePlan, DataError> {
        EpisodePlan::draw(&Numbered(counts.to_vec()), Split::Train, spec, 5, index)
    }

    #[test]
    fn an_episode_is_pinned() {
        let plan = draw(&[20; 100], &fixed(3, 1, 2), 7).unwrap();
        let ids = |ids: &[ImageId]| ids.iter().map(|id| (id.class, id.index)).collect::<Vec<_>>();
        // Native and wasm, today and after an update of a dependency: every published number
        // depends on these.
        assert_eq!(ids(plan.support()), SUPPORT);
        assert_eq!(ids(plan.query()), QUERY);
        assert_eq!(plan.support_labels(), [0, 1, 2]);
        assert_eq!(plan.query_labels(), [0, 1, 2, 0, 1, 2]);
    }

    // Computed by a second implementation of ChaCha8 and of the draws, in another language.
    const SUPPORT: [(u32, u32); 3] = [(92, 17), (21, 14), (57, 0)];
    const QUERY: [(u32, u32); 6] = [(92, 18), (21, 9), (57, 11), (92, 8), (21, 2), (57, 7)];

    #[test]
    fn seed_split_and_index_each_matter() {
        let set = Numbered(vec![20; 100]);
        let spec = fixed(5, 1, 1);
        let draw = |split, seed, index| EpisodePlan::draw(&set, split, &spec, seed, index).unwrap();
        let first = draw(Split::Train, 1, 1);
        assert_eq!(first, draw(Split::Train, 1, 1));
        assert_ne!(first.classes(), draw(Split::Train, 1, 2).classes());
        assert_ne!(first.classes(), draw(Split::Train, 2, 1).classes());
        assert_ne!(first.classes(), draw(Split::Test, 1, 1).classes());
    }

    #[test]
    fn loading_follows_the_plan() {
        let set = Numbered(vec![9; 12]);
        let plan = EpisodePlan::draw(&set, Split::Test, &fixed(4, 2, 3), 1, 1).unwrap();
        let episode = plan.load(&set).unwrap();
        for (id, pixels) in plan.support().iter().zip(episode.support()) {
            assert_eq!(pixels[..], [2, id.class as u8, id.index as u8]);
        }
        for (id, pixels) in plan.query().iter().zip(episode.query()) {
            assert_eq!(pixels[..], [2, id.class as u8, id.index as u8]);
        }
        assert_eq!((episode.support().len(), episode.query().len()), (8, 12));
        for (label, name) in episode.class_names().iter().enumerate() {
            assert_eq!(*name, format!("number {}", plan.classes()[label]));
        }
    }

    #[test]
    fn what_cannot_be_drawn_is_explained() {
        let message = |counts: &[u32], spec| draw(counts, &spec, 0).unwrap_err().to_string();
        let ways = message(&[9; 4], fixed(5, 1, 1));
        assert!(ways.contains("has 4 class(es), an episode needs 5"), "{ways}");
        assert!(message(&[9], fixed(2, 1, 1)).contains("has 1 class(es)"));
        let images = message(&[5, 5], fixed(2, 3, 3));
        assert!(images.contains("class number") && images.contains("has 5 image(s)"), "{images}");
        assert!(images.contains("needs 6"), "{images}");
        for spec in [fixed(1, 1, 1), fixed(2, 0, 1), fixed(2, 1, 0)] {
            assert!(matches!(draw(&[9; 4], &spec, 0), Err(DataError::Setting { .. })));
        }
        let overflow = fixed(u32::MAX, u32::MAX, u32::MAX);
        assert!(matches!(draw(&[9; 4], &overflow, 0), Err(DataError::Setting { .. })));
        // A check names a small class even when no episode has met it yet.
        let mut counts = vec![9; 50];
        counts[33] = 1;
        let error = fixed(2, 1, 1).check(&Numbered(counts), Split::Train).unwrap_err();
        assert!(error.to_string().contains("class number 33"), "{error}");
        fixed(2, 1, 1).check(&Numbered(vec![2; 2]), Split::Train).unwrap();
    }

    /// What holds for every episode whatever its specification.
    pub(crate) fn check_plan(plan: &EpisodePlan, counts: &[u32]) {
        let classes: HashSet<_> = plan.classes().iter().collect();
        assert_eq!(classes.len(), plan.ways() as usize, "classes are distinct");
        let images: HashSet<_> = plan.support().iter().chain(plan.query()).collect();
        assert_eq!(images.len(), plan.support().len() + plan.query().len(), "images are distinct");
        for (ids, labels) in [(plan.support(), plan.support_labels()), (plan.query(), plan.query_labels())] {
            assert_eq!(ids.len(), labels.len());
            for (id, &label) in ids.iter().zip(labels) {
                assert_eq!(plan.classes()[label as usize], id.class);
                assert!(id.index < counts[id.class as usize]);
            }
            let present: HashSet<_> = labels.iter().collect();
            assert_eq!(present.len(), plan.ways() as usize, "every class is present");
        }
    }

    proptest! {
        #[test]
        fn fixed_episodes_are_well_formed(
            counts in proptest::collection::vec(6u32..30, 5..40),
            ways in 2u32..6, shots in 1u32..4, queries in 1u32..4, index in any::<u64>(),
        ) {
            let plan = draw(&counts, &fixed(ways, shots, queries), index).unwrap();
            check_plan(&plan, &counts);
            prop_assert_eq!(plan.support().len() as u32, ways * shots);
            prop_assert_eq!(plan.query().len() as u32, ways * queries);
        }
    }
}
