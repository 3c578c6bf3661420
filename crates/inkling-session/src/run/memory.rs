//! Memory plans without running them, and budgets.

use inkling_data::ImageShape;
use inkling_gpu::{Bytes, Category, Tier};
use inkling_meta::{Estimator, Model, Purpose, TaskLimits};

use super::SessionError;
use super::model::{evaluation_limits, learner_config, open_data, run_model, training_limits, training_purpose};
use crate::config::{EstimatorKind, RunConfig};
use crate::events::{CategoryBytes, SmallerPlan};
use crate::session::Passes;
use crate::units::ByteSize;

/// Every WebGPU device binds this much at once.
const LARGEST_BUFFER: u64 = 128 << 20;

/// The most images of a pass that the planner chooses: larger ones are hardly faster.
const MOST_CHOSEN: u32 = 64;

/// What chosen passes may need where no budget is given.
const USUAL_BUDGET: u64 = 1 << 30;

/// The plan of one estimator for one task size: the peak that a run of it reports.
#[derive(Clone, Debug)]
pub struct MemoryPlan {
    /// `full`, `chunked`, `lite` or `subsampled`.
    pub estimator: &'static str,
    /// H, for `lite` and `subsampled`.
    pub h: Option<u32>,
    /// Images of one pass of the support, for all but `full`.
    pub chunk: Option<u32>,
    /// N.
    pub support: u32,
    /// Pixels of the images' side.
    pub image_size: u32,
    /// Bytes by category.
    pub bytes: Bytes,
    /// The least that the estimator needs: passes of one image.
    pub minimum: u64,
    /// The largest chunk within the budget, with query batches no larger; none when there is no
    /// budget, nothing fits, or the estimator has no chunks.
    pub largest_chunk: Option<u32>,
    /// The largest H within the budget whose rows are back-propagated in one pass.
    pub largest_h: Option<u32>,
}

/// The plans of every estimator for each N and image size; empty lists take the configuration's.
///
/// # Errors
/// When the data set cannot be opened, a network cannot be built, or N is below the ways.
pub fn memory_plans(
    config: &RunConfig,
    supports: &[u32],
    image_sizes: &[u32],
    tier: Tier,
) -> Result<Vec<MemoryPlan>, SessionError> {
    plans_for((config, open_data(config)?.image_shape()), supports, image_sizes, tier)
}

/// The plans of every estimator for the task of a configuration and images of `shape`: nothing is
/// opened, so that they can follow a slider.
///
/// # Errors
/// When a network cannot be built.
pub fn plans(config: &RunConfig, shape: ImageShape, tier: Tier) -> Result<Vec<MemoryPlan>, SessionError> {
    let shape = match config.data.image_size {
        Some(side) => ImageShape { height: side, width: side, ..shape },
        None => shape,
    };
    plans_for((config, shape), &[], &[], tier)
}

fn plans_for(
    (config, shape): (&RunConfig, ImageShape),
    supports: &[u32],
    image_sizes: &[u32],
    tier: Tier,
) -> Result<Vec<MemoryPlan>, SessionError> {
    let own = training_limits(&config.task, &config.training);
    let supports = if supports.is_empty() { &[own.support][..] } else { supports };
    let image_sizes = if image_sizes.is_empty() { &[shape.height][..] } else { image_sizes };
    if let Some(few) = supports.iter().find(|&&support| support < own.ways) {
        return Err(SessionError::Setting(format!(
            "{few} support images are fewer than the {} classes of a task; lower task.ways or plan for more images",
            own.ways
        )));
    }
    let mut plans = Vec::new();
    for &image_size in image_sizes {
        for &support in supports {
            let shape = ImageShape { height: image_size, width: image_size, ..shape };
            let limits = with_validation(config, TaskLimits { support, ..own });
            for estimator in [Estimator::Full, Estimator::Chunked, Estimator::Lite, Estimator::Subsampled] {
                plans.extend(plan(config, (shape, support), limits, estimator, tier)?);
            }
        }
    }
    Ok(plans)
}

