//! The LITE paper's gradient experiment: bias and error of estimators against the exact gradient;
//! and what one draw for two nested sums does to it.

use inkling_data::{Numbers, Split};
use inkling_meta::{EncoderSubset, Estimator, Learner, Model, Purpose, SubsetTime};
use inkling_nn::Weights;
use inkling_platform::yield_now;

use super::SessionError;
use super::memory::Planner;
use super::model::{from_file, initial, learner_config, normalization, training_limits};
use super::site::Site;
use super::tasks::{PreparedTask, TaskSource, training_spec};
use crate::config::{NormKind, RunConfig};
use crate::report::estimators::{ALL, EstimatorPoint};
use crate::tensor_file::TensorFile;

/// H is measured at these many tenths of N.
const TENTHS: std::ops::RangeInclusive<u32> = 1..=10;

/// A part of the parameters: its name, and what the names of its tensors begin with.
type Part = (&'static str, &'static str);

/// Parts whose gradients are estimated by sums of their own, where norms adapt to the task.
const FILM_PARTS: [Part; 2] = [("set encoder", "set_encoder."), ("small networks", "film.")];

/// An estimator, and the draw for the set encoder.
#[derive(Clone)]
struct Asked {
    name: &'static str,
    estimator: Estimator,
    encoder: EncoderSubset,
}

impl Asked {
    fn new(name: &'static str, estimator: Estimator, encoder: EncoderSubset) -> Self {
        Self { name, estimator, encoder }
    }
}

/// Bias and root-mean-square error of `lite` and `subsampled` against `full`, relative to the
/// norm of the exact gradient, over `draws` draws for each H from 10 % to 100 % of N, on the
/// first training task of the configuration. Where norms adapt to the task, for the set encoder and
/// the small networks apart, and also with one draw for both. `progress` hears of measured points and their number.
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
        None => initial(&model, config, site.weights.as_deref())?,
    };
    let adapts = model.config().film.is_some();
    let limits = training_limits(&config.task, &config.training);
    let purpose = Purpose::Gradient;
    Planner { model: &model, tier: gpu.tier(), limits, purpose }.check(config.memory.budget)?;
    let mut learner = Learner::new(&gpu, model, limits, purpose)?;
    learner.set_weights(&weights).await?;
    let parts = if adapts { &FILM_PARTS[..] } else { &[(ALL, "")] };
    let mut experiment = Experiment { learner, prepared, seed: config.training.seed, parts };
    let exactly = Asked::new("exact", Estimator::Chunked, EncoderSubset::Independent);
    let exact = experiment.gradient(&exactly, 0, 0).await?;
    let task = experiment.prepared.task();
    let (support, ways) = (task.support_labels.len() as u32, task.ways);
    let mut shares: Vec<u32> = TENTHS.map(|tenths| (support * tenths).div_ceil(10)).collect();
    // Fewer images than tenths.
    shares.dedup();
    // A smaller task needs an image of each class.
    let lite = Asked::new("lite", Estimator::Lite, EncoderSubset::Independent);
    let shared = Asked::new("lite, one draw for both", Estimator::Lite, EncoderSubset::Shared);
    let subsampled = Asked::new("subsampled", Estimator::Subsampled, EncoderSubset::Independent);
    let mut asked: Vec<(&Asked, u32)> = shares.iter().map(|&h| (&lite, h)).collect();
    asked.extend(shares.iter().filter(|_| adapts).map(|&h| (&shared, h)));
    asked.extend(shares.iter().filter(|&&h| h >= ways).map(|&h| (&subsampled, h)));
    let mut points = Vec::new();
    for (index, &(of, h)) in asked.iter().enumerate() {
        progress(index as u32, asked.len() as u32);
        yield_now().await;
        // With H = N there is nothing to draw: all draws are equal.
        let draws = if h < support { draws.max(2) } else { 2 };
        points.extend(experiment.points(of, (h, support), draws, &exact).await?);
    }
    Ok(points)
}

