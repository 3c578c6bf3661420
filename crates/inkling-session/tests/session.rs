//! Runs through their handle: commands in, events out, on disk and in memory.

// The lint's exception for tests does not reach their helper functions.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{archive, config, files, no_warnings, paused, request, step_to, steps, to_the_end, until, with};
use inkling_session::config::EstimatorKind;
use inkling_session::events::{Ending, Event};
use inkling_session::run::plans;
use inkling_session::run_folder::RunFolder;
use inkling_session::session::{Command, LiveSetting, RunRequest, Target, adapters, open, start};

#[test]
fn a_run_in_memory_has_the_files_of_one_on_disk() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("run");
    let on_disk = to_the_end(&start(request(Target::New(path.clone()))));
    let in_memory = to_the_end(&start(request(Target::Memory)));
    no_warnings(&on_disk);
    no_warnings(&in_memory);
    assert_eq!(steps(&on_disk).len(), 6);
    assert!(!on_disk.iter().any(|event| matches!(event, Event::Exported { .. })));
    let exported = files(&archive(&in_memory));
    let same = ["metrics.csv", "config.toml", "curves.svg"].map(str::to_owned).into_iter();
    let checkpoints = [2, 4, 6].into_iter().flat_map(|step| {
        ["weights.safetensors", "optimizer.safetensors", "state.json"]
            .map(|file| format!("checkpoints/step-{step:06}/{file}"))
    });
    for name in same.chain(checkpoints) {
        assert_eq!(exported[&name], std::fs::read(path.join(&name)).unwrap(), "{name}");
    }
    assert!(exported.contains_key("timing.csv") && !exported.contains_key("changes.csv"));
    assert_eq!(RunFolder::read_archive_config(&archive(&in_memory)).unwrap(), config());
    match (on_disk.last(), in_memory.last()) {
        (Some(Event::Finished { run: Some(run), ending, step, .. }), Some(Event::Finished { run: None, .. })) => {
            assert_eq!((run, *ending, *step), (&path, Ending::Completed, 6));
        }
        last => panic!("{last:?}"),
    }
}

