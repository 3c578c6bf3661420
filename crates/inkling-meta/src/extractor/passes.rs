//! One task on its way through the three phases of LITE, over an extractor: embed the support, score
//! and back-propagate the queries batch by batch, back-propagate the support rows that the estimator
//! chose.

use inkling_data::Numbers;
use inkling_gpu::kernels::gather_rows;

use super::{EmbeddingRows, Extractor, ExtractorLearner, ImageBatch};
use crate::head::{Head, HeadTask, HeadTensors, QueryBatch};
use crate::images::{Half, Loader, Place};
use crate::{Estimator, MetaError, SubsetTime, Task};

/// Where embeddings go, or rows come from.
#[derive(Clone, Copy)]
enum Target {
    Support,
    Queries,
    PassRows,
}

/// A pass's number and the position of its first image among all of its phase.
type Piece<'p> = (u32, u32, &'p [u32]);

impl<E: Extractor> ExtractorLearner<E> {
    /// Adds the gradient of a task; `place`: see [`HeadTask`].
    pub(super) async fn run_with_gradient(
        &mut self,
        task: &Task<'_>,
        (first_outcome, place): (u32, u32),
        numbers: &mut Numbers,
    ) -> Result<(), MetaError> {
        let members = self.gradient.members(task.support_labels, task.ways, numbers)?;
        let queries = task.query_labels.len() as u32;
        let batches = batches(queries, self.query_batch);
        let fresh = self.gradient.estimator == Estimator::Lite && self.gradient.subset == SubsetTime::QueryBatch;
        let head_task =
            HeadTask { tasks: 1, ways: task.ways, support: members.len() as u32, queries, place: Some(place) };
        self.embed_support(task, (head_task, first_outcome), &members, true).await?;
        for &batch in &batches {
            self.score(task, (head_task, first_outcome), batch, true).await?;
            self.back_propagate_queries((head_task, first_outcome), batch).await?;
            if fresh {
                let draw = self.gradient.back_propagated(head_task.support, 1, numbers)?;
                self.back_propagate_support(task, (head_task, first_outcome), &members, draw).await?;
            }
        }
        if !fresh {
            let draw = self.gradient.back_propagated(head_task.support, batches.len() as u32, numbers)?;
            self.back_propagate_support(task, (head_task, first_outcome), &members, draw).await?;
        }
        Ok(())
    }

    /// Learns from the support and scores the queries.
    pub(super) async fn classify(&mut self, task: &Task<'_>) -> Result<(), MetaError> {
        let members: Vec<u32> = (0..task.support_labels.len() as u32).collect();
        let (support, queries) = (members.len() as u32, task.query_labels.len() as u32);
        let head_task = HeadTask { tasks: 1, ways: task.ways, support, queries, place: None };
        self.embed_support(task, (head_task, 0), &members, false).await?;
        for batch in batches(queries, self.query_batch) {
            self.score(task, (head_task, 0), batch, false).await?;
        }
        Ok(())
    }

    /// Phase 1: embeds the members of the support and fits the head.
    async fn embed_support(
        &mut self,
        task: &Task<'_>,
        (head_task, first_outcome): (HeadTask, u32),
        members: &[u32],
        trains: bool,
    ) -> Result<(), MetaError> {
        let label = |&member: &u32| task.support_labels.get(member as usize).copied();
        let labels: Vec<u32> = members.iter().filter_map(label).collect();
        self.recorder.upload_values(self.buffers.support_labels.all(), &labels).await?;
        self.recorder.upload_values(self.buffers.query_labels.all(), task.query_labels).await?;
        let keeps = trains && self.gradient.estimator == Estimator::Full;
        for piece in pieces(members, self.room.images, 0) {
            self.embed_piece(task, Half::Support, piece, (Target::Support, keeps)).await?;
        }
        let tensors = self.buffers.tensors(first_outcome);
        Ok(self.buffers.head.fit(&mut self.recorder, head_task, tensors).await?)
    }

    /// Phase 2, forward: embeds and scores a batch of queries.
    async fn score(
        &mut self,
        task: &Task<'_>,
        (head_task, first_outcome): (HeadTask, u32),
        batch: QueryBatch,
        trains: bool,
    ) -> Result<(), MetaError> {
        let images: Vec<u32> = (batch.first..batch.first + batch.queries).collect();
        for piece in pieces(&images, self.room.images, self.first_query_pass()) {
            self.embed_piece(task, Half::Query, piece, (Target::Queries, trains)).await?;
        }
        let tensors = self.buffers.tensors(first_outcome);
        Ok(self.buffers.head.score(&mut self.recorder, head_task, batch, tensors).await?)
    }

    /// Phase 2, backward: back-propagates the batch that was scored last.
    async fn back_propagate_queries(
        &mut self,
        (head_task, first_outcome): (HeadTask, u32),
        batch: QueryBatch,
    ) -> Result<(), MetaError> {
        let Some(gradient) = &self.buffers.gradient else { return Ok(()) };
        let tensors = self.buffers.tensors(first_outcome);
        self.buffers.head.backward(&mut self.recorder, head_task, batch, tensors, gradient).await?;
        let images: Vec<u32> = (0..batch.queries).collect();
        for (pass, first, _) in pieces(&images, self.room.images, self.first_query_pass()) {
            self.back_propagate(pass, (Target::Queries, first)).await?;
        }
        Ok(())
    }

