//! Rates of the inner steps: where kernels find them, and their gradient where they are learned.

use inkling_gpu::kernels::{expand_rates, rate_gradient, sum_slices, sum_tasks};
use inkling_gpu::{Buffer, Recorder, Slice};

use super::network::Adapting;
use crate::MetaError;

/// Invocations that take one tensor together.
const TENSOR_INVOCATIONS: u64 = 64;

impl<'l> Adapting<'l> {
    fn vector_bytes(&self) -> u64 {
        4 * u64::from(self.full.stride)
    }

    /// θ, `[stride]`.
    pub(crate) fn start(&self) -> Result<Slice<'l>, MetaError> {
        Ok(self.workspace.common.parameters.slice(0, self.vector_bytes())?)
    }

    /// The learned rate of every element, `[stride]`. Without learned rates kernels do not read it.
    pub(crate) fn rates(&self) -> Result<Slice<'l>, MetaError> {
        match &self.workspace.rates {
            Some(rates) => match &rates.spread {
                Some(spread) => Ok(spread.rates.all()),
                None => Ok(self.workspace.common.parameters.slice(self.vector_bytes(), self.vector_bytes())?),
            },
            None => self.start(),
        }
    }

    /// Makes the rates of all elements of those of tensors.
    pub(crate) fn spread_rates(&self, recorder: &mut Recorder) -> Result<(), MetaError> {
        let Some(spread) = self.workspace.rates.as_ref().and_then(|rates| rates.spread.as_ref()) else {
            return Ok(());
        };
        let slices = self.full.tensors.len() as u32;
        let params = expand_rates::Params { slices, first: self.full.stride };
        let buffers = expand_rates::Buffers {
            table: spread.table.all(),
            values: self.workspace.common.parameters.all(),
            rates: spread.rates.all(),
        };
        recorder.dispatch(params, buffers, TENSOR_INVOCATIONS * u64::from(slices))?;
        Ok(())
    }

    /// Step `step` moved by −r∘g: what dL/dw behind it says about r.
    pub(crate) fn add_rate_gradient(
        &self,
        recorder: &mut Recorder,
        step: usize,
        adjoint: &Buffer,
    ) -> Result<(), MetaError> {
        let Some(rates) = &self.workspace.rates else { return Ok(()) };
        let (Some(slope), Some(d_rates)) = (rates.slopes.get(step), &rates.d_rates) else { return Ok(()) };
        let params = rate_gradient::Params { length: self.flat_elements() };
        let bytes = self.flat_bytes();
        let buffers = rate_gradient::Buffers {
            adjoint: adjoint.slice(0, bytes)?,
            gradient: slope.slice(0, bytes)?,
            d_rates: d_rates.slice(0, bytes)?,
        };
        recorder.dispatch(params, buffers, u64::from(self.flat_elements()))?;
        Ok(())
    }

    /// Adds the gradient of the rates to the step's.
    pub(crate) fn sum_rate_gradients(&self, recorder: &mut Recorder, gradient: &Buffer) -> Result<(), MetaError> {
        let Some(rates) = &self.workspace.rates else { return Ok(()) };
        let Some(d_rates) = &rates.d_rates else { return Ok(()) };
        let Some(spread) = &rates.spread else {
            return self.sum_tasks(
                recorder,
                d_rates,
                (1.0, 0.0),
                gradient.slice(self.vector_bytes(), self.vector_bytes())?,
            );
        };
        let Some(summed) = &spread.d_rates else { return Ok(()) };
        recorder.clear(summed.all());
        self.sum_tasks(recorder, d_rates, (1.0, 0.0), summed.all())?;
        let slices = self.full.tensors.len() as u32;
        let params = sum_slices::Params { slices, first: self.full.stride };
        let buffers = sum_slices::Buffers { table: spread.table.all(), vector: summed.all(), sums: gradient.all() };
        recorder.dispatch(params, buffers, TENSOR_INVOCATIONS * u64::from(slices))?;
        Ok(())
    }

    /// `sum` += Σ factor · (x_t − anchor · θ) over the tasks that did not fail.
    pub(crate) fn sum_tasks(
        &self,
        recorder: &mut Recorder,
        vectors: &Buffer,
        (factor, anchor): (f32, f32),
        sum: Slice<'_>,
    ) -> Result<(), MetaError> {
        let (tasks, length) = (self.count(), self.full.stride);
        let params = sum_tasks::Params { tasks, length, first_task: self.first_task, factor, anchor };
        let buffers = sum_tasks::Buffers {
            vectors: vectors.slice(0, self.flat_bytes())?,
            start: self.start()?,
            status: self.workspace.status.all(),
            sum,
        };
        recorder.dispatch(params, buffers, u64::from(length))?;
        Ok(())
    }
}
