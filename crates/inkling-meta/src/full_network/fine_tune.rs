//! Fine-tuning: steps of an ordinary optimiser on batches of the support, from weights that no
//! meta-training has prepared for it. The baseline of adaptation at test time; it is evaluated only.
//!
//! What is adapted is what the network trains, and the classifier, which starts at zero. Where that
//! is the classifier alone, the support goes through the network once, and the steps take its
//! embeddings. All tasks of a pass see their supports in the same order, which depends on nothing
//! but the seed: an episode has one result, whatever runs beside it.

use inkling_data::Numbers;
use inkling_gpu::kernels::gather_rows;
use inkling_gpu::{Allocate, Buffer, Category, GpuError, Recorder};

use super::model::FullNetworkModel;
use super::network::Adapting;
use super::settings::FullNetworkKind;
use super::sizes::{Group, Sizes};
use super::status::TaskStatus;
use crate::images::{Half, Place};
use crate::{MetaError, Optimizer, OptimizerState, TaskLimits, Update};

/// How a learner fine-tunes; the steps and their rate are those of the inner loop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FineTune {
    /// The update rule; its moments begin at zero with every task.
    pub optimizer: Optimizer,
    /// Support images of each step, drawn anew when all have had their turn; 0 for all at once.
    pub batch: u32,
    /// Seeds the order of the support.
    pub seed: u64,
}

/// What fine-tuning needs beside the inner loop's buffers.
#[derive(Debug)]
pub(crate) struct FineTuner<B> {
    optimizer: OptimizerState<B>,
    /// Where the classifier alone is adapted: the embeddings of the support, `[tasks, N, d]`, and
    /// the rows of them that a group takes.
    features: Option<(B, B)>,
}

/// The order in which a support is gone through.
struct Order {
    numbers: Numbers,
    images: Vec<u32>,
    next: usize,
    batch: usize,
    begun: bool,
}

impl Order {
    fn new(settings: FineTune, support: u32) -> Self {
        let batch = if settings.batch == 0 { support } else { settings.batch.min(support) };
        Self {
            numbers: Numbers::new(b"finetune", settings.seed, 0, 0),
            images: (0..support).collect(),
            next: support as usize,
            batch: batch.max(1) as usize,
            begun: false,
        }
    }

    /// First place and size of the next batch in the present order, and whether that order is new.
    fn next(&mut self) -> (u32, u32, bool) {
        let starts = self.next >= self.images.len();
        // One batch of all has no order.
        let draws = starts && self.batch < self.images.len();
        if starts {
            self.next = 0;
        }
        if draws {
            self.numbers.shuffle(&mut self.images);
        }
        let is_new = draws || !self.begun;
        self.begun = true;
        let (first, size) = (self.next, self.batch.min(self.images.len() - self.next));
        self.next += size;
        (first as u32, size as u32, is_new)
    }
}

impl<B> FineTuner<B> {
    pub(crate) fn new<A: Allocate<Buffer = B>>(
        allocate: &mut A,
        settings: FineTune,
        (full, dimension): (&FullNetworkModel, u32),
        (sizes, limits): (&Sizes, TaskLimits),
    ) -> Result<Self, GpuError> {
        let features = if full.adapts_network {
            None
        } else {
            let embeddings = u64::from(sizes.tasks) * u64::from(limits.support) * u64::from(dimension);
            let features = allocate.values(Category::Embeddings, "support.features", embeddings)?;
            Some((features, allocate.values(Category::Embeddings, "support.rows", u64::from(sizes.rows()))?))
        };
        Ok(Self { optimizer: settings.optimizer.allocate(allocate, sizes.tasks * full.stride)?, features })
    }
}

