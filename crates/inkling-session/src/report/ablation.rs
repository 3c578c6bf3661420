//! The outputs of `inkling report ablation`: accuracy and time of training with LITE, over the number
//! H of support images that are back-propagated.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::atomic::write_atomically;
use crate::error::RunError;
use crate::plot::{Corner, Plot, PlotError, Series, render};
use crate::statistics::mean_and_interval;
use crate::table::Table;

/// One training run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AblationPoint {
    /// Support images H that are back-propagated.
    pub h: u32,
    /// Support images N of the largest training task.
    pub support: u32,
    /// The seed of the run.
    pub seed: u64,
    /// Optimiser steps.
    pub steps: u64,
    /// Median seconds of a step.
    pub step_seconds: f64,
    /// Peak bytes in use.
    pub peak_bytes: u64,
    /// Accuracies of the fixed test episodes, the same for all runs.
    #[serde(skip)]
    pub accuracies: Vec<f64>,
    /// Their mean, `0..=1`.
    pub accuracy: f64,
    /// Half the width of its 95 % interval.
    pub interval: f64,
}

/// The means over the seeds of one H.
struct Row {
    h: u32,
    seeds: usize,
    share: f64,
    step_seconds: f64,
    peak_bytes: f64,
    accuracy: f64,
    interval: f64,
}

/// One row for each H, in rising order.
fn rows(points: &[AblationPoint]) -> Vec<Row> {
    let mut all: Vec<u32> = points.iter().map(|point| point.h).collect();
    all.sort_unstable();
    all.dedup();
    let row = |h| {
        let runs: Vec<&AblationPoint> = points.iter().filter(|point| point.h == h).collect();
        let count = runs.len().max(1) as f64;
        let mean = |value: fn(&AblationPoint) -> f64| runs.iter().map(|run| value(run)).sum::<f64>() / count;
        let accuracies: Vec<f64> = runs.iter().flat_map(|run| run.accuracies.iter().copied()).collect();
        let (accuracy, interval) = mean_and_interval(&accuracies);
        Row {
            h,
            seeds: runs.len(),
            share: mean(|run| f64::from(run.h) / f64::from(run.support.max(1))),
            step_seconds: mean(|run| run.step_seconds),
            peak_bytes: mean(|run| run.peak_bytes as f64),
            accuracy,
            interval,
        }
    };
    all.into_iter().map(row).collect()
}

/// One row for each H: means over its seeds.
pub fn table(points: &[AblationPoint]) -> Table {
    let mut table = Table::new(["h", "h/n", "seeds", "ms per step", "peak MiB", "accuracy", "± 95 %"]);
    for row in rows(points) {
        table.row([
            row.h.to_string(),
            format!("{:.2}", row.share),
            row.seeds.to_string(),
            format!("{:.1}", 1e3 * row.step_seconds),
            format!("{:.1}", row.peak_bytes / f64::from(1 << 20)),
            format!("{:.2}", 100.0 * row.accuracy),
            format!("{:.2}", 100.0 * row.interval),
        ]);
    }
    table
}

/// Accuracy with its interval, and the time of a step, over H.
///
/// # Errors
/// When the drawing library fails.
pub fn svg(points: &[AblationPoint]) -> Result<String, PlotError> {
    let rows = rows(points);
    let panel = |title: &str, y_label: &str, y: &dyn Fn(&Row) -> f64, half: &dyn Fn(&Row) -> f64| Plot {
        title: title.to_owned(),
        x_label: "support images H that are back-propagated".to_owned(),
        y_label: y_label.to_owned(),
        legend: Corner::LowerRight,
        series: vec![Series {
            points: rows.iter().map(|row| (f64::from(row.h), y(row))).collect(),
            band: rows.iter().map(|row| (y(row) - half(row), y(row) + half(row))).collect(),
            markers: true,
            ..Series::default()
        }],
        ..Plot::default()
    };
    let (accuracy, interval) = (|row: &Row| 100.0 * row.accuracy, |row: &Row| 100.0 * row.interval);
    render(&[
        panel("Accuracy on test classes (shaded: 95 % of episodes and seeds)", "accuracy in %", &accuracy, &interval),
        panel("Time of a training step", "milliseconds", &|row| 1e3 * row.step_seconds, &|_| 0.0),
    ])
}

/// Writes `ablation.csv` (one row for each run), `ablation.md` and `ablation.svg` into `folder`.
///
/// # Errors
/// When a file cannot be written.
pub fn write(folder: &Path, points: &[AblationPoint]) -> Result<(), RunError> {
    super::write(folder, "ablation", points, svg(points))?;
    write_atomically(&folder.join("ablation.md"), table(points).to_markdown().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(h: u32, seed: u64, accuracies: &[f64]) -> AblationPoint {
        let (accuracy, interval) = mean_and_interval(accuracies);
        AblationPoint {
            h,
            support: 20,
            seed,
            steps: 10,
            step_seconds: 0.25,
            peak_bytes: 3 << 20,
            accuracies: accuracies.to_vec(),
            accuracy,
            interval,
        }
    }

    #[test]
    fn seeds_of_one_h_are_a_row() {
        let points = [point(10, 0, &[0.5, 0.7]), point(2, 0, &[0.4, 0.4]), point(10, 1, &[0.6, 0.6])];
        let rows = table(&points).to_json();
        assert_eq!(rows.len(), 2);
        assert_eq!((&rows[0]["h"], &rows[1]["h"]), (&2.into(), &10.into()));
        assert_eq!((&rows[1]["accuracy"], &rows[1]["seeds"]), (&60.0.into(), &2.into()));
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &points).unwrap();
        for (file, text) in [("ablation.csv", "step_seconds"), ("ablation.md", "| 10"), ("ablation.svg", "<svg")] {
            let written = std::fs::read_to_string(folder.path().join(file)).unwrap();
            assert!(written.contains(text), "{file}: {written}");
        }
    }
}
