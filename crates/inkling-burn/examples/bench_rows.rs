//! Times Conv-4 and training steps in burn-wgpu, for `cargo xtask peers`: one JSON object for each row
//! and line.
//!
//! ```text
//! cargo run --release -p inkling-burn --example bench_rows -- --rows tests/peers/rows.json --only conv4-64
//! ```
//!
//! Forward is `valid()` without a graph, so its batch norm takes the running statistics and has less to
//! do than that of the others. Backward is that of half the sum of squares of the embeddings, to all
//! parameters. Steps are the network in Burn, with Burn's Adam, under our heads, one task after the
//! other. A row's first run compiles the kernels and is not timed, unless it takes all the time. Bytes
//! are what Burn's pool has reserved after a row that began with an empty one, and the most that our
//! ledger counted meanwhile; Burn itself knows no high-water mark.

#[path = "../tests/conv4/mod.rs"]
#[allow(dead_code, reason = "the oracle also loads weights")]
mod conv4;

use std::path::PathBuf;
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
    Estimator, ExtractorConfig, ExtractorLearner, GradientSettings, HeadSettings, Images, ImplicitSettings,
    LinearSettings, LinearStart, LowerGradient, Metric, Optimizer, Purpose, SubsetTime, Task, TaskLimits,
};
use serde::Deserialize;
use serde_json::json;

const USAGE: &str = "usage: bench_rows --rows FILE [--only START_OF_A_ROWS_NAME]";
/// Ours names every version that is built here.
const LOCK: &str = include_str!("../../../Cargo.lock");

/// `tests/peers/rows.json`; `inkling_session::run::RowList` says what the fields mean.
#[derive(Deserialize)]
struct List {
    repeats: usize,
    seconds: f64,
    groups: usize,
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    name: String,
    pass: String,
    channels: usize,
    image: [usize; 2],
    norm: String,
    #[serde(default)]
    batch: usize,
    #[serde(default)]
    tasks: u64,
    #[serde(default)]
    ways: u32,
    #[serde(default)]
    shots: u32,
    #[serde(default)]
    queries: u32,
    h: Option<u32>,
    #[serde(default)]
    inner_steps: u32,
    #[serde(default)]
    inner_lr: f32,
    #[serde(default)]
    ridge: f32,
    #[serde(default)]
    cg_steps: u32,
}

fn main() -> Result<()> {
    let list = arguments()?;
    let device = pollster::block_on(SharedDevice::open(&GpuOptions::default()))?;
    let bench = Bench { device, list };
    for row in &bench.list.rows {
        match row.pass.as_str() {
            "forward" => bench.forward(row)?,
            "forward-backward" => bench.forward_backward(row)?,
            "prototypes" | "implicit" => pollster::block_on(bench.step(row))?,
            "maml" => bench.missing(row, "Burn differentiates once; exact MAML takes second derivatives."),
            _ => bench.missing(row, "This row is not written in Burn."),
        }
    }
    Ok(())
}

/// The rows that are asked for.
fn arguments() -> Result<List> {
    let (mut file, mut only) = (None, String::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{argument} needs a value\n{USAGE}"))?;
        match argument.as_str() {
            "--rows" => file = Some(PathBuf::from(value)),
            "--only" => only = value,
            _ => bail!("unknown: {argument} {value}\n{USAGE}"),
        }
    }
    let file = file.context(USAGE)?;
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut list: List =
        serde_json::from_str(&text).with_context(|| format!("{}: not a list of rows", file.display()))?;
    list.rows.retain(|row| row.name.starts_with(&only));
    Ok(list)
}

/// The version of Burn that the lock file names.
fn version() -> &'static str {
    let entry = LOCK.split("[[package]]").find(|entry| entry.contains("name = \"burn\"\n"));
    let version = entry.and_then(|entry| entry.lines().find_map(|line| line.strip_prefix("version = ")));
    version.map_or("of an unknown version", |version| version.trim_matches('"'))
}

/// The device and what is measured on it.
struct Bench {
    device: SharedDevice,
    list: List,
}

impl Bench {
    fn norm(&self, row: &Row) -> NormKind {
        if row.norm == "batch" { NormKind::Batch } else { NormKind::Group(self.list.groups) }
    }

    fn network(&self, row: &Row) -> Conv4 {
        Conv4::new(row.image[0], row.channels, self.norm(row), self.device.burn())
    }

    fn wait(&self) -> Result<()> {
        self.device.burn().sync().map_err(|error| anyhow::anyhow!("the device failed: {error:?}"))
    }

    /// Runs once, then until the repeats are done or the time is over, and prints the row. A first run that
    /// takes all the time is the row's figure.
    fn measure(&self, row: &Row, mut run: impl FnMut() -> Result<()>) -> Result<()> {
        self.device.burn().memory_cleanup();
        self.device.gpu().ledger().reset_peak();
        let start = Instant::now();
        run()?;
        let mut millis = Vec::new();
        if start.elapsed().as_secs_f64() > self.list.seconds {
            millis.push(1e3 * start.elapsed().as_secs_f64());
        } else {
            let all = Instant::now();
            while millis.is_empty()
                || (millis.len() < self.list.repeats && all.elapsed().as_secs_f64() < self.list.seconds)
            {
                let start = Instant::now();
                run()?;
                millis.push(1e3 * start.elapsed().as_secs_f64());
            }
        }
        millis.sort_by(f64::total_cmp);
        let ours = self.device.gpu().ledger().peak().total();
        let bytes = self.device.burn().memory_pool_usage().map(|usage| usage.bytes_reserved + ours);
        self.print(
            row,
            json!({
                "median_ms": millis.get(millis.len() / 2),
                "fastest_ms": millis.first(),
                "slowest_ms": millis.last(),
                "repeats": millis.len(),
                "peak_bytes": bytes,
            }),
        );
        Ok(())
    }