fn plan(
    config: &RunConfig,
    (shape, support): (ImageShape, u32),
    limits: TaskLimits,
    estimator: Estimator,
    tier: Tier,
) -> Result<Option<MemoryPlan>, SessionError> {
    let mut config = config.clone();
    choose_passes(&mut config, shape, tier)?;
    let mut learner = learner_config(&config, shape)?;
    if learner.network.norm.couples_images() && estimator != Estimator::Full {
        return Ok(None);
    }
    learner.gradient.estimator = estimator;
    let gradient = learner.gradient.clone();
    let model = run_model(&config, learner, tier)?;
    let planner = Planner { model: &model, tier, limits, purpose: training_purpose(&config.training) };
    let draws = matches!(estimator, Estimator::Lite | Estimator::Subsampled);
    let in_chunks = estimator != Estimator::Full;
    let largest_chunk = match config.memory.budget.filter(|_| in_chunks) {
        Some(budget) => planner.largest_pass(budget.0)?.map(|pass| pass.min(support)),
        None => None,
    };
    Ok(Some(MemoryPlan {
        estimator: named(estimator).name(),
        h: draws.then_some(gradient.h.min(support)),
        chunk: in_chunks.then_some(gradient.chunk.min(support)),
        support,
        image_size: shape.height,
        bytes: planner.bytes()?,
        minimum: if in_chunks { planner.minimum()? } else { planner.bytes()?.total() },
        largest_chunk,
        largest_h: largest_chunk.filter(|_| draws),
    }))
}

impl MemoryPlan {
    /// The categories that are not empty.
    pub fn by_category(&self) -> Vec<CategoryBytes> {
        by_category(&self.bytes)
    }
}

/// The memory of a model at work, and what it would be with smaller passes.
#[derive(Clone, Copy)]
pub(super) struct Planner<'m> {
    pub(super) model: &'m Model,
    pub(super) tier: Tier,
    pub(super) limits: TaskLimits,
    pub(super) purpose: Purpose,
}

impl Planner<'_> {
    pub(super) fn bytes(&self) -> Result<Bytes, SessionError> {
        Ok(self.model.planned_bytes(self.limits, self.purpose)?)
    }

    /// The model with chunks of this many images, query batches no larger, and `full` replaced by
    /// its equal in chunks.
    pub(super) fn with_passes(&self, images: u32) -> Result<Model, SessionError> {
        let mut config = self.model.config().clone();
        let gradient = &mut config.gradient;
        gradient.chunk = images;
        gradient.query_batch = gradient.query_batch_of(self.limits.queries).min(images);
        if gradient.estimator == Estimator::Full {
            gradient.estimator = Estimator::Chunked;
        }
        let model = Model::new(config, self.tier)?;
        Ok(if self.model.is_over_features() { model.over_features() } else { model })
    }

    fn total(&self, images: u32) -> Result<u64, SessionError> {
        Ok(self.with_passes(images)?.planned_bytes(self.limits, self.purpose)?.total())
    }

    /// The plan with passes of one image; all that there is where the norm couples the images.
    pub(super) fn minimum(&self) -> Result<u64, SessionError> {
        if self.model.config().network.norm.couples_images() { Ok(self.bytes()?.total()) } else { self.total(1) }
    }

    /// The largest passes whose plan is within the budget, by bisection: plans grow with them.
    pub(super) fn largest_pass(&self, budget: u64) -> Result<Option<u32>, SessionError> {
        if self.model.config().network.norm.couples_images() || self.total(1)? > budget {
            return Ok(None);
        }
        let (mut fits, mut fails) = (1, self.limits.support.max(self.limits.queries).max(1) + 1);
        while fails - fits > 1 {
            let middle = fits + (fails - fits) / 2;
            if self.total(middle)? <= budget {
                fits = middle;
            } else {
                fails = middle;
            }
        }
        Ok(Some(fits))
    }

    /// Refuses a plan above the budget, with what would fit and the least that is possible; gives
    /// the plan otherwise.
    pub(super) fn check(&self, budget: Option<ByteSize>) -> Result<Bytes, SessionError> {
        let bytes = self.bytes()?;
        let plan = self.model.plan(self.limits, self.purpose)?;
        if let Some(largest) = plan.largest().filter(|buffer| buffer.bytes > LARGEST_BUFFER) {
            return Err(SessionError::Budget(format!(
                "the buffer {} needs {}, and WebGPU devices bind 128 MiB; lower gradient.chunk, gradient.query_batch, \
                 model.channels or data.image_size",
                largest.name,
                ByteSize(largest.bytes).rounded()
            )));
        }
        match budget.filter(|budget| bytes.total() > budget.0) {
            None => Ok(bytes),
            Some(budget) => Err(self.above(budget, bytes.total())?),
        }
    }

    fn above(&self, budget: ByteSize, planned: u64) -> Result<SessionError, SessionError> {
        let gradient = &self.model.config().gradient;
        let coupled = self.model.config().network.norm.couples_images();
        let exact_in_chunks = gradient.estimator == Estimator::Full && self.purpose != Purpose::Evaluate;
        let way = match self.largest_pass(budget.0)? {
            _ if coupled => "the statistics of model.norm = \"batch\" need whole passes, \"group\" does not".to_owned(),
            Some(images) => format!(
                "it fits with {}gradient.chunk = {} and gradient.query_batch = {}",
                if exact_in_chunks { "gradient.estimator = \"chunked\", " } else { "" },
                images,
                gradient.query_batch_of(self.limits.queries).min(images),
            ),
            None => "use smaller images, fewer channels or a smaller task".to_owned(),
        };
        let passes = if coupled {
            ""
        } else if exact_in_chunks {
            " (gradient.estimator = \"chunked\", gradient.chunk = 1, gradient.query_batch = 1)"
        } else {
            " (gradient.chunk = 1, gradient.query_batch = 1)"
        };
        Ok(SessionError::Budget(format!(
            "the plan needs {} of GPU memory and the budget is {}; {way}; the minimum for this network and task is {}{passes}",
            exact(planned),
            exact(budget.0),
            exact(self.minimum()?),
        )))
    }
}

