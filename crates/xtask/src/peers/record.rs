//! The lines that the systems print, as they come, in one file.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::process;

/// Where a system runs.
#[derive(Clone, Copy)]
pub enum Place {
    Native,
    Browser,
}

/// The file of all measurements.
pub struct Record {
    file: File,
}

impl Record {
    /// Begins a new file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { file })
    }

    /// Runs a system that prints its measurements.
    ///
    /// # Errors
    /// When it does not start or ends with an error; what it has printed is kept.
    pub fn run(&mut self, command: &mut Command) -> Result<()> {
        let line = process::describe(command);
        println!("  $ {line}");
        let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start `{line}`"))?;
        if let Some(output) = child.stdout.take() {
            for printed in BufReader::new(output).lines() {
                self.line(&printed.with_context(|| format!("cannot read what `{line}` prints"))?)?;
            }
        }
        let status = child.wait().with_context(|| format!("cannot wait for `{line}`"))?;
        if !status.success() {
            bail!("`{line}` ended with {status}");
        }
        Ok(())
    }

    /// Takes a line where it is a measurement, and shows it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn line(&mut self, line: &str) -> Result<()> {
        let Some(shown) = shown(line) else { return Ok(()) };
        println!("    {shown}");
        writeln!(self.file, "{}", line.trim()).context("cannot write the measurements")
    }

    /// Puts down why a system has no figures, if it failed.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn unless(&mut self, peer: &str, place: Place, outcome: Result<()>) -> Result<()> {
        match outcome {
            Ok(()) => Ok(()),
            Err(error) => self.missing(peer, place, &format!("{error:#}")),
        }
    }

    /// Puts down why a system has no figures.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn missing(&mut self, peer: &str, place: Place, reason: &str) -> Result<()> {
        let place = match place {
            Place::Native => "native",
            Place::Browser => "browser",
        };
        self.line(&json!({"peer": peer, "place": place, "missing": reason}).to_string())
    }

    /// Makes sure that everything is on the disk.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn close(self) -> Result<()> {
        self.file.sync_all().context("cannot write the measurements")
    }
}

/// A measurement in a few words; none for any other line.
fn shown(line: &str) -> Option<String> {
    let value: Value = serde_json::from_str(line).ok()?;
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let (peer, row) = (text("peer")?, text("row").unwrap_or("every row"));
    let figure = match (value.get("median_ms").and_then(Value::as_f64), value.get("bytes").and_then(Value::as_u64)) {
        (Some(millis), _) => format!("{millis:.1} ms"),
        (None, Some(bytes)) => format!("{bytes} bytes"),
        (None, None) => format!("not measured: {}", text("missing")?),
    };
    Some(format!("{peer}: {row}: {figure}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_measurements_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("measured.jsonl");
        let mut record = Record::create(&path).unwrap();
        record.line(r#"{"peer":"a","row":"b","median_ms":1.25}"#).unwrap();
        record.line(r#"{"event":"warning","message":"slow"}"#).unwrap();
        record.line("Downloading").unwrap();
        record.unless("c", Place::Browser, Err(anyhow::anyhow!("no network").context("npm failed"))).unwrap();
        record.unless("d", Place::Native, Ok(())).unwrap();
        record.close().unwrap();
        let lines: Vec<Value> =
            std::fs::read_to_string(&path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[1], json!({"peer": "c", "place": "browser", "missing": "npm failed: no network"}));
    }

    #[test]
    fn what_is_shown_is_the_figure_or_the_reason() {
        assert_eq!(shown(r#"{"peer":"a","row":"b","median_ms":1.25}"#).unwrap(), "a: b: 1.2 ms");
        assert_eq!(shown(r#"{"peer":"a","row":"bundle","bytes":7}"#).unwrap(), "a: bundle: 7 bytes");
        assert_eq!(shown(r#"{"peer":"a","missing":"gone"}"#).unwrap(), "a: every row: not measured: gone");
    }
}
