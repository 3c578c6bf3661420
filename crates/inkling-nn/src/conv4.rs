//! Conv-4: four blocks of 3×3 convolution, norm, ReLU and 2×2 max-pooling; the embedding is the
//! last block's output, flattened in the order channel, row, column (Snell et al. 2017).

use inkling_gpu::{Allocate, Buffer, Category, GpuError, Recorder, Tier};

use crate::NnError;
use crate::axis::{Span, TaskAxis};
use crate::conv2d::{Conv2d, Conv2dShape, ConvWeights, GradientTarget, PackedWeights};
use crate::layout::Layout;
use crate::norm::{Norm, NormContext, NormPart, NormPool};

const BLOCKS: usize = 4;

/// What a Conv-4 is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv4Config {
    /// Channels of every block.
    pub channels: u32,
    /// Channels of the images.
    pub in_channels: u32,
    /// Height and width of the images.
    pub image_size: u32,
    /// The norm of every block.
    pub norm: Norm,
}

#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub conv: Conv2d,
    pub norm: NormPool,
}

/// The network: geometry and parameter layout, no memory.
#[derive(Clone, Debug)]
pub struct Conv4 {
    config: Conv4Config,
    pub(crate) blocks: Vec<Block>,
    layout: Layout,
    running: Layout,
}

/// What one chunk of images keeps from the forward pass for the backward pass.
#[derive(Debug)]
pub struct Activations<B> {
    /// Normalised images, `[images, channels, height, width]`.
    pub images: B,
    /// Convolution outputs of each block.
    convolved: Vec<B>,
    /// Outputs of each block but the last, which goes to the embeddings.
    pooled: Vec<B>,
    /// Norm statistics of each block; where several chunks hold one task, with the first.
    statistics: Vec<B>,
}

/// Gradients of one chunk's activations on their way back.
#[derive(Debug)]
pub struct Gradients<B> {
    pub(crate) convolved: B,
    pub(crate) pooled: B,
}

/// What every pass shares: partial sums and packed weights.
#[derive(Debug)]
pub struct Scratch<B> {
    norm_partials: B,
    row_sums: B,
    pub(crate) weight_partials: B,
    pub(crate) packed: Vec<PackedWeights<B>>,
}

/// One chunk of a pass.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'b> {
    /// Images in the chunk.
    pub images: u32,
    /// Where its activations lie.
    pub activations: &'b Activations<Buffer>,
    /// Where the gradients of its activations go; backward only.
    pub gradients: &'b Gradients<Buffer>,
    /// The chunk's first image, counted over all tasks of the pass: also its first row of the
    /// embeddings and of their gradient.
    pub first_row: u32,
}

/// The buffers that a pass works on besides its chunks.
#[derive(Clone, Copy, Debug)]
pub struct Pass<'b> {
    /// Flat parameters, or one vector for each task.
    pub parameters: &'b Buffer,
    /// Flat running statistics, shared by all tasks.
    pub running: &'b Buffer,
    /// Scratch.
    pub scratch: &'b Scratch<Buffer>,
    /// The tasks of the pass.
    pub axis: TaskAxis,
}

/// Chunks that nothing couples to the other chunks of their pass.
#[derive(Clone, Copy)]
pub(crate) struct Stretch<'c, T> {
    pub chunks: &'c [T],
    pub span: Span,
}

