//! Burn as an oracle: the same Conv-4 in Burn and in our layers, under the same heads and estimators,
//! has the same loss and the same gradients. And what a Burn module cannot do is refused with the reason.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests")]

mod conv4;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::optim::{AdamConfig, SgdConfig};
use burn::tensor::Tensor;
use conv4::{Conv4, NormKind, named};
use inkling_burn::{BurnExtractor, SharedDevice};
use inkling_data::Numbers;
use inkling_gpu::GpuOptions;
use inkling_meta::{
    Estimator, Extractor, ExtractorConfig, ExtractorLearner, FullNetworkKind, FullNetworkSettings, GradientSettings,
    HeadSettings, Images, ImplicitSettings, InnerRates, LearnerKind, LinearSettings, LinearStart, LowerGradient,
    MahalanobisSettings, MetaError, Metric, NetworkExtractor, NeumannSettings, Optimizer, Outcome, Purpose,
    RidgeSettings, SubsetTime, Task, TaskLimits, VersaSettings,
};
use inkling_nn::{Backbone, NetworkConfig, Norm, Trained, Weights};

const WAYS: u32 = 3;
const SUPPORT: u32 = 6;
const QUERIES: u32 = 6;
const LIMITS: TaskLimits = TaskLimits { tasks: 1, ways: WAYS, support: SUPPORT, queries: QUERIES };
const SGD: Optimizer = Optimizer::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };
const PROTOTYPES: HeadSettings = HeadSettings::Prototypes { metric: Metric::Euclidean, scale: 1.0 };
const COSINE: HeadSettings = HeadSettings::Prototypes { metric: Metric::Cosine, scale: 5.0 };
/// Of the loss, and of each layer's gradient as a share of its norm.
const TOLERANCE: f64 = 1e-4;

/// Burn keeps a device for good: all tests share one.
static DEVICE: LazyLock<SharedDevice> =
    LazyLock::new(|| pollster::block_on(SharedDevice::open(&GpuOptions::default())).expect("a device"));

fn uniform(numbers: &mut Numbers) -> f32 {
    numbers.below(1 << 24) as f32 / (1 << 23) as f32 - 1.0
}

/// Images of noise; the classes take turns.
struct NoiseTask {
    support: Vec<f32>,
    query: Vec<f32>,
    labels: Vec<u32>,
}

impl NoiseTask {
    fn new([channels, height, width]: [u32; 3]) -> Self {
        let mut numbers = Numbers::new(b"oracle__", 1, 0, 0);
        let mut images = |count: u32| (0..count * channels * height * width).map(|_| uniform(&mut numbers)).collect();
        Self { support: images(SUPPORT), query: images(QUERIES), labels: (0..SUPPORT).map(|at| at % WAYS).collect() }
    }

    fn task(&self) -> Task<'_> {
        Task {
            ways: WAYS,
            support: Images::Values(&self.support),
            support_labels: &self.labels,
            query: Images::Values(&self.query),
            query_labels: &self.labels,
        }
    }
}

fn gradient(estimator: Estimator, h: u32, chunk: u32, query_batch: u32) -> GradientSettings {
    GradientSettings { estimator, h, chunk, subset: SubsetTime::Task, query_batch, support_subset: None }
}

fn config(kind: impl Into<LearnerKind>, gradient: GradientSettings) -> ExtractorConfig {
    ExtractorConfig { kind: kind.into(), gradient, source: None }
}

/// The network of both.
#[derive(Clone, Copy)]
struct Case {
    image: [u32; 3],
    channels: u32,
    norm: NormKind,
}

impl Case {
    fn ours(self) -> NetworkConfig {
        NetworkConfig {
            backbone: Backbone::Conv4 { channels: self.channels },
            trained: Trained::All,
            in_channels: self.image[0],
            image_size: self.image[1],
            norm: match self.norm {
                NormKind::Group(groups) => Norm::Group { groups: groups as u32 },
                NormKind::Batch => Norm::Batch,
            },
        }
    }

    /// No bias is zero and no scale one.
    fn weights(self) -> Weights {
        let network = NetworkExtractor::new(DEVICE.gpu(), self.ours(), SGD).unwrap();
        let mut numbers = Numbers::new(b"weights_", 2, 0, 0);
        // Uniform deviates of unit variance.
        let [mut parameters, _, running] = network.network().initialize(|| 3.0_f32.sqrt() * uniform(&mut numbers));
        for entry in network.network().layout().entries().iter().filter(|entry| !entry.name.ends_with("conv.weight")) {
            let slice = parameters.iter_mut().skip(entry.offset as usize).take(entry.length as usize);
            slice.for_each(|value| *value += 0.2 * uniform(&mut numbers));
        }
        let mut weights = Weights::default();
        weights.insert_flat(network.network().layout(), &parameters).unwrap();
        weights.insert_flat(network.network().running(), &running).unwrap();
        weights
    }

