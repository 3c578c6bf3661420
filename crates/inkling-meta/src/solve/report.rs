//! What became of a solve, as read back after a step.

use super::lanczos::{Spectrum, spectrum};

/// Scalars that the device keeps for each task.
pub(super) const SCALARS: usize = 8;

/// How a task's solve ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SolveStatus {
    /// It has not.
    Running,
    /// At the tolerance.
    Converged,
    /// After all iterations, with the last iterate.
    Limit,
    /// At a direction of curvature that is not positive, with the best iterate.
    Breakdown,
    /// At a number that is not finite, with the best iterate.
    NotFinite,
}

impl SolveStatus {
    /// A lower-case phrase for reports.
    pub fn name(self) -> &'static str {
        match self {
            SolveStatus::Running => "running",
            SolveStatus::Converged => "converged",
            SolveStatus::Limit => "all iterations",
            SolveStatus::Breakdown => "breakdown",
            SolveStatus::NotFinite => "not finite",
        }
    }

    /// Whether the solve ended with something other than its last iterate.
    pub fn failed(self) -> bool {
        matches!(self, SolveStatus::Breakdown | SolveStatus::NotFinite)
    }

    fn of(code: u32) -> Self {
        match code {
            0 => SolveStatus::Running,
            1 => SolveStatus::Converged,
            2 => SolveStatus::Limit,
            3 => SolveStatus::Breakdown,
            _ => SolveStatus::NotFinite,
        }
    }
}

/// One task's solve.
#[derive(Clone, Debug, PartialEq)]
pub struct SolveReport {
    /// How it ended.
    pub status: SolveStatus,
    /// Iterations that count: the one of a breakdown does not.
    pub iterations: u32,
    /// ‖r‖/‖b‖ at the start and after each iteration, r by the recursion.
    pub relative_residuals: Vec<f32>,
    /// What the steps tell of the eigenvalues of H, or of the preconditioned H; none without a step.
    pub spectrum: Option<Spectrum>,
}

impl SolveReport {
    /// From a task's two states and its history of (residual, alpha, beta).
    pub(super) fn new(state: &[u32], history: &[f32]) -> Self {
        let (code, iterations) = match state {
            [code, iterations, ..] => (*code, *iterations),
            _ => (u32::MAX, 0),
        };
        let records = history.chunks_exact(3).take(iterations as usize + 1);
        let steps: Vec<(f64, f64)> = records
            .clone()
            .take(iterations as usize)
            .filter_map(|record| Some((f64::from(*record.get(1)?), f64::from(*record.get(2)?))))
            .collect();
        Self {
            status: SolveStatus::of(code),
            iterations,
            relative_residuals: records.filter_map(|record| record.first().copied()).collect(),
            spectrum: spectrum(&steps),
        }
    }
}
