//! The same panels as the desktop's, drawn by eframe into a canvas of the page.
//!
//! `site/boot.js` decides whether the browser can run Inkling and then calls [`start`]. What a page
//! does differently lives here: the camera, dropped folders and pasted pictures, the message that a
//! panic leaves. Everything else is `inkling-app`.

mod arrivals;
mod failure;
mod hooks;
mod learners;
mod page;
mod webcam;
mod widgets;

use eframe::{WebOptions, WebRunner};
use inkling_app::{InklingApp, Notice, Services};
use inkling_platform::{Receiver, Storage, channel};
use wasm_bindgen::prelude::*;
use web_sys::HtmlCanvasElement;

use arrivals::Arrivals;
pub use hooks::Hooks;
use page::Page;
use webcam::BrowserWebcam;

/// The running app, for the page that started it.
#[wasm_bindgen]
pub struct App {
    runner: WebRunner,
}

#[wasm_bindgen]
impl App {
    /// The state of the window as JSON; nothing once the app has stopped, or while it draws.
    pub fn state(&self) -> Option<String> {
        self.runner.app_mut::<Page>().map(|page| page.state().to_string())
    }

    /// The frames drawn so far.
    pub fn frames(&self) -> Option<f64> {
        self.runner.app_mut::<Page>().map(|page| page.frames() as f64)
    }

    /// What is on the screen, as JSON (see `widgets.rs`); nothing before the second frame after the
    /// first call.
    pub fn widgets(&self) -> Option<String> {
        let mut page = self.runner.app_mut::<Page>()?;
        Some(page.widgets().to_string()).filter(|list| list != "null")
    }

    /// Draws without a pause, as a moving plot does, so that frames can be counted.
    #[wasm_bindgen(js_name = drawContinuously)]
    pub fn draw_continuously(&self, is_wanted: bool) {
        if let Some(mut page) = self.runner.app_mut::<Page>() {
            page.draw_continuously(is_wanted);
        }
    }
}

/// Starts the app in `canvas` and tells `hooks` of its first frame and of its end.
///
/// # Errors
/// When the browser gives no device or the canvas cannot be drawn to.
#[wasm_bindgen]
pub async fn start(canvas: HtmlCanvasElement, hooks: Hooks) -> Result<App, JsValue> {
    hooks::install(hooks);
    failure::watch_panics();
    let arrivals = Arrivals::listen(&canvas)?;
    let runner = WebRunner::new();
    let creator: eframe::AppCreator<'static> = Box::new(|context| {
        failure::watch_device(context);
        arrivals.wake(context.egui_ctx.clone());
        let (first_frame, signal) = channel();
        Ok(Box::new(Page::new(app(signal), arrivals, first_frame, context.egui_ctx.clone())))
    });
    // Nothing that is drawn has a gradient for dithering to smooth.
    let options = WebOptions { dithering: false, ..WebOptions::default() };
    runner.start(canvas, options, creator).await?;
    Ok(App { runner })
}

/// The panels with what a browser offers them.
fn app(first_frame: Receiver<()>) -> InklingApp {
    let (storage, problem) = match Storage::of_user() {
        Ok(storage) => (storage, None),
        Err(error) => (Storage::in_memory(), Some(Notice::from_message(&error.to_string()))),
    };
    let (learner, catalogue) = learners::fetch(first_frame);
    let services =
        Services::new(storage).with_webcam(BrowserWebcam::default()).with_learner(learner).with_catalogue(catalogue);
    let mut app = InklingApp::new(services);
    app.shared_mut().notice = problem;
    app
}
