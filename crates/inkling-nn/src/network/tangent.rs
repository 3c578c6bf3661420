//! Exact Hessian-vector products of a network by forward over reverse (the R-operator, Pearlmutter
//! 1994): the tangent of the forward pass along a direction v, and the tangent of the backward
//! pass (`tangent_back.rs`), whose weight part is H·v. What loss stands above the embeddings is left
//! to the learner.
//!
//! For one product: `forward`, then [`Network::tangent`], then the loss's tangents, then
//! [`Network::backward_tangent`], chunk by chunk or all at once; about eight forward passes' worth
//! of arithmetic. Most layers are linear in each of their inputs: their tangents are launches of their
//! own kernels.

use inkling_gpu::{Buffer, GpuError, Recorder};

use super::memory::{DirectionScratch, Gradients, Tangents};
use super::pass::{Chunk, Pass, Stretch, packed};
use super::{Layer, Network, Node};
use crate::conv2d::ConvWeights;
use crate::norm::NormPool;
use crate::norm_tangent::{NormTangentContext, NormTangentPart};

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

impl Network {
    /// Refuses networks with layers whose tangents are not there: norms that take statistics from the
    /// images, or pool, and whose scale and shift are not trained where something before them is. No
    /// choice of what is trained leaves such but that of FiLM, which no learner of the whole network
    /// takes.
    ///
    /// # Errors
    /// The name of the first such layer.
    pub fn check_tangents(&self) -> Result<(), &str> {
        let lacks = |(number, node): &(usize, &Node)| match &node.layer {
            Layer::Norm(norm) => self.is_reached(number + 1) && !node.trained && !norm.is_linear_when_frozen(),
            _ => false,
        };
        self.nodes.iter().enumerate().find(lacks).map_or(Ok(()), |(_, node)| Err(&node.name))
    }

    /// Makes the direction ready for products; call whenever it has changed.
    ///
    /// # Errors
    /// Device errors.
    pub fn prepare_direction(
        &self,
        recorder: &mut Recorder,
        pass: Pass<'_>,
        direction: Direction<'_>,
    ) -> Result<(), GpuError> {
        self.pack(recorder, pass, direction.parameters, &direction.scratch.packed)
    }

