//! The command line from outside: exit codes, messages, and the commands that need no device.

// The lint's exception for tests does not reach their helper functions.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn inkling_in(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_inkling")).args(arguments).current_dir(folder).output().unwrap()
}

fn inkling(arguments: &[&str]) -> Output {
    inkling_in(Path::new("."), arguments)
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Asserts exit code 2 and returns what was said.
fn refused(arguments: &[&str]) -> String {
    let output = inkling(arguments);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
    assert!(!text.contains("panicked"), "{text}");
    text
}

/// Asserts exit code 1 and returns what was said.
fn failed(arguments: &[&str]) -> String {
    let output = inkling(arguments);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
    assert!(!text.contains("panicked"), "{text}");
    text
}

#[test]
fn help_lists_every_command() {
    let output = inkling(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    for command in ["train", "eval", "adapt", "grad", "report", "memory", "data", "weights", "devices", "bench"] {
        assert!(text.lines().any(|line| line.trim_start().starts_with(command)), "{command} is missing:\n{text}");
        assert_eq!(inkling(&[command, "--help"]).status.code(), Some(0), "{command}");
    }
    assert!(text.contains("Examples:") && text.contains("Exit codes"), "{text}");
}

#[test]
fn wrong_usage_exits_with_2() {
    assert!(refused(&["trian"]).contains("train"));
    assert!(refused(&["train", "--preste", "x"]).contains("--preset"));
    assert!(refused(&["train", "--preset", "a", "--config", "b"]).contains("cannot be used with"));
    assert!(refused(&["train", "--memory-budget", "lots"]).contains("512MiB"));
    assert!(refused(&["train", "--memory-budget", "0"]).contains("memory.budget is zero"));
    assert!(refused(&["train", "--preset", "glyphs"]).contains("did you mean \"glyphs-protonet-lite\""));
    assert!(refused(&["train", "--seed", "18446744073709551615"]).contains("too large"));
    assert!(refused(&["eval"]).contains("--run"));
    assert!(refused(&["eval", "--model", "x", "--split", "tset"]).contains("test"));
    assert!(refused(&["bench", "conv4", "--image", "8"]).contains("16"));
    assert!(refused(&["data", "info", "glyph"]).contains("glyphs"));
    assert!(refused(&["data", "fetch", "imagenet"]).contains("omniglot"));
    assert!(refused(&[]).contains("Usage"));
}

#[test]
fn unknown_keys_name_the_nearest_one() {
    let text = refused(&["train", "--set", "trainig.steps=3"]);
    assert!(text.contains("unknown key \"trainig.steps\"; did you mean \"training.steps\"?"), "{text}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.toml");
    std::fs::write(&path, "[gradient]\nestimatr = \"lite\"\n").unwrap();
    let text = refused(&["train", "--config", path.to_str().unwrap()]);
    assert!(text.contains("run.toml:2") && text.contains("\"gradient.estimator\""), "{text}");
}

#[test]
fn bad_configurations_name_file_line_and_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.toml");
    std::fs::write(&path, "[training]\nsteps = = 3\n").unwrap();
    let file = path.to_str().unwrap();
    assert!(refused(&["train", "--config", file]).contains("run.toml:2: this is not valid TOML"));
    std::fs::write(&path, "[training]\nlearning_rate = -1.0\n").unwrap();
    assert!(refused(&["train", "--config", file]).contains("run.toml:2: training.learning_rate is -1"));
    std::fs::write(&path, b"\xff\xfe").unwrap();
    assert!(refused(&["train", "--config", file]).contains("cannot read"));
    assert!(refused(&["train", "--config", "no/such.toml"]).contains("no/such.toml"));
    let batch = refused(&["train", "--set", "model.norm=batch"]);
    assert!(batch.contains("batch statistics couple the images"), "{batch}");
}

#[test]
fn a_printed_configuration_reads_back_to_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let first = inkling(&[
        "train",
        "--preset",
        "glyphs-protonet-lite",
        "--set",
        "gradient.h=7",
        "--seed",
        "4",
        "--print-config",
    ]);
    assert_eq!(first.status.code(), Some(0));
    let text = stdout(&first);
    assert!(text.contains("h = 7") && text.contains("seed = 4"), "{text}");
    std::fs::write(folder.path().join("a.toml"), &text).unwrap();
    let second = inkling_in(folder.path(), &["train", "--config", "a.toml", "--print-config"]);
    assert_eq!(stdout(&second), text);
    let json = inkling(&["--json", "train", "--preset", "glyphs-protonet-lite", "--print-config"]);
    let value: Value = serde_json::from_str(&stdout(&json)).unwrap();
    assert_eq!(value["gradient"]["estimator"], "lite");
}

#[test]
fn folders_with_and_without_runs_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    assert!(refused(&["train", "--resume", path]).contains("holds no run"));
    assert!(refused(&["eval", "--run", path]).contains("holds no run"));
    std::fs::write(folder.path().join("config.toml"), "").unwrap();
    let occupied = refused(&["train", "--out", path]);
    assert!(occupied.contains("already holds a run") && occupied.contains("--resume"), "{occupied}");
    assert!(failed(&["eval", "--run", path]).contains("no checkpoint yet"));
}

