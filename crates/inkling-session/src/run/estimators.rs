//! The LITE paper's gradient experiment: bias and error of estimators against the exact gradient.

use inkling_data::{Numbers, Split};
use inkling_meta::{Estimator, Learner, Model, Purpose, SubsetTime};
use inkling_nn::Weights;
use inkling_platform::yield_now;

use super::SessionError;
use super::memory::Planner;
use super::model::{from_file, initial, learner_config, normalization, training_limits};
use super::site::Site;
use super::tasks::{PreparedTask, TaskSource, training_spec};
use crate::config::{EstimatorKind, NormKind, RunConfig};
use crate::report::estimators::EstimatorPoint;
use crate::tensor_file::TensorFile;

/// H is measured at these many tenths of N.
const TENTHS: std::ops::RangeInclusive<u32> = 1..=10;

/// Bias and root-mean-square error of `lite` and `subsampled` against `full`, relative to the
/// norm of the exact gradient, over `draws` draws for each H from 10 % to 100 % of N, on the
/// first training task of the configuration. `progress` hears of measured points and their number.
///
/// # Errors
/// When data, weights or device fail.
pub async fn estimators(
    config: &RunConfig,
    weights: Option<&TensorFile>,
    draws: u32,
    site: &Site,
    progress: &mut dyn FnMut(u32, u32),
) -> Result<Vec<EstimatorPoint>, SessionError> {
    if config.model.norm == NormKind::Batch {
        return Err(SessionError::Setting(
            "model.norm is \"batch\": batch statistics rule out the sampled estimators that the report compares; \
             use model.norm = \"group\""
                .to_owned(),
        ));
    }
    let dataset = site.data(config)?;
    let normalization = normalization(config, dataset.as_ref())?.into();
    let source = TaskSource {
        dataset,
        normalization,
        split: Split::Train,
        spec: training_spec(&config.task),
        augmentation: None,
        seed: config.training.seed,
        list: None,
    };
    source.check()?;
    let prepared = source.prepare(0)?;
    let gpu = site.gpu().await?;
    let mut learner_config = learner_config(config, source.dataset.image_shape())?;
    // One batch of queries, so that H is the number of rows that are drawn.
    learner_config.gradient.query_batch = 0;
    learner_config.gradient.subset = SubsetTime::Task;
    learner_config.gradient.estimator = Estimator::Chunked;
    let model = Model::new(learner_config, gpu.tier())?;
    let weights = match weights {
        Some(file) => from_file(file, &model)?,
        None => initial(&model, config)?,
    };
    let limits = training_limits(&config.task, &config.training);
    let purpose = Purpose::Gradient;
    Planner { model: &model, tier: gpu.tier(), limits, purpose }.check(config.memory.budget)?;
    let mut learner = Learner::new(&gpu, model, limits, purpose)?;
    learner.set_weights(&weights).await?;
    let mut experiment = Experiment { learner, prepared, seed: config.training.seed };
    let exact = flatten(&experiment.gradient(Estimator::Chunked, 0, 0).await?);
    let task = experiment.prepared.task();
    let (support, ways) = (task.support_labels.len() as u32, task.ways);
    let shares = || TENTHS.map(|tenths| (support * tenths).div_ceil(10));
    // A smaller task needs an image of each class.
    let asked: Vec<(Estimator, u32)> = shares()
        .map(|h| (Estimator::Lite, h))
        .chain(shares().filter(|&h| h >= ways).map(|h| (Estimator::Subsampled, h)))
        .collect();
    let mut points = Vec::new();
    for (index, &(estimator, h)) in asked.iter().enumerate() {
        progress(index as u32, asked.len() as u32);
        yield_now().await;
        // With H = N there is nothing to draw: all draws are equal.
        let draws = if h < support { draws.max(2) } else { 2 };
        points.push(experiment.point(estimator, (h, support), draws, &exact).await?);
    }
    Ok(points)
}

struct Experiment {
    learner: Learner,
    prepared: PreparedTask,
    seed: u64,
}

impl Experiment {
    async fn gradient(&mut self, estimator: Estimator, h: u32, draw: u32) -> Result<Weights, SessionError> {
        self.learner.set_estimator(estimator, h)?;
        self.learner.clear_gradient();
        let mut numbers = Numbers::new(b"estimate", self.seed, u64::from(h), u64::from(draw));
        self.learner.accumulate(&self.prepared.task(), &mut numbers).await?;
        yield_now().await;
        Ok(self.learner.gradient().await?)
    }

    /// The bias and the root of the mean squared error, both over ‖exact‖.
    ///
    /// The standard error is that of a mean of independent draws, s/√n over all components
    /// together. ‖mean − exact‖² overestimates the squared bias by just its square, which is
    /// taken off, so that an unbiased estimator shows a bias around zero at any number of draws.
    async fn point(
        &mut self,
        estimator: Estimator,
        (h, support): (u32, u32),
        draws: u32,
        exact: &[f64],
    ) -> Result<EstimatorPoint, SessionError> {
        let mut mean = vec![0.0; exact.len()];
        let mut squared_error = 0.0;
        let mut squares = 0.0;
        for draw in 0..draws {
            let gradient = flatten(&self.gradient(estimator, h, draw).await?);
            let count = f64::from(draw + 1);
            for ((mean, &value), &exact) in mean.iter_mut().zip(&gradient).zip(exact) {
                squared_error += (value - exact).powi(2);
                // Welford's update of the mean and of the sum of squared deviations.
                let before = value - *mean;
                *mean += before / count;
                squares += before * (value - *mean);
            }
        }
        let count = f64::from(draws);
        let norm = exact.iter().map(|value| value * value).sum::<f64>().sqrt();
        let distance: f64 = mean.iter().zip(exact).map(|(mean, exact)| (mean - exact).powi(2)).sum();
        let error = squares / (count - 1.0) / count;
        Ok(EstimatorPoint {
            estimator: if estimator == Estimator::Lite { EstimatorKind::Lite } else { EstimatorKind::Subsampled },
            h,
            support,
            draws,
            bias: (distance - error).max(0.0).sqrt() / norm,
            bias_standard_error: error.sqrt() / norm,
            rmse: (squared_error / count).sqrt() / norm,
        })
    }
}

fn flatten(weights: &Weights) -> Vec<f64> {
    weights.iter().flat_map(|(_, tensor)| tensor.values.iter().map(|&value| f64::from(value))).collect()
}
