//! The browser tests: `inkling-tests` compiled to WebAssembly and run by a headless Chromium.
//!
//! The page of `tests/browser/` calls the module's `run_all()` and posts what happens to a small
//! server in this process. There is no Node and no driver program in between: a newcomer has
//! only rustup.

pub mod bindgen;
mod chromium;
mod report;

use std::path::{Path, PathBuf};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::process;
use crate::server::{self, Event, Server};
use crate::workspace::Workspace;
use chromium::Chromium;
use report::Case;

pub use crate::setup::WASM_TARGET;

/// Longer than any honest run on a software adapter.
const TIME_LIMIT: Duration = Duration::from_secs(1200);
/// How often the browser's own health is looked at.
const HEALTH_INTERVAL: Duration = Duration::from_millis(250);

/// The counts of a browser run.
pub struct Outcome {
    pub passed: usize,
    pub failed: usize,
}

/// The folders that a page is in; a file is looked up in this order.
pub struct Site {
    pub folders: Vec<PathBuf>,
}

/// Compiles the tests for the browser and generates their JavaScript.
///
/// # Errors
/// When the module does not compile, or wasm-bindgen cannot read it.
pub fn build(workspace: &Workspace) -> Result<Site> {
    // The dev profile: its dependencies are optimised, and it builds sooner than a release.
    let mut compile = workspace.cargo();
    compile.args(["rustc", "--package", "inkling-tests", "--lib"]);
    compile.args(["--crate-type", "cdylib", "--target", WASM_TARGET]);
    process::run(&mut compile)?;
    let module = workspace.target().join(WASM_TARGET).join("debug/inkling_tests.wasm");

    let generated = workspace.target().join("browser-tests");
    if generated.exists() {
        std::fs::remove_dir_all(&generated).with_context(|| format!("cannot empty {}", generated.display()))?;
    }
    generate(workspace, &module, &generated, true)?;
    Ok(Site { folders: vec![generated, workspace.root().join("tests/browser")] })
}

/// Writes the JavaScript of a module into `folder`; see [`bindgen::generate`].
///
/// # Errors
/// When the generator does not compile or cannot read the module.
pub fn generate(workspace: &Workspace, module: &Path, folder: &Path, keeps_names: bool) -> Result<()> {
    let mut generate = workspace.cargo();
    generate.args(["run", "--quiet", "--package", "xtask", "--features", "bindgen", "--"]);
    generate.arg("bindgen").arg(module).arg(folder).args(keeps_names.then_some("--names"));
    process::run(&mut generate)
}

/// Runs the tests of a site and returns the counts.
///
/// # Errors
/// As for [`open`], and when there was no test at all.
pub fn run(site: &Site, program: &Path) -> Result<Outcome> {
    let cases: Vec<Case> = report::parse(&open(site, "", program, &mut |line| println!("  browser: {line}"))?)?;
    for case in &cases {
        println!("{case}");
    }
    let failed = cases.iter().filter(|case| !case.ok).count();
    Ok(Outcome { passed: cases.len() - failed, failed })
}

/// Opens the page in a new headless browser, `progress` hears its lines, and returns its result.
///
/// # Errors
/// When the browser does not start, dies, reports an error of the page, or takes longer than twenty
/// minutes; the browser's last words are part of the message.
pub fn open(site: &Site, query: &str, program: &Path, progress: &mut dyn FnMut(String)) -> Result<String> {
    let server = Server::start(server::Options { folders: site.folders.clone(), ..server::Options::default() })?;
    let mut chromium = Chromium::start(program, &format!("{}{query}", server.address()))?;
    wait(&server, &mut chromium, TIME_LIMIT, progress).map_err(|error| anyhow!("{error:#}\n{}", chromium.last_words()))
}

fn wait(server: &Server, chromium: &mut Chromium, limit: Duration, progress: &mut dyn FnMut(String)) -> Result<String> {
    let end = Instant::now() + limit;
    loop {
        match server.events().recv_timeout(HEALTH_INTERVAL) {
            Ok(Event::Progress(line)) => progress(line),
            Ok(Event::Result(json)) => return Ok(json),
            Ok(Event::Failure(message)) => bail!("the page failed: {message}"),
            Err(RecvTimeoutError::Disconnected) => bail!("the test server has stopped"),
            Err(RecvTimeoutError::Timeout) => {
                if let Some(status) = chromium.exit_status()? {
                    bail!("the browser ended by itself with {status}");
                }
            }
        }
        if Instant::now() >= end {
            bail!("no result after {} s", limit.as_secs());
        }
    }
}
