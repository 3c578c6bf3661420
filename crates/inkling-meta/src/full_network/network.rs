//! The tasks of one pass in the network with their own parameters: forward, backward, and the
//! product of the support loss's Hessian with a direction.

use std::cell::{Cell, RefCell};

use inkling_gpu::kernels::softmax_cross_entropy;
use inkling_gpu::{Buffer, Recorder};
use inkling_nn::{Chunk, Direction, Pass, Rows, TangentChunk, TaskAxis, softmax_cross_entropy_tangent};

use super::model::FullNetworkModel;
use super::sizes::{Group, Sizes};
use super::workspace::{FullNetworkWorkspace, Room};
use crate::images::{Half, Loader, Place};
use crate::model::Model;
use crate::{MetaError, Task};

/// What the rooms hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    half: Half,
    first: u32,
    each: u32,
    /// Whether the activations are those of the present parameters.
    forwarded: bool,
}

/// The tasks of one pass at work.
pub(crate) struct Adapting<'l> {
    pub(crate) model: &'l Model,
    pub(crate) full: &'l FullNetworkModel,
    pub(crate) sizes: &'l Sizes,
    pub(crate) workspace: &'l FullNetworkWorkspace<Buffer>,
    pub(crate) tasks: &'l [Task<'l>],
    /// Number of the first task, and of its first query, among those of the step.
    pub(crate) first_task: u32,
    pub(crate) first_outcome: u32,
    held: Cell<Option<Held>>,
    /// Support images of which the loss is the mean.
    pub(crate) batch: Cell<u32>,
    /// The support images that groups number, where not in their own order.
    order: RefCell<Vec<u32>>,
}

impl<'l> Adapting<'l> {
    pub(crate) fn new(
        (model, full, sizes): (&'l Model, &'l FullNetworkModel, &'l Sizes),
        workspace: &'l FullNetworkWorkspace<Buffer>,
        tasks: &'l [Task<'l>],
        (first_task, first_outcome): (u32, u32),
    ) -> Self {
        let support = tasks.first().map_or(0, |task| task.support_labels.len() as u32);
        Self {
            model,
            full,
            sizes,
            workspace,
            tasks,
            first_task,
            first_outcome,
            held: Cell::new(None),
            batch: Cell::new(support),
            order: RefCell::default(),
        }
    }

    /// G.
    pub(crate) fn count(&self) -> u32 {
        self.tasks.len() as u32
    }

    /// N.
    pub(crate) fn support(&self) -> u32 {
        self.tasks.first().map_or(0, |task| task.support_labels.len() as u32)
    }

    /// M.
    pub(crate) fn queries(&self) -> u32 {
        self.tasks.first().map_or(0, |task| task.query_labels.len() as u32)
    }

    /// Bytes of one flat vector for each task of the pass.
    pub(crate) fn flat_bytes(&self) -> u64 {
        4 * u64::from(self.flat_elements())
    }

    /// Elements of one flat vector for each task of the pass.
    pub(crate) fn flat_elements(&self) -> u32 {
        self.count() * self.full.stride
    }

    /// Makes the present parameters ready; call whenever they have changed.
    pub(crate) fn prepare(&self, recorder: &mut Recorder) -> Result<(), MetaError> {
        let axis = TaskAxis::own(self.count(), self.support(), self.full.stride);
        self.model.network.prepare(recorder, self.pass(axis))?;
        self.held.set(self.held.get().map(|held| Held { forwarded: false, ..held }));
        Ok(())
    }

