//! Which classes train, validate and test: drawn by seed, or listed in a split file.

#[cfg(not(target_arch = "wasm32"))]
use std::path::Path;

use serde::Deserialize;

use crate::random::Numbers;
use crate::{DataError, Split};

#[cfg(not(target_arch = "wasm32"))]
const MAX_FILE_BYTES: u64 = 16 << 20;

/// The class names of each split, as a split file lists them (TOML or JSON).
///
/// Classes that no list names are left out of the data set.
///
/// ```toml
/// train = ["apple", "pear"]
/// validation = ["plum"]
/// test = ["quince", "medlar"]
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassLists {
    /// Classes of the train split.
    #[serde(default)]
    pub train: Vec<String>,
    /// Classes of the validation split; the key `val` is accepted too.
    #[serde(default, alias = "val")]
    pub validation: Vec<String>,
    /// Classes of the test split.
    #[serde(default)]
    pub test: Vec<String>,
}

impl ClassLists {
    /// Reads the split file of the options, if there is one; returns its name too.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn of(options: &crate::OpenOptions) -> Result<Option<(Self, String)>, DataError> {
        let Some(file) = &options.split_file else { return Ok(None) };
        Ok(Some((Self::read(file)?, file.display().to_string())))
    }

    /// Reads a split file.
    ///
    /// # Errors
    /// When it cannot be read or [`ClassLists::parse`] refuses it.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn read(path: &Path) -> Result<Self, DataError> {
        let name = path.display().to_string();
        let bytes = crate::store::read_file(path, MAX_FILE_BYTES)?;
        let text =
            String::from_utf8(bytes).map_err(|error| split_file(&name, format!("it is not UTF-8 text: {error}")))?;
        Self::parse(&text, &name)
    }

    /// Parses the text of a split file: JSON when it begins with a brace, TOML otherwise.
    ///
    /// # Errors
    /// `DataError::SplitFile` naming `name`: a syntax error, an unknown key, a class that is listed
    /// twice, or no class at all.
    pub fn parse(text: &str, name: &str) -> Result<Self, DataError> {
        let lists: ClassLists = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| split_file(name, error.to_string()))?
        } else {
            toml::from_str(text).map_err(|error| split_file(name, error.to_string()))?
        };
        if lists.all().next().is_none() {
            let reason = "it lists no class; fill the lists train, validation and test";
            return Err(split_file(name, reason.to_owned()));
        }
        lists.check_distinct(name)?;
        Ok(lists)
    }

    /// Refuses a class that is listed twice.
    ///
    /// # Errors
    /// `DataError::SplitFile` naming `name` and the class.
    pub(crate) fn check_distinct(&self, name: &str) -> Result<(), DataError> {
        let mut all: Vec<&String> = self.all().collect();
        all.sort_unstable();
        match all.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(twice) => {
                let reason = format!("class {} is listed twice; keep it in one list", twice[0]);
                Err(split_file(name, reason))
            }
            None => Ok(()),
        }
    }

    fn all(&self) -> impl Iterator<Item = &String> {
        self.train.iter().chain(&self.validation).chain(&self.test)
    }

    /// The split of each of `classes`; `None` for classes that are left out.
    ///
    /// # Errors
    /// `DataError::SplitFile` when a list names a class that the data set lacks.
    pub(crate) fn assign(&self, classes: &[String], name: &str) -> Result<Vec<Option<Split>>, DataError> {
        let unknown: Vec<&str> = self.all().filter(|listed| !classes.contains(listed)).map(String::as_str).collect();
        if !unknown.is_empty() {
            let reason =
                format!("the data set has no class {}; correct the list or add the class folder", abridged(&unknown));
            return Err(split_file(name, reason));
        }
        let split_of = |class| {
            let lists = [&self.train, &self.validation, &self.test];
            Split::ALL.into_iter().zip(lists).find(|(_, list)| list.contains(class))
        };
        Ok(classes.iter().map(|class| split_of(class).map(|(split, _)| split)).collect())
    }
}

/// Draws the split of each of `count` classes: as many train, validation and test classes as
/// `wanted` says, the others left out; else 64 % train, 16 % validation, 20 % test, rounded.
///
/// Without `wanted` and with three or more classes no split is empty; of two classes one tests.
///
/// # Errors
/// `DataError::Setting` when there are fewer classes than wanted.
pub(crate) fn draw(count: usize, wanted: Option<[u32; 3]>, seed: u64) -> Result<Vec<Option<Split>>, DataError> {
    let [train, validation, test] = match (wanted, count) {
        (Some(wanted), _) => wanted.map(|classes| classes as usize),
        (None, 0 | 1) => [count, 0, 0],
        (None, 2) => [1, 0, 1],
        (None, _) => {
            let [validation, test] = [16, 20].map(|percent| ((count * percent + 50) / 100).max(1));
            [count - validation - test, validation, test]
        }
    };
    if train.saturating_add(validation).saturating_add(test) > count {
        return Err(DataError::Setting {
            name: "data.split_counts",
            value: format!("[{train}, {validation}, {test}]"),
            remedy: format!("the data set has {count} classes in all; lower the counts"),
        });
    }
    let mut order: Vec<usize> = (0..count).collect();
    Numbers::new(b"classes ", seed, 0, 0).shuffle(&mut order);
    let drawn = [(Split::Test, test), (Split::Validation, validation), (Split::Train, train)];
    let drawn = drawn.into_iter().flat_map(|(split, classes)| std::iter::repeat_n(split, classes));
    let mut splits = vec![None; count];
    for (class, split) in order.into_iter().zip(drawn) {
        splits[class] = Some(split);
    }
    Ok(splits)
}

