//! What a run has said so far, as rows by step: what plots draw and tables export. It is fed with
//! the run's events and needs neither a device nor a disk.

use std::path::Path;

use serde::Serialize;

use crate::curves;
use crate::error::RunError;
use crate::events::{Event, StepMetrics};
use crate::metrics::{MetricsRow, TimingRow, rows_of};
use crate::plot::{Corner, Plot, PlotError, Scale, Series, render};
use crate::run_folder::{METRICS_FILE, TIMING_FILE};
use crate::store::Store;

/// One optimiser step, with the validation after it where there was one.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HistoryRow {
    /// The step, from one.
    pub step: u64,
    /// Training episodes seen so far.
    pub episodes: u64,
    /// Mean query cross-entropy.
    pub loss: f32,
    /// Mean query accuracy, `0..=1`.
    pub accuracy: f32,
    /// The learning rate of the step.
    pub learning_rate: f64,
    /// The gradient's norm before clipping, where it is computed.
    pub gradient_norm: Option<f32>,
    /// Training episodes per second.
    pub episodes_per_second: f64,
    /// Bytes of GPU buffers alive.
    pub bytes_in_use: u64,
    /// The most bytes alive so far.
    pub bytes_peak: u64,
    /// Tasks whose inner loop or solve failed.
    pub failed_tasks: Option<u32>,
    /// Iterations of conjugate gradient, the mean over tasks.
    pub solve_iterations: Option<f32>,
    /// The relative residual that the solves ended with.
    pub solve_residual: Option<f32>,
    /// Mean loss of the validation after this step.
    pub validation_loss: Option<f32>,
    /// Mean accuracy of that validation, `0..=1`.
    pub validation_accuracy: Option<f32>,
    /// Half the width of its 95 % confidence interval.
    pub validation_interval: Option<f32>,
    /// Accuracy on the support of the episode that was shown after this step, `0..=1`. The run's
    /// logs do not have it: whether episodes are shown must not change them.
    pub support_accuracy: Option<f32>,
}

/// What can be drawn over the steps of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Curve {
    /// Query loss of training and validation.
    Loss,
    /// Query accuracy of training and validation, with its confidence band, and the support
    /// accuracy of the episodes that were shown.
    Accuracy,
    /// Bytes of GPU buffers in use.
    Memory,
    /// Training episodes per second.
    Speed,
    /// The relative residual of conjugate gradient.
    Residual,
}

impl Curve {
    /// All curves, the ones that everybody looks at first.
    pub const ALL: [Self; 5] = [Self::Loss, Self::Accuracy, Self::Memory, Self::Speed, Self::Residual];
}

/// The residuals of the solves of one step, ‖r‖/‖b‖ at the start and after each iteration.
#[derive(Clone, Debug, PartialEq)]
pub struct SolveHistory {
    /// The step.
    pub step: u64,
    /// The residuals: means over the tasks that got there.
    pub residuals: Vec<f32>,
}

/// More solves than can be told apart are of no use; the oldest go first.
const MOST_SOLVES: usize = 24;
const MEBIBYTE: f64 = (1 << 20) as f64;

/// The rows of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    rows: Vec<HistoryRow>,
    solves: Vec<SolveHistory>,
    planned_bytes: Option<u64>,
}

impl History {
    /// The rows of a run's logs; rows without their timing keep zeros there.
    pub fn from_logs(metrics: &[MetricsRow], timing: &[TimingRow]) -> Self {
        let mut timing = timing.iter().peekable();
        let rows = metrics.iter().map(|row| {
            while timing.next_if(|time| time.step < row.step).is_some() {}
            from_log(row, timing.peek().filter(|time| time.step == row.step))
        });
        Self { rows: rows.collect(), ..Self::default() }
    }

    /// The rows that a run folder holds.
    ///
    /// # Errors
    /// When its metrics cannot be read.
    pub fn of_folder(path: &Path) -> Result<Self, RunError> {
        Self::of_store(&Store::disk(path))
    }

    /// The rows that the zip of a run folder holds.
    ///
    /// # Errors
    /// When the zip is damaged, or its metrics cannot be read.
    pub fn of_archive(bytes: &[u8]) -> Result<Self, RunError> {
        Self::of_store(&Store::of_archive(bytes)?)
    }

