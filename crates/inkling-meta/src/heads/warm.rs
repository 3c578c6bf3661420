//! What tasks of a finite list have come to in one step, as the start of the next (Algorithm 2 of
//! Yang et al. 2025).

use inkling_gpu::{Allocate, Buffer, GpuError, Recorder, Slice};

use super::lower::values;
use crate::head::HeadTask;

/// A vector for each task of a step, `[tasks of a step, stride]`; zero before the first step.
#[derive(Debug)]
pub(super) struct Warm<B> {
    vectors: B,
    stride: u32,
}

impl<B> Warm<B> {
    pub(super) fn allocate<A: Allocate<Buffer = B>>(
        allocate: &mut A,
        name: &str,
        tasks: u32,
        stride: u32,
    ) -> Result<Self, GpuError> {
        Ok(Self { vectors: values(allocate, name, u64::from(tasks) * u64::from(stride))?, stride })
    }

    pub(super) fn buffer(&self) -> &B {
        &self.vectors
    }
}

impl Warm<Buffer> {
    /// Copies what the tasks of the pass have kept to the first rows of `vectors`; nothing, and
    /// `false`, for tasks without a place.
    pub(super) fn recall(&self, recorder: &mut Recorder, task: HeadTask, vectors: &Buffer) -> Result<bool, GpuError> {
        let Some(kept) = self.of(task)? else { return Ok(false) };
        recorder.copy(kept, vectors.slice(0, kept.bytes())?);
        Ok(true)
    }

    /// Keeps the first rows of `vectors` for the tasks of the pass, if they have a place.
    pub(super) fn keep(&self, recorder: &mut Recorder, task: HeadTask, vectors: &Buffer) -> Result<(), GpuError> {
        if let Some(kept) = self.of(task)? {
            recorder.copy(vectors.slice(0, kept.bytes())?, kept);
        }
        Ok(())
    }

    fn of(&self, task: HeadTask) -> Result<Option<Slice<'_>>, GpuError> {
        let Some(place) = task.place else { return Ok(None) };
        let row = 4 * u64::from(self.stride);
        self.vectors.slice(u64::from(place) * row, u64::from(task.tasks) * row).map(Some)
    }
}
