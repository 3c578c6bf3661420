//! Bad input of every kind ends in one clear message with the place and the remedy, the right
//! exit code, and nothing half-written.
// The lint's exception for tests does not reach their helper functions.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use common::{done, golden, newest_weights, refused, train, two_classes, workplace};
use inkling_session::tensor_file::{Tensor, TensorFile};

/// Tries to train, expects the exit code, and asserts that no run folder appears.
fn train_refused(folder: &Path, further: &[&str], code: i32) -> String {
    let text = refused(folder, &[&["train", "--config", "tiny.toml", "--out", "run"], further].concat(), code);
    assert!(!folder.join("run").exists(), "{further:?} leaves a run behind");
    text
}

#[test]
fn settings_that_cannot_be_name_their_key() {
    let place = workplace();
    for (setting, expected) in [
        ("training.learning_rate=nan", "is NaN; it must be a finite number above zero"),
        ("training.learning_rate=-1", "is -1; it must be a finite number above zero"),
        ("training.learning_rate=0", "is 0; it must be a finite number above zero"),
        ("training.learning_rate=fast", "expected a number"),
        ("training.time_limit=5", "a span of time with its unit, such as \"30min\""),
        ("gradient.h=-3", "expected a whole number, zero or above"),
        ("gradient.h=13", "an episode has only 12 support images"),
        ("gradient.query_batch=100000", "must be at most 65536"),
        ("gradient.chunk=100000", "must be at most 65536"),
        ("gradient.estimator=light", "expected one of `full`, `chunked`, `lite`, `subsampled`"),
        ("model.channels=0", "must be at least 1"),
        ("model.channels=4096", "WebGPU devices bind 128 MiB"),
        ("model.groups=3", "does not divide model.channels = 4"),
        ("model.norm=batch", "batch statistics couple the images"),
        ("head.scale=2", "use head.metric = \"cosine\" or leave it out"),
        ("task.ways=1", "must be at least 2"),
        ("data.image_size=8", "must be at least 16"),
        ("data.image_size=5000", "must be at most 4096"),
        ("data.spec=glyph", "known are glyphs, scenes, omniglot:PATH, cifar-fs:PATH, fc100:PATH"),
    ] {
        let text = train_refused(place.path(), &["--set", setting], 2);
        assert!(text.contains(expected), "{setting}: {text}");
    }
}

#[test]
fn divergence_is_an_error_and_leaves_no_broken_checkpoint() {
    let place = workplace();
    // The second rate overflows in the update itself, after a finite loss and gradient.
    for (run, rate) in [("high", "1e30"), ("higher", "1e39")] {
        let set = format!("training.learning_rate={rate}");
        let every = "training.checkpoint_every=1";
        let train = ["train", "--config", "tiny.toml", "--out", run, "--set", &set, "--set", every];
        let text = refused(place.path(), &train, 1);
        assert!(text.contains("training diverged") && text.contains("training.clip_norm"), "{text}");
        for checkpoint in std::fs::read_dir(place.path().join(run).join("checkpoints")).unwrap() {
            let weights = TensorFile::read(&checkpoint.unwrap().path().join("weights.safetensors")).unwrap();
            assert!(weights.tensors.values().all(|t| t.as_f32().unwrap().iter().all(|value| value.is_finite())));
        }
    }
}

#[test]
fn folders_of_images_that_cannot_be_used_name_the_folder_class_or_file() {
    let place = workplace();
    let folder = place.path();
    let train = |data: &str| train_refused(folder, &["--data", data, "--set", "task.ways=2"], 1);
    assert!(train("folder:nowhere").contains("nowhere"));
    std::fs::create_dir(folder.join("empty")).unwrap();
    assert!(train("folder:empty").contains("empty holds no JPEG, PNG, WebP, BMP or GIF images"));
    two_classes(&folder.join("two"), 3);
    std::fs::create_dir_all(folder.join("one")).unwrap();
    std::fs::rename(folder.join("two/disc"), folder.join("one/disc")).unwrap();
    assert!(train("folder:one").contains("one has one class only (disc)"));
    two_classes(&folder.join("two"), 3);
    assert!(train("folder:two").contains("an episode needs"));
    for (name, bytes) in [("short", 60), ("shorter", 0)] {
        let picture = std::fs::read(folder.join("two/disc/0.png")).unwrap();
        std::fs::write(folder.join("two/disc/9.png"), &picture[..bytes]).unwrap();
        let text = refused(folder, &["data", "info", "folder:two", "--strict"], 1);
        assert!(text.contains("two/disc/9.png is not a readable image"), "{name}: {text}");
        done(folder, &["data", "info", "folder:two"]);
    }
    std::fs::write(folder.join("broken.zip"), b"PK\x03\x04 and no more").unwrap();
    assert!(train("folder:broken.zip").contains("broken.zip is not a readable zip archive"));
    std::fs::create_dir(folder.join("omniglot")).unwrap();
    std::fs::write(folder.join("omniglot/images_background.zip"), b"PK\x03\x04 and no more").unwrap();
    assert!(train("omniglot:omniglot").contains("images_background.zip"));
    std::fs::write(folder.join("half.tar.gz"), b"\x1f\x8b\x08 and no more").unwrap();
    let text = train("cifar-fs:half.tar.gz");
    assert!(text.contains("half.tar.gz") && text.contains("inkling data fetch cifar-100"), "{text}");
    std::fs::write(folder.join("train.pkl"), b"\x80\x04.").unwrap();
    let text = train("mini-imagenet:train.pkl");
    assert!(text.contains("train.pkl cannot be used: it is a Python pickle") && text.contains("python3 -c"), "{text}");
    std::fs::write(folder.join("train.npz"), b"PK\x03\x04 and no more").unwrap();
    assert!(train("tiered-imagenet:train.npz").contains("train.npz cannot be used: it is no readable npz archive"));
}

