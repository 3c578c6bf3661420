//! A Burn module behind the trait of extractors.

use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use inkling_gpu::Recorder;
use inkling_meta::{EmbeddingRows, Extractor, ExtractorUpdate, ImageBatch, ImageCoupling, MetaError, PassRoom};

use crate::SharedDevice;
use crate::couplings::coupling;
use crate::exchange::{from_burn, to_burn};
use crate::gradients::scaled;

/// A Burn module that embeds images, with its optimiser.
///
/// `F` takes the module and images `[images, channels, height, width]` to embeddings `[images, d]`.
pub struct BurnExtractor<M, F> {
    device: SharedDevice,
    module: M,
    embed: F,
    optimizer: ModuleOptimizer,
    image: [u32; 3],
    dimension: u32,
    /// Embeddings with their graphs, by pass.
    kept: Vec<Option<Tensor<2>>>,
    gradients: GradientsAccumulator<M>,
}

impl<M: Module, F: Fn(&M, Tensor<4>) -> Tensor<2>> BurnExtractor<M, F> {
    /// A module on the shared device; `image` is channels, height and width, height and width alike.
    ///
    /// # Errors
    /// [`MetaError::Config`] for a module on another device, images that are not square, and
    /// embeddings that are not one row for each image.
    pub fn new(
        device: &SharedDevice,
        module: M,
        embed: F,
        image: [u32; 3],
        optimizer: ModuleOptimizer,
    ) -> Result<Self, MetaError> {
        let refuse = |key, value: String, reason: &str| Err(MetaError::Config { key, value, reason: reason.into() });
        if module.devices().iter().any(|other| other != device.burn()) {
            let reason = "its parameters are on another device; make it with SharedDevice::burn";
            return refuse("module.device", format!("{:?}", module.devices()), reason);
        }
        let [channels, height, width] = image;
        if height != width || channels * height == 0 {
            return refuse("model.image_size", format!("{image:?}"), "images have to be square; crop or pad them");
        }
        let module = module.train();
        let shape = [2, channels as usize, height as usize, width as usize];
        let [rows, dimension] = embed(&module.valid(), Tensor::zeros(shape, device.burn())).dims();
        if rows != 2 || dimension == 0 {
            let reason = "two images gave so many rows and columns; flatten what comes after the images' axis";
            return refuse("module.embedding", format!("{rows} x {dimension}"), reason);
        }
        Ok(Self {
            device: device.clone(),
            module,
            embed,
            optimizer,
            image,
            dimension: dimension as u32,
            kept: Vec::new(),
            gradients: GradientsAccumulator::new(),
        })
    }

    /// The module as it is trained.
    pub fn module(&self) -> &M {
        &self.module
    }

    /// The module, for inference or to be saved.
    pub fn into_module(self) -> M {
        self.module.valid()
    }

    /// Takes the accumulated gradient, which is none afterwards.
    pub fn take_gradient(&mut self) -> GradientsParams {
        self.gradients.grads()
    }

    async fn images(&self, recorder: &mut Recorder, batch: ImageBatch<'_>) -> Result<Tensor<4>, MetaError> {
        let [channels, height, width] = self.image.map(|side| side as usize);
        let shape = [batch.images as usize, channels, height, width];
        let bytes = 4 * shape.iter().map(|&side| side as u64).product::<u64>();
        to_burn(recorder, batch.values.slice(0, bytes)?, shape, self.device.burn()).await
    }

    async fn write(
        &self,
        recorder: &mut Recorder,
        embeddings: Tensor<2>,
        images: u32,
        to: EmbeddingRows<'_>,
    ) -> Result<(), MetaError> {
        let row = 4 * u64::from(self.dimension);
        let place = to.buffer.slice(u64::from(to.first) * row, u64::from(images) * row)?;
        if embeddings.dims() != [images as usize, self.dimension as usize] {
            return Err(MetaError::Extractor(format!(
                "{images} images gave embeddings of shape {:?}; it was {} values for each image before",
                embeddings.dims(),
                self.dimension
            )));
        }
        from_burn(recorder, embeddings, place).await
    }
}

impl<M: Module, F: Fn(&M, Tensor<4>) -> Tensor<2>> Extractor for BurnExtractor<M, F> {
    fn image(&self) -> [u32; 3] {
        self.image
    }

    fn dimension(&self) -> u32 {
        self.dimension
    }

    fn coupling(&self) -> Option<ImageCoupling> {
        coupling(&self.module)
    }

    fn reserve(&mut self, _recorder: &mut Recorder, room: PassRoom) -> Result<(), MetaError> {
        self.kept = (0..room.passes).map(|_| None).collect();
        Ok(())
    }

    async fn embed(
        &mut self,
        recorder: &mut Recorder,
        images: ImageBatch<'_>,
        to: EmbeddingRows<'_>,
    ) -> Result<(), MetaError> {
        let values = self.images(recorder, images).await?;
        let embeddings = (self.embed)(&self.module.valid(), values);
        self.write(recorder, embeddings, images.images, to).await
    }

    async fn embed_keeping(
        &mut self,
        recorder: &mut Recorder,
        pass: u32,
        images: ImageBatch<'_>,
        to: EmbeddingRows<'_>,
    ) -> Result<(), MetaError> {
        let values = self.images(recorder, images).await?.autodiff();
        let embeddings = (self.embed)(&self.module, values);
        self.write(recorder, embeddings.clone(), images.images, to).await?;
        if let Some(kept) = self.kept.get_mut(pass as usize) {
            *kept = Some(embeddings);
        }
        Ok(())
    }

    async fn back_propagate(
        &mut self,
        recorder: &mut Recorder,
        pass: u32,
        rows: EmbeddingRows<'_>,
    ) -> Result<(), MetaError> {
        let Some(embeddings) = self.kept.get_mut(pass as usize).and_then(Option::take) else { return Ok(()) };
        // Not so where every parameter is frozen.
        if !embeddings.is_tracked() {
            return Ok(());
        }
        let shape = embeddings.dims();
        let [images, dimension] = shape.map(|side| side as u64);
        let place = rows.buffer.slice(4 * u64::from(rows.first) * dimension, 4 * images * dimension)?;
        let rows = to_burn(recorder, place, shape, self.device.burn()).await?;
        // Burn starts from ones at every value: the product with the rows is back-propagated, not its sum.
        let gradients = GradientsParams::from_grads(embeddings.mul(rows).backward(), &self.module);
        self.gradients.accumulate(&self.module, gradients);
        Ok(())
    }

    fn clear_gradient(&mut self, _recorder: &mut Recorder) {
        drop(self.gradients.grads());
    }

    async fn update(&mut self, _recorder: &mut Recorder, update: ExtractorUpdate) -> Result<(), MetaError> {
        if update.clip_norm > 0.0 {
            return Err(MetaError::Config {
                key: "training.clip_norm",
                value: update.clip_norm.to_string(),
                reason: "the gradient of a Burn module is clipped by its optimiser; give 0 here, and \
                         with_grad_clipping there"
                    .into(),
            });
        }
        let gradients = scaled(&self.module, self.gradients.grads(), update.scale);
        let module = self.module.clone();
        self.module = self.optimizer.step(f64::from(update.learning_rate), module, gradients);
        Ok(())
    }
}
