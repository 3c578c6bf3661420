//! The inner loop: K gradient steps on the whole support from the common start, and the mark for
//! tasks that left the finite numbers on the way.

use inkling_gpu::kernels::{broadcast_tasks, count_not_finite, inner_step, task_status};
use inkling_gpu::{Buffer, Recorder};

use super::network::Adapting;
use super::status::TaskStatus;
use super::workspace::CHECK_BLOCK;
use crate::MetaError;

/// Invocations that combine the blocks of one task.
const STATUS_INVOCATIONS: u64 = 64;

impl Adapting<'_> {
    /// Adapts every task: w_K ends in the pass's parameters. With `keeps` what the way back needs
    /// of the way there is stored.
    pub(crate) async fn adapt(&self, recorder: &mut Recorder, keeps: bool) -> Result<(), MetaError> {
        if let Some(settings) = self.full.settings.kind.fine_tune() {
            return self.fine_tune(recorder, settings).await;
        }
        let workspace = self.workspace;
        let bytes = self.flat_bytes();
        self.spread_rates(recorder)?;
        self.restart(recorder)?;
        for step in 0..self.full.settings.inner_steps as usize {
            self.prepare(recorder)?;
            self.support_gradient(recorder, &workspace.slope).await?;
            if keeps && let Some(slope) = workspace.rates.as_ref().and_then(|rates| rates.slopes.get(step)) {
                recorder.copy(workspace.slope.slice(0, bytes)?, slope.all());
            }
            self.step(recorder)?;
            if keeps && let Some(kept) = workspace.history.get(step) {
                recorder.copy(workspace.parameters.slice(0, bytes)?, kept.all());
            }
            recorder.breathe().await?;
        }
        self.mark(recorder, &workspace.parameters, TaskStatus::InnerLoop)?;
        self.prepare(recorder)
    }

    /// Puts every task at the start.
    pub(crate) fn restart(&self, recorder: &mut Recorder) -> Result<(), MetaError> {
        let params = broadcast_tasks::Params { tasks: self.count(), length: self.full.stride };
        let buffers = broadcast_tasks::Buffers {
            source: self.start()?,
            destination: self.workspace.parameters.slice(0, self.flat_bytes())?,
        };
        recorder.dispatch(params, buffers, u64::from(self.flat_elements()))?;
        Ok(())
    }

    fn step(&self, recorder: &mut Recorder) -> Result<(), MetaError> {
        let (settings, workspace) = (&self.full.settings, self.workspace);
        let params = inner_step::Params {
            tasks: self.count(),
            length: self.full.stride,
            rate: settings.inner_learning_rate,
            rates_per_element: u32::from(self.full.learns_rates()),
            prox: settings.kind.prox(),
        };
        let buffers = inner_step::Buffers {
            start: self.start()?,
            rates: self.rates()?,
            gradient: workspace.slope.slice(0, self.flat_bytes())?,
            parameters: workspace.parameters.slice(0, self.flat_bytes())?,
        };
        recorder.dispatch(params, buffers, u64::from(self.flat_elements()))?;
        Ok(())
    }

    /// Marks the tasks whose part of `vectors` `[tasks, stride]` is not finite.
    pub(crate) fn mark(&self, recorder: &mut Recorder, vectors: &Buffer, status: TaskStatus) -> Result<(), MetaError> {
        let (workspace, length, tasks) = (self.workspace, self.full.stride, self.count());
        let blocks = length.div_ceil(CHECK_BLOCK);
        let params = count_not_finite::Params { tasks, length, block: CHECK_BLOCK };
        let vectors = vectors.slice(0, self.flat_bytes())?;
        let buffers = count_not_finite::Buffers { vectors, counts: workspace.counts.all() };
        recorder.dispatch(params, buffers, u64::from(tasks * blocks))?;
        let params = task_status::Params { tasks, blocks, first_task: self.first_task, code: status.code() };
        let buffers = task_status::Buffers { counts: workspace.counts.all(), status: workspace.status.all() };
        recorder.dispatch(params, buffers, STATUS_INVOCATIONS * u64::from(tasks))?;
        Ok(())
    }
}
