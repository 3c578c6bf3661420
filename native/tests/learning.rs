//! Train, evaluate, adapt, compare: the commands on a device, as their users chain them.
// The lint's exception for tests does not reach their helper functions.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use common::{done, golden, json_lines, last_cell, newest_weights, train, two_classes, workplace};
use inkling_session::tensor_file::TensorFile;

#[test]
fn a_run_trains_evaluates_and_adapts() {
    let place = workplace();
    let folder = place.path();
    let text = train(folder, "run", &[]);
    for part in
        ["memory plan: ", "training on ", "step 30/30", "step 30: validation accuracy", "inkling eval --run run"]
    {
        assert!(text.contains(part), "{part:?} is missing:\n{text}");
    }
    for file in
        ["config.toml", "metrics.csv", "timing.csv", "curves.svg", "tensorboard", "checkpoints/step-000030/state.json"]
    {
        assert!(folder.join("run").join(file).exists(), "{file} is missing");
    }

    let first = done(folder, &["eval", "--run", "run", "--json"]);
    assert_eq!(first, done(folder, &["eval", "--run", "run", "--json"]), "fixed episodes score alike every time");
    let result = json_lines(&first).pop().unwrap();
    assert_eq!((result["event"].as_str(), result["episodes"].as_u64()), (Some("evaluation"), Some(20)));
    assert!(result["interval"].as_f64().unwrap() > 0.0);
    let before = json_lines(&done(folder, &["eval", "--run", "run", "--untrained", "--json"])).pop().unwrap();
    assert_ne!(before["loss"], result["loss"], "training changes the weights");
    let shape =
        done(folder, &["eval", "--run", "run", "--ways", "5", "--shots", "2", "--queries", "1", "--episodes", "4"]);
    assert!(shape.contains("5-way 2-shot") && shape.contains("(4 episodes)"), "{shape}");

    let weights = newest_weights(&folder.join("run"));
    let model = weights.to_str().unwrap();
    let of_model = done(
        folder,
        &["eval", "--model", model, "--ways", "3", "--shots", "1", "--queries", "2", "--episodes", "20", "--json"],
    );
    assert_eq!(
        json_lines(&of_model).pop().unwrap()["accuracy"],
        result["accuracy"],
        "a model's card says what it needs"
    );

    two_classes(&folder.join("support"), 3);
    let adapt = ["adapt", "--model", model, "--support", "support", "--query", "support/disc"];
    let table = done(folder, &adapt);
    assert!(table.lines().next().unwrap().contains("disc") && table.lines().count() == 4, "{table}");
    let rows = json_lines(&done(folder, &[&adapt[..], &["--json"]].concat()));
    assert_eq!(rows.len(), 3);
    for row in rows {
        let probability = |class: &str| row["probabilities"][class].as_f64().unwrap();
        // Two rounded floats of a softmax.
        assert!((probability("disc") + probability("frame") - 1.0).abs() < 1e-6, "{row}");
        assert_eq!(row["class"], if probability("disc") > 0.5 { "disc" } else { "frame" });
    }
}

#[test]
fn every_line_of_json_is_an_object_with_an_event() {
    let place = workplace();
    let text =
        done(place.path(), &["train", "--config", "tiny.toml", "--out", "run", "--set", "training.steps=10", "--json"]);
    let lines = json_lines(&text);
    let events: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!((events[0], events[1], events[events.len() - 1]), ("planned", "started", "finished"));
    for event in ["step", "validation", "checkpoint"] {
        assert!(events.contains(&event), "{event} is missing");
    }
}

#[test]
fn the_plan_is_the_measured_peak_for_every_estimator() {
    let place = workplace();
    let folder = place.path();
    let plans = json_lines(&done(folder, &["memory", "--config", "tiny.toml", "--json"]));
    for plan in plans {
        let estimator = plan["estimator"].as_str().unwrap();
        let set = format!("gradient.estimator={estimator}");
        train(folder, estimator, &["--set", &set, "--set", "training.steps=2", "--set", "training.validate_every=1"]);
        let peak = last_cell(&folder.join(estimator).join("timing.csv"), "bytes_peak");
        assert_eq!(plan["bytes"].to_string(), peak, "{estimator}");
        let parts: u64 = plan["by_category"].as_object().unwrap().values().map(|bytes| bytes.as_u64().unwrap()).sum();
        assert_eq!(plan["bytes"].as_u64(), Some(parts), "{estimator}");
    }
}

#[test]
fn a_budget_below_the_plan_names_the_minimum_and_the_minimum_works() {
    let place = workplace();
    let folder = place.path();
    let least = json_lines(&done(folder, &["memory", "--config", "tiny.toml", "--json"]))
        .iter()
        .find(|plan| plan["estimator"] == "lite")
        .unwrap()["minimum_bytes"]
        .as_u64()
        .unwrap();
    let budget = format!("{least}B");
    let train = ["train", "--config", "tiny.toml", "--set", "training.steps=1", "--memory-budget"];
    let text = common::refused(folder, &[&train[..], &[&budget, "--out", "a"]].concat(), 2);
    assert!(text.contains("it fits with gradient.chunk = 1 and gradient.query_batch = 1"), "{text}");
    assert!(text.contains(&format!("= {budget} (gradient.chunk = 1, gradient.query_batch = 1)")), "{text}");
    let ones = ["--set", "gradient.chunk=1", "--set", "gradient.query_batch=1"];
    done(folder, &[&train[..], &[&budget, "--out", "b"], &ones].concat());
    let below = format!("{}B", least - 1);
    let text = common::refused(folder, &[&train[..], &[&below, "--out", "c"], &ones].concat(), 2);
    assert!(text.contains(&budget), "{text}");
    assert!(!folder.join("a").exists() && !folder.join("c").exists(), "a refused run leaves nothing behind");
}

