//! From configuration to model: the one place where configured names become types.

use std::path::Path;

use inkling_data::{Dataset, ImageShape, Normalization, Numbers};
use inkling_gpu::{Gpu, GpuOptions, Tier};
use inkling_meta::{
    EncoderSubset, Estimator, FilmSettings, FineTune, FullNetworkKind, FullNetworkSettings, GradientSettings,
    HeadSettings, Implicit, ImplicitSettings, InnerRates, LearnerConfig, LearnerKind, LinearSettings, LinearStart,
    LowerGradient, MahalanobisSettings, Metric, Model, NeumannSettings, Optimizer, Purpose, RidgeSettings, SubsetTime,
    TaskLimits, VersaSettings,
};
use inkling_nn::{Backbone, Layout, NetworkConfig, Norm, Trained, Weights};

use super::SessionError;
use crate::config::{
    BackboneKind, EncoderSubsetKind, EstimatorKind, EvaluationConfig, FilmConfig, GradientConfig, HeadConfig, HeadKind,
    LearnerConfig as LearnerSection, LearnerKind as LearnerName, Metric as MetricName, ModelConfig, NormKind,
    Optimizer as OptimizerName, RatesKind, RunConfig, SolveStart, StartKind, SubsetKind, TaskConfig, TrainedKind,
    TrainingConfig, TunedBy, TunedKind,
};
use crate::model_card::ModelCard;
use crate::tensor_file::{Tensor, TensorFile};

/// Steps of conjugate gradient that estimate the largest eigenvalue for a Neumann series.
const NEUMANN_ESTIMATE_STEPS: u32 = 10;

/// Images of a pass where nobody says how many.
const USUAL_CHUNK: u32 = 25;

/// Adam as it is published, for fine-tuning.
const ADAM: Optimizer =
    Optimizer::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0, decoupled: false };

/// Queries per class that variable episodes have at most (Triantafillou et al. 2020).
const VARIABLE_QUERIES: u32 = 10;

/// Opens the device.
pub(super) async fn open_gpu(adapter: Option<String>, profile: bool) -> Result<Gpu, SessionError> {
    Ok(Gpu::new(&GpuOptions { adapter, profile }).await?)
}

/// Opens the configured data set.
pub(super) fn open_data(config: &RunConfig) -> Result<std::sync::Arc<dyn Dataset>, SessionError> {
    Ok(inkling_data::open(&config.data.spec, &config.open_options())?)
}

/// The configured statistics, those that a backbone's weights were trained with, or the data set's
/// own.
pub(super) fn normalization(config: &RunConfig, dataset: &dyn Dataset) -> Result<Normalization, SessionError> {
    let channels = dataset.image_shape().channels as usize;
    let of_weights = config.model.backbone.statistics().map(|[mean, std]| Normalization { mean, std });
    // Images of other channels are refused by the network.
    let of_weights = of_weights.filter(|of_weights| of_weights.mean.len() == channels);
    let usual = of_weights.unwrap_or_else(|| dataset.normalization());
    let mean = config.data.mean.clone().unwrap_or(usual.mean);
    let std = config.data.std.clone().unwrap_or(usual.std);
    if mean.len() != channels || std.len() != channels {
        return Err(SessionError::Setting(format!(
            "data.mean and data.std need one value for each of the {channels} channels of {}",
            dataset.spec()
        )));
    }
    Ok(Normalization { mean, std })
}

pub(super) fn network(model: &ModelConfig, in_channels: u32, image_size: u32) -> NetworkConfig {
    let trained = match (model.trained(), model.stages) {
        (TrainedKind::Nothing, _) => Trained::Nothing,
        (TrainedKind::Film, _) => Trained::Modulated,
        (TrainedKind::Norms, None) => Trained::Norms,
        (TrainedKind::All, None) => Trained::All,
        (TrainedKind::Norms, Some(stages)) => Trained::LastNorms { stages },
        (TrainedKind::All, Some(stages)) => Trained::Last { stages },
    };
    let drop_permille = (1000.0 * model.drop_rate.unwrap_or(0.0)).round() as u32;
    let backbone = match model.backbone {
        BackboneKind::Conv4 => Backbone::Conv4 { channels: model.channels },
        BackboneKind::EfficientnetLite0 => Backbone::EfficientNetLite0,
        BackboneKind::EfficientnetB0 => Backbone::EfficientNetB0 { drop_permille },
        BackboneKind::Resnet12 => Backbone::ResNet12 { drop_permille },
        BackboneKind::Resnet18 => Backbone::ResNet18,
    };
    let norm = match model.norm {
        _ if !model.backbone.has_chosen_norm() => Norm::Frozen,
        NormKind::Group => Norm::Group { groups: model.groups },
        NormKind::Batch => Norm::Batch,
        NormKind::Frozen => Norm::Frozen,
    };
    NetworkConfig { backbone, trained, in_channels, image_size, norm }
}

