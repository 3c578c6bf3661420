//! The chores of the workspace, run as `cargo xtask <command>`: set-up of a machine, the demo, the
//! complete test run, and the browser's app. It compiles in seconds, so that a newcomer waits for Inkling and not for
//! its tools; everything heavy happens in the programs that it starts.

mod args;
mod browser;
mod demo;
mod desktop;
mod peers;
mod process;
mod server;
mod setup;
mod test;
mod web;
mod workspace;

use std::process::ExitCode;

use args::Command;
use workspace::Workspace;

fn main() -> ExitCode {
    let command = match args::parse(std::env::args().skip(1)) {
        Ok(command) => command,
        Err(message) => {
            eprintln!("error: {message}\n\n{}", args::USAGE);
            return ExitCode::from(2);
        }
    };
    match dispatch(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Help => {
            println!("{}", args::USAGE);
            Ok(())
        }
        Command::Setup => setup::run(&Workspace::find()?, setup::Needs::ALL).map(drop),
        Command::Demo => demo::run(&Workspace::find()?),
        Command::Desktop(arguments) => desktop::run(&Workspace::find()?, &arguments),
        Command::Test(selection) => test::run(&Workspace::find()?, selection),
        Command::Web { fast } => web::build(&Workspace::find()?, fast).map(drop),
        Command::WebBench => web::bench(&Workspace::find()?),
        Command::WebTrain => web::compare_training(&Workspace::find()?),
        Command::Serve { fast, port } => web::serve(&Workspace::find()?, fast, port),
        Command::Pack { folder, fast } => web::pack::run(&Workspace::find()?, &folder, fast),
        Command::Peers(places) => peers::run(&Workspace::find()?, places),
        Command::Bindgen { module, folder, keeps_names } => browser::bindgen::generate(&module, &folder, keeps_names),
    }
}
