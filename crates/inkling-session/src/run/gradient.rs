//! One task's loss and meta-gradient, for comparison with other implementations.

use inkling_data::Numbers;
use inkling_gpu::Gpu;
use inkling_meta::{
    EncoderSubset, Estimator, GradientSettings, Images, Learner, LearnerConfig, Model, Purpose, SubsetTime, Task,
    TaskLimits,
};

use super::SessionError;
use super::model::{estimator, film, from_file, full_network, head, network, open_gpu, subset_time, to_file};
use crate::config::{CaseConfig, CaseGradient, CaseMethod};
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
    let method = case.method().ok_or_else(|| {
        SessionError::Setting("the case has neither [head] with [gradient] nor [learner]; write one of them".to_owned())
    })?;
    let (kind, gradient, seed) = match method {
        CaseMethod::Head(head_config, gradient) => {
            (head(head_config, ways).into(), sampled(gradient, limits), gradient.seed)
        }
        CaseMethod::Learner(learner) => (full_network(learner, ways).into(), whole(limits), 0),
    };
    let mut film = film(&case.model.model());
    if let (Some(film), Some(CaseGradient { encoder_subset: Some(subset), .. })) = (&mut film, &case.gradient) {
        film.subset = EncoderSubset::These(subset.clone());
    }
    let network = network(&case.model.model(), case.model.in_channels, case.model.image_size);
    let model = Model::new(LearnerConfig { network, kind, film, gradient, source: None }, gpu.tier())?;
    let mut weights = from_file(weights, &model)?;
    // The case gives the first values of the head's own parameters; a file of weights may hold them too.
    for (name, tensor) in model.initial_weights(|| 0.0)?.iter().filter(|(name, _)| name.starts_with("head.")) {
        if weights.get(name).is_none() {
            weights.insert(name, tensor.shape.clone(), tensor.values.clone());
        }
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
    learner.accumulate(&task, &mut Numbers::new(b"subset__", seed, 0, 0)).await?;
    let loss = learner.outcomes().await?.first().map_or(f64::NAN, |outcome| outcome.loss);
    let mut file = to_file(&learner.gradient().await?, None)?;
    file.tensors.extend(Tensor::f32(vec![1], vec![loss as f32]).map(|loss| ("loss".to_owned(), loss)));
    Ok(file)
}

fn sampled(gradient: &CaseGradient, limits: TaskLimits) -> GradientSettings {
    GradientSettings {
        estimator: estimator(gradient.estimator),
        h: gradient.h().unwrap_or(limits.support),
        chunk: gradient.chunk.unwrap_or(limits.support).max(1),
        subset: subset_time(gradient.subset),
        query_batch: gradient.query_batch.unwrap_or(0),
        support_subset: gradient.support_subset.clone(),
    }
}

/// The whole support at once.
fn whole(limits: TaskLimits) -> GradientSettings {
    GradientSettings {
        estimator: Estimator::Full,
        h: limits.support,
        chunk: limits.support.max(1),
        subset: SubsetTime::Task,
        query_batch: 0,
        support_subset: None,
    }
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