#[test]
fn classes_with_too_few_images_are_named_before_training() {
    let place = workplace();
    let folder = place.path();
    for class in 0..12 {
        for index in 0..3 {
            common::picture(&folder.join(format!("few/class{class:02}/{index}.png")), |x, y| (x * y + class) as u8);
        }
    }
    let text = train_refused(folder, &["--data", "folder:few"], 1);
    assert!(text.contains("class class") && text.contains("has 3 image(s), an episode needs 6"), "{text}");
    let text = train_refused(folder, &["--data", "folder:few", "--set", "task.ways=30"], 1);
    assert!(text.contains("class(es), an episode needs 30"), "{text}");
}

#[test]
fn supports_and_queries_that_cannot_be_used_are_named() {
    let place = workplace();
    let folder = place.path();
    train(folder, "run", &["--set", "training.steps=1"]);
    let weights = newest_weights(&folder.join("run"));
    let model = weights.to_str().unwrap();
    two_classes(&folder.join("support"), 2);
    std::fs::write(folder.join("notes.png"), "no picture").unwrap();
    std::fs::create_dir(folder.join("empty")).unwrap();
    let adapt = |support: &str, query: &str| {
        refused(folder, &["adapt", "--model", model, "--support", support, "--query", query], 1)
    };
    assert!(adapt("empty", "support/disc").contains("one folder of images per class"));
    assert!(adapt("support/disc", "support/disc").contains("put the images of each class into a folder of its own"));
    assert!(adapt("support", "empty").contains("give an image file or a folder of images"));
    assert!(adapt("support", "notes.png").contains("notes.png is not a readable image"));
    assert!(adapt("support", "missing.png").contains("missing.png"));
    std::fs::create_dir(folder.join("support/ghost")).unwrap();
    assert!(adapt("support", "support/disc").contains("ghost"));
    std::fs::remove_dir(folder.join("support/ghost")).unwrap();
    let little =
        ["adapt", "--model", model, "--support", "support", "--query", "support/disc", "--memory-budget", "1KiB"];
    let text = refused(folder, &little, 2);
    assert!(text.contains("the minimum for this network and task is"), "{text}");
    let other = refused(folder, &["eval", "--run", "run", "--set", "model.channels=8"], 1);
    assert!(other.contains("run: the weights do not fit the network"), "{other}");
    assert_eq!(other.matches("has shape").count(), 24, "every misshapen tensor is listed: {other}");
}

/// A golden case in `folder` whose files a test can spoil.
struct Case {
    weights: TensorFile,
    episode: TensorFile,
    toml: String,
}

impl Case {
    fn new() -> Self {
        let case = golden("group-lite-c4-1x16-3way");
        Self {
            weights: TensorFile::read(&case.join("weights.safetensors")).unwrap(),
            episode: TensorFile::read(&case.join("episode.safetensors")).unwrap(),
            toml: std::fs::read_to_string(case.join("case.toml")).unwrap(),
        }
    }

    fn refused(&self, folder: &Path, code: i32) -> String {
        self.weights.write(&folder.join("w.safetensors")).unwrap();
        self.episode.write(&folder.join("e.safetensors")).unwrap();
        std::fs::write(folder.join("case.toml"), &self.toml).unwrap();
        let text = refused(folder, &GRAD, code);
        assert!(!folder.join("g.safetensors").exists(), "nothing is written");
        text
    }
}

const GRAD: [&str; 9] = [
    "grad",
    "--case",
    "case.toml",
    "--weights",
    "w.safetensors",
    "--episode",
    "e.safetensors",
    "--out",
    "g.safetensors",
];

