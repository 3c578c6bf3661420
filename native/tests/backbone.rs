//! A network larger than Conv-4 from the command line: trained from random weights, then taken up
//! again as a file of weights by other learners.
// The lint's exception for tests does not reach their helper functions.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use common::{done, json_lines, newest_weights, refused};
use inkling_session::tensor_file::{Tensor, TensorFile};

const LITE0: &str = "\
[data]
spec = \"scenes\"
image_size = 32
[task]
ways = 2
shots = 2
queries = 1
[model]
backbone = \"efficientnet-lite0\"
trained = \"all\"
[gradient]
estimator = \"lite\"
h = 2
chunk = 2
query_batch = 2
[training]
steps = 2
tasks_per_step = 1
validate_every = 0
checkpoint_every = 2
[evaluation]
ways = 2
shots = 1
queries = 2
episodes = 3
";

/// A file of weights after two steps from random ones.
fn trained(folder: &Path) -> String {
    std::fs::write(folder.join("lite0.toml"), LITE0).unwrap();
    done(folder, &["train", "--config", "lite0.toml", "--out", "run"]);
    newest_weights(&folder.join("run")).to_str().unwrap().to_owned()
}

#[test]
fn every_learner_goes_on_from_a_file_of_weights() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    let weights = trained(folder);
    let from = format!("model.weights={weights}");
    let further = ["train", "--config", "lite0.toml", "--set", &from, "--set", "training.steps=1", "--set"];
    done(folder, &[&further[..], &["model.trained=norms", "--out", "norms"]].concat());
    let file = TensorFile::read(&newest_weights(&folder.join("norms"))).unwrap();
    let before = TensorFile::read(Path::new(&weights)).unwrap();
    let same = |name: &str| file.tensors[name] == before.tensors[name];
    assert!(same("_conv_head.weight") && same("_bn1.running_var"), "what is frozen has changed");
    assert!(!same("_bn1.weight") && !same("_blocks.0._bn1.bias"), "the norms have not changed");

    // A head alone: no gradient goes through the network.
    let head = ["model.trained=nothing", "--set", "head.kind=ridge", "--out", "head"];
    done(folder, &[&further[..], &head].concat());
    // The whole network, of first order, and through its inner steps.
    std::fs::write(folder.join("fomaml.toml"), LITE0.replace("[gradient]", "[learner]\nkind = \"fomaml\"\n[gradient]"))
        .unwrap();
    let first_order = ["train", "--config", "fomaml.toml", "--set", &from, "--set", "training.steps=1", "--set"];
    let full = ["gradient.estimator=full", "--set", "learner.inner_steps=1", "--out", "fomaml"];
    done(folder, &[&first_order[..], &full].concat());
    let second = ["gradient.estimator=full", "--set", "learner.kind=maml", "--out", "maml"];
    done(folder, &[&first_order[..], &second].concat());
}

#[test]
fn images_are_embedded_and_episodes_scored() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    let weights = trained(folder);
    let evaluated = ["--json", "eval", "--model", &weights, "--ways", "2", "--shots", "1", "--episodes", "3"];
    assert_eq!(json_lines(&done(folder, &evaluated)).last().unwrap()["episodes"], 3);

    let values: Vec<f32> = (0..2 * 3 * 32 * 32).map(|index| (index % 17) as f32 / 17.0 - 0.5).collect();
    let mut images = TensorFile::default();
    images.tensors.insert("images".to_owned(), Tensor::f32(vec![2, 3, 32, 32], values).unwrap());
    images.write(&folder.join("images.safetensors")).unwrap();
    let embed = ["embed", "--model", &weights, "--values", "images.safetensors", "--out", "rows.safetensors"];
    assert!(done(folder, &embed).contains("2 embeddings of 1280 values"));
    let rows = TensorFile::read(&folder.join("rows.safetensors")).unwrap();
    assert_eq!(rows.tensors["embeddings"].shape(), [2, 1280]);
    let text = refused(folder, &[&embed[..], &["--image-size", "64"]].concat(), 2);
    assert!(text.contains("[2, 3, 32, 32]") && text.contains("--image-size"), "{text}");
}

/// ResNet-12 learns from scratch, one or three channels, with either norm.
#[test]
fn resnet12_learns_from_scratch() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    let text = LITE0.replace("efficientnet-lite0", "resnet-12").replace("trained = \"all\"\n", "");
    std::fs::write(folder.join("resnet12.toml"), text).unwrap();
    let train = ["train", "--config", "resnet12.toml", "--set", "training.steps=1", "--set"];
    done(folder, &[&train[..], &["model.drop_rate=0.1", "--out", "group"]].concat());
    let file = TensorFile::read(&newest_weights(&folder.join("group"))).unwrap();
    assert_eq!(file.tensors["layer4.0.downsample.0.weight"].shape(), [640, 320, 1, 1]);
    let batch = ["model.norm=batch", "--set", "gradient.estimator=full", "--out", "batch", "--data", "glyphs"];
    done(folder, &[&train[..], &batch].concat());
    let lite = ["model.norm=batch", "--out", "lite"];
    assert!(refused(folder, &[&train[..], &lite].concat(), 2).contains("model.norm"));
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    std::fs::write(folder.join("lite0.toml"), LITE0).unwrap();
    let frozen = ["train", "--config", "lite0.toml", "--out", "run", "--set", "model.trained=nothing"];
    assert!(refused(folder, &frozen, 2).contains("nothing would be trained"));
    let norms = ["train", "--config", "lite0.toml", "--out", "run", "--set", "model.trained=norms"];
    assert!(refused(folder, &norms, 2).contains("`inkling weights list` says how"));
    let grey = ["train", "--config", "lite0.toml", "--out", "run", "--data", "glyphs"];
    assert!(refused(folder, &grey, 2).contains("3 channels"));
    assert!(!folder.join("run").exists());
}
