//! What an adapter does at best: bytes copied and multiplications in registers, by the clock.

use inkling_gpu::kernels::{peak_copy, peak_multiply};
use inkling_gpu::{Allocate, Category, Gpu, Recorder, Tier};
use inkling_platform::Stopwatch;

use super::SessionError;

/// Bytes of the copied buffer: larger than any cache, and half of what a binding may hold.
const COPY_BYTES: u64 = 64 << 20;
/// Invocations that multiply.
const INVOCATIONS: u32 = 1 << 16;
/// Timed runs; the fastest counts.
const REPEATS: u32 = 5;

/// The best that was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peaks {
    /// Bytes read and written by a copy, per second.
    pub gigabytes_per_second: f64,
    /// Of multiplications with additions, each of which counts as two operations.
    pub gflop_per_second: f64,
}

/// Measures both peaks.
///
/// # Errors
/// When the device fails.
pub(super) async fn peaks(gpu: &Gpu) -> Result<Peaks, SessionError> {
    let mut recorder = gpu.recorder()?;
    let copied = fastest_copy(gpu, &mut recorder).await?;
    // A processor takes a thousandth of a GPU's work in the same time.
    let rounds = if gpu.tier() == Tier::Gpu { 32_768 } else { 256 };
    let flops = f64::from(INVOCATIONS) * f64::from(rounds) * 2.0 * 12.0 * 8.0;
    let multiplied = fastest_multiplication(gpu, &mut recorder, rounds).await?;
    Ok(Peaks { gigabytes_per_second: 2e-9 * COPY_BYTES as f64 / copied, gflop_per_second: 1e-9 * flops / multiplied })
}

async fn fastest_copy(gpu: &Gpu, recorder: &mut Recorder) -> Result<f64, SessionError> {
    let input = gpu.buffer(Category::Workspace, "peak.input", COPY_BYTES)?;
    let output = gpu.buffer(Category::Workspace, "peak.output", COPY_BYTES)?;
    let quads = (COPY_BYTES / 16) as u32;
    let mut fastest = f64::INFINITY;
    // The first run compiles the kernel.
    for _ in 0..=REPEATS {
        let clock = Stopwatch::start();
        let buffers = peak_copy::Buffers { input: input.all(), output: output.all() };
        recorder.dispatch(peak_copy::Params { quads }, buffers, u64::from(quads))?;
        recorder.finish().await?;
        fastest = fastest.min(clock.seconds());
    }
    Ok(fastest)
}

async fn fastest_multiplication(gpu: &Gpu, recorder: &mut Recorder, rounds: u32) -> Result<f64, SessionError> {
    let mut allocate = gpu.clone();
    let factors = allocate.values(Category::Workspace, "peak.factors", 2)?;
    let output = allocate.values(Category::Workspace, "peak.sums", u64::from(INVOCATIONS))?;
    recorder.upload_values(factors.all(), &[0.5_f32, 2.0]).await?;
    recorder.finish().await?;
    let mut fastest = f64::INFINITY;
    for _ in 0..=REPEATS {
        let clock = Stopwatch::start();
        let buffers = peak_multiply::Buffers { factors: factors.all(), output: output.all() };
        let params = peak_multiply::Params { invocations: INVOCATIONS, rounds };
        recorder.dispatch(params, buffers, u64::from(INVOCATIONS))?;
        recorder.finish().await?;
        fastest = fastest.min(clock.seconds());
    }
    Ok(fastest)
}
