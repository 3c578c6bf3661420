//! A run through its handle: the same configuration gives the same first steps natively and in a
//! browser, leaves its whole folder in memory, and survives its device.

use inkling_gpu::{Gpu, GpuError, GpuOptions};
use inkling_session::config::{Layers, RunConfig};
use inkling_session::events::{Ending, Event};
use inkling_session::run_folder::RunFolder;
use inkling_session::session::{Command, RunHandle, RunRequest, Target, start};

use super::fixture::message;
use crate::Case;
use crate::kernels::case_list;

pub fn cases() -> Vec<Case> {
    case_list!["session/first_steps" => first_steps, "session/device_lost" => device_lost]
}

const CONFIG: &str = "
[model]
channels = 8
[task]
ways = 3
shots = 2
queries = 3
[gradient]
h = 3
chunk = 4
[training]
steps = 4
tasks_per_step = 2
validate_every = 2
validation_episodes = 3
[evaluation]
ways = 3
shots = 2
queries = 3
";

/// The losses of the four steps on lavapipe.
const LOSSES: [f32; 4] = [0.478_032_02, 0.942_814_65, 0.702_851_95, 0.685_059_8];
/// The first loss is that of the initial weights: sums of up to 72 products in f32, through four
/// layers, agree to about 1e-5. Adam's first updates are of the learning rate whatever the size of a
/// gradient, so that rounding around zero is carried on: up to 2e-3 · 4 steps of a loss near one.
const TOLERANCES: [f32; 4] = [1e-4, 8e-3, 8e-3, 8e-3];

async fn first_steps(gpu: &Gpu) -> Result<(), String> {
    let events = run(gpu, Target::Memory).await?;
    let losses: Vec<f32> = events.iter().filter_map(loss).collect();
    let close = |((own, expected), tolerance): ((&f32, &f32), &f32)| (own - expected).abs() <= *tolerance;
    if losses.len() != LOSSES.len() || !losses.iter().zip(&LOSSES).zip(&TOLERANCES).all(close) {
        return Err(format!("losses {losses:?}, expected {LOSSES:?}"));
    }
    let archive = archive(&events)?;
    let (checkpoint, _) = RunFolder::newest_in_archive(&archive).map_err(message)?;
    if checkpoint.state.step != 4 || checkpoint.weights.card.is_none() {
        return Err(format!("the archive's checkpoint is of step {}", checkpoint.state.step));
    }
    // A finished run has nothing left to do.
    match run(gpu, Target::ResumeArchive(archive)).await?.last() {
        Some(Event::Finished { ending: Ending::Completed, step: 4, .. }) => Ok(()),
        last => Err(format!("resumed from its archive it ended with {last:?}")),
    }
}

/// A run whose device goes away ends at its checkpoint, and goes on from it on another device with
/// the bits of an undisturbed run.
async fn device_lost(gpu: &Gpu) -> Result<(), String> {
    let whole: Vec<f32> = run(gpu, Target::Memory).await?.iter().filter_map(loss).collect();
    let own = Gpu::new(&GpuOptions::default()).await.map_err(message)?;
    let doomed = begin(&own, Target::Memory)?;
    for command in [Command::Pause, Command::Step, Command::Step, Command::Checkpoint] {
        doomed.send(command);
    }
    let mut events = Vec::new();
    while let Some(event) = doomed.event().await {
        if matches!(event, Event::Checkpoint { step: 2, .. }) {
            own.report(GpuError::DeviceLost("taken away by a test".to_owned()));
            doomed.send(Command::Resume);
        }
        events.push(event);
    }
    if !matches!(events.last(), Some(Event::DeviceLost { checkpoint: Some(2), .. })) {
        return Err(format!("the run ended with {:?}", events.last()));
    }
    let resumed = run(gpu, Target::ResumeArchive(archive(&events)?)).await?;
    let losses: Vec<f32> = resumed.iter().filter_map(loss).collect();
    if whole.get(2..) == Some(&losses[..]) { Ok(()) } else { Err(format!("losses {losses:?} after {whole:?}")) }
}

fn begin(gpu: &Gpu, target: Target) -> Result<RunHandle, String> {
    let mut layers = Layers::new();
    layers.text("the case", CONFIG).map_err(message)?;
    let config: RunConfig = layers.run_config().map_err(message)?;
    Ok(start(RunRequest { gpu: Some(gpu.clone()), ..RunRequest::new(config, target) }))
}

/// All events of a run that is paused before its first step and goes on.
async fn run(gpu: &Gpu, target: Target) -> Result<Vec<Event>, String> {
    let run = begin(gpu, target)?;
    run.send(Command::Pause);
    run.send(Command::Resume);
    let mut events = Vec::new();
    while let Some(event) = run.event().await {
        events.push(event);
    }
    match events.last() {
        Some(Event::Finished { .. }) => Ok(events),
        last => Err(format!("the run ended with {last:?}")),
    }
}

/// What a run in memory leaves.
fn archive(events: &[Event]) -> Result<Vec<u8>, String> {
    let exported = |event: &Event| match event {
        Event::Exported { archive } => Some(archive.clone()),
        _ => None,
    };
    events.iter().find_map(exported).ok_or_else(|| "a run in memory did not export itself".to_owned())
}

fn loss(event: &Event) -> Option<f32> {
    match event {
        Event::Step(step) => Some(step.loss),
        _ => None,
    }
}