#[test]
fn memory_tables_fit_a_terminal() {
    let place = workplace();
    let memory = ["memory", "--preset", "glyphs-protonet-lite", "--data", "scenes", "--set", "data.image_size=84"];
    let sizes = ["--support", "100,1000", "--image-sizes", "84,224", "--memory-budget", "512MiB"];
    let text = done(place.path(), &[&memory[..], &sizes].concat());
    assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
    assert_eq!(text.lines().filter(|line| line.contains("lite(")).count(), 4 + 1, "four plans and the legend:\n{text}");
}

#[test]
fn gradients_agree_with_a_golden_case() {
    let place = workplace();
    let folder = place.path();
    let case = golden("group-lite-cosine-c4-1x16-3way");
    let file = |name: &str| case.join(name).to_str().unwrap().to_owned();
    let (toml, weights, episode) = (file("case.toml"), file("weights.safetensors"), file("episode.safetensors"));
    done(folder, &["grad", "--case", &toml, "--weights", &weights, "--episode", &episode, "--out", "g.safetensors"]);
    let found = TensorFile::read(&folder.join("g.safetensors")).unwrap();
    let expected = TensorFile::read(Path::new(&file("expected.safetensors"))).unwrap();
    for (name, tensor) in &expected.tensors {
        let ours = found.tensors.get(name).unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(ours.shape(), tensor.shape(), "{name}");
        let (ours, tensor) = (ours.as_f32().unwrap(), tensor.as_f32().unwrap());
        let difference: f64 = ours.iter().zip(tensor).map(|(a, b)| f64::from(a - b).powi(2)).sum();
        let norm: f64 = tensor.iter().map(|value| f64::from(*value).powi(2)).sum();
        // The project's bound on float32 against float64 gradients.
        assert!((difference / norm).sqrt() < 1e-4, "{name}: {}", (difference / norm).sqrt());
    }
}

#[test]
fn the_report_finds_lite_unbiased_and_subsampled_biased() {
    let place = workplace();
    let folder = place.path();
    // A steep softmax over many noisy prototypes makes the bias large.
    let task = ["--set", "task.ways=8", "--set", "task.shots=5", "--set", "gradient.chunk=40"];
    let head = ["--set", "head.metric=cosine", "--set", "head.scale=50"];
    let report = ["report", "estimators", "--config", "tiny.toml", "--draws", "40", "--out", "out", "--json"];
    let rows = json_lines(&done(folder, &[&report[..], &task, &head].concat()));
    assert!(folder.join("out/estimators.csv").exists() && folder.join("out/estimators.svg").exists());
    let number = |row: &serde_json::Value, key: &str| row[key].as_f64().unwrap();
    for row in rows.iter().filter(|row| row["estimator"] == "lite") {
        // Sampling alone stays below two standard errors in 19 of 20 cases; the draws are fixed.
        assert!(number(row, "bias") <= 2.0 * number(row, "bias s.e."), "{row}");
    }
    let smallest = rows.iter().find(|row| row["estimator"] == "subsampled").unwrap();
    assert_eq!(number(smallest, "h"), 8.0);
    assert!(number(smallest, "bias") > 2.0 * number(smallest, "bias s.e."), "{smallest}");
    assert!(rows.iter().filter(|row| row["h"] == row["n"]).all(|row| number(row, "rmse") < 1e-5), "H = N is exact");
}

#[test]
fn the_bench_measures_both_directions() {
    let place = workplace();
    let bench = ["bench", "conv4", "--channels", "4", "--image", "16", "--batch", "3", "--repeats", "1", "--json"];
    let rows = json_lines(&done(place.path(), &bench));
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row["ms"].as_f64().unwrap() > 0.0 && row["dispatches"].as_u64().unwrap() > 0));
    assert!(rows[1]["dispatches"].as_u64() > rows[0]["dispatches"].as_u64());
}

#[test]
fn without_an_adapter_the_message_says_what_to_install() {
    let place = workplace();
    let output = common::command(place.path(), &["train", "--config", "tiny.toml", "--out", "run"])
        .env("VK_DRIVER_FILES", "/nonexistent")
        .env("VK_ICD_FILENAMES", "/nonexistent")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    // Only where Vulkan is the one way to a device does hiding its drivers leave none.
    if cfg!(target_os = "linux") {
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains("mesa-vulkan-drivers"), "{text}");
        assert!(!place.path().join("run").exists());
    }
    let text = common::refused(place.path(), &["train", "--config", "tiny.toml", "--adapter", "no such card"], 2);
    assert!(text.contains("no such card") && text.contains("there are: "), "{text}");
}
