//! Feature maps of frozen first stages: what learns from them learns as the whole network does.

use std::sync::Arc;

use inkling_data::{IDENTITY, ImageShape, Normalization, Pixels};
use inkling_gpu::Gpu;
use inkling_meta::{Estimator, HeadSettings, Images, Learner, LearnerConfig, Metric, Model, Purpose, Task, TaskLimits};
use inkling_nn::{Backbone, NetworkConfig, Norm, Trained, Weights};

use super::fixture::{draw, message, settings};
use super::memory::since;
use crate::Case;
use crate::kernels::{case_list, noise};

const SIZE: u32 = 32;
const WAYS: u32 = 2;
const SUPPORT: u32 = 4;
const QUERIES: u32 = 3;
const LIMITS: TaskLimits = TaskLimits { tasks: 1, ways: WAYS, support: SUPPORT, queries: QUERIES };
/// A block of Conv-4, a stage of EfficientNet-Lite0 that begins with a sum, and one that does not; a block
/// behind dropout, and one with gates.
const CASES: [(Backbone, Trained); 5] = [
    (Backbone::Conv4 { channels: 8 }, Trained::Last { stages: 2 }),
    (Backbone::EfficientNetLite0, Trained::LastNorms { stages: 2 }),
    (Backbone::EfficientNetLite0, Trained::Last { stages: 0 }),
    (Backbone::ResNet12 { drop_permille: 300 }, Trained::Last { stages: 1 }),
    (Backbone::EfficientNetB0 { drop_permille: 300 }, Trained::LastNorms { stages: 2 }),
];

pub fn cases() -> Vec<Case> {
    case_list![
        "features/as_the_whole_network" => as_the_whole_network,
        "features/plan_is_ledger" => plan_is_ledger,
    ]
}

/// Images as bytes, the support first, and the labels of both halves.
struct Photos {
    pixels: Vec<Pixels>,
    affines: Vec<[f32; 6]>,
    labels: Vec<u32>,
    normalization: Normalization,
}

impl Photos {
    fn new() -> Self {
        let count = SUPPORT + QUERIES;
        let bytes: Vec<u8> =
            noise(5, (count * 3 * SIZE * SIZE) as usize).iter().map(|value| (127.5 + 127.0 * value) as u8).collect();
        Self {
            pixels: bytes.chunks((3 * SIZE * SIZE) as usize).map(Arc::from).collect(),
            affines: vec![IDENTITY; count as usize],
            labels: (0..SUPPORT).chain(0..QUERIES).map(|index| index % WAYS).collect(),
            normalization: Normalization { mean: vec![0.5; 3], std: vec![0.25; 3] },
        }
    }

    fn images(&self) -> [Images<'_>; 2] {
        let (support, query) = self.pixels.split_at(SUPPORT as usize);
        let (of_support, of_query) = self.affines.split_at(SUPPORT as usize);
        let normalization = &self.normalization;
        [(support, of_support), (query, of_query)].map(|(pixels, affines)| Images::Bytes {
            pixels,
            affines,
            normalization,
        })
    }

    fn task<'t>(&'t self, [support, query]: [Images<'t>; 2]) -> Task<'t> {
        let (support_labels, query_labels) = self.labels.split_at(SUPPORT as usize);
        Task { ways: WAYS, support, support_labels, query, query_labels }
    }
}

fn model(gpu: &Gpu, (backbone, trained): (Backbone, Trained)) -> Result<Model, String> {
    let has_groups = matches!(backbone, Backbone::Conv4 { .. } | Backbone::ResNet12 { .. });
    let norm = if has_groups { Norm::Group { groups: 4 } } else { Norm::Frozen };
    let network = NetworkConfig { backbone, trained, in_channels: 3, image_size: SIZE, norm };
    let kind = HeadSettings::Prototypes { metric: Metric::Cosine, scale: 5.0 }.into();
    // Chunks that divide neither half.
    let gradient = settings(Estimator::Lite, 2, 3);
    let source = Some(ImageShape { channels: 3, height: SIZE, width: SIZE });
    Model::new(LearnerConfig { network, kind, film: None, gradient, source }, gpu.tier()).map_err(message)
}

async fn learner(gpu: &Gpu, model: Model) -> Result<Learner, String> {
    let mut numbers = noise(7, 6_000_000).into_iter();
    let weights = model.initial_weights(|| 1.7 * numbers.next().unwrap_or(0.5)).map_err(message)?;
    let mut learner = Learner::new(gpu, model, LIMITS, Purpose::Gradient).map_err(message)?;
    learner.set_weights(&weights).await.map_err(message)?;
    learner.clear_gradient();
    Ok(learner)
}

/// The gradient, the loss, and the embeddings of the support.
async fn learn(learner: &mut Learner, task: &Task<'_>) -> Result<(Weights, f64, Vec<f32>), String> {
    learner.clear_gradient();
    learner.accumulate(task, &mut draw(0)).await.map_err(message)?;
    let outcomes = learner.outcomes().await.map_err(message)?;
    let gradient = learner.gradient().await.map_err(message)?;
    let embeddings = learner.embed(task.support).await.map_err(message)?;
    Ok((gradient, outcomes.first().map_or(f64::NAN, |outcome| outcome.loss), embeddings))
}

/// From feature maps, from images through both parts, and from images through the whole, to the bit.
async fn as_the_whole_network(gpu: &Gpu) -> Result<(), String> {
    let photos = Photos::new();
    for case in CASES {
        let mut whole = learner(gpu, model(gpu, case)?).await?;
        let expected = learn(&mut whole, &photos.task(photos.images())).await?;
        if expected.0.iter().all(|(_, tensor)| tensor.values.iter().all(|value| *value == 0.0)) {
            return Err(format!("{case:?}: no gradient"));
        }
        let over_features = model(gpu, case)?.over_features();
        if !over_features.is_over_features() {
            return Err(format!("{case:?}: no frozen first stages"));
        }
        let mut parts = learner(gpu, over_features).await?;
        if learn(&mut parts, &photos.task(photos.images())).await? != expected {
            return Err(format!("{case:?}: images through both parts give something else"));
        }
        let [support, query] = photos.images();
        let support = parts.features(support).await.map_err(message)?;
        let query = parts.features(query).await.map_err(message)?;
        let task = photos.task([Images::Values(&support), Images::Values(&query)]);
        if learn(&mut parts, &task).await? != expected {
            return Err(format!("{case:?}: feature maps give something else"));
        }
        if parts.weights().await.map_err(message)? != whole.weights().await.map_err(message)? {
            return Err(format!("{case:?}: the weights are not those of the whole"));
        }
    }
    Ok(())
}

async fn plan_is_ledger(gpu: &Gpu) -> Result<(), String> {
    let photos = Photos::new();
    for case in CASES {
        let over_features = model(gpu, case)?.over_features();
        let planned = over_features.planned_bytes(LIMITS, Purpose::Gradient).map_err(message)?;
        let before = gpu.ledger().live();
        gpu.ledger().reset_peak();
        let mut learner = learner(gpu, over_features).await?;
        learn(&mut learner, &photos.task(photos.images())).await?;
        let peak = since(gpu.ledger().peak(), before);
        if peak != planned {
            return Err(format!("{case:?}: {peak:?} bytes, planned {planned:?}"));
        }
    }
    Ok(())
}
