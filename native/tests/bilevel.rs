//! Bilevel learners on a device: heads and full-network learners through training, evaluation,
//! reports and benches, and what becomes of tasks that cannot be solved.
// The lint's exception for tests does not reach their helper functions.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use common::{done, json_lines, last_cell, newest_weights, refused, train, two_classes, workplace};
use inkling_session::tensor_file::TensorFile;

const HEADS: [&str; 6] = ["implicit", "unrolled", "neumann", "ridge", "mahalanobis", "versa"];
const LEARNERS: [&str; 4] = ["maml", "fomaml", "reptile", "imaml"];

fn finite(folder: &Path) {
    let weights = TensorFile::read(&newest_weights(folder)).unwrap();
    for (name, tensor) in &weights.tensors {
        let values = tensor.as_f32().unwrap_or_default();
        assert!(values.iter().all(|value| value.is_finite()), "{name} of {}", folder.display());
    }
}

#[test]
fn every_head_trains_evaluates_and_adapts() {
    let place = workplace();
    let folder = place.path();
    two_classes(&folder.join("support"), 3);
    for head in HEADS {
        let kind = format!("head.kind={head}");
        let steps = ["--set", "training.steps=4", "--set", "training.tasks_per_step=2"];
        train(folder, head, &[&["--set", &kind, "--set", "training.tasks_per_pass=0"], &steps[..]].concat());
        finite(&folder.join(head));
        let result = json_lines(&done(folder, &["eval", "--run", head, "--json"])).pop().unwrap();
        assert!(result["loss"].as_f64().unwrap().is_finite(), "{head}");
        let failed = last_cell(&folder.join(head).join("metrics.csv"), "failed_tasks");
        // What solves nothing cannot fail.
        assert_eq!(failed, if head == "versa" { "" } else { "0" }, "{head}");
        let weights = newest_weights(&folder.join(head));
        let model = weights.to_str().unwrap();
        let rows = json_lines(&done(
            folder,
            &["adapt", "--model", model, "--support", "support", "--query", "support/disc", "--json"],
        ));
        assert_eq!(rows.len(), 3, "{head}");
    }
    let log = folder.join("implicit/metrics.csv");
    assert!(last_cell(&log, "solve_iterations").parse::<f32>().unwrap() > 0.0);
    assert!(last_cell(&log, "condition").parse::<f32>().unwrap() >= 1.0);
    let residuals = last_cell(&log, "solve_residuals");
    let first = residuals.split(' ').next().unwrap();
    assert_eq!(first.parse::<f32>().unwrap(), 1.0, "{residuals}");
}

/// Algorithm 2: the same tasks in every step, with warm starts that a checkpoint carries.
#[test]
fn a_deterministic_run_goes_on_from_its_warm_starts_to_the_bit() {
    let place = workplace();
    let folder = place.path();
    let sets = [
        "training.algorithm=deterministic",
        "training.tasks_per_step=3",
        "training.tasks_per_pass=2",
        "head.kind=implicit",
        "gradient.estimator=chunked",
    ];
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    train(folder, "whole", &[&sets[..], &["--set", "training.steps=6"]].concat());
    train(folder, "halves", &[&sets[..], &["--set", "training.steps=3"]].concat());
    done(folder, &["train", "--resume", "halves", "--set", "training.steps=6"]);
    let metrics = |run: &str| std::fs::read_to_string(folder.join(run).join("metrics.csv")).unwrap();
    let without_validation = |run| metrics(run).lines().map(|line| line.split(',').take(6).collect()).collect();
    let (whole, halves): (Vec<String>, Vec<String>) = (without_validation("whole"), without_validation("halves"));
    assert_eq!(whole, halves);
    let config = std::fs::read_to_string(folder.join("whole/config.toml")).unwrap();
    assert!(config.contains("start = \"warm\"") && config.contains("solve_start = \"warm\""), "{config}");
    // The tasks come again, so a warm solve has less to do than the first.
    let residual = |line: usize| {
        let text = metrics("whole");
        let index = text.lines().next().unwrap().split(',').position(|name| name == "solve_residuals").unwrap();
        let cell = text.lines().nth(line).unwrap().split(',').nth(index).unwrap().to_owned();
        cell.split(' ').next().unwrap().parse::<f32>().unwrap()
    };
    assert_eq!(residual(1), 1.0);
    assert!(residual(6) < 0.5, "the last solve begins at {}", residual(6));
}

