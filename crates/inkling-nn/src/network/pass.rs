//! Forward and backward passes, chunk by chunk, or several chunks of one task together where a norm
//! couples its images.

use inkling_gpu::{Buffer, GpuError, Recorder};

use super::memory::{Activations, Gradients, Packed, Scratch};
use super::{Layer, Network, Node};
use crate::axis::{Span, TaskAxis};
use crate::conv2d::{ConvWeights, GradientTarget, Write};
use crate::norm::{NormContext, NormPart, NormPool};
use crate::plain::PlainValues;

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
    /// Flat frozen parameters, shared by all tasks; none where the network has none.
    pub frozen: Option<&'b Buffer>,
    /// Flat running statistics, shared by all tasks.
    pub running: &'b Buffer,
    /// Scratch.
    pub scratch: &'b Scratch<Buffer>,
    /// The tasks of the pass.
    pub axis: TaskAxis,
}

impl<'b> Pass<'b> {
    /// The parameters of a node, and a span in which they are found.
    pub(super) fn of(&self, node: &Node, span: Span) -> (&'b Buffer, Span) {
        if node.trained { (self.parameters, span) } else { (self.frozen.unwrap_or(self.parameters), span.sharing()) }
    }
}

/// Chunks that nothing couples to the other chunks of their pass.
#[derive(Clone, Copy)]
pub(super) struct Stretch<'c, T> {
    pub chunks: &'c [T],
    pub span: Span,
}

impl Network {
    /// Makes the weights ready for passes, those of every task; call whenever they have changed.
    ///
    /// # Errors
    /// Device errors.
    pub fn prepare(&self, recorder: &mut Recorder, pass: Pass<'_>) -> Result<(), GpuError> {
        recorder.scope(self.prepare_scope());
        self.pack(recorder, pass, pass.parameters, &pass.scratch.packed)
    }

    /// Packs the weights of `trained`, a vector laid out like the parameters, and the frozen ones.
    pub(super) fn pack(
        &self,
        recorder: &mut Recorder,
        pass: Pass<'_>,
        trained: &Buffer,
        packed: &Packed<Buffer>,
    ) -> Result<(), GpuError> {
        let axis = pass.axis;
        let tasks = if axis.parameter_stride == 0 { 1 } else { axis.tasks };
        for (node, packed) in self.nodes.iter().zip(packed) {
            let (Layer::Conv(conv), Some(packed)) = (&node.layer, packed) else { continue };
            let (vector, tasks) = match pass.frozen {
                Some(frozen) if !node.trained => (frozen, (1, 0)),
                _ => (trained, (tasks, axis.parameter_stride)),
            };
            conv.pack(recorder, vector, tasks, packed)?;
        }
        Ok(())
    }