    /// Writes the tangent of the embeddings along `direction`, `[tasks · images, d]`: each chunk
    /// writes its rows.
    ///
    /// The chunks' activations must be those of [`Network::forward`] for the same chunks and
    /// parameters, and keep what gradients need.
    ///
    /// # Errors
    /// As [`Network::forward`].
    pub async fn tangent(
        &self,
        recorder: &mut Recorder,
        pass: Pass<'_>,
        direction: Direction<'_>,
        chunks: &[TangentChunk<'_>],
        embeddings_dot: &Buffer,
    ) -> Result<(), GpuError> {
        if !self.is_reached(self.nodes.len()) {
            recorder.clear(embeddings_dot.all());
            return Ok(());
        }
        chunks.iter().flat_map(|chunk| chunk.tangents.zeros()).for_each(|zeros| recorder.clear(zeros.all()));
        for stretch in self.stretches(pass.axis, chunks, |chunk| &chunk.chunk)? {
            for (number, node) in self.nodes.iter().enumerate() {
                if !self.is_reached(number + 1) {
                    continue;
                }
                if let Layer::Norm(norm) = &node.layer {
                    let layer = (number, node, norm);
                    self.tangent_of_norm(recorder, layer, pass, direction, stretch, embeddings_dot).await?;
                    continue;
                }
                for chunk in stretch.chunks {
                    self.tangent_of(recorder, (number, node), pass, direction, (chunk, embeddings_dot)).await?;
                    recorder.breathe().await?;
                }
            }
        }
        Ok(())
    }

    /// The tangent of any layer but a norm.
    async fn tangent_of(
        &self,
        recorder: &mut Recorder,
        (number, node): (usize, &Node),
        pass: Pass<'_>,
        direction: Direction<'_>,
        (chunk, embeddings_dot): (&TangentChunk<'_>, &Buffer),
    ) -> Result<(), GpuError> {
        let (values, tangents, images) = (chunk.chunk.activations, chunk.tangents, chunk.chunk.images);
        let output = self.output(number, &chunk.chunk, |value| tangents.value(value), embeddings_dot);
        let Some((output_dot, offset)) = output else { return Ok(()) };
        let (parameters, span) = pass.of(node, pass.axis.span(chunk.chunk.first_row, images, false)?);
        let second = node.inputs.get(1).copied().unwrap_or(node.input());
        let input_dot = tangents.value(node.input());
        match (&node.layer, input_dot, tangents.value(second)) {
            (Layer::Conv(conv), _, _) => {
                let (Some(input), Some((weights, along))) =
                    (values.value(node.input()), both_weights((number, node), pass, direction))
                else {
                    return Ok(());
                };
                conv.tangent(recorder, span, (input, input_dot), (weights, along), output_dot).await
            }
            (Layer::Depthwise(conv), _, _) => {
                let Some(input) = values.value(node.input()) else { return Ok(()) };
                let vectors = (parameters, node.trained.then_some(direction.parameters));
                conv.tangent(recorder, span, (input, input_dot), vectors, output_dot)
            }
            (Layer::Sum(sum), Some(first), Some(second)) => sum.forward(recorder, images, [first, second], output_dot),
            (Layer::AveragePool(pool), Some(input_dot), _) => {
                pool.forward(recorder, images, input_dot, (output_dot, offset))
            }
            (Layer::Plain(plain), Some(first), Some(second_dot)) => {
                let inputs = [node.input(), second].map(|value| values.value(value));
                let kept = (inputs, values.value(number + 1), values.keys.as_ref());
                plain.tangent(recorder, images, kept, [first, second_dot], output_dot)
            }
            (Layer::Sum(_) | Layer::AveragePool(_) | Layer::Plain(_) | Layer::Norm(_), _, _) => Ok(()),
        }
    }

    async fn tangent_of_norm(
        &self,
        recorder: &mut Recorder,
        (number, node, norm): (usize, &Node, &NormPool),
        pass: Pass<'_>,
        direction: Direction<'_>,
        stretch: Stretch<'_, TangentChunk<'_>>,
        embeddings_dot: &Buffer,
    ) -> Result<(), GpuError> {
        let Some(context) = self.tangent_context(number, pass, direction, stretch) else { return Ok(()) };
        let parts = self.tangent_parts(number, stretch.chunks, (embeddings_dot, embeddings_dot));
        if node.trained {
            norm.tangent_sums(recorder, &parts, context)?;
        }
        for (chunk, part) in stretch.chunks.iter().zip(&parts) {
            let output = self.output(number, &chunk.chunk, |value| chunk.tangents.value(value), embeddings_dot);
            let Some((output_dot, offset)) = output else { continue };
            if node.trained {
                norm.tangent(recorder, part, context, (output_dot, offset))?;
            } else {
                norm.frozen_tangent(recorder, &part.part, context.primal, (part.input_dot, output_dot))?;
            }
        }
        recorder.breathe().await
    }

    /// A norm's view of the chunks; `rows` holds the embeddings' gradient and its tangent.
    pub(super) fn tangent_parts<'b>(
        &self,
        number: usize,
        chunks: &[TangentChunk<'b>],
        (rows, rows_dot): (&'b Buffer, &'b Buffer),
    ) -> Vec<NormTangentPart<'b>> {
        let primal: Vec<Chunk<'b>> = chunks.iter().map(|chunk| chunk.chunk).collect();
        let both = chunks.iter().zip(self.parts(number, &primal, rows));
        let input = self.input_of(number);
        let part = |(chunk, part): (&TangentChunk<'b>, _)| {
            let dots = chunk.gradients_dot;
            let (d_output_dot, _) = self.output(number, &chunk.chunk, |value| dots.value(value), rows_dot)?;
            let (input_dot, d_input_dot) = (chunk.tangents.value(input)?, dots.value(input));
            Some(NormTangentPart { part, input_dot, d_output_dot, d_input_dot })
        };
        both.filter_map(part).collect()
    }

    pub(super) fn tangent_context<'b>(
        &self,
        number: usize,
        pass: Pass<'b>,
        direction: Direction<'b>,
        stretch: Stretch<'_, TangentChunk<'b>>,
    ) -> Option<NormTangentContext<'b>> {
        let first = stretch.chunks.first()?;
        Some(NormTangentContext {
            primal: self.context(number, stretch.span, &first.chunk, pass)?,
            direction: direction.parameters,
            tangent_sums: first.tangents.sums(number)?,
            partials: &direction.scratch.norm_partials,
            rows: &direction.scratch.norm_rows,
        })
    }
}

/// A convolution's weights and, where they have a tangent, those of the direction.
pub(super) fn both_weights<'b>(
    (number, node): (usize, &Node),
    pass: Pass<'b>,
    direction: Direction<'b>,
) -> Option<(ConvWeights<'b>, Option<ConvWeights<'b>>)> {
    let parameters = if node.trained { pass.parameters } else { pass.frozen.unwrap_or(pass.parameters) };
    let primal = ConvWeights { parameters, packed: packed(&pass.scratch.packed, number)? };
    let along = packed(&direction.scratch.packed, number)
        .map(|packed| ConvWeights { parameters: direction.parameters, packed });
    Some((primal, along))
}
