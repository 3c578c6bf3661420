//! MAML's way back through the inner steps, with λ_k = dL/dw_k in place of history:
//!   λ_k = λ_k+1 − H(w_k)(r ∘ λ_k+1)
//! where H is the Hessian of the support loss. The activations of step k are computed anew from
//! the stored w_k; λ, and the product that is added to it, share one buffer.

use inkling_gpu::Recorder;
use inkling_gpu::kernels::scale_by_rates;

use super::network::Adapting;
use crate::MetaError;

impl Adapting<'_> {
    /// Takes dL/dw_K in the pass's gradient back to dL/dθ, and adds up the gradient of learned
    /// rates. At first order λ stays as it is.
    pub(crate) async fn step_back(&self, recorder: &mut Recorder, second_order: bool) -> Result<(), MetaError> {
        let adjoint = &self.workspace.slope;
        if let Some(d_rates) = self.workspace.rates.as_ref().and_then(|rates| rates.d_rates.as_ref()) {
            recorder.clear(d_rates.slice(0, self.flat_bytes())?);
        }
        for step in (0..self.full.settings.inner_steps as usize).rev() {
            self.add_rate_gradient(recorder, step, adjoint)?;
            let Some(second) = self.workspace.second_order.as_ref().filter(|_| second_order) else { continue };
            self.restore(recorder, step)?;
            self.scale_into_direction(recorder)?;
            self.add_hessian_product(recorder, &second.direction, adjoint).await?;
            recorder.breathe().await?;
        }
        Ok(())
    }

    /// Puts the parameters where they were before step `step`.
    fn restore(&self, recorder: &mut Recorder, step: usize) -> Result<(), MetaError> {
        match step.checked_sub(1).and_then(|before| self.workspace.history.get(before)) {
            Some(kept) => recorder.copy(kept.slice(0, self.flat_bytes())?, self.workspace.parameters.all()),
            None => self.restart(recorder)?,
        }
        self.prepare(recorder)
    }

    /// direction = −r ∘ λ.
    fn scale_into_direction(&self, recorder: &mut Recorder) -> Result<(), MetaError> {
        let Some(second) = &self.workspace.second_order else { return Ok(()) };
        let learned = self.full.learns_rates();
        let params = scale_by_rates::Params {
            tasks: self.count(),
            length: self.full.stride,
            factor: if learned { -1.0 } else { -self.full.settings.inner_learning_rate },
            rates_per_element: u32::from(learned),
        };
        let buffers = scale_by_rates::Buffers {
            source: self.workspace.slope.slice(0, self.flat_bytes())?,
            rates: self.rates()?,
            destination: second.direction.slice(0, self.flat_bytes())?,
        };
        recorder.dispatch(params, buffers, u64::from(self.flat_elements()))?;
        Ok(())
    }
}
