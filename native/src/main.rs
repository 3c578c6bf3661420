//! The headless command line of Inkling. Exit codes: 0 done, 1 a run failed, 2 wrong usage.

mod args;
mod commands;
mod failure;
mod interrupt;
mod output;
mod printer;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Arguments;
use crate::output::Output;

fn main() -> ExitCode {
    quieten_driver();
    let arguments = Arguments::parse();
    let output = Output::new(arguments.global.json);
    match commands::run(arguments, &output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            failure.exit_code()
        }
    }
}

/// Mesa's layer that picks a GPU for a desktop complains on standard error where there is no
/// desktop. Without one it has nothing to pick, so it is switched off.
#[allow(unsafe_code)]
fn quieten_driver() {
    if cfg!(target_os = "linux") && std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: this is the first thing that the process does, when it has a single thread.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
}
