//! The configuration of a run: plain data that reads from TOML and writes back to it. Reading and
//! merging live in `layers`, the rules a value must keep in `validate`, the case file of
//! `inkling grad` in `case`. Defaults stand in the `Default` implementations here and, with a
//! comment for every key, in `presets/defaults.toml`, which a test holds equal to them.

mod case;
mod error;
mod film;
mod head;
mod keys;
mod layers;
mod learner;
mod output;
mod training;
mod validate;

use std::path::PathBuf;

use inkling_data::{OpenOptions, Split};
use serde::{Deserialize, Serialize};

pub use case::{CaseConfig, CaseGradient, CaseMethod, CaseModel};
pub use error::{ConfigError, Place, Problem};
pub use film::{EncoderSubsetKind, FilmConfig};
pub use head::{HeadConfig, HeadKind, Metric, SolveStart, StartKind};
pub(crate) use keys::most_similar;
pub use layers::Layers;
pub use learner::{LearnerConfig, LearnerKind, RatesKind, TunedBy, TunedKind};
pub use training::{Algorithm, Optimizer, Schedule, TrainingConfig};

use crate::units::ByteSize;

/// Everything that determines a run: data, tasks, network, head, gradient, training, evaluation
/// and the memory budget.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunConfig {
    /// Where images come from and how they are changed in training.
    pub data: DataConfig,
    /// The shape of training episodes.
    pub task: TaskConfig,
    /// The backbone.
    pub model: ModelConfig,
    /// The head.
    pub head: HeadConfig,
    /// A learner that adapts the whole network, in place of a head.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learner: Option<LearnerConfig>,
    /// The gradient estimator.
    pub gradient: GradientConfig,
    /// Steps, optimiser, schedule, checkpoints.
    pub training: TrainingConfig,
    /// The fixed episodes of the final evaluation.
    pub evaluation: EvaluationConfig,
    /// The memory budget.
    pub memory: MemoryConfig,
}

/// The section `[data]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// A data specification such as `glyphs`, `cifar-fs:PATH` or `folder:PATH`.
    pub spec: String,
    /// Height and width of the square images in pixels; the data set's own size when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_size: Option<u32>,
    /// The share of a photo's shorter side that is kept, about its centre; see
    /// [`RunConfig::center_crop`] when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub center_crop: Option<f32>,
    /// A file that assigns classes to splits, in place of the published or drawn split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split_file: Option<PathBuf>,
    /// How many classes of a folder train, validate and test, drawn by seed; 64, 16 and 20 % of them
    /// when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split_counts: Option<[u32; 3]>,
    /// Refuse photos that cannot be read, in place of taking another one of their class.
    pub strict: bool,
    /// The most bytes of decoded images that stay in host memory.
    pub cache: ByteSize,
    /// The most bytes of feature maps of frozen stages that stay in host memory; zero keeps none, and
    /// sends every image through the whole network.
    pub feature_cache: ByteSize,
    /// Seeds what a data set generates or splits by chance; not the order of episodes.
    pub seed: u64,
    /// Mean per channel of pixels scaled to `0..=1`; the data set's own when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean: Option<Vec<f32>>,
    /// Standard deviation per channel; the data set's own when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub std: Option<Vec<f32>>,
    /// Random changes of training images.
    pub augmentation: AugmentationConfig,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            spec: "glyphs".to_owned(),
            image_size: None,
            center_crop: None,
            split_file: None,
            split_counts: None,
            strict: false,
            cache: ByteSize::mebibytes(256),
            feature_cache: ByteSize::mebibytes(1024),
            seed: 0,
            mean: None,
            std: None,
            augmentation: AugmentationConfig::default(),
        }
    }
}

impl RunConfig {
    /// Whether a run keeps the feature maps of frozen stages, so that no image goes through these
    /// twice.
    pub fn keeps_features(&self) -> bool {
        self.model.stages.is_some() && self.learner.is_none() && self.data.feature_cache.0 > 0
    }

    /// The share of a photo's shorter side that is kept: the configured one, or that which the
    /// backbone's published weights are evaluated with.
    pub fn center_crop(&self) -> f32 {
        self.data.center_crop.unwrap_or_else(|| self.model.backbone.center_crop())
    }

    /// How the data set that `data.spec` names is opened.
    pub fn open_options(&self) -> OpenOptions {
        OpenOptions {
            image_size: self.data.image_size,
            center_crop: self.center_crop(),
            seed: self.data.seed,
            cache_bytes: self.data.cache.0,
            split_file: self.data.split_file.clone(),
            split_counts: self.data.split_counts,
            strict: self.data.strict,
            ..OpenOptions::default()
        }
    }
}

