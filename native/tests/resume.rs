//! Runs that are killed or interrupted go on as if nothing had been.
#![cfg(unix)]
// The lint's exception for tests does not reach their helper functions.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{command, done, ended, newest_weights, refused, train, workplace};

const STEPS: [&str; 2] = ["--set", "training.steps=60"];

/// Starts a run and waits until its metrics hold so many steps.
fn started(folder: &Path, run: &str, steps: usize) -> Child {
    let arguments = [&["train", "--config", "tiny.toml", "--out", run][..], &STEPS].concat();
    let mut child = command(folder, &arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    let metrics = folder.join(run).join("metrics.csv");
    while std::fs::read_to_string(&metrics).unwrap_or_default().lines().count() <= steps {
        assert!(begun.elapsed() < Duration::from_secs(60), "no {steps} steps within a minute");
        assert!(child.try_wait().unwrap().is_none(), "the run ended before step {steps}");
        std::thread::sleep(Duration::from_millis(2));
    }
    child
}

fn assert_same_run(folder: &Path, left: &str, right: &str) {
    for file in
        ["metrics.csv", "checkpoints/step-000060/weights.safetensors", "checkpoints/step-000060/optimizer.safetensors"]
    {
        let read = |run: &str| std::fs::read(folder.join(run).join(file)).unwrap();
        assert_eq!(read(left), read(right), "{file} differs");
    }
}

#[test]
fn a_killed_and_resumed_run_equals_an_uninterrupted_one_to_the_bit() {
    let place = workplace();
    let folder = place.path();
    train(folder, "whole", &STEPS);
    // Once before the first checkpoint, once after it and between two.
    let mut child = started(folder, "killed", 2);
    child.kill().unwrap();
    child.wait().unwrap();
    done(folder, &["train", "--resume", "killed"]);
    assert_same_run(folder, "whole", "killed");
    let mut child = started(folder, "again", 23);
    child.kill().unwrap();
    // Not waited for: resuming must get along with a process that is just ending.
    let text = done(folder, &["train", "--resume", "again"]);
    child.wait().unwrap();
    assert!(text.contains("done after step 60"), "{text}");
    assert_same_run(folder, "whole", "again");
}

#[test]
fn ctrl_c_finishes_the_step_writes_a_checkpoint_and_says_how_to_resume() {
    let place = workplace();
    let folder = place.path();
    train(folder, "whole", &STEPS);
    let child = started(folder, "stopped", 7);
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(0), "{out}{err}");
    assert!(err.contains("stopping after this step"), "{err}");
    assert!(out.contains("interrupted after step"), "{out}");
    assert!(out.ends_with("continue with: inkling train --resume stopped\n"), "{out}");
    let step = common::last_cell(&folder.join("stopped/metrics.csv"), "step");
    let weights = newest_weights(&folder.join("stopped"));
    assert!(weights.to_string_lossy().contains(&format!("step-{:0>6}", step)), "{} at step {step}", weights.display());
    done(folder, &["train", "--resume", "stopped"]);
    assert_same_run(folder, "whole", "stopped");
}

#[test]
fn resuming_goes_on_longer_but_never_otherwise() {
    let place = workplace();
    let folder = place.path();
    train(folder, "run", &["--set", "training.steps=4"]);
    let text = done(folder, &["train", "--resume", "run"]);
    assert!(text.contains("done after step 4"), "{text}");
    let text = done(folder, &["train", "--resume", "run", "--set", "training.steps=6"]);
    assert!(text.contains("done after step 6"), "{text}");
    let other = refused(folder, &["train", "--resume", "run", "--set", "training.learning_rate=0.1"], 2);
    assert!(other.contains("start a new run"), "{other}");
    let occupied = refused(folder, &["train", "--config", "tiny.toml", "--out", "run"], 2);
    assert!(occupied.contains("--resume run"), "{occupied}");
    // A damaged checkpoint is passed over for the one before it.
    std::fs::write(folder.join("run/checkpoints/step-000006/weights.safetensors"), "damaged").unwrap();
    let (out, err) = ended(folder, &["train", "--resume", "run"], 0);
    assert!(err.contains("step-000006") && err.contains("checksum"), "{err}");
    assert!(out.contains("done after step 6"), "{out}");
}

#[test]
fn a_run_goes_on_with_smaller_passes_and_says_so() {
    let place = workplace();
    let folder = place.path();
    train(folder, "run", &["--set", "training.steps=2"]);
    let longer = ["train", "--resume", "run", "--set", "training.steps=4"];
    let other = refused(folder, &[&longer[..], &["--set", "gradient.estimator=chunked"]].concat(), 2);
    assert!(other.contains("the configuration differs"), "{other}");
    let smaller = ["--set", "gradient.chunk=2", "--set", "gradient.query_batch=2"];
    let text = done(folder, &[&longer[..], &smaller].concat());
    assert!(text.contains("done after step 4"), "{text}");
    let changes = std::fs::read_to_string(folder.join("run/changes.csv")).unwrap();
    assert!(changes.contains("2,gradient.chunk,2,true"), "{changes}");
    // The next session keeps them by itself.
    let plan = |text: &str| text.lines().find(|line| line.starts_with("memory plan")).map(str::to_owned);
    let again = done(folder, &["train", "--resume", "run", "--set", "training.steps=6"]);
    assert!(plan(&again).is_some() && plan(&again) == plan(&text), "{again}");
}
