//! Classes in their splits, each with handles to its images: the bookkeeping that every data set
//! with a fixed list of images shares.

use std::collections::BTreeMap;

use crate::class_split::ClassLists;
use crate::{DataError, Split};

/// A class as a reader finds it; `split` is where the source itself puts it, if it says so.
#[derive(Debug)]
pub(crate) struct FoundClass<I> {
    pub(crate) name: String,
    pub(crate) images: Vec<I>,
    pub(crate) split: Option<Split>,
}

/// Classes of train, validation and test, each in the order in which they were found.
pub(crate) struct ClassIndex<I> {
    spec: String,
    classes: [Vec<Class<I>>; 3],
}

struct Class<I> {
    name: String,
    images: Vec<I>,
    /// The number of its first image among all images of the data set.
    first: usize,
}

impl<I> ClassIndex<I> {
    /// Sorts classes into their splits; those without one are left out.
    pub(crate) fn new(spec: String, found: Vec<FoundClass<I>>) -> Self {
        let mut classes: [Vec<Class<I>>; 3] = Default::default();
        let mut first = 0;
        for FoundClass { name, images, split } in found {
            let Some(split) = split else { continue };
            let count = images.len();
            classes[split as usize].push(Class { name, images, first });
            first += count;
        }
        ClassIndex { spec, classes }
    }

    pub(crate) fn spec(&self) -> &str {
        &self.spec
    }

    pub(crate) fn class_count(&self, split: Split) -> u32 {
        self.classes[split as usize].len() as u32
    }

    pub(crate) fn class_name(&self, split: Split, class: u32) -> String {
        self.class(split, class).map_or_else(String::new, |class| class.name.clone())
    }

    pub(crate) fn image_count(&self, split: Split, class: u32) -> u32 {
        self.class(split, class).map_or(0, |class| class.images.len() as u32)
    }

    /// The handle of one image, and its number among all images of the data set: its place in a
    /// cache.
    ///
    /// # Errors
    /// `DataError::NoSuchImage`.
    pub(crate) fn image(&self, split: Split, class: u32, index: u32) -> Result<(usize, &I), DataError> {
        self.class(split, class)
            .and_then(|class| class.images.get(index as usize).map(|image| (class.first + index as usize, image)))
            .ok_or_else(|| DataError::NoSuchImage { spec: self.spec.clone(), split, class, index })
    }

    /// The handles of a split's images, class by class.
    pub(crate) fn images(&self, split: Split) -> impl Iterator<Item = &I> {
        self.classes[split as usize].iter().flat_map(|class| &class.images)
    }

    fn class(&self, split: Split, class: u32) -> Option<&Class<I>> {
        self.classes[split as usize].get(class as usize)
    }
}

/// Replaces the split of every class by what the lists say.
///
/// # Errors
/// `DataError::SplitFile` when a list names a class that was not found.
pub(crate) fn assign<I>(found: &mut [FoundClass<I>], lists: &ClassLists, file: &str) -> Result<(), DataError> {
    let names: Vec<String> = found.iter().map(|class| class.name.clone()).collect();
    let splits = lists.assign(&names, file)?;
    found.iter_mut().zip(splits).for_each(|(class, split)| class.split = split);
    Ok(())
}

/// Refuses a class that was found twice, as when it lies in two splits.
///
/// # Errors
/// `DataError::Unusable` naming `source` and the class.
pub(crate) fn check_distinct<I>(found: &[FoundClass<I>], source: &str) -> Result<(), DataError> {
    let mut seen: BTreeMap<&str, Option<Split>> = BTreeMap::new();
    for class in found {
        if let Some(other) = seen.insert(&class.name, class.split) {
            let place = |split: Option<Split>| split.map_or("no", Split::name);
            let reason = format!(
                "class {} stands in the {} and in the {} split; no class may be in two splits, keep it in one",
                class.name,
                place(other),
                place(class.split)
            );
            return Err(DataError::unusable(source, reason));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, images: Vec<u8>, split: Option<Split>) -> FoundClass<u8> {
        FoundClass { name: name.to_owned(), images, split }
    }

    #[test]
    fn images_are_numbered_through_and_unlisted_classes_left_out() {
        let classes = vec![
            found("a", vec![1, 2], Some(Split::Test)),
            found("b", vec![3], None),
            found("c", vec![4, 5], Some(Split::Train)),
            found("d", vec![6], Some(Split::Test)),
        ];
        let index = ClassIndex::new("x".to_owned(), classes);
        assert_eq!(Split::ALL.map(|split| index.class_count(split)), [1, 0, 2]);
        assert_eq!(index.class_name(Split::Test, 1), "d");
        assert_eq!(index.image(Split::Test, 0, 1).unwrap(), (1, &2));
        assert_eq!(index.image(Split::Train, 0, 1).unwrap(), (3, &5));
        assert_eq!(index.images(Split::Test).copied().collect::<Vec<_>>(), [1, 2, 6]);
        assert!(matches!(index.image(Split::Test, 0, 2), Err(DataError::NoSuchImage { .. })));
        assert!(matches!(index.image(Split::Test, 2, 0), Err(DataError::NoSuchImage { .. })));
    }

    #[test]
    fn a_class_in_two_splits_is_refused() {
        let twice = [found("a", vec![], Some(Split::Train)), found("a", vec![], Some(Split::Test))];
        let error = check_distinct(&twice, "set").unwrap_err().to_string();
        assert!(error.contains("class a stands in the train and in the test split"), "{error}");
        assert!(check_distinct(&twice[..1], "set").is_ok());
    }
}
