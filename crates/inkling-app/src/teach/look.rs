//! What the live view looks at, and what was said of it.

use std::collections::VecDeque;

use egui::{ColorImage, Context, TextureHandle, TextureOptions};
use inkling_platform::{Pending, Stopwatch};
use inkling_session::teach::{ImageData, ImageId, NewImage, Prediction, RgbaImage, Spent, Subject};

use super::thumbnails::color_image;

/// The most pixels along a side of the picture that is shown.
const MOST_SIDE: u32 = 480;

/// What is looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Source {
    #[default]
    Nothing,
    /// The camera, newest frame.
    Camera,
    /// An image from outside the classes.
    Outside(NewImage),
    /// An image of the classes, left out of them.
    HeldOut(ImageId),
}

/// The live view.
#[derive(Default)]
pub(crate) struct Look {
    pub source: Source,
    pub prediction: Option<Prediction>,
    /// Why the image cannot be used.
    pub problem: Option<String>,
    picture: Option<TextureHandle>,
    /// The picture on its way: files are decoded off the frame.
    loading: Option<Pending<Option<RgbaImage>>>,
    /// Since when an answer about a frame is waited for, with the seconds that its picture took before.
    asked: Option<(Stopwatch, f64)>,
    /// How long the newest frames took, oldest first.
    latencies: VecDeque<(f64, Spent)>,
    /// Frames that were answered.
    frames: u64,
}

/// From a frame of the camera to its bars: medians of the newest frames.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Latency {
    /// Frames that were answered so far.
    pub frames: u64,
    /// From the frame's arrival to the answer's, waiting in between included.
    pub seconds: f64,
    /// What of it the session worked, with the square that is cut from the frame.
    pub spent: Spent,
}

/// Seconds after which no answer is expected any more: a large network without a graphics card takes
/// a few.
const OVERDUE_SECONDS: f64 = 30.0;
/// The frames whose median is shown.
const MEDIAN_OF: usize = 15;

impl Look {
    /// At something, with nothing said of it yet.
    pub fn at(source: Source) -> Self {
        Self { source, ..Self::default() }
    }

    /// What to ask the session; nothing for a camera, whose frames are asked about one by one.
    pub fn subject(&self) -> Option<Subject> {
        match &self.source {
            Source::Nothing | Source::Camera => None,
            Source::Outside(image) => Some(Subject::Image(image.data.clone())),
            Source::HeldOut(id) => Some(Subject::HeldOut(*id)),
        }
    }

    /// The image of the classes that is looked at.
    pub fn held_out(&self) -> Option<ImageId> {
        match self.source {
            Source::HeldOut(id) => Some(id),
            _ => None,
        }
    }

    /// Takes an answer.
    pub fn answer(&mut self, prediction: Prediction) {
        if let (Some((clock, seconds)), Some(spent)) = (self.asked.take(), prediction.spent) {
            let spent = Spent { picture: spent.picture + seconds, ..spent };
            self.latencies.push_back((clock.seconds() + seconds, spent));
            if self.latencies.len() > MEDIAN_OF {
                self.latencies.pop_front();
            }
            self.frames += 1;
        }
        if self.source != Source::Nothing {
            self.prediction = Some(prediction);
            self.problem = None;
        }
    }

    /// A frame of the camera was asked about, `seconds` after it had come.
    pub fn asked(&mut self, seconds: f64) {
        self.asked = Some((Stopwatch::start(), seconds));
    }

    /// Another learner takes another time.
    pub fn forget_latency(&mut self) {
        self.latencies.clear();
        self.asked = None;
    }

    /// How long frames take; none before the first answer.
    pub fn latency(&self) -> Option<Latency> {
        let median = |of: fn(&(f64, Spent)) -> f64| {
            let mut values: Vec<f64> = self.latencies.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied()
        };
        Some(Latency {
            frames: self.frames,
            seconds: median(|(seconds, _)| *seconds)?,
            spent: Spent {
                picture: median(|(_, spent)| spent.picture)?,
                network: median(|(_, spent)| spent.network)?,
                classes: median(|(_, spent)| spent.classes)?,
            },
        })
    }

    /// Takes a refusal.
    pub fn cannot_be_read(&mut self, reason: String) {
        self.asked = None;
        self.prediction = None;
        self.problem = Some(reason);
    }

    /// Shows a picture: the camera's newest frame, or what was decoded.
    pub fn show(&mut self, ctx: &Context, picture: &RgbaImage) {
        let image: ColorImage = color_image(picture);
        match &mut self.picture {
            Some(texture) => texture.set(image, TextureOptions::LINEAR),
            None => self.picture = Some(ctx.load_texture("live view", image, TextureOptions::LINEAR)),
        }
    }

    /// Starts to make a picture of an image.
    pub fn load(&mut self, data: ImageData) {
        self.loading = Some(match data {
            ImageData::Rgba(picture) => Pending::ready(Some(picture)),
            encoded => Pending::start(move || async move { encoded.picture(MOST_SIDE).await.ok() }),
        });
    }

    /// Shows the picture that was made, once it is there.
    pub fn poll(&mut self, ctx: &Context) {
        if let Some(picture) = self.loading.as_mut().and_then(Pending::take) {
            self.loading = None;
            if let Some(picture) = picture {
                self.show(ctx, &picture);
            }
        }
    }

    /// Whether a picture is on its way.
    pub fn is_loading(&self) -> bool {
        self.loading.is_some()
    }

    /// The picture, where it is not a thumbnail.
    pub fn picture(&self) -> Option<&TextureHandle> {
        self.picture.as_ref()
    }

    /// Whether a frame of the camera should be asked about: the one before was answered, or its
    /// answer is overdue (a session that has failed gives none).
    pub fn wants_frame(&self) -> bool {
        self.asked.as_ref().is_none_or(|(clock, _)| clock.seconds() > OVERDUE_SECONDS)
    }
}
