//! What learning a new task costs at test time, method by method.

use inkling_meta::TaskLimits;
use inkling_platform::{Stopwatch, yield_now};

use super::SessionError;
use super::evaluate::{opened, score};
use super::model::{evaluation_limits, initial, learner_config, to_file};
use super::site::Site;
use super::tasks::PreparedTask;
use crate::config::RunConfig;
use crate::events::Event;
use crate::report::adaptation::AdaptationPoint;
use crate::tensor_file::TensorFile;

/// A method that adapts to tasks.
#[derive(Clone, Debug)]
pub struct AdaptationMethod {
    /// What reports call it.
    pub name: String,
    /// The data, the episodes of `[evaluation]`, the network, and what adapts.
    pub config: RunConfig,
    /// Weights, and what reports call them; those that the configuration starts from where absent.
    pub weights: Option<(String, TensorFile)>,
}

/// Counts, times and scores every method on the fixed episodes of `[evaluation]`. Adapting is timed
/// without its queries, on `timed` episodes after one that compiles the kernels; none is scored where
/// `scores` is off. Multiply-accumulates come from the plan, and need neither.
///
/// # Errors
/// When data, weights or device fail, or a method refuses its tasks.
pub async fn adaptation_report(
    methods: &[AdaptationMethod],
    (timed, scores): (u32, bool),
    site: &Site,
    emit: &mut dyn FnMut(Event),
) -> Result<Vec<AdaptationPoint>, SessionError> {
    let mut points = Vec::new();
    for method in methods {
        points.push(one(method, (timed, scores), site, emit).await?);
    }
    Ok(points)
}

async fn one(
    method: &AdaptationMethod,
    (timed, scores): (u32, bool),
    site: &Site,
    emit: &mut dyn FnMut(Event),
) -> Result<AdaptationPoint, SessionError> {
    let config = &method.config;
    let (name, weights) = match &method.weights {
        Some((name, weights)) => (name.clone(), weights.clone()),
        None => (config.model.weights.clone().unwrap_or_else(|| "random".to_owned()), first_weights(config, site)?),
    };
    let (mut learner, source) = opened(config, &weights, site).await?;
    let limits = evaluation_limits(&config.evaluation);
    let adaptation = learner.model().adaptation(TaskLimits { tasks: 1, ..limits });
    let mut times = Vec::new();
    if timed > 0 {
        for index in 0..=u64::from(timed) {
            let prepared: PreparedTask = source.prepare(index)?;
            let clock = Stopwatch::start();
            learner.adapt(&prepared.task()).await?;
            // The first compiles kernels.
            if index > 0 {
                times.push(clock.seconds());
            }
            yield_now().await;
        }
    }
    times.sort_by(f64::total_cmp);
    let evaluation = match scores {
        true => Some(score(&mut learner, &source, None, config.evaluation.episodes, emit).await?.evaluation()),
        false => None,
    };
    Ok(AdaptationPoint {
        method: method.name.clone(),
        weights: name,
        ways: limits.ways,
        support: limits.support,
        image_size: source.dataset.image_shape().height,
        steps: adaptation.steps,
        forward_images: adaptation.forward_images,
        backward_images: adaptation.backward_images,
        macs: adaptation.macs(),
        head_macs: adaptation.head_macs,
        query_macs: adaptation.query_macs,
        seconds: times.get(times.len() / 2).copied(),
        episodes: evaluation.as_ref().map_or(0, |evaluation| evaluation.episodes),
        accuracy: evaluation.as_ref().map(|evaluation| evaluation.accuracy.into()),
        interval: evaluation.as_ref().map(|evaluation| evaluation.interval.into()),
    })
}

/// The weights that the method starts from, with a classifier for the tasks at hand.
fn first_weights(config: &RunConfig, site: &Site) -> Result<TensorFile, SessionError> {
    let mut config = config.clone();
    config.task.variable = false;
    config.task.ways = config.evaluation.ways;
    let shape = site.data(&config)?.image_shape();
    // The tier chooses kernels, not weights.
    let model = inkling_meta::Model::new(learner_config(&config, shape)?, inkling_gpu::Tier::Cpu)?;
    to_file(&initial(&model, &config, site.weights.as_deref())?, None)
}
