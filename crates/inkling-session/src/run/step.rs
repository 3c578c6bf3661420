//! One optimiser step, and what the logs say of it.

use inkling_data::Numbers;
use inkling_meta::solve::SolveReport;
use inkling_meta::{Outcome, TaskStatus};
use inkling_platform::{Stopwatch, unix_seconds, yield_now};

use super::SessionError;
use super::supply::SuppliedTask;
use super::train::Run;
use crate::config::{Schedule, TrainingConfig};
use crate::events::{Evaluation, SolveMetrics, StepMetrics};
use crate::metrics::{MetricsRow, TimingRow};

/// Weight of the latest step in the running mean of the speed.
const SPEED_SMOOTHING: f64 = 0.1;

impl Run {
    /// One optimiser step on the next tasks.
    pub(super) async fn step(&mut self, speed: &mut Speed) -> Result<StepMetrics, SessionError> {
        let clock = Stopwatch::start();
        let training = self.config.training.clone();
        let step = self.state.step + 1;
        let tasks = training.tasks_per_step.max(1);
        let first_order = self.config.learner.as_ref().and_then(|learner| learner.first_order_steps).unwrap_or(0);
        self.learner.set_first_order(step <= first_order);
        let (mut heads, mut solves) = (Vec::new(), Vec::new());
        let mut left = tasks;
        while left > 0 {
            let count = left.min(training.pass_tasks());
            let mut prepared = Vec::with_capacity(count as usize);
            for _ in 0..count {
                prepared.push(self.supply.next(&mut self.learner, &self.sources.training).await?);
            }
            let pass: Vec<_> = prepared.iter().map(SuppliedTask::task).collect();
            let first = self.state.episodes;
            let draw = |episode| Numbers::new(b"subset__", training.seed, 0, episode);
            let mut numbers: Vec<_> = (first..first + u64::from(count)).map(draw).collect();
            self.learner.accumulate_pass(&pass, &mut numbers).await?;
            // A head reports on its last pass alone.
            let reports = self.learner.head_reports().await?;
            solves.extend(match reports.is_empty() {
                true => self.learner.solve_reports().await?,
                false => reports.iter().filter_map(|head| head.solve.clone()).collect(),
            });
            heads.extend(reports);
            self.state.episodes += u64::from(count);
            left -= count;
            yield_now().await;
        }
        let learning_rate = learning_rate(&training, step);
        let clip_norm = training.clip_norm as f32;
        let (outcomes, norm) = self.learner.update(step, learning_rate as f32, clip_norm).await?;
        let failed = outcomes.iter().filter(|outcome| outcome.status != TaskStatus::Solved).count()
            + heads.iter().filter(|head| head.failed).count();
        let can_fail = !heads.is_empty() || self.config.learner.is_some();
        let solve = can_fail.then(|| solve_metrics(failed, &solves));
        if failed == outcomes.len() {
            return Err(SessionError::InnerLoop { step, tasks });
        }
        // A task that failed has neither loss nor gradient.
        let solved: Vec<_> = outcomes.iter().filter(|outcome| outcome.status == TaskStatus::Solved).collect();
        let mean = |value: fn(&Outcome) -> f64| {
            solved.iter().map(|outcome| value(outcome)).sum::<f64>() / solved.len().max(1) as f64
        };
        let (loss, accuracy) = (mean(|outcome| outcome.loss), mean(|outcome| outcome.accuracy));
        for (value, what) in [(loss as f32, "the loss"), (norm, "the gradient")] {
            if !value.is_finite() {
                return Err(SessionError::Diverged { step, what });
            }
        }
        self.state.step = step;
        self.state.optimizer_step = step;
        speed.add(clock.seconds(), tasks);
        let ledger = self.gpu.ledger();
        Ok(StepMetrics {
            step,
            episodes: self.state.episodes,
            loss: loss as f32,
            accuracy: accuracy as f32,
            learning_rate,
            gradient_norm: Some(norm),
            episodes_per_second: speed.episodes_per_second,
            bytes_in_use: ledger.live().total(),
            bytes_peak: ledger.peak().total(),
            solve,
        })
    }

