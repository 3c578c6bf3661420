//! A run folder from its first step over kills, damage and resumption to its curves.

// The lint's exception for tests does not reach their helper functions.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use inkling_session::checkpoint::{BestValidation, Checkpoint, CheckpointState, RandomState};
use inkling_session::config::RunConfig;
use inkling_session::error::RunError;
use inkling_session::metrics::{MetricsRow, TimingRow};
use inkling_session::run_folder::RunFolder;
use inkling_session::tensor_file::{Tensor, TensorFile};

fn config() -> RunConfig {
    let mut config = RunConfig::default();
    config.training.keep_checkpoints = 2;
    config
}

fn checkpoint(config: &RunConfig, step: u64, best: u64) -> Checkpoint {
    let tensors = |value: f32| TensorFile {
        tensors: BTreeMap::from([(
            "blocks.0.conv.weight".to_owned(),
            Tensor::f32(vec![2, 1, 1, 1], vec![value, -value]).unwrap(),
        )]),
        ..TensorFile::default()
    };
    Checkpoint {
        state: CheckpointState {
            step,
            episodes: step,
            random: RandomState { seed: 7, counters: BTreeMap::from([("episode".to_owned(), step)]) },
            optimizer_step: step,
            fingerprint: config.fingerprint().unwrap(),
            best: Some(BestValidation { step: best, accuracy: 0.1 + best as f32 }),
        },
        weights: tensors(step as f32),
        optimizer: tensors(0.1),
    }
}