#[test]
fn warm_starts_need_a_list_of_tasks_and_no_chance() {
    let place = workplace();
    let refusals = [
        (&["head.kind=implicit", "head.start=warm"][..], "deterministic"),
        (&["head.kind=implicit", "training.algorithm=deterministic"], "draws images at random"),
        (&["gradient.estimator=chunked", "task.variable=true", "training.algorithm=deterministic"], "of one size"),
    ];
    for (sets, reason) in refusals {
        let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
        let text = refused(place.path(), &[&["train", "--config", "tiny.toml", "--out", "run"], &sets[..]].concat(), 2);
        assert!(text.contains(reason), "{text}");
    }
}

#[test]
fn every_learner_of_the_whole_network_trains_and_evaluates() {
    let place = workplace();
    let folder = place.path();
    for learner in LEARNERS {
        let kind = format!("learner.kind={learner}");
        let sets = ["--set", &kind, "--set", "gradient.estimator=chunked", "--set", "learner.inner_steps=2"];
        train(folder, learner, &[&sets[..], &["--set", "training.steps=3"]].concat());
        finite(&folder.join(learner));
        let result = json_lines(&done(folder, &["eval", "--run", learner, "--json"])).pop().unwrap();
        assert!(result["loss"].as_f64().unwrap().is_finite(), "{learner}");
    }
}

#[test]
fn estimators_that_bias_the_inner_steps_are_refused_with_the_reason() {
    let place = workplace();
    for estimator in ["lite", "subsampled"] {
        let set = format!("gradient.estimator={estimator}");
        let sets = ["--set", "learner.kind=maml", "--set", &set];
        let text = refused(place.path(), &[&["train", "--config", "tiny.toml", "--out", "run"], &sets[..]].concat(), 2);
        assert!(text.contains("the whole support") && text.contains("chunked"), "{text}");
    }
}

/// Inner steps that leave the finite numbers in every task end the run and reach no checkpoint.
#[test]
fn diverging_inner_steps_are_an_error_that_names_their_rate() {
    let place = workplace();
    let folder = place.path();
    for (run, sets) in [
        ("head", ["head.kind=implicit", "head.inner_lr=1e20", "head.ridge=1e-20"]),
        ("learner", ["learner.kind=fomaml", "learner.inner_lr=1e20", "gradient.estimator=chunked"]),
        ("second", ["learner.kind=maml", "learner.inner_lr=1e20", "gradient.estimator=full"]),
    ] {
        let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
        let train = ["train", "--config", "tiny.toml", "--out", run, "--set", "training.checkpoint_every=1"];
        let text = refused(folder, &[&train[..], &sets].concat(), 1);
        assert!(text.contains("inner_lr") && text.contains("all 1 tasks"), "{text}");
        let checkpoints = folder.join(run).join("checkpoints");
        assert!(!checkpoints.exists() || std::fs::read_dir(checkpoints).unwrap().next().is_none(), "{run}");
    }
}

