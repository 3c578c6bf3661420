//! Accuracy over fixed episodes.

use inkling_meta::{Images, Learner, Model, Outcome, Purpose, Task};
use inkling_platform::yield_now;

use super::SessionError;
use super::memo::{Glimpses, Memo};
use super::memory::Planner;
use super::model::{
    classifier_config, classifier_ways, evaluation_limits, from_file, initial, learner_config, normalization,
    open_data, to_file,
};
use super::site::Site;
use super::supply::FeatureCache;
use super::tasks::{PreparedTask, SkipReport, TaskSource, evaluation_spec, split};
use crate::config::{EvaluationConfig, RunConfig};
use crate::events::{Evaluation, Event};
use crate::statistics::mean_and_interval;
use crate::tensor_file::TensorFile;

/// Episodes between two reports of progress.
const REPORT_EVERY: u32 = 10;

/// Scores the fixed episodes of `[evaluation]`: pure functions of data set, split, seed and number.
///
/// # Errors
/// When data, weights or device fail.
pub async fn evaluate(
    config: &RunConfig,
    weights: &TensorFile,
    site: &Site,
    emit: &mut dyn FnMut(Event),
) -> Result<Scores, SessionError> {
    let (mut learner, source) = opened(config, weights, site).await?;
    let scores = score(&mut learner, &source, None, config.evaluation.episodes, emit).await?;
    let mut skips = SkipReport::default();
    skips.tell(source.dataset.as_ref(), emit);
    skips.sum_up(emit);
    Ok(scores)
}

/// A learner with these weights on a device, and the fixed episodes of `[evaluation]`.
pub(super) async fn opened(
    config: &RunConfig,
    weights: &TensorFile,
    site: &Site,
) -> Result<(Learner, TaskSource), SessionError> {
    let dataset = site.data(config)?;
    let normalization = normalization(config, dataset.as_ref())?.into();
    let source = TaskSource {
        dataset,
        normalization,
        split: split(config.evaluation.split),
        spec: evaluation_spec(&config.evaluation),
        augmentation: None,
        seed: config.evaluation.seed,
        list: None,
    };
    source.check()?;
    let shape = source.dataset.image_shape();
    let gpu = site.gpu().await?;
    let ways = classifier_ways(config.learner.as_ref(), weights, config.evaluation.ways);
    let solver = (&config.head, config.learner.as_ref());
    let model = Model::new(classifier_config((&config.model, &config.gradient), solver, (shape, ways)), gpu.tier())?;
    let weights = from_file(weights, &model)?;
    let limits = evaluation_limits(&config.evaluation);
    let purpose = Purpose::Evaluate;
    Planner { model: &model, tier: gpu.tier(), limits, purpose }.check(config.memory.budget)?;
    let mut learner = Learner::new(&gpu, model, limits, purpose)?;
    learner.set_weights(&weights).await?;
    Ok((learner, source))
}

/// How a learner did on each of some episodes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    /// The share of right queries of each episode.
    pub accuracies: Vec<f64>,
    /// The mean loss.
    pub loss: f64,
}

impl Scores {
    /// Mean and confidence interval.
    pub fn evaluation(&self) -> Evaluation {
        let (mean, interval) = mean_and_interval(&self.accuracies);
        Evaluation {
            episodes: self.accuracies.len() as u32,
            loss: self.loss as f32,
            accuracy: mean as f32,
            interval: interval as f32,
        }
    }

    /// The mean of the differences to another learner on the same episodes, and half the width of its
    /// 95 % interval.
    pub fn minus(&self, other: &Self) -> (f64, f64) {
        let differences: Vec<f64> =
            self.accuracies.iter().zip(&other.accuracies).map(|(own, other)| own - other).collect();
        mean_and_interval(&differences)
    }
}

/// Scores episodes 0, 1, … of a source; feature maps come from `features` where there are any.
pub(super) async fn score(
    learner: &mut Learner,
    source: &TaskSource,
    features: Option<&mut FeatureCache>,
    episodes: u32,
    emit: &mut dyn FnMut(Event),
) -> Result<Scores, SessionError> {
    match Memo::worth_it(learner, source, episodes) {
        Some(memo) => score_embedded(learner, (source, features), memo, episodes, emit).await,
        None => score_images(learner, source, episodes, emit).await,
    }
}

