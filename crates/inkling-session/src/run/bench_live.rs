//! From a camera's frame to class probabilities, as the live view of the tab Teach works: through a
//! teaching session with classes in it.

use inkling_platform::Stopwatch;

use super::SessionError;
use crate::teach::{
    Classroom, LearnerCard, LearnerFile, RgbaImage, Spent, Subject, TeachCommand, TeachEvent, TeachHandle, sample_set,
    start_teaching,
};

/// The frames and their number.
#[derive(Clone, Copy, Debug)]
pub struct LiveBench {
    /// Columns of a frame.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Frames that are timed, after one that is not.
    pub frames: u32,
}

/// How long frames took.
#[derive(Clone, Debug)]
pub struct LiveBenchResult {
    /// The learner.
    pub learner: LearnerCard,
    /// Classes that were told apart, and the images that they were learned from.
    pub classes: usize,
    /// See `classes`.
    pub images: usize,
    /// Of each frame the seconds from its arrival to its probabilities, and what they were spent on;
    /// the square that is cut from the frame counts as part of the picture.
    pub frames: Vec<(f64, Spent)>,
}

impl LiveBenchResult {
    /// Median, least and most of a time.
    pub fn of(&self, time: impl Fn(&(f64, Spent)) -> f64) -> [f64; 3] {
        let mut times: Vec<f64> = self.frames.iter().map(time).collect();
        times.sort_by(f64::total_cmp);
        [times.get(times.len() / 2), times.first(), times.last()].map(|at| at.copied().unwrap_or(f64::NAN))
    }
}

/// Teaches the built-in samples and asks about one frame after the other.
///
/// # Errors
/// When the learner cannot embed single images, or the device fails.
pub async fn bench_live(
    learner: LearnerFile,
    bench: LiveBench,
    adapter: Option<String>,
) -> Result<LiveBenchResult, SessionError> {
    let samples = sample_set()?;
    let room = Classroom::with(samples.classes);
    let (classes, images) = (room.classes().len(), room.image_count());
    let session = start_teaching(learner, adapter)
        .map_err(|error| SessionError::Setting(format!("the system gives no thread: {error}; close other programs")))?;
    session.send(TeachCommand::Learn(std::sync::Arc::new(room.lesson())));
    let card = ready(&session, images).await?;
    let mut frames = Vec::new();
    for number in 0..=bench.frames {
        let frame = frame(bench, number);
        let clock = Stopwatch::start();
        let picture = RgbaImage::of_frame(bench.width, bench.height, &frame)
            .ok_or_else(|| SessionError::Setting("a frame has no pixels; give its columns and rows".to_owned()))?;
        let square = clock.seconds();
        session.send(TeachCommand::Classify { ticket: 0, subject: Subject::Image(picture.into()) });
        let spent = answer(&session).await?;
        frames.push((clock.seconds(), Spent { picture: spent.picture + square, ..spent }));
    }
    // The first one warms up.
    frames.remove(0);
    Ok(LiveBenchResult { learner: card, classes, images, frames })
}

/// Waits until all images of the classes are embedded.
async fn ready(session: &TeachHandle, images: usize) -> Result<LearnerCard, SessionError> {
    let mut card = None;
    loop {
        match next(session).await? {
            TeachEvent::Ready(of_learner) => card = Some(of_learner),
            TeachEvent::Embedded { done, of } if done == of && of == images => {
                return card.ok_or(SessionError::Fault("images are embedded before a learner was ready"));
            }
            _ => {}
        }
    }
}

/// Waits for probabilities.
async fn answer(session: &TeachHandle) -> Result<Spent, SessionError> {
    loop {
        if let TeachEvent::Prediction(prediction) = next(session).await? {
            return prediction.spent.ok_or(SessionError::Fault("a frame was answered without being looked at"));
        }
    }
}

/// The next event that is no failure.
async fn next(session: &TeachHandle) -> Result<TeachEvent, SessionError> {
    match session.event().await {
        Some(TeachEvent::Refused { learner, reason }) => Err(SessionError::Setting(format!("{learner}: {reason}"))),
        Some(TeachEvent::Failed { message }) => Err(SessionError::Setting(message)),
        Some(event) => Ok(event),
        None => Err(SessionError::Fault("the teaching session ended by itself")),
    }
}

/// A frame of slanted stripes that move: what it shows costs nothing, but no two are the same.
fn frame(bench: LiveBench, number: u32) -> Vec<u8> {
    let pixel = |x: u32, y: u32| {
        let shade = (x.wrapping_add(2 * y).wrapping_add(7 * number) % 256) as u8;
        [shade, 255 - shade, shade / 2, 255]
    };
    (0..bench.height).flat_map(|y| (0..bench.width).flat_map(move |x| pixel(x, y))).collect()
}
