//! The tasks of one pass on their way through the three phases of LITE: embed the support, score
//! and back-propagate the queries batch by batch, back-propagate the support rows that the
//! estimator chose. What is chosen, and when, is left to the learner.

use inkling_gpu::kernels::gather_rows;
use inkling_gpu::{Buffer, GpuError, Recorder};
use inkling_nn::{Activations, Chunk, Pass, TaskAxis};

use crate::features::FirstPass;
use crate::head::{Head, HeadTask, HeadTensors, QueryBatch};
use crate::images::{Half, Loader, Place};
use crate::model::Model;
use crate::rooms::{Batch, Coupling, Span};
use crate::workspace::{Room, Sizes, Workspace};
use crate::{MetaError, Task};

/// The tasks of one pass on their way through the phases.
pub(crate) struct Step<'l> {
    pub(crate) model: &'l Model,
    pub(crate) sizes: &'l Sizes,
    pub(crate) recorder: &'l mut Recorder,
    pub(crate) workspace: &'l Workspace<Buffer>,
    pub(crate) tasks: &'l [Task<'l>],
    pub(crate) head_task: HeadTask,
    pub(crate) first_outcome: u32,
    /// By task, what is dropped of its images; nothing is where this is empty.
    drop_seeds: Vec<u32>,
}

