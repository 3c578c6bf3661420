//! How fast the kernels are: a network forward, and forward with backward.

use inkling_data::Numbers;
use inkling_gpu::{Allocate, Category, KernelTime, Recorder};
use inkling_nn::{Chunk, Keep, Network, Pass, TaskAxis};
use inkling_platform::Stopwatch;

use super::SessionError;
use super::model::{network, open_gpu};
use crate::config::ModelConfig;

/// What to measure.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkBench {
    /// The network; its weights are random.
    pub model: ModelConfig,
    /// Height and width of the images.
    pub image_size: u32,
    /// Images of one pass.
    pub batch: u32,
    /// Channels of the images.
    pub in_channels: u32,
    /// Timed passes; the median counts.
    pub repeats: u32,
}

/// One direction of the measurement.
#[derive(Clone, Debug)]
pub struct NetworkBenchResult {
    /// `forward` or `forward + backward`.
    pub pass: &'static str,
    /// The median of all repeats.
    pub millis: f64,
    /// The fastest and the slowest repeat.
    pub range_millis: (f64, f64),
    /// Of the convolutions alone.
    pub gflop_per_second: f64,
    /// Kernels launched in one pass.
    pub dispatches: u64,
    /// Share of the time that no kernel ran, in a pass timed dispatch by dispatch; none where the adapter has no timestamps.
    pub outside_kernels: Option<f64>,
    /// Time in each kernel over one timed pass.
    pub kernels: Vec<KernelTime>,
}

/// Measures both directions on one device.
///
/// # Errors
/// When the network cannot be built or the device fails.
pub async fn bench_network(
    bench: &NetworkBench,
    adapter: Option<String>,
) -> Result<(String, Vec<NetworkBenchResult>), SessionError> {
    let mut results = Vec::new();
    let mut name = String::new();
    for backward in [false, true] {
        let (adapter, result) = measure(bench, adapter.clone(), backward).await?;
        name = adapter;
        results.push(result);
    }
    Ok((name, results))
}

async fn measure(
    bench: &NetworkBench,
    adapter: Option<String>,
    backward: bool,
) -> Result<(String, NetworkBenchResult), SessionError> {
    let mut passes = Passes::new(bench, adapter.clone(), backward, false).await?;
    // The first pass compiles the kernels.
    passes.run().await?;
    let before = passes.recorder.stats().dispatches;
    let mut times = Vec::new();
    for _ in 0..bench.repeats.max(1) {
        let clock = Stopwatch::start();
        passes.run().await?;
        times.push(1e3 * clock.seconds());
    }
    let dispatches = (passes.recorder.stats().dispatches - before) / u64::from(bench.repeats.max(1));
    times.sort_by(f64::total_cmp);
    let at = |index: usize| times.get(index).copied().unwrap_or(f64::NAN);
    let millis = at(times.len() / 2);
    let flops = passes.network.forward_flops() + if backward { passes.network.backward_flops() } else { 0.0 };
    let adapter_name =
        format!("{} ({})", passes.recorder.gpu().adapter().name, passes.recorder.gpu().adapter().backend);

    let mut timed = Passes::new(bench, adapter, backward, true).await?;
    timed.run().await?;
    let first = timed.recorder.kernel_times();
    let clock = Stopwatch::start();
    timed.run().await?;
    let timed_millis = 1e3 * clock.seconds();
    let kernels: Vec<KernelTime> = timed
        .recorder
        .kernel_times()
        .into_iter()
        .map(|both| {
            let once = first.iter().find(|kernel| kernel.stem == both.stem);
            let (launches, millis) = once.map_or((0, 0.0), |kernel| (kernel.launches, kernel.millis));
            KernelTime { launches: both.launches - launches, millis: both.millis - millis, ..both }
        })
        .collect();
    let inside: f64 = kernels.iter().map(|kernel| kernel.millis).sum();
    // Against the wall time of the same pass: another pass may have had another share of the machine.
    let outside_kernels = (!first.is_empty()).then(|| (1.0 - inside / timed_millis).max(0.0));
    let result = NetworkBenchResult {
        pass: if backward { "forward + backward" } else { "forward" },
        millis,
        range_millis: (at(0), at(times.len().saturating_sub(1))),
        gflop_per_second: f64::from(bench.batch) * flops / millis * 1e-6,
        dispatches,
        outside_kernels,
        kernels,
    };
    Ok((adapter_name, result))
}

