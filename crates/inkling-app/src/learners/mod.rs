//! The tab Learners, and the learners themselves, which every tab may use.

mod compare;
mod library;
mod offers;
mod panel;
mod words;

#[cfg(test)]
mod tests;

pub use library::{Library, Origin};
pub(crate) use panel::LearnersPanel;
pub(crate) use words::size;
