//! Installs packages of a Debian-like distribution, as root or through sudo.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;

/// Whether this machine installs packages with apt.
pub fn is_available() -> bool {
    process::on_path("apt-get").is_some()
}

/// The version that apt would install, after one `apt-get update` when it knows of none.
///
/// # Errors
/// When apt cannot be asked, or its lists cannot be brought up to date.
pub fn candidate(package: &str) -> Result<Option<String>> {
    if let Some(version) = known_candidate(package)? {
        return Ok(Some(version));
    }
    println!("  apt knows no {package} yet; its package lists are brought up to date first.");
    update()?;
    known_candidate(package)
}

/// Installs packages, after saying so. Stale lists name versions that the mirrors no longer hold,
/// so a failed attempt is repeated once with fresh ones.
///
/// # Errors
/// When there is neither root nor sudo (the message holds the command to run by hand), or when
/// apt fails twice.
pub fn install(packages: &[&str]) -> Result<()> {
    if !is_root()? && process::on_path("sudo").is_none() {
        bail!(
            "installing needs root, and there is no sudo; run as root: \
             apt-get update && apt-get install {}",
            packages.join(" ")
        );
    }
    println!("  Installing from the distribution: {}", packages.join(" "));
    let missing_lists =
        packages.iter().map(|package| known_candidate(package)).collect::<Result<Vec<_>>>()?.contains(&None);
    if missing_lists {
        update()?;
    } else if install_once(packages).is_ok() {
        return Ok(());
    } else {
        println!("  That failed; trying again with fresh package lists.");
        update()?;
    }
    install_once(packages)
}

fn install_once(packages: &[&str]) -> Result<()> {
    let mut arguments = vec!["install", "-y", "--no-install-recommends"];
    arguments.extend(packages);
    as_root(&arguments)
}

fn update() -> Result<()> {
    as_root(&["update"])
}

fn known_candidate(package: &str) -> Result<Option<String>> {
    let policy = process::output(Command::new("apt-cache").args(["policy", package]).env("LC_ALL", "C"))?;
    Ok(parse_candidate(&policy).map(str::to_owned))
}

fn parse_candidate(policy: &str) -> Option<&str> {
    policy
        .lines()
        .find_map(|line| line.trim().strip_prefix("Candidate:"))
        .map(str::trim)
        .filter(|version| !version.is_empty() && *version != "(none)")
}

fn as_root(arguments: &[&str]) -> Result<()> {
    let line = command_line(is_root()?, arguments);
    let (program, rest) = line.split_first().context("an empty command line")?;
    if *program == "sudo" && process::on_path("sudo").is_none() {
        bail!("this needs root, and there is no sudo; run as root: apt-get {}", arguments.join(" "));
    }
    process::run(Command::new(program).args(rest))
}

/// The words of an apt-get call that asks no questions.
fn command_line<'a>(is_root: bool, arguments: &[&'a str]) -> Vec<&'a str> {
    let prefix: &[&str] = if is_root { &[] } else { &["sudo"] };
    // sudo drops the environment, so `env` stands behind it.
    let program = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"];
    prefix.iter().chain(&program).chain(arguments).copied().collect()
}

fn is_root() -> Result<bool> {
    Ok(process::output(Command::new("id").arg("-u"))?.trim() == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidate_versions_are_read() {
        let policy = "chromium:\n  Installed: (none)\n  Candidate: 120.0-1\n  Version table:\n";
        assert_eq!(parse_candidate(policy), Some("120.0-1"));
        assert_eq!(parse_candidate("x:\n  Candidate: (none)\n"), None);
        assert_eq!(parse_candidate(""), None);
    }

    #[test]
    fn sudo_stands_before_the_environment() {
        let root = command_line(true, &["update"]).join(" ");
        assert_eq!(root, "env DEBIAN_FRONTEND=noninteractive apt-get update");
        assert_eq!(command_line(false, &["update"]).join(" "), format!("sudo {root}"));
    }
}
