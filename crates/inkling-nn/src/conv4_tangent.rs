//! Exact Hessian-vector products of a Conv-4 by forward over reverse (the R-operator, Pearlmutter
//! 1994): the tangent of the forward pass along a direction v, and the tangent of the backward
//! pass, whose weight part is H·v. What loss stands above the embeddings is left to the learner.
//!
//! For one product: `forward`, then [`Conv4::tangent`], then the loss's tangents, then
//! [`Conv4::backward_tangent`], chunk by chunk or all at once; about eight forward passes' worth of
//! arithmetic.

use inkling_gpu::{Allocate, Buffer, Category, GpuError, Recorder};

use crate::axis::TaskAxis;
use crate::conv2d::{ConvWeights, GradientTarget, PackedWeights};
use crate::conv4::{Block, Chunk, Conv4, Gradients, Pass, Stretch, block_input, context, parts};
use crate::norm_tangent::{NormTangentContext, NormTangentPart};

/// What one chunk of images keeps from [`Conv4::tangent`] for [`Conv4::backward_tangent`].
#[derive(Debug)]
pub struct Tangents<B> {
    convolved: Vec<B>,
    pooled: Vec<B>,
    /// Beside the statistics of each block, and with the same chunk.
    sums: Vec<B>,
}

/// What every product shares: partial sums, and the packed weights of the direction.
#[derive(Debug)]
pub struct DirectionScratch<B> {
    norm_partials: B,
    norm_rows: B,
    packed: Vec<PackedWeights<B>>,
}

/// A direction in parameter space.
#[derive(Clone, Copy, Debug)]
pub struct Direction<'b> {
    /// v, laid out like the parameters of the pass.
    pub parameters: &'b Buffer,
    /// Scratch.
    pub scratch: &'b DirectionScratch<Buffer>,
}

/// One chunk of a pass with room for its tangents.
#[derive(Clone, Copy, Debug)]
pub struct TangentChunk<'b> {
    /// The chunk as in the forward pass.
    pub chunk: Chunk<'b>,
    /// Tangents of its activations.
    pub tangents: &'b Tangents<Buffer>,
    /// Where the tangents of its activations' gradients go; backward only.
    pub gradients_dot: &'b Gradients<Buffer>,
}

impl Conv4 {
    /// Room for the activation tangents of a chunk of up to `images` images.
    ///
    /// # Errors
    /// Those of the allocator.
    pub fn tangents<A: Allocate>(
        &self,
        allocate: &mut A,
        name: &str,
        images: u32,
    ) -> Result<Tangents<A::Buffer>, GpuError> {
        let count = u64::from(images);
        let mut buffer = |stem: &str, index: usize, elements| {
            allocate.values(Category::Activations, &format!("{name}.{stem}_dot.{index}"), elements)
        };
        let (mut convolved, mut pooled, mut sums) = (Vec::new(), Vec::new(), Vec::new());
        for (index, block) in self.blocks.iter().enumerate() {
            convolved.push(buffer("convolved", index, count * block.conv.out_elements())?);
            if index + 1 < self.blocks.len() {
                pooled.push(buffer("pooled", index, count * block.norm.out_elements())?);
            }
            sums.push(buffer("sums", index, block.norm.statistics_elements(images))?);
        }
        Ok(Tangents { convolved, pooled, sums })
    }

