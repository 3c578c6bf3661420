//! Our networks behind the trait of extractors: whatever drives them, the gradient is the same.

use inkling_gpu::Gpu;
use inkling_meta::{
    Estimator, ExtractorConfig, ExtractorLearner, FullNetworkKind, FullNetworkSettings, GradientSettings, HeadSettings,
    InnerRates, LearnerConfig, LearnerKind, MetaError, Metric, Model, NetworkExtractor, Optimizer, Outcome, Purpose,
    SubsetTime,
};
use inkling_nn::{Norm, Weights};

use super::fixture::{NoiseTask, config, draw, learner, message, settings, solve, weights};
use super::gradient::{Gradient, ROUNDING};
use super::heads::all_heads;
use crate::Case;
use crate::kernels::case_list;

pub fn cases() -> Vec<Case> {
    case_list![
        "extractor/gradient_is_that_of_the_learner" => gradient_is_that_of_the_learner,
        "extractor/heads" => heads,
        "extractor/batch_statistics" => batch_statistics,
        "extractor/updates_are_those_of_the_learner" => updates_are_those_of_the_learner,
        "extractor/refusals" => refusals,
    ]
}

const NORM: Norm = Norm::Group { groups: 2 };
const ADAM: Optimizer =
    Optimizer::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0, decoupled: false };

type NetworkLearner = ExtractorLearner<NetworkExtractor>;

/// A learner over the network of `config` as an extractor, with the same weights.
async fn over(gpu: &Gpu, config: &LearnerConfig, task: &NoiseTask, purpose: Purpose) -> Result<NetworkLearner, String> {
    let network = NetworkExtractor::new(gpu, config.network, ADAM).map_err(message)?;
    let extractor_config =
        ExtractorConfig { kind: config.kind, gradient: config.gradient.clone(), source: config.source };
    let mut learner = ExtractorLearner::new(gpu, network, extractor_config, task.limits(), purpose).map_err(message)?;
    let all = weights(&Model::new(config.clone(), gpu.tier()).map_err(message)?)?;
    let part = |is_head: bool| {
        let mut part = Weights::default();
        let ours = all.iter().filter(|(name, _)| name.starts_with("head.") == is_head);
        ours.for_each(|(name, tensor)| part.insert(name, tensor.shape.clone(), tensor.values.clone()));
        part
    };
    learner.set_head_weights(&part(true)).await.map_err(message)?;
    let (network, recorder) = learner.parts();
    network.set_weights(recorder, &part(false)).await.map_err(message)?;
    learner.clear_gradient();
    Ok(learner)
}

/// What was accumulated, of network and head.
async fn gradient_of(learner: &mut NetworkLearner) -> Result<Gradient, String> {
    let head = learner.head_gradient().await.map_err(message)?;
    let (network, recorder) = learner.parts();
    let mut all = network.gradient(recorder).await.map_err(message)?;
    head.iter().for_each(|(name, tensor)| all.insert(name, tensor.shape.clone(), tensor.values.clone()));
    Ok(Gradient::from(&all))
}

async fn compare(gpu: &Gpu, what: &str, config: LearnerConfig, task: &NoiseTask) -> Result<(), String> {
    let mut learner = over(gpu, &config, task, Purpose::Gradient).await?;
    learner.accumulate(&task.task(), &mut draw(0)).await.map_err(message)?;
    let outcomes = learner.outcomes().await.map_err(message)?;
    let found = gradient_of(&mut learner).await?;
    let (expected, gradient) = solve(gpu, config, task).await?;
    check_outcomes(what, &outcomes, &[expected])?;
    found.check(what, &gradient, ROUNDING)
}

fn check_outcomes(what: &str, found: &[Outcome], expected: &[Outcome]) -> Result<(), String> {
    let close = |(one, other): (&Outcome, &Outcome)| {
        (one.loss - other.loss).abs() < 1e-6 && one.accuracy == other.accuracy && one.status == other.status
    };
    if found.len() == expected.len() && found.iter().zip(expected).all(close) {
        return Ok(());
    }
    Err(format!("{what}: outcomes {found:?}, not {expected:?}"))
}

