//! Learning tasks at test time: fine-tuning weights that were trained otherwise, and the reports on
//! what adapting costs and what H is worth.
// The lint's exception for tests does not reach their helper functions.
#![allow(clippy::unwrap_used)]

mod common;

use common::{done, json_lines, refused, train, workplace};

#[test]
fn weights_of_another_learner_are_fine_tuned_and_not_trained() {
    let place = workplace();
    let folder = place.path();
    train(folder, "run", &["--set", "training.steps=3", "--set", "head.metric=cosine"]);
    let mut losses = Vec::new();
    for sets in [
        ["trains=head", "optimizer=sgd"],
        ["trains=film", "batch=2"],
        ["trains=norms", "batch=0"],
        ["trains=all", "inner_lr=0.01"],
    ] {
        let sets: Vec<String> = sets.iter().map(|set| format!("learner.{set}")).collect();
        let sets = sets.iter().flat_map(|set| ["--set", set]);
        let eval = ["eval", "--run", "run", "--json", "--episodes", "3", "--set", "learner.kind=finetuner"];
        let arguments: Vec<&str> = eval.into_iter().chain(["--set", "learner.inner_steps=4"]).chain(sets).collect();
        losses.push(json_lines(&done(folder, &arguments)).pop().unwrap()["loss"].as_f64().unwrap());
    }
    assert!(losses.iter().all(|loss| loss.is_finite()), "{losses:?}");
    assert!(losses.windows(2).all(|pair| pair[0] != pair[1]), "{losses:?}");
    let tuner = ["train", "--config", "tiny.toml", "--out", "tuned", "--set", "learner.kind=finetuner"];
    let text = refused(folder, &tuner, 2);
    assert!(text.contains("finetuner") && text.contains("inkling eval"), "{text}");
    assert!(!folder.join("tuned").exists());
}

#[test]
fn adaptation_is_counted_timed_and_scored() {
    let place = workplace();
    let folder = place.path();
    train(folder, "run", &["--set", "training.steps=3"]);
    let methods = "mahalanobis,prototypes,versa,implicit,fomaml,finetuner-head,finetuner-film,finetuner-all";
    let report =
        ["report", "adaptation", "--config", "tiny.toml", "--out", "out", "--json", "--set", "learner.inner_steps=2"];
    let asked = ["--methods", methods, "--runs", "run", "--episodes", "2", "--timed", "1"];
    let lines = json_lines(&done(folder, &[&report[..], &asked].concat()));
    let rows: Vec<_> = lines.iter().filter(|line| line.get("method").is_some()).collect();
    assert_eq!(rows.len(), 9);
    let of = |method: &str| rows.iter().find(|row| row["method"] == method).unwrap();
    // Conv-4 with 4 channels: 16², 8², 4² and 2² pixels; three images of one channel in the support.
    let (first, others) = (256.0 * 4.0 * 9.0, (64.0 + 16.0 + 4.0) * 4.0 * 36.0);
    let text = std::fs::read_to_string(folder.join("out/adaptation.csv")).unwrap();
    let macs = |method: &str| {
        let mut rows = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let at = rows.next().unwrap().iter().position(|column| *column == "macs").unwrap();
        rows.find(|row| row[0] == method).unwrap()[at].parse::<f64>().unwrap()
    };
    assert_eq!(macs("prototypes"), 3.0 * (first + others) + 3.0 * 4.0);
    // Twice forward and back; the classifier of 3 classes on 4 values likewise.
    assert_eq!(macs("finetuner-all"), 6.0 * (2.0 * first + 3.0 * others) + 6.0 * 3.0 * 12.0);
    assert_eq!(macs("fomaml"), macs("finetuner-all"));
    assert!(macs("finetuner-head") < macs("finetuner-film") && macs("finetuner-film") < macs("finetuner-all"));
    assert_eq!((&of("finetuner-head")["steps"], &of("prototypes")["steps"]), (&2.into(), &0.into()));
    assert!(rows.iter().all(|row| row["seconds"].as_f64().is_some() && row["accuracy"].as_f64().is_some()), "{rows:?}");
    assert_eq!((&of("run")["weights"], &of("versa")["weights"]), (&"step 3".into(), &"random".into()));
    for file in ["adaptation.md", "adaptation.svg"] {
        assert!(std::fs::read_to_string(folder.join("out").join(file)).unwrap().contains("finetuner-film"));
    }
    // The counts alone.
    let counts = ["--methods", "prototypes", "--episodes", "0", "--timed", "0", "--out", "counts"];
    let lines = json_lines(&done(folder, &[&report[..4], &["--json"], &counts[..]].concat()));
    assert_eq!((&lines[0]["accuracy"], &lines[0]["seconds"]), (&"".into(), &"".into()));
}

#[test]
fn ablation_trains_each_h() {
    let place = workplace();
    let folder = place.path();
    let report = ["report", "ablation", "--config", "tiny.toml", "--out", "out", "--json", "--set", "training.steps=3"];
    let lines = json_lines(&done(folder, &[&report[..], &["--h", "1,12", "--seeds", "0,1"]].concat()));
    let rows: Vec<_> = lines.iter().filter(|line| line.get("h/n").is_some()).collect();
    assert_eq!(rows.iter().map(|row| row["h"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 12]);
    assert!(rows.iter().all(|row| row["ms per step"].as_f64().unwrap() > 0.0 && row["seeds"] == 2), "{rows:?}");
    assert!(folder.join("out/ablation.svg").exists() && folder.join("out/runs/h-12-1/metrics.csv").exists());
    let text = refused(folder, &[&report[..], &["--h", "13"]].concat(), 2);
    assert!(text.contains("H = 13") && text.contains("12 support images"), "{text}");
}
