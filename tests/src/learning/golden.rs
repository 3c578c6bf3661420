//! Loss and gradient of every golden case, computed by an independent float64 implementation.

use inkling_data::Numbers;
use inkling_gpu::Gpu;
use inkling_meta::{
    Estimator, GradientSettings, Images, Learner, LearnerConfig, Metric, Model, Purpose, SubsetTime, Task, TaskLimits,
};
use inkling_nn::{Conv4Config, Norm, Weights};
use inkling_session::config::{self, CaseConfig, EstimatorKind, Layers, NormKind, SubsetKind};
use inkling_session::tensor_file::TensorFile;

use super::fixture::message;
use super::gradient::{Gradient, ORACLE};
use crate::Case;

/// The files of a case.
struct Files {
    case: &'static str,
    weights: &'static [u8],
    episode: &'static [u8],
    expected: &'static [u8],
}

/// The folders below `tests/golden/cases`, in the program itself: a browser has no files.
macro_rules! golden_cases {
    ($($name:literal),* $(,)?) => {
        vec![$(Case {
            name: concat!("learner/golden/", $name),
            run: |gpu| Box::pin(check(gpu, Files {
                case: include_str!(concat!("../../golden/cases/", $name, "/case.toml")),
                weights: include_bytes!(concat!("../../golden/cases/", $name, "/weights.safetensors")),
                episode: include_bytes!(concat!("../../golden/cases/", $name, "/episode.safetensors")),
                expected: include_bytes!(concat!("../../golden/cases/", $name, "/expected.safetensors")),
            })),
        }),*]
    };
}

pub fn cases() -> Vec<Case> {
    golden_cases![
        "batch-full-c4-1x16-2way",
        "batch-full-c5-3x17-3way",
        "frozen-full-c4-1x16-3way",
        "frozen-lite-c4-1x21-4way",
        "group-chunked-c4-1x16-3way",
        "group-full-c4-1x19-4way",
        "group-lite-c4-1x16-3way",
        "group-lite-c6-3x18-2way",
        "group-lite-cosine-c4-1x16-3way",
        "group-subsampled-c4-1x16-2way",
    ]
}

async fn check(gpu: &Gpu, files: Files) -> Result<(), String> {
    let mut layers = Layers::new();
    layers.text("case.toml", files.case).map_err(message)?;
    let case = layers.case_config().map_err(message)?;
    let episode = TensorFile::decode(files.episode)?;
    let (support, support_labels) = half(&episode, "support")?;
    let (query, query_labels) = half(&episode, "query")?;
    let ways = support_labels.iter().max().map_or(0, |largest| largest + 1);
    let limits = TaskLimits { ways, support: support_labels.len() as u32, queries: query_labels.len() as u32 };

    let model = Model::new(learner_config(&case, limits), gpu.tier()).map_err(message)?;
    let weights = weights(&TensorFile::decode(files.weights)?, &model, case.head.initial_scale());
    let mut learner = Learner::new(gpu, model, limits, Purpose::Gradient).map_err(message)?;
    learner.set_weights(&weights).await.map_err(message)?;
    learner.clear_gradient();
    let task = Task {
        ways,
        support: Images::Values(support),
        support_labels: &support_labels,
        query: Images::Values(query),
        query_labels: &query_labels,
    };
    let mut numbers = Numbers::new(b"subset__", case.gradient.seed, 0, 0);
    learner.accumulate(&task, &mut numbers).await.map_err(message)?;
    let outcomes = learner.outcomes().await.map_err(message)?;
    let mut found = Gradient::from(&learner.gradient().await.map_err(message)?);
    found.insert("loss", outcomes.iter().map(|outcome| outcome.loss));

    let mut expected = Gradient::default();
    for (name, tensor) in &TensorFile::decode(files.expected)?.tensors {
        let values = tensor.as_f32().ok_or("the expected tensors are floats")?;
        expected.insert(name, values.iter().map(|&value| value.into()));
    }
    found.check("against float64", &expected, ORACLE)
}

fn half<'e>(episode: &'e TensorFile, name: &str) -> Result<(&'e [f32], Vec<u32>), String> {
    let images = episode.tensors.get(&format!("{name}_images")).and_then(|tensor| tensor.as_f32());
    let labels = episode.tensors.get(&format!("{name}_labels")).and_then(|tensor| tensor.as_i32());
    match (images, labels) {
        (Some(images), Some(labels)) => Ok((images, labels.iter().map(|&label| label as u32).collect())),
        _ => Err(format!("no {name}_images and {name}_labels in the episode")),
    }
}

fn learner_config(case: &CaseConfig, limits: TaskLimits) -> LearnerConfig {
    let norm = match case.model.norm {
        NormKind::Group => Norm::Group { groups: case.model.groups.unwrap_or(1) },
        NormKind::Batch => Norm::Batch,
        NormKind::Frozen => Norm::Frozen,
    };
    let gradient = GradientSettings {
        estimator: match case.gradient.estimator {
            EstimatorKind::Full => Estimator::Full,
            EstimatorKind::Chunked => Estimator::Chunked,
            EstimatorKind::Lite => Estimator::Lite,
            EstimatorKind::Subsampled => Estimator::Subsampled,
        },
        h: case.h().unwrap_or(limits.support),
        chunk: case.gradient.chunk.unwrap_or(limits.support),
        subset: match case.gradient.subset {
            SubsetKind::Task => SubsetTime::Task,
            SubsetKind::QueryBatch => SubsetTime::QueryBatch,
        },
        query_batch: case.gradient.query_batch.unwrap_or(0),
        support_subset: case.gradient.support_subset.clone(),
    };
    LearnerConfig {
        network: Conv4Config {
            channels: case.model.channels,
            in_channels: case.model.in_channels,
            image_size: case.model.image_size,
            norm,
        },
        metric: match case.head.metric {
            config::Metric::Euclidean => Metric::Euclidean,
            config::Metric::Cosine => Metric::Cosine,
        },
        gradient,
        source: None,
    }
}

/// The file's weights; what it may leave out takes its usual value.
fn weights(file: &TensorFile, model: &Model, scale: f32) -> Weights {
    let mut weights = Weights::default();
    for entry in model.network().running().entries() {
        let value = if entry.name.ends_with("running_var") { 1.0 } else { 0.0 };
        weights.insert(&*entry.name, entry.shape.clone(), vec![value; entry.length as usize]);
    }
    if model.config().metric == Metric::Cosine {
        weights.insert("head.scale", vec![1], vec![scale]);
    }
    for (name, tensor) in &file.tensors {
        if let Some(values) = tensor.as_f32() {
            weights.insert(&**name, tensor.shape().to_vec(), values.to_vec());
        }
    }
    weights
}
