//! The unrolled head (ANIL with a learned start, Raghu et al. 2020; ITD-BiO, Ji et al. 2021): the
//! gradient passes back through every inner step exactly. The history of w is kept, on the head
//! only; the embeddings are computed once.

use inkling_gpu::{Allocate, Buffer, GpuError, Recorder};

use super::lower::{Factors, Lower, values};
use crate::head::{HeadTask, HeadTensors};

/// dL/dw_k on its way back; the lower level's `d_weights` is the other of the pair.
#[derive(Debug)]
pub(super) struct Unrolled<B> {
    adjoint: B,
}

impl Unrolled<()> {
    pub(super) fn allocate<A: Allocate>(
        allocate: &mut A,
        tasks: u32,
        lower: &Lower<A::Buffer>,
    ) -> Result<Unrolled<A::Buffer>, GpuError> {
        Ok(Unrolled { adjoint: values(allocate, "adjoint", u64::from(tasks) * u64::from(lower.stride))? })
    }
}

impl Unrolled<Buffer> {
    /// From a_K = dL/dw_K back: dL/dE += −(rate/N) [(P_k − Y) aᵀ + P'_k(a) w_kᵀ], a ← a − rate H_k a.
    pub(super) async fn finish(
        &self,
        recorder: &mut Recorder,
        lower: &Lower<Buffer>,
        task: HeadTask,
        tensors: HeadTensors<'_>,
        rows: &Buffer,
        gradient: &Buffer,
    ) -> Result<(), GpuError> {
        let settings = lower.model.settings;
        let (rate, images) = (settings.inner_learning_rate, task.support as f32);
        let decay = rate * settings.ridge;
        let factors = Factors {
            keep: (1.0 - f64::from(rate) * f64::from(settings.ridge)) as f32,
            scale: -rate / images,
            pull: 0.0,
        };
        let (mut adjoint, mut next) = (&lower.d_weights, &self.adjoint);
        for k in (0..settings.inner_steps).rev() {
            let w = lower.iterate(k)?;
            lower.residual(recorder, task, tensors, w)?;
            lower.tangent(recorder, task, tensors, adjoint, (lower.everyone.all(), None))?;
            let keep = if k + 1 == settings.inner_steps { 0.0 } else { 1.0 };
            lower.rows(recorder, task, [keep, -rate / images], [adjoint, w], rows)?;
            if settings.proximal {
                lower.add_start_gradient(recorder, task, [decay, 0.0], [adjoint; 2], gradient)?;
            }
            lower.combine(recorder, task, tensors, &lower.tangents, factors, [adjoint, adjoint, next])?;
            (adjoint, next) = (next, adjoint);
            // With a rate too high the way back may overflow although the way there did not.
            lower.check(recorder, task, adjoint, true)?;
            recorder.breathe().await?;
        }
        lower.add_start_gradient(recorder, task, [1.0, 0.0], [adjoint; 2], gradient)?;
        // Clears the rows of a task whose last check failed.
        lower.rows(recorder, task, [1.0, 0.0], [adjoint, lower.iterate(0)?], rows)
    }
}
