//! Exact Hessian-vector products of a network by forward over reverse (the R-operator, Pearlmutter
//! 1994): the tangent of the forward pass along a direction v, and the tangent of the backward
//! pass, whose weight part is H·v. What loss stands above the embeddings is left to the learner.
//!
//! For one product: `forward`, then [`Network::tangent`], then the loss's tangents, then
//! [`Network::backward_tangent`], chunk by chunk or all at once; about eight forward passes' worth
//! of arithmetic.

use inkling_gpu::{Buffer, GpuError, Recorder};

use super::memory::{DirectionScratch, Gradients, Tangents};
use super::pass::{Chunk, Pass, Stretch, packed};
use super::{Layer, Network, Node};
use crate::conv2d::{Conv2d, ConvWeights, GradientTarget, Write};
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

/// A gradient of the embeddings, its tangent, and where the tangent of the parameters' gradient
/// goes.
#[derive(Clone, Copy)]
struct Rows<'b> {
    d_embeddings: &'b Buffer,
    d_embeddings_dot: &'b Buffer,
    gradient_dot: &'b Buffer,
}

impl Network {
    /// Refuses networks with layers whose tangents are not there.
    ///
    /// # Errors
    /// The name of the first such layer.
    pub fn check_tangents(&self) -> Result<(), &str> {
        let lacking = |node: &&Node| match &node.layer {
            Layer::Conv(_) | Layer::Norm(_) => !node.trained,
            Layer::Depthwise(_) | Layer::Sum(_) | Layer::AveragePool(_) | Layer::Plain(_) => true,
        };
        self.nodes.iter().find(lacking).map_or(Ok(()), |node| Err(&node.name))
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
    /// parameters, and keep what tangents need.
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
        for stretch in self.stretches(pass.axis, chunks, |chunk| &chunk.chunk)? {
            for (number, node) in self.nodes.iter().enumerate() {
                match &node.layer {
                    Layer::Conv(conv) => {
                        let Some(weights) = both_weights(number, pass, direction) else { continue };
                        for chunk in stretch.chunks {
                            self.tangent_of_conv(recorder, (number, conv), pass, weights, chunk).await?;
                        }
                    }
                    Layer::Norm(norm) => {
                        let layer = (number, norm);
                        self.tangent_of_norm(recorder, layer, pass, direction, stretch, embeddings_dot).await?;
                    }
                    Layer::Depthwise(_) | Layer::Sum(_) | Layer::AveragePool(_) | Layer::Plain(_) => {}
                }
            }
        }
        Ok(())
    }

    async fn tangent_of_conv(
        &self,
        recorder: &mut Recorder,
        (number, conv): (usize, &Conv2d),
        pass: Pass<'_>,
        weights: (ConvWeights<'_>, ConvWeights<'_>),
        chunk: &TangentChunk<'_>,
    ) -> Result<(), GpuError> {
        let input = self.input_of(number);
        let span = pass.axis.span(chunk.chunk.first_row, chunk.chunk.images, false)?;
        let (Some(value), Some(output_dot)) = (chunk.chunk.activations.value(input), chunk.tangents.value(number + 1))
        else {
            return Ok(());
        };
        conv.tangent(recorder, span, (value, chunk.tangents.value(input)), weights, output_dot).await?;
        recorder.breathe().await
    }

    async fn tangent_of_norm(
        &self,
        recorder: &mut Recorder,
        (number, norm): (usize, &NormPool),
        pass: Pass<'_>,
        direction: Direction<'_>,
        stretch: Stretch<'_, TangentChunk<'_>>,
        embeddings_dot: &Buffer,
    ) -> Result<(), GpuError> {
        let Some(context) = self.tangent_context(number, pass, direction, stretch) else { return Ok(()) };
        let parts = self.tangent_parts(number, stretch.chunks, (embeddings_dot, embeddings_dot));
        norm.tangent_sums(recorder, &parts, context)?;
        for (chunk, part) in stretch.chunks.iter().zip(&parts) {
            let output = self.output(number, &chunk.chunk, |value| chunk.tangents.value(value), embeddings_dot);
            if let Some(output_dot) = output {
                norm.tangent(recorder, part, context, output_dot)?;
            }
        }
        recorder.breathe().await
    }