/// The section `[data.augmentation]`; every default leaves the image as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AugmentationConfig {
    /// Pixels of padding on each side before a random crop back to the image size.
    pub crop_padding: u32,
    /// Mirror half of the images left to right.
    pub flip: bool,
    /// Rotate by an angle drawn from minus to plus this many degrees.
    pub rotation_degrees: f32,
    /// Scale by a factor drawn from `1 - scale` to `1 + scale`.
    pub scale: f32,
}

/// The section `[task]`: the shape of training episodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaskConfig {
    /// Classes per episode.
    pub ways: u32,
    /// Support images per class.
    pub shots: u32,
    /// Query images per class.
    pub queries: u32,
    /// Draw ways and shots anew for every episode (the Meta-Dataset rules) instead.
    pub variable: bool,
    /// With `variable`, the most classes per episode.
    pub max_ways: u32,
    /// With `variable`, the most support images per episode.
    pub max_support: u32,
}

impl Default for TaskConfig {
    fn default() -> Self {
        Self { ways: 5, shots: 5, queries: 5, variable: false, max_ways: 50, max_support: 500 }
    }
}

impl TaskConfig {
    /// The most support images N that an episode can have.
    pub fn max_support_images(&self) -> u64 {
        if self.variable { u64::from(self.max_support) } else { u64::from(self.ways) * u64::from(self.shots) }
    }

    /// The most classes that an episode can have.
    pub fn most_ways(&self) -> u32 {
        if self.variable { self.max_ways } else { self.ways }
    }

    /// The most query images M that an episode can have.
    pub fn max_query_images(&self) -> u64 {
        u64::from(self.most_ways()) * u64::from(self.queries)
    }
}

/// The networks that can serve as the backbone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackboneKind {
    /// Four blocks of 3×3 convolution, norm, ReLU and 2×2 max-pool (Vinyals 2016, Snell 2017).
    #[default]
    Conv4,
    /// EfficientNet-Lite0 (Tan & Le 2019), which comes with weights: see `model.weights`.
    #[serde(rename = "efficientnet-lite0")]
    EfficientnetLite0,
    /// EfficientNet-B0 (Tan & Le 2019), with SiLU and squeeze-and-excitation.
    #[serde(rename = "efficientnet-b0")]
    EfficientnetB0,
    /// The ResNet-12 of few-shot learning (Lee et al. 2019; Tian et al. 2020).
    #[serde(rename = "resnet-12")]
    Resnet12,
    /// ResNet-18 (He et al. 2016).
    #[serde(rename = "resnet-18")]
    Resnet18,
}

impl BackboneKind {
    /// Mean and standard deviation by channel that published weights were trained with, for pixels
    /// from 0 to 1.
    pub fn statistics(self) -> Option<[Vec<f32>; 2]> {
        match self {
            Self::Conv4 | Self::Resnet12 => None,
            // (x − 127) / 128 for bytes x.
            Self::EfficientnetLite0 => Some([vec![127.0 / 255.0; 3], vec![128.0 / 255.0; 3]]),
            // ImageNet's, as PyTorch's models take them.
            Self::EfficientnetB0 | Self::Resnet18 => Some([vec![0.485, 0.456, 0.406], vec![0.229, 0.224, 0.225]]),
        }
    }

    /// Whether training can drop values by chance.
    pub fn has_drops(self) -> bool {
        matches!(self, Self::EfficientnetB0 | Self::Resnet12)
    }

    /// Whether the network has the norm of `model.norm`; the norms of others are always frozen.
    pub fn has_chosen_norm(self) -> bool {
        matches!(self, Self::Conv4 | Self::Resnet12)
    }

    /// The name as the configuration writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Conv4 => "conv4",
            Self::EfficientnetLite0 => "efficientnet-lite0",
            Self::EfficientnetB0 => "efficientnet-b0",
            Self::Resnet12 => "resnet-12",
            Self::Resnet18 => "resnet-18",
        }
    }

    /// The share of a photo's shorter side that published weights are evaluated with: the middle
    /// 224 of 256 pixels; all of it where there are none.
    pub fn center_crop(self) -> f32 {
        if self.statistics().is_some() { 0.875 } else { 1.0 }
    }

    /// The stages of the architecture.
    pub fn stages(self) -> u32 {
        match self {
            Self::Conv4 | Self::Resnet12 | Self::Resnet18 => 4,
            Self::EfficientnetLite0 | Self::EfficientnetB0 => 7,
        }
    }

    /// The architecture, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Conv4 => "Conv-4",
            Self::EfficientnetLite0 => "EfficientNet-Lite0",
            Self::EfficientnetB0 => "EfficientNet-B0",
            Self::Resnet12 => "ResNet-12",
            Self::Resnet18 => "ResNet-18",
        }
    }
}

/// What is trained of a backbone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrainedKind {
    /// Nothing: only a head learns.
    Nothing,
    /// None of its own: small networks, which adapt its norms to each task (`[model.film]`).
    Film,
    /// The scales and shifts of its norms.
    Norms,
    /// Everything but the statistics of its norms.
    All,
}

