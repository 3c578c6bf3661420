//! The parts of the Rust toolchain that rustup can add.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::report;
use crate::process;
use crate::workspace::Workspace;

/// The target that browsers run.
pub const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Adds a toolchain component unless its cargo subcommand already answers.
///
/// # Errors
/// When rustup cannot add it; the message says what to do.
pub fn ensure_component(workspace: &Workspace, component: &str, subcommand: &str) -> Result<()> {
    let version = || process::output(workspace.cargo().args([subcommand, "--version"]));
    if let Ok(found) = version() {
        report(component, found.trim());
        return Ok(());
    }
    add("component", component)?;
    report(component, version()?.trim());
    Ok(())
}

/// Adds the wasm32 standard library unless the compiler already has it.
///
/// # Errors
/// When rustup cannot add it; the message says what to do.
pub fn ensure_wasm_target() -> Result<()> {
    if !has_target(WASM_TARGET)? {
        add("target", WASM_TARGET)?;
        if !has_target(WASM_TARGET)? {
            bail!(
                "rustup added {WASM_TARGET}, but to another toolchain than the rustc in use; \
                 call cargo through rustup, or set RUSTC to the toolchain's own compiler"
            );
        }
    }
    report("wasm32", WASM_TARGET);
    Ok(())
}

/// Looks in the compiler's own folder, which also holds for toolchains without rustup.
fn has_target(target: &str) -> Result<bool> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let sysroot = process::output(Command::new(rustc).args(["--print", "sysroot"]))?;
    let libraries = Path::new(sysroot.trim()).join("lib/rustlib").join(target);
    Ok(libraries.join("lib").is_dir())
}

/// `rustup component add NAME` or `rustup target add NAME`.
fn add(kind: &str, name: &str) -> Result<()> {
    if process::on_path("rustup").is_none() {
        bail!(
            "{name} is missing, and there is no rustup to add it; install rustup from \
             https://rustup.rs, or the {kind} {name} from where this Rust came from"
        );
    }
    println!("  Adding the {kind} {name} to the Rust toolchain.");
    process::run(Command::new("rustup").args([kind, "add", name])).with_context(|| {
        format!(
            "the {kind} {name} is missing; check the network (and a proxy's settings), then run \
             `rustup {kind} add {name}` by hand"
        )
    })
}
