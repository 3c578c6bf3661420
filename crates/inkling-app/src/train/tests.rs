//! The panel over the life of a run, with a scripted one in its place.

use egui::Theme;
use egui_kittest::kittest::Queryable;
use inkling_session::config::EstimatorKind;
use inkling_session::events::{Ending, Event, SmallerPlan};
use inkling_session::session::{Command, Passes, Target};
use serde_json::Value;

use crate::Tab;
use crate::testing::{NARROW, Script, WIDE, Window, beginning, is_looking, look, open, picture, snapshot, step, steps};

fn run_state(window: &Window<'_>) -> Value {
    window.state().state()["train"]["run"].clone()
}

/// A window whose run was started with the button.
fn started<'a>(script: &Script, size: egui::Vec2, theme: Theme) -> Window<'a> {
    let mut window = open(script.app(), Tab::MetaTrain, size, theme);
    window.get_by_label("Start").click();
    window.run_steps(3);
    window
}

/// The same a hundred steps on.
fn running<'a>(script: &Script, size: egui::Vec2, theme: Theme) -> Window<'a> {
    let mut window = started(script, size, theme);
    script.say(beginning(400));
    script.say(steps(1, 150));
    script.say([snapshot(150)]);
    window.run_steps(4);
    window
}

#[test]
fn an_empty_panel_says_what_to_do() {
    for size in [WIDE, NARROW] {
        let mut window = open(Script::default().app(), Tab::MetaTrain, size, Theme::Light);
        window.run();
        let state = window.state().state();
        assert_eq!(state["tab"], "train");
        assert_eq!(state["train"]["problem"], Value::Null);
        assert!(state["train"]["plan_bytes"].as_u64().unwrap() > 1 << 20);
        assert!(window.query_by_label("Start").is_some());
        assert!(window.query_by_label_contains("lite: ").is_some(), "the plan stands beside the form");
    }
}

#[test]
fn start_asks_for_a_run_in_memory_where_there_are_no_folders() {
    let script = Script::default();
    let window = started(&script, WIDE, Theme::Light);
    let requests = script.requests();
    assert_eq!(requests.len(), 1);
    assert!(matches!(requests[0].target, Target::Memory));
    assert!(requests[0].dataset.is_some(), "the open data set is handed over");
    assert_eq!(run_state(&window)["phase"], "Starting");
}

