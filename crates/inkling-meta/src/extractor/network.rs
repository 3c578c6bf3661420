//! Our own networks as extractors.

use inkling_gpu::{Buffer, Category, Gpu, Recorder};
use inkling_nn::{
    Activations, Chunk, Gradients, Keep, Layout, Network, NetworkConfig, Pass, Scratch, TaskAxis, Weights,
};

use super::{EmbeddingRows, Extractor, ExtractorUpdate, ImageBatch, ImageCoupling, PassRoom};
use crate::{MetaError, Optimizer, OptimizerState, Update};

/// A network with its parameters, their gradient, and its passes on a device.
#[derive(Debug)]
pub struct NetworkExtractor {
    network: Network,
    gpu: Gpu,
    parameters: Buffer,
    frozen: Option<Buffer>,
    running: Buffer,
    gradient: Buffer,
    optimizer: OptimizerState<Buffer>,
    passes: Option<Passes>,
    /// Whether the weights are ready for passes.
    packed: bool,
}

/// Room for passes.
#[derive(Debug)]
struct Passes {
    kept: Vec<Kept>,
    gradients: Gradients<Buffer>,
    scratch: Scratch<Buffer>,
}

#[derive(Debug)]
struct Kept {
    activations: Activations<Buffer>,
    images: u32,
}

impl NetworkExtractor {
    /// A network whose weights are zero until they are set.
    ///
    /// # Errors
    /// [`MetaError::Config`] for networks that drop values by chance; what [`Network::new`] refuses;
    /// device errors.
    pub fn new(gpu: &Gpu, config: NetworkConfig, optimizer: Optimizer) -> Result<Self, MetaError> {
        let network = Network::new(config, gpu.tier())?;
        if network.drops() {
            return Err(MetaError::config(
                "model.drop_rate",
                "above zero",
                "an extractor drops nothing; leave it out, or train with a learner of its own network",
            ));
        }
        let vector =
            |name: &str, layout: &Layout| gpu.buffer(Category::Parameters, name, 4 * u64::from(layout.elements()));
        let elements = network.layout().elements();
        let frozen = (network.frozen().elements() > 0).then(|| vector("frozen", network.frozen())).transpose()?;
        Ok(Self {
            parameters: vector("parameters", network.layout())?,
            running: vector("running", network.running())?,
            gradient: gpu.buffer(Category::Gradient, "gradient", 4 * u64::from(elements))?,
            optimizer: optimizer.allocate(&mut gpu.clone(), elements)?,
            frozen,
            network,
            gpu: gpu.clone(),
            passes: None,
            packed: false,
        })
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Puts weights on the device.
    ///
    /// # Errors
    /// [`inkling_nn::NnError::Weights`] lists every misfit; device errors.
    pub async fn set_weights(&mut self, recorder: &mut Recorder, weights: &Weights) -> Result<(), MetaError> {
        let layouts = [self.network.layout(), self.network.running(), self.network.frozen()];
        let [parameters, running, frozen] = weights.to_flat(layouts, &[])?;
        recorder.upload_values(self.parameters.all(), &parameters).await?;
        recorder.upload_values(self.running.all(), &running).await?;
        if let Some(to) = &self.frozen {
            recorder.upload_values(to.all(), &frozen).await?;
        }
        self.packed = false;
        Ok(())
    }

    /// The present weights.
    ///
    /// # Errors
    /// Device errors.
    pub async fn weights(&self, recorder: &mut Recorder) -> Result<Weights, MetaError> {
        let mut weights = Weights::default();
        weights.insert_flat(self.network.layout(), &recorder.read(self.parameters.all()).await?)?;
        weights.insert_flat(self.network.running(), &recorder.read(self.running.all()).await?)?;
        if let Some(frozen) = &self.frozen {
            weights.insert_flat(self.network.frozen(), &recorder.read(frozen.all()).await?)?;
        }
        Ok(weights)
    }

    /// The accumulated gradient, under its parameters' names and shapes.
    ///
    /// # Errors
    /// Device errors.
    pub async fn gradient(&self, recorder: &mut Recorder) -> Result<Weights, MetaError> {
        let mut weights = Weights::default();
        weights.insert_flat(self.network.layout(), &recorder.read(self.gradient.all()).await?)?;
        Ok(weights)
    }

    fn pass<'s>(&'s self, scratch: &'s Scratch<Buffer>, images: u32) -> Pass<'s> {
        let axis = TaskAxis::shared(1, images);
        let frozen = self.frozen.as_ref();
        Pass { parameters: &self.parameters, frozen, running: &self.running, scratch, axis }
    }

    fn prepare(&mut self, recorder: &mut Recorder) -> Result<(), MetaError> {
        if !self.packed {
            let passes = self.passes.as_ref().ok_or_else(unreserved)?;
            self.network.prepare(recorder, self.pass(&passes.scratch, 1))?;
            self.packed = true;
        }
        Ok(())
    }

    /// The last pass: that of images of which nothing needs to be kept.
    fn last(&self) -> u32 {
        self.passes.as_ref().map_or(0, |passes| passes.kept.len().saturating_sub(1)) as u32
    }
}

impl Extractor for NetworkExtractor {
    fn image(&self) -> [u32; 3] {
        let NetworkConfig { in_channels, image_size, .. } = self.network.config();
        [in_channels, image_size, image_size]
    }

