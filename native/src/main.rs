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