    fn burn(self) -> Conv4 {
        let (in_channels, channels) = (self.image[0] as usize, self.channels as usize);
        Conv4::new(in_channels, channels, self.norm, DEVICE.burn()).with_weights(&self.weights(), DEVICE.burn())
    }
}

type Gradients = BTreeMap<String, Vec<f32>>;

async fn accumulate<E: Extractor>(
    learner: &mut ExtractorLearner<E>,
    task: &Task<'_>,
) -> Result<(Outcome, Gradients), MetaError> {
    let mut numbers = Numbers::new(b"normal__", 3, 0, 0);
    learner.initialize_head(|| 0.3 * uniform(&mut numbers)).await?;
    learner.clear_gradient();
    learner.accumulate(task, &mut Numbers::new(b"subset__", 4, 0, 0)).await?;
    let outcome = learner.outcomes().await?[0];
    let head = learner.head_gradient().await?;
    Ok((outcome, head.iter().map(|(name, tensor)| (name.to_owned(), tensor.values.clone())).collect()))
}

async fn ours(case: Case, config: ExtractorConfig) -> Result<(Outcome, Gradients), MetaError> {
    let network = NetworkExtractor::new(DEVICE.gpu(), case.ours(), SGD)?;
    let mut learner = ExtractorLearner::new(DEVICE.gpu(), network, config, LIMITS, Purpose::Gradient)?;
    let (network, recorder) = learner.parts();
    network.set_weights(recorder, &case.weights()).await?;
    let (outcome, mut gradients) = accumulate(&mut learner, &NoiseTask::new(case.image).task()).await?;
    let (network, recorder) = learner.parts();
    let weights = network.gradient(recorder).await?;
    gradients.extend(weights.iter().map(|(name, tensor)| (name.to_owned(), tensor.values.clone())));
    Ok((outcome, gradients))
}

async fn burns<F: Fn(&Conv4, Tensor<4>) -> Tensor<2>>(
    case: Case,
    config: ExtractorConfig,
    forward: F,
) -> Result<(Outcome, Gradients), MetaError> {
    Ok(burns_with_uploads(case, config, forward).await?.0)
}

/// Also the bytes that the host has uploaded meanwhile.
async fn burns_with_uploads<F: Fn(&Conv4, Tensor<4>) -> Tensor<2>>(
    case: Case,
    config: ExtractorConfig,
    forward: F,
) -> Result<((Outcome, Gradients), u64), MetaError> {
    let extractor = BurnExtractor::new(&DEVICE, case.burn(), forward, case.image, SgdConfig::new().init())?;
    let mut learner = ExtractorLearner::new(DEVICE.gpu(), extractor, config, LIMITS, Purpose::Gradient)?;
    let (outcome, mut gradients) = accumulate(&mut learner, &NoiseTask::new(case.image).task()).await?;
    let (extractor, recorder) = learner.parts();
    let uploaded = recorder.stats().uploaded_bytes;
    let found = extractor.take_gradient();
    gradients.extend(named(extractor.module(), &found));
    Ok(((outcome, gradients), uploaded))
}

fn norm(values: &[f32]) -> f64 {
    values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt()
}

/// The largest error of any parameter's gradient as a share of its norm. The gradient of a bias before
/// a norm is a sum that cancels, wholly under batch norm: it is measured against the weight beside it.
/// So do those of a head's biases that all ways share, which change no probability: a head's biases are
/// measured against its whole gradient, of which a hundredth is the least for its other parameters too.
fn check(what: &str, (outcome, gradients): &(Outcome, Gradients), (expected, others): &(Outcome, Gradients)) {
    assert!((outcome.loss - expected.loss).abs() <= TOLERANCE * expected.loss, "{what}: {outcome:?}, {expected:?}");
    assert_eq!(outcome.accuracy, expected.accuracy, "{what}");
    assert_eq!(gradients.keys().collect::<Vec<_>>(), others.keys().collect::<Vec<_>>(), "{what}");
    let of_head = others.iter().filter(|(name, _)| name.starts_with("head."));
    let of_head = of_head.map(|(_, values)| norm(values).powi(2)).sum::<f64>().sqrt();
    for (name, other) in others {
        let found = &gradients[name];
        assert_eq!(found.len(), other.len(), "{what}: {name}");
        let difference: Vec<f32> = found.iter().zip(other).map(|(one, other)| one - other).collect();
        let beside = match name.strip_suffix("conv.bias") {
            Some(stem) => norm(&others[&format!("{stem}conv.weight")]),
            None if name.starts_with("head.") && name.ends_with("bias") => of_head,
            None if name.starts_with("head.") => 0.01 * of_head,
            None => 0.0,
        };
        let scale = norm(other).max(beside);
        assert!(scale > 0.0, "{what}: {name} has no gradient");
        let error = norm(&difference) / scale;
        assert!(error <= TOLERANCE, "{what}: {name} is off by {error:e} of {scale:e}");
    }
}

