//! What embeds images and takes gradients back, whoever computes it: the seam between the heads and
//! estimators of this crate and networks that are not its own.
//!
//! An extractor owns its parameters, their gradient, and what its passes keep; an [`ExtractorLearner`]
//! lets a head and an estimator drive it. [`NetworkExtractor`] is our own networks behind this seam;
//! a [`crate::Learner`] runs them without it, several tasks at once and within a plan of its memory.

mod learner;
mod network;
mod passes;

use inkling_gpu::{Buffer, Recorder};

pub use learner::{ExtractorConfig, ExtractorLearner};
pub use network::NetworkExtractor;

use crate::MetaError;

/// Images on the device, as an extractor takes them.
#[derive(Clone, Copy, Debug)]
pub struct ImageBatch<'b> {
    /// `[images, channels, height, width]`, from the first byte on.
    pub values: &'b Buffer,
    /// How many.
    pub images: u32,
}

/// Rows of `d` values in a buffer, one for each image of a batch.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddingRows<'b> {
    /// `[·, d]`.
    pub buffer: &'b Buffer,
    /// The row of the batch's first image.
    pub first: u32,
}

/// The passes that an extractor keeps at once, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassRoom {
    /// Passes that wait for their rows at the same time.
    pub passes: u32,
    /// Images of a pass at most.
    pub images: u32,
    /// Whether there will be gradients at all.
    pub trains: bool,
}

/// What stands against taking the gradient of a support image by image, in several passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageCoupling {
    /// The statistics of a pass are those of all its images.
    Statistics,
    /// A second pass of an image is not the same as the first.
    Chance,
}

/// One change of an extractor's parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExtractorUpdate {
    /// The number of the step, from one on.
    pub step: u64,
    /// The learning rate.
    pub learning_rate: f32,
    /// Multiplies the accumulated gradient: one over the number of tasks.
    pub scale: f32,
    /// The largest global norm of the scaled gradient, 0 for no limit, where the extractor's optimiser
    /// has no limit of its own.
    pub clip_norm: f32,
}

/// Embeds images, and takes rows dL/dE back to a gradient of its parameters.
///
/// Work recorded before a call has to be done before the call's own, and what a call computes stands
/// in its buffers for what is recorded afterwards.
pub trait Extractor {
    /// Channels, height and width of an image.
    fn image(&self) -> [u32; 3];

    /// d, the values of an embedding.
    fn dimension(&self) -> u32;

    /// What ties the images of a pass together, or makes two passes differ; nothing for most.
    fn coupling(&self) -> Option<ImageCoupling>;

    /// Makes room for passes; called once, before all others.
    ///
    /// # Errors
    /// Device errors.
    fn reserve(&mut self, recorder: &mut Recorder, room: PassRoom) -> Result<(), MetaError>;

    /// Embeds images and keeps nothing. May overwrite what the last pass has kept.
    ///
    /// # Errors
    /// Device errors, and what the extractor itself refuses.
    fn embed(
        &mut self,
        recorder: &mut Recorder,
        images: ImageBatch<'_>,
        to: EmbeddingRows<'_>,
    ) -> impl Future<Output = Result<(), MetaError>>;

    /// Embeds images and keeps what [`Extractor::back_propagate`] needs under the pass's number.
    ///
    /// # Errors
    /// As [`Extractor::embed`].
    fn embed_keeping(
        &mut self,
        recorder: &mut Recorder,
        pass: u32,
        images: ImageBatch<'_>,
        to: EmbeddingRows<'_>,
    ) -> impl Future<Output = Result<(), MetaError>>;

    /// Takes the rows dL/dE of a pass that was kept, adds to the gradient, and forgets the pass.
    ///
    /// # Errors
    /// As [`Extractor::embed`].
    fn back_propagate(
        &mut self,
        recorder: &mut Recorder,
        pass: u32,
        rows: EmbeddingRows<'_>,
    ) -> impl Future<Output = Result<(), MetaError>>;

    /// Sets the gradient to zero.
    fn clear_gradient(&mut self, recorder: &mut Recorder);

    /// Changes the parameters by the accumulated gradient.
    ///
    /// # Errors
    /// Device errors.
    fn update(
        &mut self,
        recorder: &mut Recorder,
        update: ExtractorUpdate,
    ) -> impl Future<Output = Result<(), MetaError>>;
}
