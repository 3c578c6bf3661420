//! The program as people start it, in a display without a screen.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's helpers may fail the test")]

use std::path::Path;
use std::process::{Command, Output};

mod display;

use display::Display;

/// A start with a home folder of its own, so that no test meets another's window size.
fn program(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inkling-desktop"));
    for name in ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET", "XDG_DATA_HOME"] {
        command.env_remove(name);
    }
    command.env("HOME", home).env("XDG_RUNTIME_DIR", home).current_dir(home);
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Takes a picture of the window and returns its pixels.
fn picture(display: &Display, home: &Path, arguments: &[&str]) -> image::RgbImage {
    let path = home.join("window.png");
    let mut command = program(home);
    command.env("DISPLAY", display.name()).arg("--screenshot").arg(&path).args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("window.png"), "{said}");
    image::open(path).unwrap().to_rgb8()
}

/// The mean brightness, and how many different colours there are.
fn look(image: &image::RgbImage) -> (f64, usize) {
    let sum: u64 = image.pixels().map(|pixel| pixel.0.iter().map(|&value| u64::from(value)).sum::<u64>()).sum();
    let colours: std::collections::HashSet<_> = image.pixels().map(|pixel| pixel.0).collect();
    (sum as f64 / (3.0 * f64::from(image.width()) * f64::from(image.height())), colours.len())
}

#[test]
fn a_window_opens_and_draws_in_both_themes_and_sizes() {
    let display = Display::open();
    let home = tempfile::tempdir().unwrap();
    let light = picture(&display, home.path(), &["--size", "1280x800", "--theme", "light"]);
    assert_eq!(light.dimensions(), (1280, 800));
    let dark = picture(&display, home.path(), &["--size", "400x800", "--theme", "dark", "--tab", "settings"]);
    assert_eq!(dark.dimensions(), (400, 800));
    let ((light, light_colours), (dark, dark_colours)) = (look(&light), look(&dark));
    assert!(light > 180.0 && dark < 80.0, "brightness {light} and {dark}");
    assert!(light_colours > 20 && dark_colours > 20, "nothing is drawn: {light_colours} and {dark_colours} colours");
}

#[test]
fn without_a_display_the_message_says_so() {
    let home = tempfile::tempdir().unwrap();
    for display in [None, Some(":4711")] {
        let mut command = program(home.path());
        command.envs(display.map(|name| ("DISPLAY", name)));
        let output = command.output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("desktop session") && !said.contains("panicked"), "{said}");
    }
}

#[test]
fn without_an_adapter_the_message_says_so() {
    let display = Display::open();
    let home = tempfile::tempdir().unwrap();
    let mut command = program(home.path());
    // No driver at all, in the words of old and of new Vulkan loaders; and no way around them.
    command.env("WGPU_BACKEND", "vulkan");
    command.env("VK_DRIVER_FILES", "/nowhere.json").env("VK_ICD_FILENAMES", "/nowhere.json");
    let output = command.env("DISPLAY", display.name()).output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("mesa-vulkan-drivers") && !said.contains("panicked"), "{said}");
}

#[test]
fn wrong_usage_ends_before_a_window_opens() {
    let home = tempfile::tempdir().unwrap();
    let broken = home.path().join("broken.toml");
    std::fs::write(&broken, "[training]\nstep = 3\n").unwrap();
    let run = |arguments: &[&str]| {
        let output = program(home.path()).args(arguments).output().unwrap();
        (output.status.code(), stderr(&output))
    };
    let (code, said) = run(&["--run", "absent.toml"]);
    assert!(code == Some(2) && said.contains("absent.toml"), "{said}");
    let (code, said) = run(&["--run", "broken.toml"]);
    assert!(code == Some(2) && said.contains("step"), "{said}");
    assert_eq!(run(&["--frobnicate"]).0, Some(2));
    assert_eq!(run(&["--help"]).0, Some(0));
}
