//! Meta-trains a network that was written in Burn, with heads and estimators of this project:
//!
//! ```text
//! cargo run -p inkling-burn --example bring_your_own_model
//! cargo run -p inkling-burn --example bring_your_own_model -- omniglot:FOLDER --steps 300
//! ```
//!
//! The network is a few convolutions with group norm. It is trained twice from the same weights, with
//! class prototypes and with the implicit head, both by LITE; Burn's recorder saves what comes of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{GroupNorm, GroupNormConfig, PaddingConfig2d};
use burn::optim::AdamConfig;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use inkling_burn::{BurnExtractor, SharedDevice};
use inkling_data::{Dataset, Episode, EpisodePlan, EpisodeSpec, IDENTITY, Normalization, Numbers, OpenOptions, Split};
use inkling_gpu::GpuOptions;
use inkling_meta::{
    Estimator, ExtractorConfig, ExtractorLearner, GradientSettings, HeadSettings, Images, ImplicitSettings,
    LinearSettings, LinearStart, LowerGradient, Metric, Optimizer, Purpose, SubsetTime, Task, TaskLimits,
};

const USAGE: &str =
    "usage: bring_your_own_model [glyphs | omniglot:FOLDER | any other data] [--steps N] [--save FOLDER]";
const SEED: u64 = 0;
/// Steps between two lines of the log.
const EVERY: u64 = 10;
const TEST_EPISODES: u64 = 40;
const LEARNING_RATE: f32 = 3e-3;
const EPISODES: EpisodeSpec = EpisodeSpec::Fixed { ways: 5, shots: 5, queries: 5 };
const LIMITS: TaskLimits = TaskLimits { tasks: 1, ways: 5, support: 25, queries: 25 };

/// One stage: 3×3 convolution, group norm, ReLU, 2×2 max-pooling.
#[derive(Module, Debug)]
struct Stage {
    conv: Conv2d,
    norm: GroupNorm,
    pool: MaxPool2d,
}

/// The network that somebody brings.
#[derive(Module, Debug)]
struct SmallCnn {
    stages: Vec<Stage>,
}

impl SmallCnn {
    fn new(in_channels: usize, device: &Device) -> Self {
        let widths = [in_channels, 16, 16, 32, 32];
        let stage = |(&from, &to): (&usize, &usize)| Stage {
            conv: Conv2dConfig::new([from, to], [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(device),
            norm: GroupNormConfig::new(4, to).init(device),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
        };
        Self { stages: widths.iter().zip(widths.iter().skip(1)).map(stage).collect() }
    }

    /// `[images, channels, height, width]` to `[images, d]`.
    fn embed(&self, images: Tensor<4>) -> Tensor<2> {
        let through =
            |values, Stage { conv, norm, pool }: &Stage| pool.forward(relu(norm.forward(conv.forward(values))));
        self.stages.iter().fold(images, through).flatten(1, 3)
    }
}

/// The network as an extractor, under a head.
type CnnLearner = ExtractorLearner<BurnExtractor<SmallCnn, fn(&SmallCnn, Tensor<4>) -> Tensor<2>>>;

/// What the command line says.
struct Arguments {
    data: String,
    steps: u64,
    save: PathBuf,
}

impl Arguments {
    fn parse() -> Result<Self> {
        let mut parsed = Self { data: "glyphs".into(), steps: 60, save: "runs/bring-your-own-model".into() };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().with_context(|| format!("{argument} needs a value\n{USAGE}"));
            match argument.as_str() {
                "--steps" => parsed.steps = value()?.parse().context("--steps is a number")?,
                "--save" => parsed.save = value()?.into(),
                "--help" | "-h" => bail!("{USAGE}"),
                option if option.starts_with('-') => bail!("unknown option {option}\n{USAGE}"),
                data => parsed.data = data.to_owned(),
            }
        }
        Ok(parsed)
    }
}

/// Episodes of a data set, as tasks.
struct Episodes {
    dataset: Arc<dyn Dataset>,
    normalization: Normalization,
    affines: Vec<[f32; 6]>,
}

impl Episodes {
    fn draw(&self, split: Split, index: u64) -> Result<Episode> {
        let dataset = self.dataset.as_ref();
        Ok(EpisodePlan::draw(dataset, split, &EPISODES, SEED, index)?.load(dataset)?)
    }

    fn task<'e>(&'e self, episode: &'e Episode) -> Task<'e> {
        let images = |pixels: &'e [_]| Images::Bytes {
            pixels,
            affines: self.affines.get(..pixels.len()).unwrap_or_default(),
            normalization: &self.normalization,
        };
        Task {
            ways: episode.ways(),
            support: images(episode.support()),
            support_labels: episode.support_labels(),
            query: images(episode.query()),
            query_labels: episode.query_labels(),
        }
    }
}

fn main() -> Result<()> {
    pollster::block_on(run(Arguments::parse()?))
}