fn split_file(name: &str, reason: String) -> DataError {
    DataError::SplitFile { name: name.to_owned(), reason }
}

/// The first few of a list of names.
fn abridged(names: &[&str]) -> String {
    const SHOWN: usize = 5;
    let shown = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{shown} and {} more", names.len() - SHOWN) } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn draw(count: usize, seed: u64) -> Vec<Option<Split>> {
        super::draw(count, None, seed).unwrap()
    }

    fn counts(splits: &[Option<Split>]) -> [usize; 3] {
        Split::ALL.map(|split| splits.iter().filter(|&&one| one == Some(split)).count())
    }

    #[test]
    fn shares_are_as_promised() {
        assert_eq!(counts(&draw(100, 3)), [64, 16, 20]);
        assert_eq!(counts(&draw(41, 3)), [26, 7, 8]);
        assert_eq!(counts(&draw(3, 3)), [1, 1, 1]);
        assert_eq!(counts(&draw(2, 3)), [1, 0, 1]);
        assert_eq!(counts(&draw(1, 3)), [1, 0, 0]);
        assert_eq!(draw(50, 1), draw(50, 1));
        assert_ne!(draw(50, 1), draw(50, 2));
    }

    #[test]
    fn counts_are_taken_as_wanted() {
        let wanted = Some([25, 6, 10]);
        let drawn = super::draw(41, wanted, 0).unwrap();
        assert_eq!(counts(&drawn), [25, 6, 10]);
        assert_ne!(drawn, super::draw(41, wanted, 1).unwrap());
        assert_eq!(counts(&super::draw(50, wanted, 0).unwrap()), [25, 6, 10], "the others are left out");
        let error = super::draw(40, wanted, 0).unwrap_err().to_string();
        assert!(error.contains("[25, 6, 10]") && error.contains("40 classes"), "{error}");
    }

    #[test]
    fn toml_and_json_say_the_same() {
        let toml = ClassLists::parse("train = [\"a\", \"b\"]\nval = [\"c\"]\ntest=[\"d\"]", "x");
        let json = r#"{"train": ["a", "b"], "validation": ["c"], "test": ["d"]}"#;
        assert_eq!(toml.unwrap(), ClassLists::parse(json, "x").unwrap());
    }

    #[test]
    fn mistakes_are_named() {
        let message = |text| ClassLists::parse(text, "s.toml").unwrap_err().to_string();
        assert!(message("train = [\"a\"]\ntest = [\"a\"]").contains("class a is listed twice"));
        assert!(message("trian = [\"a\"]").contains("trian"));
        assert!(message("").contains("no class"));
        assert!(message("{").contains("s.toml"));
        let lists = ClassLists::parse("train = [\"a\", \"z\"]", "s.toml").unwrap();
        let error = lists.assign(&["a".to_owned(), "b".to_owned()], "s.toml").unwrap_err();
        assert!(error.to_string().contains("no class z"), "{error}");
    }

    #[test]
    fn unlisted_classes_are_left_out() {
        let lists = ClassLists::parse("train = [\"a\"]\ntest = [\"c\"]", "x").unwrap();
        let classes = ["a", "b", "c"].map(str::to_owned);
        let expected = [Some(Split::Train), None, Some(Split::Test)];
        assert_eq!(lists.assign(&classes, "x").unwrap(), expected);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,80}", brace in any::<bool>()) {
            let text = if brace { format!("{{{text}") } else { text };
            let _ = ClassLists::parse(&text, "x");
        }

        #[test]
        fn damaged_split_files_do_not_panic(at in 0usize..70, byte in any::<char>()) {
            let mut text: Vec<char> =
                r#"{"train": ["a", "b"], "validation": ["c"], "test": ["d", "e", "f", "g"]}"#.chars().collect();
            text[at] = byte;
            let _ = ClassLists::parse(&text.iter().collect::<String>(), "x");
        }

        #[test]
        fn every_class_is_in_one_split_and_none_is_empty(count in 3usize..300, seed in any::<u64>()) {
            let counts = counts(&draw(count, seed));
            prop_assert_eq!(counts.iter().sum::<usize>(), count);
            prop_assert!(counts.iter().all(|&one| one > 0));
        }
    }
}