#[test]
fn a_paused_run_follows_every_command_and_goes_on_as_if_nothing_had_been() {
    let undisturbed = to_the_end(&start(request(Target::Memory)));
    let run = paused(request(Target::Memory));
    run.send(Command::Step);
    let events = until(&run, |event| matches!(event, Event::Paused { step: 1 }));
    assert_eq!(steps(&events).len(), 1);

    run.send(Command::Snapshot(0));
    let events = until(&run, |event| matches!(event, Event::Snapshot(_)));
    let Some(Event::Snapshot(snapshot)) = events.last() else { panic!("{events:?}") };
    assert_eq!((snapshot.step, snapshot.classes.len(), snapshot.width), (1, 3, 28));
    assert_eq!((snapshot.support.len(), snapshot.query.len()), (6, 6));
    for image in snapshot.support.iter().chain(&snapshot.query) {
        assert_eq!((image.rgba.len(), image.embedding.len()), (28 * 28 * 4, 4));
        assert!(image.embedding.iter().any(|value| *value != 0.0));
    }
    for image in snapshot.support.iter().chain(&snapshot.query) {
        assert!((image.probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{:?}", image.probabilities);
    }
    // The head's own loss would say the same: the mean surprise at the right class.
    assert!(snapshot.loss > 0.0 && (0.0..=1.0).contains(&snapshot.accuracy));
    let right = snapshot.support.iter().filter(|image| !image.is_error()).count();
    assert_eq!(snapshot.support_accuracy, right as f32 / 6.0);

    run.send(Command::Checkpoint);
    assert_eq!(until(&run, |_| true), [Event::Checkpoint { path: None, step: 1 }]);
    run.send(Command::Export);
    let exported = files(&archive(&until(&run, |_| true)));
    assert!(exported.contains_key("checkpoints/step-000001/weights.safetensors"));
    run.send(Command::Pause);
    run.send(Command::Resume);
    let events = to_the_end(&run);
    assert_eq!(events.first(), Some(&Event::Resumed { step: 1 }));
    no_warnings(&events);
    let (own, other) = (files(&archive(&events)), files(&archive(&undisturbed)));
    for name in ["metrics.csv", "checkpoints/step-000006/weights.safetensors"] {
        assert_eq!(own[name], other[name], "{name}");
    }
}

#[test]
fn snapshots_show_what_the_validation_of_their_episodes_measured() {
    for head in ["prototypes", "implicit"] {
        let mut one = request(Target::Memory);
        one.config = with(&format!("[head]\nkind = \"{head}\""));
        one.config.training.validation_episodes = 2;
        let run = paused(one);
        step_to(&run, 2);
        run.send(Command::Step);
        let events = until(&run, |event| matches!(event, Event::Paused { step: 3 }));
        let validation = events.iter().find_map(|event| match event {
            Event::Validation { evaluation, .. } => Some(evaluation.clone()),
            _ => None,
        });
        let (mut loss, mut accuracy) = (0.0, 0.0);
        for episode in [0, 1] {
            run.send(Command::Snapshot(episode));
            let Some(Event::Snapshot(snapshot)) = until(&run, |_| true).pop() else { panic!("no snapshot") };
            loss += snapshot.loss / 2.0;
            accuracy += snapshot.accuracy / 2.0;
        }
        let validation = validation.unwrap();
        // Both are means of twelve numbers of order one, in f32 here and in f64 there.
        assert!((accuracy - validation.accuracy).abs() < 1e-5, "{head}: {accuracy} {}", validation.accuracy);
        assert!((loss - validation.loss).abs() < 1e-5, "{head}: {loss} {}", validation.loss);
    }
}

#[test]
fn every_support_image_is_predicted_however_few_queries_there_is_room_for() {
    for learner in ["[head]\nkind = \"implicit\"", "[learner]\nkind = \"maml\"\n[gradient]\nestimator = \"chunked\""] {
        // Room for three queries, and nine support images: three passes.
        let sizes = "[task]\nshots = 3\nqueries = 1\n[evaluation]\nshots = 3\nqueries = 1\n";
        let run = start(RunRequest::new(with(&format!("{sizes}{learner}")), Target::Memory));
        run.send(Command::Set(LiveSetting::SnapshotEvery(3)));
        let events = to_the_end(&run);
        // Among the warnings would be one of a ledger that differs from the plan.
        no_warnings(&events);
        let shown = events.iter().filter_map(|event| match event {
            Event::Snapshot(snapshot) => Some(snapshot),
            _ => None,
        });
        let shown: Vec<_> = shown.collect();
        assert_eq!(shown.len(), 2);
        for snapshot in shown {
            assert_eq!((snapshot.support.len(), snapshot.query.len()), (9, 3));
            for image in &snapshot.support {
                assert!((image.probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{:?}", image.probabilities);
            }
        }
    }
}

#[test]
fn changes_are_written_down_and_repeat_when_the_run_is_resumed() {
    let change = |run: &inkling_session::session::RunHandle| {
        step_to(run, 3);
        let settings = [LiveSetting::LearningRate(0.02), LiveSetting::H(4), LiveSetting::ValidateEvery(2)];
        for setting in settings {
            run.send(Command::Set(setting));
            assert_eq!(until(run, |_| true), [Event::Changed { step: 3, setting }]);
        }
    };
    let whole = paused(request(Target::Memory));
    change(&whole);
    whole.send(Command::Resume);
    let whole = to_the_end(&whole);
    let rates: Vec<f64> = steps(&whole).iter().map(|step| step.learning_rate).collect();
    assert_eq!(rates, [0.02; 3]);

    // Resumed from the checkpoint of step 2, before the changes.
    let cut = paused(request(Target::Memory));
    change(&cut);
    step_to(&cut, 4);
    cut.send(Command::Step);
    until(&cut, |event| matches!(event, Event::Paused { step: 5 }));
    cut.send(Command::Export);
    let mut half = archive(&until(&cut, |_| true));
    drop(cut);
    half = without(&half, "checkpoints/step-000004/");
    let resumed = to_the_end(&start(request(Target::ResumeArchive(half))));
    no_warnings(&resumed);
    assert_eq!(steps(&resumed).len(), 4);
    let (resumed, whole) = (files(&archive(&resumed)), files(&archive(&whole)));
    for name in ["metrics.csv", "changes.csv", "config.toml", "checkpoints/step-000006/weights.safetensors"] {
        assert_eq!(resumed[name], whole[name], "{name}");
    }
    let changes = String::from_utf8(whole["changes.csv"].clone()).unwrap();
    let rows = "after_step,key,value,passes\n3,training.learning_rate,0.02,false\n3,gradient.h,4,false\n\
                3,training.validate_every,2,false\n";
    assert_eq!(changes, rows);
}

/// An archive without the files whose names begin so.
fn without(archive: &[u8], beginning: &str) -> Vec<u8> {
    use std::io::Write;
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files(archive).into_iter().filter(|(name, _)| !name.starts_with(beginning)) {
        writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(&bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn settings_that_cannot_be_are_refused_and_change_nothing() {
    let run = paused(request(Target::Memory));
    let refused = |setting, reason: &str| {
        run.send(Command::Set(setting));
        let events = until(&run, |_| true);
        assert!(matches!(&events[0], Event::Refused { message } if message.contains(reason)), "{events:?}");
    };
    refused(LiveSetting::LearningRate(-1.0), "training.learning_rate");
    refused(LiveSetting::LearningRate(f64::NAN), "training.learning_rate");
    refused(LiveSetting::H(7), "gradient.h");
    refused(LiveSetting::Estimator(EstimatorKind::Full), "start a new run");
    let allowed = LiveSetting::Estimator(EstimatorKind::Chunked);
    run.send(Command::Set(allowed));
    assert_eq!(until(&run, |_| true), [Event::Changed { step: 0, setting: allowed }]);
    run.send(Command::Set(LiveSetting::SnapshotEvery(2)));
    run.send(Command::Resume);
    let events = to_the_end(&run);
    let shown: Vec<u64> = events
        .iter()
        .filter_map(|event| match event {
            Event::Snapshot(snapshot) => Some(snapshot.step),
            _ => None,
        })
        .collect();
    assert_eq!(shown, [2, 4, 6]);
    no_warnings(&events);
}

#[test]
fn a_stopped_run_goes_on_from_its_archive_to_the_same_end() {
    let whole = to_the_end(&start(request(Target::Memory)));
    let run = paused(request(Target::Memory));
    step_to(&run, 3);
    run.send(Command::Stop);
    let stopped = to_the_end(&run);
    assert!(matches!(stopped.last(), Some(Event::Finished { ending: Ending::Interrupted, step: 3, .. })));
    let resumed = to_the_end(&start(request(Target::ResumeArchive(archive(&stopped)))));
    let (resumed, whole) = (files(&archive(&resumed)), files(&archive(&whole)));
    for name in ["metrics.csv", "checkpoints/step-000006/weights.safetensors"] {
        assert_eq!(resumed[name], whole[name], "{name}");
    }
}

#[test]
fn a_run_whose_handle_is_dropped_stops_with_a_checkpoint() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("run");
    let run = paused(request(Target::New(path.clone())));
    step_to(&run, 1);
    drop(run);
    let newest = (0..1000).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        RunFolder::newest_checkpoint(&path).ok()
    });
    assert_eq!(newest.unwrap().0.state.step, 1);
}

#[test]
fn what_cannot_run_fails_with_a_reason() {
    let home = tempfile::tempdir().unwrap();
    let failed = |request, reason: &str| {
        let events = to_the_end(&start(request));
        let Some(Event::Failed { message, usage: true, resumable: false }) = events.last() else {
            panic!("{events:?}");
        };
        assert!(message.contains(reason), "{message}");
    };
    let mut wrong = request(Target::Memory);
    wrong.config.training.steps = 0;
    failed(wrong, "training.steps");
    let mut unknown = request(Target::Memory);
    unknown.config.data.spec = "glyfs".to_owned();
    failed(unknown, "glyfs");
    failed(request(Target::Resume(home.path().join("none"))), "holds no run");
    let mut tight = request(Target::Memory);
    tight.config.memory.budget = Some(inkling_session::units::ByteSize(1 << 10));
    failed(tight, "the minimum for this network");

    let events = to_the_end(&start(request(Target::ResumeArchive(b"no zip".to_vec()))));
    assert!(matches!(events.last(), Some(Event::Failed { message, .. }) if message.contains("no whole zip")));
    let mut other = request(Target::ResumeArchive(archive(&to_the_end(&start(request(Target::Memory))))));
    other.config.model.channels = 8;
    failed(other, "the configuration differs");
}

#[test]
fn a_plan_made_without_opening_anything_is_the_plan_of_the_run() {
    let dataset = open("glyphs", &config().open_options()).unwrap();
    let tier = pollster::block_on(adapters()).first().unwrap().tier;
    let plans = plans(&config(), dataset.image_shape(), tier).unwrap();
    assert_eq!(plans.iter().map(|plan| plan.estimator).collect::<Vec<_>>(), ["full", "chunked", "lite", "subsampled"]);
    let lite = &plans[2];
    let run = start(inkling_session::session::RunRequest { dataset: Some(dataset), ..request(Target::Memory) });
    let events = until(&run, |event| matches!(event, Event::Planned { .. }));
    assert_eq!(events, [Event::Planned { bytes: lite.bytes.total(), by_category: lite.by_category() }]);
}
