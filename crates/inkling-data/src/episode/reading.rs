//! From the numbers of an episode's images to what is read of them. An image that cannot be read
//! and may be passed over gives its place to another one of its class: which one is a function of
//! the plan and of the files alone, so that a run that is repeated sees the same images.

use std::collections::BTreeSet;

use inkling_platform::map_in_parallel;

use super::{Episode, EpisodePlan, ImageId};
use crate::{DataError, Dataset};

impl EpisodePlan {
    /// Reads the images, on several threads; the episode's own plan names those that it has.
    ///
    /// # Errors
    /// Whatever the data set meets with an image that may not be passed over; the error names it.
    pub fn load(&self, dataset: &dyn Dataset) -> Result<Episode, DataError> {
        let pixels = |id: &ImageId| dataset.pixels(id.split, id.class, id.index);
        let (plan, mut support) = self.clone().read(dataset, |ids| map_in_parallel(ids, pixels))?;
        let query = support.split_off(plan.support.len());
        let class_names = plan.classes.iter().map(|&class| dataset.class_name(plan.split, class)).collect();
        Ok(Episode { shape: dataset.image_shape(), class_names, support, query, plan })
    }

    /// What `read` makes of each image, support before query, and the plan with the images that it
    /// was made of.
    ///
    /// # Errors
    /// As [`EpisodePlan::load`]; `DataError::TooFewReadable` when a class has no other image.
    pub fn read<T>(
        mut self,
        dataset: &dyn Dataset,
        mut read: impl FnMut(&[ImageId]) -> Vec<Result<T, DataError>>,
    ) -> Result<(Self, Vec<T>), DataError> {
        let images: Vec<ImageId> = self.support.iter().chain(&self.query).copied().collect();
        let results = read(&images);
        let (mut items, mut unreadable) = (Vec::with_capacity(results.len()), BTreeSet::new());
        for (place, (mut image, mut result)) in images.into_iter().zip(results).enumerate() {
            let item = loop {
                let error = match result {
                    Ok(item) => break item,
                    Err(error) => error,
                };
                let example = error.to_string();
                dataset.skip(image, error)?;
                unreadable.insert(image);
                let other = self.other(dataset, image, &unreadable);
                image = other.ok_or_else(|| too_few(dataset, image, &unreadable, example))?;
                self.put(place, image);
                result = dataset_result(read(&[image]), dataset, image);
            };
            items.push(item);
        }
        Ok((self, items))
    }

    /// The next image of the same class, in its order, that is readable as far as is known and has
    /// no place in the plan.
    fn other(&self, dataset: &dyn Dataset, image: ImageId, unreadable: &BTreeSet<ImageId>) -> Option<ImageId> {
        let count = dataset.image_count(image.split, image.class);
        let behind = (image.index.saturating_add(1)..count).chain(0..image.index);
        let others = behind.map(|index| ImageId { index, ..image });
        let is_taken = |other: &ImageId| self.support.contains(other) || self.query.contains(other);
        others.into_iter().find(|other| !unreadable.contains(other) && !is_taken(other))
    }

    fn put(&mut self, place: usize, image: ImageId) {
        let supports = self.support.len();
        let slot = match place.checked_sub(supports) {
            None => self.support.get_mut(place),
            Some(place) => self.query.get_mut(place),
        };
        if let Some(slot) = slot {
            *slot = image;
        }
    }
}

/// The one result of reading one image.
fn dataset_result<T>(
    results: Vec<Result<T, DataError>>,
    dataset: &dyn Dataset,
    image: ImageId,
) -> Result<T, DataError> {
    let ImageId { split, class, index } = image;
    let missing = || DataError::NoSuchImage { spec: dataset.spec().to_owned(), split, class, index };
    results.into_iter().next().unwrap_or_else(|| Err(missing()))
}

