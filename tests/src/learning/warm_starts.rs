//! Tasks of a finite list that start each step where they ended in the last (Algorithm 2).

use inkling_gpu::{Category, Gpu};
use inkling_meta::{
    Estimator, HeadSettings, ImplicitSettings, Learner, LearnerConfig, LinearSettings, LinearStart, LowerGradient,
    Metric, Model, Optimizer, Outcome, Purpose, TaskLimits,
};
use inkling_nn::Norm;

use super::fixture::{NoiseTask, config, draw, learner, message, settings};
use super::heads::linear;
use crate::Case;
use crate::kernels::case_list;

pub fn cases() -> Vec<Case> {
    case_list![
        "warm_starts/two_rounds_are_one_of_twice_the_steps" => two_rounds,
        "warm_starts/side_by_side_is_one_after_the_other" => side_by_side,
        "warm_starts/evaluation_starts_at_zero_and_leaves_no_trace" => evaluation_leaves_no_trace,
        "warm_starts/a_solve_begins_where_the_last_one_ended" => a_solve_begins_where_it_ended,
        "warm_starts/can_be_saved_and_put_back" => saved_and_put_back,
        "warm_starts/plan_is_ledger" => plan_is_ledger,
        "warm_starts/settings_that_cannot_be" => settings_that_cannot_be,
    ]
}

const NORM: Norm = Norm::Group { groups: 2 };
const STEPS: u32 = 4;
const TRAIN: Purpose = Purpose::Train {
    optimizer: Optimizer::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 },
    tasks_per_step: 2,
};

fn head(inner_steps: u32, start: LinearStart, warm: bool) -> LearnerConfig {
    let cg = ImplicitSettings { cg_steps: 3, cg_tolerance: 0.0, damping: 0.0, preconditioned: false, warm };
    let settings_of = LinearSettings { start, ..linear(inner_steps, LowerGradient::Implicit(cg)) };
    let base = config((NORM, Metric::Euclidean), settings(Estimator::Chunked, 0, 2));
    LearnerConfig { kind: HeadSettings::Linear(settings_of).into(), ..base }
}

fn tasks() -> [NoiseTask; 2] {
    [NoiseTask::small(4), NoiseTask::small(5)]
}

fn limits(tasks: u32) -> TaskLimits {
    TaskLimits { tasks, ..NoiseTask::small(4).limits() }
}

/// The outcomes of one step over both tasks, in passes of as many tasks as there is room for.
async fn round(learner: &mut Learner) -> Result<Vec<Outcome>, String> {
    learner.clear_gradient();
    let tasks = tasks();
    for pass in tasks.chunks(learner.limits().tasks as usize) {
        let pass: Vec<_> = pass.iter().map(NoiseTask::task).collect();
        let mut numbers: Vec<_> = pass.iter().map(|_| draw(0)).collect();
        learner.accumulate_pass(&pass, &mut numbers).await.map_err(message)?;
    }
    learner.outcomes().await.map_err(message)
}

fn same(what: &str, found: &[Outcome], expected: &[Outcome]) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?}, expected {expected:?}")) }
}

/// Every operation is the same, so the bits are.
async fn two_rounds(gpu: &Gpu) -> Result<(), String> {
    let mut warm = learner(gpu, head(STEPS, LinearStart::Warm, false), limits(1), TRAIN).await?;
    let mut once = learner(gpu, head(STEPS, LinearStart::Zero, false), limits(1), TRAIN).await?;
    let mut twice = learner(gpu, head(2 * STEPS, LinearStart::Zero, false), limits(1), TRAIN).await?;
    same("the first round", &round(&mut warm).await?, &round(&mut once).await?)?;
    same("the second round", &round(&mut warm).await?, &round(&mut twice).await?)?;
    let found = warm.gradient().await.map_err(message)?;
    let expected = twice.gradient().await.map_err(message)?;
    let differs =
        found.iter().find(|(name, tensor)| expected.get(name).is_none_or(|other| other.values != tensor.values));
    differs.map_or(Ok(()), |(name, _)| Err(format!("the gradients of {name} differ")))
}

async fn side_by_side(gpu: &Gpu) -> Result<(), String> {
    let config = head(STEPS, LinearStart::Warm, true);
    let mut together = learner(gpu, config.clone(), limits(2), TRAIN).await?;
    let mut single = learner(gpu, config, limits(1), TRAIN).await?;
    for number in 1..=3 {
        same(&format!("round {number}"), &round(&mut together).await?, &round(&mut single).await?)?;
    }
    Ok(())
}

