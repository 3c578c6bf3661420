//! Builds the window and opens it.

use std::process::Command;

use anyhow::Result;

use crate::process;
use crate::setup::{self, Needs};
use crate::workspace::Workspace;

const PACKAGE: &str = "inkling-desktop";

/// Sets up what the window needs, builds it and runs it with `arguments`.
///
/// # Errors
/// When a step fails; the message names its command.
pub fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    println!("== set-up");
    setup::run(workspace, Needs { driver: true, window: true, ..Needs::default() })?;
    // Without a camera the window still does all else.
    let camera = setup::run(workspace, Needs { webcam: true, ..Needs::default() });
    if let Err(error) = &camera {
        println!("  The window is built without a camera: {error:#}");
    }

    println!("\n== build");
    process::run(workspace.cargo().args(build(camera.is_ok())))?;
    let program = workspace.target().join("release").join(format!("{PACKAGE}{}", std::env::consts::EXE_SUFFIX));

    println!("\n== window");
    process::run(Command::new(program).args(arguments))
}

fn build(has_camera: bool) -> Vec<&'static str> {
    let mut arguments = vec!["build", "--release", "--package", PACKAGE];
    if has_camera {
        arguments.extend(["--features", "webcam"]);
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_camera_is_a_feature() {
        assert!(build(true).ends_with(&["--features", "webcam"]));
        assert!(!build(false).contains(&"--features"));
    }
}