    /// The chunks of a pass, grouped so that no group depends on another: where the norm couples
    /// images, several parts of one task are one group.
    pub(super) fn stretches<'c, 'b: 'c, T>(
        &self,
        axis: TaskAxis,
        chunks: &'c [T],
        chunk: impl Fn(&'c T) -> &'c Chunk<'b>,
    ) -> Result<Vec<Stretch<'c, T>>, GpuError> {
        let coupled = self.couples_images();
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
            for number in 0..self.nodes.len() {
                recorder.scope(self.forward_scope(number));
                self.forward_node(recorder, number, pass, stretch, embeddings).await?;
            }
        }
        Ok(())
    }

    async fn forward_node(
        &self,
        recorder: &mut Recorder,
        number: usize,
        pass: Pass<'_>,
        stretch: Stretch<'_, Chunk<'_>>,
        embeddings: &Buffer,
    ) -> Result<(), GpuError> {
        let Some(node) = self.nodes.get(number) else { return Ok(()) };
        if let Layer::Norm(norm) = &node.layer {
            return self.forward_norm(recorder, (number, norm), pass, stretch, embeddings).await;
        }
        for chunk in stretch.chunks {
            let values = chunk.activations;
            let (Some(input), Some((output, offset))) =
                (values.value(node.input()), self.output(number, chunk, |value| values.value(value), embeddings))
            else {
                continue;
            };
            let (parameters, span) = pass.of(node, pass.axis.span(chunk.first_row, chunk.images, false)?);
            match &node.layer {
                Layer::Conv(conv) => {
                    let Some(packed) = packed(&pass.scratch.packed, number) else { continue };
                    conv.forward(recorder, span, input, ConvWeights { parameters, packed }, output).await?;
                }
                Layer::Depthwise(conv) => {
                    conv.forward(recorder, span, input, parameters, (output, Write::Replace))?;
                }
                Layer::Sum(sum) => {
                    let Some(second) = node.inputs.get(1).and_then(|&value| values.value(value)) else { continue };
                    sum.forward(recorder, chunk.images, [input, second], output)?;
                }
                Layer::AveragePool(pool) => pool.forward(recorder, chunk.images, input, (output, offset))?,
                Layer::Plain(plain) => {
                    let second = node.inputs.get(1).and_then(|&value| values.value(value)).unwrap_or(input);
                    plain.forward(recorder, chunk.images, ([input, second], values.keys.as_ref()), output)?;
                }
                Layer::Norm(_) => {}
            }
            recorder.breathe().await?;
        }
        Ok(())
    }

    async fn forward_norm(
        &self,
        recorder: &mut Recorder,
        (number, norm): (usize, &NormPool),
        pass: Pass<'_>,
        stretch: Stretch<'_, Chunk<'_>>,
        embeddings: &Buffer,
    ) -> Result<(), GpuError> {
        let Some(context) = stretch.chunks.first().and_then(|chunk| self.context(number, stretch.span, chunk, pass))
        else {
            return Ok(());
        };
        norm.statistics(recorder, &self.parts(number, stretch.chunks, embeddings), context, pass.running)?;
        for chunk in stretch.chunks {
            let values = chunk.activations;
            let output = self.output(number, chunk, |value| values.value(value), embeddings);
            if let (Some(input), Some(output)) = (values.value(self.input_of(number)), output) {
                norm.forward(recorder, chunk.images, input, context, output)?;
            }
        }
        recorder.breathe().await
    }

    /// Back-propagates `d_embeddings` `[tasks · images, d]` through a pass, adding to the flat
    /// `gradient`, or to that of each task.
    ///
    /// The chunks' activations must be those of [`Network::forward`] for the same chunks.
    ///
    /// # Errors
    /// As [`Network::forward`].
    pub async fn backward(
        &self,
        recorder: &mut Recorder,
        pass: Pass<'_>,
        chunks: &[Chunk<'_>],
        d_embeddings: &Buffer,
        gradient: &Buffer,
    ) -> Result<(), GpuError> {
        for stretch in self.stretches(pass.axis, chunks, |chunk| chunk)? {
            for number in (0..self.nodes.len()).rev().filter(|&number| self.is_reached(number + 1)) {
                recorder.scope(self.backward_scope(number));
                self.backward_node(recorder, number, pass, stretch, (d_embeddings, gradient)).await?;
            }
        }
        Ok(())
    }

    async fn backward_node(
        &self,
        recorder: &mut Recorder,
        number: usize,
        pass: Pass<'_>,
        stretch: Stretch<'_, Chunk<'_>>,
        (d_embeddings, gradient): (&Buffer, &Buffer),
    ) -> Result<(), GpuError> {
        let Some(node) = self.nodes.get(number) else { return Ok(()) };
        if let Layer::Norm(norm) = &node.layer {
            let Some(context) =
                stretch.chunks.first().and_then(|chunk| self.context(number, stretch.span, chunk, pass))
            else {
                return Ok(());
            };
            let parts = self.parts(number, stretch.chunks, d_embeddings);
            norm.backward(recorder, &parts, context, node.trained.then_some(gradient))?;
            return recorder.breathe().await;
        }
        for chunk in stretch.chunks {
            let d_output = self.output(number, chunk, |value| chunk.gradients.value(value), d_embeddings);
            let Some((d_output, offset)) = d_output else { continue };
            let d_input = chunk.gradients.value(node.input());
            let (parameters, span) = pass.of(node, pass.axis.span(chunk.first_row, chunk.images, false)?);
            let input = chunk.activations.value(node.input()).filter(|_| node.trained);
            let target = GradientTarget { partials: &pass.scratch.weight_partials, gradient };
            let write = self.write_of_gradient(number);
            match &node.layer {
                Layer::Conv(conv) => {
                    if let Some(input) = input {
                        conv.backward_weight(recorder, span, input, d_output, target)?;
                        recorder.breathe().await?;
                    }
                    if let (Some(d_input), Some(packed)) = (d_input, packed(&pass.scratch.packed, number)) {
                        let weights = ConvWeights { parameters, packed };
                        conv.backward_input(recorder, span, d_output, weights, (d_input, write)).await?;
                    }
                }
                Layer::Depthwise(conv) => {
                    if let Some(input) = input {
                        conv.backward_weight(recorder, span, input, d_output, target)?;
                        recorder.breathe().await?;
                    }
                    if let Some(d_input) = d_input {
                        conv.backward_input(recorder, span, d_output, parameters, (d_input, write))?;
                    }
                }
                Layer::AveragePool(pool) => {
                    if let Some(d_input) = d_input {
                        pool.backward(recorder, chunk.images, (d_output, offset), (d_input, write))?;
                    }
                }
                Layer::Plain(plain) => {
                    let value = |value: &usize| chunk.activations.value(*value);
                    let second = node.inputs.get(1);
                    let inputs = [value(&node.input()), second.and_then(value)];
                    let output = value(&(number + 1));
                    let d_inputs = [d_input, second.and_then(|&value| chunk.gradients.value(value))];
                    let keys = chunk.activations.keys.as_ref();
                    let values = PlainValues { inputs, output, keys, d_output };
                    plain.backward(recorder, chunk.images, values, d_inputs)?;
                }
                // The summands' gradients are that of the sum, and in the same buffer.
                Layer::Sum(_) | Layer::Norm(_) => {}
            }
            recorder.breathe().await?;
        }
        Ok(())
    }

    /// A layer whose input is read further on as well adds to that reader's gradient.
    pub(super) fn write_of_gradient(&self, number: usize) -> Write {
        let input = self.input_of(number);
        let is_read_later = self.nodes.iter().skip(number + 1).any(|node| node.inputs.contains(&input));
        if is_read_later { Write::Add } else { Write::Replace }
    }

    pub(super) fn input_of(&self, number: usize) -> usize {
        self.nodes.get(number).map_or(0, Node::input)
    }

    /// Where what belongs to a node's output lies: in a buffer of the chunk, or, for the last node,
    /// in its rows of `rows`.
    pub(super) fn output<'v>(
        &self,
        number: usize,
        chunk: &Chunk<'_>,
        value: impl Fn(usize) -> Option<&'v Buffer>,
        rows: &'v Buffer,
    ) -> Option<(&'v Buffer, u32)> {
        if number + 1 == self.nodes.len() {
            Some((rows, chunk.first_row * self.dimension()))
        } else {
            value(number + 1).map(|buffer| (buffer, 0))
        }
    }

    /// A norm's view of the chunks; `rows` holds the gradient of the embeddings.
    pub(super) fn parts<'b>(&self, number: usize, chunks: &[Chunk<'b>], rows: &'b Buffer) -> Vec<NormPart<'b>> {
        let mut first = 0;
        let mut parts = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            let input_value = self.input_of(number);
            let Some(input) = chunk.activations.value(input_value) else { continue };
            // A forward pass has no gradients, and reads none.
            let d_output = self.output(number, chunk, |value| chunk.gradients.value(value), rows);
            let (d_output, d_output_offset) = d_output.unwrap_or((input, 0));
            let d_input = chunk.gradients.value(input_value);
            parts.push(NormPart { images: chunk.images, first, input, d_output, d_output_offset, d_input });
            first += chunk.images;
        }
        parts
    }

    /// Several parts of one task keep their statistics with the first chunk.
    pub(super) fn context<'b>(
        &self,
        number: usize,
        span: Span,
        first: &Chunk<'b>,
        pass: Pass<'b>,
    ) -> Option<NormContext<'b>> {
        let (parameters, span) = pass.of(self.nodes.get(number)?, span);
        Some(NormContext {
            span,
            parameters,
            statistics: first.activations.statistics(number)?,
            partials: &pass.scratch.norm_partials,
            row_sums: &pass.scratch.row_sums,
        })
    }
}

/// The packed weights of a node.
pub(super) fn packed(packed: &Packed<Buffer>, number: usize) -> Option<&crate::conv2d::PackedWeights<Buffer>> {
    packed.get(number)?.as_ref()
}
