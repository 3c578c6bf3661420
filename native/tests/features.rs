//! The last stages of a network trained over feature maps of the first ones, from the command line:
//! the same numbers as without keeping these, and compared with where they began.
// The lint's exception for tests does not reach their helper functions.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use common::{done, json_lines, newest_weights, refused, train, workplace};
use inkling_session::tensor_file::TensorFile;

/// Ten steps on the last two blocks of the network of a run.
fn last_stages(folder: &Path, out: &str, further: &[&str]) -> String {
    let weights = format!("model.weights={}", newest_weights(&folder.join("first")).display());
    let of_two = ["--set", &weights, "--set", "model.stages=2", "--set", "training.steps=10"];
    train(folder, out, &[&of_two, further].concat())
}

fn metrics(folder: &Path, run: &str) -> String {
    std::fs::read_to_string(folder.join(run).join("metrics.csv")).unwrap()
}

#[test]
fn kept_features_change_no_number() {
    let place = workplace();
    let folder = place.path();
    train(folder, "first", &["--set", "training.steps=5"]);
    last_stages(folder, "kept", &[]);
    last_stages(folder, "anew", &["--set", "data.feature_cache=0"]);
    // Room for a few images only.
    last_stages(folder, "little", &["--set", "data.feature_cache=8KiB"]);
    assert_eq!(metrics(folder, "kept"), metrics(folder, "anew"));
    assert_eq!(metrics(folder, "kept"), metrics(folder, "little"));
    // An interrupted run begins without feature maps.
    last_stages(folder, "cut", &["--set", "training.steps=5"]);
    done(folder, &["train", "--resume", "cut", "--set", "training.steps=10"]);
    // Its fifth step was its last once, and was validated.
    assert_eq!(metrics(folder, "kept").lines().last(), metrics(folder, "cut").lines().last());

    let weights = |run: &str| TensorFile::read(&newest_weights(&folder.join(run))).unwrap();
    let (before, after) = (weights("first"), weights("kept"));
    assert!(before.tensors.keys().eq(after.tensors.keys()), "the file is not that of the whole network");
    let same = |name: &str| before.tensors[name] == after.tensors[name];
    assert!(same("blocks.0.conv.weight") && same("blocks.1.norm.bias"), "what is frozen has changed");
    assert!(!same("blocks.2.conv.weight") && !same("blocks.3.norm.weight"), "what is trained has not");
}

#[test]
fn the_backbone_has_a_rate_of_its_own() {
    let place = workplace();
    let folder = place.path();
    train(folder, "first", &["--set", "training.steps=5"]);
    last_stages(folder, "head", &["--set", "head.metric=cosine", "--set", "training.backbone_factor=0"]);
    let weights = |run: &str| TensorFile::read(&newest_weights(&folder.join(run))).unwrap();
    let (before, after) = (weights("first"), weights("head"));
    assert!(before.tensors.iter().all(|(name, tensor)| after.tensors[name] == *tensor), "the backbone has changed");
    let scale = after.tensors["head.scale"].as_f32().unwrap()[0];
    assert!(scale != 10.0, "the head has not");
}

#[test]
fn learners_are_compared_on_the_same_episodes() {
    let place = workplace();
    let folder = place.path();
    train(folder, "first", &["--set", "training.steps=5"]);
    let start = ["--json", "eval", "--run", "first", "--episodes", "10", "--against"];
    let lines = json_lines(&done(folder, &[&start[..], &["start"]].concat()));
    let [own, other, compared] = &lines[lines.len() - 3..] else { panic!("{lines:?}") };
    let mean = own["accuracy"].as_f64().unwrap() - other["accuracy"].as_f64().unwrap();
    assert!((compared["difference"].as_f64().unwrap() - mean).abs() < 1e-6, "{lines:?}");
    assert_eq!((&compared["event"], &compared["episodes"]), (&"comparison".into(), &10.into()));

    let itself = newest_weights(&folder.join("first"));
    let text = done(folder, &["eval", "--run", "first", "--against", itself.to_str().unwrap(), "--episodes", "10"]);
    assert!(text.contains("+0.00 ± 0.00 percentage points (the same 10 episodes"), "{text}");
    let text = refused(folder, &["eval", "--model", itself.to_str().unwrap(), "--against", "start"], 2);
    assert!(text.contains("--run"), "{text}");
    // Steps 5 and 10 have checkpoints, and 10 a validation.
    train(folder, "second", &["--set", "training.steps=15"]);
    let text = done(folder, &["eval", "--run", "second", "--best", "--episodes", "10"]);
    assert!(text.contains("second, step 1"), "{text}");
}

#[test]
fn what_does_not_go_together_is_said_before_the_run() {
    let place = workplace();
    let folder = place.path();
    let refusal = |further: &[&str]| {
        let call = ["train", "--config", "tiny.toml", "--out", "run", "--set", "model.stages=2", "--set"];
        refused(folder, &[&call, further].concat(), 2)
    };
    let text = refusal(&["data.augmentation.flip=true"]);
    assert!(text.contains("data.augmentation") && text.contains("feature_cache"), "{text}");
    assert!(refusal(&["model.stages=5"]).contains("1 to 4"));
    assert!(refusal(&["model.trained=nothing"]).contains("no stage of Conv-4 is trained"));
    assert!(!folder.join("run").exists());
}
