//! How fast the kernels are: a network forward, and forward with backward, layer by layer and beside
//! what the adapter does at best.

use std::collections::HashMap;

use inkling_data::Numbers;
use inkling_gpu::{Allocate, Category, Gpu, KernelTime, Recorder};
use inkling_nn::{Chunk, Keep, LayerWork, Network, Pass, TaskAxis};
use inkling_platform::Stopwatch;

use super::SessionError;
use super::bench_peaks::{Peaks, peaks};
use super::model::{network, open_gpu};
use crate::config::ModelConfig;

/// Passes timed dispatch by dispatch, at most.
const MOST_TIMED: u32 = 3;

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
    /// Every layer's share of the timed passes, the fastest of each; empty without timestamps.
    pub layers: Vec<LayerTime>,
}

/// What one layer took.
#[derive(Clone, Debug)]
pub struct LayerTime {
    /// What it computes, for one image.
    pub work: LayerWork,
    /// Milliseconds of its forward pass, all images.
    pub forward_millis: f64,
    /// Milliseconds of its backward pass; zero where there is none.
    pub backward_millis: f64,
}

/// Both directions of a network, and what the adapter does at best.
#[derive(Clone, Debug)]
pub struct NetworkBenchReport {
    /// The adapter's name.
    pub adapter: String,
    /// Measured in the same run.
    pub peaks: Peaks,
    /// Forward, and forward with backward.
    pub passes: Vec<NetworkBenchResult>,
}

/// Measures both directions on one device.
///
/// # Errors
/// When the network cannot be built or the device fails.
pub async fn bench_network(bench: &NetworkBench, adapter: Option<String>) -> Result<NetworkBenchReport, SessionError> {
    let gpu = open_gpu(adapter.clone(), false).await?;
    let peaks = peaks(&gpu).await?;
    let mut passes = Vec::new();
    for backward in [false, true] {
        passes.push(measure(bench, adapter.clone(), backward).await?);
    }
    let adapter = format!("{} ({})", gpu.adapter().name, gpu.adapter().backend);
    Ok(NetworkBenchReport { adapter, peaks, passes })
}

async fn measure(
    bench: &NetworkBench,
    adapter: Option<String>,
    backward: bool,
) -> Result<NetworkBenchResult, SessionError> {
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
    let timed = time_by_dispatch(bench, adapter, backward).await?;
    Ok(NetworkBenchResult {
        pass: if backward { "forward + backward" } else { "forward" },
        millis,
        range_millis: (at(0), at(times.len().saturating_sub(1))),
        gflop_per_second: f64::from(bench.batch) * flops / millis * 1e-6,
        dispatches,
        outside_kernels: timed.outside_kernels,
        kernels: timed.kernels,
        layers: timed.layers,
    })
}

/// What timestamps say of a pass.
struct Timed {
    outside_kernels: Option<f64>,
    kernels: Vec<KernelTime>,
    layers: Vec<LayerTime>,
}

/// Passes timed dispatch by dispatch: the kernels of the fastest, and the fastest of each layer.
async fn time_by_dispatch(
    bench: &NetworkBench,
    adapter: Option<String>,
    backward: bool,
) -> Result<Timed, SessionError> {
    let mut passes = Passes::new(bench, adapter, backward, true).await?;
    // The first pass compiles the kernels.
    passes.run().await?;
    let mut fastest: Option<(f64, Vec<KernelTime>)> = None;
    let mut by_scope: HashMap<u32, f64> = HashMap::new();
    for _ in 0..bench.repeats.clamp(1, MOST_TIMED) {
        passes.recorder.reset_times();
        let clock = Stopwatch::start();
        passes.run().await?;
        let millis = 1e3 * clock.seconds();
        for (scope, millis) in passes.recorder.scope_millis() {
            by_scope.entry(scope).and_modify(|least| *least = least.min(millis)).or_insert(millis);
        }
        if fastest.as_ref().is_none_or(|(least, _)| millis < *least) {
            fastest = Some((millis, passes.recorder.kernel_times()));
        }
    }
    let (millis, kernels) = fastest.unwrap_or_default();
    let inside: f64 = kernels.iter().map(|kernel| kernel.millis).sum();
    // Against the wall time of the same pass: another pass may have had another share of the machine.
    let outside_kernels = (!kernels.is_empty()).then(|| (1.0 - inside / millis).max(0.0));
    let network = &passes.network;
    let time = |scope| by_scope.get(&scope).copied().unwrap_or(0.0);
    let layer = |(number, work)| LayerTime {
        work,
        forward_millis: time(network.forward_scope(number)),
        backward_millis: time(network.backward_scope(number)),
    };
    let layers = network.layer_work().into_iter().enumerate().map(layer);
    let layers = if kernels.is_empty() { Vec::new() } else { layers.collect() };
    Ok(Timed { outside_kernels, kernels, layers })
}

/// A network with random weights and images on a device.
pub(super) struct Passes {
    gpu: Gpu,
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
    pub(super) async fn new(
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
        Ok(Self { gpu, network, recorder, buffers, bench: bench.clone(), backward })
    }

    /// The device.
    pub(super) fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// One pass, from the packing of the weights to the last kernel's end.
    pub(super) async fn run(&mut self) -> Result<(), SessionError> {
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
