//! An episode as the learner sees it now: for people who want to watch it learn.

use inkling_platform::yield_now;

use super::SessionError;
use super::tasks::PreparedTask;
use super::train::Run;
use crate::events::Event;
use crate::snapshot::{EpisodeSnapshot, SnapshotImage, rgba, softmax};

impl Run {
    /// Shows the chosen episode: of the validation classes where the run validates, else of the
    /// training classes. An image that cannot be read refuses the snapshot and stops nothing.
    pub(super) async fn snapshot(&mut self, emit: &mut dyn FnMut(Event)) -> Result<(), SessionError> {
        let sources = &self.sources;
        let source = if self.first.training.validates() { &sources.validation } else { &sources.training };
        let prepared = match source.prepare(self.pace.snapshot_episode) {
            Ok(prepared) => prepared,
            Err(error) => {
                emit(Event::Refused { message: error.to_string() });
                return Ok(());
            }
        };
        let seen = self.learner.inspect(&prepared.task()).await?;
        emit(Event::Snapshot(of_task(&prepared, &seen, (self.state.step, self.pace.snapshot_episode))));
        yield_now().await;
        Ok(())
    }
}

fn of_task(prepared: &PreparedTask, seen: &inkling_meta::Inspection, (step, number): (u64, u64)) -> EpisodeSnapshot {
    let episode = prepared.episode();
    let (shape, ways) = (episode.image_shape(), episode.ways().max(1) as usize);
    let rows = |values: &[f32], row: usize, length: usize| {
        values.get(row * length..(row + 1) * length).map(<[f32]>::to_vec).unwrap_or_default()
    };
    let images = |pixels: &[inkling_data::Pixels], labels: &[u32], embeddings: &[f32], logits: &[f32]| {
        let dimension = embeddings.len() / pixels.len().max(1);
        let image = |(row, (pixels, &label)): (usize, (&inkling_data::Pixels, &u32))| SnapshotImage {
            rgba: rgba(pixels, shape.channels),
            label,
            probabilities: softmax(&rows(logits, row, ways)),
            embedding: rows(embeddings, row, dimension),
        };
        pixels.iter().zip(labels).enumerate().map(image).collect::<Vec<_>>()
    };
    let query = images(episode.query(), episode.query_labels(), &seen.query_embeddings, &seen.logits);
    let count = query.len().max(1) as f32;
    let surprise = |image: &SnapshotImage| {
        let own = image.probabilities.get(image.label as usize).copied().unwrap_or_default();
        -own.max(f32::MIN_POSITIVE).ln()
    };
    EpisodeSnapshot {
        step,
        episode: number,
        classes: episode.class_names().to_vec(),
        width: shape.width,
        height: shape.height,
        support: images(episode.support(), episode.support_labels(), &seen.support_embeddings, &[]),
        loss: query.iter().map(surprise).sum::<f32>() / count,
        accuracy: query.iter().filter(|image| !image.is_error()).count() as f32 / count,
        query,
    }
}
