//! The learner that ships with the page: a file of its own, so that the page shows before it has come.

use inkling_platform::{Pending, Receiver};
use inkling_session::teach::{LearnerFile, SHIPPED_NAME};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::Response;

const FILE: &str = "learner.safetensors";

/// Fetches the learner once `first_frame` brings a message.
pub fn fetch(first_frame: Receiver<()>) -> Pending<Result<LearnerFile, String>> {
    Pending::start(move || async move {
        first_frame.next().await;
        let bytes = download().await.map_err(|reason| {
            format!("the learner could not be fetched ({reason}); reload the page when there is a network")
        })?;
        LearnerFile::from_bytes(SHIPPED_NAME, bytes)
    })
}

async fn download() -> Result<Vec<u8>, String> {
    let window = web_sys::window().ok_or("no window")?;
    let response = JsFuture::from(window.fetch_with_str(FILE)).await.map_err(|error| describe(&error))?;
    let response: Response = response.unchecked_into();
    if !response.ok() {
        return Err(format!("the server answered {}", response.status()));
    }
    let buffer = response.array_buffer().map_err(|error| describe(&error))?;
    let buffer = JsFuture::from(buffer).await.map_err(|error| describe(&error))?;
    Ok(js_sys::Uint8Array::new(&buffer).to_vec())
}

fn describe(error: &JsValue) -> String {
    match error.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => format!("{error:?}"),
    }
}
