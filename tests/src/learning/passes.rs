//! Tasks that run side by side give what they give one by one.

use inkling_gpu::Gpu;
use inkling_meta::{Estimator, GradientSettings, Learner, MetaError, Metric, Optimizer, Outcome, Purpose, SubsetTime};
use inkling_nn::Norm;

use super::fixture::{NoiseTask, VARIANTS, config, draw, learner, message, settings};
use super::gradient::{Gradient, ROUNDING};
use crate::Case;
use crate::kernels::case_list;

pub fn cases() -> Vec<Case> {
    case_list![
        "passes/tasks_side_by_side" => tasks_side_by_side,
        "passes/batch_statistics_stay_apart" => batch_statistics_stay_apart,
        "passes/dispatches_do_not_grow" => dispatches_do_not_grow,
        "passes/evaluation_side_by_side" => evaluation_side_by_side,
        "passes/tasks_of_different_sizes_are_refused" => tasks_of_different_sizes_are_refused,
    ]
}

const TASKS: u32 = 3;
const OPTIMIZER: Optimizer = Optimizer::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };

fn tasks() -> Vec<NoiseTask> {
    (0..u64::from(TASKS)).map(|number| NoiseTask::small(30 + number)).collect()
}

async fn prepared(
    gpu: &Gpu,
    variant: (Norm, Metric),
    gradient: GradientSettings,
    tasks_per_pass: u32,
) -> Result<Learner, String> {
    let mut limits = NoiseTask::small(30).limits();
    limits.tasks = tasks_per_pass;
    let purpose = Purpose::Train { optimizer: OPTIMIZER, tasks_per_step: TASKS };
    learner(gpu, config(variant, gradient), limits, purpose).await
}

/// Outcomes and the summed gradient of all tasks, so many at a time.
async fn step(learner: &mut Learner, tasks_per_pass: u32) -> Result<(Vec<Outcome>, Gradient), String> {
    learner.clear_gradient();
    for (number, tasks) in tasks().chunks(tasks_per_pass as usize).enumerate() {
        let first = number as u64 * u64::from(tasks_per_pass);
        let pass: Vec<_> = tasks.iter().map(NoiseTask::task).collect();
        let mut numbers: Vec<_> = (first..first + tasks.len() as u64).map(draw).collect();
        learner.accumulate_pass(&pass, &mut numbers).await.map_err(message)?;
    }
    let outcomes = learner.outcomes().await.map_err(message)?;
    Ok((outcomes, Gradient::from(&learner.gradient().await.map_err(message)?)))
}

async fn check(gpu: &Gpu, variant: (Norm, Metric), gradient: GradientSettings) -> Result<(), String> {
    let one_by_one = step(&mut prepared(gpu, variant, gradient.clone(), 1).await?, 1).await?;
    for tasks_per_pass in [2, TASKS] {
        let mut learner = prepared(gpu, variant, gradient.clone(), tasks_per_pass).await?;
        let found = step(&mut learner, tasks_per_pass).await?;
        let what = format!("{variant:?}, {gradient:?}, {tasks_per_pass} at a time");
        // Each task's own sums are the same; only what is added over tasks may round differently.
        if found.0 != one_by_one.0 {
            return Err(format!("{what}: outcomes {:?}, one by one {:?}", found.0, one_by_one.0));
        }
        found.1.check(&what, &one_by_one.1, ROUNDING)?;
    }
    Ok(())
}

async fn tasks_side_by_side(gpu: &Gpu) -> Result<(), String> {
    for variant in VARIANTS {
        let gradients = [
            settings(Estimator::Full, 0, 1),
            // Chunks that end within a task.
            settings(Estimator::Chunked, 0, 4),
            GradientSettings { query_batch: 4, ..settings(Estimator::Lite, 2, 3) },
            GradientSettings { query_batch: 3, subset: SubsetTime::QueryBatch, ..settings(Estimator::Lite, 2, 7) },
            settings(Estimator::Subsampled, 4, 3),
        ];
        for gradient in gradients {
            check(gpu, variant, gradient).await?;
        }
    }
    Ok(())
}

async fn batch_statistics_stay_apart(gpu: &Gpu) -> Result<(), String> {
    for metric in [Metric::Euclidean, Metric::Cosine] {
        check(gpu, (Norm::Batch, metric), settings(Estimator::Full, 0, 1)).await?;
    }
    Ok(())
}

/// One pass of three tasks launches what one task does.
async fn dispatches_do_not_grow(gpu: &Gpu) -> Result<(), String> {
    for estimator in [Estimator::Full, Estimator::Chunked, Estimator::Lite] {
        let mut counts = Vec::new();
        for count in [1, TASKS] {
            // Room for all in one chunk.
            let mut learner = prepared(gpu, VARIANTS[0], settings(estimator, 2, 64), count).await?;
            let all = tasks();
            let pass: Vec<_> = all.iter().take(count as usize).map(NoiseTask::task).collect();
            let mut numbers: Vec<_> = (0..u64::from(count)).map(draw).collect();
            // The first pass also packs the weights.
            learner.accumulate_pass(&pass[..1], &mut numbers[..1]).await.map_err(message)?;
            learner.clear_gradient();
            let before = learner.stats().dispatches;
            learner.accumulate_pass(&pass, &mut numbers).await.map_err(message)?;
            counts.push(learner.stats().dispatches - before);
        }
        if counts.windows(2).any(|pair| pair[0] != pair[1]) {
            return Err(format!("{estimator:?}: {counts:?} launches for one task and for {TASKS}"));
        }
    }
    Ok(())
}

async fn evaluation_side_by_side(gpu: &Gpu) -> Result<(), String> {
    for (norm, estimator) in [(Norm::Group { groups: 2 }, Estimator::Lite), (Norm::Batch, Estimator::Full)] {
        let variant = (norm, Metric::Euclidean);
        let gradient = GradientSettings { query_batch: 4, ..settings(estimator, 2, 3) };
        let mut limits = NoiseTask::small(30).limits();
        let mut outcomes = Vec::new();
        for tasks_per_pass in [1, 2, TASKS] {
            limits.tasks = tasks_per_pass;
            let mut learner = learner(gpu, config(variant, gradient.clone()), limits, Purpose::Evaluate).await?;
            let mut found = Vec::new();
            for tasks in tasks().chunks(tasks_per_pass as usize) {
                let pass: Vec<_> = tasks.iter().map(NoiseTask::task).collect();
                found.extend(learner.evaluate_pass(&pass).await.map_err(message)?);
            }
            outcomes.push(found);
        }
        if outcomes.windows(2).any(|pair| pair[0] != pair[1]) {
            return Err(format!("{norm:?}: {outcomes:?}"));
        }
    }
    Ok(())
}

async fn tasks_of_different_sizes_are_refused(gpu: &Gpu) -> Result<(), String> {
    let mut learner = prepared(gpu, VARIANTS[0], settings(Estimator::Chunked, 0, 2), 2).await?;
    let (first, second) = (NoiseTask::small(30), NoiseTask::new(31, 3, 4, 6));
    let mut numbers = [draw(0), draw(1)];
    match learner.accumulate_pass(&[first.task(), second.task()], &mut numbers).await {
        Err(MetaError::Task(message)) if message.contains("tasks_per_pass") => Ok(()),
        other => Err(format!("{other:?}")),
    }
}
