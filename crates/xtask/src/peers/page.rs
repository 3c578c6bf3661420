//! The rows in a page: Inkling's WebAssembly and TensorFlow.js, in the same headless browser.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::record::{Place, Record};
use crate::browser::{self, Site};
use crate::process;
use crate::setup::{Machine, node};
use crate::web;
use crate::workspace::Workspace;

const TENSORFLOW: &str = "TensorFlow.js";

/// What the measurement of both takes.
pub struct Page {
    node: PathBuf,
    browser: PathBuf,
    /// `tests/peers/browser`.
    sources: PathBuf,
    /// What was built.
    built: PathBuf,
    site: Site,
    /// Why there is no TensorFlow.js.
    refused: Option<String>,
}

/// Builds Inkling's module as a page would publish it, and fetches TensorFlow.js.
///
/// # Errors
/// When the module does not compile.
pub fn build(workspace: &Workspace, machine: &Machine) -> Result<Page> {
    let node = machine.node.clone().context("the set-up found no Node")?;
    let browser = machine.browser.clone().context("the set-up found no browser")?;
    let sources = workspace.root().join("tests/peers");
    let built = workspace.target().join("peers/site");
    std::fs::create_dir_all(&built).with_context(|| format!("cannot make {}", built.display()))?;
    let module = web::compile(workspace, "rows", "inkling_rows.wasm", false)?;
    browser::generate(workspace, &module, &built, false)?;
    let refused = node::ensure_packages(&sources.join("browser")).err().map(|error| format!("{error:#}"));
    let site = Site { folders: vec![built.clone(), sources.join("browser"), sources.clone()] };
    Ok(Page { node, browser, sources: sources.join("browser"), built, site, refused })
}

impl Page {
    /// Measures both, each in a browser of its own.
    ///
    /// # Errors
    /// When Inkling's page fails.
    pub fn measure(&self, record: &mut Record) -> Result<()> {
        let size = ["bundle.mjs", "--size", "Inkling", env!("CARGO_PKG_VERSION")];
        let files = ["inkling_rows.js", "inkling_rows_bg.wasm"].map(|file| self.built.join(file));
        self.print(record, Command::new(&self.node).args(size).args(files).arg(self.sources.join("inkling.js")))?;
        self.open(record, "inkling")?;
        let theirs = match &self.refused {
            Some(reason) => Err(anyhow::anyhow!(reason.clone())),
            None => self
                .print(record, Command::new(&self.node).arg("bundle.mjs").arg(&self.built))
                .and_then(|()| self.open(record, "tensorflow")),
        };
        record.unless(TENSORFLOW, Place::Browser, theirs)
    }

    fn print(&self, record: &mut Record, command: &mut Command) -> Result<()> {
        process::output(command.current_dir(&self.sources))?.lines().try_for_each(|line| record.line(line))
    }

    fn open(&self, record: &mut Record, peer: &str) -> Result<()> {
        let mut written = Ok(());
        let mut progress = |line: String| {
            if written.is_ok() {
                written = record.line(&line);
            }
        };
        browser::open(&self.site, &format!("?peer={peer}"), &self.browser, &mut progress)?;
        written
    }
}