    fn of_store(store: &Store) -> Result<Self, RunError> {
        let metrics = rows_of(&store.path(METRICS_FILE), &store.require(METRICS_FILE)?)?;
        // Times are of no consequence: rows without them are drawn all the same.
        let timing = store.read(TIMING_FILE)?.and_then(|bytes| rows_of(&store.path(TIMING_FILE), &bytes).ok());
        Ok(Self::from_logs(&metrics, &timing.unwrap_or_default()))
    }

    /// Takes in what an event says; most say nothing that belongs here.
    pub fn take(&mut self, event: &Event) {
        match event {
            Event::Planned { bytes, .. } => self.planned_bytes = Some(*bytes),
            // A resumed run repeats the steps after its checkpoint.
            Event::Started { first_step, .. } => {
                self.rows.retain(|row| row.step <= *first_step);
                self.solves.retain(|solve| solve.step <= *first_step);
            }
            Event::Step(step) => self.step(step),
            Event::Validation { step, evaluation, .. } => {
                if let Some(row) = self.row(*step) {
                    row.validation_loss = Some(evaluation.loss);
                    row.validation_accuracy = Some(evaluation.accuracy);
                    row.validation_interval = Some(evaluation.interval);
                }
            }
            Event::Snapshot(snapshot) => {
                if let Some(row) = self.row(snapshot.step) {
                    row.support_accuracy = Some(snapshot.support_accuracy);
                }
            }
            _ => {}
        }
    }

    /// The row of a step, which is one of the last.
    fn row(&mut self, step: u64) -> Option<&mut HistoryRow> {
        self.rows.iter_mut().rev().find(|row| row.step == step)
    }

    fn step(&mut self, step: &StepMetrics) {
        let solve = step.solve.as_ref();
        self.rows.push(HistoryRow {
            step: step.step,
            episodes: step.episodes,
            loss: step.loss,
            accuracy: step.accuracy,
            learning_rate: step.learning_rate,
            gradient_norm: step.gradient_norm,
            episodes_per_second: step.episodes_per_second,
            bytes_in_use: step.bytes_in_use,
            bytes_peak: step.bytes_peak,
            failed_tasks: solve.map(|solve| solve.failed_tasks),
            solve_iterations: solve.and_then(|solve| solve.iterations),
            solve_residual: solve.and_then(|solve| solve.last_residual()),
            ..HistoryRow::default()
        });
        if let Some(solve) = solve.filter(|solve| solve.residuals.len() > 1) {
            if self.solves.len() == MOST_SOLVES {
                self.solves.remove(0);
            }
            self.solves.push(SolveHistory { step: step.step, residuals: solve.residuals.clone() });
        }
    }

    /// The rows by rising step.
    pub fn rows(&self) -> &[HistoryRow] {
        &self.rows
    }

    /// The newest row.
    pub fn last(&self) -> Option<&HistoryRow> {
        self.rows.last()
    }

    /// The residuals of the newest solves, oldest first.
    pub fn solves(&self) -> &[SolveHistory] {
        &self.solves
    }

    /// Whether there is anything to draw of a curve.
    pub fn has(&self, curve: Curve) -> bool {
        match curve {
            Curve::Residual => self.rows.iter().any(|row| row.solve_residual.is_some()),
            _ => !self.rows.is_empty(),
        }
    }

    /// A curve over the steps.
    pub fn plot(&self, curve: Curve) -> Plot {
        match curve {
            Curve::Loss => curves::loss(&self.points(|row| Some(row.loss)), &self.points(|row| row.validation_loss)),
            Curve::Accuracy => self.accuracy(),
            Curve::Memory => self.memory(),
            Curve::Speed => self.over_steps(("Speed", "episodes/s"), |row| Some(row.episodes_per_second)),
            Curve::Residual => Plot {
                y_scale: Scale::Logarithmic,
                ..self.over_steps(("Residual of conjugate gradient", "‖r‖ / ‖b‖"), |row| {
                    row.solve_residual.map(f64::from)
                })
            },
        }
    }

    /// All curves that there are, below each other.
    ///
    /// # Errors
    /// When the drawing library fails.
    pub fn svg(&self) -> Result<String, PlotError> {
        let plots: Vec<Plot> = Curve::ALL.into_iter().filter(|&c| self.has(c)).map(|c| self.plot(c)).collect();
        render(&plots)
    }

    /// The rows as CSV with every digit.
    ///
    /// # Errors
    /// What the writer says; there is no input for which it is known to fail.
    pub fn csv(&self) -> Result<String, String> {
        crate::report::csv(&self.rows)
    }