fn log(folder: &mut RunFolder, steps: impl Iterator<Item = u64>) {
    for step in steps {
        let metrics = MetricsRow { step, loss: 1.0 / step as f32, ..MetricsRow::default() };
        let timing = TimingRow { step, unix_seconds: 1.0e9 + step as f64, ..TimingRow::default() };
        folder.log_step(&metrics, &timing).unwrap();
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_resumed_run_has_the_metrics_of_an_uninterrupted_one() {
    let home = tempfile::tempdir().unwrap();
    let (whole, killed) = (home.path().join("whole"), home.path().join("killed"));
    let config = config();
    let mut folder = RunFolder::create(&whole, &config, 1.0e9).unwrap();
    log(&mut folder, 1..=30);

    let mut folder = RunFolder::create(&killed, &config, 1.0e9).unwrap();
    log(&mut folder, 1..=10);
    folder.write_checkpoint(&checkpoint(&config, 10, 10)).unwrap();
    log(&mut folder, 11..=17);
    drop(folder);
    // What a kill leaves: half a row, a half-written checkpoint, a half-written file.
    let metrics = killed.join("metrics.csv");
    let mut bytes = fs::read(&metrics).unwrap();
    bytes.extend(b"18,18,0.0");
    fs::write(&metrics, bytes).unwrap();
    let partial = killed.join("checkpoints/.step-000020.partial");
    fs::create_dir(&partial).unwrap();
    fs::write(partial.join("weights.safetensors"), b"half").unwrap();
    fs::write(killed.join(".curves.svg.partial"), b"<sv").unwrap();

    let mut resumed = RunFolder::resume(&killed, &config, 1.0e9 + 100.0).unwrap();
    assert_eq!(resumed.warnings, Vec::<String>::new());
    assert_eq!(resumed.checkpoint.unwrap(), checkpoint(&config, 10, 10));
    log(&mut resumed.folder, 11..=30);
    for file in ["metrics.csv", "timing.csv", "config.toml"] {
        assert_eq!(fs::read(whole.join(file)).unwrap(), fs::read(killed.join(file)).unwrap(), "{file}");
    }
    resumed.folder.write_curves().unwrap();
    assert_eq!(
        names(&killed),
        [".lock", "checkpoints", "config.toml", "curves.svg", "metrics.csv", "tensorboard", "timing.csv"]
    );
    assert_eq!(names(&killed.join("checkpoints")), ["step-000010"]);
    assert_eq!(names(&killed.join("tensorboard")).len(), 2);
}

#[test]
fn damaged_checkpoints_are_passed_over_with_a_warning() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("run");
    let config = config();
    let mut folder = RunFolder::create(&path, &config, 0.0).unwrap();
    log(&mut folder, 1..=30);
    for step in [10, 20, 30] {
        folder.write_checkpoint(&checkpoint(&config, step, 10)).unwrap();
    }
    drop(folder);
    let weights = path.join("checkpoints/step-000030/weights.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&weights, bytes).unwrap();
    fs::write(path.join("checkpoints/step-000020/state.json"), "{").unwrap();
    fs::create_dir(path.join("checkpoints/step-99")).unwrap();

    let resumed = RunFolder::resume(&path, &config, 0.0).unwrap();
    assert_eq!(resumed.checkpoint.unwrap().state.step, 10);
    assert_eq!(resumed.warnings.len(), 2, "{:?}", resumed.warnings);
    assert!(resumed.warnings[0].contains("step-000030") && resumed.warnings[0].contains("checksum"));
    let (newest, _) = RunFolder::newest_checkpoint(&path).unwrap();
    assert_eq!(newest.state.step, 10);
    // The damaged one is replaced when the run gets there again.
    let mut folder = resumed.folder;
    folder.write_checkpoint(&checkpoint(&config, 30, 10)).unwrap();
    assert_eq!(RunFolder::newest_checkpoint(&path).unwrap().0, checkpoint(&config, 30, 10));
}

#[test]
fn the_newest_and_the_best_checkpoints_stay() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("run");
    let config = config();
    let mut folder = RunFolder::create(&path, &config, 0.0).unwrap();
    for step in 1..=6 {
        folder.write_checkpoint(&checkpoint(&config, step, step.min(2))).unwrap();
    }
    assert_eq!(names(&path.join("checkpoints")), ["step-000002", "step-000005", "step-000006"]);
}

#[test]
fn runs_are_not_overwritten_shared_or_changed() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("run");
    let config = config();
    let folder = RunFolder::create(&path, &config, 0.0).unwrap();
    let occupied = RunFolder::create(&path, &config, 0.0).unwrap_err();
    assert!(matches!(occupied, RunError::Occupied(_)));
    assert!(occupied.to_string().contains("--resume"), "{occupied}");
    assert!(matches!(RunFolder::resume(&path, &config, 0.0), Err(RunError::InUse(_))));
    drop(folder);

    let mut longer = config.clone();
    longer.training.steps = 5000;
    drop(RunFolder::resume(&path, &longer, 0.0).unwrap());
    assert_eq!(RunFolder::read_config(&path).unwrap(), longer);
    let mut other = config.clone();
    other.training.learning_rate = 0.5;
    assert!(matches!(RunFolder::resume(&path, &other, 0.0), Err(RunError::OtherConfiguration(_))));
    assert!(matches!(RunFolder::read_config(home.path()), Err(RunError::NotARun(_))));
    let none = RunFolder::newest_checkpoint(&path).unwrap_err().to_string();
    assert!(none.contains("no checkpoint yet"), "{none}");
}

#[test]
fn a_folder_that_cannot_be_written_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = RunFolder::create(&file.join("run"), &config(), 0.0).unwrap_err().to_string();
    assert!(error.contains("cannot create") && error.contains("folder is needed"), "{error}");
    // Something in the way of the events: everything that was begun goes again.
    let path = home.path().join("run");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("tensorboard"), b"mine").unwrap();
    assert!(RunFolder::create(&path, &config(), 0.0).is_err());
    assert_eq!(names(&path), ["tensorboard"]);
}

#[test]
fn other_contents_of_a_folder_survive_a_failed_start() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("run");
    fs::create_dir_all(path.join("tensorboard")).unwrap();
    fs::write(path.join("tensorboard/mine"), b"").unwrap();
    fs::create_dir(path.join("timing.csv")).unwrap();
    assert!(RunFolder::create(&path, &config(), 0.0).is_err());
    assert_eq!(names(&path), ["tensorboard", "timing.csv"]);
    assert_eq!(names(&path.join("tensorboard")), ["mine"]);
}