    fn dimension(&self) -> u32 {
        self.network.dimension()
    }

    fn coupling(&self) -> Option<ImageCoupling> {
        self.network.couples_images().then_some(ImageCoupling::Statistics)
    }

    fn reserve(&mut self, _recorder: &mut Recorder, room: PassRoom) -> Result<(), MetaError> {
        let PassRoom { passes, images, trains } = room;
        let keep = if trains { Keep::Gradient } else { Keep::Nothing };
        let allocate = &mut self.gpu.clone();
        let mut kept = Vec::new();
        for pass in 0..passes.max(1) {
            let activations = self.network.activations(allocate, &format!("pass.{pass}"), images, keep)?;
            kept.push(Kept { activations, images: 0 });
        }
        let gradients = self.network.gradients(allocate, "gradients", if trains { images } else { 0 })?;
        let scratch = self.network.scratch(allocate, images, images, 1)?;
        self.passes = Some(Passes { kept, gradients, scratch });
        self.packed = false;
        Ok(())
    }

    async fn embed(
        &mut self,
        recorder: &mut Recorder,
        images: ImageBatch<'_>,
        to: EmbeddingRows<'_>,
    ) -> Result<(), MetaError> {
        self.embed_keeping(recorder, self.last(), images, to).await
    }

    async fn embed_keeping(
        &mut self,
        recorder: &mut Recorder,
        pass: u32,
        ImageBatch { values, images }: ImageBatch<'_>,
        to: EmbeddingRows<'_>,
    ) -> Result<(), MetaError> {
        self.prepare(recorder)?;
        let passes = self.passes.as_mut().ok_or_else(unreserved)?;
        passes.kept.get_mut(pass as usize).ok_or_else(unreserved)?.images = images;
        let passes = self.passes.as_ref().ok_or_else(unreserved)?;
        let activations = &passes.kept.get(pass as usize).ok_or_else(unreserved)?.activations;
        let bytes = 4 * u64::from(images) * self.network.image_elements();
        recorder.copy(values.slice(0, bytes)?, activations.images.all());
        let chunk = [Chunk { images, activations, gradients: &passes.gradients, first_row: to.first }];
        let pass = self.pass(&passes.scratch, images);
        Ok(self.network.forward(recorder, pass, &chunk, to.buffer).await?)
    }

    async fn back_propagate(
        &mut self,
        recorder: &mut Recorder,
        pass: u32,
        rows: EmbeddingRows<'_>,
    ) -> Result<(), MetaError> {
        let passes = self.passes.as_ref().ok_or_else(unreserved)?;
        let Kept { activations, images } = passes.kept.get(pass as usize).ok_or_else(unreserved)?;
        let chunk = [Chunk { images: *images, activations, gradients: &passes.gradients, first_row: rows.first }];
        let pass = self.pass(&passes.scratch, *images);
        Ok(self.network.backward(recorder, pass, &chunk, rows.buffer, &self.gradient).await?)
    }

    fn clear_gradient(&mut self, recorder: &mut Recorder) {
        recorder.clear(self.gradient.all());
    }

    async fn update(&mut self, recorder: &mut Recorder, update: ExtractorUpdate) -> Result<(), MetaError> {
        let ExtractorUpdate { step, learning_rate, scale, clip_norm } = update;
        let update = Update { learning_rate, slower: None, scale, clip_norm };
        self.optimizer.step(recorder, &self.gradient, &self.parameters, step, update)?;
        self.packed = false;
        Ok(())
    }
}

fn unreserved() -> MetaError {
    MetaError::Task("a pass that no room was made for; this is a fault of the program".into())
}