#[test]
fn files_that_are_no_models_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    std::fs::write(&path, b"nothing").unwrap();
    let file = path.to_str().unwrap();
    assert!(failed(&["eval", "--model", file]).contains("no whole safetensors file"));
    assert!(failed(&["adapt", "--model", file, "--support", ".", "--query", "."]).contains("w.safetensors"));
    // A whole file without a model card: an empty header.
    std::fs::write(&path, [&2u64.to_le_bytes()[..], b"{}"].concat()).unwrap();
    assert!(failed(&["adapt", "--model", file, "--support", ".", "--query", "."]).contains("no model card"));
    assert!(
        failed(&["grad", "--case", &case(folder.path()), "--weights", "none", "--episode", file, "--out", file])
            .contains("none")
    );
}

fn case(folder: &Path) -> String {
    let path = folder.join("case.toml");
    let text = "[model]\nbackbone = \"conv4\"\nchannels = 8\nnorm = \"frozen\"\nimage_size = 28\nin_channels = 1\n\
                [head]\nkind = \"prototypes\"\n[gradient]\nestimator = \"full\"\n";
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn errors_are_json_for_programs() {
    let output = inkling(&["--json", "train", "--set", "training.steps=0"]);
    assert_eq!(output.status.code(), Some(2));
    let value: Value = serde_json::from_str(stdout(&output).lines().last().unwrap()).unwrap();
    assert_eq!((value["event"].as_str(), value["exit_code"].as_u64()), (Some("error"), Some(2)));
    assert!(value["message"].as_str().unwrap().contains("training.steps"));
}

#[test]
fn data_sets_are_listed_described_and_pictured() {
    let folder = tempfile::tempdir().unwrap();
    let list = stdout(&inkling(&["data", "list"]));
    for name in ["glyphs", "omniglot:PATH", "fc100:PATH", "mini-imagenet:PATH", "cifar-100"] {
        assert!(list.contains(name), "{name} is missing: {list}");
    }
    let info = inkling(&["data", "info", "glyphs", "--json"]);
    let value: Value = serde_json::from_str(&stdout(&info)).unwrap();
    assert_eq!(value["channels"], 1);
    assert!(value["splits"]["test"]["classes"].as_u64().unwrap() > 20);
    let sheet = inkling_in(
        folder.path(),
        &["data", "sheet", "glyphs", "--ways", "3", "--shots", "2", "--queries", "1", "--out", "s.png"],
    );
    assert_eq!(sheet.status.code(), Some(0));
    assert!(std::fs::read(folder.path().join("s.png")).unwrap().starts_with(b"\x89PNG"));
    let too_few = refused(&["data", "sheet", "glyphs", "--ways", "1"]);
    assert!(too_few.contains("ways"), "{too_few}");
}

/// Two images each of three classes in CIFAR-100's binary form: superclass, class, pixels.
fn three_classes_of_cifar() -> Vec<u8> {
    let labels = [(4u8, 0u8), (14, 2), (0, 4)]; // apple, baby, beaver
    labels.iter().cycle().take(6).flat_map(|&(coarse, fine)| [vec![coarse, fine], vec![fine; 3072]].concat()).collect()
}

#[test]
fn a_part_of_cifar_100_is_opened_and_remarked_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::write(path.join("train.bin"), three_classes_of_cifar()).unwrap();
    std::fs::write(path.join("test.bin"), &three_classes_of_cifar()[..3 * 3074]).unwrap();
    std::fs::write(path.join("s.toml"), "train = [\"apple\"]\ntest = [\"baby\", \"beaver\"]").unwrap();
    let info = inkling_in(path, &["data", "info", "cifar-fs:.", "--split-file", "s.toml"]);
    let text = stdout(&info);
    assert!(text.contains("3×32×32") && text.contains("3 images per class, where the official CIFAR-100"), "{text}");
    let json = inkling_in(path, &["data", "info", "fc100:.", "--split-file", "s.toml", "--json"]);
    let value: Value = serde_json::from_str(&stdout(&json)).unwrap();
    assert_eq!(
        (value["splits"]["test"]["classes"].as_u64(), value["splits"]["test"]["images"].as_u64()),
        (Some(2), Some(6))
    );
    assert!(value["remark"].as_str().unwrap().contains("3 images per class"), "{value}");
    let sheet =
        ["data", "sheet", "cifar-fs:.", "--split-file", "s.toml", "--ways", "2", "--shots", "2", "--queries", "1"];
    let drawn = stdout(&inkling_in(path, &sheet));
    assert!(drawn.contains("baby") && drawn.contains("beaver") && drawn.contains("from top to bottom"), "{drawn}");
    assert!(std::fs::read(path.join("sheet.png")).unwrap().starts_with(b"\x89PNG"));
    // Without the split file the other 97 classes are missing.
    let missing = inkling_in(path, &["data", "info", "cifar-fs:."]);
    assert_eq!(missing.status.code(), Some(1));
    let text = String::from_utf8(missing.stderr).unwrap();
    assert!(text.contains("no image of the class aquarium_fish") && text.contains("data fetch cifar-100"), "{text}");
}