    /// Writes a row for the step.
    pub(super) fn log(
        &mut self,
        metrics: &StepMetrics,
        evaluation: Option<&Evaluation>,
        step_seconds: f64,
    ) -> Result<(), SessionError> {
        let row = MetricsRow {
            step: metrics.step,
            episodes: metrics.episodes,
            loss: metrics.loss,
            accuracy: metrics.accuracy,
            learning_rate: metrics.learning_rate,
            gradient_norm: metrics.gradient_norm,
            failed_tasks: metrics.solve.as_ref().map(|solve| solve.failed_tasks),
            solve_iterations: metrics.solve.as_ref().and_then(|solve| solve.iterations),
            condition: metrics.solve.as_ref().and_then(|solve| solve.condition),
            solve_residuals: metrics.solve.as_ref().filter(|solve| !solve.residuals.is_empty()).map(residuals),
            validation_loss: evaluation.map(|evaluation| evaluation.loss),
            validation_accuracy: evaluation.map(|evaluation| evaluation.accuracy),
            validation_interval: evaluation.map(|evaluation| evaluation.interval),
        };
        let timing = TimingRow {
            step: metrics.step,
            unix_seconds: unix_seconds(),
            step_seconds,
            episodes_per_second: metrics.episodes_per_second,
            bytes_in_use: metrics.bytes_in_use,
            bytes_peak: metrics.bytes_peak,
        };
        Ok(self.folder.log_step(&row, &timing)?)
    }
}

/// The residual history as one field of the log.
fn residuals(solve: &SolveMetrics) -> String {
    solve.residuals.iter().map(|residual| format!("{residual:.3e}")).collect::<Vec<_>>().join(" ")
}

/// What the solves of a step's tasks say together.
fn solve_metrics(failed_tasks: usize, solves: &[SolveReport]) -> SolveMetrics {
    let longest = solves.iter().map(|solve| solve.relative_residuals.len()).max().unwrap_or(0);
    let mean_at = |index: usize| {
        let there: Vec<f32> = solves.iter().filter_map(|solve| solve.relative_residuals.get(index).copied()).collect();
        there.iter().sum::<f32>() / there.len().max(1) as f32
    };
    let iterations = solves.iter().map(|solve| solve.iterations as f32).sum::<f32>() / solves.len().max(1) as f32;
    let conditions = solves.iter().filter_map(|solve| solve.spectrum).map(|spectrum| spectrum.condition() as f32);
    SolveMetrics {
        failed_tasks: failed_tasks as u32,
        iterations: (!solves.is_empty()).then_some(iterations),
        residuals: (0..longest).map(mean_at).collect(),
        condition: conditions.reduce(f32::max),
    }
}

/// The learning rate of a step, which counts from one.
fn learning_rate(training: &TrainingConfig, step: u64) -> f64 {
    let base = training.learning_rate;
    if step <= training.warmup_steps {
        return base * step as f64 / training.warmup_steps as f64;
    }
    match training.schedule {
        Schedule::Constant => base,
        Schedule::Cosine => {
            let done = (step - 1 - training.warmup_steps) as f64;
            let all = training.steps.saturating_sub(training.warmup_steps).max(1) as f64;
            base * 0.5 * (1.0 + libm::cos(std::f64::consts::PI * (done / all).min(1.0)))
        }
        Schedule::Step => {
            let times = (step - 1) / training.schedule_every.max(1);
            base * training.schedule_factor.powi(times.min(i32::MAX as u64) as i32)
        }
    }
}

/// A running mean of the speed.
#[derive(Debug, Default)]
pub(super) struct Speed {
    episodes_per_second: f64,
    /// Of the last step.
    pub(super) step_seconds: f64,
}

impl Speed {
    fn add(&mut self, seconds: f64, episodes: u32) {
        self.step_seconds = seconds;
        let now = f64::from(episodes) / seconds.max(1e-9);
        let weight = if self.episodes_per_second == 0.0 { 1.0 } else { SPEED_SMOOTHING };
        self.episodes_per_second += weight * (now - self.episodes_per_second);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_start_at_the_configured_rate_and_fall() {
        let mut training = TrainingConfig { steps: 100, learning_rate: 0.1, ..TrainingConfig::default() };
        assert_eq!(learning_rate(&training, 50), 0.1);
        training.schedule = Schedule::Cosine;
        assert_eq!(learning_rate(&training, 1), 0.1);
        assert!((learning_rate(&training, 51) - 0.05).abs() < 1e-12);
        assert!(learning_rate(&training, 100) > 0.0);
        training.schedule = Schedule::Step;
        (training.schedule_every, training.schedule_factor) = (10, 0.5);
        assert_eq!(learning_rate(&training, 10), 0.1);
        assert_eq!(learning_rate(&training, 21), 0.025);
        training.warmup_steps = 4;
        assert_eq!(learning_rate(&training, 1), 0.025);
    }
}
