//! What must hold between estimators, whatever the norm and the head: exact ones agree, and
//! neither chunks nor query batches are visible in a result.

use inkling_gpu::Gpu;
use inkling_meta::{Estimator, GradientSettings, MetaError, Metric, Optimizer, Outcome, Purpose, SubsetTime, Task};
use inkling_nn::Norm;

use super::fixture::{NoiseTask, VARIANTS, config, draw, learner, lite_of, message, settings, solve, subsets};
use super::gradient::{Gradient, ROUNDING};
use crate::Case;
use crate::kernels::case_list;

/// Losses are means of six terms near one.
const LOSS_ROUNDING: f64 = 1e-6;

pub fn cases() -> Vec<Case> {
    case_list![
        "learner/lite_of_all_is_full" => lite_of_all_is_full,
        "learner/lite_of_none_leaves_the_queries" => lite_of_none_leaves_the_queries,
        "learner/chunked_is_full" => chunked_is_full,
        "learner/query_batches_do_not_matter" => query_batches_do_not_matter,
        "learner/subsampled_of_all_is_full" => subsampled_of_all_is_full,
        "learner/subsampled_is_full_on_a_smaller_task" => subsampled_is_full_on_a_smaller_task,
        "learner/subsampled_is_biased" => subsampled_is_biased,
        "learner/tasks_add_up" => tasks_add_up,
        "learner/evaluation_sees_the_same_task" => evaluation_sees_the_same_task,
    ]
}

fn check(what: &str, found: &(Outcome, Gradient), expected: &(Outcome, Gradient)) -> Result<(), String> {
    let error = (found.0.loss - expected.0.loss).abs();
    let same = error <= LOSS_ROUNDING && found.0.accuracy == expected.0.accuracy;
    if !same {
        return Err(format!("{what}: {:?}, expected {:?}", found.0, expected.0));
    }
    found.1.check(what, &expected.1, ROUNDING)
}

async fn lite_of_all_is_full(gpu: &Gpu) -> Result<(), String> {
    let task = NoiseTask::small(1);
    let n = task.support();
    for variant in VARIANTS {
        let full = solve(gpu, config(variant, settings(Estimator::Full, 0, 1)), &task).await?;
        let in_two_batches = |subset, h| GradientSettings { subset, query_batch: 3, ..settings(Estimator::Lite, h, 2) };
        let exact = [
            ("h = N", settings(Estimator::Lite, n, 2)),
            ("h beyond N", settings(Estimator::Lite, n + 2, n)),
            ("h = N, for each query batch", in_two_batches(SubsetTime::QueryBatch, n)),
            // One draw of 3 for each of two batches is one draw of 6 for the task: all five.
            ("2 h beyond N", in_two_batches(SubsetTime::Task, 3)),
        ];
        for (what, gradient) in exact {
            let found = solve(gpu, config(variant, gradient), &task).await?;
            check(&format!("{variant:?}, {what}"), &found, &full)?;
        }
    }
    Ok(())
}

async fn lite_of_none_leaves_the_queries(gpu: &Gpu) -> Result<(), String> {
    let (task, variant) = (NoiseTask::small(1), VARIANTS[1]);
    let full = solve(gpu, config(variant, settings(Estimator::Full, 0, 1)), &task).await?;
    let none = solve(gpu, config(variant, settings(Estimator::Lite, 0, 2)), &task).await?;
    if none.0 != full.0 || none.1.get("head.scale") != full.1.get("head.scale") {
        return Err("loss and head do not depend on which rows are back-propagated, yet they changed".into());
    }
    let share = none.1.minus(&full.1).norm() / full.1.norm();
    if share < 0.01 { Err(format!("no support gradient, but only {share:.1e} is missing")) } else { Ok(()) }
}

async fn chunked_is_full(gpu: &Gpu) -> Result<(), String> {
    let task = NoiseTask::small(2);
    for variant in VARIANTS {
        let full = solve(gpu, config(variant, settings(Estimator::Full, 0, 1)), &task).await?;
        for chunk in 1..=task.support() + 1 {
            // One query at a time, so that the chunk alone decides how large a pass may be.
            let gradient = GradientSettings { query_batch: 1, ..settings(Estimator::Chunked, 0, chunk) };
            let found = solve(gpu, config(variant, gradient), &task).await?;
            check(&format!("{variant:?}, chunks of {chunk}"), &found, &full)?;
        }
    }
    Ok(())
}

async fn query_batches_do_not_matter(gpu: &Gpu) -> Result<(), String> {
    let task = NoiseTask::small(3);
    for variant in VARIANTS {
        let subsampled =
            GradientSettings { support_subset: Some(vec![4, 0, 2, 1]), ..settings(Estimator::Subsampled, 4, 3) };
        let estimators = [
            settings(Estimator::Full, 0, 1),
            settings(Estimator::Chunked, 0, 2),
            lite_of(&[3, 0], 2),
            GradientSettings { subset: SubsetTime::QueryBatch, ..lite_of(&[3, 0], 2) },
            subsampled,
        ];
        for gradient in estimators {
            let at_once = solve(gpu, config(variant, gradient.clone()), &task).await?;
            for query_batch in [1, 2, 4, 5] {
                let gradient = GradientSettings { query_batch, ..gradient.clone() };
                let found = solve(gpu, config(variant, gradient.clone()), &task).await?;
                let what = format!("{variant:?}, {gradient:?}");
                check(&what, &found, &at_once)?;
            }
        }
    }
    // Batch statistics are those of all queries, however many were asked for at once.
    let batch = |query_batch| GradientSettings { query_batch, ..settings(Estimator::Full, 0, 1) };
    let variant = (Norm::Batch, Metric::Euclidean);
    let at_once = solve(gpu, config(variant, batch(0)), &task).await?;
    if solve(gpu, config(variant, batch(2)), &task).await? != at_once {
        return Err("batch norm took the queries in batches".into());
    }
    Ok(())
}