    /// Scratch for the products of passes of up to `pass_images` images in chunks of up to
    /// `chunk_images`, with up to `own_parameters` tasks that have parameters of their own (1: all
    /// share them): the sizes given to [`Conv4::scratch`].
    ///
    /// # Errors
    /// Those of the allocator.
    pub fn direction<A: Allocate>(
        &self,
        allocate: &mut A,
        chunk_images: u32,
        pass_images: u32,
        own_parameters: u32,
    ) -> Result<DirectionScratch<A::Buffer>, GpuError> {
        let images = self.norm_images(chunk_images, pass_images);
        let largest = |elements: &dyn Fn(&Block) -> u64| self.blocks.iter().map(elements).max().unwrap_or(0);
        let partials = largest(&|block| block.norm.tangent_partial_elements(images));
        let rows = largest(&|block| block.norm.tangent_row_elements(images));
        Ok(DirectionScratch {
            norm_partials: allocate.values(Category::Workspace, "direction.norm.partials", partials)?,
            norm_rows: allocate.values(Category::Workspace, "direction.norm.rows", rows)?,
            packed: self.packed(allocate, "direction.blocks", own_parameters)?,
        })
    }

    /// Makes the direction ready for products; call whenever it has changed.
    ///
    /// # Errors
    /// Device errors.
    pub fn prepare_direction(
        &self,
        recorder: &mut Recorder,
        direction: Direction<'_>,
        axis: TaskAxis,
    ) -> Result<(), GpuError> {
        self.pack(recorder, direction.parameters, axis, &direction.scratch.packed)
    }

