//! A plan lists every buffer before anything is allocated. What needs buffers is built by code
//! that is generic over [`Allocate`]: run with a [`Plan`] it lists them, run with a [`Gpu`] it
//! makes them, so that the two cannot differ.

use crate::device::storage_bytes;
use crate::{Buffer, Bytes, Category, Gpu, GpuError};

/// Whatever hands out buffers: a device, or a plan that only writes them down.
pub trait Allocate {
    /// A buffer, or its stand-in.
    type Buffer;

    /// A buffer of `bytes`, rounded up as [`storage_bytes`] does.
    ///
    /// # Errors
    /// Those of [`Gpu::buffer`]; a plan has none.
    fn buffer(&mut self, category: Category, name: &str, bytes: u64) -> Result<Self::Buffer, GpuError>;

    /// A buffer of `elements` 32-bit values.
    ///
    /// # Errors
    /// As [`Allocate::buffer`].
    fn values(&mut self, category: Category, name: &str, elements: u64) -> Result<Self::Buffer, GpuError> {
        self.buffer(category, name, 4 * elements)
    }
}

impl Allocate for Gpu {
    type Buffer = Buffer;

    fn buffer(&mut self, category: Category, name: &str, bytes: u64) -> Result<Buffer, GpuError> {
        Gpu::buffer(self, category, name, bytes)
    }
}

/// One buffer of a plan. It lives from the start of a run to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedBuffer {
    /// What it is for.
    pub category: Category,
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

/// A list of buffers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    buffers: Vec<PlannedBuffer>,
}

impl Plan {
    /// The buffers in the order of their allocation.
    pub fn buffers(&self) -> &[PlannedBuffer] {
        &self.buffers
    }

    /// Bytes by category.
    pub fn bytes(&self) -> Bytes {
        let mut bytes = Bytes::default();
        for buffer in &self.buffers {
            bytes.add(buffer.category, buffer.bytes);
        }
        bytes
    }

    /// The largest buffer.
    pub fn largest(&self) -> Option<&PlannedBuffer> {
        self.buffers.iter().max_by_key(|buffer| buffer.bytes)
    }
}

/// A planned buffer has no memory behind it.
#[derive(Clone, Copy, Debug)]
pub struct Unallocated;

impl Allocate for Plan {
    type Buffer = Unallocated;

    fn buffer(&mut self, category: Category, name: &str, bytes: u64) -> Result<Unallocated, GpuError> {
        self.buffers.push(PlannedBuffer { category, name: name.to_owned(), bytes: storage_bytes(bytes) });
        Ok(Unallocated)
    }
}
