//! The tab Teach: classes as columns, the live view beside them, and a learner that follows every
//! change at once.
//!
//! Views say what a person asked for as [`action::Action`]s; [`desk::Desk`] holds the state and hears
//! the teaching session; the panel connects both with files, camera and storage.

mod action;
mod autosave;
mod bars;
mod column;
mod desk;
mod grid;
mod icons;
mod insight;
mod intake;
mod live;
mod look;
mod matrix;
mod menus;
mod panel;
mod perform;
mod recorder;
mod selection;
mod status;
mod text;
mod thumbnails;
mod tiles;
mod toolbar;
mod welcome;

#[cfg(test)]
mod tests;

pub(crate) use panel::TeachPanel;
pub(crate) use text::{counted, thousands};
