//! What a browser loads: the app's page, and the module behind the JavaScript package. Each is a
//! build of its own, so that the package carries nothing that draws.

#![cfg(target_arch = "wasm32")]

#[cfg(feature = "app")]
mod app;
#[cfg(feature = "package")]
mod package;
#[cfg(feature = "rows")]
mod rows;
