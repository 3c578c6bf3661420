//! A display that draws into memory, for machines without a screen.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// An X server of its own; it ends with this value.
pub struct Display {
    server: Child,
    name: String,
}

impl Display {
    /// Starts a server on the first free number.
    pub fn open() -> Self {
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1600x1000x24", "-nolisten", "tcp"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("no Xvfb; run `cargo xtask setup`");
        let mut number = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
        let number: u32 = number.trim().parse().expect("Xvfb names no display");
        Self { server, name: format!(":{number}") }
    }

    /// What `DISPLAY` is set to.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