fn too_few(dataset: &dyn Dataset, image: ImageId, unreadable: &BTreeSet<ImageId>, example: String) -> DataError {
    DataError::TooFewReadable {
        spec: dataset.spec().to_owned(),
        split: image.split,
        class: dataset.class_name(image.split, image.class),
        unreadable: unreadable.iter().filter(|other| other.class == image.class).count() as u32,
        example,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::tests::{Numbered, check_plan};
    use super::*;
    use crate::{EpisodeSpec, ImageShape, Normalization, Pixels, Split};

    /// [`Numbered`] with images that cannot be read.
    struct Damaged {
        numbered: Numbered,
        /// Class and image.
        bad: Vec<(u32, u32)>,
        strict: bool,
        skipped: Mutex<Vec<String>>,
    }

    impl Damaged {
        fn new(counts: &[u32], bad: &[(u32, u32)]) -> Self {
            Self { numbered: Numbered(counts.to_vec()), bad: bad.to_vec(), strict: false, skipped: Mutex::default() }
        }

        fn load(&self, shots: u32, queries: u32, index: u64) -> Result<Episode, DataError> {
            let spec = EpisodeSpec::Fixed { ways: 3, shots, queries };
            EpisodePlan::draw(self, Split::Train, &spec, 5, index)?.load(self)
        }
    }

    impl Dataset for Damaged {
        fn spec(&self) -> &str {
            "damaged"
        }
        fn image_shape(&self) -> ImageShape {
            self.numbered.image_shape()
        }
        fn normalization(&self) -> Normalization {
            self.numbered.normalization()
        }
        fn class_count(&self, split: Split) -> u32 {
            self.numbered.class_count(split)
        }
        fn class_name(&self, split: Split, class: u32) -> String {
            self.numbered.class_name(split, class)
        }
        fn image_count(&self, split: Split, class: u32) -> u32 {
            self.numbered.image_count(split, class)
        }
        fn pixels(&self, split: Split, class: u32, index: u32) -> Result<Pixels, DataError> {
            match self.bad.contains(&(class, index)) {
                true => Err(DataError::image(&format!("{class}/{index}.jpg"), "it is cut off")),
                false => self.numbered.pixels(split, class, index),
            }
        }
        fn skip(&self, _: ImageId, error: DataError) -> Result<(), DataError> {
            if self.strict {
                return Err(error);
            }
            self.skipped.lock().unwrap().push(error.to_string());
            Ok(())
        }
    }

    #[test]
    fn damaged_images_give_their_place_to_others_of_their_class() {
        let bad: Vec<(u32, u32)> = (0..3).flat_map(|class| [0, 3, 4, 7].map(|index| (class, index))).collect();
        let set = Damaged::new(&[10; 3], &bad);
        for index in 0..50 {
            let episode = set.load(2, 4, index).unwrap();
            let plan = episode.plan();
            check_plan(plan, &[10; 3]);
            let images = plan.support().iter().chain(plan.query());
            for (id, pixels) in images.zip(episode.support().iter().chain(episode.query())) {
                assert!(!bad.contains(&(id.class, id.index)));
                assert_eq!(pixels[1..], [id.class as u8, id.index as u8]);
            }
            assert_eq!(plan, set.load(2, 4, index).unwrap().plan(), "whatever was found before");
        }
        assert!(!set.skipped.lock().unwrap().is_empty());
        // What is sound stays where it was drawn.
        let sound = Damaged::new(&[10; 3], &[]);
        let (with, without) = (set.load(2, 4, 1).unwrap(), sound.load(2, 4, 1).unwrap());
        for (with, without) in with.plan().support().iter().zip(without.plan().support()) {
            assert!(with == without || bad.contains(&(without.class, without.index)));
        }
    }

    #[test]
    fn a_class_of_too_few_and_a_strict_set_are_errors_that_name_the_file() {
        let mut set = Damaged::new(&[6; 3], &[(1, 0), (1, 5)]);
        let few = set.load(2, 3, 0).unwrap_err().to_string();
        assert!(few.contains("number 1") && few.contains("too few readable") && few.contains("1/"), "{few}");
        set.strict = true;
        let refused = set.load(2, 3, 0).unwrap_err().to_string();
        assert!(refused.contains(".jpg is not a readable image (it is cut off)"), "{refused}");
        assert!(set.load(1, 1, 0).is_ok() || set.load(1, 1, 1).is_ok(), "as long as none is asked for");
    }
}
