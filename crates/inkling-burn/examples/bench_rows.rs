//! Times Conv-4 and an episode in burn-wgpu, one JSON object for each row and line:
//!
//! ```text
//! cargo run --release -p inkling-burn --example bench_rows
//! cargo run --release -p inkling-burn --example bench_rows -- --repeats 9 --norm batch --only conv4-64
//! ```
//!
//! Forward is `valid()` without a graph. Backward is that of half the sum of squares of the embeddings, to
//! all parameters. The episode is a step of prototypical networks, 5-way 5-shot with 15 queries of each
//! class, with Burn's Adam, under our head: `full`, and `lite` with H = 5. A row's first run is not timed: it compiles the kernels.
//! Bytes are what Burn's pool has reserved after a row that began with an empty one, and the most that our
//! ledger counted meanwhile; Burn itself knows no high-water mark.

#[path = "../tests/conv4/mod.rs"]
#[allow(dead_code, reason = "the oracle also loads weights")]
mod conv4;

use std::time::Instant;

use anyhow::{Context, Result, bail};
use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Distribution, Tensor};
use conv4::{Conv4, NormKind, named};
use inkling_burn::{BurnExtractor, SharedDevice};
use inkling_data::Numbers;
use inkling_gpu::GpuOptions;
use inkling_meta::{
    Estimator, ExtractorConfig, ExtractorLearner, GradientSettings, HeadSettings, Images, Metric, Optimizer, Purpose,
    SubsetTime, Task, TaskLimits,
};
use serde_json::json;

const USAGE: &str = "usage: bench_rows [--repeats N] [--norm group | batch] [--only START_OF_A_ROWS_NAME]";
const BATCH: usize = 100;
const GROUPS: usize = 8;
/// `[channels, height and width]`.
const IMAGES: [[usize; 2]; 2] = [[1, 28], [3, 32]];
const EPISODE: TaskLimits = TaskLimits { tasks: 1, ways: 5, support: 25, queries: 75 };

struct Arguments {
    repeats: usize,
    norm: NormKind,
    only: String,
}

impl Arguments {
    fn parse() -> Result<Self> {
        let mut parsed = Self { repeats: 5, norm: NormKind::Group(GROUPS), only: String::new() };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let value = arguments.next().with_context(|| format!("{argument} needs a value\n{USAGE}"))?;
            match (argument.as_str(), value.as_str()) {
                ("--repeats", count) => parsed.repeats = count.parse().context("--repeats is a number")?,
                ("--norm", "group") => parsed.norm = NormKind::Group(GROUPS),
                ("--norm", "batch") => parsed.norm = NormKind::Batch,
                ("--only", _) => parsed.only = value,
                _ => bail!("unknown: {argument} {value}\n{USAGE}"),
            }
        }
        Ok(parsed)
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse()?;
    let device = pollster::block_on(SharedDevice::open(&GpuOptions::default()))?;
    for channels in [32, 64] {
        for [in_channels, side] in IMAGES {
            let module = Conv4::new(in_channels, channels, arguments.norm, device.burn());
            let images = [BATCH, in_channels, side, side];
            let row = |pass: &str| format!("conv4-{channels}-{side}x{side}x{in_channels}-{pass}");
            forward(&device, &arguments, &row("forward"), (&module, images))?;
            forward_backward(&device, &arguments, &row("forward-backward"), (&module, images))?;
        }
    }
    let episodes = [("protonet", Estimator::Full), ("lite-h5", Estimator::Lite)];
    for (name, estimator) in episodes {
        let row = format!("{name}-64-32x32x3-5way-5shot-15query");
        pollster::block_on(episode(&device, &arguments, (&row, estimator)))?;
    }
    Ok(())
}

