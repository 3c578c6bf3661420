//! Where results go: standard output, as text for people or as one JSON object per line. Errors
//! and warnings go to standard error. A reader that closes the pipe early is no error.

use std::io::{IsTerminal, Write};

use inkling_session::table::Table;
use serde_json::{Value, json};

use crate::failure::Failure;

/// The form of all output of a command.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
}

impl Output {
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether output is JSON lines.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Whether a progress bar can be drawn: it goes to standard error.
    pub fn draws_bars(self) -> bool {
        !self.json && std::io::stderr().is_terminal()
    }

    /// A line for people.
    pub fn line(self, text: &str) {
        let _ = writeln!(std::io::stdout(), "{text}");
    }

    /// A JSON object on a line.
    pub fn object(self, value: &Value) {
        self.line(&value.to_string());
    }

    /// A result: the object as JSON, or the text for people.
    pub fn result(self, value: &Value, text: &str) {
        if self.json {
            self.object(value);
        } else {
            self.line(text.trim_end());
        }
    }

    /// A table: a JSON object per row, or aligned text.
    pub fn table(self, table: &Table) {
        if self.json {
            table.to_json().iter().for_each(|row| self.object(row));
        } else {
            self.line(table.to_text().trim_end());
        }
    }

    /// Something that the user should know and that stops nothing.
    pub fn warning(self, message: &str) {
        if self.json {
            self.object(&json!({"event": "warning", "message": message}));
        } else {
            let _ = writeln!(std::io::stderr(), "warning: {message}");
        }
    }

    /// The end of a command that failed; for programs with its exit code.
    pub fn failure(self, failure: &Failure) {
        if self.json {
            self.object(&json!({"event": "error", "message": failure.to_string(), "exit_code": failure.code()}));
        }
        let _ = writeln!(std::io::stderr(), "error: {failure}");
    }
}
