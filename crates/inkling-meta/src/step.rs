//! One task on its way through the three phases of LITE: embed the support, score and
//! back-propagate the queries batch by batch, back-propagate the support rows that the estimator
//! chose. What is chosen, and when, is left to the learner.

use inkling_gpu::kernels::gather_rows;
use inkling_gpu::{Buffer, GpuError, Recorder};
use inkling_nn::{Activations, Chunk, Pass, TaskAxis};

use crate::head::{Head, HeadTask, HeadTensors, QueryBatch};
use crate::model::Model;
use crate::workspace::{Room, Sizes, Workspace};
use crate::{Images, MetaError, Task};

/// One task on its way through the phases.
pub(crate) struct Step<'l> {
    pub(crate) model: &'l Model,
    pub(crate) sizes: &'l Sizes,
    pub(crate) recorder: &'l mut Recorder,
    pub(crate) workspace: &'l Workspace<Buffer>,
    pub(crate) task: &'l Task<'l>,
    pub(crate) head_task: HeadTask,
    pub(crate) first_outcome: u32,
}

impl<'l> Step<'l> {
    fn tensors(&self) -> HeadTensors<'l> {
        HeadTensors {
            parameters: &self.workspace.parameters,
            embeddings: &self.workspace.embeddings,
            support_labels: &self.workspace.support_labels,
            query_labels: &self.workspace.query_labels,
            outcomes: &self.workspace.outcomes,
            first_outcome: self.first_outcome,
        }
    }

    /// A pass of these chunks, which belong to one task.
    fn pass(&self, chunks: &[Chunk<'l>]) -> Pass<'l> {
        Pass {
            parameters: &self.workspace.parameters,
            running: &self.workspace.running,
            scratch: &self.workspace.scratch,
            axis: TaskAxis::shared(1, chunks.iter().map(|chunk| chunk.images).sum()),
        }
    }

    pub(crate) fn batches(&self) -> Vec<QueryBatch> {
        let (queries, size) = (self.head_task.queries, self.sizes.query_batch);
        (0..queries.div_ceil(size))
            .map(|index| QueryBatch { first: index * size, queries: size.min(queries - index * size) })
            .collect()
    }

    /// Lays `images` images into the rooms, filling each before the next.
    fn chunks(&self, rooms: &'l [Room<Activations<Buffer>>], images: u32) -> Vec<Chunk<'l>> {
        let mut chunks = Vec::new();
        let mut first_row = 0;
        for (index, room) in rooms.iter().enumerate() {
            let gradients = self.workspace.gradients.get(index).or_else(|| self.workspace.gradients.first());
            let count = room.images.min(images - first_row);
            if let (Some(gradients), true) = (gradients, count > 0) {
                let chunk =
                    Chunk { images: count, activations: &room.buffers, gradients: &gradients.buffers, first_row };
                chunks.push(chunk);
                first_row += count;
            }
        }
        chunks
    }

    /// Where the norm couples images all chunks are one pass; otherwise each is its own.
    fn passes<'c>(&self, chunks: &'c [Chunk<'l>]) -> Vec<&'c [Chunk<'l>]> {
        let coupled = self.model.network.config().norm.couples_images();
        chunks.chunks(if coupled { chunks.len().max(1) } else { 1 }).collect()
    }

    /// Phase 1: embeds the members of the support and fits the head.
    pub(crate) async fn embed(&mut self, members: &[u32]) -> Result<(), MetaError> {
        let label = |&index: &u32| self.task.support_labels.get(index as usize).copied().unwrap_or(0);
        let labels: Vec<u32> = members.iter().map(label).collect();
        self.recorder.upload_values(self.workspace.support_labels.all(), &labels).await?;
        self.recorder.upload_values(self.workspace.query_labels.all(), self.task.query_labels).await?;
        let coupled = self.model.network.config().norm.couples_images();
        let embeddings = &self.workspace.embeddings;
        if self.workspace.kept.is_empty() && !coupled {
            let room = self.workspace.work.first().map_or(1, |room| room.images);
            for (index, indices) in members.chunks(self.chunk_images(room)).enumerate() {
                let mut chunks = self.chunks(&self.workspace.work, indices.len() as u32);
                for chunk in &mut chunks {
                    chunk.first_row = index as u32 * self.chunk_images(room) as u32;
                }
                self.forward(&chunks, self.task.support, indices, embeddings).await?;
            }
        } else {
            let rooms = if self.workspace.kept.is_empty() { &self.workspace.work } else { &self.workspace.kept };
            let chunks = self.chunks(rooms, members.len() as u32);
            self.forward(&chunks, self.task.support, members, embeddings).await?;
        }
        self.workspace.head.fit(self.recorder, self.head_task, self.tensors())?;
        Ok(())
    }

    /// C, within the room that the query batches may have made larger.
    fn chunk_images(&self, room: u32) -> usize {
        self.model.config.gradient.chunk.clamp(1, room) as usize
    }

    /// Loads the images of all chunks, which together hold `indices`, and embeds them.
    async fn forward(
        &mut self,
        chunks: &[Chunk<'l>],
        images: Images<'_>,
        indices: &[u32],
        embeddings: &Buffer,
    ) -> Result<(), MetaError> {
        let mut rest = indices;
        for chunks in self.passes(chunks) {
            for chunk in chunks {
                let (part, after) = rest.split_at_checked(chunk.images as usize).unwrap_or((rest, &[]));
                self.load(images, part, &chunk.activations.images).await?;
                rest = after;
            }
            self.model.network.forward(self.recorder, self.pass(chunks), chunks, embeddings).await?;
        }
        Ok(())
    }

    async fn load(&mut self, images: Images<'_>, indices: &[u32], to: &Buffer) -> Result<(), MetaError> {
        let missing = || MetaError::Task("an image index beyond the task; this is a fault of the program".into());
        match images {
            Images::Values(values) => {
                let length = self.model.network.image_elements() as usize;
                let mut chunk = Vec::with_capacity(indices.len() * length);
                for &index in indices {
                    let from = index as usize * length;
                    chunk.extend_from_slice(values.get(from..from + length).ok_or_else(missing)?);
                }
                self.recorder.upload_values(to.all(), &chunk).await?;
            }
            Images::Bytes { pixels, affines, normalization } => {
                let Some(upload) = &self.workspace.upload else {
                    return Err(MetaError::Task("the learner was made for images as values".into()));
                };
                let one = |&index: &u32| Some((pixels.get(index as usize)?, *affines.get(index as usize)?));
                let chunk: Vec<_> = indices.iter().map(one).collect::<Option<_>>().ok_or_else(missing)?;
                let size = self.model.network.config().image_size;
                upload.load(self.recorder, &chunk, normalization, size, to).await?;
            }
        }
        Ok(())
    }

    /// Phase 2, forward: embeds and scores a batch of queries.
    pub(crate) async fn score(&mut self, batch: QueryBatch) -> Result<(), MetaError> {
        let chunks = self.chunks(&self.workspace.work, batch.queries);
        let indices: Vec<u32> = (batch.first..batch.first + batch.queries).collect();
        let head = &self.workspace.head;
        self.forward(&chunks, self.task.query, &indices, head.queries()).await?;
        head.score(self.recorder, self.head_task, batch, self.tensors())?;
        Ok(())
    }

    /// Phase 2, backward: back-propagates the batch that was scored last.
    pub(crate) async fn back_propagate_queries(&mut self, batch: QueryBatch) -> Result<(), MetaError> {
        let Some(gradient) = &self.workspace.gradient else { return Ok(()) };
        let head = &self.workspace.head;
        head.backward(self.recorder, self.head_task, batch, self.tensors(), gradient)?;
        let chunks = self.chunks(&self.workspace.work, batch.queries);
        self.backward(&chunks, head.d_queries(), gradient).await?;
        Ok(())
    }

    async fn backward(&mut self, chunks: &[Chunk<'l>], rows: &Buffer, gradient: &Buffer) -> Result<(), GpuError> {
        for chunks in self.passes(chunks) {
            self.model.network.backward(self.recorder, self.pass(chunks), chunks, rows, gradient).await?;
        }
        Ok(())
    }

    /// Phase 3: back-propagates the rows of `subset` (positions among `members`), scaled.
    pub(crate) async fn back_propagate_support(
        &mut self,
        members: &[u32],
        subset: &[u32],
        factor: f32,
    ) -> Result<(), MetaError> {
        let (Some(gradient), Some(rows)) = (&self.workspace.gradient, &self.workspace.rows) else { return Ok(()) };
        self.workspace.head.finish(self.recorder, self.head_task, self.tensors(), rows)?;
        if !self.workspace.kept.is_empty() {
            let chunks = self.chunks(&self.workspace.kept, members.len() as u32);
            self.backward(&chunks, rows, gradient).await?;
            return Ok(());
        }
        let (Some(chunk_rows), Some(indices)) = (&self.workspace.chunk_rows, &self.workspace.chunk_indices) else {
            return Ok(());
        };
        let room = self.workspace.work.first().map_or(1, |room| room.images);
        for positions in subset.chunks(self.chunk_images(room)) {
            let image = |&position: &u32| members.get(position as usize).copied().unwrap_or(0);
            let images: Vec<u32> = positions.iter().map(image).collect();
            let chunks = self.chunks(&self.workspace.work, positions.len() as u32);
            // The embeddings come out again; the gathered rows then take their place.
            self.forward(&chunks, self.task.support, &images, chunk_rows).await?;
            self.recorder.upload_values(indices.all(), positions).await?;
            let params = gather_rows::Params {
                rows: positions.len() as u32,
                dimension: self.model.network.dimension(),
                scale: factor,
            };
            let buffers =
                gather_rows::Buffers { source: rows.all(), indices: indices.all(), destination: chunk_rows.all() };
            let values = positions.len() as u64 * u64::from(self.model.network.dimension());
            self.recorder.dispatch(params, buffers, values)?;
            self.backward(&chunks, chunk_rows, gradient).await?;
        }
        Ok(())
    }
}