/// Where a norm layer takes its statistics from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormKind {
    /// Per image and group of channels; the default of networks trained from scratch.
    #[default]
    Group,
    /// Over all images of a forward pass: transductive, and only with the estimator `full`.
    Batch,
    /// The running statistics of a pretrained network.
    Frozen,
}

/// The section `[model]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// The network.
    pub backbone: BackboneKind,
    /// Channels of each block of Conv-4.
    pub channels: u32,
    /// The norm after each convolution of Conv-4 and ResNet-12; those of others are always frozen.
    pub norm: NormKind,
    /// With group norm, how many groups the channels fall into.
    pub groups: u32,
    /// What is trained of the backbone; see [`ModelConfig::trained`] for what its absence means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trained: Option<TrainedKind>,
    /// With `trained = "film"`, what the norms adapt by.
    #[serde(skip_serializing_if = "FilmConfig::is_default")]
    pub film: FilmConfig,
    /// What training drops by chance: of ResNet-12 this share of each block's output (dropout), of
    /// EfficientNet-B0 the last block's residual branch for this share of the images (stochastic depth).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drop_rate: Option<f32>,
    /// How many of the last stages are trained, with what follows them; all when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stages: Option<u32>,
    /// A file of weights that training starts from, `.safetensors`; random ones without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            backbone: BackboneKind::Conv4,
            channels: 64,
            norm: NormKind::Group,
            groups: 4,
            trained: None,
            film: FilmConfig::default(),
            drop_rate: None,
            stages: None,
            weights: None,
        }
    }
}

impl ModelConfig {
    /// What is trained of the backbone: where it is not said, all of Conv-4 and ResNet-12, and nothing
    /// of those that come with weights.
    pub fn trained(&self) -> TrainedKind {
        let is_own = self.backbone.has_chosen_norm();
        let usual = if is_own { TrainedKind::All } else { TrainedKind::Nothing };
        self.trained.unwrap_or(usual)
    }

    /// Whether random weights would be of no use, because some of them stay as they are.
    pub fn needs_weights(&self) -> bool {
        self.trained() != TrainedKind::All || self.stages.is_some()
    }
}

/// How the rows dL/dE of the support become a gradient of the backbone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EstimatorKind {
    /// Exact; keeps the activations of all support images.
    Full,
    /// Exact; forwards the support again in chunks.
    Chunked,
    /// Unbiased; back-propagates H of N support images, scaled by N/H.
    #[default]
    Lite,
    /// Biased; a smaller task of H support images, stratified by class.
    Subsampled,
}

impl EstimatorKind {
    /// The name as the configuration writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Chunked => "chunked",
            Self::Lite => "lite",
            Self::Subsampled => "subsampled",
        }
    }
}

/// When `lite` draws its subset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubsetKind {
    /// Once per task, after all query batches.
    #[default]
    Task,
    /// Anew for every query batch, as in the paper.
    QueryBatch,
}

/// The section `[gradient]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GradientConfig {
    /// The estimator.
    pub estimator: EstimatorKind,
    /// Support images H that `lite` back-propagates, or that `subsampled` keeps.
    pub h: u32,
    /// Images per forward or backward pass of the support: the memory setting; zero leaves it to the
    /// planner, which then cuts query batches too.
    pub chunk: u32,
    /// When the subset is drawn.
    pub subset: SubsetKind,
    /// Query images per pass; zero passes all queries of a task at once.
    pub query_batch: u32,
}

impl Default for GradientConfig {
    fn default() -> Self {
        Self { estimator: EstimatorKind::Lite, h: 10, chunk: 25, subset: SubsetKind::Task, query_batch: 25 }
    }
}

/// The classes that an evaluation draws from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitName {
    /// Classes that meta-training draws from.
    Train,
    /// Classes that choose between learners.
    Validation,
    /// Classes that only the final evaluation sees.
    #[default]
    Test,
}

impl SplitName {
    /// The name as the configuration writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

impl From<SplitName> for Split {
    fn from(name: SplitName) -> Self {
        match name {
            SplitName::Train => Self::Train,
            SplitName::Validation => Self::Validation,
            SplitName::Test => Self::Test,
        }
    }
}

/// The section `[evaluation]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluationConfig {
    /// Classes per episode.
    pub ways: u32,
    /// Support images per class.
    pub shots: u32,
    /// Query images per class.
    pub queries: u32,
    /// How many fixed episodes.
    pub episodes: u32,
    /// The classes they are drawn from.
    pub split: SplitName,
    /// Seeds the episodes.
    pub seed: u64,
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        Self { ways: 5, shots: 5, queries: 5, episodes: 600, split: SplitName::Test, seed: 0 }
    }
}

/// The section `[memory]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MemoryConfig {
    /// The most bytes of GPU buffers; a plan above it is refused. No limit when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<ByteSize>,
}

#[cfg(test)]
mod tests;
