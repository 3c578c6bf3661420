//! The heads that solve, within learners: estimators, batch statistics, many tasks, memory.

use inkling_gpu::Gpu;
use inkling_meta::{
    Estimator, GradientSettings, HeadSettings, ImplicitSettings, LearnerConfig, LinearSettings, LinearStart,
    LowerGradient, MetaError, Model, Purpose, SubsetTime, TaskLimits,
};
use inkling_nn::{Backbone, NetworkConfig, Norm, Trained};

use super::fixture::{
    CHANNELS, NoiseTask, SIZE, VARIANTS, config, draw, learner, message, settings, solve, solve_with, subsets,
};
use super::gradient::{Gradient, ROUNDING};
use super::heads::{MAHALANOBIS, RIDGE, VERSA, all_heads, by_cg, linear};
use crate::Case;
use crate::kernels::case_list;

pub fn cases() -> Vec<Case> {
    case_list![
        "heads/chunked_and_lite_of_all_are_full" => chunked_and_lite_of_all_are_full,
        "heads/lite_is_unbiased" => lite_is_unbiased,
        "heads/batch_statistics" => batch_statistics,
        "heads/tasks_side_by_side" => tasks_side_by_side,
        "heads/plan_is_ledger" => plan_is_ledger,
        "heads/implicit_memory_is_flat_in_inner_steps" => memory_is_flat,
    ]
}

/// A small learner's configuration with another head.
fn with_head(norm: Norm, head: HeadSettings, gradient: GradientSettings) -> LearnerConfig {
    LearnerConfig { kind: head.into(), ..config((norm, VARIANTS[0].1), gradient) }
}

const NORM: Norm = Norm::Group { groups: 2 };

async fn chunked_and_lite_of_all_are_full(gpu: &Gpu) -> Result<(), String> {
    let task = NoiseTask::small(2);
    for head in all_heads() {
        let full = solve(gpu, with_head(NORM, head, settings(Estimator::Full, 0, 1)), &task).await?;
        for chunk in [1, 2, 5] {
            let gradient = GradientSettings { query_batch: 4, ..settings(Estimator::Chunked, 0, chunk) };
            let found = solve(gpu, with_head(NORM, head, gradient), &task).await?;
            let error = (found.0.loss - full.0.loss).abs();
            if error > 1e-6 {
                return Err(format!("{head:?}, chunks of {chunk}: loss off by {error:e}"));
            }
            found.1.check(&format!("{head:?}, chunks of {chunk}"), &full.1, ROUNDING)?;
        }
        let all = solve(gpu, with_head(NORM, head, settings(Estimator::Lite, task.support(), 2)), &task).await?;
        all.1.check(&format!("{head:?}, lite of all"), &full.1, ROUNDING)?;
    }
    Ok(())
}

async fn lite_is_unbiased(gpu: &Gpu) -> Result<(), String> {
    let task = NoiseTask::small(2);
    for head in [all_heads()[0], RIDGE, MAHALANOBIS, VERSA] {
        let full = solve(gpu, with_head(NORM, head, settings(Estimator::Full, 0, 1)), &task).await?;
        let mut gradients = Vec::new();
        for subset in subsets(task.support(), 2) {
            let gradient = GradientSettings { support_subset: Some(subset), ..settings(Estimator::Lite, 2, 2) };
            gradients.push(solve(gpu, with_head(NORM, head, gradient), &task).await?.1);
        }
        Gradient::mean(&gradients).check(&format!("mean over subsets, {head:?}"), &full.1, ROUNDING)?;
        if gradients[0].minus(&full.1).norm() < 0.01 * full.1.norm() {
            return Err(format!("{head:?}: a subset is as good as all"));
        }
    }
    // One draw for each query batch would mean one solve for each, which is another gradient.
    let gradient = GradientSettings { subset: SubsetTime::QueryBatch, ..settings(Estimator::Lite, 2, 2) };
    match Model::new(with_head(NORM, all_heads()[0], gradient), gpu.tier()) {
        Err(MetaError::Config { key: "gradient.subset", .. }) => Ok(()),
        other => Err(format!("{:?}", other.map(|_| ()))),
    }
}

