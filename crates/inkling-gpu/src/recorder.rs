//! Records uploads, dispatches and copies, submits them in bounded pieces, and reads results back.

use std::sync::PoisonError;

use inkling_shaders::{Buffers, Params, Shader};

use crate::map::Mapping;
use crate::pace::Pace;
use crate::profile::Profiler;
use crate::staging::{Ring, SLOT_BYTES, SLOTS};
use crate::{Buffer, Bytes, Category, Gpu, GpuError, KernelTime, Slice};

/// Uniform offsets must be multiples of this on every adapter.
const UNIFORM_ALIGNMENT: u64 = 256;
/// Dispatches of one submission at most.
const UNIFORM_SLOTS: u64 = 512;
const UNIFORM_BYTES: u64 = UNIFORM_SLOTS * UNIFORM_ALIGNMENT;
/// Read-backs come in pieces of this many bytes.
const READBACK_BYTES: u64 = 256 << 10;
/// WebGPU's limit on workgroups in one dimension.
const MAX_WORKGROUPS: u64 = 65_535;

/// Counts of what a recorder has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecorderStats {
    /// Kernels launched.
    pub dispatches: u64,
    /// Command buffers handed to the device.
    pub submissions: u64,
    /// Bytes uploaded, uniform parameters excepted.
    pub uploaded_bytes: u64,
}

/// A stream of commands for the device.
///
/// Work runs in the order in which it is recorded. Where a submission is cut never changes
/// results. The staging ring, the uniform parameters and the read-back buffer belong to the
/// recorder and count in the ledger from its creation on ([`Recorder::planned_bytes`]).
#[derive(Debug)]
pub struct Recorder {
    gpu: Gpu,
    encoder: Option<wgpu::CommandEncoder>,
    pass: Option<wgpu::ComputePass<'static>>,
    ring: Ring,
    uniforms: Buffer,
    uniform_bytes: Vec<u8>,
    readback: Buffer,
    flops: f64,
    pace: Pace,
    stats: RecorderStats,
    profiler: Option<Profiler>,
    scope: u32,
}

impl Recorder {
    pub(crate) fn new(gpu: &Gpu) -> Result<Self, GpuError> {
        let ring = Ring::new(gpu)?;
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let uniforms = gpu.raw_buffer(Category::Staging, "uniforms", UNIFORM_BYTES, usage)?;
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let readback = gpu.raw_buffer(Category::Readback, "readback", READBACK_BYTES, usage)?;
        let profiler = gpu.shared.profile.then(|| Profiler::new(gpu)).transpose()?;
        Ok(Self {
            gpu: gpu.clone(),
            encoder: None,
            pass: None,
            ring,
            uniforms,
            uniform_bytes: Vec::new(),
            readback,
            flops: 0.0,
            pace: Pace::of(gpu.tier()),
            stats: RecorderStats::default(),
            profiler,
            scope: 0,
        })
    }

    /// The bytes that every recorder holds from its creation on: what plans must count.
    pub fn planned_bytes() -> Bytes {
        let mut bytes = Bytes::default();
        bytes.add(Category::Staging, SLOTS as u64 * SLOT_BYTES + UNIFORM_BYTES);
        bytes.add(Category::Readback, READBACK_BYTES);
        bytes
    }

    /// The device that the commands are for.
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// What was recorded so far.
    pub fn stats(&self) -> RecorderStats {
        self.stats
    }

    /// Launches a kernel with at least `invocations` invocations; none when zero.
    ///
    /// # Errors
    /// [`GpuError::Range`] when a slice cannot be bound, [`GpuError::Validation`] when more than
    /// 512 launches are recorded without a [`Recorder::breathe`].
    pub fn dispatch<'b, B: Buffers<Slice<'b>>>(
        &mut self,
        params: B::Params,
        buffers: B,
        invocations: u64,
    ) -> Result<(), GpuError> {
        if invocations == 0 {
            return Ok(());
        }
        let shader = <B::Params as Params>::shader();
        let [x, y, z] = shader.workgroup_size;
        let workgroups = invocations.div_ceil(u64::from(x * y * z));
        let rows = workgroups.div_ceil(MAX_WORKGROUPS);
        let columns = workgroups.div_ceil(rows);
        self.launch(shader, params.bytes().as_ref(), buffers.into_array())?.dispatch_workgroups(
            columns as u32,
            rows as u32,
            1,
        );
        self.end_launch();
        Ok(())
    }