/// What adapts the norms to a task, where they do.
pub(super) fn film(model: &ModelConfig) -> Option<FilmSettings> {
    let FilmConfig { channels, blocks, groups, regulariser, subset } = model.film;
    let subset = match subset {
        EncoderSubsetKind::Independent => EncoderSubset::Independent,
        EncoderSubsetKind::Shared => EncoderSubset::Shared,
    };
    let settings = FilmSettings { channels, blocks, groups, regulariser: regulariser as f32, subset };
    (model.trained() == TrainedKind::Film).then_some(settings)
}

/// The network with what a fine-tuned learner adapts of it.
fn adapted(network: NetworkConfig, learner: Option<&LearnerSection>) -> NetworkConfig {
    let trained = learner.and_then(LearnerSection::trains).map(|trains| match trains {
        TunedKind::Head => Trained::Nothing,
        TunedKind::Film => Trained::Modulated,
        TunedKind::Norms => Trained::Norms,
        TunedKind::All => Trained::All,
    });
    NetworkConfig { trained: trained.unwrap_or(network.trained), ..network }
}

/// The configured head, for tasks of up to `ways` classes.
pub(super) fn head(head: &HeadConfig, ways: u32) -> HeadSettings {
    let gradient = match head.kind {
        HeadKind::Prototypes => {
            let metric = match head.metric {
                MetricName::Euclidean => Metric::Euclidean,
                MetricName::Cosine => Metric::Cosine,
            };
            return HeadSettings::Prototypes { metric, scale: head.scale() };
        }
        HeadKind::Ridge => {
            return HeadSettings::Ridge(RidgeSettings { lambda: head.lambda(), scale: head.scale() });
        }
        HeadKind::Mahalanobis => {
            return HeadSettings::Mahalanobis(MahalanobisSettings { class_block: head.class_block() });
        }
        HeadKind::Versa => return HeadSettings::Versa(VersaSettings { hidden: head.hidden() }),
        HeadKind::Implicit => LowerGradient::Implicit(ImplicitSettings {
            cg_steps: head.cg_steps(),
            cg_tolerance: head.cg_tolerance(),
            damping: head.damping(),
            preconditioned: head.preconditioned.unwrap_or(false),
            warm: head.solve_start == Some(SolveStart::Warm),
        }),
        HeadKind::Unrolled => LowerGradient::Unrolled,
        HeadKind::Neumann => {
            let (terms, eta) = (head.terms(), head.eta());
            LowerGradient::Neumann(NeumannSettings { terms, eta, estimate_steps: NEUMANN_ESTIMATE_STEPS })
        }
    };
    let start = head.start.unwrap_or_default();
    HeadSettings::Linear(LinearSettings {
        inner_steps: head.inner_steps(),
        inner_learning_rate: head.inner_lr(),
        ridge: head.ridge(),
        proximal: start == StartKind::Proximal,
        start: match start {
            StartKind::Zero => LinearStart::Zero,
            StartKind::Warm => LinearStart::Warm,
            StartKind::Learned | StartKind::Proximal => LinearStart::Learned { ways },
        },
        gradient,
    })
}