async fn evaluation_leaves_no_trace(gpu: &Gpu) -> Result<(), String> {
    let mut warm = learner(gpu, head(STEPS, LinearStart::Warm, true), limits(1), TRAIN).await?;
    let mut undisturbed = learner(gpu, head(STEPS, LinearStart::Warm, true), limits(1), TRAIN).await?;
    let mut cold = learner(gpu, head(STEPS, LinearStart::Zero, false), limits(1), TRAIN).await?;
    let [first, other] = tasks();
    round(&mut warm).await?;
    round(&mut undisturbed).await?;
    for task in [&other, &first] {
        let found = warm.evaluate(&task.task()).await.map_err(message)?;
        let expected = cold.evaluate(&task.task()).await.map_err(message)?;
        same("an evaluation", &[found], &[expected])?;
    }
    same("the next round", &round(&mut warm).await?, &round(&mut undisturbed).await?)
}

/// From a start of zero the second round meets the same systems again. Residuals are relative to
/// the right-hand side; a recursive and a true one differ by the rounding of a few products.
async fn a_solve_begins_where_it_ended(gpu: &Gpu) -> Result<(), String> {
    let mut learner = learner(gpu, head(STEPS, LinearStart::Zero, true), limits(2), TRAIN).await?;
    round(&mut learner).await?;
    let first = learner.solve_reports().await.map_err(message)?;
    round(&mut learner).await?;
    let second = learner.solve_reports().await.map_err(message)?;
    for (first, second) in first.iter().zip(&second) {
        let ends =
            (first.relative_residuals.first(), first.relative_residuals.last(), second.relative_residuals.first());
        let (Some(&cold), Some(&ended), Some(&begun)) = ends else { return Err("a solve without residuals".into()) };
        if cold != 1.0 || (begun - ended).abs() > 1e-5 || begun > 0.5 {
            return Err(format!("the first solve goes from {cold} to {ended}, the second begins at {begun}"));
        }
    }
    if first.len() == 2 && second.len() == 2 { Ok(()) } else { Err("not two reports".into()) }
}

async fn saved_and_put_back(gpu: &Gpu) -> Result<(), String> {
    let config = head(STEPS, LinearStart::Warm, true);
    let mut whole = learner(gpu, config.clone(), limits(1), TRAIN).await?;
    round(&mut whole).await?;
    let kept = whole.warm_starts().await.map_err(message)?;
    let names: Vec<&str> = kept.iter().map(|(name, _)| *name).collect();
    if names != ["warm.w", "warm.v"] || kept.iter().any(|(_, values)| values.iter().all(|&value| value == 0.0)) {
        return Err(format!("kept {names:?}, or nothing in them"));
    }
    let kept: Vec<Vec<f32>> = kept.into_iter().map(|(_, values)| values).collect();
    let mut resumed = learner(gpu, config, limits(1), TRAIN).await?;
    resumed.set_warm_starts(&kept).await.map_err(message)?;
    same("the next round", &round(&mut resumed).await?, &round(&mut whole).await?)?;
    match resumed.set_warm_starts(&[vec![0.0; 3]]).await {
        Err(error) if error.to_string().contains("warm.w") => Ok(()),
        other => Err(format!("three values were taken: {other:?}")),
    }
}

async fn plan_is_ledger(gpu: &Gpu) -> Result<(), String> {
    let (config, cold) = (head(STEPS, LinearStart::Warm, true), head(STEPS, LinearStart::Zero, false));
    let planned = |config| Model::new(config, gpu.tier())?.planned_bytes(limits(1), TRAIN);
    let (plan, without) = (planned(config.clone()).map_err(message)?, planned(cold).map_err(message)?);
    // Two vectors of 3 · (4 + 1) values for each of two tasks, in strides of whole 256 bytes.
    let more = plan.of(Category::Embeddings) - without.of(Category::Embeddings);
    if more != 2 * 2 * 256 || plan.total() - without.total() != more {
        return Err(format!("warm starts take {more} bytes of {}", plan.total() - without.total()));
    }
    let before = gpu.ledger().live();
    gpu.ledger().reset_peak();
    let mut learner = learner(gpu, config, limits(1), TRAIN).await?;
    round(&mut learner).await?;
    let mut peak = gpu.ledger().peak();
    before.iter().for_each(|(category, bytes)| peak.subtract(category, bytes));
    if peak == plan { Ok(()) } else { Err(format!("peak {peak:?}, planned {plan:?}")) }
}

async fn settings_that_cannot_be(gpu: &Gpu) -> Result<(), String> {
    let start = LinearStart::Warm;
    let refused = [
        (LinearSettings { start, ..linear(2, LowerGradient::Unrolled) }, "head.start"),
        (LinearSettings { start, proximal: true, ..super::heads::linear(2, super::heads::by_cg(2)) }, "head.proximal"),
    ];
    for (settings, key) in refused {
        let config = LearnerConfig { kind: HeadSettings::Linear(settings).into(), ..head(1, start, true) };
        match Model::new(config, gpu.tier()) {
            Err(error) if error.to_string().contains(key) => {}
            other => return Err(format!("{settings:?} gave {other:?}")),
        }
    }
    Ok(())
}