#[test]
fn runs_with_folders_never_share_one() {
    let script = Script::default();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("glyphs-protonet-lite")).unwrap();
    let mut app = script.app();
    let services = &mut app.shared_mut().services;
    (services.has_file_system, services.runs_folder) = (true, Some(folder.path().to_owned()));
    let mut window = open(app, Tab::MetaTrain, WIDE, Theme::Light);
    window.get_by_label("Start").click();
    window.run_steps(3);
    match &script.requests()[0].target {
        Target::New(path) => assert_eq!(path, &folder.path().join("glyphs-protonet-lite-2")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_run_is_paused_stepped_and_stopped() {
    let script = Script::default();
    let mut window = running(&script, WIDE, Theme::Light);
    let state = run_state(&window);
    assert_eq!((state["phase"].as_str(), state["step"].as_u64()), (Some("Running"), Some(150)));
    assert_eq!(state["planned_bytes"], 32 << 20);
    assert_eq!(state["losses"].as_array().unwrap().len(), 16);
    assert!(state["best_validation"].as_f64().unwrap() > 0.8);
    // Five of six, in f32.
    assert!((state["support_accuracy"].as_f64().unwrap() - 5.0 / 6.0).abs() < 1e-6);
    assert!(window.query_by_label_contains("support accuracy 83.33 at step 150").is_some());
    script.heard();

    window.get_by_label("Pause").click();
    window.run_steps(2);
    assert_eq!(script.heard(), [Command::Pause]);
    assert_eq!(run_state(&window)["phase"], "Pausing");
    script.say([Event::Paused { step: 150 }]);
    window.run_steps(2);
    assert_eq!(run_state(&window)["phase"], "Paused");

    window.get_by_label("One step").click();
    window.run_steps(2);
    assert_eq!(script.heard(), [Command::Step]);
    window.get_by_label("Go on").click();
    window.run_steps(2);
    script.say([Event::Resumed { step: 151 }]);
    window.run_steps(2);
    assert_eq!(script.heard(), [Command::Resume]);

    window.get_by_label("Stop").click();
    window.run_steps(2);
    // A pause that was on its way does not take the stop back.
    script.say([Event::Paused { step: 151 }]);
    window.run_steps(2);
    assert_eq!(run_state(&window)["phase"], "Stopping");
    script.say([
        Event::Exported { archive: vec![1, 2, 3] },
        Event::Finished { run: None, ending: Ending::Interrupted, step: 151, seconds: 9.0 },
    ]);
    window.run();
    let state = run_state(&window);
    assert_eq!((state["phase"].as_str(), state["archive_bytes"].as_u64()), (Some("Stopped"), Some(3)));
    assert!(window.query_by_label("Save the run").is_some());

    script.requests();
    window.get_by_label("Go on from the checkpoint").click();
    window.run_steps(2);
    match &script.requests()[0].target {
        Target::ResumeArchive(bytes) => assert_eq!(bytes, &[1, 2, 3]),
        other => panic!("{other:?}"),
    }
    assert_eq!(run_state(&window)["step"], 150, "what it has shown stays");
}

#[test]
fn a_checkpoint_on_request_makes_a_run_in_memory_one_that_can_be_saved() {
    let script = Script::default();
    let mut window = started(&script, NARROW, Theme::Light);
    script.heard();
    window.get_by_label("Save a checkpoint").click();
    window.run_steps(2);
    assert_eq!(script.heard(), [], "there is nothing to keep before the first step");
    script.say(beginning(400));
    script.say(steps(1, 150));
    window.run_steps(4);

    window.get_by_label("Save a checkpoint").click();
    window.run_steps(2);
    assert_eq!(script.heard(), [Command::Checkpoint, Command::Export]);
    assert_eq!(run_state(&window)["awaits_checkpoint"], true);
    window.get_by_label("Save a checkpoint").click();
    window.run_steps(2);
    assert_eq!(script.heard(), [], "one is on its way");

    script.say([Event::Checkpoint { path: None, step: 150 }, Event::Exported { archive: vec![1, 2] }]);
    script.say(steps(151, 160));
    script.say([Event::Paused { step: 160 }]);
    window.run_steps(4);
    let state = run_state(&window);
    assert_eq!((state["last_checkpoint"].as_u64(), state["archive_bytes"].as_u64()), (Some(150), Some(2)));
    assert_eq!((state["phase"].as_str(), state["awaits_checkpoint"].as_bool()), (Some("Paused"), Some(false)));
    assert!(window.query_by_label("checkpoint of step 150").is_some());
    assert!(window.query_by_label("Save the run (step 150)").is_some());

    window.get_by_label("Save a checkpoint").click();
    window.run_steps(2);
    script.say([Event::Checkpoint { path: None, step: 160 }, Event::Exported { archive: vec![1, 2, 3] }]);
    window.run_steps(2);
    assert!(window.query_by_label("Save the run (step 160)").is_some(), "a paused run can be saved too");
}

#[test]
fn a_checkpoint_of_a_run_with_a_folder_asks_for_no_archive() {
    let script = Script::default();
    let folder = tempfile::tempdir().unwrap();
    let mut app = script.app();
    let services = &mut app.shared_mut().services;
    (services.has_file_system, services.runs_folder) = (true, Some(folder.path().to_owned()));
    let mut window = open(app, Tab::MetaTrain, WIDE, Theme::Light);
    window.get_by_label("Start").click();
    window.run_steps(3);
    script.say(beginning(400));
    script.say(steps(1, 10));
    window.run_steps(4);
    script.heard();
    window.get_by_label("Save a checkpoint").click();
    window.run_steps(2);
    assert_eq!(script.heard(), [Command::Checkpoint]);
    script.say([Event::Checkpoint { path: Some(folder.path().join("step-10")), step: 10 }]);
    window.run_steps(2);
    assert_eq!(run_state(&window)["last_checkpoint"], 10);
    assert!(window.query_by_label_contains("Save the run").is_none(), "its folder has everything");
}

#[test]
fn a_failure_is_a_sentence_and_a_remedy_and_leaves_the_panel_alive() {
    let script = Script::default();
    let mut window = started(&script, WIDE, Theme::Light);
    let message = "no adapter can be opened; update the graphics driver".to_owned();
    script.say([Event::Failed { message, usage: false, resumable: false }]);
    window.run();
    assert_eq!(run_state(&window)["phase"], "Failed");
    assert!(window.query_by_label_contains("Error: No adapter can be opened").is_some());
    assert!(window.query_by_label_contains("Update the graphics driver").is_some());
    window.get_by_label_contains("Dismiss").click();
    window.run();
    assert!(window.query_by_label_contains("Error: No adapter can be opened").is_none());
    script.requests();
    window.get_by_label("Start").click();
    window.run_steps(2);
    assert_eq!(script.requests().len(), 1);
}

#[test]
fn after_out_of_memory_the_run_goes_on_with_smaller_passes() {
    let script = Script::default();
    let mut window = running(&script, NARROW, Theme::Dark);
    let passes = Passes { estimator: EstimatorKind::Chunked, chunk: 5, query_batch: 5 };
    script.say([
        Event::Exported { archive: vec![9] },
        Event::DeviceLost {
            message: "the device is out of memory; go on with smaller passes".to_owned(),
            checkpoint: Some(100),
            smaller: Some(SmallerPlan { passes, bytes: 8 << 20 }),
        },
    ]);
    window.run();
    assert_eq!(run_state(&window)["phase"], "Device lost");
    script.requests();
    window.get_by_label("Go on with 5 images per pass (8.00 MiB)").click();
    window.run_steps(2);
    assert_eq!(script.requests()[0].passes, Some(passes));
}

#[test]
fn a_run_that_dies_without_a_word_is_noticed() {
    let script = Script::default();
    let mut window = running(&script, WIDE, Theme::Light);
    script.die();
    window.get_by_label("Pause").click();
    window.run();
    assert_eq!(run_state(&window)["phase"], "Failed");
}

#[test]
fn the_tab_shows_how_far_the_run_is_from_everywhere() {
    let script = Script::default();
    let mut window = running(&script, WIDE, Theme::Light);
    window.state_mut().show_tab(Tab::Settings);
    script.say([step(200)]);
    window.run_steps(3);
    assert_eq!(run_state(&window)["step"], 200, "a hidden panel goes on listening");
    assert!(window.query_by_label("Meta-train · 50 %").is_some());
}

#[test]
fn every_control_has_a_name_in_every_state() {
    for (size, theme) in [(WIDE, Theme::Light), (NARROW, Theme::Dark)] {
        let script = Script::default();
        let mut window = running(&script, size, theme);
        window.check_accessibility();
        script.say([Event::Finished { run: None, ending: Ending::Completed, step: 400, seconds: 30.0 }]);
        window.run();
    }
}

#[test]
fn a_real_run_is_shown_to_its_end() {
    let mut app = crate::InklingApp::new(crate::testing::services());
    app.start_run(crate::testing::tiny_config(), Target::Memory);
    let mut window = open(app, Tab::MetaTrain, WIDE, Theme::Light);
    crate::testing::wait(&mut window, |app| {
        let phase = app.state()["train"]["run"]["phase"].clone();
        phase == "Finished" || phase == "Failed"
    });
    let state = run_state(&window);
    assert_eq!((state["phase"].as_str(), state["step"].as_u64()), (Some("Finished"), Some(3)), "{state:#}");
    assert!(state["losses"].as_array().unwrap().iter().all(|loss| loss.as_f64().unwrap() > 0.0));
    assert!(state["archive_bytes"].as_u64().unwrap() > 100, "a run in memory leaves its folder as a zip");
    assert_eq!(state["has_snapshot"], true);
    assert!((0.0..=1.0).contains(&state["support_accuracy"].as_f64().unwrap()));
    assert!(state["bytes_peak"].as_u64() <= state["planned_bytes"].as_u64());
}

#[test]
fn pictures() {
    let script = Script::default();
    let mut results = egui_kittest::SnapshotResults::new();
    let mut window = open(script.app(), Tab::MetaTrain, WIDE, Theme::Light);
    window.run();
    results.add(picture(&mut window, "train-empty-wide-light"));
    let mut window = running(&script, WIDE, Theme::Dark);
    results.add(picture(&mut window, "train-running-wide-dark"));
    let mut window = running(&script, NARROW, Theme::Light);
    results.add(picture(&mut window, "train-running-narrow-light"));
}

/// Every state on windows that are high enough for all of it, for the eyes only.
#[test]
fn tall_pictures() {
    if !is_looking() {
        return;
    }
    for (name, size, theme) in [
        ("wide-light", egui::vec2(1280.0, 2000.0), Theme::Light),
        ("wide-dark", egui::vec2(1280.0, 2000.0), Theme::Dark),
        ("narrow-light", egui::vec2(400.0, 2400.0), Theme::Light),
        ("narrow-dark", egui::vec2(400.0, 2400.0), Theme::Dark),
    ] {
        let script = Script::default();
        let mut window = open(script.app(), Tab::MetaTrain, size, theme);
        look(&mut window, &format!("train-empty-tall-{name}"));
        let mut window = running(&script, size, theme);
        look(&mut window, &format!("train-running-tall-{name}"));
        window.get_by_label("Logarithmic").click();
        window.run_steps(2);
        let message = "the device was lost; go on from the checkpoint".to_owned();
        script.say([
            Event::Exported { archive: vec![9] },
            Event::DeviceLost { message, checkpoint: Some(100), smaller: None },
        ]);
        window.run_steps(3);
        look(&mut window, &format!("train-lost-tall-{name}"));
    }
}