#[test]
fn weights_that_do_not_fit_are_all_listed() {
    let place = workplace();
    let folder = place.path();
    let mut case = Case::new();
    let weight = case.weights.tensors.remove("blocks.1.conv.weight").unwrap();
    case.weights.tensors.insert("blocks.1.conv.kernel".into(), weight);
    case.weights.tensors.insert("blocks.2.norm.bias".into(), Tensor::f32(vec![2], vec![0.0; 2]).unwrap());
    let text = case.refused(folder, 1);
    for line in [
        "w.safetensors: the weights do not fit the network",
        "blocks.1.conv.weight [4, 4, 3, 3] is missing",
        "blocks.1.conv.kernel [4, 4, 3, 3] is not part of the network",
        "blocks.2.norm.bias has shape [2], the network needs [4]",
    ] {
        assert!(text.contains(line), "{line:?} is missing: {text}");
    }
    let mut case = Case::new();
    let nan = Tensor::f32(vec![4], vec![0.0, f32::NAN, 0.0, 0.0]).unwrap();
    case.weights.tensors.insert("blocks.0.conv.bias".into(), nan);
    let text = case.refused(folder, 1);
    assert!(text.contains("w.safetensors: tensor blocks.0.conv.bias holds NaN"), "{text}");
    let whole = std::fs::read(folder.join("w.safetensors")).unwrap();
    for length in [0, 7, 100, whole.len() - 1] {
        std::fs::write(folder.join("w.safetensors"), &whole[..length]).unwrap();
        let text = refused(folder, &GRAD, 1);
        assert!(text.contains("w.safetensors cannot be used: it is no whole safetensors file"), "{text}");
    }
}

#[test]
fn episodes_that_cannot_be_used_name_the_tensor() {
    let place = workplace();
    let folder = place.path();
    let labels = |values: Vec<i32>| Tensor::i32(vec![values.len()], values).unwrap();
    let floats = |shape: Vec<usize>| Tensor::f32(shape.clone(), vec![0.5; shape.iter().product()]).unwrap();
    let spoiled: [(&str, Option<Tensor>, &str); 9] = [
        ("support_labels", None, "holds no tensor support_labels"),
        ("query_images", None, "holds no tensor query_images"),
        ("support_labels", Some(labels(vec![-1, 0, 0, 1, 2])), "support_labels holds -1; labels count from 0"),
        ("support_labels", Some(labels(vec![0, 0, 0, 1, 3])), "class 2 has no support image"),
        ("support_labels", Some(labels(vec![0, 1, 2])), "5 support images but 3 labels"),
        ("query_labels", Some(labels(vec![0, 1, 2, 0, 1, 9])), "query label 9 in a 3-way task"),
        ("support_images", Some(floats(vec![5, 1, 8, 32])), "support_images has shape [5, 1, 8, 32]"),
        ("support_images", Some(labels(vec![1; 5])), "the case needs f32 [N, 1, 16, 16]"),
        ("query_labels", Some(floats(vec![6])), "query_labels must be i32 [N]"),
    ];
    for (name, tensor, expected) in spoiled {
        let mut case = Case::new();
        case.episode.tensors.remove(name);
        case.episode.tensors.extend(tensor.map(|tensor| (name.to_owned(), tensor)));
        let text = case.refused(folder, 1);
        assert!(text.contains("e.safetensors: ") && text.contains(expected), "{name}: {text}");
    }
    let mut case = Case::new();
    case.episode.tensors.insert("support_images".into(), floats(vec![0, 1, 16, 16]));
    case.episode.tensors.insert("support_labels".into(), labels(vec![]));
    assert!(case.refused(folder, 1).contains("support_images holds no image"));
}

#[test]
fn cases_that_cannot_be_name_file_line_and_key() {
    let place = workplace();
    for (from, to, expected) in [
        ("[1]", "[99]", "gradient.support_subset = [99]: the task has 5 support images"),
        ("[1]", "[1, 1]", "case.toml:14: gradient.support_subset holds the index 1 twice"),
        ("support_subset = [1]", "", "gradient.h is missing"),
        ("image_size = 16", "image_size = 8", "case.toml:5: model.image_size is 8; it must be at least 16"),
        ("\"group\"", "\"batch\"", "batch statistics couple the images"),
        ("\"prototypes\"", "\"nearest\"", "case.toml:10: head.kind"),
        ("\"lite\"", "\"subsampled\"", "class 1 has no image in it"),
    ] {
        let mut case = Case::new();
        assert!(case.toml.contains(from));
        case.toml = case.toml.replace(from, to);
        let text = case.refused(place.path(), 2);
        assert!(text.contains(expected), "{from} → {to}: {text}");
    }
}

#[test]
fn places_that_cannot_be_written_are_named() {
    let place = workplace();
    let folder = place.path();
    let sheet = |out: &str, code: i32| refused(folder, &["data", "sheet", "glyphs", "--out", out], code);
    assert!(sheet("no/such/sheet.png", 2).contains("cannot write no/such/sheet.png: its folder does not exist"));
    assert!(sheet(".", 1).contains("cannot write"));
    let file = refused(folder, &["train", "--config", "tiny.toml", "--out", "tiny.toml"], 1);
    assert!(file.contains("there is a file of this name"), "{file}");
    if cfg!(target_os = "linux") {
        // The one place on every machine where the disk is full.
        let full = sheet("/dev/full", 1);
        assert!(full.contains("cannot write /dev/full") && full.contains("free some space"), "{full}");
        done(folder, &["data", "sheet", "glyphs", "--out", "/dev/null"]);
    }
}
