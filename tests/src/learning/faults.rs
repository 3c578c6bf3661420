//! What cannot be is an error value that says so, and leaves device and ledger as they were.

use inkling_gpu::{Category, Gpu, GpuError, GpuOptions};
use inkling_meta::{Estimator, Learner, MetaError, Metric, Model, Purpose, TaskLimits};
use inkling_nn::{NnError, Norm, Weights};

use super::fixture::{NoiseTask, VARIANTS, config, draw, learner, lite_of, message, settings, weights};
use crate::Case;
use crate::kernels::case_list;

pub fn cases() -> Vec<Case> {
    case_list![
        "faults/a_buffer_beyond_the_limit" => a_buffer_beyond_the_limit,
        "faults/a_learner_beyond_the_limit" => a_learner_beyond_the_limit,
        "faults/ranges" => ranges,
        "faults/an_unknown_adapter" => an_unknown_adapter,
        "faults/weights_of_another_network" => weights_of_another_network,
        "faults/tasks_that_do_not_fit" => tasks_that_do_not_fit,
        "faults/settings_that_cannot_be" => settings_that_cannot_be,
    ]
}

/// Fails unless the message of an error holds all of these words.
fn says<T, E: std::fmt::Display>(what: &str, result: Result<T, E>, words: &[&str]) -> Result<(), String> {
    let Err(error) = result else { return Err(format!("{what}: no error")) };
    let text = error.to_string();
    match words.iter().find(|word| !text.contains(**word)) {
        Some(word) => Err(format!("{what}: {text:?} does not say {word:?}")),
        None => Ok(()),
    }
}

async fn a_buffer_beyond_the_limit(gpu: &Gpu) -> Result<(), String> {
    let before = gpu.ledger().live();
    let limit = gpu.max_binding_bytes();
    let result = gpu.buffer(Category::Workspace, "huge", limit + 1);
    match &result {
        Err(GpuError::TooLarge { name, bytes, limit: reported })
            if name == "huge" && *bytes > limit && *reported == limit => {}
        other => return Err(format!("{other:?}")),
    }
    says("too large", result, &["huge", "chunk or the image size", &limit.to_string()])?;
    if gpu.ledger().live() != before {
        return Err("a refused buffer is counted".into());
    }
    gpu.check().map_err(message)
}

/// Refused half-way through its buffers, and all of them given back.
async fn a_learner_beyond_the_limit(gpu: &Gpu) -> Result<(), String> {
    let before = gpu.ledger().live();
    let model = Model::new(config(VARIANTS[0], settings(Estimator::Lite, 2, 2)), gpu.tier()).map_err(message)?;
    let row_bytes = 4 * u64::from(model.network().dimension());
    let support = (gpu.max_binding_bytes() / row_bytes + 1) as u32;
    let limits = TaskLimits { tasks: 1, ways: 2, support, queries: 4 };
    let result = Learner::new(gpu, model, limits, Purpose::Gradient);
    if !matches!(&result, Err(MetaError::Gpu(GpuError::TooLarge { .. }))) {
        return Err(format!("{:?}", result.err()));
    }
    says("too many rows", result, &["embeddings"])?;
    if gpu.ledger().live() != before { Err("a refused learner leaves bytes behind".into()) } else { Ok(()) }
}

async fn ranges(gpu: &Gpu) -> Result<(), String> {
    let buffer = gpu.buffer(Category::Workspace, "small", 16).map_err(message)?;
    says("a slice", buffer.slice(8, 12), &["small", "beyond the end"])?;
    says("an overflow", buffer.slice(u64::MAX, 4), &["small"])?;
    let mut recorder = gpu.recorder().map_err(message)?;
    says("an upload", recorder.upload(buffer.all(), &[0; 17]).await, &["small", "larger than the range"])?;
    recorder.finish().await.map_err(message)
}

async fn an_unknown_adapter(_: &Gpu) -> Result<(), String> {
    let options = GpuOptions { adapter: Some("no such adapter".into()), profile: false };
    says("no adapter", Gpu::new(&options).await, &["no such adapter"])
}

