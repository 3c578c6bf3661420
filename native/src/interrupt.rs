//! Ctrl-C: the first press asks the run to finish its step and write a checkpoint, the second
//! one ends the process at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use indicatif::{ProgressBar, WeakProgressBar};
use inkling_session::session::{Command, Sender};

use crate::failure::Failure;

/// What shells report for a process that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Whether the user has asked to stop.
#[derive(Clone)]
pub struct Interrupt {
    requested: Arc<AtomicBool>,
    /// The run that is to stop, where one listens.
    run: Option<Sender<Command>>,
    // The handler runs on a thread of its own and writes beside the bar of the main one.
    bar: Arc<Mutex<WeakProgressBar>>,
}

impl Interrupt {
    /// Takes over Ctrl-C for the rest of the process: for a run that listens to commands, or for
    /// work that asks [`Interrupt::requested`].
    pub fn install(run: Option<Sender<Command>>) -> Result<Self, Failure> {
        let interrupt = Self { requested: Arc::default(), run, bar: Arc::default() };
        let handler = interrupt.clone();
        ctrlc::set_handler(move || handler.pressed())
            .map_err(|error| Failure::failed(format!("cannot take over Ctrl-C: {error}")))?;
        Ok(interrupt)
    }

    /// Whether to stop.
    pub fn requested(&self) -> bool {
        self.requested.load(Ordering::SeqCst)
    }

    /// Writes above this bar from now on.
    pub fn write_above(&self, bar: &ProgressBar) {
        if let Ok(mut place) = self.bar.lock() {
            *place = bar.downgrade();
        }
    }

    fn pressed(&self) {
        if self.requested.swap(true, Ordering::SeqCst) {
            std::process::exit(INTERRUPTED);
        }
        if let Some(run) = &self.run {
            run.send(Command::Stop);
        }
        let say = || eprintln!("\nstopping after this step; press Ctrl-C again to stop at once");
        match self.bar.lock().ok().and_then(|place| place.upgrade()) {
            Some(bar) => bar.suspend(say),
            None => say(),
        }
    }
}