impl Adapting<'_> {
    /// Adapts every task: w_K ends in the pass's parameters.
    pub(crate) async fn fine_tune(&self, recorder: &mut Recorder, settings: FineTune) -> Result<(), MetaError> {
        let (workspace, inner) = (self.workspace, &self.full.settings);
        let Some(tuner) = &workspace.tuner else { return Ok(()) };
        self.restart(recorder)?;
        self.prepare(recorder)?;
        tuner.optimizer.moments().iter().for_each(|moment| recorder.clear(moment.all()));
        if let Some((features, _)) = &tuner.features {
            self.embed_support(recorder, features).await?;
        }
        let mut order = Order::new(settings, self.support());
        for step in 1..=u64::from(inner.inner_steps) {
            let (first, size, is_new) = order.next();
            if is_new {
                self.set_order(recorder, &order.images).await?;
            }
            if step > 1 && self.full.adapts_network {
                self.prepare(recorder)?;
            }
            self.batch.set(size);
            recorder.clear(workspace.slope.slice(0, self.flat_bytes())?);
            for group in self.sizes.support_part(self.count(), (first, size)) {
                self.score(recorder, (Half::Support, &group), Some(&workspace.slope)).await?;
            }
            let update = Update { learning_rate: inner.inner_learning_rate, slower: None, scale: 1.0, clip_norm: 0.0 };
            tuner.optimizer.step(recorder, &workspace.slope, &workspace.parameters, step, update)?;
            recorder.breathe().await?;
        }
        self.mark(recorder, &workspace.parameters, TaskStatus::InnerLoop)?;
        self.prepare(recorder)
    }

    /// Embeds the whole support of every task.
    async fn embed_support(&self, recorder: &mut Recorder, features: &Buffer) -> Result<(), MetaError> {
        let row = 4 * u64::from(self.model.network.dimension());
        for group in self.sizes.support(self.count(), self.support()) {
            self.embed(recorder, Half::Support, &group).await?;
            // A group is all tasks from their first image on, or a part of the only one.
            let bytes = u64::from(group.images()) * row;
            let embedded = self.workspace.rows.embeddings.slice(0, bytes)?;
            recorder.copy(embedded, features.slice(u64::from(group.first) * row, bytes)?);
        }
        Ok(())
    }

    /// Puts the support's labels into this order, in which groups are numbered from now on.
    async fn set_order(&self, recorder: &mut Recorder, images: &[u32]) -> Result<(), MetaError> {
        let label = |labels: &[u32], image: &u32| labels.get(*image as usize).copied().unwrap_or(0);
        let of_task = |labels: &[u32]| images.iter().map(|image| label(labels, image)).collect::<Vec<_>>();
        let labels: Vec<u32> = self.tasks.iter().flat_map(|task| of_task(task.support_labels)).collect();
        recorder.upload_values(self.workspace.common.support_labels.all(), &labels).await?;
        self.reorder(images);
        Ok(())
    }

    /// The group's rows of the features that were kept, into the rows of embeddings; whether there
    /// are any.
    pub(crate) async fn gather_features(&self, recorder: &mut Recorder, group: &Group) -> Result<bool, MetaError> {
        let kept = self.workspace.tuner.as_ref().and_then(|tuner| tuner.features.as_ref());
        let Some((features, indices)) = kept else { return Ok(false) };
        let support = self.support();
        let number = |place: &Place| place.task * support + place.image;
        let rows: Vec<u32> = self.group_images(Half::Support, group).iter().map(number).collect();
        recorder.upload_values(indices.all(), &rows).await?;
        let (rows, dimension) = (group.images(), self.model.network.dimension());
        let params = gather_rows::Params { rows, dimension, scale: 1.0 };
        let buffers = gather_rows::Buffers {
            source: features.all(),
            indices: indices.all(),
            destination: self.workspace.rows.embeddings.all(),
        };
        recorder.dispatch(params, buffers, u64::from(rows) * u64::from(dimension))?;
        Ok(true)
    }
}

impl FullNetworkKind {
    /// How it fine-tunes, where it does.
    pub(crate) fn fine_tune(self) -> Option<FineTune> {
        match self {
            Self::FineTune(settings) => Some(settings),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(batch: u32, support: u32) -> Order {
        let optimizer = Optimizer::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };
        Order::new(FineTune { optimizer, batch, seed: 3 }, support)
    }

    #[test]
    fn every_image_has_its_turn() {
        let mut order = order(3, 7);
        for _ in 0..4 {
            let mut seen = Vec::new();
            for expected in [(0, 3, true), (3, 3, false), (6, 1, false)] {
                let (first, size, is_new) = order.next();
                assert_eq!((first, size, is_new), expected);
                seen.extend_from_slice(&order.images[first as usize..(first + size) as usize]);
            }
            assert_ne!(seen, (0..7).collect::<Vec<_>>());
            seen.sort_unstable();
            assert_eq!(seen, (0..7).collect::<Vec<_>>());
        }
    }

    #[test]
    fn all_at_once_stay_as_they_are() {
        for batch in [0, 7, 9] {
            let mut order = order(batch, 7);
            assert_eq!(order.next(), (0, 7, true));
            assert_eq!(order.next(), (0, 7, false));
            assert_eq!(order.images, (0..7).collect::<Vec<_>>());
        }
    }
}
