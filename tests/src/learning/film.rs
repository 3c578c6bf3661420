//! Networks whose norms adapt to a task: what holds for every estimator holds for the set encoder
//! and the small networks too, and two draws, not one, make LITE unbiased.

use inkling_gpu::Gpu;
use inkling_meta::{
    EncoderSubset, Estimator, FilmSettings, GradientSettings, LearnerConfig, Metric, Optimizer, Outcome, Purpose,
    SubsetTime, TaskLimits,
};
use inkling_nn::{NetworkConfig, Norm, Trained};

use super::fixture::{NoiseTask, VARIANTS, config, draw, learner, lite_of, message, settings, solve, subsets};
use super::gradient::{Closeness, Gradient, ROUNDING};
use super::memory::{BytesTask, PURPOSES, SHAPE, step};
use crate::Case;
use crate::kernels::case_list;

/// Losses are means of a few terms near one.
const LOSS_ROUNDING: f64 = 1e-6;
/// A gradient goes through two networks and the small ones between them, each with roundings as
/// of one.
const TWO_NETWORKS: Closeness = Closeness { relative: 4e-5, ..ROUNDING };

pub fn cases() -> Vec<Case> {
    case_list![
        "film/estimators_agree" => estimators_agree,
        "film/draws_of_their_own_are_unbiased" => draws_of_their_own_are_unbiased,
        "film/tasks_side_by_side" => tasks_side_by_side,
        "film/tasks_differ" => tasks_differ,
        "film/plan_is_ledger" => plan_is_ledger,
        "film/embeddings_are_refused" => embeddings_are_refused,
    ]
}

fn film(subset: EncoderSubset, gradient: GradientSettings, variant: (Norm, Metric)) -> LearnerConfig {
    let plain = config(variant, gradient);
    let network = NetworkConfig { trained: Trained::Modulated, ..plain.network };
    let settings = FilmSettings { channels: 4, blocks: 2, groups: 2, regulariser: 0.1, subset };
    LearnerConfig { network, film: Some(settings), ..plain }
}

fn independent(gradient: GradientSettings, variant: (Norm, Metric)) -> LearnerConfig {
    film(EncoderSubset::Independent, gradient, variant)
}

fn check(what: &str, found: &(Outcome, Gradient), expected: &(Outcome, Gradient)) -> Result<(), String> {
    let error = (found.0.loss - expected.0.loss).abs();
    let same = error <= LOSS_ROUNDING && found.0.accuracy == expected.0.accuracy;
    if !same {
        return Err(format!("{what}: {:?}, expected {:?}", found.0, expected.0));
    }
    found.1.check(what, &expected.1, TWO_NETWORKS)
}

async fn estimators_agree(gpu: &Gpu) -> Result<(), String> {
    let task = NoiseTask::small(1);
    for variant in VARIANTS {
        let full = solve(gpu, independent(settings(Estimator::Full, 0, 1), variant), &task).await?;
        let n = task.support();
        let exact = [
            settings(Estimator::Chunked, 0, 2),
            GradientSettings { query_batch: 4, ..settings(Estimator::Chunked, 0, 3) },
            settings(Estimator::Lite, n, 2),
            GradientSettings { query_batch: 3, subset: SubsetTime::QueryBatch, ..settings(Estimator::Lite, n, 4) },
            settings(Estimator::Subsampled, n, 2),
        ];
        for gradient in exact {
            let what = format!("{variant:?}, {gradient:?}");
            check(&what, &solve(gpu, independent(gradient, variant), &task).await?, &full)?;
        }
    }
    Ok(())
}

/// The share of a gradient by which another is off, over the parameters whose names begin so.
fn share(found: &Gradient, expected: &Gradient, prefix: &str) -> f64 {
    let difference = found.minus(expected).of(prefix).norm();
    difference / expected.of(prefix).norm()
}

async fn draws_of_their_own_are_unbiased(gpu: &Gpu) -> Result<(), String> {
    let task = NoiseTask::new(2, 2, 4, 3);
    let variant = VARIANTS[1];
    let full = solve(gpu, independent(settings(Estimator::Full, 0, 1), variant), &task).await?.1;
    let draws = subsets(task.support(), 2);
    let (mut pairs, mut shared) = (Vec::new(), Vec::new());
    for first in &draws {
        for second in &draws {
            let config = film(EncoderSubset::These(second.clone()), lite_of(first, 2), variant);
            pairs.push(solve(gpu, config, &task).await?.1);
        }
        shared.push(solve(gpu, film(EncoderSubset::Shared, lite_of(first, 2), variant), &task).await?.1);
    }
    let (pairs, shared) = (Gradient::mean(&pairs), Gradient::mean(&shared));
    for prefix in ["set_encoder.", "film.", "head."] {
        let bias = share(&pairs, &full, prefix);
        if bias > 1e-4 {
            return Err(format!("the mean over all pairs of draws is off by {bias:.1e} in {prefix}"));
        }
    }
    let (of_encoder, of_film) = (share(&shared, &full, "set_encoder."), share(&shared, &full, "film."));
    if of_encoder < 0.01 || of_film > 1e-4 {
        return Err(format!(
            "one draw for both must be biased in the set encoder alone, but is off by {of_encoder:.1e} there and \
             {of_film:.1e} in the small networks"
        ));
    }
    Ok(())
}