    /// Writes the tangent of the embeddings along `direction`, `[tasks · images, d]`: each chunk
    /// writes its rows.
    ///
    /// The chunks' activations must be those of [`Conv4::forward`] for the same chunks and
    /// parameters.
    ///
    /// # Errors
    /// As [`Conv4::forward`].
    pub async fn tangent(
        &self,
        recorder: &mut Recorder,
        pass: Pass<'_>,
        direction: Direction<'_>,
        chunks: &[TangentChunk<'_>],
        embeddings_dot: &Buffer,
    ) -> Result<(), GpuError> {
        for stretch in self.stretches(pass.axis, chunks, |chunk| &chunk.chunk)? {
            for (index, block) in self.blocks.iter().enumerate() {
                let Some(layer) = Layer::new(index, pass, direction, stretch) else { return Ok(()) };
                let parts = layer.parts(None);
                for (chunk, part) in stretch.chunks.iter().zip(&parts) {
                    let span = pass.axis.span(chunk.chunk.first_row, chunk.chunk.images, false)?;
                    let inputs = (block_input(index, chunk.chunk.activations), layer.input_dot(chunk));
                    block.conv.tangent(recorder, span, inputs, layer.weights, part.input_dot).await?;
                    recorder.breathe().await?;
                }
                block.norm.tangent_sums(recorder, &parts, layer.context)?;
                for (chunk, part) in stretch.chunks.iter().zip(&parts) {
                    let output_dot = match chunk.tangents.pooled.get(index) {
                        Some(pooled) => (pooled, 0),
                        None => (embeddings_dot, chunk.chunk.first_row * self.dimension()),
                    };
                    block.norm.tangent(recorder, part, layer.context, output_dot)?;
                }
                recorder.breathe().await?;
            }
        }
        Ok(())
    }

    /// Back-propagates `d_embeddings` and its tangent `d_embeddings_dot`, both
    /// `[tasks · images, d]`, and adds the tangent of the gradient, H·v where the direction is v, to
    /// the flat `gradient_dot`, or to that of each task. The gradient itself is not formed.
    ///
    /// The chunks' tangents must be those of [`Conv4::tangent`] for the same chunks and direction.
    ///
    /// # Errors
    /// As [`Conv4::forward`].
    // Two vectors of rows, two of parameters, and the chunks: nothing of it belongs together.
    #[allow(clippy::too_many_arguments)]
    pub async fn backward_tangent(
        &self,
        recorder: &mut Recorder,
        pass: Pass<'_>,
        direction: Direction<'_>,
        chunks: &[TangentChunk<'_>],
        d_embeddings: &Buffer,
        d_embeddings_dot: &Buffer,
        gradient_dot: &Buffer,
    ) -> Result<(), GpuError> {
        let partials = &pass.scratch.weight_partials;
        for stretch in self.stretches(pass.axis, chunks, |chunk| &chunk.chunk)? {
            for (index, block) in self.blocks.iter().enumerate().rev() {
                let Some(layer) = Layer::new(index, pass, direction, stretch) else { return Ok(()) };
                let last = index + 1 == self.blocks.len();
                let parts = layer.parts(last.then_some((d_embeddings, d_embeddings_dot, self.dimension())));
                block.norm.backward_tangent(recorder, &parts, layer.context, gradient_dot)?;
                recorder.breathe().await?;
                for chunk in stretch.chunks {
                    let span = pass.axis.span(chunk.chunk.first_row, chunk.chunk.images, false)?;
                    let inputs = (block_input(index, chunk.chunk.activations), layer.input_dot(chunk));
                    let (gradients, gradients_dot) = (chunk.chunk.gradients, chunk.gradients_dot);
                    let d_outputs = (&gradients.convolved, &gradients_dot.convolved);
                    let target = GradientTarget { partials, gradient: gradient_dot };
                    block.conv.backward_weight_tangent(recorder, span, inputs, d_outputs, target)?;
                    recorder.breathe().await?;
                    if index > 0 {
                        let (weights, _) = layer.weights;
                        block.conv.backward_input(recorder, span, d_outputs.0, weights, &gradients.pooled).await?;
                        recorder.breathe().await?;
                        let d_input_dot = &gradients_dot.pooled;
                        let both = layer.weights;
                        block.conv.backward_input_tangent(recorder, span, d_outputs, both, d_input_dot).await?;
                        recorder.breathe().await?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// What one block's tangents of one stretch work on.
struct Layer<'c, 'b> {
    index: usize,
    chunks: &'c [TangentChunk<'b>],
    weights: (ConvWeights<'b>, ConvWeights<'b>),
    context: NormTangentContext<'b>,
}

impl<'c, 'b> Layer<'c, 'b> {
    fn new(
        index: usize,
        pass: Pass<'b>,
        direction: Direction<'b>,
        stretch: Stretch<'c, TangentChunk<'b>>,
    ) -> Option<Self> {
        let first = stretch.chunks.first()?;
        let scratch = direction.scratch;
        let primal = ConvWeights { parameters: pass.parameters, packed: pass.scratch.packed.get(index)? };
        let tangent = ConvWeights { parameters: direction.parameters, packed: scratch.packed.get(index)? };
        let context = NormTangentContext {
            primal: context(index, stretch.span, &first.chunk, pass)?,
            direction: direction.parameters,
            tangent_sums: first.tangents.sums.get(index)?,
            partials: &scratch.norm_partials,
            rows: &scratch.norm_rows,
        };
        Some(Self { index, chunks: stretch.chunks, weights: (primal, tangent), context })
    }

    /// The norm's view of the chunks; `top` is the embeddings' gradient, its tangent and d.
    fn parts(&self, top: Option<(&'b Buffer, &'b Buffer, u32)>) -> Vec<NormTangentPart<'b>> {
        let chunks: Vec<Chunk<'b>> = self.chunks.iter().map(|chunk| chunk.chunk).collect();
        let primal = parts(self.index, &chunks, top.map(|(rows, _, dimension)| (rows, dimension)));
        let both = self.chunks.iter().zip(primal);
        let part = |(chunk, part): (&TangentChunk<'b>, _)| {
            Some(NormTangentPart {
                part,
                input_dot: chunk.tangents.convolved.get(self.index)?,
                d_output_dot: top.map_or(&chunk.gradients_dot.pooled, |(_, rows_dot, _)| rows_dot),
                d_input_dot: &chunk.gradients_dot.convolved,
            })
        };
        both.filter_map(part).collect()
    }

    /// The tangent of the block's input; images have none.
    fn input_dot(&self, chunk: &TangentChunk<'b>) -> Option<&'b Buffer> {
        self.index.checked_sub(1).and_then(|below| chunk.tangents.pooled.get(below))
    }
}
