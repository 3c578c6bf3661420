//! A run of meta-training that a page starts.

use inkling_session::config::Layers;
use inkling_session::events::Event;
use inkling_session::run_folder::RunFolder;
use inkling_session::session::{Command, RunHandle, RunRequest, Target, start};
use wasm_bindgen::prelude::*;

/// A run in progress, for `inkling.js`. Letting go of it stops the run.
#[wasm_bindgen]
pub struct Training {
    handle: RunHandle,
    on_event: js_sys::Function,
}

/// Starts a run from a preset with `section.key=value` on top; `on_event` gets each event as JSON
/// while [`Training::finished`] is awaited.
///
/// # Errors
/// When the preset or a key does not exist, or a value is impossible.
#[wasm_bindgen]
pub fn train(preset: &str, assignments: Vec<String>, on_event: js_sys::Function) -> Result<Training, JsError> {
    let mut layers = Layers::new();
    layers.preset(preset)?;
    for assignment in &assignments {
        layers.assign(assignment)?;
    }
    let handle = start(RunRequest::new(layers.run_config()?, Target::Memory));
    Ok(Training { handle, on_event })
}

#[wasm_bindgen]
impl Training {
    /// Ends the run after the present step.
    pub fn stop(&self) {
        self.handle.send(Command::Stop);
    }

    /// Follows the run to its end and gives the learner's `weights.safetensors`.
    ///
    /// # Errors
    /// When the run fails or the device is lost before a checkpoint.
    pub async fn finished(&self) -> Result<Vec<u8>, JsError> {
        let mut archive = None;
        while let Some(event) = self.handle.event().await {
            self.tell(&event)?;
            match event {
                Event::Exported { archive: bytes } => archive = Some(bytes),
                Event::Failed { message, .. } => return Err(JsError::new(&message)),
                Event::DeviceLost { message, checkpoint: None, .. } => return Err(JsError::new(&message)),
                Event::DeviceLost { .. } | Event::Finished { .. } => break,
                _ => {}
            }
        }
        let archive = archive.ok_or_else(|| JsError::new("the run ended without a learner; start it again"))?;
        let (checkpoint, _) = RunFolder::newest_in_archive(&archive)?;
        checkpoint.weights.encode().map_err(|reason| JsError::new(&reason))
    }

    /// Hands an event over; the archive, which no page reads as JSON, is kept back.
    fn tell(&self, event: &Event) -> Result<(), JsError> {
        if !matches!(event, Event::Exported { .. }) {
            let text = serde_json::to_string(event)?;
            // What a page's own function throws is the page's affair.
            let _ = self.on_event.call1(&JsValue::UNDEFINED, &text.into());
        }
        Ok(())
    }
}
