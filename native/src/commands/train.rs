//! `inkling train`.

use std::path::{Path, PathBuf};

use inkling_session::events::Event;
use inkling_session::run::{Control, train};
use inkling_session::run_folder::RunFolder;
use inkling_session::session::Target;

use super::{assign, layers, resolve, set_budget};
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
        (None, None) => Target::New(free_folder(Path::new("runs"), &run_name(&args.config))?),
    };
    if let Target::New(path) = &target {
        RunFolder::check_free(path)?;
    }
    let interrupt = Interrupt::install()?;
    let mut printer = Printer::new(output);
    // A run that ends early by Ctrl-C or time limit has ended well.
    let result = pollster::block_on(train(&config, &target, adapter, &interrupt, &mut |event| {
        printer.show(&event);
        if let (Event::Started { .. }, Some(bar)) = (&event, printer.bar()) {
            interrupt.write_above(bar);
        }
    }));
    printer.close();
    result.map_err(|error| {
        let has_checkpoint = |path: &&Path| RunFolder::newest_checkpoint(path).is_ok();
        let resumable = target.folder().filter(has_checkpoint).filter(|_| !error.is_usage() && !error.is_final());
        let failure = Failure::from(error);
        if let Some(path) = resumable
            && failure.code() == 1
        {
            let hint =
                format!("{failure}\nonce that is put right, continue with: inkling train --resume {}", path.display());
            return Failure::failed(hint);
        }
        failure
    })
}

impl Control for Interrupt {
    fn stop_requested(&self) -> bool {
        self.requested()
    }
}

/// What a run is called when the user does not say.
fn run_name(args: &ConfigArgs) -> String {
    let stem = args.config.as_deref().and_then(Path::file_stem).map(|stem| stem.to_string_lossy().into_owned());
    args.preset.clone().or(stem).unwrap_or_else(|| "run".to_owned())
}

/// The first numbered folder that does not exist.
fn free_folder(home: &Path, name: &str) -> Result<PathBuf, Failure> {
    (1..100_000)
        .map(|number| home.join(format!("{name}-{number:03}")))
        .find(|path| !path.exists())
        .ok_or_else(|| Failure::Usage(format!("{} is full of runs; give --out", home.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_numbered_after_their_preset_or_file() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("a-001")).unwrap();
        assert_eq!(free_folder(home.path(), "a").unwrap(), home.path().join("a-002"));
        let args = ConfigArgs { config: Some("x/my run.toml".into()), ..ConfigArgs::default() };
        assert_eq!(run_name(&args), "my run");
    }
}
