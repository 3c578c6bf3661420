//! `inkling train`.

use std::path::Path;

use inkling_session::config::{EstimatorKind, RunConfig};
use inkling_session::events::Event;
use inkling_session::run_folder::RunFolder;
use inkling_session::session::{Passes, RunHandle, RunRequest, Target, start};

use super::{assign, layers, resolve, set_budget, set_strict};
use crate::args::{ConfigArgs, TrainArgs};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::printer::Printer;

pub fn run(args: &TrainArgs, adapter: Option<String>, output: Output) -> Result<(), Failure> {
    let layers = match &args.resume {
        Some(run) => {
            let mut layers = RunFolder::read_layers(run)?;
            set_budget(&mut layers, args.config.memory_budget);
            set_strict(&mut layers, args.config.strict);
            assign(&mut layers, &args.config.overrides)?;
            layers
        }
        None => layers(&args.config)?,
    };
    let config = resolve(&layers, output)?;
    if args.print_config {
        let text = config.to_toml()?;
        output.result(&serde_json::to_value(&config).map_err(Failure::failed)?, &text);
        return Ok(());
    }
    let target = match (&args.resume, &args.out) {
        (Some(run), _) => Target::Resume(run.clone()),
        (None, Some(out)) => Target::New(out.clone()),
        (None, None) => Target::New(RunFolder::numbered(Path::new("runs"), &run_name(&args.config))?),
    };
    if let Target::New(path) = &target {
        RunFolder::check_free(path)?;
    }
    let folder = target.folder().map(Path::to_owned).unwrap_or_default();
    let request = RunRequest { adapter, ..request(config, target)? };
    let run = start(request);
    let interrupt = Interrupt::install(Some(run.commands()))?;
    let mut printer = Printer::new(output);
    // A run that ends early by Ctrl-C or time limit has ended well.
    let result = pollster::block_on(follow(&run, &folder, |event| {
        printer.show(event);
        if let (Event::Started { .. }, Some(bar)) = (event, printer.bar()) {
            interrupt.write_above(bar);
        }
    }));
    printer.close();
    result
}

/// A run that goes on with smaller passes than it began with still is the run of its folder.
fn request(mut config: RunConfig, target: Target) -> Result<RunRequest, Failure> {
    let wanted = Passes::of(&config.gradient);
    let mut passes = None;
    if let Target::Resume(run) = &target {
        let own = Passes::of(&RunFolder::read_config(run)?.gradient);
        // Another estimator is another run, but for the one that does the same in less memory.
        let in_chunks = (own.estimator, wanted.estimator) == (EstimatorKind::Full, EstimatorKind::Chunked);
        if wanted != own && (in_chunks || wanted.estimator == own.estimator) {
            own.put(&mut config.gradient);
            passes = Some(wanted);
        }
    }
    Ok(RunRequest { passes, ..RunRequest::new(config, target) })
}

/// Shows the events of a run until its last; how it failed is the command's to say.
async fn follow(run: &RunHandle, folder: &Path, mut show: impl FnMut(&Event)) -> Result<(), Failure> {
    while let Some(event) = run.event().await {
        match &event {
            Event::Failed { message, usage: true, .. } => return Err(Failure::Usage(message.clone())),
            Event::Failed { message, resumable, .. } => {
                return Err(Failure::failed(if *resumable { hint(message, folder, None) } else { message.clone() }));
            }
            Event::DeviceLost { message, checkpoint: None, .. } => return Err(Failure::failed(message)),
            Event::DeviceLost { message, smaller, .. } => {
                return Err(Failure::failed(hint(message, folder, smaller.map(|plan| plan.passes))));
            }
            event => show(event),
        }
    }
    Ok(())
}

fn hint(message: &str, folder: &Path, passes: Option<Passes>) -> String {
    let smaller = passes.map_or_else(String::new, |Passes { estimator, chunk, query_batch }| {
        format!(
            " --set gradient.estimator={} --set gradient.chunk={chunk} --set gradient.query_batch={query_batch}",
            estimator.name()
        )
    });
    let resume = format!("inkling train --resume {}{smaller}", folder.display());
    format!("{message}\nonce that is put right, continue with: {resume}")
}

/// What a run is called when the user does not say.
fn run_name(args: &ConfigArgs) -> String {
    let stem = args.config.as_deref().and_then(Path::file_stem).map(|stem| stem.to_string_lossy().into_owned());
    args.preset.clone().or(stem).unwrap_or_else(|| "run".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_numbered_after_their_preset_or_file() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("a-001")).unwrap();
        assert_eq!(RunFolder::numbered(home.path(), "a").unwrap(), home.path().join("a-002"));
        let args = ConfigArgs { config: Some("x/my run.toml".into()), ..ConfigArgs::default() };
        assert_eq!(run_name(&args), "my run");
    }
}