async fn weights_of_another_network(gpu: &Gpu) -> Result<(), String> {
    let task = NoiseTask::small(1);
    let config = config(VARIANTS[0], settings(Estimator::Full, 0, 1));
    let mut learner = learner(gpu, config, task.limits(), Purpose::Gradient).await?;
    let mut wrong = Weights::default();
    for (name, tensor) in weights(learner.model())?.iter() {
        match name {
            "blocks.1.conv.bias" => {}
            "blocks.2.norm.weight" => wrong.insert(name, vec![2, 2], tensor.values.clone()),
            _ => wrong.insert(name, tensor.shape.clone(), tensor.values.clone()),
        }
    }
    wrong.insert("blocks.4.conv.weight", vec![1], vec![0.0]);
    let present = learner.weights().await.map_err(message)?;
    let result = learner.set_weights(&wrong).await;
    match &result {
        Err(MetaError::Nn(NnError::Weights { problems })) if problems.len() == 3 => {}
        other => return Err(format!("{other:?}")),
    }
    let words = ["blocks.1.conv.bias [4] is missing", "blocks.2.norm.weight has shape [2, 2]", "blocks.4.conv.weight"];
    says("weights", result, &words)?;
    if learner.weights().await.map_err(message)? != present { Err("refused weights were used".into()) } else { Ok(()) }
}

async fn tasks_that_do_not_fit(gpu: &Gpu) -> Result<(), String> {
    let room = NoiseTask::small(1);
    let config = config(VARIANTS[0], settings(Estimator::Lite, 2, 2));
    let mut learner = learner(gpu, config, room.limits(), Purpose::Gradient).await?;
    let wrong = [
        (NoiseTask::new(1, 3, 6, 6), "there is room for 1 to 5"),
        (NoiseTask::new(1, 3, 5, 7), "there is room for 1 to 6"),
        (NoiseTask::new(1, 4, 5, 6), "room for 2 to 3"),
        (NoiseTask::new(1, 1, 5, 6), "1 classes"),
        (room.with_support(&[0, 1, 3]), "class 2 has no support image"),
        (NoiseTask::new(1, 3, 5, 0), "0 query images"),
    ];
    for (task, words) in wrong {
        says("a gradient", learner.accumulate(&task.task(), &mut draw(0)).await, &[words])?;
        says("an evaluation", learner.evaluate(&task.task()).await, &[words])?;
    }
    // The learner is as good as new.
    learner.accumulate(&room.task(), &mut draw(0)).await.map_err(message)
}

async fn settings_that_cannot_be(gpu: &Gpu) -> Result<(), String> {
    for estimator in [Estimator::Chunked, Estimator::Lite, Estimator::Subsampled] {
        let model = Model::new(config((Norm::Batch, Metric::Euclidean), settings(estimator, 2, 2)), gpu.tier());
        says("batch norm", model, &["model.norm", "group", "full"])?;
    }
    let model = Model::new(config(VARIANTS[0], settings(Estimator::Lite, 2, 0)), gpu.tier());
    says("no chunk", model, &["gradient.chunk"])?;
    let model =
        Model::new(config((Norm::Group { groups: 3 }, Metric::Euclidean), settings(Estimator::Full, 0, 1)), gpu.tier());
    says("three groups of four channels", model, &["model.groups", "3"])?;
    let task = NoiseTask::small(1);
    for (gradient, words) in [
        (lite_of(&[0, 0], 2), "occurs twice"),
        (lite_of(&[0, 5], 2), "indices go from 0 to 4"),
        (settings(Estimator::Subsampled, 2, 2), "each of the 3 classes"),
    ] {
        let mut learner = learner(gpu, config(VARIANTS[0], gradient), task.limits(), Purpose::Gradient).await?;
        says("a subset", learner.accumulate(&task.task(), &mut draw(0)).await, &["gradient.", words])?;
    }
    Ok(())
}