/// Embeds each image once, however many episodes it occurs in.
async fn score_embedded(
    learner: &mut Learner,
    (source, mut features): (&TaskSource, Option<&mut FeatureCache>),
    mut memo: Memo,
    episodes: u32,
    emit: &mut dyn FnMut(Event),
) -> Result<Scores, SessionError> {
    let mut tally = Tally::of(episodes);
    let kept = features.as_ref().map(|features| features.images()).unwrap_or_default();
    let mut glimpses = Glimpses::of(source, episodes, kept);
    let dimension = learner.model().network().dimension() as usize;
    for _ in 0..episodes {
        let episode = glimpses.next()?;
        let features = features.as_deref_mut();
        let mut support = memo.rows(learner, (&source.normalization, features), &episode).await?;
        let plan = &episode.plan;
        let query = support.split_off(plan.support().len() * dimension);
        let task = Task {
            ways: plan.ways(),
            support: Images::Values(&support),
            support_labels: plan.support_labels(),
            query: Images::Values(&query),
            query_labels: plan.query_labels(),
        };
        let outcome = learner.evaluate_embeddings(&task).await?;
        tally.add(&[outcome], emit);
        yield_now().await;
    }
    Ok(tally.scores())
}

async fn score_images(
    learner: &mut Learner,
    source: &TaskSource,
    episodes: u32,
    emit: &mut dyn FnMut(Event),
) -> Result<Scores, SessionError> {
    let mut stream = source.stream(0);
    let mut tally = Tally::of(episodes);
    while tally.done() < episodes {
        let count = learner.limits().tasks.min(episodes - tally.done());
        let prepared = (0..count).map(|_| stream.next()).collect::<Result<Vec<_>, _>>()?;
        let pass: Vec<_> = prepared.iter().map(PreparedTask::task).collect();
        tally.add(&learner.evaluate_pass(&pass).await?, emit);
        yield_now().await;
    }
    Ok(tally.scores())
}

/// What has been scored so far.
struct Tally {
    episodes: u32,
    accuracies: Vec<f64>,
    /// Summed.
    loss: f64,
    /// Episodes at the last report of progress.
    reported: u32,
}

impl Tally {
    fn of(episodes: u32) -> Self {
        Self { episodes, accuracies: Vec::with_capacity(episodes as usize), loss: 0.0, reported: 0 }
    }

    fn done(&self) -> u32 {
        self.accuracies.len() as u32
    }

    /// Adds episodes, and reports from time to time, and at the end.
    fn add(&mut self, outcomes: &[Outcome], emit: &mut dyn FnMut(Event)) {
        self.accuracies.extend(outcomes.iter().map(|outcome| outcome.accuracy));
        outcomes.iter().for_each(|outcome| self.loss += outcome.loss);
        let (done, episodes) = (self.done(), self.episodes);
        if done - self.reported >= REPORT_EVERY || done == episodes {
            self.reported = done;
            let (mean, _) = mean_and_interval(&self.accuracies);
            emit(Event::Evaluating { done, episodes, accuracy: mean as f32 });
        }
    }

    fn scores(self) -> Scores {
        let loss = self.loss / f64::from(self.episodes.max(1));
        Scores { accuracies: self.accuracies, loss }
    }
}

/// The weights that a run of this configuration starts from.
///
/// # Errors
/// When the data set cannot be opened or the network cannot be built.
pub fn initial_weights(config: &RunConfig) -> Result<TensorFile, SessionError> {
    let dataset = open_data(config)?;
    let learner = learner_config(config, dataset.image_shape())?;
    // The tier chooses kernels, not weights.
    let model = Model::new(learner, inkling_gpu::Tier::Cpu)?;
    to_file(&initial(&model, config, None)?, None)
}

/// The validation of a run: the shape of `[evaluation]` on the validation split.
pub(super) fn validation(config: &RunConfig) -> EvaluationConfig {
    EvaluationConfig {
        split: crate::config::SplitName::Validation,
        episodes: config.training.validation_episodes,
        ..config.evaluation.clone()
    }
}
