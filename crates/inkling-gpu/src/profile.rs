//! Times every dispatch with timestamps at pass boundaries.

use std::collections::{BTreeMap, HashMap};

use crate::map::Mapping;
use crate::{Buffer, Category, Gpu, GpuError};

/// Passes of one submission at most; later ones go untimed.
const PASSES: u32 = 1024;

/// The time that one kernel took over a run.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelTime {
    /// The shader's stem.
    pub stem: &'static str,
    /// Launches.
    pub launches: u64,
    /// Milliseconds of all launches together.
    pub millis: f64,
}

#[derive(Debug)]
pub(crate) struct Profiler {
    queries: wgpu::QuerySet,
    resolved: Buffer,
    readback: Buffer,
    /// Of the submission being recorded: scope and stem of each pass.
    passes: Vec<(u32, &'static str)>,
    totals: HashMap<(u32, &'static str), (u64, f64)>,
    nanos_per_tick: f64,
}

impl Profiler {
    pub(crate) fn new(gpu: &Gpu) -> Result<Self, GpuError> {
        let bytes = u64::from(PASSES) * 16;
        let queries = gpu.shared.device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("profile"),
            ty: wgpu::QueryType::Timestamp,
            count: PASSES * 2,
        });
        let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
        let resolved = gpu.raw_buffer(Category::Readback, "profile.resolved", bytes, usage)?;
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let readback = gpu.raw_buffer(Category::Readback, "profile.readback", bytes, usage)?;
        Ok(Self {
            queries,
            resolved,
            readback,
            passes: Vec::new(),
            totals: HashMap::new(),
            nanos_per_tick: f64::from(gpu.shared.queue.get_timestamp_period()),
        })
    }

    pub(crate) fn next(&mut self, scope: u32, stem: &'static str) -> Option<wgpu::ComputePassTimestampWrites<'_>> {
        let index = self.passes.len() as u32;
        if index >= PASSES {
            return None;
        }
        self.passes.push((scope, stem));
        Some(wgpu::ComputePassTimestampWrites {
            query_set: &self.queries,
            beginning_of_pass_write_index: Some(2 * index),
            end_of_pass_write_index: Some(2 * index + 1),
        })
    }

    pub(crate) fn resolve(&self, encoder: &mut wgpu::CommandEncoder) {
        let count = self.passes.len() as u32 * 2;
        if count > 0 {
            encoder.resolve_query_set(&self.queries, 0..count, &self.resolved.raw, 0);
            encoder.copy_buffer_to_buffer(&self.resolved.raw, 0, &self.readback.raw, 0, u64::from(count) * 8);
        }
    }

    pub(crate) async fn collect(&mut self, gpu: &Gpu) -> Result<(), GpuError> {
        if self.passes.is_empty() {
            return Ok(());
        }
        Mapping::start(&self.readback.raw, wgpu::MapMode::Read).wait(&gpu.shared).await?;
        let bytes = self.passes.len() as u64 * 16;
        let view =
            self.readback.raw.get_mapped_range(..bytes).map_err(|error| GpuError::Validation(error.to_string()))?;
        for (pass, pair) in self.passes.drain(..).zip(view.chunks_exact(16)) {
            let [begin, end]: [u64; 2] = bytemuck::pod_read_unaligned(pair);
            let total = self.totals.entry(pass).or_default();
            total.0 += 1;
            total.1 += end.saturating_sub(begin) as f64 * self.nanos_per_tick * 1e-6;
        }
        drop(view);
        self.readback.raw.unmap();
        Ok(())
    }

    pub(crate) fn times(&self) -> Vec<KernelTime> {
        let mut by_stem: HashMap<&'static str, KernelTime> = HashMap::new();
        for (&(_, stem), &(launches, millis)) in &self.totals {
            let time = by_stem.entry(stem).or_insert(KernelTime { stem, launches: 0, millis: 0.0 });
            time.launches += launches;
            time.millis += millis;
        }
        let mut times: Vec<_> = by_stem.into_values().collect();
        times.sort_by(|a, b| b.millis.total_cmp(&a.millis).then(a.stem.cmp(b.stem)));
        times
    }

    /// Milliseconds by scope, in the order of their numbers.
    pub(crate) fn scope_millis(&self) -> Vec<(u32, f64)> {
        let mut by_scope = BTreeMap::new();
        for (&(scope, _), &(_, millis)) in &self.totals {
            *by_scope.entry(scope).or_insert(0.0) += millis;
        }
        by_scope.into_iter().collect()
    }

    pub(crate) fn reset(&mut self) {
        self.totals.clear();
    }
}
