//! Small learners and small tasks of noise, the same on every platform.

use inkling_data::Numbers;
use inkling_gpu::Gpu;
use inkling_meta::{
    Estimator, GradientSettings, HeadSettings, Images, Learner, LearnerConfig, Metric, Model, Outcome, Purpose,
    SubsetTime, Task, TaskLimits,
};
use inkling_nn::{Backbone, NetworkConfig, Norm, Trained, Weights};

use super::gradient::Gradient;
use crate::kernels::noise;

/// Height and width of the images: the smallest that Conv-4 takes.
pub const SIZE: u32 = 16;
/// Channels of every block, and with [`SIZE`] also the dimension of the embeddings.
pub const CHANNELS: u32 = 4;

/// Every combination of an uncoupled norm with a metric.
pub const VARIANTS: [(Norm, Metric); 4] = [
    (Norm::Group { groups: 2 }, Metric::Euclidean),
    (Norm::Group { groups: 2 }, Metric::Cosine),
    (Norm::Frozen, Metric::Euclidean),
    (Norm::Frozen, Metric::Cosine),
];

/// Makes messages of a crate's errors.
pub fn message(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// A small Conv-4 with prototypes; images come as values.
pub fn config((norm, metric): (Norm, Metric), gradient: GradientSettings) -> LearnerConfig {
    let network = NetworkConfig {
        backbone: Backbone::Conv4 { channels: CHANNELS },
        trained: Trained::All,
        in_channels: 1,
        image_size: SIZE,
        norm,
    };
    // Scaled up, so that a softmax of cosines is not flat.
    let kind = HeadSettings::Prototypes { metric, scale: 5.0 }.into();
    LearnerConfig { network, kind, film: None, gradient, source: None }
}

/// An estimator that draws once a task and takes all queries at once.
pub fn settings(estimator: Estimator, h: u32, chunk: u32) -> GradientSettings {
    GradientSettings { estimator, h, chunk, subset: SubsetTime::Task, query_batch: 0, support_subset: None }
}

/// LITE with given rows.
pub fn lite_of(subset: &[u32], chunk: u32) -> GradientSettings {
    GradientSettings { support_subset: Some(subset.to_vec()), ..settings(Estimator::Lite, subset.len() as u32, chunk) }
}

/// A task of images as values.
#[derive(Clone, Debug)]
pub struct NoiseTask {
    ways: u32,
    support: Vec<f32>,
    support_labels: Vec<u32>,
    query: Vec<f32>,
    query_labels: Vec<u32>,
}

impl NoiseTask {
    /// Images of noise; the classes take turns.
    pub fn new(seed: u64, ways: u32, support: u32, queries: u32) -> Self {
        let images = |seed, count: u32| noise(seed, (count * SIZE * SIZE) as usize);
        let labels = |count: u32| (0..count).map(|index| index % ways).collect();
        Self {
            ways,
            support: images(2 * seed, support),
            support_labels: labels(support),
            query: images(2 * seed + 1, queries),
            query_labels: labels(queries),
        }
    }

    /// Five support images of three classes, six queries.
    pub fn small(seed: u64) -> Self {
        Self::new(seed, 3, 5, 6)
    }

    /// The same task with only these support images.
    pub fn with_support(&self, indices: &[u32]) -> Self {
        let image = |&index: &u32| {
            let from = (index * SIZE * SIZE) as usize;
            &self.support[from..from + (SIZE * SIZE) as usize]
        };
        Self {
            support: indices.iter().flat_map(image).copied().collect(),
            support_labels: indices.iter().map(|&index| self.support_labels[index as usize]).collect(),
            ..self.clone()
        }
    }

    /// The same task with this value in the first pixel of its first support image.
    pub fn with_pixel(&self, value: f32) -> Self {
        let mut task = self.clone();
        task.support[0] = value;
        task
    }

    /// Images and labels of the support and of the queries, for float64.
    pub fn halves(&self) -> [(Vec<f64>, &[u32]); 2] {
        let wide = |images: &[f32]| images.iter().map(|&value| f64::from(value)).collect();
        [(wide(&self.support), &self.support_labels), (wide(&self.query), &self.query_labels)]
    }

    /// N.
    pub fn support(&self) -> u32 {
        self.support_labels.len() as u32
    }

    /// M.
    pub fn queries(&self) -> u32 {
        self.query_labels.len() as u32
    }

    /// Labels of the support.
    pub fn support_labels(&self) -> &[u32] {
        &self.support_labels
    }

    /// Exactly the task's size.
    pub fn limits(&self) -> TaskLimits {
        TaskLimits { tasks: 1, ways: self.ways, support: self.support(), queries: self.queries() }
    }

    /// What a learner takes.
    pub fn task(&self) -> Task<'_> {
        Task {
            ways: self.ways,
            support: Images::Values(&self.support),
            support_labels: &self.support_labels,
            query: Images::Values(&self.query),
            query_labels: &self.query_labels,
        }
    }
}