/// With batch statistics the network couples images; the heads do not mind.
async fn batch_statistics(gpu: &Gpu) -> Result<(), String> {
    let task = NoiseTask::small(3);
    for head in all_heads() {
        solve(gpu, with_head(Norm::Batch, head, settings(Estimator::Full, 0, 1)), &task).await?;
    }
    Ok(())
}

async fn tasks_side_by_side(gpu: &Gpu) -> Result<(), String> {
    let tasks: Vec<NoiseTask> = (0..3).map(|number| NoiseTask::small(40 + number)).collect();
    for head in all_heads() {
        let gradient = GradientSettings { query_batch: 4, ..settings(Estimator::Chunked, 0, 4) };
        let mut limits = tasks[0].limits();
        limits.tasks = 3;
        // The learner adds the tasks' gradients up; `solve` gives those of one.
        let mut one = learner(gpu, with_head(NORM, head, gradient.clone()), limits, Purpose::Gradient).await?;
        let mut gradients = Vec::new();
        for task in &tasks {
            gradients.push(solve_with(&mut one, task, 0).await?.1);
        }
        let expected = Gradient::mean(&gradients).scaled(3.0);
        one.clear_gradient();
        let pass: Vec<_> = tasks.iter().map(NoiseTask::task).collect();
        one.accumulate_pass(&pass, &mut [draw(0), draw(1), draw(2)]).await.map_err(message)?;
        let found = Gradient::from(&one.gradient().await.map_err(message)?);
        found.check(&format!("{head:?}"), &expected, ROUNDING)?;
    }
    Ok(())
}

async fn plan_is_ledger(gpu: &Gpu) -> Result<(), String> {
    let task = NoiseTask::small(2);
    let jacobi = ImplicitSettings { cg_steps: 2, cg_tolerance: 0.0, damping: 0.1, preconditioned: true, warm: false };
    let start = LinearStart::Learned { ways: 3 };
    let more = [
        HeadSettings::Linear(linear(3, LowerGradient::Implicit(jacobi))),
        HeadSettings::Linear(LinearSettings { start, proximal: true, ..linear(3, by_cg(2)) }),
    ];
    for head in all_heads().into_iter().chain(more) {
        let config = with_head(NORM, head, settings(Estimator::Chunked, 0, 2));
        let model = Model::new(config.clone(), gpu.tier()).map_err(message)?;
        let planned = model.planned_bytes(task.limits(), Purpose::Gradient).map_err(message)?;
        let before = gpu.ledger().live();
        gpu.ledger().reset_peak();
        let mut learner = learner(gpu, config, task.limits(), Purpose::Gradient).await?;
        solve_with(&mut learner, &task, 0).await?;
        let mut peak = gpu.ledger().peak();
        before.iter().for_each(|(category, bytes)| peak.subtract(category, bytes));
        if peak != planned {
            return Err(format!("{head:?}: peak {peak:?}, planned {planned:?}"));
        }
    }
    Ok(())
}

async fn memory_is_flat(gpu: &Gpu) -> Result<(), String> {
    let limits = TaskLimits { tasks: 4, ways: 5, support: 25, queries: 25 };
    let bytes = |inner_steps, gradient| {
        let network = NetworkConfig {
            backbone: Backbone::Conv4 { channels: CHANNELS },
            trained: Trained::All,
            in_channels: 1,
            image_size: SIZE,
            norm: NORM,
        };
        let head = HeadSettings::Linear(linear(inner_steps, gradient));
        let config = LearnerConfig { network, ..with_head(NORM, head, settings(Estimator::Chunked, 0, 8)) };
        let model = Model::new(config, gpu.tier()).map_err(message)?;
        Ok::<_, String>(model.planned_bytes(limits, Purpose::Gradient).map_err(message)?.total())
    };
    let (few, many) = (bytes(1, by_cg(5))?, bytes(100, by_cg(5))?);
    let unrolled = bytes(100, LowerGradient::Unrolled)? - bytes(1, LowerGradient::Unrolled)?;
    // 99 more w of 5 · (4 + 1) values in whole 256 bytes.
    if few == many && unrolled == 99 * 4 * 256 {
        return Ok(());
    }
    Err(format!("{few} bytes at K = 1, {many} at K = 100; unrolled grows by {unrolled}"))
}
