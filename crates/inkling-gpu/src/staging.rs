//! The ring of host-visible buffers that every upload passes through, so that none hides from the
//! ledger.

use crate::map::Mapping;
use crate::{Buffer, Category, Gpu, GpuError};

/// Buffers in the ring, and so the submissions in flight.
pub(crate) const SLOTS: usize = 3;
/// Bytes of one slot.
pub(crate) const SLOT_BYTES: u64 = 1 << 20;

#[derive(Debug)]
enum State {
    Mapped,
    InFlight(Mapping),
}

#[derive(Debug)]
struct Slot {
    buffer: Buffer,
    state: State,
}

/// The ring; one slot at a time is open for writing.
#[derive(Debug)]
pub(crate) struct Ring {
    slots: Vec<Slot>,
    current: usize,
    used: u64,
}

impl Ring {
    pub(crate) fn new(gpu: &Gpu) -> Result<Self, GpuError> {
        let mut slots = Vec::with_capacity(SLOTS);
        for index in 0..SLOTS {
            let usage = wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC;
            let buffer = gpu.raw_buffer(Category::Staging, &format!("staging.{index}"), SLOT_BYTES, usage)?;
            let mapping = Mapping::start(&buffer.raw, wgpu::MapMode::Write);
            slots.push(Slot { buffer, state: State::InFlight(mapping) });
        }
        Ok(Self { slots, current: 0, used: 0 })
    }

    /// Bytes that the open slot still takes.
    pub(crate) fn room(&self) -> u64 {
        SLOT_BYTES - self.used
    }

    /// Waits until the open slot may be written.
    pub(crate) async fn open(&mut self, gpu: &Gpu) -> Result<(), GpuError> {
        self.wait_for(self.current, gpu).await
    }

    /// Waits until the last submission has ended.
    pub(crate) async fn settle(&mut self, gpu: &Gpu) -> Result<(), GpuError> {
        self.wait_for((self.current + SLOTS - 1) % SLOTS, gpu).await
    }

    async fn wait_for(&mut self, index: usize, gpu: &Gpu) -> Result<(), GpuError> {
        if let Some(slot) = self.slots.get_mut(index)
            && let State::InFlight(mapping) = std::mem::replace(&mut slot.state, State::Mapped)
        {
            mapping.wait(&gpu.shared).await?;
        }
        Ok(())
    }

    /// Writes into the open slot, which must have room; gives the place to copy from.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(&wgpu::Buffer, u64), GpuError> {
        let (offset, length) = (self.used, (bytes.len() as u64).next_multiple_of(4));
        let Some(slot) = self.slots.get(self.current) else {
            return Err(GpuError::Validation("the staging ring has no slot".into()));
        };
        let mut view = slot
            .buffer
            .raw
            .get_mapped_range_mut(offset..offset + length)
            .map_err(|error| GpuError::Validation(error.to_string()))?;
        view.slice(..bytes.len()).copy_from_slice(bytes);
        if bytes.len() as u64 != length {
            let padding = [0_u8; 4];
            let count = length as usize - bytes.len();
            view.slice(bytes.len()..).copy_from_slice(&padding[..count]);
        }
        drop(view);
        // Copies need offsets that are multiples of four; the ring keeps to 16.
        self.used = (offset + length).next_multiple_of(16).min(SLOT_BYTES);
        Ok((&slot.buffer.raw, offset))
    }

    /// Hands the open slot to the device; call before the submission that copies from it.
    pub(crate) fn close(&mut self) {
        if let Some(slot) = self.slots.get(self.current) {
            slot.buffer.raw.unmap();
        }
    }

    /// Asks for the closed slot back and opens the next; call after the submission.
    pub(crate) fn advance(&mut self) {
        if let Some(slot) = self.slots.get_mut(self.current) {
            slot.state = State::InFlight(Mapping::start(&slot.buffer.raw, wgpu::MapMode::Write));
        }
        self.current = (self.current + 1) % SLOTS;
        self.used = 0;
    }
}
