//! The classes of CIFAR-100 and the two published ways of splitting them.

use crate::Split;
use crate::class_split::ClassLists;

/// The twenty superclasses by their number, each with its five classes. A class's own number is its
/// place among all hundred names in alphabetical order (Krizhevsky 2009).
const SUPERCLASSES: [(&str, [&str; 5]); 20] = [
    ("aquatic_mammals", ["beaver", "dolphin", "otter", "seal", "whale"]),
    ("fish", ["aquarium_fish", "flatfish", "ray", "shark", "trout"]),
    ("flowers", ["orchid", "poppy", "rose", "sunflower", "tulip"]),
    ("food_containers", ["bottle", "bowl", "can", "cup", "plate"]),
    ("fruit_and_vegetables", ["apple", "mushroom", "orange", "pear", "sweet_pepper"]),
    ("household_electrical_devices", ["clock", "keyboard", "lamp", "telephone", "television"]),
    ("household_furniture", ["bed", "chair", "couch", "table", "wardrobe"]),
    ("insects", ["bee", "beetle", "butterfly", "caterpillar", "cockroach"]),
    ("large_carnivores", ["bear", "leopard", "lion", "tiger", "wolf"]),
    ("large_man-made_outdoor_things", ["bridge", "castle", "house", "road", "skyscraper"]),
    ("large_natural_outdoor_scenes", ["cloud", "forest", "mountain", "plain", "sea"]),
    ("large_omnivores_and_herbivores", ["camel", "cattle", "chimpanzee", "elephant", "kangaroo"]),
    ("medium_mammals", ["fox", "porcupine", "possum", "raccoon", "skunk"]),
    ("non-insect_invertebrates", ["crab", "lobster", "snail", "spider", "worm"]),
    ("people", ["baby", "boy", "girl", "man", "woman"]),
    ("reptiles", ["crocodile", "dinosaur", "lizard", "snake", "turtle"]),
    ("small_mammals", ["hamster", "mouse", "rabbit", "shrew", "squirrel"]),
    ("trees", ["maple_tree", "oak_tree", "palm_tree", "pine_tree", "willow_tree"]),
    ("vehicles_1", ["bicycle", "bus", "motorcycle", "pickup_truck", "train"]),
    ("vehicles_2", ["lawn_mower", "rocket", "streetcar", "tank", "tractor"]),
];

/// CIFAR-FS (Bertinetto et al. 2019): 64 classes train, these 16 validate, 20 test.
const CIFAR_FS_VALIDATION: [&str; 16] = [
    "beaver",
    "beetle",
    "butterfly",
    "camel",
    "cattle",
    "crab",
    "crocodile",
    "flatfish",
    "lamp",
    "maple_tree",
    "motorcycle",
    "otter",
    "sea",
    "shark",
    "television",
    "tractor",
];
const CIFAR_FS_TEST: [&str; 20] = [
    "baby",
    "bed",
    "bicycle",
    "chimpanzee",
    "fox",
    "leopard",
    "man",
    "pickup_truck",
    "plain",
    "poppy",
    "rocket",
    "rose",
    "snail",
    "sweet_pepper",
    "table",
    "telephone",
    "wardrobe",
    "whale",
    "woman",
    "worm",
];

/// FC100 (Oreshkin et al. 2018): 12 superclasses train, these 4 validate, 4 test.
const FC100_VALIDATION: [&str; 4] =
    ["large_carnivores", "large_omnivores_and_herbivores", "non-insect_invertebrates", "small_mammals"];
const FC100_TEST: [&str; 4] = ["aquatic_mammals", "insects", "medium_mammals", "people"];

/// A published split of CIFAR-100 for learning from few images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CifarSplit {
    /// 64, 16 and 20 classes (Bertinetto et al. 2019).
    CifarFs,
    /// 60, 20 and 20 classes that share no superclass (Oreshkin et al. 2018), hence harder.
    Fc100,
}

impl CifarSplit {
    /// The name in a data specification.
    pub fn name(self) -> &'static str {
        match self {
            CifarSplit::CifarFs => "cifar-fs",
            CifarSplit::Fc100 => "fc100",
        }
    }

    /// The split that a class belongs to.
    pub(super) fn of(self, class: &Fine) -> Split {
        let (name, validation, test): (_, &[&str], &[&str]) = match self {
            CifarSplit::CifarFs => (class.name, &CIFAR_FS_VALIDATION, &CIFAR_FS_TEST),
            CifarSplit::Fc100 => (class.superclass, &FC100_VALIDATION, &FC100_TEST),
        };
        match (validation.contains(&name), test.contains(&name)) {
            (true, _) => Split::Validation,
            (_, true) => Split::Test,
            _ => Split::Train,
        }
    }
}

/// One of the hundred classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fine {
    pub(super) name: &'static str,
    pub(super) superclass: &'static str,
    /// The number of the superclass: the first byte of a record.
    pub(super) coarse: u8,
}

/// The hundred classes by their number: the second byte of a record.
pub(super) fn all() -> Vec<Fine> {
    let mut classes: Vec<Fine> = (0u8..)
        .zip(SUPERCLASSES)
        .flat_map(|(coarse, (superclass, names))| names.map(|name| Fine { name, superclass, coarse }))
        .collect();
    classes.sort_unstable();
    classes
}

/// Class lists in which every superclass stands for its five classes.
pub(super) fn expanded(lists: &ClassLists) -> ClassLists {
    let expand = |names: &[String]| {
        let members = |name: &String| match SUPERCLASSES.iter().find(|(superclass, _)| superclass == name) {
            Some((_, classes)) => classes.iter().map(|&class| class.to_owned()).collect(),
            None => vec![name.clone()],
        };
        names.iter().flat_map(members).collect()
    };
    ClassLists { train: expand(&lists.train), validation: expand(&lists.validation), test: expand(&lists.test) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_splits_have_the_published_sizes() {
        let classes = all();
        assert_eq!(classes.len(), 100);
        assert!(classes.windows(2).all(|pair| pair[0].name < pair[1].name));
        let number = |name| classes.iter().position(|class| class.name == name).unwrap();
        // The first, the last, and two numbers that any CIFAR-100 tool shows.
        assert_eq!([number("apple"), number("worm"), number("cloud"), number("telephone")], [0, 99, 23, 86]);
        let sizes = |of: CifarSplit| Split::ALL.map(|split| classes.iter().filter(|c| of.of(c) == split).count());
        assert_eq!(sizes(CifarSplit::CifarFs), [64, 16, 20]);
        assert_eq!(sizes(CifarSplit::Fc100), [60, 20, 20]);
        let listed = CIFAR_FS_VALIDATION.iter().chain(&CIFAR_FS_TEST);
        assert!(listed.into_iter().all(|name| classes.iter().any(|class| class.name == *name)));
        let listed = FC100_VALIDATION.iter().chain(&FC100_TEST);
        assert!(listed.into_iter().all(|name| classes.iter().any(|class| class.superclass == *name)));
    }

    #[test]
    fn superclasses_stand_for_their_classes() {
        let lists = ClassLists { train: vec!["fish".to_owned(), "apple".to_owned()], ..ClassLists::default() };
        assert_eq!(expanded(&lists).train, ["aquarium_fish", "flatfish", "ray", "shark", "trout", "apple"]);
    }
}
