//! Runs as actors behind handles: a front end starts one, polls its events and sends it commands.
//! Natively the actor has a thread of its own; in a browser it is a task that lets the page paint.

mod request;
mod run;

pub use request::{Command, LiveSetting, Passes, RunRequest, Target};
pub use run::{RunHandle, start};