struct Experiment {
    learner: Learner,
    prepared: PreparedTask,
    seed: u64,
    parts: &'static [Part],
}

impl Experiment {
    /// The gradient of each part.
    async fn gradient(&mut self, asked: &Asked, h: u32, draw: u32) -> Result<Vec<Vec<f64>>, SessionError> {
        self.learner.set_estimator(asked.estimator, h)?;
        self.learner.set_encoder_subset(asked.encoder.clone());
        self.learner.clear_gradient();
        let mut numbers = Numbers::new(b"estimate", self.seed, u64::from(h), u64::from(draw));
        self.learner.accumulate(&self.prepared.task(), &mut numbers).await?;
        yield_now().await;
        let gradient = self.learner.gradient().await?;
        Ok(self.parts.iter().map(|(_, prefix)| flatten(&gradient, prefix)).collect())
    }

    /// For each part the bias and the root of the mean squared error, both over ‖exact‖.
    async fn points(
        &mut self,
        asked: &Asked,
        (h, support): (u32, u32),
        draws: u32,
        exact: &[Vec<f64>],
    ) -> Result<Vec<EstimatorPoint>, SessionError> {
        let mut moments: Vec<Moments> = exact.iter().map(|exact| Moments::new(exact.len())).collect();
        for draw in 0..draws {
            let gradient = self.gradient(asked, h, draw).await?;
            for ((moments, gradient), exact) in moments.iter_mut().zip(&gradient).zip(exact) {
                moments.add(gradient, exact);
            }
        }
        let point = |((moments, exact), (part, _)): ((&Moments, &Vec<f64>), &Part)| {
            let [bias, bias_standard_error, rmse] = moments.relative_to(exact);
            EstimatorPoint {
                estimator: asked.name.to_owned(),
                part: (*part).to_owned(),
                h,
                support,
                draws,
                bias,
                bias_standard_error,
                rmse,
            }
        };
        Ok(moments.iter().zip(exact).zip(self.parts).map(point).collect())
    }
}

/// Of many draws of a vector: their mean, how far they are from it, and from the exact one.
struct Moments {
    draws: f64,
    mean: Vec<f64>,
    squares: f64,
    squared_error: f64,
}

impl Moments {
    fn new(length: usize) -> Self {
        Self { draws: 0.0, mean: vec![0.0; length], squares: 0.0, squared_error: 0.0 }
    }

    fn add(&mut self, draw: &[f64], exact: &[f64]) {
        self.draws += 1.0;
        for ((mean, &value), &exact) in self.mean.iter_mut().zip(draw).zip(exact) {
            self.squared_error += (value - exact).powi(2);
            // Welford's update of the mean and of the sum of squared deviations.
            let before = value - *mean;
            *mean += before / self.draws;
            self.squares += before * (value - *mean);
        }
    }

    /// Bias, its standard error and the root of the mean squared error, over ‖exact‖.
    ///
    /// The standard error is that of a mean of independent draws, s/√n over all components
    /// together. ‖mean − exact‖² overestimates the squared bias by just its square, which is
    /// taken off, so that an unbiased estimator shows a bias around zero at any number of draws.
    fn relative_to(&self, exact: &[f64]) -> [f64; 3] {
        let norm = exact.iter().map(|value| value * value).sum::<f64>().sqrt();
        let distance: f64 = self.mean.iter().zip(exact).map(|(mean, exact)| (mean - exact).powi(2)).sum();
        let error = self.squares / (self.draws - 1.0).max(1.0) / self.draws;
        [(distance - error).max(0.0).sqrt(), error.sqrt(), (self.squared_error / self.draws).sqrt()]
            .map(|value| value / norm)
    }
}

/// The tensors whose names begin so, one behind the other.
fn flatten(weights: &Weights, prefix: &str) -> Vec<f64> {
    let ours = weights.iter().filter(|(name, _)| name.starts_with(prefix));
    ours.flat_map(|(_, tensor)| tensor.values.iter().map(|&value| f64::from(value))).collect()
}