    fn points(&self, value: impl Fn(&HistoryRow) -> Option<f32>) -> Vec<(f64, f64)> {
        self.rows.iter().filter_map(|row| Some((row.step as f64, value(row)?.into()))).collect()
    }

    fn accuracy(&self) -> Plot {
        let mut plot = curves::accuracy(&self.points(|row| Some(row.accuracy)), &self.validations());
        let support = self.points(|row| row.support_accuracy);
        if !support.is_empty() {
            plot.title = "Query and support accuracy".to_owned();
            plot.series.push(Series {
                name: Some("support accuracy".to_owned()),
                points: support.into_iter().map(|(step, share)| (step, share * 100.0)).collect(),
                color: 2,
                markers: true,
                ..Series::default()
            });
        }
        plot
    }

    fn validations(&self) -> Vec<(f64, f64, f64)> {
        let of = |row: &HistoryRow| {
            let half = row.validation_interval.unwrap_or(0.0);
            Some((row.step as f64, row.validation_accuracy?.into(), half.into()))
        };
        self.rows.iter().filter_map(of).collect()
    }

    fn memory(&self) -> Plot {
        let in_use = |row: &HistoryRow| Some(row.bytes_in_use as f64 / MEBIBYTE);
        let mut plot = self.over_steps(("GPU memory", "MiB"), in_use);
        if let Some(series) = plot.series.last_mut() {
            series.name = Some("in use".to_owned());
        }
        if let (Some(planned), Some(first), Some(last)) = (self.planned_bytes, self.rows.first(), self.rows.last()) {
            let planned = planned as f64 / MEBIBYTE;
            plot.series.push(Series {
                name: Some("planned peak".to_owned()),
                points: vec![(first.step as f64, planned), (last.step as f64, planned)],
                color: 1,
                ..Series::default()
            });
        }
        plot.legend = Corner::LowerRight;
        plot
    }

    fn over_steps(&self, (title, unit): (&str, &str), value: impl Fn(&HistoryRow) -> Option<f64>) -> Plot {
        let points: Vec<(f64, f64)> = self.rows.iter().filter_map(|row| Some((row.step as f64, value(row)?))).collect();
        Plot {
            title: title.to_owned(),
            x_label: "step".to_owned(),
            y_label: unit.to_owned(),
            y_from_zero: true,
            series: vec![Series { points: curves::thinned(&points), ..Series::default() }],
            ..Plot::default()
        }
    }
}

