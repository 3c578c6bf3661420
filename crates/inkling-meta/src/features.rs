//! Feature maps of frozen first stages: their memory, and the way from images to them.

use inkling_data::{ImageUpload, Normalization, Pixels};
use inkling_gpu::{Allocate, Buffer, Category, GpuError, Recorder};
use inkling_nn::{Activations, Chunk, Gradients, Keep, Network, Pass, Scratch, TaskAxis};

use crate::engine::Engine;
use crate::model::Model;
use crate::workspace::{Workspace, most_images};
use crate::{Images, Learner, MetaError};

/// Room for the passes of frozen first stages.
#[derive(Debug)]
pub(crate) struct FirstRoom<B> {
    /// Images of one pass.
    images: u32,
    activations: Activations<B>,
    /// Of no image: nothing comes back.
    gradients: Gradients<B>,
    scratch: Scratch<B>,
    /// The feature maps of one pass.
    output: B,
}

impl<B> FirstRoom<B> {
    /// Room for passes of the model's chunks; none where tasks are made of images.
    pub(crate) fn new<A: Allocate<Buffer = B>>(allocate: &mut A, model: &Model) -> Result<Option<Self>, GpuError> {
        let Some(first) = &model.first else { return Ok(None) };
        let network = &first.network;
        let images = model.config.gradient.chunk.clamp(1, most_images(network));
        let elements = u64::from(images) * u64::from(network.dimension());
        Ok(Some(Self {
            images,
            activations: network.activations(allocate, "first", images, Keep::Nothing)?,
            gradients: network.gradients(allocate, "first.gradients", 0)?,
            scratch: network.scratch(allocate, images, images, 1)?,
            output: allocate.values(Category::Activations, "first.output", elements)?,
        }))
    }

    /// Images of one pass; those of an upload.
    pub(crate) fn images(&self) -> u32 {
        self.images
    }
}

/// Frozen first stages that are ready for a pass.
#[derive(Clone, Copy)]
pub(crate) struct FirstPass<'f> {
    network: &'f Network,
    room: &'f FirstRoom<Buffer>,
    pass: Pass<'f>,
}

impl<'f> FirstPass<'f> {
    /// None where tasks are made of images.
    pub(crate) fn new(model: &'f Model, workspace: &'f Workspace<Buffer>) -> Option<Self> {
        let (first, room) = model.first.as_ref().zip(workspace.first.as_ref())?;
        let pass = Pass { scratch: &room.scratch, ..workspace.pass(TaskAxis::shared(1, room.images)) };
        Some(Self { network: &first.network, room, pass })
    }

    /// Makes the frozen weights ready; call when they have changed.
    pub(crate) fn prepare(&self, recorder: &mut Recorder) -> Result<(), GpuError> {
        self.network.prepare(recorder, self.pass)
    }

    /// Writes the feature maps of images to `to`, one behind the other.
    pub(crate) async fn load(
        &self,
        recorder: &mut Recorder,
        source: (&ImageUpload<Buffer>, &Normalization, u32),
        images: &[(&Pixels, [f32; 6])],
        to: &Buffer,
    ) -> Result<(), MetaError> {
        let mut offset = 0;
        for piece in images.chunks(self.room.images as usize) {
            let bytes = self.forward(recorder, source, piece).await?;
            recorder.copy(self.room.output.slice(0, bytes)?, to.slice(offset, bytes)?);
            offset += bytes;
        }
        Ok(())
    }

    /// Computes the feature maps of images of one pass, and gives their bytes.
    async fn forward(
        &self,
        recorder: &mut Recorder,
        (upload, normalization, size): (&ImageUpload<Buffer>, &Normalization, u32),
        images: &[(&Pixels, [f32; 6])],
    ) -> Result<u64, MetaError> {
        let FirstRoom { activations, gradients, output, .. } = self.room;
        upload.load(recorder, images, normalization, size, &activations.images).await?;
        let count = images.len() as u32;
        let chunk = Chunk { images: count, activations, gradients, first_row: 0 };
        let pass = Pass { axis: TaskAxis::shared(1, count), ..self.pass };
        self.network.forward(recorder, pass, &[chunk], output).await?;
        Ok(4 * u64::from(count) * u64::from(self.network.dimension()))
    }

    /// The feature maps of images, on the host.
    pub(crate) async fn read(
        &self,
        recorder: &mut Recorder,
        source: (&ImageUpload<Buffer>, &Normalization, u32),
        images: &[(&Pixels, [f32; 6])],
    ) -> Result<Vec<f32>, MetaError> {
        let mut features = Vec::with_capacity(images.len() * self.network.dimension() as usize);
        for piece in images.chunks(self.room.images as usize) {
            let bytes = self.forward(recorder, source, piece).await?;
            features.extend(recorder.read::<f32>(self.room.output.slice(0, bytes)?).await?);
        }
        Ok(features)
    }
}

impl Learner {
    /// The feature maps of any number of images, `[images, channels, height, width]`: what tasks of a
    /// model over features are made of, the same for as long as the frozen weights are.
    ///
    /// # Errors
    /// [`MetaError::Task`] for a model that takes images, and for images as values; device errors.
    pub async fn features(&mut self, images: Images<'_>) -> Result<Vec<f32>, MetaError> {
        let Images::Bytes { pixels, affines, normalization } = images else {
            return Err(MetaError::Task("feature maps are made from images as bytes".into()));
        };
        let images: Vec<_> = pixels.iter().zip(affines.iter().copied()).collect();
        let (engine, recorder, model) = self.parts();
        match engine {
            Engine::Head(engine) => engine.features(recorder, model, (&images, normalization)).await,
            Engine::FullNetwork(_) => Err(no_features()),
        }
    }
}

/// The error of a model that takes images.
pub(crate) fn no_features() -> MetaError {
    MetaError::Task("the learner takes images, not feature maps of frozen stages".into())
}