    /// Launches a kernel with as many workgroups as three 32-bit values of `arguments` say (along
    /// x, y and z, each at most 65,535) when the device comes to it; none when one is zero.
    ///
    /// `arguments` must not belong to a buffer that the kernel binds.
    ///
    /// # Errors
    /// As [`Recorder::dispatch`]; [`GpuError::Range`] for arguments shorter than 12 bytes, at an
    /// offset that is not a multiple of four, or in a buffer that the kernel binds.
    pub fn dispatch_indirect<'b, B: Buffers<Slice<'b>>>(
        &mut self,
        params: B::Params,
        buffers: B,
        arguments: Slice<'_>,
    ) -> Result<(), GpuError> {
        let shader = <B::Params as Params>::shader();
        let slices: Vec<_> = buffers.into_array().into_iter().collect();
        let bound = slices.iter().any(|slice| slice.buffer.id == arguments.buffer.id);
        if bound || arguments.bytes < 12 || !arguments.offset.is_multiple_of(4) {
            return Err(GpuError::Range {
                name: arguments.buffer.name().to_owned(),
                bytes: arguments.buffer.bytes(),
                what: format!(
                    "{} cannot take its workgroups from {} bytes at offset {}{}",
                    shader.stem,
                    arguments.bytes,
                    arguments.offset,
                    if bound { ", which it binds," } else { "" }
                ),
            });
        }
        self.launch(shader, params.bytes().as_ref(), slices)?
            .dispatch_workgroups_indirect(&arguments.buffer.raw, arguments.offset);
        self.end_launch();
        Ok(())
    }

