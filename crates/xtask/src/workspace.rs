//! Where the workspace and its build outputs lie, and how cargo is called in it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;

/// The workspace that this xtask belongs to.
#[derive(Clone)]
pub struct Workspace {
    root: PathBuf,
    target: PathBuf,
    cargo: OsString,
}

impl Workspace {
    /// Locates the workspace and asks cargo for its target folder (which `CARGO_TARGET_DIR` or a
    /// user's configuration may have moved).
    ///
    /// # Errors
    /// When cargo does not answer, or not with a target folder.
    pub fn find() -> Result<Self> {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest
            .ancestors()
            .nth(2)
            .with_context(|| format!("{} lies in no workspace", manifest.display()))?
            .to_owned();
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let metadata =
            process::output(cargo_in(&root, &cargo).args(["metadata", "--no-deps", "--format-version", "1"]))?;
        let target = target_directory(&metadata)
            .context("`cargo metadata` names no target_directory; is this cargo current?")?;
        Ok(Self { root, target, cargo })
    }

    /// The folder of the workspace's Cargo.toml.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of all build outputs.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// A cargo command that runs in the workspace's root.
    pub fn cargo(&self) -> Command {
        cargo_in(&self.root, &self.cargo)
    }
}

fn cargo_in(root: &Path, cargo: &OsString) -> Command {
    let mut command = Command::new(cargo);
    command.current_dir(root);
    // `cargo run` set these for xtask itself. Handed on, they would make build scripts that watch
    // them run again whenever cargo is called without xtask.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(describes_a_package) {
            command.env_remove(name);
        }
    }
    command
}

fn describes_a_package(variable: &str) -> bool {
    variable.starts_with("CARGO_PKG_")
        || matches!(variable, "CARGO_MANIFEST_DIR" | "CARGO_MANIFEST_PATH" | "CARGO_BIN_NAME" | "CARGO_CRATE_NAME")
}

fn target_directory(metadata: &str) -> Option<PathBuf> {
    let metadata: serde_json::Value = serde_json::from_str(metadata).ok()?;
    Some(PathBuf::from(metadata.get("target_directory")?.as_str()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_directory_is_read() {
        let metadata = r#"{"packages":[],"target_directory":"/a/b","version":1}"#;
        assert_eq!(target_directory(metadata), Some(PathBuf::from("/a/b")));
        assert_eq!(target_directory("{}"), None);
        assert_eq!(target_directory("not json"), None);
    }

    #[test]
    fn only_the_variables_of_a_package_are_withheld() {
        assert!(describes_a_package("CARGO_PKG_NAME"));
        assert!(describes_a_package("CARGO_MANIFEST_DIR"));
        assert!(!describes_a_package("CARGO_TARGET_DIR"));
        assert!(!describes_a_package("CARGO_HOME"));
    }
}
