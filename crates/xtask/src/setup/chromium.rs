//! Finds a Chromium or Chrome for the browser tests, or installs Debian's.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{apt, report};
use crate::process;

const PACKAGE: &str = "chromium";
const PROGRAMS: [&str; 4] = ["chromium", "google-chrome", "google-chrome-stable", "chromium-browser"];
const MAC_CHROME: &str = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome";
/// The first release with WebGPU.
const OLDEST_MAJOR: u32 = 113;
const BY_HAND: &str = "install Google Chrome (https://www.google.com/chrome, on Ubuntu: `apt-get \
    install ./google-chrome-stable_current_amd64.deb` after the download) or Chromium, and set \
    CHROME to its program when it is not on PATH";

/// The browser's program, installed if need be.
///
/// # Errors
/// When there is none and the distribution has no real package of it (Ubuntu's only starts a
/// snap); the message says what to install.
pub fn ensure() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("CHROME").filter(|value| !value.is_empty()) {
        let program = PathBuf::from(named);
        let version = version_of(&program).context("CHROME does not name a working browser")?;
        report("browser", &version);
        return Ok(program);
    }
    if let Some((program, version)) = find() {
        report("browser", &format!("{version} ({})", program.display()));
        return Ok(program);
    }
    if !apt::is_available() {
        bail!("no Chromium or Chrome on PATH; {BY_HAND}");
    }
    if !apt::candidate(PACKAGE)?.as_deref().is_some_and(is_real_package) {
        bail!("no Chromium or Chrome, and this distribution has it only as a snap; {BY_HAND}");
    }
    apt::install(&[PACKAGE]).context("no Chromium, and apt did not install it")?;
    let (program, version) = find().context("the package chromium is installed, but does not start")?;
    report("browser", &format!("{version} ({})", program.display()));
    Ok(program)
}

fn find() -> Option<(PathBuf, String)> {
    PROGRAMS
        .iter()
        .filter_map(|name| process::on_path(name))
        .chain([PathBuf::from(MAC_CHROME)])
        .find_map(|program| version_of(&program).ok().map(|version| (program, version)))
}

/// Runs `program --version`. A stub that only asks for a snap fails here, and so does a browser
/// without WebGPU.
fn version_of(program: &Path) -> Result<String> {
    let output = process::output(Command::new(program).arg("--version"))?;
    let version = output.trim().lines().next_back().unwrap_or_default();
    match parse_major(version) {
        Some(major) if major >= OLDEST_MAJOR => Ok(version.trim().to_owned()),
        Some(_) => bail!("{version} has no WebGPU; it takes version {OLDEST_MAJOR} or newer"),
        None => bail!("`{} --version` says {version:?}", program.display()),
    }
}

/// The 120 of "Chromium 120.0.6099.224 built on Debian".
fn parse_major(version: &str) -> Option<u32> {
    version.split_whitespace().find_map(|word| {
        let (major, rest) = word.split_once('.')?;
        rest.contains('.').then(|| major.parse().ok())?
    })
}

/// Ubuntu's versions of the stub look like `2:1snap1-0ubuntu2`.
fn is_real_package(version: &str) -> bool {
    !version.contains("snap")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn major_versions_are_read() {
        for (text, major) in [
            ("Chromium 120.0.6099.224 built on Debian 12.4", Some(120)),
            ("Google Chrome 131.0.6778.85 ", Some(131)),
            ("Chromium", None),
            ("", None),
        ] {
            assert_eq!(parse_major(text), major, "{text}");
        }
    }

    #[test]
    fn the_snap_stub_is_no_browser() {
        assert!(!is_real_package("2:1snap1-0ubuntu2"));
        assert!(is_real_package("120.0.6099.224-1~deb12u1"));
    }

    #[cfg(unix)]
    #[test]
    fn stubs_and_old_browsers_are_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let version = |name: &str, script: &str| {
            let program = folder.path().join(name);
            std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
            version_of(&program).map_err(|error| error.to_string())
        };
        let stub = version("stub", "echo 'requires the chromium snap' >&2; exit 1");
        assert!(stub.unwrap_err().contains("snap"));
        let old = version("old", "echo Chromium 99.0.1.2");
        assert!(old.unwrap_err().contains("WebGPU"));
        assert_eq!(version("new", "echo Chromium 120.0.1.2"), Ok("Chromium 120.0.1.2".into()));
    }
}
