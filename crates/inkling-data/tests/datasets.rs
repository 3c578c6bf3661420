//! Opening data sets by specification: small ones that the tests write, damaged ones, and the real
//! ones where they are at hand.
#![cfg(not(target_arch = "wasm32"))]
// Clippy takes helpers outside a test function for shipped code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use image::{GrayImage, ImageFormat, Luma, Rgb, RgbImage};
use inkling_data::{
    DataError, Dataset, EpisodePlan, EpisodeSpec, ImageShape, Omniglot, OpenOptions, Split, load_class_folder,
    load_image, load_images, nearest_pixel_accuracy, open, summary,
};
use proptest::prelude::*;

type Files = Vec<(String, Vec<u8>)>;

fn png(image: impl Into<image::DynamicImage>) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A drawing like Omniglot's: black on white, 105×105, its top left ninth inked, `ink` columns more.
fn drawing(ink: u32) -> Vec<u8> {
    png(GrayImage::from_fn(105, 105, |x, y| Luma([if x < 35 + ink && y < 35 { 0 } else { 255 }])))
}

/// Half an Omniglot: `alphabets` of two characters with three drawings each.
fn half(name: &str, alphabets: u32) -> Files {
    let mut files = Vec::new();
    for alphabet in 0..alphabets {
        for character in 1..3 {
            for number in 0..3 {
                let path = format!("{name}/Alphabet{alphabet:02}/character{character:02}/0001_{number:02}.png");
                files.push((path, drawing(alphabet + number)));
            }
        }
    }
    files
}