/// Where `gradient.chunk` is 0, puts the largest passes that the budget allows in its place (1 GiB
/// where none is given), and query batches no larger.
///
/// # Errors
/// When a network cannot be built.
pub(super) fn choose_passes(config: &mut RunConfig, shape: ImageShape, tier: Tier) -> Result<(), SessionError> {
    if config.gradient.chunk != 0 {
        return Ok(());
    }
    config.gradient.chunk = 1;
    let model = run_model(config, learner_config(config, shape)?, tier)?;
    let (limits, purpose) = (run_limits(config), training_purpose(&config.training));
    let budget = config.memory.budget.map_or(USUAL_BUDGET, |budget| budget.0);
    let planner = Planner { model: &model, tier, limits, purpose };
    config.gradient.chunk = planner.largest_pass(budget)?.unwrap_or(1).min(MOST_CHOSEN);
    let queries = model.config().gradient.query_batch_of(limits.queries);
    config.gradient.query_batch = queries.min(config.gradient.chunk);
    Ok(())
}

/// Passes that need at most half the bytes of the present ones, or else as few as there can be; none
/// when that is no less.
pub(super) fn smaller_plan(planner: &Planner<'_>) -> Option<SmallerPlan> {
    let present = planner.bytes().ok()?.total();
    if planner.model.config().network.norm.couples_images() {
        return None;
    }
    let images = planner.largest_pass(present / 2).ok()?.unwrap_or(1);
    let model = planner.with_passes(images).ok()?;
    let bytes = model.planned_bytes(planner.limits, planner.purpose).ok()?.total();
    let gradient = &model.config().gradient;
    let passes =
        Passes { estimator: named(gradient.estimator), chunk: gradient.chunk, query_batch: gradient.query_batch };
    (bytes < present).then_some(SmallerPlan { passes, bytes })
}

fn named(estimator: Estimator) -> EstimatorKind {
    match estimator {
        Estimator::Full => EstimatorKind::Full,
        Estimator::Chunked => EstimatorKind::Chunked,
        Estimator::Lite => EstimatorKind::Lite,
        Estimator::Subsampled => EstimatorKind::Subsampled,
    }
}

/// Rounded for people, with the exact number that an option takes.
fn exact(bytes: u64) -> String {
    let written = ByteSize(bytes);
    if bytes.is_multiple_of(1024) { written.to_string() } else { format!("{} = {written}", written.rounded()) }
}

/// The largest task of a run, training and validation together.
pub(super) fn run_limits(config: &RunConfig) -> TaskLimits {
    with_validation(config, training_limits(&config.task, &config.training))
}

fn with_validation(config: &RunConfig, training: TaskLimits) -> TaskLimits {
    if config.training.validates() { training.union(evaluation_limits(&config.evaluation)) } else { training }
}

/// The categories of a plan that are not empty.
pub(super) fn by_category(bytes: &Bytes) -> Vec<CategoryBytes> {
    let entry = |(category, bytes): (Category, u64)| CategoryBytes { category: category.name().to_owned(), bytes };
    bytes.iter().filter(|(_, bytes)| *bytes > 0).map(entry).collect()
}
