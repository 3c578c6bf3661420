//! Fine-tuned learners: their steps against those of first-order MAML and against float64, the
//! identities between ways to cut the same work, memory, and what they refuse.

use inkling_data::Numbers;
use inkling_gpu::Gpu;
use inkling_meta::{
    Estimator, FineTune, FullNetworkKind, FullNetworkSettings, GradientSettings, InnerRates, LearnerConfig, MetaError,
    Model, Optimizer, Purpose, TaskLimits,
};
use inkling_nn::{Backbone, NetworkConfig, Norm, Trained};

use super::fixture::{CHANNELS, NoiseTask, SIZE, config as with_prototypes, learner, message, settings};
use super::memory::since;
use crate::Case;
use crate::kernels::{case_list, noise};

pub fn cases() -> Vec<Case> {
    case_list![
        "fine_tuning/plain_steps_are_those_of_first_order_maml" => plain_steps,
        "fine_tuning/batches_of_a_new_classifier_are_those_of_float64" => batches_in_float64,
        "fine_tuning/chunks_and_tasks_beside_change_nothing" => chunks_and_tasks,
        "fine_tuning/plan_is_ledger" => plan_is_ledger,
        "fine_tuning/training_is_refused" => training_is_refused,
    ]
}

const WAYS: u32 = 3;
const STEPS: u32 = 4;
const RATE: f32 = 0.1;
const SGD: Optimizer = Optimizer::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };
const ADAM: Optimizer =
    Optimizer::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0, decoupled: false };
const TRAINED: [Trained; 4] = [Trained::Nothing, Trained::Modulated, Trained::Norms, Trained::All];
/// The steps of two kernels round differently, and each step carries it through the network.
const CLOSE: f64 = 1e-4;

fn tuning(optimizer: Optimizer, batch: u32) -> FullNetworkKind {
    FullNetworkKind::FineTune(FineTune { optimizer, batch, seed: 5 })
}

fn config(norm: Norm, trained: Trained, kind: FullNetworkKind, gradient: GradientSettings) -> LearnerConfig {
    let backbone = Backbone::Conv4 { channels: CHANNELS };
    let network = NetworkConfig { backbone, trained, in_channels: 1, image_size: SIZE, norm };
    let (inner_steps, inner_learning_rate) = (STEPS, RATE);
    let settings = FullNetworkSettings { kind, ways: WAYS, inner_steps, inner_learning_rate, rates: InnerRates::Fixed };
    LearnerConfig { network, kind: settings.into(), film: None, gradient, source: None }
}

fn chunked(chunk: u32) -> GradientSettings {
    settings(Estimator::Chunked, 0, chunk)
}

fn task(seed: u64) -> NoiseTask {
    NoiseTask::new(seed, WAYS, 7, 5)
}

async fn logits(gpu: &Gpu, config: LearnerConfig, task: &NoiseTask) -> Result<Vec<f32>, String> {
    let mut learner = learner(gpu, config, task.limits(), Purpose::Evaluate).await?;
    learner.logits(&task.task()).await.map_err(message)
}

fn compare(what: &str, found: &[f32], expected: &[f64], allowed: f64) -> Result<(), String> {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    let difference = norm(&mut found.iter().zip(expected).map(|(&found, expected)| f64::from(found) - expected));
    let error = difference / norm(&mut expected.iter().copied());
    if found.len() == expected.len() && error <= allowed {
        return Ok(());
    }
    Err(format!("{what}: logits are off by {error:.1e}, allowed {allowed:.0e}"))
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| value.into()).collect()
}