async fn gradient_is_that_of_the_learner(gpu: &Gpu) -> Result<(), String> {
    let task = NoiseTask::small(5);
    let batched = |estimator, h, chunk| GradientSettings { query_batch: 4, ..settings(estimator, h, chunk) };
    let fresh = GradientSettings { subset: SubsetTime::QueryBatch, ..batched(Estimator::Lite, 2, 2) };
    let gradients = [
        settings(Estimator::Full, 0, 2),
        batched(Estimator::Full, 0, 7),
        settings(Estimator::Chunked, 0, 2),
        batched(Estimator::Chunked, 0, 3),
        settings(Estimator::Lite, 3, 2),
        batched(Estimator::Lite, 1, 4),
        fresh,
        settings(Estimator::Subsampled, 4, 3),
    ];
    for metric in [Metric::Euclidean, Metric::Cosine] {
        for gradient in &gradients {
            let what = format!("{metric:?}, {gradient:?}");
            compare(gpu, &what, config((NORM, metric), gradient.clone()), &task).await?;
        }
    }
    Ok(())
}

async fn heads(gpu: &Gpu) -> Result<(), String> {
    let task = NoiseTask::small(6);
    for head in all_heads() {
        let gradient = GradientSettings { query_batch: 4, ..settings(Estimator::Lite, 2, 2) };
        let config = LearnerConfig { kind: head.into(), ..config((NORM, Metric::Euclidean), gradient) };
        compare(gpu, &format!("{head:?}"), config, &task).await?;
    }
    Ok(())
}

async fn batch_statistics(gpu: &Gpu) -> Result<(), String> {
    let task = NoiseTask::small(7);
    let config = config((Norm::Batch, Metric::Euclidean), settings(Estimator::Full, 0, 2));
    compare(gpu, "batch statistics", config, &task).await
}

async fn updates_are_those_of_the_learner(gpu: &Gpu) -> Result<(), String> {
    let tasks: Vec<NoiseTask> = (0..2).map(|number| NoiseTask::small(50 + number)).collect();
    let config = config((NORM, Metric::Cosine), settings(Estimator::Chunked, 0, 3));
    let purpose = Purpose::Train { optimizer: ADAM, tasks_per_step: 2 };
    let mut found = over(gpu, &config, &tasks[0], purpose).await?;
    let mut expected = learner(gpu, config, tasks[0].limits(), purpose).await?;
    for step in 1..=3 {
        for (number, task) in (0..).zip(&tasks) {
            found.accumulate(&task.task(), &mut draw(number)).await.map_err(message)?;
            expected.accumulate(&task.task(), &mut draw(number)).await.map_err(message)?;
        }
        let outcomes = found.update(step, 1e-3, 0.0).await.map_err(message)?;
        let (others, _) = expected.update(step, 1e-3, 0.0).await.map_err(message)?;
        check_outcomes(&format!("step {step}"), &outcomes, &others)?;
    }
    let outcome = found.evaluate(&tasks[0].task()).await.map_err(message)?;
    let other = expected.evaluate(&tasks[0].task()).await.map_err(message)?;
    check_outcomes("after training", &[outcome], &[other])
}

/// What an extractor cannot do is said with the reason.
async fn refusals(gpu: &Gpu) -> Result<(), String> {
    let task = NoiseTask::small(8);
    let head: LearnerKind = HeadSettings::Prototypes { metric: Metric::Euclidean, scale: 1.0 }.into();
    let full_network = FullNetworkSettings {
        kind: FullNetworkKind::Maml,
        ways: 3,
        inner_steps: 1,
        inner_learning_rate: 0.1,
        rates: InnerRates::Fixed,
    };
    let cases = [
        (full_network.into(), Norm::Frozen, Estimator::Full, "learner.kind", "Hessian"),
        (head, Norm::Batch, Estimator::Lite, "gradient.estimator", "group norm"),
        (head, Norm::Batch, Estimator::Chunked, "gradient.estimator", "group norm"),
    ];
    for (kind, norm, estimator, expected, words) in cases {
        let network = config((norm, Metric::Euclidean), settings(estimator, 2, 2)).network;
        let network = NetworkExtractor::new(gpu, network, ADAM).map_err(message)?;
        let config = ExtractorConfig { kind, gradient: settings(estimator, 2, 2), source: None };
        match ExtractorLearner::new(gpu, network, config, task.limits(), Purpose::Gradient) {
            Err(MetaError::Config { key, reason, .. }) if key == expected && reason.contains(words) => {}
            other => return Err(format!("{expected}: {:?}", other.map(|_| ()))),
        }
    }
    Ok(())
}
