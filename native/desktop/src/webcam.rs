//! The camera of this machine. A thread opens and reads it, because both take their time; the
//! window takes the newest frame and misses the others.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use inkling_app::{CameraFrame, CameraState, Notice, Webcam};
use nokhwa::pixel_format::RgbAFormat;
use nokhwa::utils::{ApiBackend, CameraFormat, FrameFormat, RequestedFormat, RequestedFormatType};
use nokhwa::{Camera, NokhwaError};

/// Enough for a learner, whose images have at most a quarter of these pixels on a side.
const WIDTH: u32 = 640;
const HEIGHT: u32 = 480;
const FRAMES_PER_SECOND: u32 = 30;
/// What cameras deliver, the formats that take the least bandwidth first.
const FORMATS: [FrameFormat; 3] = [FrameFormat::MJPEG, FrameFormat::YUYV, FrameFormat::NV12];

/// The first camera of the system.
#[derive(Default)]
pub struct NativeWebcam {
    recording: Option<Recording>,
}

/// A thread that reads the camera, and what it says.
struct Recording {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    stops: AtomicBool,
    state: Mutex<CameraState>,
    newest: Mutex<Option<CameraFrame>>,
}

impl Webcam for NativeWebcam {
    fn start(&mut self) {
        if matches!(self.state(), CameraState::Starting | CameraState::On) {
            return;
        }
        self.stop();
        let shared = Arc::new(Shared { state: Mutex::new(CameraState::Starting), ..Shared::default() });
        let recorder = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let ended = match record(&recorder) {
                Ok(()) => CameraState::Off,
                Err(notice) => CameraState::Failed(notice),
            };
            *lock(&recorder.state) = ended;
        });
        self.recording = Some(Recording { shared, thread });
    }

    fn stop(&mut self) {
        // The thread closes the camera after the frame that it waits for; nobody waits for it.
        if let Some(recording) = self.recording.take() {
            recording.shared.stops.store(true, Ordering::Relaxed);
        }
    }

    fn state(&self) -> CameraState {
        let Some(recording) = &self.recording else { return CameraState::Off };
        let state = lock(&recording.shared.state).clone();
        match state {
            // A driver's panic ends the thread before it can say so.
            CameraState::Starting | CameraState::On if recording.thread.is_finished() => {
                CameraState::Failed(Notice::error("The camera's driver stopped", "Unplug the camera, and try again"))
            }
            state => state,
        }
    }

    fn take_frame(&mut self) -> Option<CameraFrame> {
        lock(&self.recording.as_ref()?.shared.newest).take()
    }
}

impl Drop for NativeWebcam {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Reads frames until it is told to stop.
fn record(shared: &Shared) -> Result<(), Notice> {
    if !is_permitted() {
        return Err(Notice::error(
            "The system does not let Inkling use the camera",
            "Allow it in the system's privacy settings, and try again",
        ));
    }
    let mut camera = open()?;
    while !shared.stops.load(Ordering::Relaxed) {
        let frame = camera.frame().and_then(|buffer| buffer.decode_image::<RgbAFormat>());
        let image = frame.map_err(|error| {
            Notice::error(format!("The camera delivers no picture ({error})"), "Unplug it, and try again")
        })?;
        let (width, height) = image.dimensions();
        *lock(&shared.newest) = Some(CameraFrame { width, height, rgba: image.into_raw() });
        *lock(&shared.state) = CameraState::On;
    }
    Ok(())
}

/// macOS asks the user; the other systems open the camera or refuse.
fn is_permitted() -> bool {
    let (sender, answer) = channel();
    nokhwa::nokhwa_initialize(move |is_granted| {
        // Nobody waits any more when this fails.
        let _ = sender.send(is_granted);
    });
    answer.recv().unwrap_or(false)
}

/// Opens the first camera near the wanted size, or in any size that it has.
fn open() -> Result<Camera, Notice> {
    let cameras = nokhwa::query(ApiBackend::Auto).unwrap_or_default();
    let Some(first) = cameras.first() else {
        return Err(Notice::error("This machine has no camera", "Plug one in, or drop photos onto the window"));
    };
    let near = FORMATS
        .map(|format| RequestedFormatType::Closest(CameraFormat::new_from(WIDTH, HEIGHT, format, FRAMES_PER_SECOND)));
    let wishes = near.into_iter().chain([RequestedFormatType::AbsoluteHighestFrameRate, RequestedFormatType::None]);
    let mut refusal = None;
    for wish in wishes {
        let opened = Camera::new(first.index().clone(), RequestedFormat::new::<RgbAFormat>(wish))
            .and_then(|mut camera| camera.open_stream().map(|()| camera));
        match opened {
            Ok(camera) => return Ok(camera),
            Err(error) => refusal = refusal.or(Some(error)),
        }
    }
    Err(cannot_open(refusal))
}

fn cannot_open(refusal: Option<NokhwaError>) -> Notice {
    let reason = refusal.map_or_else(String::new, |error| format!(" ({error})"));
    Notice::error(
        format!("The camera cannot be opened{reason}"),
        "Close other programs that use it; on Linux, this user must belong to the group video",
    )
}

/// Every change is one assignment, so a thread that panicked left the value whole.
fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    /// Holds with a camera and without: the test machines have none.
    #[test]
    fn a_camera_opens_or_says_why_not() {
        let mut webcam = NativeWebcam::default();
        assert_eq!(webcam.state(), CameraState::Off);
        webcam.start();
        let start = Instant::now();
        while webcam.state() == CameraState::Starting && start.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(10));
        }
        match webcam.state() {
            CameraState::On => assert!(webcam.take_frame().is_some()),
            CameraState::Failed(notice) => assert!(!notice.sentence.is_empty() && !notice.remedy.is_empty()),
            other => panic!("{other:?}"),
        }
        webcam.stop();
        assert_eq!(webcam.state(), CameraState::Off);
        assert_eq!(webcam.take_frame(), None);
    }
}