    fn missing(&self, row: &Row, reason: &str) {
        self.print(row, json!({"missing": reason}));
    }

    fn print(&self, row: &Row, mut fields: serde_json::Value) {
        let adapter = self.device.gpu().adapter();
        fields["peer"] = "burn-wgpu".into();
        fields["version"] = version().into();
        fields["device"] = format!("{} ({})", adapter.name, adapter.backend).into();
        fields["place"] = "native".into();
        fields["row"] = row.name.as_str().into();
        println!("{fields}");
    }

    fn images(&self, row: &Row) -> Tensor<4> {
        let [channels, side] = row.image;
        Tensor::random([row.batch, channels, side, side], Distribution::Normal(0.0, 1.0), self.device.burn())
    }

    fn forward(&self, row: &Row) -> Result<()> {
        let (images, module) = (self.images(row), self.network(row).valid());
        self.wait()?;
        self.measure(row, || {
            drop(module.forward(images.clone()));
            self.wait()
        })
    }

    fn forward_backward(&self, row: &Row) -> Result<()> {
        let (images, module) = (self.images(row).autodiff(), self.network(row).train());
        self.wait()?;
        let pass = || {
            let embeddings = module.forward(images.clone());
            let rows = embeddings.clone().inner();
            GradientsParams::from_grads(embeddings.mul(rows).backward(), &module)
        };
        if !named(&module, &pass()).values().flatten().all(|value| value.is_finite()) {
            bail!("{}: a gradient is not finite", row.name);
        }
        self.measure(row, || {
            drop(pass());
            self.wait()
        })
    }

    /// A training step under one of our heads.
    async fn step(&self, row: &Row) -> Result<()> {
        let [channels, side] = row.image.map(|extent| u32::try_from(extent).unwrap_or(u32::MAX));
        let shape = [channels, side, side];
        let (module, adam) = (self.network(row), AdamConfig::new().init());
        let extractor = BurnExtractor::new(&self.device, module, Conv4::forward, shape, adam)?;
        let (support, queries) = (row.ways * row.shots, row.ways * row.queries);
        let gradient = GradientSettings {
            estimator: if row.h.is_some() { Estimator::Lite } else { Estimator::Full },
            h: row.h.unwrap_or(1),
            chunk: support,
            subset: SubsetTime::Task,
            query_batch: 0,
            support_subset: None,
        };
        let config = ExtractorConfig { kind: head(row).into(), gradient, source: None };
        let limits = TaskLimits { tasks: 1, ways: row.ways, support, queries };
        let optimizer = Optimizer::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };
        let purpose = Purpose::Train { optimizer, tasks_per_step: u32::try_from(row.tasks)? };
        let mut learner = ExtractorLearner::new(self.device.gpu(), extractor, config, limits, purpose)?;
        learner.clear_gradient();
        let mut numbers = Numbers::new(b"images__", 0, 0, 0);
        let mut images = |count: u32| -> Vec<f32> {
            let values = count * shape.iter().product::<u32>();
            (0..values).map(|_| numbers.below(1 << 24) as f32 / (1 << 23) as f32 - 1.0).collect()
        };
        let labels = |count: u32| -> Vec<u32> { (0..count).map(|image| image % row.ways).collect() };
        let (support_images, query_images) = (images(support), images(queries));
        let (support_labels, query_labels) = (labels(support), labels(queries));
        let task = Task {
            ways: row.ways,
            support: Images::Values(&support_images),
            support_labels: &support_labels,
            query: Images::Values(&query_images),
            query_labels: &query_labels,
        };
        let mut step = 0;
        self.measure(row, || {
            step += 1;
            pollster::block_on(async {
                for number in 0..row.tasks {
                    learner.accumulate(&task, &mut Numbers::new(b"subset__", 0, number, step)).await?;
                }
                learner.update(step, 1e-3, 0.0).await
            })?;
            self.wait()
        })
    }
}

fn head(row: &Row) -> HeadSettings {
    if row.pass == "prototypes" {
        return HeadSettings::Prototypes { metric: Metric::Euclidean, scale: 1.0 };
    }
    let solve = ImplicitSettings {
        cg_steps: row.cg_steps,
        // All iterations, as the others do them.
        cg_tolerance: 0.0,
        damping: 0.0,
        preconditioned: false,
        warm: false,
    };
    HeadSettings::Linear(LinearSettings {
        inner_steps: row.inner_steps,
        inner_learning_rate: row.inner_lr,
        ridge: row.ridge,
        proximal: false,
        start: LinearStart::Zero,
        gradient: LowerGradient::Implicit(solve),
    })
}
