//! The browser's app: `inkling-web` compiled to WebAssembly, with its page, in `web/dist`.

mod learners;
pub mod pack;
pub mod page;
mod policy;
#[cfg(feature = "bindgen")]
mod sizes;
#[cfg(feature = "bindgen")]
mod stamp;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process;
use crate::server::{Options, Server};
use crate::setup::{self, Needs, WASM_TARGET};
use crate::workspace::Workspace;

/// Builds the app and the JavaScript package into `web/dist`, which it returns; `fast` for work on
/// them, otherwise as they are published.
///
/// # Errors
/// When something does not compile, or the app's code is larger than a page may load.
pub fn build(workspace: &Workspace, fast: bool) -> Result<PathBuf> {
    setup::run(workspace, Needs { wasm: true, ..Needs::default() })?;
    let folder = folder(workspace, fast);
    for module in MODULES {
        compile(workspace, module.feature, module.file, fast)?;
    }
    learners::prepare(workspace)?;
    let mut pack = workspace.cargo();
    pack.args(["run", "--quiet", "--package", "xtask", "--features", "bindgen", "--", "pack"]).arg(&folder);
    if fast {
        pack.arg("--fast");
    }
    process::run(&mut pack)?;
    Ok(dist(workspace))
}

/// Builds `inkling-web` with one feature, for work on it (`fast`) or as it is published, and gives the
/// module, called `file`.
///
/// # Errors
/// When it does not compile.
pub fn compile(workspace: &Workspace, feature: &str, file: &str, fast: bool) -> Result<PathBuf> {
    let mut compile = workspace.cargo();
    // As one crate type: next to an rlib, the module would lose link-time optimisation.
    compile.args(["rustc", "--package", "inkling-web", "--lib", "--crate-type", "cdylib"]);
    compile.args(["--target", WASM_TARGET, "--no-default-features", "--features", feature]);
    if !fast {
        compile.args(["--profile", "web"]);
    }
    process::run(&mut compile)?;
    let folder = folder(workspace, fast);
    let (compiled, kept) = (folder.join("inkling_web.wasm"), folder.join(file));
    std::fs::copy(&compiled, &kept).with_context(|| format!("cannot copy {}", compiled.display()))?;
    Ok(kept)
}

/// Where cargo puts the modules.
fn folder(workspace: &Workspace, fast: bool) -> PathBuf {
    workspace.target().join(WASM_TARGET).join(if fast { "debug" } else { "web" })
}

/// One build of `inkling-web`.
struct Module {
    feature: &'static str,
    /// What the module is called afterwards; its JavaScript bears the same name.
    file: &'static str,
    /// Where it goes in `web/dist`.
    #[cfg_attr(not(feature = "bindgen"), expect(dead_code, reason = "read where the site is put together"))]
    folder: &'static str,
}

const MODULES: [Module; 2] = [
    Module { feature: "package", file: "inkling_core.wasm", folder: "package" },
    Module { feature: "app", file: "inkling_app.wasm", folder: "" },
];

/// Builds the app and serves it until the process is stopped.
///
/// # Errors
/// When the build fails or the port cannot be had.
pub fn serve(workspace: &Workspace, fast: bool, port: u16) -> Result<()> {
    let dist = build(workspace, fast)?;
    let server = start_server(&dist, port)?;
    println!("Inkling is at {} (stop with Ctrl+C)", server.address());
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

/// Builds the app and prints what it costs a visitor: its size, and how it feels in a browser.
///
/// # Errors
/// When the build or the browser fails, or a number is worse than it may be.
pub fn bench(workspace: &Workspace) -> Result<()> {
    let machine = setup::run(workspace, Needs { browser: true, node: true, ..Needs::default() })?;
    let dist = build(workspace, false)?;
    let programs = page::Programs::of(&machine)?;
    page::measure_camera(workspace, &dist, &programs)?;
    page::measure(workspace, &dist, &programs)
}

/// Meta-trains in a page and natively on the same software adapter, and prints how they compare.
///
/// # Errors
/// When a build or a run fails, or the page learns less or slower than it has to.
pub fn compare_training(workspace: &Workspace) -> Result<()> {
    let machine = setup::run(workspace, Needs { browser: true, node: true, driver: true, ..Needs::default() })?;
    let dist = build(workspace, false)?;
    process::run(workspace.cargo().args(["build", "--release", "--package", "inkling"]))?;
    page::compare_training(workspace, &dist, &page::Programs::of(&machine)?)
}

/// Serves `dist` as a careful host would.
///
/// # Errors
/// When `dist` holds no page with a policy, or the port cannot be had.
pub fn start_server(dist: &Path, port: u16) -> Result<Server> {
    let page = dist.join("index.html");
    let html = std::fs::read_to_string(&page).with_context(|| format!("cannot read {}", page.display()))?;
    let headers = policy::headers(&html).with_context(|| format!("in {}", page.display()))?;
    Server::start(Options { folders: vec![dist.to_owned()], headers, port })
}

fn dist(workspace: &Workspace) -> PathBuf {
    workspace.root().join("web/dist")
}