impl Conv4 {
    /// A network for a device of the given tier.
    ///
    /// # Errors
    /// [`NnError::Config`] when images are smaller than 16 pixels, or groups do not divide channels.
    pub fn new(config: Conv4Config, tier: Tier) -> Result<Self, NnError> {
        if config.image_size < 16 || config.image_size > 448 {
            return Err(NnError::Config {
                key: "image_size",
                value: config.image_size.to_string(),
                reason: "Conv-4 halves images four times and takes 16 to 448 pixels; resize the images".into(),
            });
        }
        let (mut layout, mut running) = (Layout::default(), Layout::default());
        let mut blocks: Vec<Block> = Vec::with_capacity(BLOCKS);
        let mut in_channels = config.in_channels;
        let mut in_size = [config.image_size; 2];
        for index in 0..BLOCKS {
            let shape =
                Conv2dShape { in_channels, out_channels: config.channels, kernel: 3, stride: 1, padding: 1, in_size };
            let conv = Conv2d::new(&mut layout, &format!("blocks.{index}.conv"), shape, tier);
            let name = format!("blocks.{index}.norm");
            let norm = NormPool::new(&mut layout, &mut running, &name, config.norm, config.channels, conv.out_size())?;
            in_channels = config.channels;
            in_size = norm.out_size();
            blocks.push(Block { conv, norm });
        }
        Ok(Self { config, blocks, layout, running })
    }

    /// What the network is made of.
    pub fn config(&self) -> Conv4Config {
        self.config
    }

    /// The trainable parameters; a head may append its own.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The running statistics.
    pub fn running(&self) -> &Layout {
        &self.running
    }

    /// Values of one image.
    pub fn image_elements(&self) -> u64 {
        self.blocks.first().map_or(0, |block| block.conv.in_elements())
    }

    /// d, the values of one embedding.
    pub fn dimension(&self) -> u32 {
        self.blocks.last().map_or(0, |block| block.norm.out_elements()) as u32
    }

    /// Floating-point operations of the convolutions of one image's forward pass.
    pub fn forward_flops(&self) -> f64 {
        self.blocks.iter().map(|block| block.conv.flops()).sum()
    }

    /// Floating-point operations of the convolutions of one image's backward pass.
    pub fn backward_flops(&self) -> f64 {
        2.0 * self.forward_flops() - self.blocks.first().map_or(0.0, |block| block.conv.flops())
    }

    /// The most values that one image has in any single buffer.
    pub fn largest_activation(&self) -> u64 {
        let blocks = self.blocks.iter().map(|block| block.conv.out_elements());
        blocks.chain([self.image_elements()]).max().unwrap_or(0)
    }

    /// Where the norm couples images and several chunks hold one task, they begin at multiples of
    /// this many of its images, so that their partial sums (8 bytes for each channel) begin at
    /// multiples of 256 bytes.
    pub fn coupled_chunk(&self) -> u32 {
        32 >> self.config.channels.trailing_zeros().min(5)
    }

    /// Room for the activations of a chunk of up to `images` images.
    ///
    /// # Errors
    /// Those of the allocator.
    pub fn activations<A: Allocate>(
        &self,
        allocate: &mut A,
        name: &str,
        images: u32,
    ) -> Result<Activations<A::Buffer>, GpuError> {
        let count = u64::from(images);
        let mut buffer = |category, stem: &str, index: usize, elements| {
            allocate.values(category, &format!("{name}.{stem}.{index}"), elements)
        };
        let inputs = buffer(Category::Activations, "images", 0, count * self.image_elements())?;
        let (mut convolved, mut pooled, mut statistics) = (Vec::new(), Vec::new(), Vec::new());
        for (index, block) in self.blocks.iter().enumerate() {
            let elements = count * block.conv.out_elements();
            convolved.push(buffer(Category::Activations, "convolved", index, elements)?);
            if index + 1 < self.blocks.len() {
                let elements = count * block.norm.out_elements();
                pooled.push(buffer(Category::Activations, "pooled", index, elements)?);
            }
            let elements = block.norm.statistics_elements(images);
            statistics.push(buffer(Category::Activations, "statistics", index, elements)?);
        }
        Ok(Activations { images: inputs, convolved, pooled, statistics })
    }

