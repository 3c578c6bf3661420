//! The egui panels: they show what sessions say and send them commands, and nothing else.
//!
//! [`InklingApp`] is the whole window; the desktop and the browser wrap it and hand it [`Services`],
//! which carries all that differs between them. Each tab is a [`Panel`] with a state of its own.

mod adapters;
mod app;
mod chart;
mod inspect;
mod learners;
mod notice;
mod panel;
mod services;
mod settings;
mod shell;
mod teach;
#[cfg(test)]
mod testing;
pub mod theme;
mod train;
pub mod widgets;

pub use adapters::Adapters;
pub use app::InklingApp;
pub use learners::{Library, Origin};
pub use notice::{Notice, Severity};
pub use panel::{Panel, Shared, Study};
pub use services::{CameraFrame, CameraState, Catalogue, Fetching, Offer, Progress, Services, Webcam};
pub use settings::{Settings, ThemeChoice};
pub use shell::Tab;