/// Weights with nothing at a special value: no bias is zero, no running statistic neutral.
pub fn weights(model: &Model) -> Result<Weights, String> {
    let count = (model.layout().elements() + model.network().running().elements()) as usize;
    let mut numbers = noise(99, 2 * count).into_iter();
    let mut next = || numbers.next().unwrap_or(0.0);
    // Uniform deviates of unit variance.
    let plain = model.initial_weights(|| 3.0_f32.sqrt() * next()).map_err(message)?;
    let mut numbers = noise(98, count).into_iter();
    let mut weights = Weights::default();
    for (name, tensor) in plain.iter() {
        let spread = match name.rsplit('.').next() {
            // A rate stays positive.
            _ if name.starts_with("inner_rates") => 0.05,
            Some("weight") if name.contains("conv") => 0.0,
            Some("running_var") => 0.5,
            Some("scale") => 0.0,
            _ => 0.2,
        };
        let values = tensor.values.iter().map(|value| value + spread * numbers.next().unwrap_or(0.0)).collect();
        weights.insert(name, tensor.shape.clone(), values);
    }
    Ok(weights)
}

/// A learner with [`weights`].
pub async fn learner(
    gpu: &Gpu,
    config: LearnerConfig,
    limits: TaskLimits,
    purpose: Purpose,
) -> Result<Learner, String> {
    let model = Model::new(config, gpu.tier()).map_err(message)?;
    let weights = weights(&model)?;
    let mut learner = Learner::new(gpu, model, limits, purpose).map_err(message)?;
    learner.set_weights(&weights).await.map_err(message)?;
    learner.clear_gradient();
    Ok(learner)
}

/// Random numbers for an estimator's draw.
pub fn draw(number: u64) -> Numbers {
    Numbers::new(b"subset__", 11, 0, number)
}

/// Loss, accuracy and gradient of one task, with draw `number`; what was accumulated before is
/// forgotten.
pub async fn solve_with(learner: &mut Learner, task: &NoiseTask, number: u64) -> Result<(Outcome, Gradient), String> {
    learner.clear_gradient();
    learner.accumulate(&task.task(), &mut draw(number)).await.map_err(message)?;
    let outcome = learner.outcomes().await.map_err(message)?;
    let gradient = Gradient::from(&learner.gradient().await.map_err(message)?);
    match outcome.as_slice() {
        [outcome] if outcome.loss.is_finite() && gradient.norm() > 0.0 => Ok((*outcome, gradient)),
        _ => Err(format!("outcomes {outcome:?}, a gradient of norm {}", gradient.norm())),
    }
}

/// The same on a learner of its own.
pub async fn solve(gpu: &Gpu, config: LearnerConfig, task: &NoiseTask) -> Result<(Outcome, Gradient), String> {
    let mut learner = learner(gpu, config, task.limits(), Purpose::Gradient).await?;
    solve_with(&mut learner, task, 0).await
}

/// All subsets of `size` of the numbers below `count`, each ascending.
pub fn subsets(count: u32, size: u32) -> Vec<Vec<u32>> {
    let all = (0..1_u32 << count).filter(|bits| bits.count_ones() == size);
    all.map(|bits| (0..count).filter(|index| bits >> index & 1 == 1).collect()).collect()
}