    /// Phase 3: back-propagates the chosen rows, as positions among the members, by their factor.
    async fn back_propagate_support(
        &mut self,
        task: &Task<'_>,
        (head_task, first_outcome): (HeadTask, u32),
        members: &[u32],
        (subset, factor): (Vec<u32>, f32),
    ) -> Result<(), MetaError> {
        let (Some(gradient), Some(rows)) = (&self.buffers.gradient, &self.buffers.rows) else { return Ok(()) };
        let tensors = self.buffers.tensors(first_outcome);
        self.buffers.head.finish(&mut self.recorder, head_task, tensors, rows, gradient).await?;
        if self.gradient.estimator == Estimator::Full {
            for (pass, first, _) in pieces(members, self.room.images, 0) {
                self.back_propagate(pass, (Target::Support, first)).await?;
            }
            return Ok(());
        }
        let pass = self.first_query_pass();
        for positions in subset.chunks(self.room.images.max(1) as usize) {
            let images: Vec<u32> =
                positions.iter().filter_map(|&position| members.get(position as usize).copied()).collect();
            self.embed_piece(task, Half::Support, (pass, 0, &images), (Target::PassRows, true)).await?;
            // The embeddings came out again; the gathered rows take their place.
            self.gather(positions, factor).await?;
            self.back_propagate(pass, (Target::PassRows, 0)).await?;
        }
        Ok(())
    }

    /// Writes the rows at `positions` times a factor to those of a pass.
    async fn gather(&mut self, positions: &[u32], factor: f32) -> Result<(), MetaError> {
        let (Some(rows), Some(pass_rows), Some(indices)) =
            (&self.buffers.rows, &self.buffers.pass_rows, &self.buffers.indices)
        else {
            return Ok(());
        };
        self.recorder.upload_values(indices.all(), positions).await?;
        let (images, dimension) = (positions.len() as u32, self.extractor.dimension());
        let params = gather_rows::Params { rows: images, dimension, scale: factor };
        let buffers = gather_rows::Buffers { source: rows.all(), indices: indices.all(), destination: pass_rows.all() };
        Ok(self.recorder.dispatch(params, buffers, u64::from(images) * u64::from(dimension))?)
    }

    /// The number of the first pass that waits for rows of queries.
    fn first_query_pass(&self) -> u32 {
        self.room.passes - self.query_batch.div_ceil(self.room.images.max(1)).min(self.room.passes)
    }

    /// Loads images and embeds them.
    async fn embed_piece(
        &mut self,
        task: &Task<'_>,
        half: Half,
        (pass, first, images): Piece<'_>,
        (target, keeps): (Target, bool),
    ) -> Result<(), MetaError> {
        let [channels, height, width] = self.extractor.image();
        let loader = Loader {
            tasks: std::slice::from_ref(task),
            upload: self.buffers.upload.as_ref(),
            elements: channels as usize * height as usize * width as usize,
            size: height,
            first: None,
        };
        let places: Vec<Place> = images.iter().map(|&image| Place { task: 0, image }).collect();
        loader.load(&mut self.recorder, half, &places, &self.buffers.images).await?;
        let batch = ImageBatch { values: &self.buffers.images, images: images.len() as u32 };
        let buffer = match target {
            Target::Support => &self.buffers.embeddings,
            Target::Queries => self.buffers.head.queries(),
            Target::PassRows => self.buffers.pass_rows.as_ref().unwrap_or(&self.buffers.embeddings),
        };
        let to = EmbeddingRows { buffer, first };
        if keeps {
            self.extractor.embed_keeping(&mut self.recorder, pass, batch, to).await
        } else {
            self.extractor.embed(&mut self.recorder, batch, to).await
        }
    }

    /// Takes rows back through the extractor.
    async fn back_propagate(&mut self, pass: u32, (source, first): (Target, u32)) -> Result<(), MetaError> {
        let buffer = match source {
            Target::Support => self.buffers.rows.as_ref(),
            Target::Queries => Some(self.buffers.head.d_queries()),
            Target::PassRows => self.buffers.pass_rows.as_ref(),
        };
        let Some(buffer) = buffer else { return Ok(()) };
        self.extractor.back_propagate(&mut self.recorder, pass, EmbeddingRows { buffer, first }).await
    }
}

impl super::learner::Buffers {
    fn tensors(&self, first_outcome: u32) -> HeadTensors<'_> {
        HeadTensors {
            parameters: &self.parameters,
            embeddings: &self.embeddings,
            support_labels: &self.support_labels,
            query_labels: &self.query_labels,
            outcomes: &self.outcomes,
            first_outcome,
        }
    }
}

fn batches(queries: u32, size: u32) -> Vec<QueryBatch> {
    let size = size.max(1);
    let batch = |index| QueryBatch { first: index * size, queries: size.min(queries - index * size) };
    (0..queries.div_ceil(size)).map(batch).collect()
}

/// Images cut into passes of up to `most`, numbered from `first_pass` on.
fn pieces(images: &[u32], most: u32, first_pass: u32) -> impl Iterator<Item = Piece<'_>> {
    let most = most.max(1);
    (0..).zip(images.chunks(most as usize)).map(move |(index, piece)| (first_pass + index, index * most, piece))
}
