//! A picture of the window and the pace at which it was drawn, for the README and for tests.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use eframe::egui::{ColorImage, Context, ViewportCommand};

use crate::failure::Failure;

/// egui settles its layout within two frames; the third is what people see.
const FIRST_FRAMES: usize = 3;

/// What came of the picture; empty while the window is open, or when it was closed before.
pub type Outcome = Rc<RefCell<Option<Result<String, Failure>>>>;

/// Draws frames as fast as it can, then takes the picture and closes the window.
pub struct Picture {
    path: PathBuf,
    after: Duration,
    frames: Vec<Instant>,
    is_asked_for: bool,
    sender: Sender<Arc<ColorImage>>,
    receiver: Receiver<Arc<ColorImage>>,
    outcome: Outcome,
}

impl Picture {
    pub fn new(path: PathBuf, after: Duration, outcome: Outcome) -> Self {
        let (sender, receiver) = channel();
        Self { path, after, frames: Vec::new(), is_asked_for: false, sender, receiver, outcome }
    }

    /// Notes that a frame is drawn; to be called at its end.
    pub fn frame(&mut self, ctx: &Context) {
        if let Ok(image) = self.receiver.try_recv() {
            let written = write(&self.path, &image).map(|()| self.summary(&image));
            *self.outcome.borrow_mut() = Some(written);
            ctx.send_viewport_cmd(ViewportCommand::Close);
        } else if !self.is_asked_for {
            self.frames.push(Instant::now());
            let elapsed = self.frames.first().map_or(Duration::ZERO, Instant::elapsed);
            if self.frames.len() >= FIRST_FRAMES && elapsed >= self.after {
                self.is_asked_for = true;
                let (sender, ctx) = (self.sender.clone(), ctx.clone());
                ctx.clone().request_screenshot(move |image| {
                    // The window has closed when this fails, and nobody waits for the picture.
                    let _ = sender.send(image);
                    ctx.request_repaint();
                });
            }
        }
        ctx.request_repaint();
    }

    /// `a.png: 1280x800; 57 frames, 175 ms each, 95 % within 230 ms`
    fn summary(&self, image: &ColorImage) -> String {
        let [width, height] = image.size;
        // The first frames wait for the device and for the fonts.
        let drawn = self.frames.get(FIRST_FRAMES - 1..).unwrap_or_default();
        format!("{}: {width}x{height}{}", self.path.display(), pace(drawn))
    }
}

fn pace(frames: &[Instant]) -> String {
    let ends = frames.iter().skip(1);
    let mut millis: Vec<f64> =
        frames.iter().zip(ends).map(|(start, end)| end.duration_since(*start).as_secs_f64() * 1000.0).collect();
    millis.sort_by(f64::total_cmp);
    let within_95_percent = (millis.len() * 95).div_ceil(100).saturating_sub(1);
    match millis.get(within_95_percent) {
        Some(slow) => {
            let mean = millis.iter().sum::<f64>() / millis.len() as f64;
            format!("; {} frames, {mean:.0} ms each, 95 % within {slow:.0} ms", millis.len())
        }
        None => String::new(),
    }
}

fn write(path: &Path, image: &ColorImage) -> Result<(), Failure> {
    let failure = |reason: String| Failure::Picture { path: path.display().to_string(), reason };
    let [width, height] = image.size.map(|side| u32::try_from(side).unwrap_or(u32::MAX));
    // The window has no transparent parts: three bytes per pixel hold it.
    let pixels: Vec<u8> = image.pixels.iter().flat_map(|pixel| [pixel.r(), pixel.g(), pixel.b()]).collect();
    let buffer = image::RgbImage::from_raw(width, height, pixels)
        .ok_or_else(|| failure("the window has no pixels".to_owned()))?;
    buffer.save_with_format(path, image::ImageFormat::Png).map_err(|error| failure(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_that_of_the_intervals() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        assert_eq!(pace(&[at(0), at(10), at(40)]), "; 2 frames, 20 ms each, 95 % within 30 ms");
        assert_eq!(pace(&[start]), "");
        assert_eq!(pace(&[]), "");
    }

    #[test]
    fn pictures_are_written_or_their_place_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let image = ColorImage::filled([3, 2], eframe::egui::Color32::RED);
        let path = folder.path().join("a.png");
        write(&path, &image).unwrap();
        assert_eq!(image::open(&path).unwrap().to_rgb8().get_pixel(2, 1).0, [255, 0, 0]);
        let nowhere = folder.path().join("no/a.png");
        assert!(write(&nowhere, &image).unwrap_err().to_string().contains("no/a.png"));
    }
}
