//! A device that another library works on as well: its handles, and copies to and from buffers
//! that are not ours. The ledger does not know of such buffers; their order with our own work is
//! that of submissions to the one queue.

use crate::device::{choose, instance};
use crate::{Gpu, GpuError, GpuOptions, Recorder, Slice};

/// Bindings begin at multiples of this many bytes, also where the adapter would allow less.
const OFFSET_ALIGNMENT: u32 = 256;

/// What a library needs that works on a device of ours.
#[derive(Clone, Debug)]
pub struct Handles {
    /// Where the adapter was found.
    pub instance: wgpu::Instance,
    /// The adapter.
    pub adapter: wgpu::Adapter,
    /// The device.
    pub device: wgpu::Device,
    /// Its queue.
    pub queue: wgpu::Queue,
}

impl Gpu {
    /// Opens an adapter as [`Gpu::new`] does, for use together with another library.
    ///
    /// The device has every feature of the adapter but the experimental ones, and its limits: such a
    /// library asks the adapter for what it may use, and must find it on the device. Only the offsets
    /// of bindings stay at multiples of 256 bytes, so that what the library makes can be bound by our
    /// kernels too.
    ///
    /// # Errors
    /// As [`Gpu::new`].
    pub async fn with_guest(options: &GpuOptions) -> Result<(Self, Handles), GpuError> {
        let instance = instance();
        let adapter = choose(&instance, options).await?;
        // Memory that the host maps for good is slow where it is not the host's own.
        let without = wgpu::Features::all_experimental_mask() | wgpu::Features::MAPPABLE_PRIMARY_BUFFERS;
        let features = adapter.features() - without;
        let mut limits = adapter.limits();
        limits.min_uniform_buffer_offset_alignment = limits.min_uniform_buffer_offset_alignment.max(OFFSET_ALIGNMENT);
        limits.min_storage_buffer_offset_alignment = limits.min_storage_buffer_offset_alignment.max(OFFSET_ALIGNMENT);
        let profile = options.profile && features.contains(wgpu::Features::TIMESTAMP_QUERY);
        let gpu = Self::open(&adapter, profile, (features, limits)).await?;
        let (device, queue) = (gpu.shared.device.clone(), gpu.shared.queue.clone());
        Ok((gpu, Handles { instance, adapter, device, queue }))
    }
}

impl Recorder {
    /// Copies a range to a foreign buffer of the same device, from `offset` on. Whatever its owner
    /// has recorded for that place must have been submitted before; [`Recorder::submit`] before the
    /// owner uses it.
    ///
    /// # Errors
    /// [`GpuError::Range`] where the range does not fit there, or does not begin and end at multiples
    /// of four.
    pub fn copy_to_guest(&mut self, from: Slice<'_>, to: &wgpu::Buffer, offset: u64) -> Result<(), GpuError> {
        check(from, to, offset)?;
        self.copies().copy_buffer_to_buffer(&from.buffer.raw, from.offset, to, offset, from.bytes);
        Ok(())
    }

    /// Copies from `offset` of a foreign buffer of the same device on, as many bytes as the range
    /// has. What its owner has recorded for that place must have been submitted before, and
    /// [`Recorder::submit`] before the owner uses it for something else.
    ///
    /// # Errors
    /// As [`Recorder::copy_to_guest`].
    pub fn copy_from_guest(&mut self, from: &wgpu::Buffer, offset: u64, to: Slice<'_>) -> Result<(), GpuError> {
        check(to, from, offset)?;
        self.copies().copy_buffer_to_buffer(from, offset, &to.buffer.raw, to.offset, to.bytes);
        Ok(())
    }
}

/// What a copy would be refused for later, without a name.
fn check(ours: Slice<'_>, theirs: &wgpu::Buffer, offset: u64) -> Result<(), GpuError> {
    let whole = [ours.offset, ours.bytes, offset].iter().all(|bytes| bytes.is_multiple_of(4));
    let fits = offset.checked_add(ours.bytes).is_some_and(|end| end <= theirs.size());
    if whole && fits {
        return Ok(());
    }
    Err(GpuError::Range {
        name: ours.buffer.name().to_owned(),
        bytes: ours.buffer.bytes(),
        what: format!(
            "{} bytes cannot be exchanged with offset {offset} of a foreign buffer of {} bytes",
            ours.bytes,
            theirs.size()
        ),
    })
}
