//! The tests of the app in a page: Node drives Chromium, as a user would, against `web/dist`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::browser::Outcome;
use crate::setup::Machine;
use crate::workspace::Workspace;

/// The programs that the tests need.
pub struct Programs {
    node: PathBuf,
    browser: PathBuf,
}

impl Programs {
    /// Those that the set-up found.
    ///
    /// # Errors
    /// When it was not asked for them.
    pub fn of(machine: &Machine) -> Result<Self> {
        Ok(Self {
            node: machine.node.clone().context("the set-up found no Node")?,
            browser: machine.browser.clone().context("the set-up found no browser")?,
        })
    }
}

/// Runs every test of `tests/browser/app` on the page in `dist`.
///
/// # Errors
/// When the tests cannot start, or end without a result.
pub fn run(workspace: &Workspace, dist: &Path, programs: &Programs) -> Result<Outcome> {
    let results = workspace.target().join("page-tests.tap");
    let mut node = command(workspace, dist, programs)?;
    node.args(["--test-reporter", "spec", "--test-reporter-destination", "stdout"]);
    node.args(["--test-reporter", "tap", "--test-reporter-destination"]).arg(&results);
    // Its exit status repeats what the results say.
    node.arg("app/all.mjs").status().context("cannot start node")?;
    let text = std::fs::read_to_string(&results).with_context(|| format!("cannot read {}", results.display()))?;
    outcome(&text)
}

/// Prints the latency and the frame rate that `tests/browser/app/measure.mjs` measures.
///
/// # Errors
/// When the page does not run, or misses what it has to reach.
pub fn measure(workspace: &Workspace, dist: &Path, programs: &Programs) -> Result<()> {
    succeed(command(workspace, dist, programs)?.arg("app/measure.mjs"))
}

/// Prints how long a camera's picture takes to its probabilities, as `measure-camera.mjs` measures.
///
/// # Errors
/// When the page does not run, or does not answer.
pub fn measure_camera(workspace: &Workspace, dist: &Path, programs: &Programs) -> Result<()> {
    succeed(command(workspace, dist, programs)?.arg("app/measure-camera.mjs"))
}

/// Prints how meta-training in a page compares with the native program, which is built already, on
/// the browser's own software adapter.
///
/// # Errors
/// When the browser brings no such adapter, a run fails, or misses what it has to reach.
pub fn compare_training(workspace: &Workspace, dist: &Path, programs: &Programs) -> Result<()> {
    let native = workspace.target().join("release").join(format!("inkling{}", std::env::consts::EXE_SUFFIX));
    let driver = swiftshader(&programs.browser)?;
    let mut node = command(workspace, dist, programs)?;
    succeed(node.env("INKLING", native).env("SWIFTSHADER", driver).arg("app/measure-training.mjs"))
}

fn succeed(node: &mut Command) -> Result<()> {
    let status = node.status().context("cannot start node")?;
    if !status.success() {
        bail!("the measurements ended with {status}");
    }
    Ok(())
}

/// The description of the software adapter that lies beside a Chromium, for native loaders.
///
/// # Errors
/// When there is none in the folders where browsers are installed.
fn swiftshader(browser: &Path) -> Result<PathBuf> {
    const NAME: &str = "vk_swiftshader_icd.json";
    let folders = ["/usr/lib/chromium", "/usr/lib/chromium-browser", "/opt/google/chrome"].map(PathBuf::from);
    let beside = browser.canonicalize().ok().and_then(|program| program.parent().map(Path::to_owned));
    let found = beside.into_iter().chain(folders).map(|folder| folder.join(NAME)).find(|file| file.is_file());
    found.with_context(|| format!("no {NAME} beside {}, nor where Debian puts it", browser.display()))
}

/// Node in the folder of the tests, with a server for `dist`.
fn command(workspace: &Workspace, dist: &Path, programs: &Programs) -> Result<Command> {
    let server = super::start_server(dist, 0)?;
    let mut node = Command::new(&programs.node);
    node.current_dir(workspace.root().join("tests/browser"));
    node.env("INKLING_PAGE", server.address()).env("CHROME", &programs.browser);
    Ok(node)
}

/// Reads the counts at the end of a report in the Test Anything Protocol.
fn outcome(report: &str) -> Result<Outcome> {
    let count = |name: &str| -> Option<usize> {
        report.lines().rev().find_map(|line| line.strip_prefix("# ")?.strip_prefix(name)?.trim().parse().ok())
    };
    let (passed, failed) =
        count("pass ").zip(count("fail ")).context("the tests of the page ended without a result")?;
    // One that was interrupted has not passed.
    let failed = failed + count("cancelled ").unwrap_or_default() + count("skipped ").unwrap_or_default();
    if passed + failed == 0 {
        bail!("there was no test of the page");
    }
    Ok(Outcome { passed, failed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_from_the_end() {
        let report = "# pass 99\nok 1 - a\n# tests 4\n# pass 2\n# fail 1\n# cancelled 1\n# skipped 0\n# todo 0\n";
        let counts = outcome(report).unwrap();
        assert_eq!((counts.passed, counts.failed), (2, 2));
    }

    #[test]
    fn no_result_and_no_test_are_errors() {
        assert!(outcome("ok 1 - a").is_err());
        assert!(outcome("# pass 0\n# fail 0\n").is_err());
    }
}
