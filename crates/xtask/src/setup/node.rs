//! Finds Node for the tests of the page, or installs Debian's, and fetches what they import.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{apt, report};
use crate::process;
use crate::workspace::Workspace;

/// The first release whose test runner writes two reports at once.
const OLDEST: (u32, u32) = (18, 15);
const BY_HAND: &str = "install Node 18.15 or newer with npm (https://nodejs.org)";

/// Node's program; installed if need be, and the packages that the tests' lock file names.
///
/// # Errors
/// When there is no Node that will do, or npm cannot fetch the packages.
pub fn ensure(workspace: &Workspace) -> Result<PathBuf> {
    if find().is_none() {
        if !apt::is_available() {
            bail!("no Node on PATH, or an old one; {BY_HAND}");
        }
        apt::install(&["nodejs", "npm"]).with_context(|| format!("no Node, and apt did not install it; {BY_HAND}"))?;
    }
    let (program, version) = find().with_context(|| format!("the distribution's Node is too old; {BY_HAND}"))?;
    report("node", &format!("{version} ({})", program.display()));
    ensure_packages(&workspace.root().join("tests/browser"))?;
    Ok(program)
}

fn find() -> Option<(PathBuf, String)> {
    let program = ["node", "nodejs"].iter().find_map(|name| process::on_path(name))?;
    process::on_path("npm")?;
    let version = process::output(Command::new(&program).arg("--version")).ok()?;
    let version = version.trim().to_owned();
    parse(&version).filter(|found| *found >= OLDEST).map(|_| (program, version))
}

/// The (18, 20) of `v18.20.4`.
fn parse(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.trim().strip_prefix('v')?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// `npm ci`, unless the packages that lie there are the ones of the lock file.
///
/// # Errors
/// When there is no lock file, or npm cannot fetch what it names.
pub fn ensure_packages(folder: &Path) -> Result<()> {
    let lock = folder.join("package-lock.json");
    let wanted = std::fs::read(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
    // Our own copy: npm writes its file in another form.
    let installed = folder.join("node_modules/.installed-lock.json");
    if std::fs::read(&installed).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    let npm = process::on_path("npm").with_context(|| format!("no npm on PATH; {BY_HAND}"))?;
    process::run(Command::new(npm).current_dir(folder).args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]))
        .context("npm could not fetch the packages that it names; check the network, then run this again")?;
    std::fs::write(&installed, wanted).with_context(|| format!("cannot write {}", installed.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(parse("v18.20.4"), Some((18, 20)));
        assert_eq!(parse("v100.1.0\n"), Some((100, 1)));
        assert_eq!(parse("18.20.4"), None);
        assert!(parse("v18.2.0").is_some_and(|version| version < OLDEST));
        assert!(parse("v20.0.0").is_some_and(|version| version > OLDEST));
    }

    #[test]
    fn packages_that_lie_there_are_not_fetched_again() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("node_modules")).unwrap();
        for file in ["package-lock.json", "node_modules/.installed-lock.json"] {
            std::fs::write(folder.path().join(file), "{}").unwrap();
        }
        assert!(ensure_packages(folder.path()).is_ok());
        assert!(ensure_packages(&folder.path().join("elsewhere")).is_err());
    }
}
