//! The learner and the run behind `package/inkling.js`, which gives them the names and types that a
//! page uses. Everything with a structure crosses as JSON, pixels and files as bytes.

mod inbox;
mod session;
mod training;
