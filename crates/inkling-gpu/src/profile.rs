//! Times every dispatch with timestamps at pass boundaries.

use std::collections::HashMap;

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
    stems: Vec<&'static str>,
    totals: HashMap<&'static str, (u64, f64)>,
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
            stems: Vec::new(),
            totals: HashMap::new(),
            nanos_per_tick: f64::from(gpu.shared.queue.get_timestamp_period()),
        })
    }

    pub(crate) fn next(&mut self, stem: &'static str) -> Option<wgpu::ComputePassTimestampWrites<'_>> {
        let index = self.stems.len() as u32;
        if index >= PASSES {
            return None;
        }
        self.stems.push(stem);
        Some(wgpu::ComputePassTimestampWrites {
            query_set: &self.queries,
            beginning_of_pass_write_index: Some(2 * index),
            end_of_pass_write_index: Some(2 * index + 1),
        })
    }

    pub(crate) fn resolve(&self, encoder: &mut wgpu::CommandEncoder) {
        let count = self.stems.len() as u32 * 2;
        if count > 0 {
            encoder.resolve_query_set(&self.queries, 0..count, &self.resolved.raw, 0);
            encoder.copy_buffer_to_buffer(&self.resolved.raw, 0, &self.readback.raw, 0, u64::from(count) * 8);
        }
    }

    pub(crate) async fn collect(&mut self, gpu: &Gpu) -> Result<(), GpuError> {
        if self.stems.is_empty() {
            return Ok(());
        }
        Mapping::start(&self.readback.raw, wgpu::MapMode::Read).wait(&gpu.shared).await?;
        let bytes = self.stems.len() as u64 * 16;
        let view =
            self.readback.raw.get_mapped_range(..bytes).map_err(|error| GpuError::Validation(error.to_string()))?;
        for (stem, pair) in self.stems.drain(..).zip(view.chunks_exact(16)) {
            let [begin, end]: [u64; 2] = bytemuck::pod_read_unaligned(pair);
            let total = self.totals.entry(stem).or_default();
            total.0 += 1;
            total.1 += end.saturating_sub(begin) as f64 * self.nanos_per_tick * 1e-6;
        }
        drop(view);
        self.readback.raw.unmap();
        Ok(())
    }

    pub(crate) fn times(&self) -> Vec<KernelTime> {
        let mut times: Vec<_> =
            self.totals.iter().map(|(&stem, &(launches, millis))| KernelTime { stem, launches, millis }).collect();
        times.sort_by(|a, b| b.millis.total_cmp(&a.millis).then(a.stem.cmp(b.stem)));
        times
    }
}