/// A network with random weights and images on a device.
struct Passes {
    network: Network,
    recorder: Recorder,
    buffers: Buffers,
    bench: NetworkBench,
    backward: bool,
}

struct Buffers {
    parameters: inkling_gpu::Buffer,
    frozen: inkling_gpu::Buffer,
    running: inkling_gpu::Buffer,
    gradient: inkling_gpu::Buffer,
    activations: inkling_nn::Activations<inkling_gpu::Buffer>,
    gradients: inkling_nn::Gradients<inkling_gpu::Buffer>,
    scratch: inkling_nn::Scratch<inkling_gpu::Buffer>,
    embeddings: inkling_gpu::Buffer,
}

impl Passes {
    async fn new(
        bench: &NetworkBench,
        adapter: Option<String>,
        backward: bool,
        profile: bool,
    ) -> Result<Self, SessionError> {
        let mut gpu = open_gpu(adapter, profile).await?;
        let network = Network::new(network(&bench.model, bench.in_channels, bench.image_size), gpu.tier())?;
        let elements = u64::from(network.layout().elements());
        let keep = if backward { Keep::Gradient } else { Keep::Nothing };
        let buffers = Buffers {
            parameters: gpu.values(Category::Parameters, "parameters", elements)?,
            frozen: gpu.values(Category::Parameters, "frozen", u64::from(network.frozen().elements()))?,
            running: gpu.values(Category::Parameters, "running", u64::from(network.running().elements()))?,
            gradient: gpu.values(Category::Gradient, "gradient", elements)?,
            activations: network.activations(&mut gpu, "bench", bench.batch, keep)?,
            gradients: network.gradients(&mut gpu, "bench", bench.batch)?,
            scratch: network.scratch(&mut gpu, bench.batch, bench.batch, 1)?,
            embeddings: gpu.values(
                Category::Embeddings,
                "embeddings",
                u64::from(bench.batch) * u64::from(network.dimension()),
            )?,
        };
        let mut recorder = gpu.recorder()?;
        let mut numbers = Numbers::new(b"bench___", 0, 0, 0);
        let [parameters, frozen, running] = network.initialize(|| numbers.unit() as f32 - 0.5);
        recorder.upload_values(buffers.parameters.all(), &parameters).await?;
        recorder.upload_values(buffers.frozen.all(), &frozen).await?;
        recorder.upload_values(buffers.running.all(), &running).await?;
        let count = u64::from(bench.batch) * network.image_elements();
        let images: Vec<f32> = (0..count).map(|_| numbers.unit() as f32 - 0.5).collect();
        recorder.upload_values(buffers.activations.images.all(), &images).await?;
        recorder.finish().await?;
        Ok(Self { network, recorder, buffers, bench: bench.clone(), backward })
    }

    /// One pass, from the packing of the weights to the last kernel's end.
    async fn run(&mut self) -> Result<(), SessionError> {
        let buffers = &self.buffers;
        let axis = TaskAxis::shared(1, self.bench.batch);
        let Buffers { parameters, frozen, running, scratch, .. } = buffers;
        let pass = Pass { parameters, frozen: Some(frozen), running, scratch, axis };
        let chunks = [Chunk {
            images: self.bench.batch,
            activations: &buffers.activations,
            gradients: &buffers.gradients,
            first_row: 0,
        }];
        self.network.prepare(&mut self.recorder, pass)?;
        self.network.forward(&mut self.recorder, pass, &chunks, &buffers.embeddings).await?;
        if self.backward {
            // The embeddings themselves serve as their gradient: the time does not depend on it.
            let (rows, gradient) = (&buffers.embeddings, &buffers.gradient);
            self.recorder.clear(gradient.all());
            self.network.backward(&mut self.recorder, pass, &chunks, rows, gradient).await?;
        }
        self.recorder.finish().await?;
        Ok(())
    }
}