/// Conv, group norm, ReLU and pooling of both widths, with every estimator.
#[test]
fn conv4_has_the_same_gradients() {
    let estimators = [
        gradient(Estimator::Full, 0, 4, 0),
        gradient(Estimator::Chunked, 0, 4, 3),
        gradient(Estimator::Lite, 2, 2, 4),
        gradient(Estimator::Subsampled, 4, 4, 0),
    ];
    for (channels, image) in [(32, [1, 28, 28]), (64, [3, 32, 32])] {
        let case = Case { image, channels, norm: NormKind::Group(8) };
        for settings in &estimators {
            let what = format!("{channels} channels, {:?}", settings.estimator);
            let expected = pollster::block_on(burns(case, config(PROTOTYPES, settings.clone()), Conv4::forward));
            let found = pollster::block_on(ours(case, config(PROTOTYPES, settings.clone())));
            check(&what, &found.unwrap(), &expected.unwrap());
        }
    }
}

/// Batch norm in training: the statistics of a pass, so with `full` only.
#[test]
fn batch_norm_has_the_same_gradients() {
    let case = Case { image: [1, 28, 28], channels: 32, norm: NormKind::Batch };
    let settings = gradient(Estimator::Full, 0, 4, 0);
    let expected = pollster::block_on(burns(case, config(PROTOTYPES, settings.clone()), Conv4::forward)).unwrap();
    let found = pollster::block_on(ours(case, config(PROTOTYPES, settings))).unwrap();
    check("batch norm", &found, &expected);
}

/// All heads of embeddings on a Burn module.
#[test]
fn every_head_has_the_same_gradients() {
    let cg = ImplicitSettings { cg_steps: 5, cg_tolerance: 0.0, damping: 0.0, preconditioned: false, warm: false };
    let linear = |gradient| {
        HeadSettings::Linear(LinearSettings {
            inner_steps: 5,
            inner_learning_rate: 0.05,
            ridge: 0.1,
            proximal: false,
            start: LinearStart::Zero,
            gradient,
        })
    };
    let heads = [
        COSINE,
        linear(LowerGradient::Implicit(cg)),
        linear(LowerGradient::Unrolled),
        linear(LowerGradient::Neumann(NeumannSettings { terms: 5, eta: 0.05, estimate_steps: 0 })),
        HeadSettings::Ridge(RidgeSettings { lambda: 1.0, scale: 1.0 }),
        HeadSettings::Mahalanobis(MahalanobisSettings::default()),
        HeadSettings::Versa(VersaSettings { hidden: 8 }),
    ];
    let case = Case { image: [1, 16, 16], channels: 16, norm: NormKind::Group(4) };
    let settings = gradient(Estimator::Lite, 3, 2, 4);
    for head in heads {
        let expected = pollster::block_on(burns(case, config(head, settings.clone()), Conv4::forward)).unwrap();
        let found = pollster::block_on(ours(case, config(head, settings.clone()))).unwrap();
        check(&format!("{head:?}"), &found, &expected);
    }
}

/// Embeddings and rows stay on the device. An embedding that is a transposed view goes through the host,
/// once, and comes out the same.
#[test]
fn only_a_transposed_embedding_goes_through_the_host() {
    let case = Case { image: [1, 16, 16], channels: 16, norm: NormKind::Group(4) };
    let settings = gradient(Estimator::Lite, 3, 2, 4);
    let straight = burns_with_uploads(case, config(PROTOTYPES, settings.clone()), Conv4::forward);
    let turned = burns_with_uploads(case, config(PROTOTYPES, settings), |module, images| {
        let embeddings = module.forward(images);
        let [rows, columns] = embeddings.dims();
        embeddings.transpose().reshape([columns * rows]).reshape([columns, rows]).transpose()
    });
    let (expected, bytes) = pollster::block_on(straight).unwrap();
    let (found, bytes_turned) = pollster::block_on(turned).unwrap();
    check("transposed", &found, &expected);
    // LITE draws three of the six for each of the two query batches: the whole support, a second time.
    let images = u64::from(2 * SUPPORT + QUERIES);
    let indices = u64::from(SUPPORT);
    assert_eq!(bytes, 4 * (images * 16 * 16 + u64::from(SUPPORT + QUERIES) + indices));
    assert_eq!(bytes_turned - bytes, 4 * images * 16);
}