impl<'l> Step<'l> {
    /// `support`: the members of each task's support; `place`: see [`HeadTask`].
    pub(crate) fn new(
        model: &'l Model,
        sizes: &'l Sizes,
        (recorder, workspace): (&'l mut Recorder, &'l Workspace<Buffer>),
        tasks: &'l [Task<'l>],
        (support, first_outcome, place): (u32, u32, Option<u32>),
    ) -> Self {
        let (ways, queries) = tasks.first().map_or((0, 0), |task| (task.ways, task.query_labels.len() as u32));
        let head_task = HeadTask { tasks: tasks.len() as u32, ways, support, queries, place };
        Self { model, sizes, recorder, workspace, tasks, head_task, first_outcome, drop_seeds: Vec::new() }
    }

    /// Drops values of the images, as networks that do so are trained: in every pass the same of each
    /// image.
    pub(crate) fn with_drops(self, drop_seeds: Vec<u32>) -> Self {
        Self { drop_seeds, ..self }
    }

    /// The key of an image by which its values are dropped; zero where none are.
    fn key(&self, half: Half, place: Place) -> u32 {
        let Some(&seed) = self.drop_seeds.get(place.task as usize) else { return 0 };
        let number = place.image.wrapping_mul(2).wrapping_add(u32::from(half == Half::Query));
        // Odd multipliers and a shift: the images of a task have keys of their own.
        let mixed = (seed ^ number.wrapping_mul(0x9e37_79b1)).wrapping_mul(0x85eb_ca6b);
        (mixed ^ (mixed >> 15)).max(1)
    }

    fn tensors(&self) -> HeadTensors<'l> {
        let common = &self.workspace.common;
        HeadTensors {
            parameters: &common.parameters,
            embeddings: &self.workspace.embeddings,
            support_labels: &common.support_labels,
            query_labels: &common.query_labels,
            outcomes: &common.outcomes,
            first_outcome: self.first_outcome,
        }
    }

    /// A pass of these chunks, which hold `each` images of every task, or some of them, from task
    /// `first_task` on, where it matters which image is whose.
    fn pass(&self, chunks: &[Chunk<'l>], (first_task, each): (u32, u32)) -> Pass<'l> {
        let images = chunks.iter().map(|chunk| chunk.images).sum();
        let axis = match &self.model.film {
            Some(film) => TaskAxis { first_task, ..TaskAxis::own(self.head_task.tasks, each, film.film.stride()) },
            None if self.coupled() => TaskAxis::shared(images / each.max(1), each),
            None => TaskAxis::shared(1, images),
        };
        self.workspace.pass(axis)
    }

    fn coupled(&self) -> bool {
        self.model.coupling() == Coupling::Statistics
    }

    /// `each` images of every task.
    fn batch(&self, each: u32) -> Batch {
        Batch { tasks: self.head_task.tasks, each, coupling: self.model.coupling() }
    }

    /// C, within the room that the query batches may have made larger.
    fn chunk_images(&self) -> u32 {
        let room = self.workspace.work.first().map_or(1, |room| room.images);
        self.model.config.gradient.chunk.clamp(1, room.max(1))
    }

    pub(crate) fn batches(&self) -> Vec<QueryBatch> {
        let (queries, size) = (self.head_task.queries, self.sizes.query_batch);
        (0..queries.div_ceil(size))
            .map(|index| QueryBatch { first: index * size, queries: size.min(queries - index * size) })
            .collect()
    }

    /// The chunks of one pass; their rows of embeddings begin at the images' own numbers.
    fn chunks(&self, rooms: &'l [Room<Activations<Buffer>>], spans: &[Span]) -> Vec<Chunk<'l>> {
        let chunk = |(index, span): (usize, &Span)| {
            Some(Chunk {
                images: span.images,
                activations: &rooms.get(span.room)?.buffers,
                gradients: self.workspace.gradients.get(index).or_else(|| self.workspace.gradients.first())?,
                first_row: span.first,
            })
        };
        spans.iter().enumerate().filter_map(chunk).collect()
    }

    /// Phase 1: embeds the members of each task's support and fits the head.
    pub(crate) async fn embed(&mut self, members: &[Vec<u32>]) -> Result<(), MetaError> {
        let (mut support_labels, mut query_labels) = (Vec::<u32>::new(), Vec::<u32>::new());
        let mut places = Vec::new();
        for ((number, task), members) in (0..).zip(self.tasks).zip(members) {
            support_labels.extend(members.iter().filter_map(|&index| task.support_labels.get(index as usize)));
            query_labels.extend_from_slice(task.query_labels);
            places.extend(members.iter().map(|&image| Place { task: number, image }));
        }
        let common = &self.workspace.common;
        self.recorder.upload_values(common.support_labels.all(), &support_labels).await?;
        self.recorder.upload_values(common.query_labels.all(), &query_labels).await?;
        self.condition(&places).await?;
        self.embed_places(&places).await?;
        self.workspace.head.fit(self.recorder, self.head_task, self.tensors()).await?;
        Ok(())
    }

    /// Embeds support images, as many as the step's support, into the rows of their numbers.
    pub(crate) async fn embed_places(&mut self, places: &[Place]) -> Result<(), MetaError> {
        let (batch, workspace) = (self.batch(self.head_task.support), self.workspace);
        if workspace.kept.is_empty() {
            for spans in batch.pieces(&self.sizes.work, self.chunk_images()) {
                let chunks = self.chunks(&workspace.work, &spans);
                self.forward(&chunks, (Half::Support, places), (0, batch.each), &workspace.embeddings).await?;
            }
        } else {
            for spans in batch.passes(&self.sizes.kept) {
                let chunks = self.chunks(&workspace.kept, &spans);
                self.forward(&chunks, (Half::Support, places), (0, batch.each), &workspace.embeddings).await?;
            }
        }
        Ok(())
    }

    /// Fits the head to embeddings of the support `[N, d]` that were made before.
    pub(crate) async fn fit_embeddings(&mut self, embeddings: &[f32]) -> Result<(), MetaError> {
        let common = &self.workspace.common;
        let labels = |of: fn(&Task<'l>) -> &'l [u32]| self.tasks.iter().flat_map(of).copied().collect::<Vec<u32>>();
        let (support, query) = (labels(|task| task.support_labels), labels(|task| task.query_labels));
        self.recorder.upload_values(common.support_labels.all(), &support).await?;
        self.recorder.upload_values(common.query_labels.all(), &query).await?;
        self.recorder.upload_values(self.workspace.embeddings.all(), embeddings).await?;
        self.workspace.head.fit(self.recorder, self.head_task, self.tensors()).await?;
        Ok(())
    }

    /// Scores a batch of queries that were embedded before, `[M_b, d]`.
    pub(crate) async fn score_embeddings(&mut self, batch: QueryBatch, embeddings: &[f32]) -> Result<(), MetaError> {
        self.recorder.upload_values(self.workspace.head.queries().all(), embeddings).await?;
        self.workspace.head.score(self.recorder, self.head_task, batch, self.tensors()).await?;
        Ok(())
    }

    pub(crate) fn loader(&self) -> Loader<'l> {
        Loader {
            tasks: self.tasks,
            upload: self.workspace.common.upload.as_ref(),
            elements: self.model.network.image_elements() as usize,
            size: self.model.network.config().image_size,
            first: FirstPass::new(self.model, self.workspace),
        }
    }

    /// Loads the images of one pass, of which `places` lists those of all passes, and embeds them.
    async fn forward(
        &mut self,
        chunks: &[Chunk<'l>],
        (half, places): (Half, &[Place]),
        each: (u32, u32),
        embeddings: &Buffer,
    ) -> Result<(), MetaError> {
        let loader = self.loader();
        for chunk in chunks {
            let first = chunk.first_row as usize;
            let part = places.get(first..first + chunk.images as usize).unwrap_or_default();
            loader.load(self.recorder, half, part, &chunk.activations.images).await?;
            if let Some(keys) = &chunk.activations.keys {
                let values: Vec<u32> = part.iter().map(|&place| self.key(half, place)).collect();
                self.recorder.upload_values(keys.all(), &values).await?;
            }
        }
        self.model.network.forward(self.recorder, self.pass(chunks, each), chunks, embeddings).await?;
        Ok(())
    }

    /// Phase 2, forward: embeds and scores a batch of queries.
    pub(crate) async fn score(&mut self, batch: QueryBatch) -> Result<(), MetaError> {
        let place = |task| (batch.first..batch.first + batch.queries).map(move |image| Place { task, image });
        let places: Vec<Place> = (0..self.head_task.tasks).flat_map(place).collect();
        let workspace = self.workspace;
        for spans in self.query_passes(batch) {
            let chunks = self.chunks(&workspace.work, &spans);
            self.forward(&chunks, (Half::Query, &places), (0, batch.queries), workspace.head.queries()).await?;
        }
        workspace.head.score(self.recorder, self.head_task, batch, self.tensors()).await?;
        Ok(())
    }

    /// A learner without a gradient keeps nothing, and has no room for it.
    fn query_passes(&self, batch: QueryBatch) -> Vec<Vec<Span>> {
        let queries = self.batch(batch.queries);
        let keeps = self.workspace.common.gradient.is_some() || !self.coupled();
        if keeps { queries.passes(&self.sizes.work) } else { queries.pieces(&self.sizes.work, 1) }
    }

    /// Phase 2, backward: back-propagates the batch that was scored last.
    pub(crate) async fn back_propagate_queries(&mut self, batch: QueryBatch) -> Result<(), MetaError> {
        let workspace = self.workspace;
        let Some(gradient) = &workspace.common.gradient else { return Ok(()) };
        let head = &workspace.head;
        head.backward(self.recorder, self.head_task, batch, self.tensors(), gradient).await?;
        for spans in self.query_passes(batch) {
            let chunks = self.chunks(&workspace.work, &spans);
            self.backward(&chunks, (0, batch.queries), head.d_queries()).await?;
        }
        Ok(())
    }

    async fn backward(&mut self, chunks: &[Chunk<'l>], each: (u32, u32), rows: &Buffer) -> Result<(), GpuError> {
        let Some(gradient) = self.workspace.network_gradient() else { return Ok(()) };
        self.model.network.backward(self.recorder, self.pass(chunks, each), chunks, rows, gradient).await
    }

    /// Phase 3: back-propagates the rows of `subset` (positions among the `members` of all tasks),
    /// scaled.
    pub(crate) async fn back_propagate_support(
        &mut self,
        members: &[Vec<u32>],
        subset: &[u32],
        factor: f32,
    ) -> Result<(), MetaError> {
        let workspace = self.workspace;
        let (Some(gradient), Some(rows)) = (&workspace.common.gradient, &workspace.rows) else { return Ok(()) };
        workspace.head.finish(self.recorder, self.head_task, self.tensors(), rows, gradient).await?;
        if !workspace.kept.is_empty() {
            for spans in self.batch(self.head_task.support).passes(&self.sizes.kept) {
                let chunks = self.chunks(&workspace.kept, &spans);
                self.backward(&chunks, (0, self.head_task.support), rows).await?;
            }
        }
        let (Some(chunk_rows), Some(indices)) = (&workspace.chunk_rows, &workspace.chunk_indices) else {
            return Ok(());
        };
        for positions in self.pieces(subset) {
            let places = self.places(members, positions);
            let images = positions.len() as u32;
            let chunks = self.chunks(&workspace.work, &[Span { room: 0, first: 0, images }]);
            let of_task = (places.first().map_or(0, |place| place.task), images);
            // The embeddings come out again; the gathered rows then take their place.
            self.forward(&chunks, (Half::Support, &places), of_task, chunk_rows).await?;
            self.recorder.upload_values(indices.all(), positions).await?;
            let dimension = self.model.network.dimension();
            let params = gather_rows::Params { rows: images, dimension, scale: factor };
            let buffers =
                gather_rows::Buffers { source: rows.all(), indices: indices.all(), destination: chunk_rows.all() };
            self.recorder.dispatch(params, buffers, u64::from(images) * u64::from(dimension))?;
            self.backward(&chunks, of_task, chunk_rows).await?;
        }
        Ok(())
    }

    /// Rising positions in pieces that go through the network together: where tasks have scales and
    /// shifts of their own, a piece is of one task.
    fn pieces<'s>(&self, subset: &'s [u32]) -> Vec<&'s [u32]> {
        let (chunk, support) = (self.chunk_images() as usize, self.head_task.support.max(1));
        let free = self.model.coupling() != Coupling::Parameters;
        let runs = subset.chunk_by(|first, second| free || first / support == second / support);
        runs.flat_map(|run| run.chunks(chunk)).collect()
    }

    /// The images at positions among the members of all tasks.
    pub(crate) fn places(&self, members: &[Vec<u32>], positions: &[u32]) -> Vec<Place> {
        let support = self.head_task.support.max(1);
        let place = |&position: &u32| {
            let (task, member) = (position / support, position % support);
            let image = members.get(task as usize).and_then(|members| members.get(member as usize));
            Place { task, image: image.copied().unwrap_or(u32::MAX) }
        };
        positions.iter().map(place).collect()
    }
}
