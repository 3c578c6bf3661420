//! What a window needs on Linux: libraries that are looked for when the program starts, and, for
//! tests on machines without a screen, a display server that draws into memory.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{apt, libraries, report};
use crate::process;

/// Each library with the package that holds it in Debian and Ubuntu. A desktop has them all.
const LIBRARIES: [(&str, &str); 6] = [
    ("libX11.so.6", "libx11-6"),
    ("libX11-xcb.so.1", "libx11-xcb1"),
    ("libXcursor.so.1", "libxcursor1"),
    ("libXi.so.6", "libxi6"),
    ("libxkbcommon.so.0", "libxkbcommon0"),
    ("libxkbcommon-x11.so.0", "libxkbcommon-x11-0"),
];

const SERVER: &str = "Xvfb";
const SERVER_PACKAGE: &str = "xvfb";

/// Makes sure that a window can be opened where there is a display.
///
/// # Errors
/// When a library is missing and cannot be installed; the message names it.
pub fn ensure_libraries() -> Result<()> {
    if !cfg!(target_os = "linux") {
        return Ok(());
    }
    let missing = missing(&libraries::is_installed);
    if !missing.is_empty() {
        let packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
        if !apt::is_available() {
            let names: Vec<&str> = missing.iter().map(|(library, _)| *library).collect();
            bail!("windows need {}; install them from your distribution", names.join(", "));
        }
        apt::install(&packages).context("libraries that windows need are missing, and apt did not install them")?;
        if let Some((library, package)) = self::missing(&libraries::is_installed).first() {
            bail!("the package {package} is installed, but {library} is not found");
        }
    }
    report("windows", "X11 libraries");
    Ok(())
}

fn missing(is_installed: &dyn Fn(&str) -> bool) -> Vec<(&'static str, &'static str)> {
    LIBRARIES.into_iter().filter(|(library, _)| !is_installed(library)).collect()
}

/// Makes sure that tests can open a window without a screen.
///
/// # Errors
/// When there is no Xvfb and it cannot be installed.
pub fn ensure_server() -> Result<()> {
    if !cfg!(target_os = "linux") {
        return Ok(());
    }
    if process::on_path(SERVER).is_none() {
        if !apt::is_available() {
            bail!(
                "the tests of the window need {SERVER}; install it (Fedora: xorg-x11-server-Xvfb; Arch: xorg-server-xvfb)"
            );
        }
        apt::install(&[SERVER_PACKAGE]).context("no Xvfb, and apt did not install it")?;
    }
    let server = process::on_path(SERVER).context("the package xvfb is installed, but Xvfb is not on PATH")?;
    report("display", &format!("Xvfb ({})", server.display()));
    Ok(())
}

/// Makes sure that the camera's bindings can be generated, which takes libclang on Linux only.
///
/// # Errors
/// When there is no libclang and it cannot be installed.
pub fn ensure_libclang() -> Result<()> {
    if !cfg!(target_os = "linux") {
        return Ok(());
    }
    if find_libclang().is_none() {
        if !apt::is_available() {
            bail!("the camera needs libclang to build; install your distribution's clang");
        }
        apt::install(&["libclang1"]).context("no libclang, and apt did not install it")?;
    }
    let found = find_libclang().context("the package libclang1 is installed, but no libclang is found")?;
    report("libclang", &found.display().to_string());
    Ok(())
}

/// Looks where the generator of bindings looks.
fn find_libclang() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("LIBCLANG_PATH").filter(|value| !value.is_empty()) {
        let path = PathBuf::from(named);
        return if path.is_file() { Some(path) } else { libclang_in(&path) };
    }
    let versions = std::fs::read_dir("/usr/lib").ok()?.flatten();
    let llvm = versions.filter(|entry| entry.file_name().to_string_lossy().starts_with("llvm"));
    let folders = llvm.map(|entry| entry.path().join("lib")).chain(libraries::folders());
    folders.filter_map(|folder| libclang_in(&folder)).next()
}

fn libclang_in(folder: &Path) -> Option<PathBuf> {
    let files = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    files.filter(|file| file.file_name().is_some_and(|name| is_libclang(&name.to_string_lossy()))).max()
}

/// `libclang.so`, `libclang-14.so.1` or `libclang.so.14`, but not `libclang-cpp.so.14`.
fn is_libclang(name: &str) -> bool {
    name.strip_prefix("libclang").is_some_and(|rest| {
        let rest =
            rest.strip_prefix('-').map_or(rest, |version| version.trim_start_matches(|c: char| c.is_ascii_digit()));
        rest == ".so" || rest.starts_with(".so.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_installed() {
        assert!(missing(&|_| true).is_empty());
        assert_eq!(missing(&|name| name != "libXi.so.6"), [("libXi.so.6", "libxi6")]);
        assert_eq!(missing(&|_| false).len(), LIBRARIES.len());
    }

    #[test]
    fn the_newest_libclang_of_a_folder_is_found() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["libclang-cpp.so.14", "libclang.a", "libclang-rt.so"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(libclang_in(folder.path()), None);
        for name in ["libclang-14.so.1", "libclang-14.so.14.0.6"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(libclang_in(folder.path()), Some(folder.path().join("libclang-14.so.14.0.6")));
        assert!(is_libclang("libclang.so") && is_libclang("libclang.so.14"));
        assert_eq!(libclang_in(&folder.path().join("absent")), None);
    }
}
