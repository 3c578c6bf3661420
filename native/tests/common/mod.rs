//! What the tests of the command line share: the real binary, and a task that it trains on in
//! seconds on a software adapter.

// Each test file uses a part of this, and the lint's exception for tests does not reach helpers.
#![allow(dead_code, clippy::panic, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Four channels on 16 pixels, 3-way 4-shot with H = 4 of N = 12.
pub const TINY: &str = "\
[data]
spec = \"glyphs\"
image_size = 16
[task]
ways = 3
shots = 4
queries = 2
[model]
channels = 4
groups = 2
[gradient]
estimator = \"lite\"
h = 4
chunk = 4
query_batch = 3
[training]
steps = 30
validate_every = 10
validation_episodes = 5
checkpoint_every = 5
[evaluation]
ways = 3
shots = 1
queries = 2
episodes = 20
";

/// A folder with `tiny.toml` in it.
pub fn workplace() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tiny.toml"), TINY).unwrap();
    folder
}

/// The program, to be run in `folder`.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inkling"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command
}

/// Runs the program in `folder` to its end.
pub fn run(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

/// Asserts an exit code and the absence of panics; returns standard output and error.
pub fn ended(folder: &Path, arguments: &[&str], code: i32) -> (String, String) {
    let output = run(folder, arguments);
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(code), "{arguments:?}:\n{out}{err}");
    assert!(!err.contains("panicked"), "{arguments:?}: {err}");
    (out, err)
}

/// Standard output of a command that must succeed.
pub fn done(folder: &Path, arguments: &[&str]) -> String {
    ended(folder, arguments, 0).0
}

/// What a command says that must fail with this exit code, in one message without leftovers.
pub fn refused(folder: &Path, arguments: &[&str], code: i32) -> String {
    let (_, err) = ended(folder, arguments, code);
    let errors = err.lines().filter(|line| line.starts_with("error: ") && !line.contains("XDG_RUNTIME_DIR")).count();
    assert_eq!(errors, 1, "{err}");
    err
}

/// Trains `tiny.toml` into `run`, with further arguments.
pub fn train(folder: &Path, run: &str, further: &[&str]) -> String {
    done(folder, &[&["train", "--config", "tiny.toml", "--out", run], further].concat())
}

/// The JSON objects that a command prints, each line one.
pub fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// A cell of the last row of a CSV file.
pub fn last_cell(path: &Path, column: &str) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let index = text.lines().next().unwrap().split(',').position(|name| name == column).unwrap();
    text.lines().last().unwrap().split(',').nth(index).unwrap().to_owned()
}

/// The newest weights of a run.
pub fn newest_weights(run: &Path) -> PathBuf {
    let mut steps: Vec<PathBuf> =
        std::fs::read_dir(run.join("checkpoints")).unwrap().map(|entry| entry.unwrap().path()).collect();
    steps.sort();
    steps.pop().unwrap().join("weights.safetensors")
}

/// A case of the golden vectors.
pub fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/cases").join(name)
}

/// Writes a grey picture of 24 by 24 pixels as PNG.
pub fn picture(path: &Path, shade: impl Fn(u32, u32) -> u8) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    image::GrayImage::from_fn(24, 24, |x, y| image::Luma([shade(x, y)])).save(path).unwrap();
}

/// Two classes, disc and frame, of `count` pictures each.
pub fn two_classes(folder: &Path, count: u32) {
    for index in 0..count {
        picture(&folder.join(format!("disc/{index}.png")), |x, y| {
            let (x, y) = (x as i32 - 12, y as i32 - 12);
            if x * x + y * y < 40 + 9 * index as i32 { 255 } else { 0 }
        });
        picture(&folder.join(format!("frame/{index}.png")), |x, y| {
            let edge = x.min(y).min(23 - x).min(23 - y);
            if (2..4 + index).contains(&edge) { 255 } else { 0 }
        });
    }
}
