//! What a kernel is tested on: inputs, poisoned outputs, and their comparison with the twin's.

use inkling_gpu::{Buffer, Category, Gpu, GpuError, Recorder, Slice};
use inkling_shaders::Buffers;

use super::tolerance::Tolerance;

/// Fills outputs; no kernel computes it from inputs of ordinary size.
const POISON: f32 = -12_345.678;

/// Elements behind every output that no kernel may touch: more than a workgroup writes.
const GUARD: usize = 67;

/// Uniform numbers in (−1, 1) from a seed (SplitMix64), the same on every platform.
pub fn noise(seed: u64, count: usize) -> Vec<f32> {
    random(seed, count).map(|bits| (bits >> 40) as f32 / (1_u64 << 23) as f32 - 1.0).collect()
}

/// Uniform integers below `bound`.
pub fn integers(seed: u64, count: usize, bound: u32) -> Vec<u32> {
    random(seed, count).map(|bits| (((bits >> 32) * u64::from(bound)) >> 32) as u32).collect()
}

fn random(seed: u64, count: usize) -> impl Iterator<Item = u64> {
    // A seed is mixed first: those of neighbouring seeds would be one sequence, shifted by a place.
    let mut state = mixed(seed);
    (0..count).map(move |_| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed(state)
    })
}

fn mixed(state: u64) -> u64 {
    let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A buffer that a kernel writes, and what it holds before.
pub struct Output {
    pub buffer: Buffer,
    /// The content before the launch, the guard included; the twin starts from a copy of it.
    pub initial: Vec<f32>,
}

impl Output {
    pub fn all(&self) -> Slice<'_> {
        self.buffer.all()
    }
}

/// A recorder whose errors are messages.
pub struct Bench {
    recorder: Recorder,
}

fn message(error: GpuError) -> String {
    error.to_string()
}

impl Bench {
    pub fn new(gpu: &Gpu) -> Result<Self, String> {
        Ok(Self { recorder: gpu.recorder().map_err(message)? })
    }

    /// A buffer of these values.
    pub async fn input<T: bytemuck::NoUninit>(&mut self, values: &[T]) -> Result<Buffer, String> {
        let bytes = size_of_val(values) as u64;
        let buffer = self.recorder.gpu().buffer(Category::Workspace, "test", bytes).map_err(message)?;
        self.recorder.upload_values(buffer.all(), values).await.map_err(message)?;
        Ok(buffer)
    }

    /// `count` poisoned elements and the guard.
    pub async fn output(&mut self, count: u32) -> Result<Output, String> {
        self.updated(vec![POISON; count as usize]).await
    }

    /// An output that the kernel updates: these values and the guard.
    pub async fn updated(&mut self, mut initial: Vec<f32>) -> Result<Output, String> {
        initial.resize(initial.len() + GUARD, POISON);
        Ok(Output { buffer: self.input(&initial).await?, initial })
    }

    /// Launches a kernel.
    pub fn run<'b, B: Buffers<Slice<'b>>>(
        &mut self,
        params: B::Params,
        buffers: B,
        invocations: u32,
    ) -> Result<(), String> {
        self.recorder.dispatch(params, buffers, u64::from(invocations)).map_err(message)
    }

    /// Reads an output and compares it with what the twin left in a copy of the initial content.
    ///
    /// Where the twin wrote nothing the kernel must not have written either.
    pub async fn check(
        &mut self,
        what: &str,
        output: &Output,
        expected: &[f32],
        tolerance: Tolerance,
    ) -> Result<(), String> {
        let expected: Vec<f64> = expected.iter().map(|&value| value.into()).collect();
        self.check_f64(what, output, &expected, tolerance).await
    }

    /// Reads a buffer of integers, which must be these.
    pub async fn check_integers(&mut self, what: &str, buffer: &Buffer, expected: &[u32]) -> Result<(), String> {
        let values: Vec<u32> = self.recorder.read(buffer.all()).await.map_err(message)?;
        if values == expected { Ok(()) } else { Err(format!("{what}: {values:?}, the twin has {expected:?}")) }
    }

    /// As [`Bench::check`], against the twin in f64 (which leaves untouched elements as they were).
    pub async fn check_f64(
        &mut self,
        what: &str,
        output: &Output,
        expected: &[f64],
        tolerance: Tolerance,
    ) -> Result<(), String> {
        let values: Vec<f32> = self.recorder.read(output.all()).await.map_err(message)?;
        if values.len() != expected.len() || values.len() != output.initial.len() {
            return Err(format!("{what}: {} elements, the twin has {}", values.len(), expected.len()));
        }
        for (at, (&value, &expected)) in values.iter().zip(expected).enumerate() {
            let initial = output.initial[at];
            let untouched = expected == f64::from(initial);
            let error = (f64::from(value) - expected).abs();
            // Written so that a NaN fails; two infinities are equal, but their difference is no number.
            let close = error <= tolerance.allowed(expected) || f64::from(value) == expected;
            if untouched && value.to_bits() != initial.to_bits() {
                return Err(format!("{what}[{at}] = {value}, but must stay {initial}"));
            }
            if !close {
                let allowed = tolerance.allowed(expected);
                let numbers = format!("the twin has {expected} (off by {error:e}, allowed {allowed:e})");
                return Err(format!("{what}[{at}] = {value}, {numbers}"));
            }
        }
        Ok(())
    }
}

/// f64 copies for the twin in f64.
pub fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| value.into()).collect()
}