#[test]
fn memory_does_not_grow_with_the_inner_steps_of_implicit_methods() {
    let place = workplace();
    let folder = place.path();
    let methods = ["--methods", "implicit,unrolled,maml,imaml", "--inner-steps", "1,6", "--support", "6,12"];
    let report = ["report", "memory", "--config", "tiny.toml", "--out", "memory", "--json"];
    let rows = json_lines(&done(folder, &[&report[..], &methods].concat()));
    let peak = |method: &str, steps: i64| {
        let row = rows.iter().find(|row| row["over"] == "K" && row["method"] == method && row["value"] == steps);
        row.unwrap()["measured bytes"].as_i64().unwrap()
    };
    for method in ["implicit", "imaml"] {
        assert_eq!(peak(method, 1), peak(method, 6), "{method}");
    }
    for method in ["unrolled", "maml"] {
        assert!(peak(method, 6) > peak(method, 1), "{method}");
    }
    for row in rows.iter().filter(|row| row["measured bytes"] != "by plan only") {
        assert_eq!(row["planned bytes"], row["measured bytes"], "{row}");
    }
    for file in ["memory.csv", "memory.svg"] {
        assert!(folder.join("memory").join(file).is_file(), "{file}");
    }
}

#[test]
fn methods_are_compared_on_the_same_episodes() {
    let place = workplace();
    let folder = place.path();
    let text = std::fs::read_to_string(folder.join("tiny.toml")).unwrap();
    std::fs::write(folder.join("implicit.toml"), format!("{text}\n[head]\nkind = \"implicit\"\n")).unwrap();
    let sets = ["--set", "evaluation.episodes=6", "--set", "training.validation_episodes=4"];
    let report = ["report", "methods", "--methods", "tiny.toml,implicit.toml", "--time", "300ms", "--out", "methods"];
    let rows = json_lines(&done(folder, &[&report[..], &sets, &["--json"]].concat()));
    let methods: Vec<&str> = rows.iter().filter_map(|row| row["method"].as_str()).collect();
    assert_eq!(methods, ["tiny", "implicit"]);
    for file in ["methods.csv", "curves.csv", "curves.svg", "runs/implicit-0/metrics.csv"] {
        assert!(folder.join("methods").join(file).is_file(), "{file}");
    }
}

#[test]
fn benches_count_the_launches_of_tasks_side_by_side() {
    let place = workplace();
    let folder = place.path();
    let heads = ["bench", "heads", "--methods", "prototypes,implicit", "--tasks", "3", "--dimension", "8"];
    for row in json_lines(&done(folder, &[&heads[..], &["--repeats", "1", "--json"]].concat())) {
        let count = |name: &str| row[name].as_i64().unwrap();
        assert_eq!(3 * count("dispatches together"), count("one by one"), "{row}");
    }
    let steps = ["bench", "steps", "--config", "tiny.toml", "--methods", "implicit", "--tasks", "1,4"];
    let whole = ["--set", "gradient.estimator=full", "--set", "gradient.query_batch=0"];
    let rows = json_lines(&done(folder, &[&steps[..], &whole, &["--repeats", "1", "--json"]].concat()));
    let dispatches: Vec<i64> = rows.iter().map(|row| row["dispatches"].as_i64().unwrap()).collect();
    assert!(10 * dispatches[1] <= 12 * dispatches[0], "{dispatches:?}");
}

#[test]
fn convergence_is_reported_against_the_closed_form() {
    let place = workplace();
    let folder = place.path();
    let sizes = ["--seeds", "2", "--iterations", "60", "--unknowns", "500", "--out", "convergence", "--json"];
    let rows = json_lines(&done(folder, &[&["report", "convergence"][..], &sizes].concat()));
    let claim = rows.iter().find(|row| row["claim"].as_str().is_some_and(|claim| claim.contains("1e-5"))).unwrap();
    assert!(claim["measured"].as_i64().unwrap() < 60, "{claim}");
    let systems: Vec<_> = rows.iter().filter(|row| row["unknowns"] == 500).collect();
    assert_eq!(systems.len(), 2);
    assert!(
        systems.iter().all(|row| row["end"] == "converged" && row["ratio"].as_f64().unwrap() <= 1.3),
        "{systems:?}"
    );
    for file in ["convergence.csv", "convergence.svg", "systems.csv", "systems.svg"] {
        assert!(folder.join("convergence").join(file).is_file(), "{file}");
    }
}
