//! The Neumann head (stocBiO, Ji et al. 2021): v = η Σ_q (I − η ∇²g)^q ∇_w f, a number of terms of
//! the series of the Hessian's inverse. It needs η < 2/λ_max; λ_max is estimated by a few steps of
//! conjugate gradient and reported.

use inkling_gpu::{Allocate, Buffer, Category, GpuError, Recorder};

use super::implicit::Hessian;
use super::lower::{Factors, Lower, values};
use crate::MetaError;
use crate::head::{HeadTask, HeadTensors};
use crate::solve::{CgSettings, CgStart, ConjugateGradient, SolveReport, System, VectorShape};

/// The series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NeumannSettings {
    /// Terms, the first included: one Hessian-vector product less.
    pub terms: u32,
    /// η.
    pub eta: f32,
    /// Steps of conjugate gradient that estimate the largest eigenvalue; zero for no estimate.
    pub estimate_steps: u32,
}

impl NeumannSettings {
    pub(super) fn check(self, ridge: f32) -> Result<(), MetaError> {
        if self.terms == 0 {
            return Err(MetaError::config("head.terms", 0, "the series needs at least one term"));
        }
        if !self.eta.is_finite() || self.eta <= 0.0 {
            return Err(MetaError::config("head.eta", self.eta, "must be a positive number"));
        }
        if ridge == 0.0 {
            let reason = "without a ridge the Hessian is singular and the series does not converge: set a positive \
                          number";
            return Err(MetaError::config("head.ridge", 0, reason));
        }
        if self.eta * ridge >= 2.0 {
            let reason = format!("the series diverges: the ridge alone needs eta below {}", 2.0 / ridge);
            return Err(MetaError::config("head.eta", self.eta, reason));
        }
        Ok(())
    }
}

/// The sum on its way, and the estimate.
#[derive(Debug)]
pub(super) struct Neumann<B> {
    settings: NeumannSettings,
    sums: [B; 2],
    estimate: Option<ConjugateGradient<B>>,
}

impl Neumann<()> {
    pub(super) fn allocate<A: Allocate>(
        settings: NeumannSettings,
        allocate: &mut A,
        tasks: u32,
        lower: &Lower<A::Buffer>,
    ) -> Result<Neumann<A::Buffer>, GpuError> {
        let shape = VectorShape { tasks, length: lower.stride, stride: lower.stride };
        let cg = CgSettings { max_iterations: settings.estimate_steps, tolerance: 0.0, damping: 0.0 };
        let sums = [values(allocate, "sum.0", shape.elements())?, values(allocate, "sum.1", shape.elements())?];
        let mut estimate = || ConjugateGradient::allocate(allocate, Category::Embeddings, "head.estimate", cg, shape);
        Ok(Neumann { settings, sums, estimate: (settings.estimate_steps > 0).then(&mut estimate).transpose()? })
    }
}

impl Neumann<Buffer> {
    pub(super) async fn finish(
        &self,
        recorder: &mut Recorder,
        lower: &Lower<Buffer>,
        task: HeadTask,
        tensors: HeadTensors<'_>,
        rows: &Buffer,
        gradient: &Buffer,
    ) -> Result<(), GpuError> {
        let (w, b) = (lower.solved()?, &lower.d_weights);
        let (eta, images) = (self.settings.eta, task.support as f32);
        lower.residual(recorder, task, tensors, w)?;
        let [first, second] = &self.sums;
        if let Some(estimate) = &self.estimate {
            let system = System {
                operator: &Hessian { lower, task, tensors },
                shape: VectorShape { tasks: task.tasks, length: lower.length(task), stride: lower.stride },
                right_hand_side: b,
                diagonal: None,
            };
            // The solution is not looked at, only how long its steps were.
            estimate.solve(recorder, system, CgStart::Zero, first).await?;
        }
        // Horner: s ← b + (I − η H) s from s = b on; v = η s.
        let factors = Factors {
            keep: (1.0 - f64::from(eta) * f64::from(lower.model.settings.ridge)) as f32,
            scale: -eta / images,
            pull: 1.0,
        };
        let everyone = (lower.everyone.all(), None);
        let (mut sum, mut next, mut spare) = (b, first, second);
        for _ in 1..self.settings.terms {
            lower.tangent(recorder, task, tensors, sum, everyone)?;
            lower.combine(recorder, task, tensors, &lower.tangents, factors, [sum, b, next])?;
            (sum, next, spare) = (next, spare, next);
            recorder.breathe().await?;
        }
        // With η too large the series diverges.
        lower.check(recorder, task, sum, true)?;
        lower.tangent(recorder, task, tensors, sum, everyone)?;
        lower.rows(recorder, task, [0.0, -eta / images], [sum, w], rows)?;
        lower.add_implicit_start_gradient(recorder, task, eta, sum, gradient)
    }

    pub(super) async fn reports(&self, recorder: &mut Recorder, tasks: u32) -> Result<Vec<SolveReport>, GpuError> {
        match &self.estimate {
            Some(estimate) => estimate.reports(recorder, tasks).await,
            None => Ok(Vec::new()),
        }
    }
}
