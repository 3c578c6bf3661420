//! The camera of a browser: its stream plays in a video element that nobody sees, and each new
//! picture is read back through a canvas.

use std::cell::RefCell;
use std::rc::Rc;

use inkling_app::{CameraFrame, CameraState, Notice, Webcam};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    CanvasRenderingContext2d, HtmlCanvasElement, HtmlVideoElement, MediaStream, MediaStreamConstraints,
    MediaStreamTrack,
};

/// The longer side of a frame in pixels: more than a thumbnail or a learner takes, and few enough
/// to read back several times a second.
const LONGER_SIDE: u32 = 480;

/// The default camera.
#[derive(Default)]
pub struct BrowserWebcam {
    shared: Rc<RefCell<Shared>>,
}

#[derive(Default)]
struct Shared {
    state: CameraState,
    open: Option<Open>,
    /// Counts starts and stops, so that a permission given late opens nothing.
    turn: u64,
}

struct Open {
    stream: MediaStream,
    video: HtmlVideoElement,
    canvas: HtmlCanvasElement,
    context: CanvasRenderingContext2d,
    /// The video's time of the frame that was taken last.
    taken_at: f64,
}

impl Webcam for BrowserWebcam {
    fn start(&mut self) {
        let turn = {
            let mut shared = self.shared.borrow_mut();
            if matches!(shared.state, CameraState::Starting | CameraState::On) {
                return;
            }
            shared.state = CameraState::Starting;
            shared.turn += 1;
            shared.turn
        };
        let shared = Rc::clone(&self.shared);
        wasm_bindgen_futures::spawn_local(async move {
            let opened = Open::ask().await;
            let mut shared = shared.borrow_mut();
            match opened {
                Ok(open) if shared.turn != turn => open.close(),
                Ok(open) => {
                    shared.open = Some(open);
                    shared.state = CameraState::On;
                }
                Err(error) if shared.turn == turn => shared.state = CameraState::Failed(explain(&error)),
                Err(_) => {}
            }
        });
    }

    fn stop(&mut self) {
        let mut shared = self.shared.borrow_mut();
        shared.turn += 1;
        shared.state = CameraState::Off;
        if let Some(open) = shared.open.take() {
            open.close();
        }
    }

    fn state(&self) -> CameraState {
        self.shared.borrow().state.clone()
    }

    fn take_frame(&mut self) -> Option<CameraFrame> {
        let mut shared = self.shared.borrow_mut();
        let open = shared.open.as_mut()?;
        if open.has_ended() {
            shared.open = None;
            shared.state = CameraState::Failed(Notice::error(
                "The camera has stopped",
                "Plug it in again or allow it again, then switch it on here",
            ));
            return None;
        }
        open.frame()
    }
}

impl Open {
    /// Asks the browser, which asks the user.
    async fn ask() -> Result<Self, JsValue> {
        let window = web_sys::window().ok_or("no window")?;
        let document = window.document().ok_or("no document")?;
        let constraints = MediaStreamConstraints::new();
        constraints.set_video(&JsValue::TRUE);
        constraints.set_audio(&JsValue::FALSE);
        let devices = window.navigator().media_devices()?;
        let stream = JsFuture::from(devices.get_user_media_with_constraints(&constraints)?).await?;
        let stream: MediaStream = stream.unchecked_into();

        let video: HtmlVideoElement = document.create_element("video")?.dyn_into()?;
        video.set_muted(true);
        // Phones would open a player in front of the page.
        video.set_attribute("playsinline", "")?;
        video.set_src_object(Some(&stream));
        JsFuture::from(video.play()?).await?;

        let canvas: HtmlCanvasElement = document.create_element("canvas")?.dyn_into()?;
        let options = js_sys::Object::new();
        // Keeps the pixels where they can be read, rather than on the graphics chip.
        js_sys::Reflect::set(&options, &"willReadFrequently".into(), &JsValue::TRUE)?;
        let context = canvas.get_context_with_context_options("2d", &options)?.ok_or("no 2d context")?.dyn_into()?;
        Ok(Self { stream, video, canvas, context, taken_at: -1.0 })
    }

    fn has_ended(&self) -> bool {
        !self.stream.active()
    }

    /// The picture that the video shows now, unless it was taken already.
    fn frame(&mut self) -> Option<CameraFrame> {
        let (time, size) = (self.video.current_time(), (self.video.video_width(), self.video.video_height()));
        if time == self.taken_at || size.0 == 0 || size.1 == 0 {
            return None;
        }
        self.taken_at = time;
        let (width, height) = fit(size);
        if (self.canvas.width(), self.canvas.height()) != (width, height) {
            self.canvas.set_width(width);
            self.canvas.set_height(height);
        }
        let (w, h) = (f64::from(width), f64::from(height));
        self.context.draw_image_with_html_video_element_and_dw_and_dh(&self.video, 0.0, 0.0, w, h).ok()?;
        let pixels = self.context.get_image_data(0.0, 0.0, w, h).ok()?;
        Some(CameraFrame { width, height, rgba: pixels.data().0 })
    }

    /// Lets go of the camera, so that its light goes out.
    fn close(self) {
        for track in self.stream.get_tracks().iter() {
            track.unchecked_into::<MediaStreamTrack>().stop();
        }
        self.video.set_src_object(None);
    }
}

/// The size with at most [`LONGER_SIDE`] and the same proportions.
fn fit((width, height): (u32, u32)) -> (u32, u32) {
    let longer = width.max(height);
    if longer <= LONGER_SIDE {
        return (width, height);
    }
    let scale = |side: u32| (u64::from(side) * u64::from(LONGER_SIDE) / u64::from(longer)).max(1) as u32;
    (scale(width), scale(height))
}

/// What a user can do about the errors of `getUserMedia`, by their names.
fn explain(error: &JsValue) -> Notice {
    let name = js_sys::Reflect::get(error, &"name".into()).ok().and_then(|name| name.as_string()).unwrap_or_default();
    match name.as_str() {
        "NotAllowedError" | "SecurityError" => Notice::error(
            "The browser did not allow the camera",
            "Allow it beside the page's address, then switch it on here; or drop pictures instead",
        ),
        "NotFoundError" | "OverconstrainedError" => {
            Notice::error("There is no camera", "Plug one in and switch it on here, or drop pictures instead")
        }
        "NotReadableError" | "AbortError" => {
            Notice::error("The camera does not answer", "Close other programs that use it, then switch it on here")
        }
        _ => Notice::error(
            "This browser gives no camera to this page",
            "Open the page from https:// or localhost, or drop pictures instead",
        ),
    }
}
