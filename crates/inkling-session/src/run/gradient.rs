//! One task's loss and meta-gradient, for comparison with other implementations.

use inkling_data::Numbers;
use inkling_gpu::Gpu;
use inkling_meta::{GradientSettings, Images, Learner, LearnerConfig, Model, Purpose, Task, TaskLimits};

use super::SessionError;
use super::model::{estimator, from_file, head, network, open_gpu, subset_time, to_file};
use crate::config::CaseConfig;
use crate::tensor_file::{Tensor, TensorFile};

/// `loss` [1] and one tensor per trainable parameter, under its name and shape.
///
/// # Errors
/// When weights or episode do not fit the case; device errors.
pub async fn gradient(
    case: &CaseConfig,
    weights: &TensorFile,
    episode: &TensorFile,
    adapter: Option<String>,
) -> Result<TensorFile, SessionError> {
    gradient_on(&open_gpu(adapter, false).await?, case, weights, episode).await
}

/// The same on a device that is open already.
///
/// # Errors
/// As [`gradient`].
pub async fn gradient_on(
    gpu: &Gpu,
    case: &CaseConfig,
    weights: &TensorFile,
    episode: &TensorFile,
) -> Result<TensorFile, SessionError> {
    let (support, support_labels) = images(episode, "support", case)?;
    let (query, query_labels) = images(episode, "query", case)?;
    let ways = support_labels.iter().max().map_or(0, |&largest| largest.saturating_add(1));
    let limits =
        TaskLimits { tasks: 1, ways, support: support_labels.len() as u32, queries: query_labels.len() as u32 };
    let settings = GradientSettings {
        estimator: estimator(case.gradient.estimator),
        h: case.h().unwrap_or(limits.support),
        chunk: case.gradient.chunk.unwrap_or(limits.support).max(1),
        subset: subset_time(case.gradient.subset),
        query_batch: case.gradient.query_batch.unwrap_or(0),
        support_subset: case.gradient.support_subset.clone(),
    };
    let config = LearnerConfig {
        network: network(&case.model.model(), case.model.in_channels, case.model.image_size),
        kind: head(&case.head).into(),
        gradient: settings,
        source: None,
    };
    let model = Model::new(config, gpu.tier())?;
    let mut weights = from_file(weights, &model)?;
    // A case gives the head's scale; a file of weights may hold it too.
    if weights.get("head.scale").is_none() && model.layout().entries().iter().any(|entry| entry.name == "head.scale") {
        weights.insert("head.scale", vec![1], vec![case.head.initial_scale()]);
    }
    let mut learner = Learner::new(gpu, model, limits, Purpose::Gradient)?;
    learner.set_weights(&weights).await?;
    learner.clear_gradient();
    let task = Task {
        ways,
        support: Images::Values(support),
        support_labels: &support_labels,
        query: Images::Values(query),
        query_labels: &query_labels,
    };
    learner.accumulate(&task, &mut Numbers::new(b"subset__", case.gradient.seed, 0, 0)).await?;
    let loss = learner.outcomes().await?.first().map_or(f64::NAN, |outcome| outcome.loss);
    let mut file = to_file(&learner.gradient().await?, None)?;
    file.tensors.extend(Tensor::f32(vec![1], vec![loss as f32]).map(|loss| ("loss".to_owned(), loss)));
    Ok(file)
}

/// The images and labels of one half of the episode.
fn images<'e>(episode: &'e TensorFile, half: &str, case: &CaseConfig) -> Result<(&'e [f32], Vec<u32>), SessionError> {
    let tensor = |name: &str| {
        let missing = || {
            SessionError::Episode(format!(
                "the episode holds no tensor {name}; it needs support_images, support_labels, query_images and query_labels"
            ))
        };
        episode.tensors.get(name).ok_or_else(missing)
    };
    let (image_name, label_name) = (format!("{half}_images"), format!("{half}_labels"));
    let image_tensor = tensor(&image_name)?;
    let size = case.model.image_size as usize;
    let values = match (image_tensor.as_f32(), image_tensor.shape()) {
        (Some(values), &[_, channels, height, width])
            if (channels, height, width) == (case.model.in_channels as usize, size, size) =>
        {
            values
        }
        (_, shape) => {
            return Err(SessionError::Episode(format!(
                "{image_name} has shape {shape:?}; the case needs f32 [N, {}, {size}, {size}]",
                case.model.in_channels
            )));
        }
    };
    if let Some(value) = values.iter().find(|value| !value.is_finite()) {
        return Err(SessionError::Episode(format!("{image_name} holds {value}; images must be finite numbers")));
    }
    let label_tensor = tensor(&label_name)?;
    if values.is_empty() {
        return Err(SessionError::Episode(format!("{image_name} holds no image; a task needs at least one")));
    }
    let integers = label_tensor.as_i32().filter(|_| label_tensor.shape().len() == 1).ok_or_else(|| {
        SessionError::Episode(format!("{label_name} must be i32 [N], not {:?}", label_tensor.shape()))
    })?;
    let label = |&value: &i32| {
        u32::try_from(value)
            .ok()
            .filter(|&label| label <= 1 << 20)
            .ok_or_else(|| SessionError::Episode(format!("{label_name} holds {value}; labels count from 0")))
    };
    Ok((values, integers.iter().map(label).collect::<Result<_, _>>()?))
}