/// The configured learner, for tasks of `ways` classes.
pub(super) fn full_network(learner: &LearnerSection, ways: u32) -> FullNetworkSettings {
    let kind = match learner.kind {
        LearnerName::Maml => FullNetworkKind::Maml,
        LearnerName::Fomaml => FullNetworkKind::Fomaml,
        LearnerName::Reptile => FullNetworkKind::Reptile,
        LearnerName::FineTuner => FullNetworkKind::FineTune(FineTune {
            optimizer: match learner.optimizer() {
                TunedBy::Adam => ADAM,
                TunedBy::Sgd => Optimizer::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 },
            },
            batch: learner.batch(),
            seed: 0,
        }),
        LearnerName::Imaml => FullNetworkKind::Imaml(Implicit {
            prox: learner.prox(),
            cg_steps: learner.cg_steps(),
            cg_tolerance: learner.cg_tolerance(),
            damping: learner.damping.unwrap_or(0.0),
        }),
    };
    FullNetworkSettings {
        kind,
        ways,
        inner_steps: learner.inner_steps(),
        inner_learning_rate: learner.inner_lr(),
        rates: match learner.rates.unwrap_or_default() {
            RatesKind::Fixed => InnerRates::Fixed,
            RatesKind::PerLayer => InnerRates::PerLayer,
            RatesKind::PerParameter => InnerRates::PerParameter,
        },
    }
}

/// What adapts to a task: the learner where there is one, else the head.
pub(super) fn kind((head_config, learner): (&HeadConfig, Option<&LearnerSection>), ways: u32) -> LearnerKind {
    match learner {
        Some(learner) => full_network(learner, ways).into(),
        None => head(head_config, ways).into(),
    }
}

pub(super) fn estimator(kind: EstimatorKind) -> Estimator {
    match kind {
        EstimatorKind::Full => Estimator::Full,
        EstimatorKind::Chunked => Estimator::Chunked,
        EstimatorKind::Lite => Estimator::Lite,
        EstimatorKind::Subsampled => Estimator::Subsampled,
    }
}

pub(super) fn subset_time(kind: SubsetKind) -> SubsetTime {
    match kind {
        SubsetKind::Task => SubsetTime::Task,
        SubsetKind::QueryBatch => SubsetTime::QueryBatch,
    }
}

pub(super) fn gradient_settings(config: &GradientConfig) -> GradientSettings {
    GradientSettings {
        estimator: estimator(config.estimator),
        h: config.h,
        // What only classifies has no plan to choose by.
        chunk: if config.chunk == 0 { USUAL_CHUNK } else { config.chunk },
        subset: subset_time(config.subset),
        query_batch: config.query_batch,
        support_subset: None,
    }
}

/// A learner of the configured kind for images of `shape`.
pub(super) fn learner_config(config: &RunConfig, shape: ImageShape) -> Result<LearnerConfig, SessionError> {
    if shape.height != shape.width {
        return Err(SessionError::Setting(format!(
            "images of {}×{} pixels; the network takes square ones, set data.image_size",
            shape.height, shape.width
        )));
    }
    Ok(LearnerConfig {
        network: adapted(network(&config.model, shape.channels, shape.height), config.learner.as_ref()),
        kind: kind((&config.head, config.learner.as_ref()), config.task.most_ways()),
        film: film(&config.model).filter(|_| !is_tuned(config.learner.as_ref())),
        gradient: gradient_settings(&config.gradient),
        source: Some(shape),
    })
}

/// The model of a run: over feature maps where the run keeps them.
pub(super) fn run_model(config: &RunConfig, learner: LearnerConfig, tier: Tier) -> Result<Model, SessionError> {
    let model = Model::new(learner, tier)?;
    Ok(if config.keeps_features() { model.over_features() } else { model })
}

/// A learner that only classifies: nothing of an estimator matters but the sizes of its passes.
pub(super) fn classifier_config(
    (model, gradient): (&ModelConfig, &GradientConfig),
    (head_config, learner): (&HeadConfig, Option<&LearnerSection>),
    (shape, ways): (ImageShape, u32),
) -> LearnerConfig {
    // Batch statistics go with `full` alone, which is no restriction where nothing is kept.
    let estimator = if model.norm == NormKind::Batch { Estimator::Full } else { Estimator::Chunked };
    LearnerConfig {
        network: adapted(network(model, shape.channels, shape.height), learner),
        kind: kind((head_config, learner), ways),
        film: film(model).filter(|_| !is_tuned(learner)),
        gradient: GradientSettings { estimator, ..gradient_settings(gradient) },
        source: Some(shape),
    }
}

