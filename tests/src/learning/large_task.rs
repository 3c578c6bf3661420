//! A task of many large images in little memory: Simple CNAPs with LITE on EfficientNet-Lite0 at 224
//! pixels, a real step on every adapter.

use inkling_data::ImageShape;
use inkling_gpu::Gpu;
use inkling_meta::{
    EncoderSubset, Estimator, FilmSettings, GradientSettings, HeadSettings, Learner, LearnerConfig,
    MahalanobisSettings, Model, Optimizer, Purpose, TaskLimits,
};
use inkling_nn::{Backbone, NetworkConfig, Norm, Trained};

use super::backbones::weights;
use super::fixture::{draw, message, settings};
use super::memory::{BytesTask, since};
use crate::Case;
use crate::kernels::case_list;

const SIZE: u32 = 224;
const SUPPORT: u32 = 200;
const QUERIES: u32 = 4;
const MOST_BYTES: u64 = 400 << 20;

pub fn cases() -> Vec<Case> {
    case_list!["film/two_hundred_images_of_224_pixels" => two_hundred_images]
}

async fn two_hundred_images(gpu: &Gpu) -> Result<(), String> {
    let shape = ImageShape { channels: 3, height: SIZE, width: SIZE };
    // A narrow set encoder: the wide one of the paper is slower than the network itself.
    let film =
        FilmSettings { channels: 8, blocks: 5, groups: 4, regulariser: 1e-3, subset: EncoderSubset::Independent };
    let config = LearnerConfig {
        network: NetworkConfig {
            backbone: Backbone::EfficientNetLite0,
            trained: Trained::Modulated,
            in_channels: 3,
            image_size: SIZE,
            norm: Norm::Frozen,
        },
        kind: HeadSettings::Mahalanobis(MahalanobisSettings { class_block: 0 }).into(),
        film: Some(film),
        gradient: GradientSettings { query_batch: 4, ..settings(Estimator::Lite, 8, 4) },
        source: Some(shape),
    };
    let optimizer = Optimizer::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };
    let purpose = Purpose::Train { optimizer, tasks_per_step: 1 };
    let limits = TaskLimits { tasks: 1, ways: 2, support: SUPPORT, queries: QUERIES };
    let model = Model::new(config, gpu.tier()).map_err(message)?;
    let planned = model.planned_bytes(limits, purpose).map_err(message)?;
    if planned.total() > MOST_BYTES {
        return Err(format!("the plan needs {} bytes, and {MOST_BYTES} are meant to be enough", planned.total()));
    }
    let weights = weights(&model)?;
    let before = gpu.ledger().live();
    gpu.ledger().reset_peak();
    let mut learner = Learner::new(gpu, model, limits, purpose).map_err(message)?;
    learner.set_weights(&weights).await.map_err(message)?;
    learner.clear_gradient();
    let task = BytesTask::of(shape, SUPPORT, QUERIES);
    learner.accumulate(&task.task(), &mut draw(0)).await.map_err(message)?;
    let (outcomes, norm) = learner.update(1, 1e-3, 0.0).await.map_err(message)?;
    let peak = since(gpu.ledger().peak(), before);
    if peak != planned {
        return Err(format!("{peak:?} bytes, planned {planned:?}"));
    }
    if outcomes.iter().all(|outcome| outcome.loss.is_finite()) && norm.is_finite() && norm > 0.0 {
        Ok(())
    } else {
        Err(format!("{outcomes:?}, a gradient of norm {norm}"))
    }
}
