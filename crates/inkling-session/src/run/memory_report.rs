//! Measured against planned: the memory of one outer step over inner steps, support and image size.

use inkling_platform::yield_now;

use super::SessionError;
use super::site::Site;
use super::trial::Trial;
use crate::config::{EstimatorKind, LearnerKind, NormKind, RunConfig};
use crate::report::memory::{Axis, MemoryPoint};

/// One configuration to measure.
struct Asked {
    axis: Axis,
    series: String,
    value: u32,
    config: RunConfig,
}

/// Over which values the report measures; an empty list leaves its axis out.
#[derive(Clone, Debug, Default)]
pub struct MemoryAxes {
    /// K.
    pub inner_steps: Vec<u32>,
    /// N.
    pub supports: Vec<u32>,
    /// H, for `lite` and `subsampled`.
    pub subsets: Vec<u32>,
    /// Pixels of the images' side.
    pub image_sizes: Vec<u32>,
}

/// Runs one outer step of one task for every point and reads the ledger's peak. `methods` are
/// measured over K; the estimators of `config` over N, H and image size. What is planned above the
/// configuration's budget is not run. `progress` hears of measured points and their number.
///
/// # Errors
/// When data, a network or the device fail.
pub async fn memory_report(
    config: &RunConfig,
    methods: &[(String, RunConfig)],
    axes: &MemoryAxes,
    site: &Site,
    progress: &mut dyn FnMut(u32, u32),
) -> Result<Vec<MemoryPoint>, SessionError> {
    if site.dataset.is_some() && !axes.image_sizes.is_empty() {
        return Err(SessionError::Setting(
            "images that are open already have one size; measure over image sizes with a data set that opens by name"
                .to_owned(),
        ));
    }
    let mut asked = over_inner_steps(methods, &axes.inner_steps);
    asked.extend(over_tasks(config, axes));
    let mut points = Vec::new();
    for (index, asked_for) in asked.iter().enumerate() {
        progress(index as u32, asked.len() as u32);
        yield_now().await;
        let point = |planned_bytes, measured_bytes| MemoryPoint {
            axis: asked_for.axis,
            series: asked_for.series.clone(),
            value: asked_for.value,
            planned_bytes,
            measured_bytes,
        };
        if let Some(budget) = asked_for.config.memory.budget {
            let (planned_bytes, _) = Trial::plan(&asked_for.config, 1, site).await?;
            if planned_bytes > budget.0 {
                points.push(point(planned_bytes, None));
                continue;
            }
        }
        let mut trial = Trial::new(&asked_for.config, 1, site).await?;
        trial.step().await?;
        points.push(point(trial.planned_bytes, Some(trial.peak_bytes())));
        let is_maml = asked_for.config.learner.as_ref().is_some_and(|learner| learner.kind == LearnerKind::Maml);
        if is_maml && let Some(planned_bytes) = trial.unrolled_graph_bytes()? {
            points.push(MemoryPoint {
                axis: asked_for.axis,
                series: format!("{}, whole graph", asked_for.series),
                value: asked_for.value,
                planned_bytes,
                measured_bytes: None,
            });
        }
    }
    Ok(points)
}

fn over_inner_steps(methods: &[(String, RunConfig)], inner_steps: &[u32]) -> Vec<Asked> {
    let mut asked = Vec::new();
    for (method, config) in methods {
        for &steps in inner_steps {
            let mut config = config.clone();
            match &mut config.learner {
                Some(learner) => learner.inner_steps = Some(steps),
                None => config.head.inner_steps = Some(steps),
            }
            asked.push(Asked { axis: Axis::InnerSteps, series: method.clone(), value: steps, config });
        }
    }
    asked
}

fn over_tasks(config: &RunConfig, axes: &MemoryAxes) -> Vec<Asked> {
    // Batch statistics leave only `full`.
    let all = [EstimatorKind::Full, EstimatorKind::Chunked, EstimatorKind::Lite, EstimatorKind::Subsampled];
    let estimators = if config.model.norm == NormKind::Batch { &all[..1] } else { &all[..] };
    let mut asked = Vec::new();
    for &estimator in estimators {
        let mut config = config.clone();
        config.gradient.estimator = estimator;
        let series = estimator.name().to_owned();
        for &support in &axes.supports {
            let mut config = config.clone();
            config.task.shots = (support / config.task.ways).max(1);
            let value = config.task.shots * config.task.ways;
            asked.push(Asked { axis: Axis::Support, series: series.clone(), value, config });
        }
        let draws = matches!(estimator, EstimatorKind::Lite | EstimatorKind::Subsampled);
        for &subset in axes.subsets.iter().filter(|_| draws) {
            let mut config = config.clone();
            config.gradient.h = subset;
            asked.push(Asked { axis: Axis::Subset, series: series.clone(), value: subset, config });
        }
        for &pixels in &axes.image_sizes {
            let mut config = config.clone();
            config.data.image_size = Some(pixels);
            asked.push(Asked { axis: Axis::Pixels, series: series.clone(), value: pixels, config });
        }
    }
    asked
}
