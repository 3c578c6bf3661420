//! LITE's expectation is the exact gradient: exactly, over all subsets of a small task, and within
//! the standard error over the estimator's own draws.

use inkling_gpu::Gpu;
use inkling_meta::{Estimator, GradientSettings, Purpose, SubsetTime};

use super::fixture::{NoiseTask, VARIANTS, config, learner, lite_of, settings, solve, solve_with, subsets};
use super::gradient::{Gradient, ROUNDING};
use crate::Case;
use crate::kernels::case_list;

/// Enough that a bias of half the support gradient is beyond four standard errors.
const DRAWS: u64 = 60;
const STANDARD_ERRORS: f64 = 4.0;

pub fn cases() -> Vec<Case> {
    case_list![
        "learner/mean_of_lite_over_all_subsets_is_full" => over_all_subsets,
        "learner/mean_of_lite_over_draws_is_full" => over_draws,
    ]
}

async fn over_all_subsets(gpu: &Gpu) -> Result<(), String> {
    let task = NoiseTask::small(8);
    let n = task.support();
    for variant in VARIANTS {
        let (_, full) = solve(gpu, config(variant, settings(Estimator::Full, 0, 1)), &task).await?;
        // One subset for the task, or one for each of two query batches. In the latter case the
        // same one serves both here: an expectation does not ask whether draws are independent.
        for (subset_time, query_batch) in [(SubsetTime::Task, 0), (SubsetTime::QueryBatch, 3)] {
            let mut gradients = Vec::new();
            for subset in subsets(n, 2) {
                let gradient = GradientSettings { subset: subset_time, query_batch, ..lite_of(&subset, 2) };
                gradients.push(solve(gpu, config(variant, gradient), &task).await?.1);
            }
            let what = format!("{variant:?}, {subset_time:?}, {} subsets", gradients.len());
            // Each is an estimate of its own: the mean is exact, its terms are not.
            let spread = gradients[0].minus(&full).norm() / full.norm();
            if gradients.len() != 10 || spread < 0.01 {
                return Err(format!("{what}: the first one differs from full by only {spread:.1e}"));
            }
            Gradient::mean(&gradients).check(&what, &full, ROUNDING)?;
        }
    }
    Ok(())
}

async fn over_draws(gpu: &Gpu) -> Result<(), String> {
    let task = NoiseTask::small(9);
    for (variant, subset, query_batch) in [
        (VARIANTS[0], SubsetTime::QueryBatch, 3),
        (VARIANTS[3], SubsetTime::QueryBatch, 3),
        (VARIANTS[0], SubsetTime::Task, 0),
    ] {
        let what = format!("{variant:?}, {subset:?}");
        let (_, full) = solve(gpu, config(variant, settings(Estimator::Full, 0, 1)), &task).await?;
        let (_, queries_only) = solve(gpu, config(variant, settings(Estimator::Lite, 0, 2)), &task).await?;
        let support = full.minus(&queries_only);
        let gradient = GradientSettings { subset, query_batch, ..settings(Estimator::Lite, 2, 2) };
        let mut learner = learner(gpu, config(variant, gradient), task.limits(), Purpose::Gradient).await?;
        // Along the support gradient, which is what a wrong factor would change.
        let mut along = Vec::new();
        for number in 0..DRAWS {
            let (_, drawn) = solve_with(&mut learner, &task, number).await?;
            along.push(drawn.minus(&full).dot(&support) / support.dot(&support));
        }
        let mean = along.iter().sum::<f64>() / DRAWS as f64;
        let variance = along.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (DRAWS - 1) as f64;
        let allowed = STANDARD_ERRORS * (variance / DRAWS as f64).sqrt();
        if allowed == 0.0 || allowed > 0.5 {
            return Err(format!("{what}: a standard error of {:.1e} proves nothing", allowed / STANDARD_ERRORS));
        }
        if mean.abs() > allowed {
            return Err(format!(
                "{what}: the mean is off by {mean:.2e} of the support gradient, allowed {allowed:.2e}"
            ));
        }
    }
    Ok(())
}