    /// Room for the gradients of a chunk's activations.
    ///
    /// # Errors
    /// Those of the allocator.
    pub fn gradients<A: Allocate>(
        &self,
        allocate: &mut A,
        name: &str,
        images: u32,
    ) -> Result<Gradients<A::Buffer>, GpuError> {
        let largest = |elements: fn(&Block) -> u64| self.blocks.iter().map(elements).max().unwrap_or(0);
        let count = u64::from(images);
        let convolved = count * largest(|block| block.conv.out_elements());
        let pooled = count * largest(|block| block.norm.out_elements());
        Ok(Gradients {
            convolved: allocate.values(Category::Workspace, &format!("{name}.d_convolved"), convolved)?,
            pooled: allocate.values(Category::Workspace, &format!("{name}.d_pooled"), pooled)?,
        })
    }

    /// Scratch for passes of up to `pass_images` images in chunks of up to `chunk_images`, with up
    /// to `own_parameters` tasks that have parameters or gradients of their own (1: all share them).
    ///
    /// # Errors
    /// Those of the allocator.
    pub fn scratch<A: Allocate>(
        &self,
        allocate: &mut A,
        chunk_images: u32,
        pass_images: u32,
        own_parameters: u32,
    ) -> Result<Scratch<A::Buffer>, GpuError> {
        let norm_images = self.norm_images(chunk_images, pass_images);
        let largest = |elements: &dyn Fn(&Block) -> u64| self.blocks.iter().map(elements).max().unwrap_or(0);
        let norm_partials = largest(&|block| block.norm.partial_elements(norm_images));
        let row_sums = largest(&|block| block.norm.statistics_elements(norm_images));
        let weight_partials = largest(&|block| block.conv.partial_elements(chunk_images, own_parameters));
        let packed = self.packed(allocate, "blocks", own_parameters)?;
        Ok(Scratch {
            norm_partials: allocate.values(Category::Workspace, "norm.partials", norm_partials)?,
            row_sums: allocate.values(Category::Workspace, "norm.row_sums", row_sums)?,
            weight_partials: allocate.values(Category::Workspace, "conv.weight_partials", weight_partials)?,
            packed,
        })
    }

    /// The most images whose statistics belong to one stretch.
    pub(crate) fn norm_images(&self, chunk_images: u32, pass_images: u32) -> u32 {
        if self.config.norm.couples_images() { pass_images } else { chunk_images }
    }

    pub(crate) fn packed<A: Allocate>(
        &self,
        allocate: &mut A,
        name: &str,
        tasks: u32,
    ) -> Result<Vec<PackedWeights<A::Buffer>>, GpuError> {
        let blocks = self.blocks.iter().enumerate();
        blocks.map(|(index, block)| block.conv.packed(allocate, &format!("{name}.{index}"), index > 0, tasks)).collect()
    }

    /// Makes the weights ready for passes, those of every task; call whenever they have changed.
    ///
    /// # Errors
    /// Device errors.
    pub fn prepare(
        &self,
        recorder: &mut Recorder,
        parameters: &Buffer,
        axis: TaskAxis,
        scratch: &Scratch<Buffer>,
    ) -> Result<(), GpuError> {
        self.pack(recorder, parameters, axis, &scratch.packed)
    }

    pub(crate) fn pack(
        &self,
        recorder: &mut Recorder,
        parameters: &Buffer,
        axis: TaskAxis,
        packed: &[PackedWeights<Buffer>],
    ) -> Result<(), GpuError> {
        let tasks = if axis.parameter_stride == 0 { 1 } else { axis.tasks };
        let mut blocks = self.blocks.iter().zip(packed);
        blocks.try_for_each(|(block, packed)| {
            block.conv.pack(recorder, parameters, (tasks, axis.parameter_stride), packed)
        })
    }