/// The classes that a learner of these weights is made for, where its tasks have `ways`.
pub(super) fn classifier_ways(learner: Option<&LearnerSection>, file: &TensorFile, ways: u32) -> u32 {
    // A tuned learner's classifier is a new one.
    stored_ways(file).filter(|_| !is_tuned(learner)).unwrap_or(ways)
}

/// Whether the weights are fine-tuned.
fn is_tuned(learner: Option<&LearnerSection>) -> bool {
    learner.is_some_and(|learner| learner.trains().is_some())
}

/// The classes that stored weights are made for, where they depend on it.
pub(super) fn stored_ways(file: &TensorFile) -> Option<u32> {
    let shape = |name| file.tensors.get(name).and_then(|tensor| tensor.shape().first().copied());
    shape("classifier.weight").or_else(|| shape("head.weight")).and_then(|ways| u32::try_from(ways).ok())
}

/// Room for the largest training task.
pub(super) fn training_limits(task: &TaskConfig, training: &TrainingConfig) -> TaskLimits {
    let tasks = training.pass_tasks();
    if task.variable {
        return TaskLimits {
            tasks,
            ways: task.max_ways,
            support: task.max_support,
            queries: task.max_ways * VARIABLE_QUERIES,
        };
    }
    TaskLimits { tasks, ways: task.ways, support: task.ways * task.shots, queries: task.ways * task.queries }
}

/// Room for the tasks of an evaluation, one at a time.
pub(super) fn evaluation_limits(config: &EvaluationConfig) -> TaskLimits {
    TaskLimits {
        tasks: 1,
        ways: config.ways,
        support: config.ways * config.shots,
        queries: config.ways * config.queries,
    }
}

pub(super) fn optimizer(config: &TrainingConfig) -> Optimizer {
    let weight_decay = config.weight_decay as f32;
    let adam = |decoupled| Optimizer::Adam {
        beta1: config.beta1 as f32,
        beta2: config.beta2 as f32,
        epsilon: config.epsilon as f32,
        weight_decay,
        decoupled,
    };
    match config.optimizer {
        OptimizerName::Adam => adam(false),
        OptimizerName::AdamW => adam(true),
        OptimizerName::Sgd => Optimizer::Sgd { momentum: config.momentum as f32, nesterov: false, weight_decay },
    }
}

pub(super) fn training_purpose(config: &TrainingConfig) -> Purpose {
    Purpose::Train { optimizer: optimizer(config), tasks_per_step: config.tasks_per_step }
}

/// Initial weights: a pure function of the seed, and of those `given` or else of the file that the
/// configuration names.
pub(super) fn initial(model: &Model, config: &RunConfig, given: Option<&TensorFile>) -> Result<Weights, SessionError> {
    let mut weights = random(model, config.training.seed)?;
    let ModelConfig { backbone, weights: file, .. } = &config.model;
    let keeps = config.model.needs_weights();
    let is_given = given.is_some() || file.is_some();
    if !is_given && keeps && *backbone == BackboneKind::Conv4 {
        return Err(SessionError::Setting(
            "model.trained leaves weights as they are, and these are random; name a file of trained ones \
             (model.weights = \"runs/a/learner.safetensors\"), or train all of them (model.trained = \"all\")"
                .to_owned(),
        ));
    }
    if !is_given && keeps {
        return Err(SessionError::Setting(format!(
            "{} starts from pretrained weights: get them (`inkling weights list` says how) and name the file \
             (model.weights = \"weights/{}.safetensors\"), or train all of it from scratch (model.trained = \"all\")",
            backbone.words(),
            backbone.name()
        )));
    }
    let read = match (given, file) {
        (None, Some(path)) => Some(TensorFile::read(Path::new(path))?),
        _ => None,
    };
    if let Some(file) = given.or(read.as_ref()) {
        let file = from_file(file, model)?;
        // A file of another run may have another head.
        let known: Vec<String> = weights.iter().map(|(name, _)| name.to_owned()).collect();
        for (name, tensor) in file.iter() {
            if known.iter().any(|known| known == name) || !name.starts_with("head.") {
                weights.insert(name, tensor.shape.clone(), tensor.values.clone());
            }
        }
    }
    Ok(weights)
}

