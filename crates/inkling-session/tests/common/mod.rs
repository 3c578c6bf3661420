//! A small run and the ways to look at one, for the tests of sessions.

// Each test file uses its own part.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use inkling_session::config::{Layers, RunConfig};
use inkling_session::events::{Event, StepMetrics};
use inkling_session::session::{Command, RunHandle, RunRequest, Target, start};

/// Six steps on generated characters, checkpoints after every second, validations after every third.
pub const SMALL: &str = "
[model]
channels = 4
groups = 2
[task]
ways = 3
shots = 2
queries = 2
[gradient]
estimator = \"lite\"
h = 2
chunk = 4
query_batch = 4
[training]
steps = 6
tasks_per_step = 2
validate_every = 3
validation_episodes = 4
checkpoint_every = 2
[evaluation]
ways = 3
shots = 2
queries = 2
";

pub fn config() -> RunConfig {
    with("")
}

/// The small run with more keys.
pub fn with(more: &str) -> RunConfig {
    let mut layers = Layers::new();
    layers.text("the test", SMALL).unwrap();
    layers.text("the test's own", more).unwrap();
    layers.run_config().unwrap()
}

pub fn request(target: Target) -> RunRequest {
    RunRequest::new(config(), target)
}

/// A run that waits before its first step.
pub fn paused(request: RunRequest) -> RunHandle {
    let run = start(request);
    // It takes the actor milliseconds to open a device.
    run.send(Command::Pause);
    until(&run, |event| matches!(event, Event::Paused { step: 0 }));
    run
}

/// The events up to the first that fits, that one included.
pub fn until(run: &RunHandle, fits: impl Fn(&Event) -> bool) -> Vec<Event> {
    let mut seen = Vec::new();
    loop {
        match pollster::block_on(run.event()) {
            Some(event) => {
                let done = fits(&event);
                assert!(done || !event.is_last(), "the run ended early: {event:?} after {seen:?}");
                seen.push(event);
                if done {
                    return seen;
                }
            }
            None => panic!("no last event after {seen:?}"),
        }
    }
}

/// All remaining events of a run.
pub fn to_the_end(run: &RunHandle) -> Vec<Event> {
    let events = until(run, Event::is_last);
    assert_eq!(pollster::block_on(run.event()), None, "an event after the last one");
    events
}

/// Single steps up to this one; the run is paused then.
pub fn step_to(run: &RunHandle, step: u64) {
    loop {
        run.send(Command::Step);
        let events = until(run, |event| matches!(event, Event::Paused { .. }));
        if matches!(events.last(), Some(Event::Paused { step: done }) if *done == step) {
            return;
        }
    }
}

pub fn steps(events: &[Event]) -> Vec<StepMetrics> {
    let step = |event: &Event| match event {
        Event::Step(step) => Some(step.clone()),
        _ => None,
    };
    events.iter().filter_map(step).collect()
}

/// The last archive among the events.
pub fn archive(events: &[Event]) -> Vec<u8> {
    let archive = |event: &Event| match event {
        Event::Exported { archive } => Some(archive.clone()),
        _ => None,
    };
    events.iter().rev().find_map(archive).unwrap()
}

/// The files of an archive.
pub fn files(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut zip = zip::ZipArchive::new(Cursor::new(archive)).unwrap();
    (0..zip.len())
        .map(|number| {
            let mut file = zip.by_index(number).unwrap();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            (file.name().unwrap().into_owned(), bytes)
        })
        .collect()
}

pub fn no_warnings(events: &[Event]) {
    let warnings: Vec<_> = events.iter().filter(|event| matches!(event, Event::Warning { .. })).collect();
    assert!(warnings.is_empty(), "{warnings:?}");
}
