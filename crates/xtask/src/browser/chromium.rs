//! One headless browser with a new, empty profile; it ends and its profile goes with the value.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

/// WebGPU on SwiftShader, Chromium's software adapter; and no traffic of the browser's own.
/// `--no-sandbox`, because containers run as root and show only this process's own pages.
const FLAGS: [&str; 9] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader",
];
const SHOWN_LINES: usize = 40;

/// A running browser.
pub struct Chromium {
    process: Child,
    profile: PathBuf,
    log: PathBuf,
}

impl Chromium {
    /// Starts `program` on the page at `address`.
    ///
    /// # Errors
    /// When the profile's folder cannot be made or the program does not start.
    pub fn start(program: &Path, address: &str) -> Result<Self> {
        let profile = new_folder()?;
        let log = profile.join("stderr.log");
        let start = || -> Result<Child> {
            let stderr = File::create(&log)?;
            Ok(Command::new(program)
                .args(FLAGS)
                .arg(format!("--user-data-dir={}", profile.join("data").display()))
                .arg(address)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(stderr)
                .spawn()?)
        };
        match start() {
            Ok(process) => Ok(Self { process, profile, log }),
            Err(error) => {
                let _ = std::fs::remove_dir_all(&profile);
                Err(error.context(format!("cannot start {}", program.display())))
            }
        }
    }

    /// How the browser ended, if it has.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn exit_status(&mut self) -> Result<Option<ExitStatus>> {
        self.process.try_wait().context("cannot watch the browser")
    }

    /// The end of what the browser wrote to its standard error, under a heading.
    pub fn last_words(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        match last_lines(&String::from_utf8_lossy(&log), SHOWN_LINES) {
            lines if lines.is_empty() => "(the browser wrote nothing to its standard error)".into(),
            lines => format!("The browser's standard error ends with:\n{lines}"),
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // Nothing can be done about a failure here: the browser may already be gone, and a
        // profile left behind lies in the system's folder for temporary files.
        let _ = self.process.kill();
        let _ = self.process.wait();
        for _ in 0..10 {
            // Its helpers end a moment later and may still write.
            if std::fs::remove_dir_all(&self.profile).is_ok() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }
}

/// A folder that nobody else has: an existing one is an error, never shared.
fn new_folder() -> Result<PathBuf> {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_nanos());
    let name = format!("inkling-browser-{}-{nanos}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// The last `count` lines, without the complaints of every headless machine that has no desktop's
/// message bus: they would fill the whole excerpt.
fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.contains("ERROR:dbus/")).collect();
    let skipped = lines.len().saturating_sub(count);
    lines.into_iter().skip(skipped).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("a", 2), "a");
        assert_eq!(last_lines("", 2), "");
        let bus = "[1:2:ERROR:dbus/bus.cc:405] Failed to connect to the bus";
        assert_eq!(last_lines(&format!("a\n{bus}\n{bus}\n"), 2), "a");
    }

    #[test]
    fn a_profile_is_new_and_a_missing_program_is_named() {
        let folders = [new_folder().unwrap(), new_folder().unwrap()];
        assert_ne!(folders[0], folders[1]);
        for folder in folders {
            std::fs::remove_dir(folder).unwrap();
        }
        let error = Chromium::start(Path::new("no-such-browser"), "about:blank").err();
        assert!(format!("{:#}", error.unwrap()).contains("no-such-browser"));
    }
}
