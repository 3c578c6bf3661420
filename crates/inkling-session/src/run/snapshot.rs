//! An episode as the learner sees it now: for people who want to watch it learn.

use inkling_platform::yield_now;

use super::SessionError;
use super::tasks::PreparedTask;
use super::train::Run;
use crate::events::Event;
use crate::snapshot::{EpisodeSnapshot, SnapshotImage, accuracy, rgba, softmax};

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
        let support_logits = self.support_logits(&prepared).await?;
        let place = (self.state.step, self.pace.snapshot_episode);
        emit(Event::Snapshot(of_task(&prepared, (&seen, &support_logits), place)));
        yield_now().await;
        Ok(())
    }

    /// The logits of the support images once the learner has learned from them, `[N, W]`: what it
    /// makes of the very images that it was shown.
    async fn support_logits(&mut self, prepared: &PreparedTask) -> Result<Vec<f32>, SessionError> {
        let mut logits = Vec::new();
        for task in prepared.support_as_query(self.learner.limits().queries) {
            logits.extend(self.learner.logits(&task).await?);
            yield_now().await;
        }
        Ok(logits)
    }
}

fn of_task(
    prepared: &PreparedTask,
    (seen, support_logits): (&inkling_meta::Inspection, &[f32]),
    (step, number): (u64, u64),
) -> EpisodeSnapshot {
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
    let support = images(episode.support(), episode.support_labels(), &seen.support_embeddings, support_logits);
    let query = images(episode.query(), episode.query_labels(), &seen.query_embeddings, &seen.logits);
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
        loss: query.iter().map(surprise).sum::<f32>() / query.len().max(1) as f32,
        accuracy: accuracy(&query),
        support_accuracy: accuracy(&support),
        support,
        query,
    }
}