fn random(model: &Model, seed: u64) -> Result<Weights, SessionError> {
    let mut numbers = Numbers::new(b"weights_", seed, 0, 0);
    let mut spare = None;
    let normal = || {
        spare.take().unwrap_or_else(|| {
            let (first, second) = normal_pair(&mut numbers);
            spare = Some(second);
            first
        })
    };
    Ok(model.initial_weights(normal)?)
}

/// Two standard normal deviates (Box and Muller 1958).
fn normal_pair(numbers: &mut Numbers) -> (f32, f32) {
    // 1 − u lies in (0, 1], so that the logarithm is finite.
    let radius = (-2.0 * libm::log(1.0 - numbers.unit())).sqrt();
    let (sine, cosine) = libm::sincos(2.0 * std::f64::consts::PI * numbers.unit());
    ((radius * cosine) as f32, (radius * sine) as f32)
}

pub(super) fn to_file(weights: &Weights, card: Option<ModelCard>) -> Result<TensorFile, SessionError> {
    let mut file = TensorFile { card, ..TensorFile::default() };
    for (name, tensor) in weights.iter() {
        let stored = Tensor::f32(tensor.shape.clone(), tensor.values.clone())
            .ok_or(SessionError::Fault("a tensor does not hold what its shape says"))?;
        file.tensors.insert(name.to_owned(), stored);
    }
    Ok(file)
}

/// The floats of a file, without the classifier that a network was pretrained with, and without all
/// that is not the network's where it is fine-tuned with a new classifier; running statistics that
/// the network has no use for may be absent, and take PyTorch's initial values then.
pub(super) fn from_file(file: &TensorFile, model: &Model) -> Result<Weights, SessionError> {
    let mut weights = Weights::default();
    if model.config().network.norm != Norm::Frozen {
        for entry in model.network().running().entries() {
            let value = if entry.name.ends_with("running_var") { 1.0 } else { 0.0 };
            weights.insert(&*entry.name, entry.shape.clone(), vec![value; entry.length as usize]);
        }
    }
    if is_fine_tuned(model) {
        for entry in model.layout().entries().iter().filter(|entry| entry.name.starts_with("classifier.")) {
            weights.insert(&*entry.name, entry.shape.clone(), vec![0.0; entry.length as usize]);
        }
    }
    if file.is_published() && has_fixed_start(model) {
        // It knows nothing of heads; theirs are what training would begin with.
        for (name, tensor) in model.initial_weights(|| 0.0)?.iter().filter(|(name, _)| name.starts_with("head.")) {
            weights.insert(name, tensor.shape.clone(), tensor.values.clone());
        }
    }
    // A learner of the whole network has a classifier of its own, perhaps of the same name.
    let is_ours = |name: &str| model.layout().entries().iter().any(|entry| entry.name == name);
    let is_unused = |name: &str| file.is_pretraining(name) && !is_ours(name);
    for (name, tensor) in &file.tensors {
        if name.ends_with("num_batches_tracked") || is_replaced(model, name) || is_unused(name) {
            continue;
        }
        let values = tensor
            .as_f32()
            .ok_or_else(|| SessionError::Weights(format!("tensor {name} holds integers, not weights")))?;
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            return Err(SessionError::Weights(format!(
                "tensor {name} holds {value}; use weights from before training diverged"
            )));
        }
        weights.insert(&**name, tensor.shape().to_vec(), values.to_vec());
    }
    Ok(weights)
}

/// Whether the head's first values are settings, not random numbers.
fn has_fixed_start(model: &Model) -> bool {
    matches!(&model.config().kind, LearnerKind::Head(head) if !matches!(head, HeadSettings::Versa(_)))
}

/// Whether a learner has a new tensor in place of one, or none.
fn is_replaced(model: &Model, name: &str) -> bool {
    let network = model.network();
    let of_network = || [network.layout(), network.frozen(), network.running()].into_iter().flat_map(Layout::entries);
    is_fine_tuned(model) && !of_network().any(|entry| entry.name == name)
}

fn is_fine_tuned(model: &Model) -> bool {
    matches!(
        model.config().kind,
        LearnerKind::FullNetwork(FullNetworkSettings { kind: FullNetworkKind::FineTune(_), .. })
    )
}
