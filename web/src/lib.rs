//! What a browser loads: the app's page.

#![cfg(target_arch = "wasm32")]

#[cfg(feature = "app")]
mod app;
