//! The demo: meta-train on the built-in characters and evaluate on classes never trained on,
//! before and after.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use crate::process;
use crate::setup::{self, Needs};
use crate::workspace::Workspace;

/// Every call of the command line that the demo makes.
mod calls {
    pub const PRESET: &str = "glyphs-protonet-lite";
    /// Few queries keep 600 episodes cheap on a software adapter.
    const EVALUATION: [&str; 4] = ["--episodes", "600", "--queries", "5"];

    pub fn train(folder: &str) -> Vec<&str> {
        vec!["train", "--preset", PRESET, "--out", folder]
    }

    pub fn evaluate(folder: &str, is_trained: bool) -> Vec<&str> {
        let mut call = vec!["eval", "--json", "--run", folder];
        call.extend(EVALUATION);
        if !is_trained {
            call.push("--untrained");
        }
        call
    }
}

/// Sets up the driver, builds the command line, trains and evaluates.
///
/// # Errors
/// When a step fails; the message names its command.
pub fn run(workspace: &Workspace) -> Result<()> {
    println!("== set-up");
    let needs = Needs { driver: true, ..Needs::default() };
    setup::run(workspace, needs)?;

    println!("\n== build");
    process::run(workspace.cargo().args(["build", "--release", "--package", "inkling"]))?;
    let program = program(workspace.target());

    let seconds =
        SystemTime::now().duration_since(UNIX_EPOCH).context("the clock of this machine stands before 1970")?.as_secs();
    let folder = format!("runs/demo-{}", timestamp(seconds));
    let inkling =
        |arguments: Vec<&str>| process::run(Command::new(&program).args(arguments).current_dir(workspace.root()));
    let evaluate = |is_trained| -> Result<Evaluation> {
        let mut command = Command::new(&program);
        command.args(calls::evaluate(&folder, is_trained)).current_dir(workspace.root());
        Evaluation::parse(&process::output(&mut command)?)
    };
    println!("\n== meta-training on built-in characters ({})", calls::PRESET);
    inkling(calls::train(&folder))?;
    println!("\n== evaluating 600 episodes of classes never trained on, 5 ways, 1 shot");
    let before = evaluate(false)?;
    println!("before training: {before}");
    let after = evaluate(true)?;
    let checkpoint = newest(&workspace.root().join(&folder).join("checkpoints"))?;
    println!("after training:  {after}");
    println!("\n{}", farewell(workspace.root(), &program, &folder, &checkpoint));
    Ok(())
}

/// The accuracy that `inkling eval --json` reports.
struct Evaluation {
    accuracy: f64,
    interval: f64,
}

impl Evaluation {
    /// Reads the line that holds the result; those before it tell of progress.
    fn parse(lines: &str) -> Result<Self> {
        let number = |value: &serde_json::Value, key: &str| value.get(key).and_then(serde_json::Value::as_f64);
        lines
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter_map(|value: serde_json::Value| {
                Some(Self { accuracy: number(&value, "accuracy")?, interval: number(&value, "interval")? })
            })
            .next_back()
            .context("`inkling eval --json` printed no accuracy")
    }
}

impl std::fmt::Display for Evaluation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "accuracy {:.2} ± {:.2} %", 100.0 * self.accuracy, 100.0 * self.interval)
    }
}

fn program(target: &Path) -> PathBuf {
    let name = format!("inkling{}", std::env::consts::EXE_SUFFIX);
    target.join("release").join(name)
}

/// The last name in a folder of checkpoints, whose names sort by step.
fn newest(folder: &Path) -> Result<String> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names.max().with_context(|| format!("{} holds no checkpoint", folder.display()))
}

fn farewell(root: &Path, program: &Path, folder: &str, checkpoint: &str) -> String {
    // Inside the workspace, the short path is the one to type.
    let program = program.strip_prefix(root).unwrap_or(program).display();
    format!(
        "The run lies in {folder}: curves.svg, metrics.csv, config.toml, checkpoints.

What to try next, in the root of the workspace:
  Omniglot, real handwriting (fetched from its official address, then half an hour):
    {program} data fetch omniglot
    {program} train --preset omniglot-protonet-lite --out runs/omniglot
  your own photos, one folder per class:
    {program} train --data folder:PHOTOS --set data.image_size=84 --out runs/photos
  new classes from a few images each, without training:
    {program} adapt --model {folder}/checkpoints/{checkpoint}/weights.safetensors --support CLASSES --query IMAGE"
    )
}

/// `20260131-235959` (UTC) for seconds since 1970.
fn timestamp(seconds: u64) -> String {
    let (year, month, day) = civil_date(seconds / 86_400);
    let second = seconds % 86_400;
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{:02}", second % 60)
}

/// Year, month and day of the Gregorian calendar for days since 1970.
fn civil_date(days: u64) -> (u64, u64, u64) {
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let (mut year, mut rest) = (1970, days);
    loop {
        let length = if is_leap(year) { 366 } else { 365 };
        if rest < length {
            break;
        }
        rest -= length;
        year += 1;
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if rest < length {
            break;
        }
        rest -= length;
        month += 1;
    }
    (year, month, rest + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_calendar_dates() {
        // As `date -u -d @N +%Y%m%d-%H%M%S` prints them.
        for (seconds, expected) in [
            (0, "19700101-000000"),
            (951_782_399, "20000228-235959"),
            (951_782_400, "20000229-000000"),
            (1_709_251_199, "20240229-235959"),
            (1_709_251_200, "20240301-000000"),
            (1_767_225_599, "20251231-235959"),
            (4_107_542_400, "21000301-000000"),
        ] {
            assert_eq!(timestamp(seconds), expected);
        }
    }

    #[test]
    fn both_evaluations_differ_only_in_the_weights() {
        let trained = calls::evaluate("runs/a", true);
        let mut untrained = calls::evaluate("runs/a", false);
        assert_eq!(untrained.pop(), Some("--untrained"));
        assert_eq!(trained, untrained);
    }

    #[test]
    fn the_last_accuracy_counts() {
        let lines = "{\"event\":\"evaluating\",\"accuracy\":0.2}\nnoise\n{\"accuracy\":0.9,\"interval\":0.015}\n";
        assert_eq!(Evaluation::parse(lines).unwrap().to_string(), "accuracy 90.00 ± 1.50 %");
        assert!(Evaluation::parse("nothing").is_err());
    }

    #[test]
    fn the_next_steps_name_a_path_that_can_be_typed() {
        let text = farewell(Path::new("/w"), Path::new("/w/target/release/inkling"), "runs/a", "step-000001");
        assert!(text.contains("    target/release/inkling train"), "{text}");
        let elsewhere = farewell(Path::new("/w"), Path::new("/t/inkling"), "runs/a", "step-000001");
        assert!(elsewhere.contains("    /t/inkling train"), "{elsewhere}");
    }
}