async fn plain_steps(gpu: &Gpu) -> Result<(), String> {
    let task = task(3);
    for norm in [Norm::Group { groups: 2 }, Norm::Frozen] {
        for trained in TRAINED {
            for chunk in [7, 3] {
                let first_order = config(norm, trained, FullNetworkKind::Fomaml, chunked(chunk));
                let mut first_order = learner(gpu, first_order, task.limits(), Purpose::Evaluate).await?;
                let weights = first_order.weights().await.map_err(message)?;
                let maml = first_order.logits(&task.task()).await.map_err(message)?;
                for batch in [0, 7] {
                    let tuner = config(norm, trained, tuning(SGD, batch), chunked(chunk));
                    let mut tuner = learner(gpu, tuner, task.limits(), Purpose::Evaluate).await?;
                    // The first classifier of one is random, and that of the other zero.
                    tuner.set_weights(&weights).await.map_err(message)?;
                    let found = tuner.logits(&task.task()).await.map_err(message)?;
                    compare(&format!("{norm:?}, {trained:?}, chunks of {chunk}"), &found, &wide(&maml), CLOSE)?;
                }
            }
        }
    }
    Ok(())
}

/// Steps on batches of embeddings, from the method's text.
fn descend(
    (mut weight, mut bias): (Vec<f64>, Vec<f64>),
    (rows, labels): (&[f64], &[u32]),
    (optimizer, batch): (Optimizer, usize),
) -> (Vec<f64>, Vec<f64>) {
    let d = weight.len() / WAYS as usize;
    let mut numbers = Numbers::new(b"finetune", 5, 0, 0);
    let mut order: Vec<usize> = (0..labels.len()).collect();
    let (mut turn, mut moments) = (Vec::new(), vec![(0.0, 0.0); weight.len() + bias.len()]);
    for step in 1..=STEPS {
        if turn.is_empty() {
            numbers.shuffle(&mut order);
            turn = order.clone();
        }
        let images: Vec<usize> = turn.drain(..batch.min(turn.len())).collect();
        let mut slope = vec![0.0; weight.len() + bias.len()];
        for &image in &images {
            let row = &rows[image * d..(image + 1) * d];
            let logit = |way: usize| bias[way] + (0..d).map(|i| weight[way * d + i] * row[i]).sum::<f64>();
            let powers: Vec<f64> = (0..WAYS as usize).map(|way| logit(way).exp()).collect();
            for way in 0..WAYS as usize {
                let one = if labels[image] as usize == way { 1.0 } else { 0.0 };
                let error = (powers[way] / powers.iter().sum::<f64>() - one) / images.len() as f64;
                slope[weight.len() + way] += error;
                (0..d).for_each(|i| slope[way * d + i] += error * row[i]);
            }
        }
        let values = weight.iter_mut().chain(&mut bias);
        for ((value, g), (m, v)) in values.zip(slope).zip(&mut moments) {
            *m += 0.1 * (g - *m);
            *v = 0.999 * *v + 0.001 * g * g;
            let corrected = [*m / (1.0 - 0.9_f64.powi(step as i32)), *v / (1.0 - 0.999_f64.powi(step as i32))];
            let by_adam = corrected[0] / (corrected[1].sqrt() + 1e-8);
            *value -= f64::from(RATE) * if optimizer == SGD { g } else { by_adam };
        }
    }
    (weight, bias)
}

