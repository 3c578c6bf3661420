//! Teaching: a person's classes and images, and a session that learns them at once and says what it
//! sees.
//!
//! A [`Classroom`] is what a person edits; each change is sent as a [`Lesson`] to a session
//! ([`start_teaching`]), which decodes and embeds what it has not seen and answers with events. A
//! [`Project`] is both as a file.

mod actor;
mod album;
mod classroom;
mod edit;
mod events;
mod handle;
mod image;
mod learner_file;
mod prepare;
mod project;
mod prototypes;
mod samples;
mod solver;
mod strangers;
mod support;

pub use classroom::{Class, ClassId, ClassImage, Classroom, ImageId, Lesson, NewImage};
pub use events::{Confusion, Prediction, Spent, Subject, TeachCommand, TeachEvent, Ticket};
pub use handle::{TeachHandle, start_teaching};
pub use image::{ImageData, RgbaImage};
pub use inkling_data::ImageShape;
pub use learner_file::{LearnerCard, LearnerFile, SHIPPED_NAME};
pub use project::{Project, ProjectError};
pub use samples::{SampleSet, sample_set};