async fn tasks_side_by_side(gpu: &Gpu) -> Result<(), String> {
    let tasks: Vec<NoiseTask> = (0..3).map(|number| NoiseTask::small(40 + number)).collect();
    let optimizer = Optimizer::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };
    let purpose = Purpose::Train { optimizer, tasks_per_step: 3 };
    let gradients = [
        settings(Estimator::Full, 0, 1),
        settings(Estimator::Chunked, 0, 4),
        settings(Estimator::Chunked, 0, 12),
        GradientSettings { query_batch: 4, ..settings(Estimator::Lite, 2, 3) },
    ];
    for gradient in gradients {
        let mut all = Vec::new();
        for together in [1, 2, 3] {
            let mut limits = NoiseTask::small(40).limits();
            limits.tasks = together;
            let mut learner = learner(gpu, independent(gradient.clone(), VARIANTS[2]), limits, purpose).await?;
            for (number, pass) in (0..).zip(tasks.chunks(together as usize)) {
                let first = number * u64::from(together);
                let of_pass: Vec<_> = pass.iter().map(NoiseTask::task).collect();
                let mut numbers: Vec<_> = (first..first + pass.len() as u64).map(draw).collect();
                learner.accumulate_pass(&of_pass, &mut numbers).await.map_err(message)?;
            }
            let outcomes = learner.outcomes().await.map_err(message)?;
            all.push((outcomes, Gradient::from(&learner.gradient().await.map_err(message)?)));
        }
        let (one_by_one, others) = all.split_first().ok_or("no pass")?;
        for (outcomes, found) in others {
            if *outcomes != one_by_one.0 {
                return Err(format!("{gradient:?}: outcomes {outcomes:?}, one by one {:?}", one_by_one.0));
            }
            found.check(&format!("{gradient:?}"), &one_by_one.1, TWO_NETWORKS)?;
        }
    }
    Ok(())
}

/// A support that looks different changes how the same queries are embedded.
async fn tasks_differ(gpu: &Gpu) -> Result<(), String> {
    let (first, second) = (NoiseTask::small(5), NoiseTask::small(5).with_pixel(3.0));
    let config = independent(settings(Estimator::Chunked, 0, 3), VARIANTS[0]);
    let mut learner = learner(gpu, config, first.limits(), Purpose::Evaluate).await?;
    let mut embeddings = Vec::new();
    for task in [&first, &second, &first] {
        embeddings.push(learner.inspect(&task.task()).await.map_err(message)?.query_embeddings);
    }
    if embeddings[0] == embeddings[1] {
        return Err("the queries' embeddings do not depend on the support".into());
    }
    if embeddings[0] == embeddings[2] { Ok(()) } else { Err("a task left something behind".into()) }
}

async fn plan_is_ledger(gpu: &Gpu) -> Result<(), String> {
    let task = BytesTask::new(5, 4);
    for estimator in [Estimator::Full, Estimator::Chunked, Estimator::Lite] {
        for purpose in PURPOSES {
            let limits = TaskLimits { tasks: 2, ways: 3, support: 7, queries: 9 };
            let gradient = GradientSettings { query_batch: 4, ..settings(estimator, 3, 3) };
            let config = LearnerConfig { source: Some(SHAPE), ..independent(gradient, VARIANTS[0]) };
            step(gpu, config, limits, purpose, &task).await?;
        }
    }
    Ok(())
}

async fn embeddings_are_refused(gpu: &Gpu) -> Result<(), String> {
    let task = NoiseTask::small(7);
    let config = independent(settings(Estimator::Chunked, 0, 3), VARIANTS[0]);
    let mut learner = learner(gpu, config, task.limits(), Purpose::Evaluate).await?;
    match learner.embed(task.task().support).await {
        Err(error) if error.to_string().contains("model.trained") => Ok(()),
        other => Err(format!("an image has no embedding of its own here: {other:?}")),
    }
}
