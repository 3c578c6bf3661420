//! Makes a machine ready: looks for each piece, says what it found, and installs what is missing.
//!
//! Every piece is checked again after its installation, so that a set-up which reports success
//! has what it promises.

pub mod apt;
pub mod chromium;
mod libraries;
pub mod node;
mod toolchain;
mod vulkan;
mod window;

use std::path::PathBuf;

use anyhow::Result;

use crate::workspace::Workspace;

pub use toolchain::WASM_TARGET;

/// The pieces that a command cannot do without.
#[derive(Clone, Copy, Default)]
pub struct Needs {
    /// A Vulkan adapter; a software one will do.
    pub driver: bool,
    /// rustfmt and clippy.
    pub lints: bool,
    /// The standard library for wasm32-unknown-unknown.
    pub wasm: bool,
    /// A Chromium or Chrome with WebGPU.
    pub browser: bool,
    /// Node, and the packages of the page's tests.
    pub node: bool,
    /// The libraries that a window looks for.
    pub window: bool,
    /// A display in memory, for tests of the window.
    pub display: bool,
    /// What the camera takes to build.
    pub webcam: bool,
}

impl Needs {
    /// What `cargo xtask setup` and the complete test run need.
    pub const ALL: Self = Self {
        driver: true,
        lints: true,
        wasm: true,
        browser: true,
        node: true,
        window: true,
        display: true,
        webcam: true,
    };
}

/// What the set-up found out and later steps use.
pub struct Machine {
    /// The browser's program, when `Needs::browser` asked for one.
    pub browser: Option<PathBuf>,
    /// Node's program, when `Needs::node` asked for it.
    pub node: Option<PathBuf>,
}

/// Checks and, where needed, installs the pieces of `needs`.
///
/// # Errors
/// Names the piece that is missing and what to do about it.
pub fn run(workspace: &Workspace, needs: Needs) -> Result<Machine> {
    if needs.lints {
        toolchain::ensure_component(workspace, "rustfmt", "fmt")?;
        toolchain::ensure_component(workspace, "clippy", "clippy")?;
    }
    if needs.wasm {
        toolchain::ensure_wasm_target()?;
    }
    if needs.driver {
        vulkan::ensure()?;
    }
    if needs.window {
        window::ensure_libraries()?;
    }
    if needs.display {
        window::ensure_server()?;
    }
    if needs.webcam {
        window::ensure_libclang()?;
    }
    let browser = needs.browser.then(chromium::ensure).transpose()?;
    let node = needs.node.then(|| node::ensure(workspace)).transpose()?;
    Ok(Machine { browser, node })
}

/// One line per piece, in columns.
fn report(piece: &str, finding: &str) {
    println!("  {piece:<14} {finding}");
}
