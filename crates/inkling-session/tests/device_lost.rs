//! A device that goes away or has no room: the run stops at its last checkpoint and goes on from it.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{archive, files, no_warnings, paused, request, step_to, steps, to_the_end};
use inkling_gpu::{Gpu, GpuError, GpuOptions};
use inkling_session::config::EstimatorKind;
use inkling_session::events::Event;
use inkling_session::session::{Command, RunRequest, Target, start};

/// The events of a run of four steps whose device reports this after step 3.
fn lost(error: GpuError, request: RunRequest) -> Vec<Event> {
    let gpu = pollster::block_on(Gpu::new(&GpuOptions::default())).unwrap();
    let run = paused(RunRequest { gpu: Some(gpu.clone()), ..request });
    step_to(&run, 3);
    gpu.report(error);
    run.send(Command::Resume);
    to_the_end(&run)
}

#[test]
fn a_lost_device_ends_the_run_at_its_last_checkpoint() {
    let whole = to_the_end(&start(request(Target::Memory)));
    let events = lost(GpuError::DeviceLost("pulled out".to_owned()), request(Target::Memory));
    let Some(Event::DeviceLost { message, checkpoint: Some(2), smaller: None }) = events.last() else {
        panic!("{events:?}");
    };
    assert!(message.contains("pulled out"), "{message}");
    let resumed = to_the_end(&start(request(Target::ResumeArchive(archive(&events)))));
    assert_eq!(steps(&resumed).len(), 4);
    let (resumed, whole) = (files(&archive(&resumed)), files(&archive(&whole)));
    for name in ["metrics.csv", "checkpoints/step-000006/weights.safetensors"] {
        assert_eq!(resumed[name], whole[name], "{name}");
    }
}

#[test]
fn out_of_memory_offers_smaller_passes_that_the_run_goes_on_with() {
    for estimator in [EstimatorKind::Lite, EstimatorKind::Full] {
        let mut wide = request(Target::Memory);
        wide.config.gradient.estimator = estimator;
        wide.config.gradient.chunk = 6;
        wide.config.gradient.query_batch = 6;
        wide.config.model.channels = 32;
        let events = lost(GpuError::OutOfMemory("no room".to_owned()), wide.clone());
        let Some(Event::DeviceLost { checkpoint: Some(2), smaller: Some(smaller), .. }) = events.last() else {
            panic!("{events:?}");
        };
        let passes = Some(smaller.passes);
        let again = RunRequest { passes, target: Target::ResumeArchive(archive(&events)), ..wide.clone() };
        let resumed = to_the_end(&start(again));
        // The ledger agrees with the smaller plan, or there would be a warning.
        no_warnings(&resumed);
        assert!(matches!(resumed.first(), Some(Event::Planned { bytes, .. }) if *bytes == smaller.bytes));
        assert!(matches!(resumed.last(), Some(Event::Finished { step: 6, .. })));
        // The passes are in the run's files: the next session keeps them by itself.
        let half = archive(&resumed);
        let next = to_the_end(&start(RunRequest { target: Target::ResumeArchive(half), ..wide }));
        assert!(matches!(next.first(), Some(Event::Planned { bytes, .. }) if *bytes == smaller.bytes));
    }
}

#[test]
fn a_device_that_is_lost_before_the_first_step_leaves_nothing_to_go_on_from() {
    let gpu = pollster::block_on(Gpu::new(&GpuOptions::default())).unwrap();
    gpu.report(GpuError::OutOfMemory("no room at all".to_owned()));
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("run");
    let events = to_the_end(&start(RunRequest { gpu: Some(gpu), ..request(Target::New(path.clone())) }));
    assert!(matches!(events.last(), Some(Event::DeviceLost { checkpoint: None, smaller: Some(_), .. })), "{events:?}");
    assert!(!path.exists());
}