    /// The chunks of a pass, grouped so that no group depends on another: where the norm couples
    /// images, several parts of one task are one group.
    pub(crate) fn stretches<'c, 'b: 'c, T>(
        &self,
        axis: TaskAxis,
        chunks: &'c [T],
        chunk: impl Fn(&'c T) -> &'c Chunk<'b>,
    ) -> Result<Vec<Stretch<'c, T>>, GpuError> {
        let coupled = self.config.norm.couples_images();
        let mut stretches = Vec::new();
        let mut rest = chunks;
        while let Some(first) = rest.first().map(&chunk) {
            let (mut count, mut images) = (1, first.images);
            let task_end = (first.first_row / axis.images.max(1) + 1) * axis.images;
            while coupled
                && first.first_row + images < task_end
                && let Some(next) = rest.get(count)
            {
                images += chunk(next).images;
                count += 1;
            }
            let span = axis.span(first.first_row, images, coupled)?;
            let (group, after) = rest.split_at(count);
            stretches.push(Stretch { chunks: group, span });
            rest = after;
        }
        Ok(stretches)
    }

    /// Embeds the images of all chunks: `embeddings` is `[tasks · images, d]`, and each chunk
    /// writes its rows.
    ///
    /// Where the norm couples images, or tasks have parameters of their own, a chunk holds whole
    /// tasks or a part of one; where the norm couples images all parts of a task are among
    /// `chunks`. The chunks may share their gradients' buffers where no task spans several coupled
    /// ones.
    ///
    /// # Errors
    /// [`GpuError::Validation`] for other chunks; device errors.
    pub async fn forward(
        &self,
        recorder: &mut Recorder,
        pass: Pass<'_>,
        chunks: &[Chunk<'_>],
        embeddings: &Buffer,
    ) -> Result<(), GpuError> {
        for stretch in self.stretches(pass.axis, chunks, |chunk| chunk)? {
            self.forward_stretch(recorder, pass, stretch, embeddings).await?;
        }
        Ok(())
    }

    async fn forward_stretch(
        &self,
        recorder: &mut Recorder,
        pass: Pass<'_>,
        stretch: Stretch<'_, Chunk<'_>>,
        embeddings: &Buffer,
    ) -> Result<(), GpuError> {
        for (index, (block, packed)) in self.blocks.iter().zip(&pass.scratch.packed).enumerate() {
            let parts = parts(index, stretch.chunks, None);
            for (chunk, part) in stretch.chunks.iter().zip(&parts) {
                let input = block_input(index, chunk.activations);
                let weights = ConvWeights { parameters: pass.parameters, packed };
                let span = pass.axis.span(chunk.first_row, chunk.images, false)?;
                block.conv.forward(recorder, span, input, weights, part.input).await?;
                recorder.breathe().await?;
            }
            let Some(context) = stretch.chunks.first().and_then(|chunk| context(index, stretch.span, chunk, pass))
            else {
                return Ok(());
            };
            block.norm.statistics(recorder, &parts, context, pass.running)?;
            for chunk in stretch.chunks {
                let output = match chunk.activations.pooled.get(index) {
                    Some(pooled) => (pooled, 0),
                    None => (embeddings, chunk.first_row * self.dimension()),
                };
                let Some(input) = chunk.activations.convolved.get(index) else { return Ok(()) };
                block.norm.forward(recorder, chunk.images, input, context, output)?;
            }
            recorder.breathe().await?;
        }
        Ok(())
    }

    /// Back-propagates `d_embeddings` `[tasks · images, d]` through a pass, adding to the flat
    /// `gradient`, or to that of each task.
    ///
    /// The chunks' activations must be those of [`Conv4::forward`] for the same chunks.
    ///
    /// # Errors
    /// As [`Conv4::forward`].
    pub async fn backward(
        &self,
        recorder: &mut Recorder,
        pass: Pass<'_>,
        chunks: &[Chunk<'_>],
        d_embeddings: &Buffer,
        gradient: &Buffer,
    ) -> Result<(), GpuError> {
        for stretch in self.stretches(pass.axis, chunks, |chunk| chunk)? {
            self.backward_stretch(recorder, pass, stretch, d_embeddings, gradient).await?;
        }
        Ok(())
    }

    async fn backward_stretch(
        &self,
        recorder: &mut Recorder,
        pass: Pass<'_>,
        stretch: Stretch<'_, Chunk<'_>>,
        d_embeddings: &Buffer,
        gradient: &Buffer,
    ) -> Result<(), GpuError> {
        for (index, (block, packed)) in self.blocks.iter().zip(&pass.scratch.packed).enumerate().rev() {
            let last = index + 1 == self.blocks.len();
            let top = last.then_some((d_embeddings, self.dimension()));
            let parts = parts(index, stretch.chunks, top);
            let Some(context) = stretch.chunks.first().and_then(|chunk| context(index, stretch.span, chunk, pass))
            else {
                return Ok(());
            };
            block.norm.backward(recorder, &parts, context, gradient)?;
            recorder.breathe().await?;
            for chunk in stretch.chunks {
                let span = pass.axis.span(chunk.first_row, chunk.images, false)?;
                let input = block_input(index, chunk.activations);
                let d_output = &chunk.gradients.convolved;
                let target = GradientTarget { partials: &pass.scratch.weight_partials, gradient };
                block.conv.backward_weight(recorder, span, input, d_output, target)?;
                recorder.breathe().await?;
                if index > 0 {
                    let weights = ConvWeights { parameters: pass.parameters, packed };
                    block.conv.backward_input(recorder, span, d_output, weights, &chunk.gradients.pooled).await?;
                    recorder.breathe().await?;
                }
            }
        }
        Ok(())
    }

    /// Initial parameters and running statistics: He-normal convolutions from `normal`, a source
    /// of standard normal deviates; biases 0; norms 1 and 0; running variance 1.
    pub fn initialize(&self, mut normal: impl FnMut() -> f32) -> (Vec<f32>, Vec<f32>) {
        let mut parameters = vec![0.0; self.layout.elements() as usize];
        for entry in self.layout.entries() {
            let from = entry.offset as usize;
            let slice = parameters.iter_mut().skip(from).take(entry.length as usize);
            if let [_, inputs, height, width] = *entry.shape {
                let deviation = (2.0 / (inputs * height * width) as f32).sqrt();
                slice.for_each(|value| *value = deviation * normal());
            } else if entry.name.ends_with("norm.weight") {
                slice.for_each(|value| *value = 1.0);
            }
        }
        let mut running = vec![0.0; self.running.elements() as usize];
        for entry in self.running.entries().iter().filter(|entry| entry.name.ends_with("running_var")) {
            let slice = running.iter_mut().skip(entry.offset as usize).take(entry.length as usize);
            slice.for_each(|value| *value = 1.0);
        }
        (parameters, running)
    }
}

pub(crate) fn block_input(index: usize, activations: &Activations<Buffer>) -> &Buffer {
    index.checked_sub(1).and_then(|below| activations.pooled.get(below)).unwrap_or(&activations.images)
}

/// The norm layer's view of a pass; the top block's `d_output` is the embeddings' gradient.
pub(crate) fn parts<'b>(index: usize, chunks: &[Chunk<'b>], top: Option<(&'b Buffer, u32)>) -> Vec<NormPart<'b>> {
    let mut first = 0;
    let mut parts = Vec::with_capacity(chunks.len());
    for chunk in chunks {
        let Some(input) = chunk.activations.convolved.get(index) else { continue };
        let (d_output, d_output_offset) = match top {
            Some((rows, dimension)) => (rows, chunk.first_row * dimension),
            None => (&chunk.gradients.pooled, 0),
        };
        let d_input = &chunk.gradients.convolved;
        parts.push(NormPart { images: chunk.images, first, input, d_output, d_output_offset, d_input });
        first += chunk.images;
    }
    parts
}

/// Several parts of one task keep their statistics with the first chunk.
pub(crate) fn context<'b>(index: usize, span: Span, first: &Chunk<'b>, pass: Pass<'b>) -> Option<NormContext<'b>> {
    Some(NormContext {
        span,
        parameters: pass.parameters,
        statistics: first.activations.statistics.get(index)?,
        partials: &pass.scratch.norm_partials,
        row_sums: &pass.scratch.row_sums,
    })
}
