//! A device buffer that the ledger knows.

use std::sync::Arc;

use crate::device::Shared;
use crate::{Category, GpuError};

/// Device memory with a name and a category; dropping it frees the bytes.
#[derive(Debug)]
pub struct Buffer {
    pub(crate) raw: wgpu::Buffer,
    pub(crate) id: u64,
    name: String,
    category: Category,
    shared: Arc<Shared>,
}

impl Buffer {
    pub(crate) fn new(shared: &Arc<Shared>, raw: wgpu::Buffer, category: Category, name: &str) -> Self {
        shared.ledger.add(category, raw.size());
        Self { id: shared.next_id(), raw, name: name.to_owned(), category, shared: Arc::clone(shared) }
    }

    /// What the buffer holds.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its size.
    pub fn bytes(&self) -> u64 {
        self.raw.size()
    }

    /// The whole buffer.
    pub fn all(&self) -> Slice<'_> {
        Slice { buffer: self, offset: 0, bytes: self.bytes() }
    }

    /// `bytes` from `offset` on.
    ///
    /// # Errors
    /// [`GpuError::Range`] when the range ends beyond the buffer.
    pub fn slice(&self, offset: u64, bytes: u64) -> Result<Slice<'_>, GpuError> {
        match offset.checked_add(bytes) {
            Some(end) if end <= self.bytes() => Ok(Slice { buffer: self, offset, bytes }),
            _ => Err(GpuError::Range {
                name: self.name.clone(),
                bytes: self.bytes(),
                what: format!("{bytes} bytes from {offset} on reach beyond the end"),
            }),
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.shared.forget_buffer(self.id);
        self.shared.ledger.subtract(self.category, self.raw.size());
        self.raw.destroy();
    }
}

/// A range of a buffer. As a binding its offset must be a multiple of 256.
#[derive(Clone, Copy, Debug)]
pub struct Slice<'a> {
    pub(crate) buffer: &'a Buffer,
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
}

impl Slice<'_> {
    /// The length in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}