async fn run(arguments: Arguments) -> Result<()> {
    let dataset = inkling_data::open(&arguments.data, &OpenOptions { image_size: Some(28), ..OpenOptions::default() })?;
    let normalization = dataset.normalization();
    let episodes =
        Episodes { dataset, normalization, affines: vec![IDENTITY; LIMITS.support.max(LIMITS.queries) as usize] };
    let device = SharedDevice::open(&GpuOptions::default()).await?;
    println!("{} on {}", arguments.data, device.gpu().adapter().name);
    device.burn().seed(SEED);
    let module = SmallCnn::new(episodes.dataset.image_shape().channels as usize, device.burn());
    std::fs::create_dir_all(&arguments.save)?;
    for (name, head) in heads() {
        let file = arguments.save.join(format!("{name}.bpk"));
        train(&device, &episodes, (name, head), module.clone(), arguments.steps).await?.save_file(&file)?;
        // Into a network with other weights, to see that the file holds them all.
        let loaded =
            SmallCnn::new(episodes.dataset.image_shape().channels as usize, device.burn()).try_load_file(&file)?;
        let (loss, accuracy) = evaluate(&mut learner(&device, &episodes, head, loaded).await?, &episodes).await?;
        println!("{name}: test loss {loss:.3}, accuracy {:.1} % with {}", 100.0 * accuracy, file.display());
    }
    Ok(())
}

fn heads() -> [(&'static str, HeadSettings); 2] {
    let cg = ImplicitSettings { cg_steps: 20, cg_tolerance: 1e-4, damping: 0.0, preconditioned: false, warm: false };
    let implicit = LinearSettings {
        inner_steps: 20,
        inner_learning_rate: 0.05,
        ridge: 0.1,
        proximal: false,
        start: LinearStart::Zero,
        gradient: LowerGradient::Implicit(cg),
    };
    [
        ("prototypes", HeadSettings::Prototypes { metric: Metric::Euclidean, scale: 1.0 }),
        ("implicit", HeadSettings::Linear(implicit)),
    ]
}

/// A module under a head, with LITE: of 25 support images 5 are back-propagated.
async fn learner(
    device: &SharedDevice,
    episodes: &Episodes,
    head: HeadSettings,
    module: SmallCnn,
) -> Result<CnnLearner> {
    let shape = episodes.dataset.image_shape();
    let image = [shape.channels, shape.height, shape.width];
    let embed: fn(&SmallCnn, Tensor<4>) -> Tensor<2> = SmallCnn::embed;
    let extractor = BurnExtractor::new(device, module, embed, image, AdamConfig::new().init())?;
    let gradient = GradientSettings {
        estimator: Estimator::Lite,
        h: 5,
        chunk: 25,
        subset: SubsetTime::Task,
        query_batch: 0,
        support_subset: None,
    };
    let config = ExtractorConfig { kind: head.into(), gradient, source: Some(shape) };
    // For the head's own parameters; those of the module have Burn's optimiser.
    let optimizer = Optimizer::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0, decoupled: false };
    let purpose = Purpose::Train { optimizer, tasks_per_step: 1 };
    let mut learner = ExtractorLearner::new(device.gpu(), extractor, config, LIMITS, purpose)?;
    learner.initialize_head(|| 0.0).await?;
    learner.clear_gradient();
    Ok(learner)
}

/// Trains a module and gives it back.
async fn train(
    device: &SharedDevice,
    episodes: &Episodes,
    (name, head): (&str, HeadSettings),
    module: SmallCnn,
    steps: u64,
) -> Result<SmallCnn> {
    let mut learner = learner(device, episodes, head, module).await?;
    let (loss, accuracy) = evaluate(&mut learner, episodes).await?;
    println!("{name}: test loss {loss:.3}, accuracy {:.1} % untrained", 100.0 * accuracy);
    let start = Instant::now();
    let mut sums = (0.0, 0.0);
    for step in 1..=steps {
        let episode = episodes.draw(Split::Train, step)?;
        let mut numbers = Numbers::new(b"subset__", SEED, 0, step);
        learner.accumulate(&episodes.task(&episode), &mut numbers).await?;
        for outcome in learner.update(step, LEARNING_RATE, 0.0).await? {
            sums = (sums.0 + outcome.loss, sums.1 + outcome.accuracy);
        }
        if step % EVERY == 0 {
            let [loss, percent] = [sums.0 / EVERY as f64, 100.0 * sums.1 / EVERY as f64];
            let seconds = start.elapsed().as_secs_f64();
            println!("{name}: step {step:>4}, loss {loss:.3}, accuracy {percent:.1} %, {seconds:.0} s");
            sums = (0.0, 0.0);
        }
    }
    Ok(learner.into_extractor().into_module())
}

/// Mean loss and accuracy over test episodes.
async fn evaluate(learner: &mut CnnLearner, episodes: &Episodes) -> Result<(f64, f64)> {
    let mut sums = (0.0, 0.0);
    for index in 0..TEST_EPISODES {
        let episode = episodes.draw(Split::Test, index)?;
        let outcome = learner.evaluate(&episodes.task(&episode)).await?;
        sums = (sums.0 + outcome.loss, sums.1 + outcome.accuracy);
    }
    Ok((sums.0 / TEST_EPISODES as f64, sums.1 / TEST_EPISODES as f64))
}