async fn batches_in_float64(gpu: &Gpu) -> Result<(), String> {
    let (task, norm) = (task(4), Norm::Group { groups: 2 });
    let mut embedder = with_prototypes((norm, Default::default()), chunked(4));
    embedder.network.trained = Trained::Nothing;
    let mut embedder = learner(gpu, embedder, task.limits(), Purpose::Evaluate).await?;
    let seen = embedder.inspect(&task.task()).await.map_err(message)?;
    // A start that is not zero, on the same network.
    let mut weights = embedder.weights().await.map_err(message)?;
    let (ways, d) = (WAYS as usize, seen.support_embeddings.len() / task.support() as usize);
    let [weight, bias] = [(8, ways * d), (9, ways)].map(|(seed, count)| noise(seed, count));
    weights.insert("classifier.weight", vec![ways, d], weight.clone());
    weights.insert("classifier.bias", vec![ways], bias.clone());
    for optimizer in [SGD, ADAM] {
        for batch in [1, 3, 4] {
            let config = config(norm, Trained::Nothing, tuning(optimizer, batch), chunked(2));
            let mut tuner = learner(gpu, config, task.limits(), Purpose::Evaluate).await?;
            tuner.set_weights(&weights).await.map_err(message)?;
            let found = tuner.logits(&task.task()).await.map_err(message)?;
            let support = (wide(&seen.support_embeddings), task.support_labels());
            let start = (wide(&weight), wide(&bias));
            let (weight, bias) = descend(start, (&support.0, support.1), (optimizer, batch as usize));
            let queries = wide(&seen.query_embeddings);
            let mut expected = Vec::new();
            for query in queries.chunks(d) {
                let product = |way: usize| (0..d).map(|i| weight[way * d + i] * query[i]).sum::<f64>();
                expected.extend((0..ways).map(|way| bias[way] + product(way)));
            }
            compare(&format!("{optimizer:?}, batches of {batch}"), &found, &expected, CLOSE)?;
        }
    }
    Ok(())
}

async fn chunks_and_tasks(gpu: &Gpu) -> Result<(), String> {
    let tasks: Vec<NoiseTask> = (0..3).map(|number| task(40 + number)).collect();
    for trained in [Trained::Nothing, Trained::Norms, Trained::All] {
        let config = |chunk| config(Norm::Group { groups: 2 }, trained, tuning(ADAM, 3), chunked(chunk));
        let expected = logits(gpu, config(7), &tasks[0]).await?;
        let found = logits(gpu, config(2), &tasks[0]).await?;
        compare(&format!("{trained:?}, chunks"), &found, &wide(&expected), CLOSE)?;
        let limits = TaskLimits { tasks: 3, ..tasks[0].limits() };
        let mut together = learner(gpu, config(21), limits, Purpose::Evaluate).await?;
        let pass: Vec<_> = tasks.iter().map(NoiseTask::task).collect();
        let outcomes = together.evaluate_pass(&pass).await.map_err(message)?;
        for (task, outcome) in tasks.iter().zip(outcomes) {
            let mut alone = learner(gpu, config(7), task.limits(), Purpose::Evaluate).await?;
            let expected = alone.evaluate(&task.task()).await.map_err(message)?;
            if (outcome.loss - expected.loss).abs() > CLOSE * expected.loss {
                return Err(format!("{trained:?}: {outcome:?} beside others, {expected:?} alone"));
            }
        }
    }
    Ok(())
}

async fn plan_is_ledger(gpu: &Gpu) -> Result<(), String> {
    let task = task(2);
    for trained in TRAINED {
        let config = config(Norm::Group { groups: 2 }, trained, tuning(ADAM, 3), chunked(2));
        let model = Model::new(config.clone(), gpu.tier()).map_err(message)?;
        let planned = model.planned_bytes(task.limits(), Purpose::Evaluate).map_err(message)?;
        let before = gpu.ledger().live();
        gpu.ledger().reset_peak();
        let mut learner = learner(gpu, config, task.limits(), Purpose::Evaluate).await?;
        learner.evaluate(&task.task()).await.map_err(message)?;
        let peak = since(gpu.ledger().peak(), before);
        if peak != planned {
            return Err(format!("{trained:?}: peak {peak:?}, planned {planned:?}"));
        }
    }
    Ok(())
}

async fn training_is_refused(gpu: &Gpu) -> Result<(), String> {
    let config = config(Norm::Frozen, Trained::Norms, tuning(SGD, 0), chunked(2));
    let model = Model::new(config.clone(), gpu.tier()).map_err(message)?;
    let plan = model.plan(task(1).limits(), Purpose::Gradient).map(drop);
    let made = learner(gpu, config, task(1).limits(), Purpose::Gradient).await.map(drop);
    match (plan, made) {
        (Err(MetaError::Config { key: "learner.kind", .. }), Err(text)) if text.contains("inkling eval") => Ok(()),
        other => Err(format!("{other:?}")),
    }
}
