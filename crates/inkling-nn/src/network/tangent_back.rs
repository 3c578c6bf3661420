//! The way back of a Hessian-vector product: gradients of the values and their tangents travel
//! together, and leave behind the tangent of the parameters' gradient.

use inkling_gpu::{Buffer, GpuError, Recorder};

use super::pass::{Pass, Stretch};
use super::tangent::{Direction, TangentChunk, both_weights};
use super::{Layer, Network, Node};
use crate::conv2d::{Conv2d, GradientTarget};
use crate::depthwise::Depthwise;
use crate::norm::{NormPart, NormPool};
use crate::plain::{Plain, PlainValues};
use crate::plain_tangent::PlainTangents;

/// A gradient of the embeddings, its tangent, and where the tangent of the parameters' gradient
/// goes.
#[derive(Clone, Copy)]
struct Rows<'b> {
    d_embeddings: &'b Buffer,
    d_embeddings_dot: &'b Buffer,
    gradient_dot: &'b Buffer,
}

/// The gradient of a layer's output, and its tangent.
#[derive(Clone, Copy)]
struct Outputs<'b> {
    d_output: &'b Buffer,
    d_output_dot: &'b Buffer,
}

impl Network {
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
                if !self.is_reached(number + 1) {
                    continue;
                }
                if let Layer::Norm(norm) = &node.layer {
                    self.back_through_norm(recorder, (number, node, norm), pass, direction, (stretch, rows))?;
                    recorder.breathe().await?;
                    continue;
                }
                for chunk in stretch.chunks {
                    self.back_through(recorder, (number, node), pass, direction, (chunk, rows)).await?;
                    recorder.breathe().await?;
                }
            }
        }
        Ok(())
    }

    fn back_through_norm(
        &self,
        recorder: &mut Recorder,
        (number, node, norm): (usize, &Node, &NormPool),
        pass: Pass<'_>,
        direction: Direction<'_>,
        (stretch, rows): (Stretch<'_, TangentChunk<'_>>, Rows<'_>),
    ) -> Result<(), GpuError> {
        let Some(context) = self.tangent_context(number, pass, direction, stretch) else { return Ok(()) };
        let parts = self.tangent_parts(number, stretch.chunks, (rows.d_embeddings, rows.d_embeddings_dot));
        if node.trained {
            return norm.backward_tangent(recorder, &parts, context, rows.gradient_dot);
        }
        // Linear where its activation is open: gradient and tangent take the same way.
        for part in &parts {
            let (primal, context) = (part.part, context.primal);
            let tangent = NormPart { d_output: part.d_output_dot, d_input: part.d_input_dot, ..primal };
            norm.backward(recorder, &[primal], context, None)?;
            norm.backward(recorder, &[tangent], context, None)?;
        }
        Ok(())
    }

    /// The way back through any layer but a norm.
    async fn back_through(
        &self,
        recorder: &mut Recorder,
        (number, node): (usize, &Node),
        pass: Pass<'_>,
        direction: Direction<'_>,
        (chunk, rows): (&TangentChunk<'_>, Rows<'_>),
    ) -> Result<(), GpuError> {
        let (gradients, gradients_dot) = (chunk.chunk.gradients, chunk.gradients_dot);
        let d_output = self.output(number, &chunk.chunk, |value| gradients.value(value), rows.d_embeddings);
        let d_output_dot = self.output(number, &chunk.chunk, |value| gradients_dot.value(value), rows.d_embeddings_dot);
        let (Some((d_output, offset)), Some((d_output_dot, _))) = (d_output, d_output_dot) else { return Ok(()) };
        let outputs = Outputs { d_output, d_output_dot };
        match &node.layer {
            Layer::Conv(conv) => {
                let layer = (number, node, conv);
                self.back_through_conv(recorder, layer, pass, direction, (chunk, outputs, rows.gradient_dot)).await
            }
            Layer::Depthwise(conv) => {
                let layer = (number, node, conv);
                self.back_through_depthwise(recorder, layer, pass, direction, (chunk, outputs, rows.gradient_dot))
            }
            Layer::AveragePool(pool) => {
                let (images, write) = (chunk.chunk.images, self.write_of_gradient(number));
                let both =
                    [(d_output, gradients.value(node.input())), (d_output_dot, gradients_dot.value(node.input()))];
                both.into_iter().try_for_each(|(from, to)| match to {
                    Some(to) => pool.backward(recorder, images, (from, offset), (to, write)),
                    None => Ok(()),
                })
            }
            Layer::Plain(plain) => self.back_through_plain(recorder, (number, node, plain), chunk, outputs),
            // The summands' gradients are that of the sum, and in the same buffer.
            Layer::Sum(_) | Layer::Norm(_) => Ok(()),
        }
    }

    async fn back_through_conv(
        &self,
        recorder: &mut Recorder,
        (number, node, conv): (usize, &Node, &Conv2d),
        pass: Pass<'_>,
        direction: Direction<'_>,
        (chunk, outputs, gradient): (&TangentChunk<'_>, Outputs<'_>, &Buffer),
    ) -> Result<(), GpuError> {
        let Some(weights) = both_weights((number, node), pass, direction) else { return Ok(()) };
        let (_, span) = pass.of(node, pass.axis.span(chunk.chunk.first_row, chunk.chunk.images, false)?);
        let (input, write, Outputs { d_output, d_output_dot }) =
            (node.input(), self.write_of_gradient(number), outputs);
        if let Some(value) = chunk.chunk.activations.value(input).filter(|_| node.trained) {
            let target = GradientTarget { partials: &pass.scratch.weight_partials, gradient };
            let inputs = (value, chunk.tangents.value(input));
            conv.backward_weight_tangent(recorder, span, inputs, (d_output, d_output_dot), target)?;
            recorder.breathe().await?;
        }
        let (gradients, gradients_dot) = (chunk.chunk.gradients, chunk.gradients_dot);
        if let (Some(d_input), Some(d_input_dot)) = (gradients.value(input), gradients_dot.value(input)) {
            conv.backward_input(recorder, span, d_output, weights.0, (d_input, write)).await?;
            recorder.breathe().await?;
            let both = (d_output, d_output_dot);
            conv.backward_input_tangent(recorder, span, both, weights, (d_input_dot, write)).await?;
        }
        Ok(())
    }

    fn back_through_depthwise(
        &self,
        recorder: &mut Recorder,
        (number, node, conv): (usize, &Node, &Depthwise),
        pass: Pass<'_>,
        direction: Direction<'_>,
        (chunk, outputs, gradient): (&TangentChunk<'_>, Outputs<'_>, &Buffer),
    ) -> Result<(), GpuError> {
        let (parameters, span) = pass.of(node, pass.axis.span(chunk.chunk.first_row, chunk.chunk.images, false)?);
        let (input, write, Outputs { d_output, d_output_dot }) =
            (node.input(), self.write_of_gradient(number), outputs);
        if let Some(value) = chunk.chunk.activations.value(input).filter(|_| node.trained) {
            let target = GradientTarget { partials: &pass.scratch.weight_partials, gradient };
            let inputs = (value, chunk.tangents.value(input));
            conv.backward_weight_tangent(recorder, span, inputs, (d_output, d_output_dot), target)?;
        }
        let (gradients, gradients_dot) = (chunk.chunk.gradients, chunk.gradients_dot);
        if let (Some(d_input), Some(d_input_dot)) = (gradients.value(input), gradients_dot.value(input)) {
            let vectors = (parameters, node.trained.then_some(direction.parameters));
            conv.backward_input(recorder, span, d_output, parameters, (d_input, write))?;
            conv.backward_input_tangent(recorder, span, (d_output, d_output_dot), vectors, (d_input_dot, write))?;
        }
        Ok(())
    }

    fn back_through_plain(
        &self,
        recorder: &mut Recorder,
        (number, node, plain): (usize, &Node, &Plain),
        chunk: &TangentChunk<'_>,
        Outputs { d_output, d_output_dot }: Outputs<'_>,
    ) -> Result<(), GpuError> {
        let (images, values) = (chunk.chunk.images, chunk.chunk.activations);
        let first = Some(node.input());
        let numbers = [first, node.inputs.get(1).copied()];
        let values = PlainValues {
            inputs: numbers.map(|value| values.value(value?)),
            output: values.value(number + 1),
            keys: values.keys.as_ref(),
            d_output,
        };
        let tangents =
            PlainTangents { inputs: numbers.map(|value| chunk.tangents.value(value?)), d_output: d_output_dot };
        let (gradients, gradients_dot) = (chunk.chunk.gradients, chunk.gradients_dot);
        plain.backward(recorder, images, values, numbers.map(|value| gradients.value(value?)))?;
        plain.backward_tangent(recorder, images, values, tangents, numbers.map(|value| gradients_dot.value(value?)))
    }
}