fn zip_of(files: &Files) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer.start_file(name.as_str(), zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn unpack(files: &Files, folder: &Path) {
    for (name, bytes) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

fn everything(set: &dyn Dataset) -> Vec<(Split, String, Vec<u8>)> {
    let mut all = Vec::new();
    for split in Split::ALL {
        for class in 0..set.class_count(split) {
            for index in 0..set.image_count(split, class) {
                let pixels = set.pixels(split, class, index).unwrap();
                all.push((split, set.class_name(split, class), pixels.to_vec()));
            }
        }
    }
    all
}

#[test]
fn omniglot_is_the_same_packed_unpacked_nested_and_from_memory() {
    let (background, evaluation) = (half("images_background", 12), half("images_evaluation", 3));
    let (packed, unpacked, nested) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(packed.path().join("images_background.zip"), zip_of(&background)).unwrap();
    std::fs::write(packed.path().join("images_evaluation.zip"), zip_of(&evaluation)).unwrap();
    for files in [&background, &evaluation] {
        unpack(files, unpacked.path());
        unpack(files, &nested.path().join("python"));
    }
    let options = OpenOptions::default();
    let bytes = (zip_of(&background), zip_of(&evaluation));
    let memory = Omniglot::from_archives(&bytes.0, &bytes.1, &options).unwrap();
    let expected = everything(&memory);
    for folder in [&packed, &unpacked, &nested] {
        let spec = format!("omniglot:{}", folder.path().display());
        let set = open(&spec, &options).unwrap();
        assert_eq!(set.spec(), spec);
        assert!(everything(set.as_ref()) == expected);
    }
    // Two of twelve alphabets validate; two characters each, times four rotations.
    assert_eq!(Split::ALL.map(|split| memory.class_count(split)), [80, 16, 24]);
    assert_eq!(memory.image_shape(), ImageShape { channels: 1, height: 28, width: 28 });
}

#[test]
fn omniglot_is_white_on_black_averaged_and_turned() {
    let bytes = (zip_of(&half("a", 2)), zip_of(&half("b", 1)));
    let options = OpenOptions { image_size: Some(3), ..OpenOptions::default() };
    let set = Omniglot::from_archives(&bytes.0, &bytes.1, &options).unwrap();
    let image = |class, index| set.pixels(Split::Test, class, index).unwrap().to_vec();
    // The top left ninth is inked; two columns more of the next ninth are 2/35 of 255.
    assert_eq!(image(0, 0), [255, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(image(0, 2), [255, 15, 0, 0, 0, 0, 0, 0, 0]);
    // Classes 2, 4 and 6 are the first of two characters, turned anticlockwise.
    assert_eq!(image(2, 2), [0, 0, 0, 15, 0, 0, 255, 0, 0]);
    assert_eq!(image(4, 2), [0, 0, 0, 0, 0, 0, 0, 15, 255]);
    assert_eq!(image(6, 2), [0, 0, 255, 0, 0, 15, 0, 0, 0]);
    assert_eq!(set.class_name(Split::Test, 4), "Alphabet00/character01 turned 180°");
    assert!(matches!(set.pixels(Split::Test, 8, 0), Err(DataError::NoSuchImage { .. })));
    assert!(matches!(set.pixels(Split::Test, 0, 3), Err(DataError::NoSuchImage { .. })));
    let upright = OpenOptions { rotations: false, ..options };
    let set = Omniglot::from_archives(&bytes.0, &bytes.1, &upright).unwrap();
    assert_eq!(set.class_count(Split::Test), 2);
}

#[test]
fn omniglot_holds_out_whole_alphabets_by_seed() {
    let bytes = (zip_of(&half("a", 18)), zip_of(&half("b", 1)));
    let alphabets = |seed, split| {
        let options = OpenOptions { seed, image_size: Some(5), ..OpenOptions::default() };
        let set = Omniglot::from_archives(&bytes.0, &bytes.1, &options).unwrap();
        let mut names: Vec<String> = (0..set.class_count(split))
            .map(|class| set.class_name(split, class).split('/').next().unwrap().to_owned())
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    let (train, validation) = (alphabets(1, Split::Train), alphabets(1, Split::Validation));
    assert_eq!((train.len(), validation.len()), (15, 3));
    assert!(validation.iter().all(|name| !train.contains(name)));
    assert_eq!(validation, alphabets(1, Split::Validation));
    assert!((2..6).any(|seed| alphabets(seed, Split::Validation) != validation));
}

#[test]
fn what_cannot_be_opened_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display();
    let message = |spec: &str| match open(spec, &OpenOptions::default()) {
        Ok(_) => panic!("{spec} opened"),
        Err(error) => error.to_string(),
    };
    let known = "glyphs, scenes, omniglot:PATH, cifar-fs:PATH, fc100:PATH, mini-imagenet:PATH, tiered-imagenet:PATH, \
                 folder:PATH";
    assert!(message("omnigloot:x").contains(known));
    assert!(message("glyphs:7").contains("takes no path"));
    assert!(message("omniglot").contains("omniglot:PATH"));
    assert!(message("folder:").contains("folder:PATH"));
    assert!(message("fc100").contains("fc100 needs a path: fc100:PATH"));
    for name in ["cifar-fs", "fc100", "mini-imagenet", "tiered-imagenet"] {
        let text = message(&format!("{name}:{path}"));
        assert!(text.contains("holds no"), "{name}: {text}");
    }
    assert!(message(&format!("omniglot:{path}")).contains("images_background.zip"));
    assert!(message(&format!("folder:{path}")).contains("one folder of images per class"));
    assert!(message(&format!("folder:{path}/nowhere")).contains("nowhere"));
    std::fs::write(folder.path().join("images_background.zip"), b"PK no").unwrap();
    std::fs::write(folder.path().join("images_evaluation.zip"), b"PK no").unwrap();
    assert!(message(&format!("omniglot:{path}")).contains("is not a readable zip"));
    std::fs::write(folder.path().join("images_background.zip"), zip_of(&half("a", 1))).unwrap();
    std::fs::write(folder.path().join("images_evaluation.zip"), zip_of(&Files::new())).unwrap();
    assert!(message(&format!("omniglot:{path}")).contains("ALPHABET/CHARACTER"));
    let options = OpenOptions { image_size: Some(0), ..OpenOptions::default() };
    assert!(matches!(open(&format!("omniglot:{path}"), &options), Err(DataError::Setting { .. })));
}

#[test]
fn built_in_sets_open_by_name() {
    for (name, channels, side) in [("glyphs", 1, 28), ("scenes", 3, 84)] {
        let set = open(name, &OpenOptions::default()).unwrap();
        assert_eq!(set.spec(), name);
        assert_eq!(set.image_shape(), ImageShape { channels, height: side, width: side });
        let options = OpenOptions { image_size: Some(32), seed: 1, ..OpenOptions::default() };
        let other = open(name, &options).unwrap();
        let pixels = other.pixels(Split::Test, 0, 0).unwrap();
        assert_eq!(pixels.len() as u32, channels * 32 * 32);
        let same_size = OpenOptions { seed: 0, ..options };
        let first = open(name, &same_size).unwrap().pixels(Split::Test, 0, 0).unwrap();
        assert_ne!(pixels, first, "the seed chooses the universe");
    }
}

#[test]
fn photographs_on_disk_with_a_split_file() {
    let folder = tempfile::tempdir().unwrap();
    for (class, red) in [("apple", 200u8), ("pear", 100), ("plum", 50)] {
        std::fs::create_dir(folder.path().join(class)).unwrap();
        for number in 0..3 {
            let image = RgbImage::from_pixel(20, 30, Rgb([red, number, 0]));
            std::fs::write(folder.path().join(class).join(format!("{number}.PNG")), png(image)).unwrap();
        }
        std::fs::write(folder.path().join(class).join("notes.txt"), b"no image").unwrap();
    }
    let split = folder.path().join("split.json");
    std::fs::write(&split, r#"{"train": ["pear"], "val": ["plum"], "test": ["apple"]}"#).unwrap();
    let spec = format!("folder:{}", folder.path().display());
    let options = OpenOptions { image_size: Some(8), split_file: Some(split), ..Default::default() };
    let set = open(&spec, &options).unwrap();
    assert_eq!(Split::ALL.map(|split| set.class_name(split, 0)), ["pear", "plum", "apple"]);
    assert_eq!(set.image_count(Split::Test, 0), 3);
    let pixels = set.pixels(Split::Test, 0, 2).unwrap();
    assert_eq!((pixels[0], pixels[64], pixels[128]), (200, 2, 0));
    std::fs::write(folder.path().join("pear/1.PNG"), b"broken").unwrap();
    let error = set.pixels(Split::Train, 0, 1).unwrap_err().to_string();
    assert!(error.contains("1.PNG") && error.contains("not a readable image"), "{error}");
}

#[test]
fn support_and_query_for_a_new_task() {
    let folder = tempfile::tempdir().unwrap();
    let framing = ImageShape { channels: 1, height: 4, width: 4 }.into();
    let (support, query) = (folder.path().join("support"), folder.path().join("query"));
    for (path, grey) in
        [("support/b/1.png", 20u8), ("support/a/2.png", 11), ("support/a/1.png", 10), ("query/q.png", 99)]
    {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, png(GrayImage::from_pixel(9, 9, Luma([grey])))).unwrap();
    }
    let classes = load_class_folder(&support, framing, true).unwrap().images;
    let greys =
        |images: &[(PathBuf, inkling_data::Pixels)]| images.iter().map(|(_, pixels)| pixels[5]).collect::<Vec<_>>();
    assert_eq!((classes[0].0.as_str(), greys(&classes[0].1)), ("a", vec![10, 11]));
    assert_eq!((classes[1].0.as_str(), greys(&classes[1].1)), ("b", vec![20]));
    assert_eq!(classes[1].1[0].0, support.join("b/1.png"));
    assert_eq!(greys(&load_images(&query, framing, true).unwrap().images), [99]);
    assert_eq!(greys(&load_images(&query.join("q.png"), framing, true).unwrap().images), [99]);
    assert!(load_images(&support, framing, false).unwrap_err().to_string().contains("holds no JPEG"));
    assert!(load_image(&query.join("none.png"), framing).unwrap_err().to_string().contains("none.png"));
    // A damaged image is passed over, unless it is asked for by name or has no other beside it.
    std::fs::write(query.join("r.png"), b"no image").unwrap();
    let loaded = load_images(&query, framing, false).unwrap();
    assert_eq!((greys(&loaded.images), loaded.skipped.len()), (vec![99], 1));
    assert!(loaded.skipped[0].contains("r.png is not a readable image"), "{}", loaded.skipped[0]);
    assert!(load_images(&query, framing, true).unwrap_err().to_string().contains("r.png"));
    assert!(load_images(&query.join("r.png"), framing, false).is_err());
    std::fs::write(support.join("a/1.png"), b"no image").unwrap();
    assert_eq!(greys(&load_class_folder(&support, framing, false).unwrap().images[0].1), [11]);
    std::fs::write(support.join("b/1.png"), b"no image").unwrap();
    assert!(load_class_folder(&support, framing, false).unwrap_err().to_string().contains("b/1.png"));
    std::fs::remove_dir_all(support.join("b")).unwrap();
    assert!(matches!(load_class_folder(&support, framing, false), Err(DataError::OneClass { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn damaged_omniglot_archives_do_not_panic(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        keep in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let whole = zip_of(&half("a", 1));
        let mut bytes = whole.clone();
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(keep) = keep {
            bytes.truncate(keep.index(bytes.len()));
        }
        let options = OpenOptions { image_size: Some(7), ..OpenOptions::default() };
        if let Ok(set) = Omniglot::from_archives(&bytes, &whole, &options) {
            everything(&set);
        }
    }
}

/// The folder of real data, or a note that the test is skipped.
fn real_data(file: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("INKLING_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    if folder.join(file).exists() {
        return Some(folder);
    }
    eprintln!("SKIPPED: no {file} in {} (set INKLING_DATA)", folder.display());
    None
}

#[test]
fn the_real_omniglot() {
    let Some(folder) = real_data("images_background.zip") else { return };
    let set = open(&format!("omniglot:{}", folder.display()), &OpenOptions::default()).unwrap();
    let counts = Split::ALL.map(|split| set.class_count(split) / 4);
    assert_eq!(counts[0] + counts[1], 964);
    assert_eq!(counts[2], 659);
    let summary = summary(set.as_ref()).unwrap();
    assert!(summary.splits.iter().all(|one| (one.smallest_class, one.largest_class) == (20, 20)));
    // Ink covers a few percent of the paper, and a sample of 200 drawings is near the whole.
    let (mean, sampled) = (summary.normalization.mean[0], summary.sample.mean[0]);
    assert!(mean > 0.03 && mean < 0.15 && (mean - sampled).abs() < 0.02, "{summary:?}");
    let spec = EpisodeSpec::Fixed { ways: 5, shots: 1, queries: 5 };
    let pixels = nearest_pixel_accuracy(set.as_ref(), Split::Test, &spec, 1, 60).unwrap();
    println!("pixels alone, 5-way 1-shot: {pixels:?}");
    // Far above chance and far below any learner.
    let accuracy = pixels.nearest_neighbour.mean;
    assert!(accuracy > 0.3 && accuracy < 0.7, "{pixels:?}");
}

#[test]
fn the_real_cifar_100() {
    let Some(folder) = real_data("cifar-100-binary.tar.gz") else { return };
    for (name, expected, lists) in
        [("cifar-fs", [64, 16, 20], "splits/cifar-fs.json"), ("fc100", [60, 20, 20], "splits/fc100.json")]
    {
        let spec = format!("{name}:{}", folder.display());
        let set = open(&spec, &OpenOptions::default()).unwrap();
        assert_eq!(Split::ALL.map(|split| set.class_count(split)), expected);
        let summary = summary(set.as_ref()).unwrap();
        let counts = summary.splits.map(|split| (split.smallest_class, split.largest_class));
        assert!(counts.iter().all(|&(least, most)| least == most && least == counts[0].0), "{summary:?}");
        assert_eq!(set.remark().is_none(), counts[0].0 == 600, "{summary:?}");
        // Natural images: channel means near those of all of CIFAR-100 (0.507, 0.487, 0.441).
        for (mean, all) in summary.normalization.mean.iter().zip([0.507, 0.487, 0.441]) {
            assert!((mean - all).abs() < 0.03, "{summary:?}");
        }
        if folder.join(lists).exists() {
            let options = OpenOptions { split_file: Some(folder.join(lists)), ..OpenOptions::default() };
            let listed = open(&spec, &options).unwrap();
            for split in Split::ALL {
                let names = |set: &dyn Dataset| -> Vec<String> {
                    (0..set.class_count(split)).map(|class| set.class_name(split, class)).collect()
                };
                assert_eq!(names(set.as_ref()), names(listed.as_ref()), "{name}: the published split");
            }
        }
        let spec = EpisodeSpec::Fixed { ways: 5, shots: 5, queries: 5 };
        spec.check(set.as_ref(), Split::Test).unwrap();
        let pixels = nearest_pixel_accuracy(set.as_ref(), Split::Test, &spec, 1, 60).unwrap();
        println!("{name}, pixels alone, 5-way 5-shot: {pixels:?}");
        // Above chance, far below any learner: labels and images belong together.
        let accuracy = pixels.nearest_neighbour.mean;
        assert!(accuracy > 0.25 && accuracy < 0.5, "{pixels:?}");
    }
}

#[test]
fn the_real_groceries() {
    let Some(folder) = real_data("grocery-dev.zip") else { return };
    let spec = format!("folder:{}", folder.join("grocery-dev.zip").display());
    let set = open(&spec, &OpenOptions::default()).unwrap();
    assert_eq!(Split::ALL.map(|split| set.class_count(split)), [26, 7, 8]);
    let spec = EpisodeSpec::Fixed { ways: 5, shots: 1, queries: 2 };
    spec.check(set.as_ref(), Split::Test).unwrap();
    let plan = EpisodePlan::draw(set.as_ref(), Split::Test, &spec, 1, 0).unwrap();
    let (first, again) = (plan.load(set.as_ref()).unwrap(), plan.load(set.as_ref()).unwrap());
    assert!(first.support().iter().zip(again.support()).all(|(a, b)| std::sync::Arc::ptr_eq(a, b)));
    assert!(first.query().iter().all(|pixels| pixels.len() == 3 * 84 * 84));
}