fn from_log(row: &MetricsRow, time: Option<&&TimingRow>) -> HistoryRow {
    let residuals = row.solve_residuals.as_deref().unwrap_or_default();
    HistoryRow {
        step: row.step,
        episodes: row.episodes,
        loss: row.loss,
        accuracy: row.accuracy,
        learning_rate: row.learning_rate,
        gradient_norm: row.gradient_norm,
        episodes_per_second: time.map_or(0.0, |time| time.episodes_per_second),
        bytes_in_use: time.map_or(0, |time| time.bytes_in_use),
        bytes_peak: time.map_or(0, |time| time.bytes_peak),
        failed_tasks: row.failed_tasks,
        solve_iterations: row.solve_iterations,
        solve_residual: residuals.split_whitespace().last().and_then(|text| text.parse().ok()),
        validation_loss: row.validation_loss,
        validation_accuracy: row.validation_accuracy,
        validation_interval: row.validation_interval,
        support_accuracy: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Evaluation, SolveMetrics};
    use crate::snapshot::EpisodeSnapshot;

    fn step(step: u64) -> Event {
        let residuals = vec![1.0, 0.1, 0.01 / step as f32];
        Event::Step(StepMetrics {
            step,
            loss: 1.0 / step as f32,
            accuracy: 0.5,
            bytes_in_use: 3 << 20,
            solve: Some(SolveMetrics { residuals, ..SolveMetrics::default() }),
            ..StepMetrics::default()
        })
    }

    fn history(steps: u64) -> History {
        let mut history = History::default();
        history.take(&Event::Planned { bytes: 4 << 20, by_category: vec![] });
        (1..=steps).for_each(|number| history.take(&step(number)));
        history
    }

    #[test]
    fn validations_stand_beside_their_step() {
        let mut history = history(3);
        let evaluation = Evaluation { episodes: 10, loss: 0.7, accuracy: 0.8, interval: 0.02 };
        history.take(&Event::Validation { step: 2, evaluation: evaluation.clone(), best: true });
        history.take(&Event::Validation { step: 9, evaluation, best: true });
        let plot = history.plot(Curve::Accuracy);
        let validation = plot.series.last().unwrap();
        assert_eq!(validation.points.len(), 1);
        // Percent of f32 values: seven digits.
        assert!((validation.points[0].1 - 80.0).abs() < 1e-4 && (validation.band[0].0 - 78.0).abs() < 1e-4);
        assert_eq!(history.rows()[1].validation_loss, Some(0.7));
    }

    #[test]
    fn support_accuracies_stand_beside_the_step_of_their_episode() {
        let mut history = history(3);
        assert_eq!(history.plot(Curve::Accuracy).title, "Query accuracy");
        for (step, support_accuracy) in [(2, 0.75), (9, 1.0)] {
            history.take(&Event::Snapshot(EpisodeSnapshot { step, support_accuracy, ..EpisodeSnapshot::default() }));
        }
        let plot = history.plot(Curve::Accuracy);
        assert_eq!((plot.title.as_str(), plot.series.len()), ("Query and support accuracy", 3));
        assert_eq!(plot.series.last().unwrap().points, [(2.0, 75.0)]);
        let csv = history.csv().unwrap();
        let mut lines = csv.lines();
        assert!(lines.next().unwrap().ends_with(",support_accuracy"));
        assert!(lines.nth(1).unwrap().ends_with(",0.75"), "{csv}");
    }

    #[test]
    fn a_resumed_run_forgets_the_steps_that_it_repeats() {
        let mut history = history(5);
        let (run, adapter) = (None, String::new());
        history.take(&Event::Started { run, adapter, first_step: 3, steps: 9 });
        history.take(&step(4));
        let steps: Vec<u64> = history.rows().iter().map(|row| row.step).collect();
        assert_eq!(steps, [1, 2, 3, 4]);
        assert_eq!(history.solves().last().unwrap().step, 4);
    }

    #[test]
    fn only_so_many_solves_are_kept() {
        let history = history(60);
        assert_eq!(history.solves().len(), MOST_SOLVES);
        assert_eq!(history.solves().last().unwrap().step, 60);
    }

    #[test]
    fn every_curve_draws_and_every_row_is_exported() {
        let empty = History::default();
        assert!(Curve::ALL.into_iter().all(|curve| !empty.has(curve)));
        assert!(empty.svg().unwrap().starts_with("<svg"));
        let history = history(4);
        let svg = history.svg().unwrap();
        assert!(svg.contains("planned peak") && svg.contains("conjugate gradient"));
        let csv = history.csv().unwrap();
        assert_eq!(csv.lines().count(), 5);
        assert!(csv.starts_with("step,episodes,loss,accuracy"));
    }

    #[test]
    fn a_folder_and_its_archive_hold_the_same_rows() {
        use crate::config::RunConfig;
        use crate::run_folder::RunFolder;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let mut run = RunFolder::create(&path, &RunConfig::default(), 0.0).unwrap();
        for step in 1..=3 {
            let metrics = MetricsRow { step, loss: 1.0 / step as f32, ..MetricsRow::default() };
            run.log_step(&metrics, &TimingRow { step, bytes_in_use: 7, ..TimingRow::default() }).unwrap();
        }
        let history = History::of_folder(&path).unwrap();
        assert_eq!((history.rows().len(), history.rows()[2].bytes_in_use), (3, 7));
        assert_eq!(History::of_archive(&run.archive().unwrap()).unwrap(), history);
        assert!(History::of_archive(b"no zip").is_err());
        assert!(History::of_folder(folder.path()).is_err());
    }

    #[test]
    fn logs_join_by_step() {
        let metrics = [1, 3].map(|step| MetricsRow {
            step,
            solve_residuals: Some("1 0.5 0.25".to_owned()),
            ..MetricsRow::default()
        });
        let timing = [1, 2, 3].map(|step| TimingRow { step, bytes_in_use: step * 10, ..TimingRow::default() });
        let history = History::from_logs(&metrics, &timing);
        assert_eq!(history.rows()[1].bytes_in_use, 30);
        assert_eq!(history.rows()[1].solve_residual, Some(0.25));
        assert_eq!(History::from_logs(&metrics, &[]).rows()[1].bytes_in_use, 0);
    }
}
