//! Accuracy over fixed episodes.

use inkling_meta::{Learner, Model, Purpose};

use super::SessionError;
use super::memory::Planner;
use super::model::{
    classifier_config, evaluation_limits, from_file, initial, learner_config, normalization, open_data, open_gpu,
    to_file,
};
use super::tasks::{PreparedTask, TaskSource, evaluation_spec, split};
use crate::config::{EvaluationConfig, RunConfig};
use crate::events::{Evaluation, Event};
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
    adapter: Option<String>,
    emit: &mut dyn FnMut(Event),
) -> Result<Evaluation, SessionError> {
    let dataset = open_data(&config.data)?;
    let normalization = normalization(&config.data, dataset.as_ref())?.into();
    let source = TaskSource {
        dataset,
        normalization,
        split: split(config.evaluation.split),
        spec: evaluation_spec(&config.evaluation),
        augmentation: None,
        seed: config.evaluation.seed,
    };
    source.check()?;
    let shape = source.dataset.image_shape();
    let gpu = open_gpu(adapter, false).await?;
    let model = Model::new(classifier_config((&config.model, &config.head, &config.gradient), shape), gpu.tier())?;
    let weights = from_file(weights, &model)?;
    let limits = evaluation_limits(&config.evaluation);
    let purpose = Purpose::Evaluate;
    Planner { model: &model, tier: gpu.tier(), limits, purpose }.check(config.memory.budget)?;
    let mut learner = Learner::new(&gpu, model, limits, purpose)?;
    learner.set_weights(&weights).await?;
    score(&mut learner, &source, config.evaluation.episodes, emit).await
}

/// Mean and confidence interval over episodes 0, 1, … of a source.
pub(super) async fn score(
    learner: &mut Learner,
    source: &TaskSource,
    episodes: u32,
    emit: &mut dyn FnMut(Event),
) -> Result<Evaluation, SessionError> {
    let mut stream = source.stream(0);
    let mut accuracies = Vec::with_capacity(episodes as usize);
    let mut loss = 0.0;
    let (mut done, mut reported) = (0, 0);
    while done < episodes {
        let count = learner.limits().tasks.min(episodes - done);
        let prepared = (0..count).map(|_| stream.next()).collect::<Result<Vec<_>, _>>()?;
        let pass: Vec<_> = prepared.iter().map(PreparedTask::task).collect();
        for outcome in learner.evaluate_pass(&pass).await? {
            accuracies.push(outcome.accuracy);
            loss += outcome.loss;
        }
        done += count;
        if done - reported >= REPORT_EVERY || done == episodes {
            reported = done;
            let (mean, _) = mean_and_interval(&accuracies);
            emit(Event::Evaluating { done, episodes, accuracy: mean as f32 });
        }
    }
    let (mean, interval) = mean_and_interval(&accuracies);
    let loss = loss / f64::from(episodes.max(1));
    Ok(Evaluation { episodes, loss: loss as f32, accuracy: mean as f32, interval: interval as f32 })
}

/// The mean, and 1.96·s/√n with the unbiased s.
pub(super) fn mean_and_interval(values: &[f64]) -> (f64, f64) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, 1.96 * (squares / (count - 1.0).max(1.0) / count).sqrt())
}

/// The weights that a run of this configuration starts from.
///
/// # Errors
/// When the data set cannot be opened or the network cannot be built.
pub fn initial_weights(config: &RunConfig) -> Result<TensorFile, SessionError> {
    let dataset = open_data(&config.data)?;
    let learner = learner_config(config, dataset.image_shape())?;
    // The tier chooses kernels, not weights.
    let model = Model::new(learner, inkling_gpu::Tier::Cpu)?;
    to_file(&initial(&model, config.training.seed)?, None)
}

/// The validation of a run: the shape of `[evaluation]` on the validation split.
pub(super) fn validation(config: &RunConfig) -> EvaluationConfig {
    EvaluationConfig {
        split: crate::config::SplitName::Validation,
        episodes: config.training.validation_episodes,
        ..config.evaluation.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_the_mean() {
        let (mean, interval) = mean_and_interval(&[0.0, 1.0, 0.0, 1.0]);
        // s² = 1/3, so 1.96·√(1/12).
        assert!((mean - 0.5).abs() < 1e-12 && (interval - 1.96 * (1.0_f64 / 12.0).sqrt()).abs() < 1e-12);
        assert_eq!(mean_and_interval(&[0.25]), (0.25, 0.0));
    }
}
