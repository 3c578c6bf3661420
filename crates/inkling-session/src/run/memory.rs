//! Memory plans without running them, and budgets.

use inkling_gpu::{Bytes, Category, Tier};
use inkling_meta::{Estimator, Model, Purpose, TaskLimits};

use super::SessionError;
use super::model::{evaluation_limits, learner_config, open_data, training_limits, training_purpose};
use crate::config::RunConfig;
use crate::units::ByteSize;

/// The plan of one estimator for one task size.
#[derive(Clone, Debug)]
pub struct MemoryPlan {
    /// `full`, `chunked`, `lite` or `subsampled`.
    pub estimator: &'static str,
    /// N.
    pub support: u32,
    /// Pixels of the images' side.
    pub image_size: u32,
    /// Bytes by category.
    pub bytes: Bytes,
    /// The largest H whose rows fit one pass (chunk = H) within the budget, for `lite`; none when
    /// there is no budget or nothing fits.
    pub largest_h: Option<u32>,
    /// The largest chunk within the budget.
    pub largest_chunk: Option<u32>,
}

/// The plans of every estimator for each N and image size; empty lists take the configuration's.
///
/// # Errors
/// When the data set cannot be opened or a network cannot be built.
pub fn memory_plans(
    config: &RunConfig,
    supports: &[u32],
    image_sizes: &[u32],
    tier: Tier,
) -> Result<Vec<MemoryPlan>, SessionError> {
    let shape = open_data(&config.data)?.image_shape();
    let own = training_limits(&config.task);
    let supports = if supports.is_empty() { &[own.support][..] } else { supports };
    let image_sizes = if image_sizes.is_empty() { &[shape.height][..] } else { image_sizes };
    let mut plans = Vec::new();
    for &image_size in image_sizes {
        for &support in supports {
            let shape = inkling_data::ImageShape { height: image_size, width: image_size, ..shape };
            let limits = TaskLimits { support, ..own };
            for estimator in [Estimator::Full, Estimator::Chunked, Estimator::Lite, Estimator::Subsampled] {
                plans.extend(plan(config, shape, limits, estimator, tier)?);
            }
        }
    }
    Ok(plans)
}

fn plan(
    config: &RunConfig,
    shape: inkling_data::ImageShape,
    limits: TaskLimits,
    estimator: Estimator,
    tier: Tier,
) -> Result<Option<MemoryPlan>, SessionError> {
    let mut learner = learner_config(config, shape)?;
    if learner.network.norm.couples_images() && estimator != Estimator::Full {
        return Ok(None);
    }
    learner.gradient.estimator = estimator;
    let purpose = training_purpose(&config.training);
    let name = match estimator {
        Estimator::Full => "full",
        Estimator::Chunked => "chunked",
        Estimator::Lite => "lite",
        Estimator::Subsampled => "subsampled",
    };
    // A subsampled task has H support images and no others.
    let limits = match estimator {
        Estimator::Subsampled => TaskLimits { support: learner.gradient.h.min(limits.support).max(limits.ways), ..limits },
        _ => limits,
    };
    let model = Model::new(learner, tier)?;
    let bytes = model.planned_bytes(limits, purpose)?;
    let budget = config.memory.budget.filter(|_| estimator != Estimator::Full);
    let largest_chunk = match budget {
        Some(budget) => largest_chunk(&model, limits, purpose, budget.0)?,
        None => None,
    };
    let largest_h = largest_chunk.filter(|_| estimator == Estimator::Lite);
    Ok(Some(MemoryPlan { estimator: name, support: limits.support, image_size: shape.height, bytes, largest_h, largest_chunk }))
}

fn planned(model: &Model, limits: TaskLimits, purpose: Purpose, chunk: u32, query_batch: Option<u32>) -> Result<u64, SessionError> {
    let mut config = model.config().clone();
    config.gradient.chunk = chunk;
    if let Some(query_batch) = query_batch {
        config.gradient.query_batch = query_batch;
    }
    Ok(Model::new(config, Tier::Cpu)?.planned_bytes(limits, purpose)?.total())
}

/// The largest chunk whose plan is within the budget, by bisection: plans grow with the chunk.
fn largest_chunk(model: &Model, limits: TaskLimits, purpose: Purpose, budget: u64) -> Result<Option<u32>, SessionError> {
    if planned(model, limits, purpose, 1, None)? > budget {
        return Ok(None);
    }
    let (mut fits, mut fails) = (1, limits.support.max(1) + 1);
    while fails - fits > 1 {
        let middle = fits + (fails - fits) / 2;
        if planned(model, limits, purpose, middle, None)? <= budget { fits = middle } else { fails = middle }
    }
    Ok(Some(fits))
}

/// Refuses a plan above the budget, with what would fit and the least that is possible.
pub(super) fn check_budget(
    model: &Model,
    limits: TaskLimits,
    purpose: Purpose,
    budget: Option<ByteSize>,
) -> Result<Bytes, SessionError> {
    let bytes = model.planned_bytes(limits, purpose)?;
    if let Some(largest) = model.plan(limits, purpose)?.largest().filter(|buffer| buffer.bytes > 128 << 20) {
        return Err(SessionError::Budget(format!(
            "the buffer {} needs {}, above the 128 MiB that every WebGPU device can bind; lower gradient.chunk, \
             gradient.query_batch, model.channels or data.image_size",
            largest.name,
            ByteSize(largest.bytes)
        )));
    }
    let Some(budget) = budget.filter(|budget| bytes.total() > budget.0) else { return Ok(bytes) };
    let coupled = model.config().network.norm.couples_images();
    let least = if coupled { bytes.total() } else { minimum(model, limits, purpose)? };
    let fits = match (coupled, model.config().gradient.estimator) {
        (false, Estimator::Full) if purpose != Purpose::Evaluate => {
            "gradient.estimator = \"lite\" or \"chunked\" needs far less".to_owned()
        }
        (true, _) => "a norm other than batch can run in chunks".to_owned(),
        (false, _) => match largest_chunk(model, limits, purpose, budget.0)? {
            Some(chunk) => format!("the largest that fits is gradient.chunk = {chunk}"),
            None => "lower gradient.query_batch with gradient.chunk, model.channels or data.image_size".to_owned(),
        },
    };
    Err(SessionError::Budget(format!(
        "the plan needs {} and the budget is {budget}; {fits}; the minimum for this network and task is {} \
         (chunk and query_batch of 1)",
        ByteSize(bytes.total()),
        ByteSize(least),
    )))
}

/// The plan with chunks and query batches of one image.
fn minimum(model: &Model, limits: TaskLimits, purpose: Purpose) -> Result<u64, SessionError> {
    let mut config = model.config().clone();
    config.gradient.estimator = if config.gradient.estimator == Estimator::Full { Estimator::Chunked } else { config.gradient.estimator };
    planned(&Model::new(config, Tier::Cpu)?, limits, purpose, 1, Some(1))
}

/// The largest task of a run, training and validation together.
pub(super) fn run_limits(config: &RunConfig) -> TaskLimits {
    let training = training_limits(&config.task);
    if config.training.validate_every == 0 || config.training.validation_episodes == 0 {
        return training;
    }
    training.union(evaluation_limits(&config.evaluation))
}

/// The categories of a plan that are not empty.
pub(super) fn by_category(bytes: &Bytes) -> Vec<crate::events::CategoryBytes> {
    let entry = |(category, bytes): (Category, u64)| crate::events::CategoryBytes { category: category.name().to_owned(), bytes };
    bytes.iter().filter(|(_, bytes)| *bytes > 0).map(entry).collect()
}