    /// A pass in which the kernel with its parameters and buffers is ready to run.
    fn launch<'b>(
        &mut self,
        shader: &'static Shader,
        params: &[u8],
        slices: impl IntoIterator<Item = Slice<'b>>,
    ) -> Result<&mut wgpu::ComputePass<'static>, GpuError> {
        let offset = self.uniform_bytes.len() as u64;
        if offset + UNIFORM_ALIGNMENT > UNIFORM_BYTES {
            return Err(GpuError::Validation(format!(
                "more than {UNIFORM_SLOTS} launches in one submission (at {})",
                shader.stem
            )));
        }
        self.uniform_bytes.extend_from_slice(params);
        self.uniform_bytes.resize((offset + UNIFORM_ALIGNMENT) as usize, 0);

        let pipeline = self.gpu.shared.pipelines.get(&self.gpu.shared.device, shader);
        let group = self.bind_group(shader, &pipeline.layout, slices.into_iter().collect())?;
        let pass = self.pass(shader.stem);
        pass.set_pipeline(&pipeline.raw);
        pass.set_bind_group(0, &group, &[offset as u32]);
        Ok(pass)
    }

    /// Counts a launch; a profiler times each in a pass of its own.
    fn end_launch(&mut self) {
        self.stats.dispatches += 1;
        if self.profiler.is_some() {
            self.pass = None;
        }
    }

    fn bind_group(
        &self,
        shader: &'static Shader,
        layout: &wgpu::BindGroupLayout,
        slices: Vec<Slice<'_>>,
    ) -> Result<wgpu::BindGroup, GpuError> {
        let key = slices.iter().map(|slice| (slice.buffer.id, slice.offset, slice.bytes)).collect();
        let shared = &self.gpu.shared;
        let mut groups = shared.bind_groups.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(group) = groups.get(&(shader.stem, key)) {
            return Ok(group.clone());
        }
        let key = slices.iter().map(|slice| (slice.buffer.id, slice.offset, slice.bytes)).collect();
        let mut entries = vec![binding(0, &self.uniforms, 0, u64::from(shader.params_bytes))];
        for (index, slice) in (1..).zip(&slices) {
            check_bindable(shader, slice)?;
            entries.push(binding(index, slice.buffer, slice.offset, slice.bytes));
        }
        let group = shared.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(shader.stem),
            layout,
            entries: &entries,
        });
        groups.insert((shader.stem, key), group.clone());
        Ok(group)
    }

    fn pass(&mut self, stem: &'static str) -> &mut wgpu::ComputePass<'static> {
        let encoder = open(&self.gpu, &mut self.encoder);
        let (profiler, scope) = (&mut self.profiler, self.scope);
        self.pass.get_or_insert_with(|| {
            let descriptor = wgpu::ComputePassDescriptor {
                label: None,
                timestamp_writes: profiler.as_mut().and_then(|profiler| profiler.next(scope, stem)),
            };
            encoder.begin_compute_pass(&descriptor).forget_lifetime()
        })
    }

    /// An encoder outside of any pass, for copies.
    pub(crate) fn copies(&mut self) -> &mut wgpu::CommandEncoder {
        self.pass = None;
        open(&self.gpu, &mut self.encoder)
    }

    /// Sets a range to zero.
    pub fn clear(&mut self, slice: Slice<'_>) {
        self.copies().clear_buffer(&slice.buffer.raw, slice.offset, Some(slice.bytes));
    }

    /// Copies a range; the shorter length counts.
    pub fn copy(&mut self, from: Slice<'_>, to: Slice<'_>) {
        let bytes = from.bytes.min(to.bytes);
        let encoder = self.copies();
        encoder.copy_buffer_to_buffer(&from.buffer.raw, from.offset, &to.buffer.raw, to.offset, bytes);
    }

    /// Copies host bytes to the start of a range, through the staging ring; a length that is not a
    /// multiple of four is padded with zeros.
    ///
    /// # Errors
    /// [`GpuError::Range`] when the bytes are more than the range holds; device errors.
    pub async fn upload(&mut self, to: Slice<'_>, bytes: &[u8]) -> Result<(), GpuError> {
        if (bytes.len() as u64).next_multiple_of(4) > to.bytes {
            return Err(GpuError::Range {
                name: to.buffer.name().to_owned(),
                bytes: to.bytes,
                what: format!("an upload of {} bytes is larger than the range", bytes.len()),
            });
        }
        let mut done = 0;
        while done < bytes.len() {
            // The slot must keep room for the uniform parameters of its submission.
            let room = self.ring.room().saturating_sub(UNIFORM_BYTES + 16) & !15;
            if room == 0 {
                self.submit().await?;
                continue;
            }
            self.ring.open(&self.gpu).await?;
            let piece = &bytes[done..bytes.len().min(done + room as usize)];
            self.pass = None;
            let encoder = open(&self.gpu, &mut self.encoder);
            let (staging, offset) = self.ring.write(piece)?;
            let length = (piece.len() as u64).next_multiple_of(4);
            encoder.copy_buffer_to_buffer(staging, offset, &to.buffer.raw, to.offset + done as u64, length);
            done += piece.len();
        }
        self.stats.uploaded_bytes += bytes.len() as u64;
        Ok(())
    }

    /// Uploads 32-bit values; see [`Recorder::upload`].
    ///
    /// # Errors
    /// As [`Recorder::upload`].
    pub async fn upload_values<T: bytemuck::NoUninit>(&mut self, to: Slice<'_>, values: &[T]) -> Result<(), GpuError> {
        self.upload(to, bytemuck::cast_slice(values)).await
    }

    /// Says how much arithmetic was recorded, so that [`Recorder::breathe`] can bound submissions.
    pub fn work(&mut self, flops: f64) {
        self.flops += flops;
    }

    /// Submits when enough work is pending; call between layers.
    ///
    /// # Errors
    /// As [`Recorder::submit`].
    pub async fn breathe(&mut self) -> Result<(), GpuError> {
        let full = self.uniform_bytes.len() as u64 > UNIFORM_BYTES / 2;
        if full || self.pace.is_reached(self.flops) {
            self.submit().await?;
        }
        Ok(())
    }

    /// Hands everything recorded to the device.
    ///
    /// # Errors
    /// Whatever the device reported since it was opened.
    pub async fn submit(&mut self) -> Result<(), GpuError> {
        self.pass = None;
        let flops = std::mem::take(&mut self.flops);
        let Some(mut encoder) = self.encoder.take() else {
            return self.gpu.check();
        };
        if self.pace.takes_turns() {
            // Recorded while the last one ran.
            self.ring.settle(&self.gpu).await?;
            self.pace.ended();
        }
        self.ring.open(&self.gpu).await?;
        let device = &self.gpu.shared.device;
        let mut uploads = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        if !self.uniform_bytes.is_empty() {
            let length = self.uniform_bytes.len() as u64;
            let (staging, offset) = self.ring.write(&self.uniform_bytes)?;
            uploads.copy_buffer_to_buffer(staging, offset, &self.uniforms.raw, 0, length);
            self.uniform_bytes.clear();
        }
        if let Some(profiler) = &self.profiler {
            profiler.resolve(&mut encoder);
        }
        self.ring.close();
        self.gpu.shared.queue.submit([uploads.finish(), encoder.finish()]);
        self.ring.advance();
        self.pace.submitted(flops);
        self.stats.submissions += 1;
        if let Some(profiler) = &mut self.profiler {
            profiler.collect(&self.gpu).await?;
        }
        // A poll runs the callbacks of finished submissions; it does not wait.
        let _ = self.gpu.shared.device.poll(wgpu::PollType::Poll);
        self.gpu.check()
    }

    /// Submits everything and reads a range of 32-bit values.
    ///
    /// # Errors
    /// Device errors.
    pub async fn read<T: bytemuck::AnyBitPattern>(&mut self, slice: Slice<'_>) -> Result<Vec<T>, GpuError> {
        let mut values = Vec::with_capacity((slice.bytes / 4) as usize);
        let mut done = 0;
        while done < slice.bytes {
            let length = (slice.bytes - done).min(READBACK_BYTES);
            self.pass = None;
            let encoder = open(&self.gpu, &mut self.encoder);
            let from = &slice.buffer.raw;
            encoder.copy_buffer_to_buffer(from, slice.offset + done, &self.readback.raw, 0, length);
            self.submit().await?;
            Mapping::start(&self.readback.raw, wgpu::MapMode::Read).wait(&self.gpu.shared).await?;
            let view = self
                .readback
                .raw
                .get_mapped_range(..length)
                .map_err(|error| GpuError::Validation(error.to_string()))?;
            // The mapping's alignment is the driver's business, so values are copied one by one.
            values.extend(view.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned::<T>));
            drop(view);
            self.readback.raw.unmap();
            done += length;
        }
        Ok(values)
    }

    /// Submits everything and waits until the device has done it.
    ///
    /// # Errors
    /// Device errors.
    pub async fn finish(&mut self) -> Result<(), GpuError> {
        self.copies();
        self.submit().await?;
        let mapping = Mapping::start(&self.readback.raw, wgpu::MapMode::Read);
        mapping.wait(&self.gpu.shared).await?;
        self.readback.raw.unmap();
        Ok(())
    }

    /// What follows counts under this number in [`Recorder::scope_millis`].
    pub fn scope(&mut self, scope: u32) {
        self.scope = scope;
    }

    /// Milliseconds spent in each scope so far, by number; empty unless the device profiles.
    pub fn scope_millis(&self) -> Vec<(u32, f64)> {
        self.profiler.as_ref().map(Profiler::scope_millis).unwrap_or_default()
    }

    /// Forgets the times so far.
    pub fn reset_times(&mut self) {
        if let Some(profiler) = &mut self.profiler {
            profiler.reset();
        }
    }

    /// Time spent in each kernel so far, slowest first; empty unless the device profiles.
    pub fn kernel_times(&self) -> Vec<KernelTime> {
        self.profiler.as_ref().map(Profiler::times).unwrap_or_default()
    }
}

fn binding(index: u32, buffer: &Buffer, offset: u64, bytes: u64) -> wgpu::BindGroupEntry<'_> {
    let resource = wgpu::BufferBinding { buffer: &buffer.raw, offset, size: std::num::NonZeroU64::new(bytes) };
    wgpu::BindGroupEntry { binding: index, resource: wgpu::BindingResource::Buffer(resource) }
}

/// The open encoder, or a new one.
fn open<'e>(gpu: &Gpu, encoder: &'e mut Option<wgpu::CommandEncoder>) -> &'e mut wgpu::CommandEncoder {
    let device = &gpu.shared.device;
    encoder.get_or_insert_with(|| device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default()))
}

fn check_bindable(shader: &Shader, slice: &Slice<'_>) -> Result<(), GpuError> {
    if slice.offset.is_multiple_of(256) && slice.bytes > 0 && slice.bytes.is_multiple_of(4) {
        return Ok(());
    }
    Err(GpuError::Range {
        name: slice.buffer.name().to_owned(),
        bytes: slice.buffer.bytes(),
        what: format!("{} cannot bind {} bytes at offset {}", shader.stem, slice.bytes, slice.offset),
    })
}