async fn subsampled_of_all_is_full(gpu: &Gpu) -> Result<(), String> {
    let task = NoiseTask::small(4);
    for variant in VARIANTS {
        let full = solve(gpu, config(variant, settings(Estimator::Full, 0, 1)), &task).await?;
        let all = solve(gpu, config(variant, settings(Estimator::Subsampled, task.support(), 2)), &task).await?;
        check(&format!("{variant:?}, h = N"), &all, &full)?;
    }
    Ok(())
}

/// The subsets of four that leave no class empty.
fn valid_subsets(task: &NoiseTask) -> Vec<Vec<u32>> {
    let label = |&index: &u32| task.support_labels()[index as usize];
    let complete = |subset: &Vec<u32>| (0..3).all(|class| subset.iter().any(|index| label(index) == class));
    subsets(task.support(), 4).into_iter().filter(complete).collect()
}

async fn subsampled_is_full_on_a_smaller_task(gpu: &Gpu) -> Result<(), String> {
    let task = NoiseTask::small(4);
    for variant in VARIANTS {
        for subset in valid_subsets(&task) {
            let smaller = task.with_support(&subset);
            let full = solve(gpu, config(variant, settings(Estimator::Full, 0, 1)), &smaller).await?;
            let what = format!("{variant:?}, members {subset:?}");
            let gradient = GradientSettings { support_subset: Some(subset), ..settings(Estimator::Subsampled, 4, 3) };
            check(&what, &solve(gpu, config(variant, gradient), &task).await?, &full)?;
        }
    }
    Ok(())
}

/// The loss of smaller tasks is another function: its gradients do not even average to the whole's.
async fn subsampled_is_biased(gpu: &Gpu) -> Result<(), String> {
    let task = NoiseTask::small(4);
    for variant in VARIANTS {
        let full = solve(gpu, config(variant, settings(Estimator::Full, 0, 1)), &task).await?;
        let mut gradients = Vec::new();
        for subset in valid_subsets(&task) {
            let gradient = GradientSettings { support_subset: Some(subset), ..settings(Estimator::Subsampled, 4, 3) };
            gradients.push(solve(gpu, config(variant, gradient), &task).await?.1);
        }
        let bias = Gradient::mean(&gradients).minus(&full.1).norm() / full.1.norm();
        if gradients.len() < 3 || bias < 0.01 {
            return Err(format!(
                "{variant:?}: {} subsets, bias {bias:.1e}; the tasks were not smaller",
                gradients.len()
            ));
        }
    }
    Ok(())
}

async fn tasks_add_up(gpu: &Gpu) -> Result<(), String> {
    let (first, second) = (NoiseTask::small(5), NoiseTask::new(6, 2, 4, 3));
    let config = config(VARIANTS[1], settings(Estimator::Chunked, 0, 2));
    let one = solve(gpu, config.clone(), &first).await?;
    let two = solve(gpu, config.clone(), &second).await?;
    let optimizer = Optimizer::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };
    let purpose = Purpose::Train { optimizer, tasks_per_step: 2 };
    let mut learner = learner(gpu, config, first.limits().union(second.limits()), purpose).await?;
    for task in [&first, &second] {
        learner.accumulate(&task.task(), &mut draw(0)).await.map_err(message)?;
    }
    let outcomes = learner.outcomes().await.map_err(message)?;
    if outcomes != [one.0, two.0] {
        return Err(format!("outcomes {outcomes:?}, one by one {:?} and {:?}", one.0, two.0));
    }
    let sum = Gradient::from(&learner.gradient().await.map_err(message)?);
    sum.scaled(0.5).check("two tasks", &Gradient::mean(&[one.1, two.1]), ROUNDING)?;
    match learner.accumulate(&first.task(), &mut draw(0)).await {
        Err(MetaError::Task(_)) => Ok(()),
        other => Err(format!("a third task where two were planned: {other:?}")),
    }
}

async fn evaluation_sees_the_same_task(gpu: &Gpu) -> Result<(), String> {
    let task = NoiseTask::small(7);
    for variant in VARIANTS {
        let (outcome, _) = solve(gpu, config(variant, settings(Estimator::Full, 0, 1)), &task).await?;
        for purpose in [Purpose::Evaluate, Purpose::Gradient] {
            let gradient = GradientSettings { query_batch: 4, ..settings(Estimator::Lite, 2, 3) };
            let mut learner = learner(gpu, config(variant, gradient), task.limits(), purpose).await?;
            let found = learner.evaluate(&task.task()).await.map_err(message)?;
            if (found.loss - outcome.loss).abs() > LOSS_ROUNDING || found.accuracy != outcome.accuracy {
                return Err(format!("{variant:?}, {purpose:?}: {found:?}, in a step {outcome:?}"));
            }
            let logits = learner.logits(&task.task()).await.map_err(message)?;
            let accuracy = accuracy(&logits, task.task());
            if accuracy != outcome.accuracy {
                return Err(format!("{variant:?}: accuracy {accuracy} by the logits, {} as counted", outcome.accuracy));
            }
        }
    }
    Ok(())
}

/// The share of rows whose highest logit is the label's.
fn accuracy(logits: &[f32], task: Task<'_>) -> f64 {
    let rows = logits.chunks_exact(task.ways as usize).zip(task.query_labels);
    let right = rows.filter(|(row, label)| row.iter().all(|logit| *logit <= row[**label as usize])).count();
    right as f64 / task.query_labels.len() as f64
}
