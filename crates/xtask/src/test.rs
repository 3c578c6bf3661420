//! The complete test run, in named and timed stages; the first failure ends it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::args::Selection;
use crate::browser::{self, Outcome};
use crate::process;
use crate::setup::{self, Machine, Needs};
use crate::web::{self, page};
use crate::workspace::Workspace;

/// The packages that have to build for the browser.
const WASM_PACKAGES: [&str; 11] = [
    "inkling-shaders",
    "inkling-reference",
    "inkling-platform",
    "inkling-gpu",
    "inkling-data",
    "inkling-nn",
    "inkling-meta",
    "inkling-session",
    "inkling-app",
    "inkling-web",
    "inkling-tests",
];

/// The package that builds Burn. By itself, so that what Burn wants of wgpu is in no other build.
const WITH_BURN: &str = "inkling-burn";

/// Runs the selected stages.
///
/// # Errors
/// The name of the stage that failed, and why.
pub fn run(workspace: &Workspace, selection: Selection) -> Result<()> {
    let mut stages = Stages::default();
    let machine = stages.run("set-up", || setup::run(workspace, needs(selection)))?;
    if selection.includes(Selection::Lint) {
        lint(workspace, &mut stages)?;
    }
    if selection.includes(Selection::Native) {
        stages.run("tests (native)", || native(workspace))?;
        stages.run("tests (Burn)", || with_burn(workspace))?;
    }
    let mut outcomes = Vec::new();
    if selection.includes(Selection::Browser) {
        outcomes.push(in_browser(workspace, &machine, &mut stages)?);
    }
    if selection.includes(Selection::Page) {
        outcomes.push(of_page(workspace, &machine, &mut stages)?);
    }
    stages.print();
    if outcomes.is_empty() { Ok(()) } else { conclude(&outcomes) }
}

fn needs(selection: Selection) -> Needs {
    let in_browser = selection.includes(Selection::Browser) || selection.includes(Selection::Page);
    Needs {
        driver: selection.includes(Selection::Native),
        lints: selection.includes(Selection::Lint),
        wasm: selection.includes(Selection::Lint) || in_browser,
        browser: in_browser,
        node: selection.includes(Selection::Page),
        window: selection.includes(Selection::Native),
        display: selection.includes(Selection::Native),
        webcam: selection.includes(Selection::Lint),
    }
}

fn lint(workspace: &Workspace, stages: &mut Stages) -> Result<()> {
    stages.run("format", || {
        process::run(workspace.cargo().args(["fmt", "--all", "--check"])).context("`cargo fmt --all` puts this right")
    })?;
    stages.run("lints (native)", || {
        // One build for everything, Burn and the camera too: what they share is checked once.
        let everything = ["clippy", "--workspace", "--all-targets", "--features", "inkling-desktop/webcam"];
        process::run(workspace.cargo().args(everything).args(DENY_WARNINGS))
    })?;
    stages.run("lints (wasm32)", || {
        let mut clippy = workspace.cargo();
        clippy.args(["clippy", "--lib", "--target", browser::WASM_TARGET]);
        clippy.args(["--features", "inkling-web/package,inkling-web/rows"]);
        for package in WASM_PACKAGES {
            clippy.args(["--package", package]);
        }
        process::run(clippy.args(DENY_WARNINGS))
    })
}

const DENY_WARNINGS: [&str; 3] = ["--", "-D", "warnings"];

/// All test binaries run even after one has failed, so that one run shows every failure.
fn native(workspace: &Workspace) -> Result<()> {
    process::run(workspace.cargo().args(["test", "--workspace", "--exclude", WITH_BURN, "--no-fail-fast"]))
}

/// Burn as an extractor, and as an oracle of our layers.
fn with_burn(workspace: &Workspace) -> Result<()> {
    process::run(workspace.cargo().args(["test", "--package", WITH_BURN, "--no-fail-fast"]))
}

fn in_browser(workspace: &Workspace, machine: &Machine, stages: &mut Stages) -> Result<Outcome> {
    let program = machine.browser.as_deref().context("the set-up found no browser")?;
    let site = stages.run("build (browser)", || browser::build(workspace))?;
    stages.run("tests (browser)", || browser::run(&site, program))
}

fn of_page(workspace: &Workspace, machine: &Machine, stages: &mut Stages) -> Result<Outcome> {
    let programs = page::Programs::of(machine)?;
    let dist = stages.run("build (page)", || web::build(workspace, false))?;
    stages.run("tests (page)", || page::run(workspace, &dist, &programs))
}

/// Ends the output with the line that a CI reads.
fn conclude(outcomes: &[Outcome]) -> Result<()> {
    let sum = |count: fn(&Outcome) -> usize| outcomes.iter().map(count).sum::<usize>();
    let failed = sum(|outcome| outcome.failed);
    println!("{} passed, {failed} failed", sum(|outcome| outcome.passed));
    if failed > 0 {
        bail!("the browser's tests failed");
    }
    Ok(())
}

/// The stages that have run, with their times.
#[derive(Default)]
struct Stages {
    finished: Vec<(&'static str, Duration)>,
}

impl Stages {
    fn run<T>(&mut self, name: &'static str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        println!("\n== {name}");
        let start = Instant::now();
        let result = work().with_context(|| format!("stage `{name}` failed"))?;
        let elapsed = start.elapsed();
        println!("== {name}: {}", clock(elapsed));
        self.finished.push((name, elapsed));
        Ok(result)
    }

    fn print(&self) {
        println!();
        for (name, elapsed) in &self.finished {
            println!("{name:<18} {:>8}", clock(*elapsed));
        }
        let total = self.finished.iter().map(|(_, elapsed)| *elapsed).sum();
        println!("{:<18} {:>8}", "total", clock(total));
    }
}

/// `4.2 s`, or `3 min 05 s` from a minute on.
fn clock(elapsed: Duration) -> String {
    let tenths = (elapsed.as_millis() + 50) / 100;
    match tenths / 10 {
        seconds if seconds < 60 => format!("{seconds}.{} s", tenths % 10),
        seconds => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        let shown = |millis| clock(Duration::from_millis(millis));
        assert_eq!(shown(4_240), "4.2 s");
        assert_eq!(shown(59_960), "1 min 00 s");
        assert_eq!(shown(185_000), "3 min 05 s");
    }

    #[test]
    fn a_failed_stage_is_named_and_its_cause_kept() {
        let mut stages = Stages::default();
        let error = stages.run("format", || -> Result<()> { bail!("a space too many") }).unwrap_err();
        assert_eq!(format!("{error:#}"), "stage `format` failed: a space too many");
        assert!(stages.finished.is_empty());
    }

    #[test]
    fn a_failed_case_fails_the_run() {
        let outcome = |failed| Outcome { passed: 3, failed };
        assert!(conclude(&[outcome(0), outcome(0)]).is_ok());
        assert!(conclude(&[outcome(0), outcome(1)]).is_err());
    }

    #[test]
    fn a_stage_asks_only_for_what_it_needs() {
        let lint = needs(Selection::Lint);
        assert!(lint.wasm && lint.lints && lint.webcam && !lint.driver && !lint.browser);
        let native = needs(Selection::Native);
        assert!(native.driver && native.display && !native.wasm && !native.lints && !native.browser && !native.node);
        let page = needs(Selection::Page);
        assert!(page.node && page.browser && page.wasm && !page.driver && !page.lints);
        let all = needs(Selection::All);
        assert!(all.driver && all.wasm && all.lints && all.browser && all.node);
    }
}
