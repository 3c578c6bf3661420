//! The window of Inkling: eframe round the panels, with what a desktop adds to them.

mod args;
mod catalogue;
mod failure;
mod picture;
mod run;
#[cfg(feature = "webcam")]
mod webcam;
mod window;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match window::open(args::Arguments::parse()) {
        Ok(said) => {
            if let Some(said) = said {
                println!("{said}");
            }
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("error: {failure}");
            failure.exit_code()
        }
    }
}