/// Runs once, then as often as asked for, and prints the row.
fn measure(device: &SharedDevice, arguments: &Arguments, row: &str, mut run: impl FnMut() -> Result<()>) -> Result<()> {
    if !row.starts_with(&arguments.only) {
        return Ok(());
    }
    device.burn().memory_cleanup();
    device.gpu().ledger().reset_peak();
    run()?;
    let mut millis = Vec::new();
    for _ in 0..arguments.repeats.max(1) {
        let start = Instant::now();
        run()?;
        millis.push(1e3 * start.elapsed().as_secs_f64());
    }
    millis.sort_by(f64::total_cmp);
    let ours = device.gpu().ledger().peak().total();
    let bytes = device.burn().memory_pool_usage().map(|usage| usage.bytes_reserved + ours);
    let norm = if arguments.norm == NormKind::Batch { "batch" } else { "group" };
    println!(
        "{}",
        json!({
            "row": row,
            "median_ms": millis.get(millis.len() / 2),
            "fastest_ms": millis.first(),
            "slowest_ms": millis.last(),
            "repeats": millis.len(),
            "peak_bytes": bytes,
            "norm": norm,
            "adapter": device.gpu().adapter().name,
        })
    );
    Ok(())
}

fn wait(device: &SharedDevice) -> Result<()> {
    device.burn().sync().map_err(|error| anyhow::anyhow!("the device failed: {error:?}"))
}

fn forward(
    device: &SharedDevice,
    arguments: &Arguments,
    row: &str,
    (module, shape): (&Conv4, [usize; 4]),
) -> Result<()> {
    let images = Tensor::random(shape, Distribution::Normal(0.0, 1.0), device.burn());
    let module = module.valid();
    wait(device)?;
    measure(device, arguments, row, || {
        drop(module.forward(images.clone()));
        wait(device)
    })
}

fn forward_backward(
    device: &SharedDevice,
    arguments: &Arguments,
    row: &str,
    (module, shape): (&Conv4, [usize; 4]),
) -> Result<()> {
    let images = Tensor::random(shape, Distribution::Normal(0.0, 1.0), device.burn()).autodiff();
    let module = module.clone().train();
    wait(device)?;
    let pass = || {
        let embeddings = module.forward(images.clone());
        let rows = embeddings.clone().inner();
        GradientsParams::from_grads(embeddings.mul(rows).backward(), &module)
    };
    if row.starts_with(&arguments.only) && !named(&module, &pass()).values().flatten().all(|value| value.is_finite()) {
        bail!("{row}: a gradient is not finite");
    }
    measure(device, arguments, row, || {
        drop(pass());
        wait(device)
    })
}

/// A step of prototypical networks.
async fn episode(device: &SharedDevice, arguments: &Arguments, (row, estimator): (&str, Estimator)) -> Result<()> {
    let module = Conv4::new(3, 64, arguments.norm, device.burn());
    let extractor = BurnExtractor::new(device, module, Conv4::forward, [3, 32, 32], AdamConfig::new().init())?;
    let gradient = GradientSettings {
        estimator,
        h: 5,
        chunk: 100,
        subset: SubsetTime::Task,
        query_batch: 0,
        support_subset: None,
    };
    let head = HeadSettings::Prototypes { metric: Metric::Euclidean, scale: 1.0 };
    let config = ExtractorConfig { kind: head.into(), gradient, source: None };
    let optimizer = Optimizer::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };
    let purpose = Purpose::Train { optimizer, tasks_per_step: 1 };
    let mut learner = ExtractorLearner::new(device.gpu(), extractor, config, EPISODE, purpose)?;
    learner.clear_gradient();
    let mut numbers = Numbers::new(b"images__", 0, 0, 0);
    let mut images = |count: u32| -> Vec<f32> {
        (0..count * 3 * 32 * 32).map(|_| numbers.below(1 << 24) as f32 / (1 << 23) as f32 - 1.0).collect()
    };
    let (support, query) = (images(EPISODE.support), images(EPISODE.queries));
    let labels = |count: u32| -> Vec<u32> { (0..count).map(|image| image % EPISODE.ways).collect() };
    let (support_labels, query_labels) = (labels(EPISODE.support), labels(EPISODE.queries));
    let task = Task {
        ways: EPISODE.ways,
        support: Images::Values(&support),
        support_labels: &support_labels,
        query: Images::Values(&query),
        query_labels: &query_labels,
    };
    let mut step = 0;
    measure(device, arguments, row, || {
        step += 1;
        pollster::block_on(async {
            learner.accumulate(&task, &mut Numbers::new(b"subset__", 0, 0, step)).await?;
            learner.update(step, 1e-3, 0.0).await
        })?;
        wait(device)
    })
}