/// A module with a layer that draws.
#[derive(Module, Debug)]
struct Dropping {
    network: Conv4,
    dropout: Dropout,
}

impl Dropping {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.dropout.forward(self.network.forward(images))
    }
}

fn refusal<E: Extractor>(extractor: E, config: ExtractorConfig) -> (&'static str, String) {
    match ExtractorLearner::new(DEVICE.gpu(), extractor, config, LIMITS, Purpose::Gradient) {
        Err(MetaError::Config { key, reason, .. }) => (key, reason),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("not refused"),
    }
}

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    let case = Case { image: [1, 16, 16], channels: 8, norm: NormKind::Group(4) };
    let lite = gradient(Estimator::Lite, 2, 2, 0);
    let extractor = |module: Conv4| {
        BurnExtractor::new(&DEVICE, module, Conv4::forward, case.image, AdamConfig::new().init()).unwrap()
    };
    let maml = FullNetworkSettings {
        kind: FullNetworkKind::Maml,
        ways: WAYS,
        inner_steps: 1,
        inner_learning_rate: 0.1,
        rates: InnerRates::Fixed,
    };
    let (key, reason) = refusal(extractor(case.burn()), config(maml, gradient(Estimator::Full, 0, 2, 0)));
    assert!(key == "learner.kind" && reason.contains("Hessian"), "{key}: {reason}");

    let coupled = Case { norm: NormKind::Batch, ..case };
    let (key, reason) = refusal(extractor(coupled.burn()), config(PROTOTYPES, lite.clone()));
    assert!(key == "gradient.estimator" && reason.contains("group norm"), "{key}: {reason}");
    let frozen = ExtractorLearner::new(
        DEVICE.gpu(),
        extractor(coupled.burn().freeze()),
        config(PROTOTYPES, lite.clone()),
        LIMITS,
        Purpose::Gradient,
    );
    assert!(frozen.is_ok(), "frozen batch norms couple nothing");

    let module = Dropping { network: case.burn(), dropout: DropoutConfig::new(0.5).init() };
    let dropping = BurnExtractor::new(&DEVICE, module, Dropping::forward, case.image, AdamConfig::new().init());
    let (key, reason) = refusal(dropping.unwrap(), config(PROTOTYPES, lite));
    assert!(key == "gradient.estimator" && reason.contains("dropout"), "{key}: {reason}");
}

/// Two steps of gradient descent in Burn are two steps of ours, also of the mean of two tasks.
#[test]
fn updates_are_the_same() {
    let case = Case { image: [1, 16, 16], channels: 16, norm: NormKind::Group(4) };
    let settings = config(COSINE, gradient(Estimator::Chunked, 0, 4, 0));
    let purpose = Purpose::Train { optimizer: SGD, tasks_per_step: 2 };
    let task = NoiseTask::new(case.image);
    let network = NetworkExtractor::new(DEVICE.gpu(), case.ours(), SGD).unwrap();
    let mut ours = ExtractorLearner::new(DEVICE.gpu(), network, settings.clone(), LIMITS, purpose).unwrap();
    let (network, recorder) = ours.parts();
    pollster::block_on(network.set_weights(recorder, &case.weights())).unwrap();
    let module = BurnExtractor::new(&DEVICE, case.burn(), Conv4::forward, case.image, SgdConfig::new().init()).unwrap();
    let mut burns = ExtractorLearner::new(DEVICE.gpu(), module, settings, LIMITS, purpose).unwrap();
    let expected = pollster::block_on(train(&mut ours, &task)).unwrap();
    let found = pollster::block_on(train(&mut burns, &task)).unwrap();
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found.loss - expected.loss).abs() <= TOLERANCE * expected.loss, "{found:?}, {expected:?}");
    }
    assert!(expected[3].loss < expected[0].loss, "{expected:?}");
}

async fn train<E: Extractor>(learner: &mut ExtractorLearner<E>, task: &NoiseTask) -> Result<Vec<Outcome>, MetaError> {
    learner.initialize_head(|| 0.0).await?;
    learner.clear_gradient();
    let mut outcomes = Vec::new();
    for step in 1..=3 {
        for number in 0..2 {
            learner.accumulate(&task.task(), &mut Numbers::new(b"subset__", 4, 0, number)).await?;
        }
        outcomes.extend(learner.update(step, 0.05, 0.0).await?.first());
    }
    outcomes.push(learner.evaluate(&task.task()).await?);
    Ok(outcomes)
}