    /// Back-propagates `d_embeddings` and its tangent `d_embeddings_dot`, both
    /// `[tasks · images, d]`, and adds the tangent of the gradient, H·v where the direction is v, to
    /// the flat `gradient_dot`, or to that of each task. The gradient itself is not formed.
    ///
    /// The chunks' tangents must be those of [`Network::tangent`] for the same chunks and direction.
    ///
    /// # Errors
    /// As [`Network::forward`].
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
        let rows = Rows { d_embeddings, d_embeddings_dot, gradient_dot };
        for stretch in self.stretches(pass.axis, chunks, |chunk| &chunk.chunk)? {
            for (number, node) in self.nodes.iter().enumerate().rev() {
                match &node.layer {
                    Layer::Conv(conv) => {
                        let Some(weights) = both_weights(number, pass, direction) else { continue };
                        for chunk in stretch.chunks {
                            let layer = (number, conv);
                            self.backward_tangent_of_conv(recorder, layer, pass, weights, (chunk, rows)).await?;
                        }
                    }
                    Layer::Norm(norm) => {
                        let Some(context) = self.tangent_context(number, pass, direction, stretch) else { continue };
                        let both = (rows.d_embeddings, rows.d_embeddings_dot);
                        let parts = self.tangent_parts(number, stretch.chunks, both);
                        norm.backward_tangent(recorder, &parts, context, gradient_dot)?;
                        recorder.breathe().await?;
                    }
                    Layer::Depthwise(_) | Layer::Sum(_) | Layer::AveragePool(_) | Layer::Plain(_) => {}
                }
            }
        }
        Ok(())
    }

    async fn backward_tangent_of_conv(
        &self,
        recorder: &mut Recorder,
        (number, conv): (usize, &Conv2d),
        pass: Pass<'_>,
        weights: (ConvWeights<'_>, ConvWeights<'_>),
        (chunk, rows): (&TangentChunk<'_>, Rows<'_>),
    ) -> Result<(), GpuError> {
        let (input, output) = (self.input_of(number), number + 1);
        let span = pass.axis.span(chunk.chunk.first_row, chunk.chunk.images, false)?;
        let (gradients, gradients_dot) = (chunk.chunk.gradients, chunk.gradients_dot);
        let (Some(value), Some(d_output), Some(d_output_dot)) =
            (chunk.chunk.activations.value(input), gradients.value(output), gradients_dot.value(output))
        else {
            return Ok(());
        };
        let target = GradientTarget { partials: &pass.scratch.weight_partials, gradient: rows.gradient_dot };
        let inputs = (value, chunk.tangents.value(input));
        conv.backward_weight_tangent(recorder, span, inputs, (d_output, d_output_dot), target)?;
        recorder.breathe().await?;
        if let (Some(d_input), Some(d_input_dot)) = (gradients.value(input), gradients_dot.value(input)) {
            conv.backward_input(recorder, span, d_output, weights.0, (d_input, Write::Replace)).await?;
            recorder.breathe().await?;
            conv.backward_input_tangent(recorder, span, (d_output, d_output_dot), weights, d_input_dot).await?;
            recorder.breathe().await?;
        }
        Ok(())
    }

    /// A norm's view of the chunks; `rows` holds the embeddings' gradient and its tangent.
    fn tangent_parts<'b>(
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
            Some(NormTangentPart {
                part,
                input_dot: chunk.tangents.value(input)?,
                d_output_dot,
                d_input_dot: dots.value(input)?,
            })
        };
        both.filter_map(part).collect()
    }

    fn tangent_context<'b>(
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

/// A convolution's weights and those of the direction.
fn both_weights<'b>(
    number: usize,
    pass: Pass<'b>,
    direction: Direction<'b>,
) -> Option<(ConvWeights<'b>, ConvWeights<'b>)> {
    let primal = ConvWeights { parameters: pass.parameters, packed: packed(&pass.scratch.packed, number)? };
    let tangent = ConvWeights { parameters: direction.parameters, packed: packed(&direction.scratch.packed, number)? };
    Some((primal, tangent))
}