    fn pass(&self, axis: TaskAxis) -> Pass<'l> {
        let workspace = self.workspace;
        Pass {
            parameters: &workspace.parameters,
            frozen: workspace.common.frozen.as_ref(),
            running: &workspace.common.running,
            scratch: &workspace.scratch,
            axis,
        }
    }

    /// The rooms of a group's chunks, with the first row and the images of each.
    fn places(&self, group: &Group) -> Vec<(&'l Room<Buffer>, u32, u32)> {
        let mut first_row = 0;
        let place = |(room, &images): (&'l Room<Buffer>, &u32)| {
            first_row += images;
            (room, first_row - images, images)
        };
        self.workspace.rooms.iter().zip(&group.chunks).map(place).collect()
    }

    /// All rows of a group.
    fn rows(&self, group: &Group) -> Rows {
        Rows { axis: group.axis(self.full.stride), first: 0, count: group.images() }
    }

    fn chunks(&self, group: &Group) -> Vec<Chunk<'l>> {
        let chunk = |(room, first_row, images): (&'l Room<Buffer>, u32, u32)| Chunk {
            images,
            activations: &room.activations,
            gradients: &room.gradients,
            first_row,
        };
        self.places(group).into_iter().map(chunk).collect()
    }

    /// From now on groups number the support images in this order.
    pub(crate) fn reorder(&self, images: &[u32]) {
        self.order.replace(images.to_vec());
        self.held.set(None);
    }

    /// The images of a group, task after task.
    pub(crate) fn group_images(&self, half: Half, group: &Group) -> Vec<Place> {
        let order = self.order.borrow();
        let image = |number: u32| match half {
            Half::Support => order.get(number as usize).copied().unwrap_or(number),
            Half::Query => number,
        };
        let of_task = |task| (group.first..group.first + group.each).map(move |number| (task, number));
        (0..group.tasks).flat_map(of_task).map(|(task, number)| Place { task, image: image(number) }).collect()
    }

    async fn load(&self, recorder: &mut Recorder, half: Half, group: &Group) -> Result<(), MetaError> {
        let loader = Loader {
            tasks: self.tasks,
            upload: self.workspace.common.upload.as_ref(),
            elements: self.model.network.image_elements() as usize,
            size: self.model.network.config().image_size,
            first: None,
        };
        let all = self.group_images(half, group);
        for (room, first, images) in self.places(group) {
            let part = all.get(first as usize..(first + images) as usize).unwrap_or_default();
            loader.load(recorder, half, part, &room.activations.images).await?;
        }
        Ok(())
    }

    /// Embeds a group, unless its activations are there, and gives whether it did.
    pub(crate) async fn embed(&self, recorder: &mut Recorder, half: Half, group: &Group) -> Result<bool, MetaError> {
        let wanted = Held { half, first: group.first, each: group.each, forwarded: true };
        match self.held.get() {
            Some(held) if held == wanted => return Ok(false),
            Some(held) if Held { forwarded: true, ..held } == wanted => {}
            _ => self.load(recorder, half, group).await?,
        }
        let (axis, rows) = (group.axis(self.full.stride), &self.workspace.rows);
        self.model.network.forward(recorder, self.pass(axis), &self.chunks(group), &rows.embeddings).await?;
        self.held.set(Some(wanted));
        Ok(true)
    }

    /// Embeds and classifies a group, unless its activations are there.
    async fn forward(&self, recorder: &mut Recorder, half: Half, group: &Group) -> Result<(), MetaError> {
        if half == Half::Support && self.gather_features(recorder, group).await? {
            self.held.set(None);
        } else if !self.embed(recorder, half, group).await? {
            return Ok(());
        }
        let (rows, parameters) = (&self.workspace.rows, &self.workspace.parameters);
        let classifier = &self.full.classifier;
        classifier.forward(recorder, self.rows(group), &rows.embeddings, parameters, &rows.logits)?;
        Ok(())
    }

    /// Writes outcomes and the gradient of the mean loss of the half's images by the logits.
    fn loss(&self, recorder: &mut Recorder, half: Half, group: &Group) -> Result<(), MetaError> {
        let (workspace, common) = (self.workspace, &self.workspace.common);
        let (all, labels, outcomes, first) = match half {
            Half::Support => (self.support(), &common.support_labels, &workspace.support_outcomes, 0),
            Half::Query => (self.queries(), &common.query_labels, &common.outcomes, self.first_outcome),
        };
        let mean_of = if half == Half::Support { self.batch.get() } else { all };
        let params = softmax_cross_entropy::Params {
            rows: group.images(),
            ways: self.full.settings.ways,
            scale: 1.0 / mean_of.max(1) as f32,
            rows_per_task: group.each,
            task_stride: all,
            label_offset: group.first,
            outcome_offset: first + group.first,
        };
        let buffers = softmax_cross_entropy::Buffers {
            logits: workspace.rows.logits.all(),
            labels: labels.all(),
            d_logits: workspace.rows.d_logits.all(),
            outcomes: outcomes.all(),
        };
        recorder.dispatch(params, buffers, u64::from(group.images()))?;
        Ok(())
    }

    /// Scores a group, and adds the gradient of its share of the mean loss to that of each task.
    pub(crate) async fn score(
        &self,
        recorder: &mut Recorder,
        (half, group): (Half, &Group),
        gradient: Option<&Buffer>,
    ) -> Result<(), MetaError> {
        self.forward(recorder, half, group).await?;
        self.loss(recorder, half, group)?;
        let Some(gradient) = gradient else { return Ok(()) };
        let (all, rows, classifier) = (self.rows(group), &self.workspace.rows, &self.full.classifier);
        classifier.backward_weight(recorder, all, &rows.embeddings, &rows.d_logits, gradient)?;
        if !self.full.adapts_network {
            return Ok(());
        }
        classifier.backward_input(recorder, all, &rows.d_logits, &self.workspace.parameters, &rows.d_embeddings)?;
        let (pass, chunks) = (self.pass(all.axis), self.chunks(group));
        self.model.network.backward(recorder, pass, &chunks, &rows.d_embeddings, gradient).await?;
        Ok(())
    }

    /// The gradient of the mean loss of each task's support.
    pub(crate) async fn support_gradient(&self, recorder: &mut Recorder, gradient: &Buffer) -> Result<(), MetaError> {
        recorder.clear(gradient.slice(0, self.flat_bytes())?);
        for group in self.sizes.support(self.count(), self.support()) {
            self.score(recorder, (Half::Support, &group), Some(gradient)).await?;
        }
        Ok(())
    }

    /// Adds the Hessian of the mean support loss at the present parameters, times `direction`
    /// `[tasks, stride]`, to `product`: forward-over-reverse, chunk by chunk.
    pub(crate) async fn add_hessian_product(
        &self,
        recorder: &mut Recorder,
        direction: &Buffer,
        product: &Buffer,
    ) -> Result<(), MetaError> {
        let Some(second) = &self.workspace.second_order else { return Ok(()) };
        let (network, stride) = (&self.model.network, self.full.stride);
        let direction = Direction { parameters: direction, scratch: &second.scratch };
        let all = self.pass(TaskAxis::own(self.count(), self.support(), stride));
        network.prepare_direction(recorder, all, direction)?;
        for group in self.sizes.support(self.count(), self.support()) {
            self.forward(recorder, Half::Support, &group).await?;
            self.loss(recorder, Half::Support, &group)?;
            let (pass, chunks) = (self.pass(group.axis(stride)), self.tangent_chunks(&group));
            network.tangent(recorder, pass, direction, &chunks, &second.rows_dot.embeddings).await?;
            self.classifier_product(recorder, &group, direction.parameters, product)?;
            let (rows, dot) = (&self.workspace.rows.d_embeddings, &second.rows_dot.d_embeddings);
            network.backward_tangent(recorder, pass, direction, &chunks, rows, dot, product).await?;
        }
        Ok(())
    }

    fn tangent_chunks(&self, group: &Group) -> Vec<TangentChunk<'l>> {
        let chunk = |(chunk, room): (Chunk<'l>, &'l Room<Buffer>)| {
            let second = room.second_order.as_ref()?;
            Some(TangentChunk { chunk, tangents: &second.tangents, gradients_dot: &second.gradients_dot })
        };
        self.chunks(group).into_iter().zip(&self.workspace.rooms).filter_map(chunk).collect()
    }

    /// From the embeddings' tangents to the tangents of their gradients.
    fn classifier_product(
        &self,
        recorder: &mut Recorder,
        group: &Group,
        direction: &Buffer,
        product: &Buffer,
    ) -> Result<(), MetaError> {
        let Some(second) = &self.workspace.second_order else { return Ok(()) };
        let (rows, dot, all) = (&self.workspace.rows, &second.rows_dot, self.rows(group));
        let (classifier, ways) = (&self.full.classifier, self.full.settings.ways);
        let inputs = (&rows.embeddings, &dot.embeddings);
        let vectors = (&self.workspace.parameters, direction);
        classifier.tangent(recorder, all, inputs, vectors, &dot.logits)?;
        let scale = 1.0 / self.support().max(1) as f32;
        softmax_cross_entropy_tangent(recorder, all, ways, scale, (&rows.logits, &dot.logits), &dot.d_logits)?;
        classifier.backward_input(recorder, all, &rows.d_logits, vectors.0, &rows.d_embeddings)?;
        let (d_outputs, results) = ((&rows.d_logits, &dot.d_logits), (&dot.d_embeddings, product));
        classifier.backward_tangent(recorder, all, inputs, d_outputs, vectors, results)?;
        Ok(())
    }
}
